"""Title pictures without a font on the machine: a colour wash, rings, and text set in dots.

The picture is an array ``(height, width, 3)`` of 8-bit RGB; ``save`` writes it as PNG.
"""

from __future__ import annotations

import colorsys
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
_Canvas = npt.NDArray[np.float64]

_GLYPHS = {
    "A": "0E 11 11 1F 11 11 11", "B": "1E 11 11 1E 11 11 1E", "C": "0E 11 10 10 10 11 0E",
    "D": "1E 11 11 11 11 11 1E", "E": "1F 10 10 1E 10 10 1F", "F": "1F 10 10 1E 10 10 10",
    "G": "0E 11 10 17 11 11 0F", "H": "11 11 11 1F 11 11 11", "I": "0E 04 04 04 04 04 0E",
    "J": "07 02 02 02 02 12 0C", "K": "11 12 14 18 14 12 11", "L": "10 10 10 10 10 10 1F",
    "M": "11 1B 15 15 11 11 11", "N": "11 19 15 13 11 11 11", "O": "0E 11 11 11 11 11 0E",
    "P": "1E 11 11 1E 10 10 10", "Q": "0E 11 11 11 15 12 0D", "R": "1E 11 11 1E 14 12 11",
    "S": "0F 10 10 0E 01 01 1E", "T": "1F 04 04 04 04 04 04", "U": "11 11 11 11 11 11 0E",
    "V": "11 11 11 11 11 0A 04", "W": "11 11 11 15 15 1B 11", "X": "11 11 0A 04 0A 11 11",
    "Y": "11 11 0A 04 04 04 04", "Z": "1F 01 02 04 08 10 1F", "0": "0E 11 13 15 19 11 0E",
    "1": "04 0C 04 04 04 04 0E", "2": "0E 11 01 06 08 10 1F", "3": "0E 11 01 06 01 11 0E",
    "4": "02 06 0A 12 1F 02 02", "5": "1F 10 1E 01 01 11 0E", "6": "0E 10 1E 11 11 11 0E",
    "7": "1F 01 02 04 08 08 08", "8": "0E 11 11 0E 11 11 0E", "9": "0E 11 11 0F 01 01 0E",
    "-": "00 00 00 0E 00 00 00", ".": "00 00 00 00 00 0C 0C", "'": "04 04 08 00 00 00 00",
    ":": "00 0C 0C 00 0C 0C 00", "&": "0C 12 14 08 15 12 0D", " ": "00 00 00 00 00 00 00",
}  # fmt: skip
"""Seven rows of five dots per character, one hexadecimal number a row."""


@dataclass(frozen=True, slots=True)
class Card:
    """One title picture."""

    title: str
    caption: str = ""
    seconds: int = 10
    """How long it stays."""
    hue: float = 0.58
    """Base colour, 0..1 around the colour circle (0 red, 1/3 green, 2/3 blue)."""


def draw(card: Card, *, width: int, height: int) -> Picture:
    """The card as a picture. Characters without dots are left blank."""
    across = np.linspace(0.0, 1.0, width)[np.newaxis, :, np.newaxis]
    down = np.linspace(0.0, 1.0, height)[:, np.newaxis, np.newaxis]
    near = np.array(colorsys.hsv_to_rgb(card.hue % 1.0, 0.72, 0.30))
    far = np.array(colorsys.hsv_to_rgb((card.hue + 0.12) % 1.0, 0.62, 0.62))
    canvas: _Canvas = near + (far - near) * (0.55 * down + 0.45 * across)
    for x, y, radius in ((0.86, 0.20, 0.34), (0.86, 0.20, 0.22), (0.10, 0.95, 0.30)):
        _ring(canvas, x * width, y * height, radius * height, thickness=0.012 * height)
    _wave(canvas, phase=card.hue)
    _text(canvas, card.title, centre=0.42, cell=_cell(card.title, width, largest=height / 42))
    _text(canvas, card.caption, centre=0.60, cell=_cell(card.caption, width, largest=height / 130), ink=0.85)
    return np.rint(np.clip(canvas, 0.0, 1.0) * 255).astype(np.uint8)


def save(picture: Picture, path: Path) -> None:
    """Write a picture as PNG (ISO/IEC 15948): one IDAT chunk, no filtering."""
    height, width, _ = picture.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), picture.reshape(height, width * 3)], axis=1)
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", head)
        + _chunk(b"IDAT", zlib.compress(rows.tobytes(), 6))
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _cell(text: str, width: int, *, largest: float) -> float:
    """Size of one dot such that the text fills at most five sixths of the width."""
    return min(largest, width * 5 / 6 / max(1, 6 * len(text)))


def _text(canvas: _Canvas, text: str, *, centre: float, cell: float, ink: float = 1.0) -> None:
    height, width, _ = canvas.shape
    left, top = (width - cell * (6 * len(text) - 1)) / 2, centre * height - 3.5 * cell
    for place, character in enumerate(text.upper()):
        for row, bits in enumerate(_GLYPHS.get(character, _GLYPHS[" "]).split()):
            for column in range(5):
                if int(bits, 16) >> (4 - column) & 1:
                    x, y = left + (6 * place + column + 0.5) * cell, top + (row + 0.5) * cell
                    _disc(canvas, x, y, 0.47 * cell, opacity=0.95 * ink)


def _disc(canvas: _Canvas, x: float, y: float, radius: float, *, opacity: float) -> None:
    window, distance = _window(canvas, x, y, radius)
    if distance.size:
        cover = np.clip(radius - distance + 0.5, 0.0, 1.0)[..., np.newaxis] * opacity
        canvas[window] += (1.0 - canvas[window]) * cover


def _ring(canvas: _Canvas, x: float, y: float, radius: float, *, thickness: float) -> None:
    window, distance = _window(canvas, x, y, radius + thickness)
    if distance.size:
        cover = np.clip(thickness / 2 - np.abs(distance - radius) + 0.5, 0.0, 1.0)[..., np.newaxis] * 0.16
        canvas[window] += (1.0 - canvas[window]) * cover


def _wave(canvas: _Canvas, *, phase: float) -> None:
    """A row of upright bars, like the picture of a voice."""
    height, width, _ = canvas.shape
    bars = 64
    for bar in range(bars):
        place = (bar + 0.5) / bars
        swing = abs(np.sin(9.0 * place + 20.0 * phase) * np.sin(31.0 * place + phase)) * np.sin(np.pi * place)
        tall = (0.012 + 0.075 * swing) * height
        left, right = round((place - 0.22 / bars) * width), round((place + 0.22 / bars) * width)
        top, bottom = round(0.80 * height - tall), round(0.80 * height + tall)
        canvas[top:bottom, left:right] += (1.0 - canvas[top:bottom, left:right]) * 0.38


def _window(
    canvas: _Canvas, x: float, y: float, radius: float
) -> tuple[tuple[slice, slice], npt.NDArray[np.float64]]:
    """The part of the canvas around a point, and the distance of each of its pixels to the point."""
    height, width, _ = canvas.shape
    top, bottom = max(0, int(y - radius - 1)), min(height, int(y + radius + 2))
    left, right = max(0, int(x - radius - 1)), min(width, int(x + radius + 2))
    rows, columns = np.arange(top, bottom)[:, np.newaxis], np.arange(left, right)[np.newaxis, :]
    return (slice(top, bottom), slice(left, right)), np.hypot(rows + 0.5 - y, columns + 0.5 - x)
