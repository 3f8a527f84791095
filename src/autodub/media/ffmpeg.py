"""How ffmpeg and ffprobe are called: safe inputs, progress, and what their complaints mean.

An input is opened only as one self-contained file: the protocol list has nothing but local files,
and the format list leaves out every format that names other files (playlists, edit scripts, session
descriptions, image patterns), so that a file cannot make ffmpeg open what it names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from autodub.infra import process
from autodub.model.errors import MediaError, OutputProblem
from autodub.model.media import MediaInfo

FORMATS = (
    "mov", "mp4", "m4a", "3gp", "3g2", "mj2", "matroska", "webm", "avi", "mpegts", "mpeg", "flv", "asf",
    "mxf", "ogg", "rm", "dv", "wav", "w64", "aiff", "caf", "au", "mp3", "flac", "aac", "ac3", "eac3", "dts",
    "truehd", "amr", "amrnb", "amrwb", "ape", "wv", "tta", "tak", "dsf", "loas",
)  # fmt: skip
"""Demuxers of self-contained media files."""

MEMORY = 4 << 30
"""Address space for a child, bytes: far above what honest files need."""
SPEED = 5.0
"""The slowest machine is assumed to work through a programme in this multiple of its length."""
_CLOCK = re.compile(r"out_time_us=(\d+)")


def source(path: Path, *, formats: Sequence[str] = FORMATS) -> list[str]:
    """Options and name of one input file; any name is safe (dashes, colons, newlines, ``%d``)."""
    return [
        "-protocol_whitelist", "file",
        "-format_whitelist", ",".join(formats),
        "-i", name(path),
    ]  # fmt: skip


def piped_wav(descriptor: int) -> list[str]:
    """The same for a WAV that comes through a descriptor given to ffmpeg.

    With several inputs ffmpeg takes packets from a short queue, and sleeps 10 ms whenever that is empty.
    Sound comes in bursts: with the queue and the packets as they are by default (8 packets of 4 KiB) a mix
    took four times as long as encoding it.
    """
    return [
        "-thread_queue_size", "64", "-max_size", str(1 << 16), "-f", "wav",
        "-protocol_whitelist", "pipe", "-format_whitelist", "wav", "-i", f"pipe:{descriptor}",
    ]  # fmt: skip


def name(path: Path) -> str:
    """A path as ffmpeg must be told it: absolute, with its protocol."""
    return f"file:{path.absolute()}"


def offset(info: MediaInfo) -> list[str]:
    """Option that puts an input on the programme's clock; before :func:`source`.

    ffmpeg counts from the earliest timestamp. In Matroska that may be the encoder delay of a sound
    track, which nobody hears: such a track starts before programme time 0.
    """
    starts = [stream.start for stream in info.video] + [stream.start for stream in info.audio]
    first = min(starts, default=0)
    return ["-itsoffset", f"{first / 1000:.3f}"] if first < 0 else []


def anchor(info: MediaInfo, used: Collection[int]) -> list[str]:
    """An output that keeps the programme's clock when its earliest stream is not among those ``used``.

    In transport streams and their like ffmpeg counts from the earliest stream it reads, so that one is
    read for a moment and thrown away. Goes after the other outputs.
    """
    starts = {stream.index: stream.start for stream in info.audio}
    starts |= {stream.index: stream.start for stream in info.video if not stream.is_still}
    first = min(starts, key=starts.__getitem__)
    if any(starts.get(index, 0) <= starts[first] for index in used) or not used:
        return []
    return ["-map", f"0:{first}", "-c", "copy", "-t", "0.1", "-f", "null", "-"]


def call(
    arguments: Sequence[str],
    *,
    duration: float,
    what: str,
    check: Callable[[], None] | None = None,
    progress: Callable[[float], None] | None = None,
    memory: int | None = MEMORY,
    speed: float = SPEED,
    give: Sequence[int] = (),
) -> process.Result:
    """Run ffmpeg to its end, whatever the outcome.

    ``duration`` is the length of the programme in seconds, for the deadline and for ``progress``
    (0..1); ``speed`` is the deadline in multiples of it; ``give`` are descriptors of pipes it reads.
    ``what`` completes the sentence "ffmpeg could not ..." should it be needed.
    Raises OutputProblem when the disk is full or the output is too large.
    """

    def line(text: str) -> None:
        clock = _CLOCK.match(text)
        if clock and progress is not None and duration > 0:
            progress(min(1.0, int(clock[1]) / 1e6 / duration))

    argv = [process.find("ffmpeg", package="ffmpeg"), "-hide_banner", "-nostdin", "-y", "-nostats"]
    argv += ["-loglevel", "level+warning", "-progress", "pipe:2", "-stats_period", "0.5", *arguments]
    result = process.run(
        argv,
        deadline=120.0 + speed * duration,
        check=check,
        memory=memory,
        on_line=line if progress is not None else None,
        give=give,
    )
    raise_if_full(result, what)
    return result


def raise_if_full(result: process.Result, what: str) -> None:
    """Raise OutputProblem when a program ended because there was no room to write."""
    if "No space left on device" in result.stderr or "Disk quota exceeded" in result.stderr:
        raise OutputProblem(
            f"There is no room left on the disk to {what}.",
            hint="Make room, or choose another output or data directory.",
        )
    if result.code == -25 or "File too large" in result.stderr:  # SIGXFSZ
        raise OutputProblem(
            f"The largest file size allowed here was reached while trying to {what}.",
            hint="Raise the limit (ulimit -f), or dub a shorter range.",
        )


def failure(result: process.Result, arguments: Sequence[str], what: str) -> MediaError:
    """The error for a call that ended with a non-zero status."""
    lines = complaints(result)
    reason = lines[-1] if lines else f"exit status {result.code}"
    return MediaError(
        f"ffmpeg could not {what}: {reason}",
        hint="The file may be damaged; playing it, or converting it to another format first, may help.",
        command=("ffmpeg", *arguments),
        log="\n".join(lines[-20:]),
    )


def complaints(result: process.Result) -> list[str]:
    """What ffmpeg warned about, without progress reports and addresses, in order."""
    lines = []
    for text in result.stderr.splitlines():
        found = re.match(r"(?:\[[^\]]* @ 0x[0-9a-f]+\] )*\[(?:warning|error|fatal|panic)\] (.*)", text)
        if found:
            lines.append(found[1].strip())
    return lines
