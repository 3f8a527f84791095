"""The yt-dlp downloader against a web site of this machine: fetched, joined, refused, cleaned up."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autodub.engines import ytdlp, ytdlp_visit
from autodub.engines.roles import EngineContext, Fetching
from autodub.engines.ytdlp import YtDlp, YtDlpOptions
from autodub.infra.blobs import Blobs
from autodub.media.probe import probe
from autodub.model.calls import Download
from autodub.model.errors import (
    AutodubError,
    BadAnswer,
    Busy,
    Cancelled,
    EngineCannot,
    Gone,
    OutputProblem,
    Refused,
    Rejected,
    Unreachable,
    UnsupportedSource,
)
from autodub.model.media import Blob, Source
from autodub.testing.site import Site


class Bench:
    """A place to work, with a real store, that can be told to stop when progress passes a mark."""

    def __init__(self, blobs: Blobs, scratch: Path) -> None:
        self.blobs, self.scratch = blobs, scratch
        self.fractions: list[float] = []
        self.metered: list[tuple[str, float]] = []
        self.stopped = threading.Event()

    def path(self, blob: Blob) -> Path:
        if not self.blobs.has(blob):
            raise Gone("It has vanished.")
        return self.blobs.path(blob)

    def keep(self, path: Path) -> Blob:
        return self.blobs.keep(path)

    def progress(self, fraction: float, message: str = "") -> None:
        self.check()
        self.fractions.append(fraction)

    def check(self) -> None:
        if self.stopped.is_set():
            raise Cancelled("Stopped.")

    def meter(self, unit: str, amount: float) -> None:
        self.metered.append((unit, amount))


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six seconds of moving picture and changing sound."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    picture = ["-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=6"]
    sound = ["-f", "lavfi", "-i", "aevalsrc='0.4*sin(2*PI*t*(200+100*t))':s=48000:d=6"]
    coding = ["-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-c:a", "aac", "-b:a", "96k"]
    subprocess.run(["ffmpeg", "-v", "error", *picture, *sound, *coding, str(path)], check=True)
    return path


@pytest.fixture
def site(clip: Path, tmp_path: Path) -> Iterator[Site]:
    """The site, up."""
    with Site(clip, tmp_path / "site") as site:
        yield site


@pytest.fixture
def blobs(tmp_path: Path) -> Iterator[Blobs]:
    """A store."""
    blobs = Blobs(tmp_path / "store")
    yield blobs
    blobs.close()


@pytest.fixture
def fetch(blobs: Blobs, tmp_path: Path) -> Any:
    """Download from the site with an engine that allows it; settings and options may be given."""

    def download(url: str, **more: Any) -> Source:
        options = YtDlpOptions(**more.pop("options", {}))
        bench_of = more.pop("bench", lambda bench: None)
        fetching = {"sites": ("127.0.0.1",), "addresses": ("127.0.0.1/32",), **more.pop("fetching", {})}
        context = EngineContext(secrets={}, models=tmp_path, fetching=Fetching(**fetching))
        with blobs.scratch() as scratch:
            bench = Bench(blobs, scratch)
            bench_of(bench)
            return YtDlp(options, context).download(Download(url, **more), bench)  # type: ignore[arg-type]

    return download


def frames(path: Path) -> list[str]:
    """Digests of the picture's frames, decoded."""
    argv = [
        "ffmpeg",
        "-v",
        "error",
        "-i",
        str(path),
        "-map",
        "0:v:0",
        "-fps_mode",
        "passthrough",
        "-f",
        "framemd5",
        "-",
    ]
    told = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    return [line.rpartition(",")[2].strip() for line in told.splitlines() if not line.startswith("#")]


def samples(path: Path) -> bytes:
    """The sound, decoded."""
    argv = ["ffmpeg", "-v", "error", "-i", str(path), "-map", "0:a:0", "-f", "s16le", "-"]
    return subprocess.run(argv, check=True, capture_output=True).stdout


