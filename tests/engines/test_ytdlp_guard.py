"""What a guarded process may do: connections judged as they are made, one program, bounded files."""

from __future__ import annotations

import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from autodub.engines.ytdlp import runtime


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A socket of this machine that accepts connections."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def guarded(body: str, *, addresses: tuple[str, ...] = (), programs: tuple[str, ...] = ()) -> str:
    """Run code in a guarded process of its own -> what it printed, or the last line of its complaint."""
    code = f"""
from autodub.engines.ytdlp_guard import Guard, limit
from autodub.infra.addresses import Networks
from autodub.model.errors import AutodubError
guard = Guard(Networks.of({addresses!r}), programs={programs!r})
guard.install()
limit(largest=1 << 20)
def attempt(act):
    try:
        act()
    except AutodubError as error:
        return "refused: " + error.message
    except Exception as error:
        return type(error).__name__ + ": " + str(error)
    return "done"
{textwrap.dedent(body)}
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


def test_a_connection_to_this_machine_is_refused(listener: socket.socket) -> None:
    """The address that is really connected to is judged, however the connection is asked for."""
    port = listener.getsockname()[1]
    said = guarded(f"""
        import socket, urllib.request, asyncio
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        six = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        for act in (
            lambda: socket.create_connection(("127.0.0.1", {port})),
            lambda: socket.create_connection(("localhost", {port})),
            lambda: socket.socket().connect_ex(("127.0.0.1", {port})),
            lambda: six.connect(("::ffff:127.0.0.1", {port})),
            lambda: udp.sendto(b"x", ("127.0.0.1", {port})),
            lambda: udp.sendmsg([b"x"], (), 0, ("127.0.0.1", {port})),
            lambda: urllib.request.urlopen("http://127.0.0.1:{port}/", timeout=5),
            lambda: asyncio.run(asyncio.open_connection("127.0.0.1", {port})),
        ):
            print(attempt(act).partition(":")[0])
    """)
    assert said.split() == ["refused"] * 8
    listener.setblocking(False)
    with pytest.raises(BlockingIOError):
        listener.accept()


def test_a_name_is_never_connected_to_unresolved() -> None:
    """A socket that is given a name would resolve it beneath the interpreter, where nobody looks."""
    said = guarded("""
        import socket
        print(attempt(lambda: socket.socket().connect(("localhost", 1))))
        print(attempt(lambda: socket.socket(socket.AF_UNIX).connect("/run/some.sock")))
    """)
    assert [line[:8] for line in said.splitlines()] == ["refused:", "refused:"]


def test_what_an_operator_allows_is_connected_to(listener: socket.socket) -> None:
    """Networks of the setting are let through, and nothing beside them."""
    port = listener.getsockname()[1]
    said = guarded(
        f"""
        import socket
        print(attempt(lambda: socket.create_connection(("127.0.0.1", {port})).close()))
        print(attempt(lambda: socket.create_connection(("127.0.0.2", {port})).close()))
        """,
        addresses=("127.0.0.1/32",),
    )
    assert said.splitlines()[0] == "done"
    assert said.splitlines()[1].startswith("refused: 127.0.0.2")


def test_the_refusal_is_remembered_when_a_library_swallows_it() -> None:
    """A library that goes on after a refused connection cannot make the refusal disappear."""
    said = guarded("""
        import socket
        attempt(lambda: socket.create_connection(("10.0.0.1", 80)))
        attempt(lambda: socket.create_connection(("10.0.0.2", 80)))
        print(attempt(guard.raise_refusal))
        print(attempt(guard.raise_refusal))
    """)
    assert "10.0.0.1" in said.splitlines()[0]
    assert said.splitlines()[1] == "done"


def test_only_web_ports_and_http_are_spoken(listener: socket.socket) -> None:
    """Mail, shells and servers of files are not asked, even where the network is allowed."""
    said = guarded(
        f"""
        import ftplib, socket
        print(attempt(lambda: socket.create_connection(("127.0.0.1", 25))))
        print(attempt(lambda: ftplib.FTP().connect("127.0.0.1", {listener.getsockname()[1]}, timeout=2)))
        print(attempt(guard.raise_refusal))
        print(attempt(lambda: socket.create_connection(("127.0.0.1", {listener.getsockname()[1]})).close()))
        """,
        addresses=("127.0.0.1/32",),
    )
    assert said.splitlines() == [
        "refused: 127.0.0.1 leads to port 25, where no web site is.",
        "refused: 127.0.0.1 is an FTP server; nothing is fetched from there.",
        "refused: 127.0.0.1 leads to port 25, where no web site is.",
        "done",
    ]


def test_no_program_is_started_but_the_one_that_is_allowed(tmp_path: Path) -> None:
    """Shells, downloaders and ffmpeg look as if they were not installed (R30)."""
    marker = tmp_path / "marker"
    said = guarded(
        f"""
        import os, subprocess
        for act in (
            lambda: subprocess.run(["touch", {str(marker)!r}]),
            lambda: subprocess.run("touch {marker}", shell=True),
            lambda: os.system("touch {marker}"),
            lambda: os.posix_spawn("/usr/bin/touch", ["touch", {str(marker)!r}], {{}}),
            lambda: os.execv("/usr/bin/touch", ["touch", {str(marker)!r}]),
            lambda: os.fork(),
        ):
            print(attempt(act).partition(":")[0])
        argv = [{sys.executable!r}, "-c", "print('allowed')"]
        print(subprocess.run(argv, capture_output=True, text=True).stdout)
        """,
        programs=(sys.executable,),
    )
    assert said.split() == ["PermissionError"] * 6 + ["allowed"]
    assert not marker.exists()


def test_a_file_cannot_outgrow_its_limit(tmp_path: Path) -> None:
    """The kernel itself stops a file at the size that was set."""
    said = guarded(f"""
        def write():
            with open({str(tmp_path / "large")!r}, "wb") as file:
                for _ in range(3):
                    file.write(bytes(1 << 20))
        print(attempt(write).partition(":")[0])
    """)
    assert said == "OSError"
    assert (tmp_path / "large").stat().st_size <= 1 << 20


def test_memory_is_bounded() -> None:
    """A page that wants more than its share fails in its own process."""
    assert guarded("print(attempt(lambda: bytes(4 << 30)))").startswith("MemoryError")


def test_yt_dlp_finds_its_runtime_and_nothing_of_the_user(tmp_path: Path) -> None:
    """In the guarded process the JavaScript runtime works, without a network, and no plugin is loaded."""
    deno = runtime()
    if not deno:
        pytest.skip("deno is not installed")
    plugin = tmp_path / "yt_dlp_plugins" / "extractor" / "mine.py"
    plugin.parent.mkdir(parents=True)
    plugin.write_text(f"open({str(tmp_path / 'loaded')!r}, 'w').close()")
    settings = {
        "folder": str(tmp_path), "addresses": ["127.0.0.1/32"], "largest": 1 << 20, "height": 360,
        "runtime": deno, "timeout": 5.0, "rate": None, "extractors": ["youtube"],
    }  # fmt: skip
    said = guarded(
        f"""
        import os, subprocess, sys
        os.environ.update({{"HOME": {str(tmp_path)!r}, "YTDLP_NO_PLUGINS": "1"}})
        sys.path.insert(0, {str(tmp_path)!r})
        from autodub.engines.ytdlp_worker import Fetcher, Settings
        ydl = Fetcher(Settings(**{settings!r}), guard)._yt_dlp("https://www.youtube.com/")
        print(ydl._js_runtimes["deno"].info.supported, list(ydl._ies), ydl.proxies, ydl.params["cachedir"])
        script = b"try {{ await fetch('http://127.0.0.1:8080/') }} catch (e) {{ console.log(e.name) }}"
        argv = [{deno!r}, "run", "--ext=js", "--no-prompt", "--no-remote", "--no-config", "--no-npm", "-"]
        print(subprocess.run(argv, input=script, capture_output=True).stdout.decode())
        print([name for name in ("curl_cffi", "websockets") if sys.modules.get(name)])
        """,
        programs=(deno,),
    )
    assert said.splitlines()[0] == "True ['Youtube'] {'all': '__noproxy__'} False"
    assert said.split()[-2:] == ["NotCapable", "[]"]
    assert not (tmp_path / "loaded").exists()


def test_a_site_is_read_by_its_own_part_of_yt_dlp_and_the_general_ones() -> None:
    """An operator's site brings its family of extractors, not those of a thousand other sites."""
    from autodub.engines.ytdlp_worker import extractors_for

    vimeo = extractors_for("https://vimeo.com/76979871")
    assert "vimeo" in vimeo
    assert vimeo[-2:] == ["html5", "generic"]
    assert not [name for name in vimeo if "youtube" in name]
    for url in ("https://example.org/talk", "http://127.0.0.1:8000/talk", "http://[::1]/"):
        assert extractors_for(url) == ["html5", "generic"]
