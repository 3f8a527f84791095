"""``autodub jobs lines``, ``edit`` and ``regenerate``: what a dub says, and making it again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from autodub.cli import parse, show_jobs
from autodub.cli.calls import Calls
from autodub.cli.common import emit, json_option
from autodub.cli.jobs_files import fetched
from autodub.cli.jobs_server import connected, resolved, server_option, watched

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command("lines", short_help="Show what a dub says, line by line.")
@click.argument("job")
@server_option
@json_option
@click.pass_obj
def lines_command(calls: Calls, /, *, job: str, server: str | None, as_json: bool) -> int:
    """Show what a dub says, line by line, with the ids that edit and regenerate want."""
    with connected(calls, server) as client:
        found = client.transcripts.read(resolved(client, job))
    if as_json:
        emit(found.model_dump(mode="json"))
    else:
        show_jobs.show_lines(found)
    return 0


@click.command("edit")
@click.argument("job")
@click.argument("line", required=False)
@click.option("--text", metavar="WORDS", help="What the dub says; empty keeps the original sound.")
@click.option("--source", metavar="WORDS", help="What is said in the source; it is translated again.")
@click.option("--speaker", metavar="NAME", help="Who says it.")
@click.option("--start", type=parse.time, metavar="TIME", help="When it is said.")
@click.option("--end", type=parse.time, metavar="TIME", help="Up to when.")
@click.option("--keep-original/--dub", "keep_original", default=None, help="Whether its sound stays.")
@click.option("--remove", is_flag=True, help="Take the line out.")
@click.option("--undo", is_flag=True, help="Put back what was made of it.")
@click.option("--file", type=_FILE, metavar="FILE", help="Instead: an SRT or WebVTT file with the texts.")
@server_option
@json_option
@click.pass_obj
def edit_command(
    calls: Calls, /, *, job: str, line: str | None, remove: bool, undo: bool, file: Path | None,
    server: str | None, as_json: bool, **given: Any,
) -> int:  # fmt: skip
    """Change a LINE of a job's text. The dub is made again by: autodub jobs regenerate."""
    values = _values(given)
    ways = (bool(values), remove, undo, file is not None)
    if sum(ways) != 1 or (line is None) != (file is not None):
        raise click.UsageError(
            "Give a line and what to change (--text ...), --remove or --undo; or --file alone."
        )
    with connected(calls, server) as client:
        job, edit = resolved(client, job), client.transcripts
        if file is not None:
            done = edit.bring(job, file)
        elif remove:
            done = edit.remove(job, str(line))
        elif undo:
            done = edit.undo(job, str(line))
        else:
            done = edit.edit(job, str(line), **values)
    if as_json:
        emit(done.model_dump(mode="json"))
    else:
        show_jobs.show_edited(done)
    return 0


@click.command("regenerate", short_help="Make a dub again with its edits.")
@click.argument("job")
@click.argument("line", required=False)
@click.option("--text", metavar="WORDS", help="With a line: what it is to say.")
@click.option("--watch", is_flag=True, help="Stay until it is done, showing its progress.")
@click.option("--download", is_flag=True, help="Stay, and fetch the dub when it is done.")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="PATH", help="Where to.")
@server_option
@json_option
@click.pass_obj
def regenerate_command(
    calls: Calls, /, *, job: str, line: str | None, text: str | None, watch: bool, download: bool,
    output: Path | None, server: str | None, as_json: bool,
) -> int:  # fmt: skip
    """Make a dub again with its edits: only what was changed is spoken anew."""
    if text is not None and line is None:
        raise click.UsageError("--text needs the line that is to say it.")
    with connected(calls, server) as client:
        before = client.jobs.get(resolved(client, job))
        values = {} if text is None else {"text": text}
        done = client.transcripts.regenerate(before.id, line, **values)
        place = None
        if watch or download or output is not None:
            done = watched(client, done.id, after=before.events)
            if download or output is not None:
                place = fetched(client, done.id, output or Path())
    if as_json:
        emit(done.model_dump(mode="json") | ({} if place is None else {"downloaded": str(place)}))
    else:
        show_jobs.show(done, place)
    return 0


def _values(given: dict[str, Any]) -> dict[str, Any]:
    """The fields of a line that were given; times in seconds."""
    values = {name: value for name, value in given.items() if value is not None}
    return {name: value / 1000 if name in ("start", "end") else value for name, value in values.items()}
