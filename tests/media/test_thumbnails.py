"""Thumbnails: evenly spaced pictures of a film in one JPEG, in a time that does not grow with its length."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autodub.media import thumbnails
from autodub.media.probe import probe
from autodub.media.thumbnails import sheet


def nothing() -> None:
    """Nobody stops."""


def film(path: Path, picture: str, seconds: float, *more: str) -> Path:
    """A film with a sound."""
    subprocess.run(
        ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", "sine", "-t",
         str(seconds), "-c:v", "libx264", "-preset", "ultrafast", "-g", "10", *more,
         "-c:a", "aac", path], check=True,
    )  # fmt: skip
    return path


def pixels(path: Path) -> Any:
    """A JPEG as an array (height, width, 3)."""
    size = subprocess.run(
        ["ffprobe", "-v", "error", "-show_entries", "stream=width,height", "-of", "csv=p=0", path],
        check=True, capture_output=True, text=True,
    ).stdout.strip().split(",")  # fmt: skip
    data = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", path, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"],
        check=True, capture_output=True,
    ).stdout  # fmt: skip
    return np.frombuffer(data, dtype=np.uint8).reshape(int(size[1]), int(size[0]), 3)


def test_each_picture_is_of_its_moment(tmp_path: Path) -> None:
    """A film that gets brighter and brighter: so do its pictures, row after row."""
    path = film(tmp_path / "a.mp4", "color=black:s=320x180:r=10,geq=lum='16+T*10':cb=128:cr=128", 20)
    found = sheet(path, probe(path), tmp_path / "out.jpg", check=nothing)
    assert found is not None
    assert (found.width, found.height, found.columns, len(found.times)) == (160, 90, 10, 20)
    assert found.times[:2] == pytest.approx((0.5, 1.5), abs=0.02)
    whole = pixels(tmp_path / "out.jpg")
    assert whole.shape == (180, 1600, 3)
    tiles = [
        whole[row * 90 : row * 90 + 90, left : left + 160] for row in (0, 1) for left in range(0, 1600, 160)
    ]
    levels = [float(tile.mean()) for tile in tiles]
    assert levels == sorted(levels)
    assert levels[-1] - levels[0] > 150


@pytest.mark.parametrize(
    ("size", "more", "expected"),
    [
        ("90x160", [], (90, 160)), ("320x180", ["-vf", "setsar=2"], (160, 44)),
        ("1000x10", [], (160, 2)), ("16x16", [], (160, 160)),
    ],
)  # fmt: skip
def test_pictures_have_the_shape_they_are_shown_in(
    tmp_path: Path, size: str, more: list[str], expected: tuple[int, int]
) -> None:
    """Upright, wide, of pixels that are no squares: the longer side is the same."""
    path = film(tmp_path / "a.mp4", f"testsrc=s={size}:r=10", 1, *more)
    found = sheet(path, probe(path), tmp_path / "out.jpg", check=nothing)
    assert found is not None
    assert (found.width, found.height) == expected


def test_sound_alone_has_no_picture(tmp_path: Path) -> None:
    """Nor has a cover."""
    path = tmp_path / "a.m4a"
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "sine", "-t", "1", path], check=True)
    assert sheet(path, probe(path), tmp_path / "out.jpg", check=nothing) is None
    assert not (tmp_path / "out.jpg").exists()


def test_damaged_places_look_like_what_was_before_them(tmp_path: Path) -> None:
    """The other pictures are there all the same; where nothing can be decoded there is no picture."""
    path = film(tmp_path / "a.mkv", "testsrc2=s=160x90:r=10", 8)
    info = probe(path)
    data = bytearray(path.read_bytes())
    half = len(data) // 2
    data[half:] = bytes(len(data) - half)
    path.write_bytes(data)
    found = sheet(path, info, tmp_path / "out.jpg", check=nothing)
    assert found is not None
    whole = pixels(tmp_path / "out.jpg").astype(int)
    assert np.abs(whole[:, 6 * 160 : 7 * 160] - whole[:, 7 * 160 :]).mean() < 2
    assert np.abs(whole[:, :160] - whole[:, 160:320]).mean() > 2
    path.write_bytes(bytes(len(data)))
    assert sheet(path, info, tmp_path / "none.jpg", check=nothing) is None


def test_it_takes_no_longer_than_it_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not had in time is not waited for, and whoever stops it is heard."""
    path = film(tmp_path / "a.mp4", "testsrc=s=160x90:r=10", 5)
    info = probe(path)
    asked = []
    real = thumbnails._picture

    def counted(*given: Any) -> Any:
        asked.append(given)
        monkeypatch.setattr(thumbnails.time, "monotonic", lambda: 1e12)
        return real(*given)

    with monkeypatch.context() as patch:
        patch.setattr(thumbnails, "_picture", counted)
        monkeypatch.setattr(thumbnails.time, "monotonic", lambda: 0.0)
        patch.setattr(
            thumbnails.process,
            "run",
            lambda *_, **__: thumbnails.process.Result(0, b"P6\n2 1\n255\n" + bytes(6), ""),
        )
        found = sheet(path, info, tmp_path / "out.jpg", check=nothing)
    assert found is not None
    assert (len(asked), len(found.times)) == (1, 5)

    def stop() -> None:
        raise KeyError

    with pytest.raises(KeyError):
        sheet(path, info, tmp_path / "out.jpg", check=stop)
