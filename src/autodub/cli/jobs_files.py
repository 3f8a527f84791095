"""``autodub jobs download`` and ``uploads``: files from and at a server."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from autodub.cli import progress, show_jobs
from autodub.cli.calls import Calls
from autodub.cli.common import emit, json_option
from autodub.cli.jobs_server import connected, resolved, server_option, transfer
from autodub.cli.text import safe
from autodub.model.errors import OutputProblem

if TYPE_CHECKING:
    from autodub.client import Client


@click.command("download")
@click.argument("job")
@click.argument("kind", default="media")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="PATH", help="File or folder. [default: here]"
)
@server_option
@json_option
@click.pass_obj
def download_command(
    calls: Calls, /, *, job: str, kind: str, output: Path | None, server: str | None, as_json: bool
) -> int:
    """Fetch a result of JOB.

    KIND is media (the dub), audio, srt, vtt, receipt, report, project, a stem (dialogue, background,
    original), or all for a ZIP. A download that broke off goes on where it was.
    """
    with connected(calls, server) as client:
        place = fetched(client, resolved(client, job), output or Path(), kind=kind)
    if as_json:
        emit({"downloaded": str(place)})
    else:
        click.echo(safe(place))
    return 0


def fetched(client: Client, job: str, to: Path, *, kind: str = "media") -> Path:
    """A file of a job, its way shown. Raises OutputProblem where it cannot be written."""
    folder = to if to.is_dir() else to.parent
    if not folder.is_dir():
        raise OutputProblem(f"There is no folder {folder}.", hint="Make it, or name another with -o.")
    with progress.shown(sys.stderr) as view:
        return client.jobs.download(job, to, kind=kind, progress=transfer(view, "download"))


@click.command("uploads")
@click.option("--delete", "gone", metavar="ID", help="Remove an upload that no job needs.")
@server_option
@json_option
@click.pass_obj
def uploads_command(calls: Calls, /, *, gone: str | None, server: str | None, as_json: bool) -> int:
    """List the files you uploaded, or remove one."""
    with connected(calls, server) as client:
        if gone is not None:
            client.uploads.delete(gone)
        found = list(client.uploads.list())
    if as_json:
        emit({"uploads": [one.model_dump(mode="json") for one in found]})
    else:
        show_jobs.show_uploads(found)
    return 0
