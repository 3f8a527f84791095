"""What is inside a file: container, streams, times; and whether it can be dubbed at all."""

from __future__ import annotations

import io
import json
import re
import stat
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from autodub.infra import process
from autodub.media import ffmpeg
from autodub.model.errors import BadAnswer, MediaError, Unreachable, UnsupportedSource
from autodub.model.media import AudioStream, MediaInfo, SubtitleStream, VideoStream

_DEADLINE = 60.0
_SCAN_DEADLINE = 600.0
_MEMORY = 4 << 30
_ANSWER = 1 << 23
"""Bytes of a description of streams, and of a list of packets, beyond which a file makes no sense."""
_PACKETS = 1 << 27
_PLAYLISTS = frozenset(
    ("hls", "applehttp", "concat", "dash", "imf", "sdp", "rtsp", "image2", "webm_dash_manifest")
)
"""Demuxers of files that only name other files or addresses."""
_TEXT = frozenset(("subrip", "srt", "ass", "ssa", "webvtt", "mov_text", "text", "ttml", "microdvd", "sami"))
_SUBTITLES = frozenset((".srt", ".vtt", ".ass", ".ssa"))
_LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}


def probe(path: Path, *, check: Callable[[], None] | None = None) -> MediaInfo:
    """Read what a source contains; the file is opened for reading only.

    Raises UnsupportedSource, saying what is wrong and what to do, for anything that cannot be dubbed:
    missing, unreadable, empty, not media, naming other files, or without sound.
    """
    _check_file(path)
    arguments = [
        "-v", "warning", "-of", "json", "-show_format", "-show_streams",
        *ffmpeg.source(path),
    ]  # fmt: skip
    result = _ffprobe(arguments, path, deadline=_DEADLINE, limit=_ANSWER, check=check)
    if result.code != 0:
        raise _refusal(path, result)
    if "enable_drefs" in result.stderr:  # what ffmpeg says when it passes a QuickTime data reference by
        raise UnsupportedSource(
            f"{path.name} keeps its sound or picture in another file, which is not opened.",
            hint="Save it as a self-contained file first.",
        )
    try:
        found = json.loads(result.stdout.decode("utf-8", "replace"))
        streams, form = found["streams"], found["format"]
    except (ValueError, KeyError) as error:
        raise MediaError(
            f"ffprobe gave an answer about {path.name} that cannot be read.",
            hint="Update ffmpeg to version 5.1 or newer.",
            log=result.stderr,
        ) from error
    info = _describe(form, streams)
    if not info.audio:
        what = (
            "no sound" if not any(s.get("codec_type") == "audio" for s in streams) else "an empty sound track"
        )
        raise UnsupportedSource(
            f"{path.name} has {what}, so there is nothing to dub.",
            hint="Choose a file in which somebody speaks.",
        )
    if info.duration <= 0 or "Estimating duration from bitrate" in result.stderr:
        info = _describe(form, streams, ends=_scan(path, check))
    if info.duration <= 0:
        raise UnsupportedSource(
            f"{path.name} contains no playable sound.", hint="The file may be incomplete; fetch it again."
        )
    return info


