"""Edit lists of MP4 and QuickTime files: how long a copied picture is presented.

ffmpeg's muxer writes into an edit list where the presentation of a track starts, but not where it
ends. This fills in the end, so that a range can be cut exactly without touching a single packet
(boxes ``mvhd``, ``tkhd`` and ``elst`` of ISO/IEC 14496-12).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from autodub.model.errors import MediaError

_HOLDERS = (b"moov", b"trak", b"edts")
_DURATION = {b"mvhd": (16, 24), b"tkhd": (20, 28)}
"""Offset of the duration in a header box's body, version 0 and 1."""


def limit_presentation(path: Path, duration: int) -> None:
    """End the presentation of every track of an MP4 file after ``duration`` ms at the latest, in place.

    Raises MediaError when the file has no movie box.
    """
    with path.open("r+b") as file:
        offset, movie = _movie(file, path)
        timescale = _timescale(movie)
        end = round(duration * timescale / 1000)
        for kind, body in _boxes(movie, 0, len(movie)):
            if kind in _DURATION:
                wide = movie[body] == 1
                _lower(movie, body + _DURATION[kind][wide], ">Q" if wide else ">I", end)
            elif kind == b"elst":
                _limit_edits(movie, body, end)
        file.seek(offset)
        file.write(movie)


def _movie(file: BinaryIO, path: Path) -> tuple[int, bytearray]:
    """Position and content of the movie box."""
    offset = 0
    while len(head := file.read(16)) >= 8:
        size, kind = struct.unpack(">I4s", head[:8])
        if size == 1 and len(head) == 16:
            size = struct.unpack(">Q", head[8:])[0]
        if kind == b"moov":
            file.seek(offset)
            return offset, bytearray(file.read(size))
        if size < 8:
            break
        offset += size
        file.seek(offset)
    raise MediaError(f"{path.name} has no movie box.", hint="Update ffmpeg to version 5.1 or newer.")


def _boxes(movie: bytearray, start: int, end: int) -> Iterator[tuple[bytes, int]]:
    """Kind and start of the body of every box, those inside holders included."""
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", movie, start)
        if size < 8:
            return
        yield kind, start + 8
        if kind in _HOLDERS:
            yield from _boxes(movie, start + 8, start + size)
        start += size


def _timescale(movie: bytearray) -> int:
    for kind, body in _boxes(movie, 0, len(movie)):
        if kind == b"mvhd":
            scale: int = struct.unpack_from(">I", movie, body + (20 if movie[body] == 1 else 12))[0]
            return scale
    return 1000


def _lower(movie: bytearray, at: int, form: str, most: int) -> None:
    struct.pack_into(form, movie, at, min(most, struct.unpack_from(form, movie, at)[0]))


def _limit_edits(movie: bytearray, body: int, end: int) -> None:
    """Shorten the edits of one track so that they add up to ``end`` at most."""
    form, step = (">Q", 20) if movie[body] == 1 else (">I", 12)
    left = end
    for number in range(struct.unpack_from(">I", movie, body + 4)[0]):
        at = body + 8 + number * step
        _lower(movie, at, form, left)
        left -= struct.unpack_from(form, movie, at)[0]
