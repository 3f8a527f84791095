"""One short clip, one data directory, and the desk of somebody who dubs it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from attempts import LINES, Clip, Desk, ffmpeg

from autodub.testing import clips


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """The one clip of all these tests, made once."""
    folder = tmp_path_factory.mktemp("clip")
    lines = [clips.SpokenLine(LINES[0], 500), clips.SpokenLine(LINES[1], 3200, "rms")]
    made = clips.build(lines, out=folder / "clip.mp4", duration=5000, size=(160, 90), music_level=None)
    subtitles = folder / "clip.srt"
    subtitles.write_text(made.srt(), encoding="utf-8")
    ffmpeg("-i", made.path, "-vn", folder / "clip.wav")
    return Clip(made.path, folder / "clip.wav", subtitles)


@pytest.fixture(scope="session")
def shared_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One data directory for what does not care: equal lines are translated and spoken once."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture
def desk(tmp_path: Path, clip: Clip, shared_data: Path) -> Desk:
    """A fresh desk that shares its data directory."""
    return Desk(tmp_path, clip, shared_data)


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Makes a disk of a given size, such as ``300k``; skips where that is not allowed."""
    made: list[Path] = []

    def make(size: str) -> Path:
        folder = tmp_path / f"disk{len(made)}"
        folder.mkdir()
        mount = shutil.which("mount")
        argv = [mount or "mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
        if mount is None or subprocess.run(argv, capture_output=True, check=False).returncode != 0:
            pytest.skip("only root can mount a tiny disk here; the file size limit is tried instead")
        made.append(folder)
        return folder

    yield make
    for folder in made:
        if subprocess.run(["umount", str(folder)], check=False).returncode != 0:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
            pytest.fail("something still holds a file open after the command has ended")
