"""Looking at what somebody uploaded before it is kept: whether it is what its name says.

The name's ending must be one we know, and the content of the kind it stands for. Recordings are described by
a child process with limits, which opens no other file and no address; what they claim of themselves must be
possible. Subtitles are read by our own parser.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from autodub.dubbing.subtitles import parse
from autodub.jobs.naming import ending
from autodub.media.probe import probe
from autodub.model.errors import (
    AutodubError,
    BadSubtitles,
    EngineCannot,
    EngineError,
    MediaError,
    TooLarge,
    Unavailable,
    UnsupportedSource,
)
from autodub.model.media import MediaInfo

log = logging.getLogger("autodub.uploads")
Kind = Literal["media", "subtitles"]

_MP4, _MPEG, _OGG = "mov,mp4,m4a,3gp,3g2,mj2", "mpeg", "ogg"
FAMILIES: Mapping[str, tuple[str, ...]] = {
    ".mp4": (_MP4,), ".m4v": (_MP4,), ".m4a": (_MP4,), ".m4b": (_MP4,), ".mov": (_MP4,), ".qt": (_MP4,),
    ".3gp": (_MP4,), ".3g2": (_MP4,), ".mkv": ("matroska,webm",), ".mka": ("matroska,webm",),
    ".webm": ("matroska,webm",), ".avi": ("avi",), ".ts": ("mpegts",), ".m2ts": ("mpegts",),
    ".mts": ("mpegts",), ".mpg": (_MPEG, "mpegts"), ".mpeg": (_MPEG, "mpegts"), ".vob": (_MPEG,),
    ".flv": ("flv",), ".wmv": ("asf",), ".wma": ("asf",), ".asf": ("asf",), ".mxf": ("mxf",),
    ".ogg": (_OGG,), ".ogv": (_OGG,), ".oga": (_OGG,), ".opus": (_OGG,), ".rm": ("rm",), ".rmvb": ("rm",),
    ".dv": ("dv",), ".wav": ("wav", "w64"), ".w64": ("w64",), ".aiff": ("aiff",), ".aif": ("aiff",),
    ".caf": ("caf",), ".au": ("au",), ".mp3": ("mp3",), ".flac": ("flac",), ".aac": ("aac", "loas"),
    ".ac3": ("ac3",), ".eac3": ("eac3",), ".dts": ("dts",), ".amr": ("amr",), ".ape": ("ape",),
    ".wv": ("wv",), ".tta": ("tta",), ".tak": ("tak",), ".dsf": ("dsf",),
}  # fmt: skip
"""Ending of a recording's name -> kinds of file it may stand for, as ffprobe calls them."""
SUBTITLES = (".srt", ".vtt", ".ass", ".ssa")
SUBTITLE_BYTES = 5_000_000

_LONGEST = 48 * 3600
"""Seconds of a programme."""
_THINNEST = 60
"""Bytes per second of the thinnest sound there is: silence, compressed."""
_UNSURE = 600
"""Seconds below which this is not looked at: headers weigh more than sound there."""
_WIDEST, _PIXELS = 16_384, 1 << 27
_TRACKS, _CHANNELS, _RATE = 200, 64, 768_000
_PATIENCE = 180.0
"""Seconds that looking at one file may take in all."""
_TURNS = threading.BoundedSemaphore(4)
"""Files looked at at once in this process."""


def kind_of(name: str, wanted: str | None) -> Kind:
    """Whether a name stands for a recording or for subtitles. Raises UnsupportedSource for anything else."""
    said = ending(name)
    found: Kind | None = "subtitles" if said in SUBTITLES else "media" if said in FAMILIES else None
    if found is None:
        raise UnsupportedSource(
            f"Files ending in {said!r} are no recordings." if said else "The file's name has no ending.",
            hint="Send a video or sound file, such as talk.mp4, or subtitles (.srt, .vtt).",
        )
    if wanted is not None and wanted != found:
        raise UnsupportedSource(
            f"Files ending in {said!r} are {found}, not {wanted}.", hint="Leave the kind out, or correct it."
        )
    return found


