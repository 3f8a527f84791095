"""Decoding: a source's sound into two files in one pass, and its text subtitles into one.

The mix is float32 at the source's own rate and layout. Sample 0 is programme time 0, the start of
the container's earliest stream: sound that starts later is preceded by exact silence, and holes in
the timestamps of more than 100 ms are filled with silence, so that nothing after them comes early.
Nothing is ever stretched to fit. The speech rendering is 16 kHz mono of the channels that carry the
speech: the centre channel where there is one, else the mean of left and right.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from autodub.media import ffmpeg, sound
from autodub.model.errors import UnsupportedSource
from autodub.model.media import AudioStream, MediaInfo

SPEECH_RATE = 16_000
_CENTRED = re.compile(r"(3\.|4\.|5\.|6\.|7\.)[01]")
"""Layouts with more than two channels and a front centre."""
_DAMAGE = re.compile(
    r"Error while decoding|Error submitting packet|corrupt|Invalid data found|partial file", re.I
)
_PAST_END = 600.0
"""Seconds a source may outlast its announced length before it is cut, against wild timestamps."""
_SHORT = 100
"""Milliseconds of missing sound at the end worth a warning."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a decoding run has to say besides the two files it wrote."""

    frames: int
    """Samples per channel of the mix."""
    warnings: tuple[str, ...]


def decode(
    path: Path,
    info: MediaInfo,
    stream: AudioStream,
    *,
    mix: Path,
    speech: Path,
    start: int = 0,
    end: int | None = None,
    check: Callable[[], None] | None = None,
    progress: Callable[[float], None] | None = None,
) -> Decoded:
    """Decode one sound stream once, into ``mix`` and ``speech`` (WAV, RF64 when large).

    ``start`` and ``end`` (ms of the programme) cut exactly at ``round(ms · rate / 1000)`` samples.
    Damaged packets are skipped and counted in a warning. Raises UnsupportedSource when nothing can
    be decoded or nothing lies in the range, and OutputProblem when there is no room.
    """
    length = (info.duration if end is None else min(end, info.duration)) / 1000
    arguments = [
        "-max_error_rate", "1",
        *ffmpeg.offset(info),
        *ffmpeg.source(path),
        "-filter_complex", _graph(info, stream, start=start, end=end),
        *_output("[mix]", mix, "pcm_f32le"),
        *_output("[speech]", speech, "pcm_s16le"),
        *ffmpeg.anchor(info, [stream.index]),
    ]  # fmt: skip
    result = ffmpeg.call(arguments, duration=length, what="decode the sound", check=check, progress=progress)
    complaints = ffmpeg.complaints(result)
    frames = _frames(mix) if _frames(speech) else 0
    if frames == 0:
        raise _nothing(path, stream, complaints, is_range=start > 0 or end is not None)
    if result.code != 0:
        raise ffmpeg.failure(result, arguments, "decode the sound")
    expected = min(length, (stream.start + (stream.duration or info.duration)) / 1000) * 1000 - start
    missing = expected - frames * 1000 / stream.rate
    return Decoded(frames=frames, warnings=tuple(_warnings(complaints, missing)))


def extract_subtitles(
    path: Path, info: MediaInfo, index: int, output: Path, *, check: Callable[[], None] | None = None
) -> None:
    """Write text subtitle stream ``index`` of a source as SubRip, times on the programme's clock.

    Raises MediaError when the stream cannot be read as text.
    """
    arguments = [
        *ffmpeg.offset(info), *ffmpeg.source(path),
        "-map", f"0:{index}", "-c:s", "srt", "-f", "srt", ffmpeg.name(output),
    ]  # fmt: skip
    what = "read the subtitles inside the source"
    result = ffmpeg.call(arguments, duration=info.duration / 1000, what=what, check=check)
    if result.code != 0:
        raise ffmpeg.failure(result, arguments, what)


def _graph(info: MediaInfo, stream: AudioStream, *, start: int, end: int | None) -> str:
    """The filter graph: in step with the timestamps, cut, and split into the two renderings."""
    return (
        f"{in_step(info, stream, start=start, end=end)},asplit=2[mix][all];"
        f"[all]{_to_mono(stream)},aresample={SPEECH_RATE}:async=0[speech]"
    )


def in_step(info: MediaInfo, stream: AudioStream, *, start: int, end: int | None) -> str:
    """Filters of a sound stream that put it in step with its timestamps, and cut it (milliseconds)."""
    first = round(start * stream.rate / 1000)
    if "mp4" in info.container.split(",") and stream.duration is not None:
        # MP4 says how much of the last AAC frame is padding, but the decoder hands it out all the same.
        last = -(-(stream.start + stream.duration + 1) * stream.rate // 1000)
    else:
        last = round((info.duration / 1000 + _PAST_END) * stream.rate)
    if end is not None:
        last = min(last, round(end * stream.rate / 1000))
    resampled = "aresample=async=1:first_pts=0:min_comp=0.001:min_hard_comp=0.1:osf=flt"
    return f"[0:{stream.index}]{resampled},atrim=start_sample={first}:end_sample={last},asetpts=N"


def _to_mono(stream: AudioStream) -> str:
    if stream.channels > 2 and _CENTRED.match(stream.layout):
        return "pan=mono|c0=FC"
    weight = 1.0 / stream.channels
    return "pan=mono|c0=" + "+".join(f"{weight:.6g}*c{channel}" for channel in range(stream.channels))


def _output(label: str, path: Path, codec: str) -> list[str]:
    # Without the bitexact flag the file would carry the encoder's version, and its digest would depend on it.
    return [
        "-map", label, "-c:a", codec, "-bitexact", "-map_metadata", "-1", "-rf64", "auto",
        "-f", "wav", ffmpeg.name(path),
    ]  # fmt: skip


def _frames(path: Path) -> int:
    if not path.exists() or path.stat().st_size == 0:
        return 0
    with sound.Reader(path) as reader:
        return reader.frames


def _nothing(path: Path, stream: AudioStream, complaints: list[str], *, is_range: bool) -> UnsupportedSource:
    if any(re.search(r"no decoder|decoder.*not found", line, re.I) for line in complaints):
        return UnsupportedSource(
            f"The sound of {path.name} is in a format ffmpeg cannot decode here ({stream.codec}).",
            hint="Convert it to MP4 with AAC sound first, or install a fuller ffmpeg.",
        )
    if is_range:
        return UnsupportedSource(
            f"{path.name} has no sound in the range asked for.", hint="Choose another --start and --end."
        )
    return UnsupportedSource(
        f"None of the sound in {path.name} can be decoded.",
        hint="The file is damaged, protected or incomplete; fetch it again.",
    )


def _warnings(complaints: list[str], missing: float) -> list[str]:
    damaged = sum(1 for line in complaints if _DAMAGE.search(line))
    found = []
    if damaged:
        faults = "1 fault" if damaged == 1 else f"{damaged} faults"
        found.append(f"The source is damaged ({faults}); sound that could not be decoded is silent.")
    if missing > _SHORT:
        found.append(f"The sound ends {missing / 1000:.1f} s before the file says it does.")
    return found
