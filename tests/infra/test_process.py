"""Other programs, run with real children."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from autodub.infra import process
from autodub.model.errors import BadAnswer, Cancelled, EngineCannot, Unreachable

SH = "/bin/sh"


def alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def ends(pid: int, *, within: float = 10.0) -> bool:
    """Whether a process ends within some seconds."""
    limit = time.monotonic() + within
    while alive(pid) and time.monotonic() < limit:
        time.sleep(0.02)
    return not alive(pid)


def test_everything_written_comes_back() -> None:
    """Exit status, stdout and stderr are returned; a failing program is not an error by itself."""
    result = process.run([SH, "-c", "printf out; printf err >&2; exit 3"], deadline=10)
    assert result == process.Result(code=3, stdout=b"out", stderr="err")


def test_large_input_and_output_do_not_block() -> None:
    """Megabytes go in and out at the same time, byte for byte."""
    data = os.urandom(3_000_000)
    assert process.run(["cat"], deadline=30, stdin=data).stdout == data


def test_input_that_is_not_read() -> None:
    """A program that ends without reading its input is no error."""
    assert process.run(["true"], deadline=10, stdin=bytes(1_000_000)).code == 0


def test_lines_arrive_live() -> None:
    """Lines of stderr are handed on one by one, carriage returns ending lines too, the last one included."""
    lines: list[str] = []
    process.run([SH, "-c", r"printf 'a\rb\n\nlast' >&2"], deadline=10, on_line=lines.append)
    assert lines == ["a", "b", "last"]


def test_deadline_kills_the_whole_group(tmp_path: Path) -> None:
    """A hanging program is stopped at its deadline together with the children it started."""
    note = tmp_path / "pid"
    with pytest.raises(Unreachable, match=r"sh gave no result within 0\.5 seconds"):
        process.run([SH, "-c", f"sleep 60 & echo $! > {note}; wait"], deadline=0.5)
    assert ends(int(note.read_text()))


def test_cancel_kills_the_program(tmp_path: Path) -> None:
    """When the check raises, the program dies and the error comes through."""
    note = tmp_path / "pid"

    def check() -> None:
        if note.exists() and note.read_text().strip():
            raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        process.run([SH, "-c", f"echo $$ > {note}; exec sleep 60"], deadline=30, check=check)
    assert ends(int(note.read_text()))


def test_a_listener_that_fails_stops_the_program() -> None:
    """An error in the line handler is not swallowed and the program does not go on."""

    def listen(line: str) -> None:
        raise Cancelled(line)

    started = time.monotonic()
    with pytest.raises(Cancelled, match="tick"):
        process.run([SH, "-c", "echo tick >&2; sleep 60"], deadline=50, on_line=listen)
    assert time.monotonic() - started < 30


def test_a_grandchild_holding_the_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """A program that leaves something running in the background is finished when it ends itself."""
    note = tmp_path / "pid"
    result = process.run([SH, "-c", f"sleep 60 & echo $! > {note}; echo done"], deadline=30)
    assert result.stdout == b"done\n"
    assert ends(int(note.read_text()))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux kills children with their parent")
def test_killing_us_kills_the_program(tmp_path: Path) -> None:
    """After kill -9 of this process nothing it started goes on running."""
    note = tmp_path / "pid"
    code = "import sys; from autodub.infra import process; process.run(sys.argv[1:], deadline=60)"
    us = subprocess.Popen([sys.executable, "-c", code, SH, "-c", f"echo $$ > {note}; exec sleep 60"])
    try:
        limit = time.monotonic() + 20
        while not (note.exists() and note.read_text().strip()) and time.monotonic() < limit:
            time.sleep(0.02)
    finally:
        os.kill(us.pid, signal.SIGKILL)
        us.wait()
    assert ends(int(note.read_text()))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can limit another process")
def test_memory_is_limited() -> None:
    """A program that asks for more address space than allowed fails instead of taking it."""
    code = "import time; time.sleep(0.3); bytearray(3 << 30)"
    greedy = process.run([sys.executable, "-c", code], deadline=30, memory=1 << 30)
    assert greedy.code != 0
    assert "MemoryError" in greedy.stderr


def test_endless_output_is_stopped() -> None:
    """A program that never stops talking is stopped and its answer refused."""
    with pytest.raises(BadAnswer, match="more than 100000 bytes"):
        process.run(["yes"], deadline=30, limit=100_000)


def test_endless_complaints_are_kept_short() -> None:
    """Of very long error output the end is kept, which is where the reason stands."""
    script = "i=0; while [ $i -lt 20000 ]; do echo complaint number $i; i=$((i+1)); done >&2"
    text = process.run([SH, "-c", script], deadline=60).stderr
    assert len(text) <= 1 << 16
    assert text.endswith("complaint number 19999\n")


def test_environment_is_reduced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Secrets of our environment are not passed on; the locale is fixed; additions are."""
    monkeypatch.setenv("DEEPGRAM_API_KEY", "secret")
    text = process.run(["env"], deadline=10, env={"EXTRA": "1"}).stdout.decode()
    assert "secret" not in text
    assert {"LC_ALL=C.UTF-8", "EXTRA=1", f"PATH={os.environ['PATH']}"} <= set(text.split("\n"))


def test_arguments_are_not_interpreted(tmp_path: Path) -> None:
    """No shell sees the arguments, so names with quotes and semicolons are inert."""
    odd = f"; touch {tmp_path}/made $(touch {tmp_path}/made) 'x'\n"
    assert process.run(["printf", "%s", odd], deadline=10).stdout.decode() == odd
    assert not (tmp_path / "made").exists()


def test_working_directory(tmp_path: Path) -> None:
    """The program runs where it is told to."""
    assert process.run(["pwd"], deadline=10, cwd=tmp_path).stdout.decode().strip() == str(tmp_path.resolve())


@pytest.mark.parametrize("program", ["no-such-program-anywhere", "/etc/passwd", "bad\0name"])
def test_programs_that_cannot_start(program: str) -> None:
    """A missing or unexecutable program is a sentence with a hint, not a traceback."""
    with pytest.raises(EngineCannot, match="cannot be started") as caught:
        process.run([program], deadline=5)
    assert caught.value.hint


def test_find_names_the_package() -> None:
    """A program is found with its absolute path, and a missing one names the package to install."""
    assert Path(process.find("sh", package="dash")).is_absolute()
    with pytest.raises(EngineCannot) as caught:
        process.find("no-such-program-anywhere", package="espeak-ng")
    assert "apt-get install espeak-ng" in caught.value.hint