def examined(path: Path, *, name: str, kind: Kind) -> dict[str, Any]:
    """What an uploaded file has in it. Raises UnsupportedSource, BadSubtitles, TooLarge, Unavailable.

    ``name`` is what its owner calls it; ``path`` has the same ending and is not told to anybody.
    """
    if kind == "subtitles":
        return _subtitles(path, name)
    with _TURNS:
        try:
            info = probe(path, check=_patience(_PATIENCE))
        except (EngineError, MediaError) as problem:
            raise UnsupportedSource(
                f"{name} cannot be understood.", hint="Converting it to MP4 first may help."
            ) from problem
        except EngineCannot as problem:  # a program is missing: nothing is wrong with the file
            log.warning("uploads cannot be examined: %s", problem)
            raise Unavailable(
                "The server cannot examine files now.", hint="Try later, or tell who runs it."
            ) from problem
        except AutodubError as problem:
            problem.message = problem.message.replace(str(path), name).replace(path.name, name)
            problem.args = (problem.message,)
            raise
    _refuse_disguise(info, name)
    _refuse_impossible(info, name, size=path.stat().st_size)
    return _described(info)


def _patience(seconds: float) -> Callable[[], None]:
    end = time.monotonic() + seconds

    def check() -> None:
        if time.monotonic() > end:
            raise UnsupportedSource(
                f"The file could not be examined within {seconds:g} seconds.",
                hint="Converting it to MP4 first may help.",
            )

    return check


def _refuse_disguise(info: MediaInfo, name: str) -> None:
    if info.container in FAMILIES[ending(name)]:
        return
    usual = next((said for said, families in FAMILIES.items() if info.container in families), "")
    raise UnsupportedSource(
        f"{name} is not what its ending says.",
        hint=f"It looks like a {usual} file: give it that ending." if usual else "Check which file it is.",
    )


def _refuse_impossible(info: MediaInfo, name: str, *, size: int) -> None:
    """Refuse what claims more than it can hold, or more than anybody could work through."""
    seconds = info.duration / 1000
    if seconds > _LONGEST:
        raise UnsupportedSource(
            f"{name} claims to last {seconds / 3600:.0f} hours, and {_LONGEST / 3600:.0f} may be.",
            hint="Cut it into parts.",
        )
    if seconds > _UNSURE and size < seconds * _THINNEST:
        raise UnsupportedSource(
            f"{name} claims to last {seconds / 3600:.1f} hours, and has {size} bytes for that.",
            hint="It may be damaged or incomplete.",
        )
    if any(max(one.width, one.height) > _WIDEST or one.width * one.height > _PIXELS for one in info.video):
        raise UnsupportedSource(f"The picture of {name} is too large.", hint="Scale it down first.")
    moving = [one for one in info.video if not one.is_still]
    if moving and not any(one.width and one.height for one in moving):
        raise UnsupportedSource(f"The picture of {name} has no size.", hint="The file may be damaged.")
    if len(info.video) + len(info.audio) + len(info.subtitles) > _TRACKS:
        raise UnsupportedSource(f"{name} has too many tracks.", hint="Keep those that are needed.")
    if any(one.channels > _CHANNELS or one.rate > _RATE for one in info.audio):
        raise UnsupportedSource(f"The sound of {name} is like no sound there is.", hint="Convert it first.")


def _described(info: MediaInfo) -> dict[str, Any]:
    moving = next((one for one in info.video if not one.is_still), None)
    return {
        "container": info.container.partition(",")[0],
        "seconds": info.duration / 1000,
        "video": None
        if moving is None
        else {"codec": moving.codec, "width": moving.width, "height": moving.height},
        "audio": [
            {"codec": one.codec, "channels": one.channels, "rate": one.rate, "language": one.language}
            for one in info.audio
        ],
        "subtitles": [{"codec": one.codec, "language": one.language} for one in info.subtitles],
    }


def _subtitles(path: Path, name: str) -> dict[str, Any]:
    if path.stat().st_size > SUBTITLE_BYTES:
        raise TooLarge(
            f"{name} has more than {SUBTITLE_BYTES} bytes.", hint="Subtitles of a whole film have far fewer."
        )
    found = parse(path.read_bytes(), name=name)
    if not found.segments:
        raise BadSubtitles(f"Nothing is said in {name}.", hint="Check which file it is.")
    last = max(segment.span.end for segment in found.segments)
    return {
        "format": found.format, "lines": len(found.segments), "seconds": last / 1000,
        "notes": list(found.notes[:20]),
    }  # fmt: skip
