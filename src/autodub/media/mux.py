"""Writing the result: the source's picture copied packet by packet, with the dubbed sound beside it.

The file is complete under its final name or not there at all: it is written under a temporary name
in the same folder, flushed to the disk, and moved. Nothing is cut to the shorter stream, ever.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from autodub.infra import process
from autodub.media import ffmpeg, marking
from autodub.media.containers import container_of
from autodub.media.edit_list import limit_presentation
from autodub.media.mux_command import Extras, MuxCommand
from autodub.media.output_file import atomically, refuse_output
from autodub.media.sound import Pipe, store
from autodub.model.errors import AutodubError, OutputProblem
from autodub.model.media import AudioStream, MediaInfo

__all__ = ["Extras", "Muxed", "mux", "refuse_output", "rehearse"]

_NOT_HELD = re.compile(
    r"not currently supported in container|Only (VP8|audio|.* are supported)|"
    r"[Uu]nsupported codec|not supported in|incorrect codec parameters|[Ii]ncompatible|"
    r"muxer does not support|only supports|Invalid (audio|video|subtitle) stream|Exactly one|"
    r"header .*: Invalid argument"
)


_MOMENT = 0.1
"""Seconds of silence that a rehearsal writes."""


@dataclass(frozen=True, slots=True)
class Muxed:
    """A finished file."""

    path: Path
    picture: Literal["none", "copied", "encoded"]
    """What became of the picture; ``encoded`` only where a range cannot be cut exactly by copying."""
    warnings: tuple[str, ...] = ()
    """What could not be kept, in sentences for people."""


def mux(
    source: Path,
    info: MediaInfo,
    sound: Path | Pipe,
    output: Path,
    *,
    stream: AudioStream,
    extras: Extras | None = None,
    start: int = 0,
    end: int | None = None,
    check: Callable[[], None] | None = None,
    progress: Callable[[float], None] | None = None,
) -> Muxed:
    """Write ``output``: the source's picture with ``sound`` (a float32 WAV on the programme's clock).

    The sound may also come through a pipe, while it is being made.
    ``stream`` is the source's stream that ``sound`` replaces. ``start`` and ``end`` (ms) are the range
    that ``sound`` covers. Raises OutputProblem when the output cannot be written or cannot hold what
    it should, and MediaError when ffmpeg fails for another reason; nothing is left behind then.
    """
    extras = extras or Extras()
    container = container_of(output)
    refuse_output(output, source)
    job = MuxCommand(source, info, sound, container, stream, extras, start, end)
    arguments = job.arguments()
    with atomically(output) as temporary:
        command = [*arguments, "-f", container.muxer, ffmpeg.name(temporary), *job.anchor()]
        result = ffmpeg.call(
            command,
            duration=job.seconds,
            what=f"write {output.name}",
            check=check,
            progress=progress,
            memory=None if job.picture == "encoded" else ffmpeg.MEMORY,
            speed=20.0 if job.picture == "encoded" else ffmpeg.SPEED,
            give=(sound.reading,) if isinstance(sound, Pipe) else (),
        )
        if result.code != 0:
            raise _refusal(result, command, output)
        if job.extras.is_synthetic:
            marking.finish(temporary, container.muxer)
        if job.ends_by_edit_list:
            limit_presentation(temporary, round(job.seconds * 1000) + (0 if job.is_range else 1))
    return Muxed(output, job.picture, tuple(job.warnings))


def rehearse(
    source: Path,
    info: MediaInfo,
    output: Path,
    *,
    stream: AudioStream,
    extras: Extras | None = None,
    start: int = 0,
    end: int | None = None,
    check: Callable[[], None] | None = None,
) -> Muxed:
    """Find out whether a file such as ``output`` can hold what :func:`mux` would put there.

    The same command is run over a moment of silence, so that the header is written and hardly more;
    ``output`` lies in a folder that is thrown away. Raises OutputProblem as ``mux`` would. A source that
    ffmpeg stumbles over for another reason passes: how far it can be used, only the real run can tell.
    """
    container = container_of(output)
    silence = output.with_name("silence.wav")
    store(np.zeros((round(_MOMENT * stream.rate), stream.channels), np.float32), stream.rate, silence)
    job = MuxCommand(source, info, silence, container, stream, extras or Extras(), start, end)
    # The shortest stream is the silence: nothing past its end is read, also where subtitles are sparse.
    command = [*job.arguments(), "-shortest", "-f", container.muxer, ffmpeg.name(output)]
    result = ffmpeg.call(command, duration=1.0, what=f"write {output.name}", check=check)
    problem = _refusal(result, command, output) if result.code != 0 else None
    if isinstance(problem, OutputProblem):
        raise problem
    return Muxed(output, job.picture, tuple(job.warnings))


def _refusal(result: process.Result, command: list[str], output: Path) -> AutodubError:
    lines = ffmpeg.complaints(result)
    reason = next((line for line in lines if _NOT_HELD.search(line)), None)
    if reason is None:
        return ffmpeg.failure(result, command, f"write {output.name}")
    return OutputProblem(
        f"A {output.suffix} file cannot hold everything of this source ({reason.rstrip('.')}).",
        hint="Choose an output whose name ends in .mkv: it holds nearly everything.",
    )
