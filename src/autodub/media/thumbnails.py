"""Small pictures of a film, evenly spaced, side by side in one JPEG: to see where one is without playing it.

For each picture one short-lived ffmpeg seeks to the key frame before its moment and decodes that frame alone:
a film of two hours takes as long as one of two minutes, and a damaged place costs one picture.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from autodub.infra import process
from autodub.media import ffmpeg
from autodub.model.errors import BadAnswer, MediaError, Unreachable
from autodub.model.media import MediaInfo

SIDE = 160
"""Pixels of a picture's longer side."""
MOST, COLUMNS = 50, 10
_DEADLINE, _ALTOGETHER = 10.0, 60.0
"""Seconds for one picture, and for all: what could not be had by then looks like the one before it."""
_FIT = (
    f"scale=w='if(gt(dar,1),{SIDE},max(2,2*trunc({SIDE}*dar/2)))'"
    f":h='if(gt(dar,1),max(2,2*trunc({SIDE}/dar/2)),{SIDE})',setsar=1"
)
_PPM = re.compile(rb"P6\s(\d+)\s(\d+)\s255\s")
Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Sheet:
    """How the pictures lie in their JPEG: rows of ``columns``, the first one at the top left."""

    width: int
    """Pixels of one picture."""
    height: int
    columns: int
    times: tuple[float, ...]
    """Seconds of programme each stands for."""


def sheet(path: Path, info: MediaInfo, out: Path, *, check: Callable[[], None]) -> Sheet | None:
    """Write the JPEG; None, and no file, where there is no picture or none of it can be decoded.

    Raises MediaError when the JPEG cannot be written, and whatever ``check`` raises.
    """
    moving = [stream for stream in info.video if not stream.is_still]
    if not moving:
        return None
    seconds = info.duration / 1000
    count = max(1, min(MOST, int(seconds)))
    times = tuple(round((place + 0.5) * seconds / count, 3) for place in range(count))
    pictures, end = list[Picture | None](), time.monotonic() + _ALTOGETHER
    fit = _FIT
    for moment in times:
        check()
        found = None
        if time.monotonic() < end:
            found = _picture(path, moving[0].index, moment, fit, check)
        if found is not None and fit == _FIT:
            fit = f"scale={found.shape[1]}:{found.shape[0]},setsar=1"  # all are as the first one is
        pictures.append(found)
    first = next((one for one in pictures if one is not None), None)
    if first is None:
        return None
    _write(_beside(pictures, first), out, check)
    return Sheet(first.shape[1], first.shape[0], min(COLUMNS, count), times)


def _picture(
    path: Path, stream: int, moment: float, fit: str, check: Callable[[], None]
) -> Picture | None:  # fmt: skip
    """The key frame before a moment; None where it cannot be had."""
    argv = [
        process.find("ffmpeg", package="ffmpeg"), "-v", "error", "-nostdin", "-threads", "1",
        "-noaccurate_seek", "-ss", f"{moment:.3f}", *ffmpeg.source(path),
        "-map", f"0:{stream}", "-an", "-sn", "-dn", "-frames:v", "1", "-vf", fit,
        "-c:v", "ppm", "-f", "image2pipe", "pipe:1",
    ]  # fmt: skip
    try:
        answer = process.run(argv, deadline=_DEADLINE, check=check, memory=ffmpeg.MEMORY, limit=1 << 20)
    except (Unreachable, BadAnswer):
        return None
    head = _PPM.match(answer.stdout)
    if head is None:
        return None
    width, height = int(head[1]), int(head[2])
    data = answer.stdout[head.end() : head.end() + width * height * 3]
    if len(data) < width * height * 3:
        return None
    return np.frombuffer(data, dtype=np.uint8).reshape(height, width, 3)


def _beside(pictures: list[Picture | None], first: Picture) -> Picture:
    """All pictures in rows; what is missing looks like the one before it, or the first there is."""
    height, width = first.shape[:2]
    columns = min(COLUMNS, len(pictures))
    whole = np.zeros((-(-len(pictures) // columns) * height, columns * width, 3), dtype=np.uint8)
    last = first
    for place, picture in enumerate(pictures):
        last = last if picture is None or picture.shape != first.shape else picture
        row, column = divmod(place, columns)
        whole[row * height : (row + 1) * height, column * width : (column + 1) * width] = last
    return whole


def _write(picture: Picture, out: Path, check: Callable[[], None]) -> None:
    height, width = picture.shape[:2]
    arguments = [
        "-v", "error", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-i", "pipe:0",
        "-frames:v", "1", "-c:v", "mjpeg", "-q:v", "5", "-pix_fmt", "yuvj420p", "-f", "mjpeg", "pipe:1",
    ]  # fmt: skip
    argv = [process.find("ffmpeg", package="ffmpeg"), *arguments]
    answer = process.run(
        argv, deadline=_ALTOGETHER, stdin=picture.tobytes(), check=check, memory=ffmpeg.MEMORY
    )  # fmt: skip
    if answer.code != 0 or not answer.stdout:
        raise MediaError("ffmpeg could not write the pictures.", log=answer.stderr)
    out.write_bytes(answer.stdout)