def left(blobs: Blobs, tmp_path: Path) -> list[Path]:
    """Files in the store, scratch folders included."""
    return [
        path for path in (tmp_path / "store").rglob("*") if path.suffix in (".m4a", ".mp4", ".part", ".json")
    ]


def test_the_sound_comes_first_and_alone(site: Site, fetch: Any, blobs: Blobs) -> None:
    """Only the sound is fetched, described as what it is, with what the site says about it."""
    benches: list[Bench] = []
    sound = fetch(site.url("talk"), part="sound", bench=benches.append)
    assert not sound.is_whole
    assert sound.title == "A talk"
    assert sound.language == "en"
    assert sound.captions == ("en",)
    assert sound.url == site.url("talk")
    assert sound.digest == sound.files[0].digest == hashlib.sha256(Path(sound.path).read_bytes()).hexdigest()
    assert [stream.codec for stream in sound.info.audio] == ["aac"]
    assert sound.info.video == ()
    assert abs(sound.info.duration - 6000) < 50
    assert site.sent("picture.mp4") == site.sent("whole.mp4") == 0
    assert site.sent("sound.m4a") == (site.folder / "sound.m4a").stat().st_size
    assert benches[0].metered == [("bytes", sound.files[0].size)]
    assert benches[0].fractions == sorted(benches[0].fractions)


@pytest.mark.parametrize("page", ["talk.mpd", "talk.m3u8"])
def test_the_whole_is_the_picture_joined_with_the_sound_that_is_there(
    site: Site, fetch: Any, page: str
) -> None:
    """The picture is fetched and copied together with the sound; nothing is fetched or coded twice."""
    sound = fetch(site.url(page), part="sound")
    before = len(site.asked)
    whole = fetch(site.url(page), having=sound)
    again = [name for name in site.asked[before:] if "sound" in name or "part_0" in name or name == page]
    assert again == [], "neither the page nor the sound is fetched again"
    assert whole.is_whole
    assert whole.title == sound.title
    assert probe(Path(whole.path)) == whole.info
    assert samples(Path(whole.path)) == samples(Path(sound.path))
    assert frames(Path(whole.path)) == frames(site.folder / "picture.mp4")
    assert whole.info.audio[0].start == 0
    assert abs(whole.info.video[0].start) < 40
    assert Path(whole.path).suffix == ".mp4"


def test_the_whole_at_once_is_the_same(site: Site, fetch: Any) -> None:
    """Without a sound that is there, both parts are fetched, and come to the same picture and sound."""
    whole = fetch(site.url("talk.mpd"))
    assert whole.is_whole
    assert samples(Path(whole.path)) == samples(site.folder / "sound.m4a")
    assert frames(Path(whole.path)) == frames(site.folder / "picture.mp4")
    assert site.asked.count("talk.mpd") == 1
    assert len(whole.files) == 1


def test_one_file_with_both_is_fetched_once(site: Site, fetch: Any) -> None:
    """Where sound and picture come together, the first answer is whole, and nothing is left to do."""
    first = fetch(site.url("whole.mp4"), part="sound")
    assert first.is_whole
    sent = site.sent("whole.mp4")
    assert fetch(site.url("whole.mp4"), having=first) == first
    assert site.sent("whole.mp4") == sent
    assert Path(first.path).read_bytes() == (site.folder / "whole.mp4").read_bytes()


def test_a_page_with_sound_alone_is_whole_with_it(site: Site, fetch: Any) -> None:
    """There is nothing to add to a recording without a picture."""
    sound = fetch(site.url("sound.mpd"), part="sound")
    assert sound.is_whole
    assert sound.info.video == ()


def test_redirects_are_followed(site: Site, fetch: Any) -> None:
    """A link that leads on to the page is as good as the page."""
    assert fetch(site.url("moved/talk.mpd"), part="sound").info.audio
    assert site.asked[0] == "moved/talk.mpd"


