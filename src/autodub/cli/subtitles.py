"""``autodub subtitles``: what a source says, or what a dub speaks, as a subtitle file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from autodub.cli.calls import Calls
from autodub.cli.common import data_dir_option, emit, json_option, require_place
from autodub.cli.text import safe
from autodub.model.errors import BadProject

if TYPE_CHECKING:
    from autodub.model.speech import Segment

PROJECT = ".project.json"


@click.command("subtitles")
@click.argument("source", metavar="INPUT", type=click.Path(path_type=Path))
@click.option("--from", "spoken", metavar="LANG", help="Language spoken in the source. [default: found out]")
@click.option("--original", is_flag=True, help="Of a project: what the source says, not what the dub speaks.")
@click.option("--transcriber", metavar="NAME", help="Engine that writes down what is said. [default: auto]")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="An .srt or .vtt file. [default: .srt on standard output]",
)
@data_dir_option
@json_option
@click.pass_obj
def command(
    calls: Calls,
    *,
    source: Path,
    spoken: str | None,
    original: bool,
    transcriber: str | None,
    output: Path | None,
    data_dir: Path | None,
    as_json: bool,
) -> int:
    """Write what a recording says, or a dub speaks, as subtitles.

    INPUT is a video or sound file, or the .project.json of a dub. Of a media file, what is said in it
    is recognised (nothing is translated or spoken). Of a project, the text of the dub is written, or
    with --original that of its source.
    """
    from autodub.dubbing.captions import format_srt, format_vtt
    from autodub.pipeline.outputs import write_text

    if output is not None:
        require_place(output)
    if source.name.endswith(PROJECT):
        segments = _of_project(source, original=original)
    else:
        segments = _of_media(calls, source, spoken=spoken, transcriber=transcriber, data_dir=data_dir)
    as_vtt = output is not None and output.suffix.lower() == ".vtt"
    text = format_vtt(segments) if as_vtt else format_srt(segments)
    if output is not None:
        write_text(text, output)
    if as_json:
        emit(
            {
                "output": None if output is None else str(output),
                "cues": [
                    {"start_ms": s.span.start, "end_ms": s.span.end, "speaker": s.speaker, "text": s.text}
                    for s in segments
                ],
            }
        )
    elif output is None:
        click.echo(text, nl=not text.endswith("\n"))
    else:
        click.echo(f"{len(segments)} subtitles written to {safe(output)}.", err=True)
    return 0


def _of_project(path: Path, *, original: bool) -> tuple[Segment, ...]:
    """The lines of a project as they stand, edits included. Raises BadProject."""
    from pydantic import ValidationError

    from autodub.model.speech import Segment
    from autodub.model.time import Span
    from autodub.pipeline.project import Project

    try:
        project = Project.model_validate_json(path.read_bytes())
    except OSError as problem:
        raise BadProject(
            f"The project file {path} cannot be read ({problem.strerror}).", hint="Check the path."
        ) from problem
    except ValidationError as problem:
        first = problem.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise BadProject(
            f"The project file {path} is not right at {where}: {first['msg']}.", hint="Mend it, or dub again."
        ) from problem
    segments = []
    for line in project.lines:
        if line.end_ms < line.start_ms:
            raise BadProject(f"Line {line.id} in {path} ends before it starts.", hint="Mend its times.")
        said = line.source if original or line.keep_original else line.text
        timed = line if original or line.timing is None else line.timing
        if said.strip():
            segments.append(Segment(Span(timed.start_ms, timed.end_ms), said, speaker=line.speaker))
    return tuple(sorted(segments, key=lambda segment: segment.span))


def _of_media(
    calls: Calls, source: Path, *, spoken: str | None, transcriber: str | None, data_dir: Path | None
) -> tuple[Segment, ...]:
    from autodub.cli import progress
    from autodub.cli.stopping import stopping
    from autodub.gateway.cancel import Cancel

    cancel = Cancel()
    settings = calls.settings(data_dir=data_dir)
    with progress.shown(sys.stderr) as view, stopping(cancel.request, view.say):
        segments: tuple[Segment, ...] = calls.transcribe(
            source, spoken=spoken, transcriber=transcriber, settings=settings, listener=view, cancel=cancel
        )
    return segments
