"""``autodub jobs list``, ``show`` and ``watch``."""

from __future__ import annotations

from pathlib import Path

import click

from autodub.cli import show_jobs
from autodub.cli.calls import Calls
from autodub.cli.common import emit, json_option
from autodub.cli.jobs_files import fetched
from autodub.cli.jobs_server import connected, resolved, server_option, watched

_STATES = ("queued", "processing", "completed", "failed", "cancelled")


@click.command("list")
@click.option("--state", "states", multiple=True, type=click.Choice(_STATES), help="Only these; repeatable.")
@click.option("--to", "target", metavar="LANG", help="Only into this language.")
@click.option("--text", metavar="WORDS", help="Only those with this in their title.")
@click.option("--batch", metavar="ID", help="Only those of a batch.")
@click.option("-n", "--most", type=click.IntRange(1), default=30, show_default=True, help="At most so many.")
@server_option
@json_option
@click.pass_obj
def list_command(
    calls: Calls, /, *, states: tuple[str, ...], target: str | None, text: str | None, batch: str | None,
    most: int, server: str | None, as_json: bool,
) -> int:  # fmt: skip
    """List your jobs, the newest first."""
    with connected(calls, server) as client:
        found = list(client.jobs.list(states=states, target=target, text=text, batch=batch, most=most))
    if as_json:
        emit({"jobs": [job.model_dump(mode="json") for job in found]})
    else:
        show_jobs.show_list(found)
    return 0


@click.command("show")
@click.argument("job")
@server_option
@json_option
@click.pass_obj
def show_command(calls: Calls, /, *, job: str, server: str | None, as_json: bool) -> int:
    """Show a job as it stands."""
    with connected(calls, server) as client:
        found = client.jobs.get(resolved(client, job))
    if as_json:
        emit(found.model_dump(mode="json"))
    else:
        show_jobs.show(found)
    return 0


@click.command("watch", short_help="Follow a job until it is over.")
@click.argument("job")
@click.option("--download", is_flag=True, help="Fetch the dub when it is done.")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="PATH", help="Where to.")
@server_option
@json_option
@click.pass_obj
def watch_command(
    calls: Calls, /, *, job: str, download: bool, output: Path | None, server: str | None, as_json: bool
) -> int:
    """Follow a job until it is over. Ctrl-C stops the watching, not the job.

    A server that is away is waited for, about a minute. Exit codes: 0 the dub is done, 1 it failed or the
    server stayed away, 2 there is no such job or the command is wrong, 130 it was cancelled, or Ctrl-C.
    """
    with connected(calls, server) as client:
        found = watched(client, resolved(client, job))
        place = fetched(client, found.id, output or Path()) if download or output is not None else None
    if as_json:
        emit(found.model_dump(mode="json") | ({} if place is None else {"downloaded": str(place)}))
    else:
        show_jobs.show(found, place)
    return 0