def test_links_that_have_expired_are_looked_up_again(site: Site, fetch: Any, blobs: Blobs) -> None:
    """When the kept description of the page is no longer good, the page is asked for a fresh one."""
    sound = fetch(site.url("talk.mpd"), part="sound")
    page = blobs.path(sound.files[1])
    stale = page.read_text().replace("/picture.mp4", "/pictura.mp4")
    page.chmod(0o644)
    page.write_text(stale)
    whole = fetch(site.url("talk.mpd"), having=sound)
    assert whole.info.video
    page.unlink()
    assert fetch(site.url("talk.mpd"), having=sound).info.video
    assert site.asked.count("talk.mpd") == 3
    assert site.asked.count("sound.m4a") == 1


@pytest.mark.parametrize(
    ("page", "fetching", "what"),
    [
        ("live.mpd", {}, "broadcast live"),
        ("live.m3u8", {}, "broadcast live"),
        ("long.m3u8", {}, "24:00:00, longer than the 4:00:00"),
        ("large.m3u8", {}, "more than the 8,590 MB"),
        ("picture.mpd", {}, "no sound"),
        ("list", {}, "not one video"),
        ("talk.m3u8", {"longest": 5}, "longer than the 0:00:05"),
        ("talk.m3u8", {"largest": 50_000}, "more than the 50,000 bytes"),
    ],
)
def test_what_may_not_be_fetched_is_refused_before_any_media(
    site: Site, fetch: Any, page: str, fetching: dict[str, Any], what: str
) -> None:
    """Live, long, large, silent and several: the page alone is read, and the error says how to go on."""
    with pytest.raises(UnsupportedSource, match=what) as refusal:
        fetch(site.url(page), part="sound", fetching=fetching)
    assert refusal.value.hint
    assert site.media == 0


def test_a_file_that_is_larger_than_it_was_said_to_be_is_stopped(
    site: Site, fetch: Any, blobs: Blobs
) -> None:
    """The bytes are counted as they come, and what came is removed."""
    with pytest.raises(UnsupportedSource, match="larger than"):
        fetch(site.url("endless.mp4"), fetching={"largest": 1_000_000})
    assert site.sent("endless.mp4") < 2_000_000
    assert list(blobs.files()) == []


def test_a_length_that_the_page_does_not_tell_is_checked_afterwards(site: Site, fetch: Any) -> None:
    """The sound's own length counts where the page says none, before the picture is fetched."""
    with pytest.raises(UnsupportedSource, match="lasts 0:00:06, longer than the 0:00:05"):
        fetch(site.url("talk.mpd"), part="sound", fetching={"longest": 5})
    assert site.sent("picture.mp4") == 0


