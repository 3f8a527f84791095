"""A picture and a sound that were fetched apart become one file: copied, never coded again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from autodub.infra import process
from autodub.media import ffmpeg
from autodub.model.errors import UnsupportedSource

_MP4_PICTURES = frozenset({"h264", "hevc", "av1", "vp9", "mpeg4"})
_MP4_SOUNDS = frozenset({"aac", "alac", "ac3", "eac3", "mp3"})
_UNTIMED = frozenset({"aac", "mp3", "flac", "wav", "ac3", "eac3", "amr"})
"""Formats whose files know no time but their own."""
_UNRELATED = 10.0
"""Seconds between the beginnings of two files above which their clocks have nothing to do with each other."""


def join(
    picture: Path,
    sound: Path,
    folder: Path,
    *,
    check: Callable[[], None] | None = None,
    progress: Callable[[float], None] | None = None,
) -> Path:
    """The picture of one file and the sound of another, as ``folder/joined.mp4`` or ``.mkv``.

    MP4 where it can hold both, Matroska otherwise. Both keep their timestamps: streams of one broadcast
    share a clock, and a sound that begins later than its picture still does so afterwards.
    Raises UnsupportedSource when either lacks what it is there for, MediaError when ffmpeg fails.
    """
    seen, heard = _examine(picture, "video", check), _examine(sound, "audio", check)
    fits = seen.codec in _MP4_PICTURES and heard.codec in _MP4_SOUNDS
    output = folder / ("joined.mp4" if fits else "joined.mkv")
    late_picture, late_sound = _beginnings(seen, heard)
    arguments = [
        "-itsoffset", f"{late_picture:.6f}", *ffmpeg.source(picture),
        "-itsoffset", f"{late_sound:.6f}", *ffmpeg.source(sound),
        "-map", f"0:{seen.index}", "-map", f"1:{heard.index}",
        "-c", "copy", "-map_chapters", "-1", ffmpeg.name(output),
    ]  # fmt: skip
    result = ffmpeg.call(
        arguments,
        duration=max(seen.seconds, heard.seconds),
        what="join picture and sound",
        check=check,
        progress=progress,
    )
    if result.code != 0:
        raise ffmpeg.failure(result, arguments, "join picture and sound")
    return output


@dataclass(frozen=True, slots=True)
class _Part:
    """The stream of a file that is wanted."""

    container: str
    index: int
    codec: str
    start: float
    """First timestamp of the file, seconds; ffmpeg counts from there."""
    seconds: float


def _examine(path: Path, kind: str, check: Callable[[], None] | None) -> _Part:
    """The first stream of a kind (``video`` or ``audio``), cover art left out."""
    argv = [process.find("ffprobe", package="ffmpeg"), "-v", "error", "-of", "json"]
    argv += ["-show_format", "-show_streams", *ffmpeg.source(path)]
    result = process.run(argv, deadline=120.0, memory=ffmpeg.MEMORY, check=check)
    try:
        found = json.loads(result.stdout)
        form = found["format"]
        streams = [each for each in found["streams"] if each["codec_type"] == kind]
    except (ValueError, KeyError, TypeError):
        form, streams = {}, []
    for each in streams:
        if not each.get("disposition", {}).get("attached_pic"):
            return _Part(
                container=str(form.get("format_name")),
                index=int(each["index"]),
                codec=str(each.get("codec_name")),
                start=_seconds(form.get("start_time")),
                seconds=_seconds(form.get("duration")),
            )
    raise UnsupportedSource(
        f"What was fetched has no {'picture' if kind == 'video' else 'sound'} in it that can be read.",
        hint="The site may be at fault; try again, or dub a file that you have.",
    )


def _beginnings(seen: _Part, heard: _Part) -> tuple[float, float]:
    """Seconds by which each file begins after the earlier one, on the clock they share."""
    # A sound that begins before 0 is the encoder's run-up, which nobody hears.
    starts = seen.start, max(0.0, heard.start)
    first, last = sorted(starts)
    if {seen.container, heard.container} & _UNTIMED or last - first > _UNRELATED:
        return 0.0, 0.0
    return starts[0] - first, starts[1] - first


def _seconds(text: object) -> float:
    try:
        return float(str(text))
    except ValueError:  # not told
        return 0.0
