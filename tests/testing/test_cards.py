"""Title pictures."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest

from autodub.infra import process
from autodub.testing import cards
from autodub.testing.cards import Card


def ink(picture: cards.Picture) -> int:
    """Nearly white pixels: those of the text."""
    return int((picture.min(axis=2) > 215).sum())


def test_text_is_drawn_in_dots() -> None:
    """Letters leave ink, more letters more ink, and no text none."""
    size = {"width": 320, "height": 180}
    empty, short, long = (ink(cards.draw(Card(text), **size)) for text in ("", "HI", "HI THERE"))
    assert empty == 0
    assert 0 < short < long


def test_long_titles_stay_inside() -> None:
    """A title too long for its size is made smaller, so that the margins stay free of ink."""
    picture = cards.draw(Card("A title much too long for any card of this width"), width=320, height=180)
    assert ink(picture[:, :20]) == ink(picture[:, -20:]) == 0
    assert ink(picture) > 0


def test_unknown_letters_are_blank() -> None:
    """A character without dots leaves its place empty."""
    picture = cards.draw(Card("日本"), width=320, height=180)
    assert ink(picture) == 0


def test_hues_differ() -> None:
    """Cards of different hue have different colours."""
    red, green = (cards.draw(Card("", hue=hue), width=64, height=36).mean(axis=(0, 1)) for hue in (0.0, 0.33))
    assert red.argmax() == 0
    assert green.argmax() == 1


def test_every_letter_has_seven_rows_of_five_dots() -> None:
    """The dots of all letters are complete, and no two letters look the same."""
    rows = {letter: tuple(int(row, 16) for row in dots.split()) for letter, dots in cards._GLYPHS.items()}
    assert all(len(dots) == 7 and max(dots) < 32 for dots in rows.values())
    assert len(set(rows.values())) == len(rows)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (33, 17), (320, 180)])
def test_png_reads_back(tmp_path: Path, width: int, height: int) -> None:
    """Another program reads the same pixels out of the PNG."""
    random = np.random.default_rng(0)
    picture = random.integers(0, 256, (height, width, 3)).astype(np.uint8)
    path = tmp_path / "a.png"
    cards.save(picture, path)
    ffmpeg = process.find("ffmpeg", package="ffmpeg")
    argv = [ffmpeg, "-v", "error", "-i", str(path), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    result = process.run(argv, deadline=30)
    assert result.stdout == picture.tobytes()
    assert zlib.crc32(b"IEND").to_bytes(4, "big") == path.read_bytes()[-4:]