def _check_file(path: Path) -> None:
    try:
        state = path.stat()
        if stat.S_ISREG(state.st_mode):
            with path.open("rb"):
                pass
    except (FileNotFoundError, NotADirectoryError):
        raise UnsupportedSource(
            f"There is no file {_shown(path)}.", hint="Check the spelling and the folder."
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UnsupportedSource(
            f"{_shown(path)} cannot be read: {reason}.", hint="Check its permissions and its name."
        ) from error
    if stat.S_ISDIR(state.st_mode):
        raise UnsupportedSource(f"{_shown(path)} is a folder.", hint="Name one video or sound file in it.")
    if not stat.S_ISREG(state.st_mode):
        raise UnsupportedSource(f"{_shown(path)} is not an ordinary file.", hint="Save it to a file first.")
    if state.st_size == 0:
        raise UnsupportedSource(
            f"{path.name} is empty (0 bytes).", hint="The download or copy may have failed."
        )


def _shown(path: Path) -> str:
    return str(path).replace("\0", "\\0")


def _ffprobe(
    arguments: list[str],
    path: Path,
    *,
    deadline: float,
    limit: int,
    check: Callable[[], None] | None,
) -> process.Result:
    try:
        return process.run(
            [process.find("ffprobe", package="ffmpeg"), "-hide_banner", *arguments],
            deadline=deadline,
            check=check,
            memory=_MEMORY,
            limit=limit,
        )
    except BadAnswer as error:
        raise UnsupportedSource(
            f"{path.name} says so much about itself that it makes no sense.",
            hint="It may be damaged; converting it to another format first may help.",
        ) from error
    except Unreachable as error:
        raise UnsupportedSource(
            f"{path.name} could not be examined within {deadline:g} seconds.",
            hint="It may be damaged; converting it to another format first may help.",
        ) from error


def _refusal(path: Path, result: process.Result) -> UnsupportedSource:
    """Why ffprobe would not open the file, in words a user can act on."""
    barred = re.search(r"\[([\w,]+) @ [^\]]*\] Format not on whitelist", result.stderr)
    names = set(barred[1].split(",")) if barred else set()
    if names & _PLAYLISTS:
        return UnsupportedSource(
            f"{path.name} is not a recording but a list that points to other files or addresses "
            f"({barred[1] if barred else ''}); these are not opened.",
            hint="Give the video file itself, or save the stream as one file first.",
        )
    if path.suffix.lower() in _SUBTITLES:
        return UnsupportedSource(
            f"{path.name} holds subtitles, not a recording.",
            hint="Give the video or sound file, and this one with --subtitles.",
        )
    return UnsupportedSource(
        f"{path.name} is not a video or sound file ffmpeg can read.",
        hint="It may be incomplete or of a rare format; if it plays elsewhere, convert it to MP4 first.",
    )


def _describe(
    form: Mapping[str, Any], streams: Iterable[Mapping[str, Any]], *, ends: Mapping[int, int] | None = None
) -> MediaInfo:
    origin = _milliseconds(form.get("start_time")) or 0.0
    if "matroska" in str(form.get("format_name")):
        origin = max(origin, 0.0)  # only the delay of an encoder, which is not heard, lies before zero
    whole = _milliseconds(form.get("duration"))
    video: list[VideoStream] = []
    audio: list[AudioStream] = []
    subtitles: list[SubtitleStream] = []
    end = 0
    for stream in streams:
        tags = {key.lower(): value for key, value in stream.get("tags", {}).items()}
        disposition = stream.get("disposition", {})
        index, codec = int(stream["index"]), str(stream.get("codec_name", "unknown"))
        language = str(tags.get("language", "")).strip().lower()
        begin = _milliseconds(stream.get("start_time"))
        start = round(begin - origin) if begin is not None else 0
        duration = _duration(stream, tags, (ends or {}).get(index), start)
        kind = stream.get("codec_type")
        if kind == "video":
            still = bool(disposition.get("attached_pic"))
            video.append(
                VideoStream(
                    index=index,
                    codec=codec,
                    width=int(stream.get("width", 0)),
                    height=int(stream.get("height", 0)),
                    frame_rate=_ratio(str(stream.get("avg_frame_rate", "0/1"))),
                    duration=duration,
                    start=start,
                    is_still=still,
                )
            )
            if still:
                continue
        elif kind == "audio":
            channels, rate = int(stream.get("channels", 0)), int(stream.get("sample_rate", 0) or 0)
            if channels == 0 or rate == 0 or duration == 0 or stream.get("nb_frames") == "0":
                continue  # announced, but nothing in it
            audio.append(
                AudioStream(
                    index=index,
                    codec=codec,
                    rate=rate,
                    channels=channels,
                    layout=str(
                        stream.get("channel_layout") or _LAYOUTS.get(channels, f"{channels} channels")
                    ),
                    language=None if language in ("", "und") else language,
                    duration=duration,
                    start=start,
                    bit_rate=_whole(stream.get("bit_rate")),
                    is_default=bool(disposition.get("default")),
                )
            )
        elif kind == "subtitle":
            subtitles.append(
                SubtitleStream(
                    index=index,
                    codec=codec,
                    language=None if language in ("", "und") else language,
                    is_text=codec in _TEXT,
                )
            )
            continue
        else:
            continue
        if duration is not None:
            end = max(end, start + duration)
    return MediaInfo(
        container=str(form.get("format_name", "")),
        duration=end if end else round(whole or 0.0),
        video=tuple(video),
        audio=tuple(audio),
        subtitles=tuple(subtitles),
        comment=_comment(form),
    )


def _comment(form: Mapping[str, Any]) -> str:
    tags: Mapping[str, object] = form.get("tags", {})
    return next((str(value) for key, value in tags.items() if key.lower() == "comment"), "")


def _duration(
    stream: Mapping[str, Any], tags: Mapping[str, Any], scanned: int | None, start: int
) -> int | None:
    """Length of a stream in ms, from a scan of its packets, the stream, or Matroska's tag (an end time)."""
    own = _milliseconds(stream.get("duration"))
    if scanned is not None:
        return max(0, scanned - start)
    if own is not None:
        return round(own)
    clock = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", str(tags.get("duration", "")).strip())
    if clock:
        end = (int(clock[1]) * 60 + int(clock[2])) * 60_000 + float(clock[3]) * 1000
        return max(0, round(end) - start) if end else 0
    return None


def _scan(path: Path, check: Callable[[], None] | None) -> dict[int, int]:
    """End of every stream, ms of the programme, by reading all packets (for files that do not say)."""
    arguments = [
        "-v", "error", "-of", "csv=p=0", "-show_entries", "packet=stream_index,pts_time,duration_time",
        *ffmpeg.source(path),
    ]  # fmt: skip
    result = _ffprobe(arguments, path, deadline=_SCAN_DEADLINE, limit=_PACKETS, check=check)
    first: float | None = None
    ends: dict[int, float] = {}
    for row in io.BytesIO(result.stdout):
        index, time, length = [*row.decode("ascii", "replace").strip().split(","), "", "", ""][:3]
        start = _milliseconds(time)
        if start is None or not index.isdigit():
            continue
        first = start if first is None else min(first, start)
        ends[int(index)] = max(ends.get(int(index), 0.0), start + (_milliseconds(length) or 0.0))
    return {index: round(end - (first or 0.0)) for index, end in ends.items()}


def _milliseconds(seconds: object) -> float | None:
    try:
        return float(str(seconds)) * 1000.0
    except ValueError:
        return None


def _whole(number: object) -> int | None:
    text = str(number)
    return int(text) if text.isdigit() else None


def _ratio(text: str) -> float:
    above, _, below = text.partition("/")
    try:
        return float(above) / float(below or 1)
    except (ValueError, ZeroDivisionError):
        return 0.0
