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

from autodub.infra import process
from autodub.media import ffmpeg
from autodub.media.containers import container_of
from autodub.media.edit_list import limit_presentation
from autodub.media.mux_command import Extras, MuxCommand
from autodub.media.output_file import atomically, refuse_output
from autodub.model.errors import AutodubError, OutputProblem
from autodub.model.media import AudioStream, MediaInfo

__all__ = ["Extras", "Muxed", "mux", "refuse_output"]

_NOT_HELD = re.compile(
    r"not currently supported in container|Only (VP8|audio|.* are supported)|"
    r"[Uu]nsupported codec|not supported in|incorrect codec parameters|[Ii]ncompatible|"
    r"muxer does not support|only supports|Invalid (audio|video|subtitle) stream|Exactly one|"
    r"header .*: Invalid argument"
)


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
    sound: Path,
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
        )
        if result.code != 0:
            raise _refusal(result, command, output)
        if job.ends_by_edit_list:
            limit_presentation(temporary, round(job.seconds * 1000) + (0 if job.is_range else 1))
    return Muxed(output, job.picture, tuple(job.warnings))


def _refusal(result: process.Result, command: list[str], output: Path) -> AutodubError:
    lines = ffmpeg.complaints(result)
    reason = next((line for line in lines if _NOT_HELD.search(line)), None)
    if reason is None:
        return ffmpeg.failure(result, command, f"write {output.name}")
    return OutputProblem(
        f"A {output.suffix} file cannot hold everything of this source ({reason.rstrip('.')}).",
        hint=f"Use .mkv, which holds nearly everything: -o {output.stem}.mkv",
    )
