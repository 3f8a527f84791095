"""The downloader of local files."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from autodub.engines.local import Local, LocalOptions, path_of
from autodub.engines.roles import EngineContext
from autodub.model.calls import Download
from autodub.model.errors import Cancelled, UnsupportedSource
from autodub.model.media import Blob


class Bench:
    """A place to work that records progress and can be told to stop."""

    def __init__(self, folder: Path, *, stopped: bool = False) -> None:
        self.scratch = folder
        self.stopped = stopped
        self.fractions: list[float] = []

    def path(self, blob: Blob) -> Path:
        return self.scratch / blob.digest

    def keep(self, path: Path) -> Blob:
        raise AssertionError(f"nothing is to be kept: {path}")

    def progress(self, fraction: float, message: str = "") -> None:
        self.check()
        self.fractions.append(fraction)

    def check(self) -> None:
        if self.stopped:
            raise Cancelled("Stopped.")

    def meter(self, unit: str, amount: float) -> None:
        raise AssertionError(f"nothing is consumed: {amount} {unit}")


@pytest.fixture
def engine(tmp_path: Path) -> Local:
    """The engine as the plan builds it."""
    return Local(LocalOptions(), EngineContext(secrets={}, models=tmp_path))


@pytest.fixture
def tone(tmp_path: Path) -> Path:
    """Half a second of sound under a name with a space and an accent."""
    path = tmp_path / "Mi canción.wav"
    source = ["-f", "lavfi", "-i", "sine=d=0.5:r=16000"]
    subprocess.run(["ffmpeg", "-v", "error", *source, path], check=True)
    return path


def test_a_file_becomes_a_source(engine: Local, tone: Path, tmp_path: Path) -> None:
    """Path, digest, contents and title of a file are reported, and the file is left alone (R23)."""
    before = tone.stat().st_mtime_ns
    work = Bench(tmp_path)
    source = engine.download(Download(url=str(tone)), work)
    assert source.path == str(tone)
    assert source.digest == hashlib.sha256(tone.read_bytes()).hexdigest()
    assert source.title == "Mi canción"
    assert source.info.audio[0].rate == 16000
    assert work.fractions[-1] == 1.0
    assert tone.stat().st_mtime_ns == before


def test_addresses_of_files(engine: Local, tone: Path, tmp_path: Path) -> None:
    """A file:// address names the same file, percent signs decoded."""
    source = engine.download(Download(url=tone.as_uri()), Bench(tmp_path))
    assert source.path == str(tone)


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("file:///a%20b/c%23.mp4", "/a b/c#.mp4"),
        ("file://localhost/x.mp4", "/x.mp4"),
        ("/x/50%20.mp4", "/x/50%20.mp4"),
        ("~nobody-of-that-name/x.mp4", None),
        ("-x.mp4", None),
        ("C:x.mp4", None),
    ],
)
def test_paths(address: str, path: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Addresses are decoded, plain names are not, and everything becomes absolute."""
    monkeypatch.chdir(tmp_path)
    assert path_of(address) == (Path(path) if path else tmp_path / address)


def test_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A tilde is the user's own folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    assert path_of("~/x.mp4") == tmp_path / "x.mp4"


@pytest.mark.parametrize("address", ["https://example.org/x.mp4", "file://server/x.mp4", "concat://a|b"])
def test_other_machines(engine: Local, address: str, tmp_path: Path) -> None:
    """Addresses that are no file of this machine are refused with what to do instead."""
    with pytest.raises(UnsupportedSource, match="not a file of this machine") as caught:
        engine.download(Download(url=address), Bench(tmp_path))
    assert "Download it first" in caught.value.hint


@pytest.mark.parametrize("address", ["", "missing.mp4", "x\0y", "y" * 5000])
def test_nothing_there(engine: Local, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty, missing and impossible names are refused in a sentence."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnsupportedSource) as caught:
        engine.download(Download(url=address), Bench(tmp_path))
    assert caught.value.hint


def test_titles_are_one_printable_line(engine: Local, tone: Path, tmp_path: Path) -> None:
    """Line ends and control characters of a name do not reach people's screens."""
    odd = tone.rename(tmp_path / "two\nlines \x1b[31m.wav")
    assert engine.download(Download(url=str(odd)), Bench(tmp_path)).title == "two lines ?[31m"


def test_cancelled(engine: Local, tone: Path, tmp_path: Path) -> None:
    """Nothing goes on after somebody asked to stop."""
    with pytest.raises(Cancelled):
        engine.download(Download(url=str(tone)), Bench(tmp_path, stopped=True))


def test_facts(engine: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine is ready where ffmpeg is, and names the package where it is not."""
    assert (engine.describe().role, engine.describe().name) == ("downloader", "local")
    assert engine.readiness().state == "ready"
    monkeypatch.setenv("PATH", "/nonexistent")
    missing = engine.readiness()
    assert missing.state == "not installed"
    assert missing.fix.endswith("install ffmpeg")
