"""``autodub jobs submit`` and ``batch``: queue dubs at a server."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from autodub.cli import progress, show_jobs
from autodub.cli.calls import Calls
from autodub.cli.common import emit, json_option
from autodub.cli.jobs_files import fetched
from autodub.cli.jobs_server import (
    completed,
    connected,
    of_batch,
    server_option,
    told_away,
    transfer,
    watched,
)
from autodub.cli.jobs_wishes import wishes_of, wishes_options
from autodub.model.errors import UnsupportedSource

if TYPE_CHECKING:
    from autodub.client import Client, Job


@click.command("submit", short_help="Queue a dub of a file or an address.")
@click.argument("source", metavar="INPUT")
@click.option(
    "--to", "target", required=True, metavar="LANG", help="Language to speak: es, fr, pt-BR, Catalan."
)
@click.option("--title", metavar="TEXT", help="What the job is called. [default: by its file or address]")
@click.option("--watch", is_flag=True, help="Stay until it is done, showing its progress.")
@click.option("--download", is_flag=True, help="Stay, and fetch the dub when it is done.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="PATH",
    help="File or folder the dub is fetched to. [default: here]",
)  # fmt: skip
@wishes_options
@server_option
@json_option
@click.pass_obj
def submit_command(
    calls: Calls, /, *, source: str, target: str, title: str | None, watch: bool, download: bool,
    output: Path | None, server: str | None, as_json: bool, **given: Any,
) -> int:  # fmt: skip
    """Queue a dub of INPUT, a file (uploaded first) or an address.

    The whole way: autodub jobs submit talk.mp4 --to es --watch --download
    """
    _require(source)
    with connected(calls, server) as client:
        wishes = wishes_of(client, given) | {"title": title}
        job = _submitted(client, source, target, wishes)
        place = None
        if watch or download or output is not None:
            if not as_json:
                click.echo(f"Job {job.id}", err=True)
            job = watched(client, job.id)
            if download or output is not None:
                place = fetched(client, job.id, output or Path())
    if as_json:
        emit(job.model_dump(mode="json") | ({} if place is None else {"downloaded": str(place)}))
    else:
        show_jobs.show(job, place)
    return 0


@click.command("batch", short_help="Queue every INPUT in every language.")
@click.argument("name")
@click.argument("sources", nargs=-1, required=True, metavar="INPUT...")
@click.option(
    "--to", "targets", required=True, multiple=True, metavar="LANG", help="Language to speak; repeatable."
)
@click.option("--watch", is_flag=True, help="Stay until all are over.")
@wishes_options
@server_option
@json_option
@click.pass_obj
def batch_command(
    calls: Calls, /, *, name: str, sources: tuple[str, ...], targets: tuple[str, ...], watch: bool,
    server: str | None, as_json: bool, **given: Any,
) -> int:  # fmt: skip
    """Queue every INPUT in every language, under a NAME: all of them, or none."""
    for source in sources:
        _require(source)
    with connected(calls, server) as client:
        wishes = wishes_of(client, given)
        with of_batch(sources, targets):
            batch = client.batches.submit(name, sources, targets, **wishes)
        if watch:
            for job in batch.jobs:
                ended = client.jobs.wait(job.id, away=partial(told_away, partial(click.echo, err=True)))
                click.echo(show_jobs.line(ended), err=True)
            batch = client.batches.get(batch.id)
            for job in batch.jobs:
                completed(job)
    if as_json:
        emit(batch.model_dump(mode="json"))
    else:
        show_jobs.show_batch(batch)
    return 0


def _submitted(client: Client, source: str, target: str, wishes: dict[str, Any]) -> Job:
    if _is_address(source):
        return client.jobs.submit(source, target, **wishes)
    with progress.shown(sys.stderr) as view:
        return client.jobs.submit(source, target, progress=transfer(view, "upload"), **wishes)


def _require(source: str) -> None:
    """Refuse a file that is not there before anything is sent."""
    if not _is_address(source) and not Path(source).is_file():
        raise UnsupportedSource(
            f"There is no file {source}.", hint="Give a file, or an address that begins with https://."
        )


def _is_address(source: str) -> bool:
    return source.lower().startswith(("http://", "https://"))