def test_a_full_disk_is_said_before_it_is_filled(
    site: Site, fetch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Room for the parts and the whole is asked for first."""
    usage = os.statvfs("/")
    monkeypatch.setattr(
        ytdlp_visit.shutil,
        "disk_usage",
        lambda path: type("U", (), {"free": 1000, "total": usage.f_blocks})(),
    )
    with pytest.raises(OutputProblem, match="1,000 bytes are free"):
        fetch(site.url("talk.m3u8"), part="sound")
    assert site.media == 0


@pytest.mark.parametrize(
    ("path", "kind", "what"),
    [
        ("status/404", Rejected, "404"),
        ("status/403", Refused, "403"),
        ("status/429", Busy, "429"),
        ("status/503", Unreachable, "503"),
        ("broken.mpd", Unreachable, "more expected"),
        ("broken.mp4", Unreachable, "more expected"),
        ("captions.vtt", UnsupportedSource, "captions|media|sound"),
    ],
)
def test_the_sites_troubles_are_errors_of_the_tree(
    site: Site, fetch: Any, path: str, kind: type[AutodubError], what: str
) -> None:
    """Each with the site's words and what to do, in one line."""
    with pytest.raises(kind, match=what) as trouble:
        fetch(site.url(path), part="sound")
    assert trouble.value.hint
    assert "\n" not in str(trouble.value)
    assert "\x1b" not in str(trouble.value)
    if isinstance(trouble.value, Refused):
        assert not trouble.value.whole_account
    if isinstance(trouble.value, Busy):
        assert trouble.value.retry_after == 7


def test_a_site_that_is_down_is_unreachable(site: Site, fetch: Any) -> None:
    """A refused connection may go better later."""
    url = site.url("talk")
    site.__exit__()
    with pytest.raises(Unreachable):
        fetch(url, part="sound")


def test_a_site_that_falls_silent_is_given_up(site: Site, fetch: Any) -> None:
    """A connection on which nothing comes is no download."""
    site.seconds["sound.m4a"] = 10_000.0
    with pytest.raises(Unreachable):
        fetch(site.url("talk.mpd"), part="sound", options={"timeout": 1.0})


def test_a_worker_that_stands_still_is_given_up(
    site: Site, fetch: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever hangs in there, a download without new bytes ends."""
    (tmp_path / "hanging_worker.py").write_text(
        "import time\nfrom autodub.engines import ytdlp_worker\n"
        "ytdlp_worker.Fetcher._fetch = lambda self, request: time.sleep(600)\nytdlp_worker.main()\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(ytdlp, "WORKER", "hanging_worker")
    monkeypatch.setattr(ytdlp_visit, "_SLACK", -2.0)
    with pytest.raises(Unreachable, match=r"sent nothing, .* for 1 seconds"):
        fetch(site.url("talk.mpd"), part="sound", options={"timeout": 1.0})
    assert _workers() == []


def test_a_site_that_sends_a_few_bytes_now_and_then_is_given_up(
    site: Site, fetch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes that never become a file hold no lane for hours."""
    monkeypatch.setattr(ytdlp_visit, "_SLACK", -2.0)
    with pytest.raises(Unreachable, match="next to nothing, for 1 seconds"):
        fetch(site.url("trickle.mp4"), options={"timeout": 1.0})
    assert 0 < site.sent("trickle.mp4") < 10_000
    assert _workers() == []


def test_a_file_that_is_not_the_workers_own_is_never_taken(
    site: Site, fetch: Any, blobs: Blobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is kept is moved into the store: a path elsewhere, or a link to one, stays where it is."""
    precious = tmp_path / "precious.m4a"
    precious.write_bytes(b"mine")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(ytdlp, "WORKER", "lying_worker")
    for lie in (
        f"return {{'file': {str(precious)!r}}}",
        "a = self._folder / 'a.m4a'; a.symlink_to('/etc/passwd'); return {'file': str(a)}",
        f"return {{'file': str(self._folder / '..' / '..' / '..' / '..' / {precious.name!r})}}",
    ):
        (tmp_path / "lying_worker.py").write_text(
            "from autodub.engines import ytdlp_worker\n"
            f"def fetch(self, request):\n    {lie}\n"
            "ytdlp_worker.Fetcher._fetch = fetch\nytdlp_worker.main()\n"
        )
        with pytest.raises(BadAnswer, match="not its own"):
            fetch(site.url("talk.mpd"), part="sound")
    assert precious.read_bytes() == b"mine"
    assert left(blobs, tmp_path) == []


def test_packages_in_the_users_home_are_found(site: Site, tmp_path: Path) -> None:
    """The worker's home is empty, and what ``pip install --user`` put into the real one is importable."""
    import autodub

    home = tmp_path / "home"
    packages = home / ".local" / "lib" / "python{}.{}".format(*sys.version_info) / "site-packages"
    packages.mkdir(parents=True)
    places = [Path(autodub.__file__).parents[1], Path(sysconfig.get_path("purelib"))]
    (packages / "ours.pth").write_text("".join(f"{place}\n" for place in places))
    python = Path(sys.base_prefix) / "bin" / "python{}.{}".format(*sys.version_info)
    code = f"""
import sys
from pathlib import Path
from autodub.engines import ytdlp, ytdlp_worker
from autodub.infra.child import Workers
home, folder = Path({str(tmp_path / "empty")!r}), {str(tmp_path)!r}
home.mkdir()
settings = dict(folder=folder, addresses=["127.0.0.1/32"], largest=1 << 30, height=360, runtime="",
                timeout=5.0, rate=None, extractors=["generic"])
with Workers(ytdlp.WORKER, arguments=[__import__("json").dumps(settings)],
             environment=ytdlp._environment(home)) as workers:
    print(workers.call({{"do": "look", "url": {site.url("whole.mp4")!r}}}, deadline=60))
"""
    environment = {"HOME": str(home), "PATH": os.defpath}
    said = subprocess.run([python, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert "info.json" in said.stdout, said.stderr


def test_cancelling_takes_less_than_a_second_and_leaves_nothing(
    site: Site, fetch: Any, blobs: Blobs, tmp_path: Path
) -> None:
    """In the middle of a file: the process is gone, the site is not asked any more, no file stays."""
    site.seconds["sound.m4a"] = 60.0
    benches: list[Bench] = []
    outcome: list[BaseException] = []

    def run() -> None:
        try:
            fetch(site.url("talk.mpd"), part="sound", bench=benches.append)
        except Cancelled as error:
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    end = time.monotonic() + 30
    while not site.sent("sound.m4a") and time.monotonic() < end:
        time.sleep(0.02)
    assert site.sent("sound.m4a") > 0
    assert [path for path in benches[0].scratch.iterdir() if path.name.startswith("sound")], "it is coming in"
    benches[0].stopped.set()
    thread.join(1.0)
    assert not thread.is_alive()
    assert len(outcome) == 1
    assert not benches[0].scratch.exists()
    assert left(blobs, tmp_path) == []
    assert _workers() == []


def _workers() -> list[int]:
    """Worker processes of the engine that are our children."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            stat, line = (entry / "stat").read_text(), (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if b"ytdlp_worker" in line and stat.rpartition(")")[2].split()[1] == str(os.getpid()):
            found.append(int(entry.name))
    return found


def test_captions_by_people_are_fetched_in_the_language_asked_for(site: Site, fetch: Any) -> None:
    """A subtitle file, and nothing of the media."""
    for language in ("en-GB", None):
        source = fetch(site.url("talk"), part="captions", language=language)
        assert Path(source.path).read_text().startswith("WEBVTT")
        assert "Hello there." in Path(source.path).read_text()
        assert source.files[0].suffix == ".vtt"
        assert source.info.container == "captions"
        assert source.language == "en"
    assert site.media == 0


@pytest.mark.parametrize(
    ("page", "language", "what"),
    [("talk", "fr", r"in 'fr'\. It has them in en\."), ("whole.mp4", None, "It has none at all")],
)
def test_captions_that_are_not_there_are_said_to_be_missing(
    site: Site, fetch: Any, page: str, language: str | None, what: str
) -> None:
    """The error names the languages there are."""
    with pytest.raises(EngineCannot, match=what):
        fetch(site.url(page), part="captions", language=language)


@pytest.mark.parametrize("size", [9 << 20, 1 << 34])
def test_endless_captions_are_refused(
    site: Site, fetch: Any, blobs: Blobs, tmp_path: Path, size: int
) -> None:
    """Captions are text: what is larger than any text is not fetched to its end, let alone read."""
    with (site.folder / "captions.vtt").open("r+b") as file:
        file.truncate(size)
    with pytest.raises(UnsupportedSource, match="larger than the 8388608 bytes"):
        fetch(site.url("talk"), part="captions", language="en")
    assert site.sent("captions.vtt") <= 10 << 20
    assert left(blobs, tmp_path) == []


def test_another_language_than_asked_for_is_said(site: Site, fetch: Any) -> None:
    """The site's only sound is taken, with a warning that it is not the one asked for."""
    sound = fetch(site.url("talk.mpd"), part="sound", language="fr")
    assert sound.warnings == ("The site has no sound in 'fr'; its sound in 'en' was taken.",)


def test_a_site_that_was_not_allowed_is_not_even_asked(site: Site, fetch: Any) -> None:
    """Neither setting alone opens the door, and no request goes out."""
    for fetching in ({"sites": ("youtube.com",)}, {"addresses": ()}, {"sites": ("*",), "addresses": ()}):
        with pytest.raises(UnsupportedSource):
            fetch(site.url("talk"), fetching=fetching)
    assert site.asked == ()


@pytest.mark.parametrize(
    "url",
    [
        "https://www.youtube.com/playlist?list=PL0123456789",
        "https://www.youtube.com/@somebody",
        "https://www.youtube.com/results?search_query=x",
        "https://www.youtube.com/watch?list=PL0123456789",
        "https://youtu.be/",
    ],
)
def test_playlists_and_channels_are_refused_without_asking_anybody(fetch: Any, url: str) -> None:
    """One video only; the error says how to find its link."""
    with pytest.raises(UnsupportedSource, match="not the address of one YouTube video"):
        fetch(url, fetching={"sites": ("youtube.com", "youtu.be")})


# -- names that change, and addresses behind addresses ------------------------------------------------

_RESOLVER = """
import socket, sys
from autodub.engines import ytdlp_worker

answers = {names!r}
asked = []

def resolve(host, port, *rest, **more):
    sys.audit("socket.getaddrinfo", host, port, 0, 0, 0)
    found = answers.get(host)
    if found is None:
        raise socket.gaierror(-2, "Name or service not known")
    asked.append(host)
    address = found[min(asked.count(host), len(found)) - 1]
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    place = (address, port, 0, 0) if ":" in address else (address, port)
    return [(family, socket.SOCK_STREAM, 6, "", place)]

socket.getaddrinfo = resolve
ytdlp_worker.main()
"""


@pytest.fixture
def names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make the worker's resolver answer as told: host -> the addresses it gives one after the other."""

    def install(table: dict[str, list[str]]) -> None:
        (tmp_path / "resolving_worker.py").write_text(_RESOLVER.format(names=table))
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        monkeypatch.setattr(ytdlp, "WORKER", "resolving_worker")

    return install


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.1"],
)
def test_a_name_that_leads_home_is_refused(site: Site, fetch: Any, names: Any, address: str) -> None:
    """The address that the name stands for at the moment of the connection is what counts."""
    names({"video.example": [address]})
    with pytest.raises(UnsupportedSource, match=r"video\.example leads to"):
        fetch(f"http://video.example:{site.port}/talk", fetching={"sites": ("*",), "addresses": ()})
    assert site.asked == ()


def test_a_name_that_changes_its_meaning_is_refused(site: Site, fetch: Any, names: Any) -> None:
    """A first look at a good address opens nothing for the second (rebinding)."""
    names({"video.example": ["127.0.0.1", "10.0.0.1"]})
    with pytest.raises(UnsupportedSource, match=r"leads to 10\.0\.0\.1"):
        fetch(f"http://video.example:{site.port}/moved/talk", fetching={"sites": ("video.example",)})
    assert site.media == 0


@pytest.mark.parametrize(
    "target",
    [
        "away?to=http://10.0.0.1/",
        "away?to=http://169.254.169.254/latest/meta-data/",
        "away?to=http://[::ffff:10.0.0.1]/",
        "away?to=http://2130706434/",
        "away?to=http://0.0.0.0/",
        "moved/away?to=http://127.2/",
        "lured.mpd?to=http://169.254.169.254/latest",
        "lured.mpd?to=http://0x7f.0.0.2",
    ],
)
def test_an_allowed_page_that_leads_home_is_refused(site: Site, fetch: Any, target: str) -> None:
    """Redirects and manifests are judged like what was typed in."""
    with pytest.raises(UnsupportedSource, match="not a public address"):
        fetch(site.url(target), part="sound")
    assert site.media == 0


@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "data:text/html,x", "ftp://127.0.0.1/x", "gopher://x/"]
)
def test_other_schemes_behind_a_page_are_refused(site: Site, fetch: Any, target: str) -> None:
    """A redirect to a file or another protocol is not followed."""
    with pytest.raises((UnsupportedSource, Rejected)) as refusal:
        fetch(site.url(f"away?to={target}"), part="sound")
    assert "root:" not in str(refusal.value)


def _master(media: str, more: str = "") -> str:
    return f'#EXTM3U\n{more}#EXT-X-STREAM-INF:BANDWIDTH=1000000,CODECS="avc1.64001f,mp4a.40.2"\n{media}\n'


def _media(lines: str) -> str:
    return f"#EXTM3U\n#EXT-X-TARGETDURATION:6\n{lines}\n#EXT-X-ENDLIST\n"


@pytest.mark.parametrize(
    "lines",
    [
        '#EXT-X-KEY:METHOD=AES-128,URI="{evil}/key"\n#EXTINF:6,\npart_0_0.ts',
        '#EXT-X-KEY:METHOD=SAMPLE-AES,URI="{evil}/key"\n#EXTINF:6,\npart_0_0.ts',
        '#EXT-X-MAP:URI="{evil}/init"\n#EXTINF:6,\npart_0_0.ts',
        "#EXTINF:6,\n{evil}/part.ts",
        "#EXTINF:6,\naway?to={evil}/part.ts",
        "#EXTINF:6,\n{ftp}/part.ts",
        '#EXT-X-KEY:METHOD=AES-128,URI="file:///etc/passwd"\n#EXTINF:6,\npart_0_0.ts',
        "#EXTINF:6,\nfile:///etc/passwd",
        "#EXTINF:nan,\npart_0_0.ts",
    ],
)
def test_nothing_inside_a_manifest_leads_elsewhere(
    site: Site, fetch: Any, blobs: Blobs, tmp_path: Path, lines: str
) -> None:
    """Segments, keys and beginnings of streams: no other machine, protocol or file is touched."""
    with socket.create_server(("127.0.0.2", 0)) as evil, socket.create_server(("127.0.0.1", 0)) as ftp:
        places = {
            "evil": f"http://127.0.0.2:{evil.getsockname()[1]}",
            "ftp": f"ftp://127.0.0.1:{ftp.getsockname()[1]}",
        }
        (site.folder / "lure.m3u8").write_text(_master("lured.m3u8"))
        (site.folder / "lured.m3u8").write_text(_media(lines.format(**places)))
        with pytest.raises((UnsupportedSource, Rejected)):
            fetch(site.url("lure.m3u8"))
        for listener in (evil, ftp):
            listener.setblocking(False)
            with pytest.raises(BlockingIOError):
                listener.accept()
    assert left(blobs, tmp_path) == []


@pytest.mark.parametrize(
    "what", ["the page's captions", "another sound", "a refresh", "a video on a server of files"]
)
def test_nothing_inside_a_page_leads_elsewhere(site: Site, fetch: Any, what: str) -> None:
    """What a page names beside its video is judged like the video."""
    with socket.create_server(("127.0.0.2", 0)) as evil:
        place = f"127.0.0.2:{evil.getsockname()[1]}"
        track = f'<track kind="captions" srclang="en" src="http://{place}/c.vtt">'
        sound = f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="a",URI="http://{place}/a.m3u8"\n'
        refresh = f'<meta http-equiv="refresh" content="0; url=http://{place}/">'
        name, text, part = {
            "the page's captions": ("lure", f'<video src="/whole.mp4">{track}</video>', "captions"),
            "another sound": ("lure.m3u8", _master("list_0.m3u8", sound), "whole"),
            "a refresh": ("lure", refresh, "whole"),
            "a video on a server of files": ("lure", f'<video src="ftp://{place}/a.mp4"></video>', "whole"),
        }[what]  # fmt: skip
        (site.folder / name).write_text(text)
        with pytest.raises(UnsupportedSource, match=r"nothing is fetched from there"):
            fetch(site.url(name), part=part, language="en" if part == "captions" else None)
        evil.setblocking(False)
        with pytest.raises(BlockingIOError):
            evil.accept()


@pytest.mark.parametrize("port", [25, 22, 6])
def test_a_redirect_may_not_lead_to_another_service(site: Site, fetch: Any, port: int) -> None:
    """The ports that the policy keeps out of links are kept out of redirects, too."""
    with pytest.raises(UnsupportedSource, match=f"port {port}, where no web site is"):
        fetch(site.url(f"away?to=http://127.0.0.1:{port}/"))


# -- what stands around it ------------------------------------------------------------------------------


def test_readiness_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each with the command that mends it."""
    context = EngineContext(secrets={}, models=tmp_path)
    engine = YtDlp(YtDlpOptions(), context)
    assert engine.readiness().state == "ready"
    assert "youtube.com" in engine.readiness().detail
    offline = YtDlp(YtDlpOptions(), EngineContext(secrets={}, models=tmp_path, offline=True))
    assert offline.readiness().state == "needs download"
    monkeypatch.setattr(ytdlp, "runtime", lambda: "")
    assert "JavaScript" in engine.readiness().detail
    monkeypatch.setattr(ytdlp.shutil, "which", lambda name, path=None: None)
    assert engine.readiness().fix == "sudo apt-get install ffmpeg"
    monkeypatch.setattr(ytdlp.importlib.util, "find_spec", lambda name: None)
    assert engine.readiness().fix == "pip install 'autodub[youtube]'"


def test_offline_nothing_is_fetched(site: Site, tmp_path: Path) -> None:
    """The engine says so before it starts anything."""
    fetching = Fetching(sites=("127.0.0.1",), addresses=("127.0.0.1/32",))
    engine = YtDlp(
        YtDlpOptions(), EngineContext(secrets={}, models=tmp_path, offline=True, fetching=fetching)
    )
    with pytest.raises(EngineCannot, match="offline"):
        engine.download(Download(site.url("talk")), Bench(None, tmp_path))  # type: ignore[arg-type]
    assert site.asked == ()


def test_the_height_of_the_settings_is_part_of_the_answers_identity(tmp_path: Path) -> None:
    """Another setting is another answer; an option goes before the setting."""
    context = EngineContext(secrets={}, models=tmp_path, fetching=Fetching(height=720))
    assert YtDlp(YtDlpOptions(), context).options == YtDlpOptions(height=720)
    assert YtDlp(YtDlpOptions(height=480), context).options == YtDlpOptions(height=480)


def test_the_kept_description_holds_nothing_of_this_machine(site: Site, fetch: Any, blobs: Blobs) -> None:
    """What is kept beside the sound is the site's description, without paths of ours (R29)."""
    sound = fetch(site.url("talk.mpd"), part="sound")
    kept = json.loads(blobs.path(sound.files[1]).read_text())
    assert str(blobs.path(sound.files[1]).parents[2]) not in json.dumps(kept)
    assert {each["format_id"] for each in kept["formats"]} == {"sound", "picture"}


def test_a_length_that_is_no_number_is_none(tmp_path: Path) -> None:
    """A page may say anything: NaN and Infinity are as if it had said nothing."""

    class Told:
        def call(self, *_: Any, **__: Any) -> Any:
            (tmp_path / "page.json").write_text('{"title": "x", "duration": NaN, "filesize": Infinity}')
            return {"info": str(tmp_path / "page.json")}

    bench = Bench(Blobs(tmp_path / "data"), tmp_path)
    visit = ytdlp_visit.Visit(
        Download("https://example.org/a"), bench, Told(), url="", fetching=Fetching(), timeout=1.0
    )  # type: ignore[arg-type]
    assert visit.look(deadline=1.0) == {"title": "x", "duration": None, "filesize": None}
    bench.blobs.close()
