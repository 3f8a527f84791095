"""``autodub cache``: what finished work takes up, and how to make room."""

from __future__ import annotations

from pathlib import Path

import click

from autodub.cli import parse
from autodub.cli.calls import Calls
from autodub.cli.common import data_dir_option, emit, json_option
from autodub.cli.text import safe, size


@click.group("cache")
def command() -> None:
    """Show and prune the finished work that makes a second run fast."""


@command.command("show")
@data_dir_option
@json_option
@click.pass_obj
def show(calls: Calls, *, data_dir: Path | None, as_json: bool) -> int:
    """Show what is kept, by engine."""
    from autodub.cli import show_cache

    with calls.store(data_dir=data_dir) as store:
        stats = store.stats()
        if as_json:
            emit(show_cache.as_json(stats, store.data_dir))
        else:
            show_cache.show(stats, store.data_dir)
    return 0


@command.command("prune")
@click.option(
    "--older-than", type=parse.age, metavar="AGE", help="Forget work unused for so long: 30d, 12h, 2w."
)
@click.option(
    "--max-size",
    type=parse.size,
    metavar="SIZE",
    help="Then forget the least recently used until the rest fits.",
)
@data_dir_option
@json_option
@click.pass_obj
def prune(
    calls: Calls, *, older_than: float | None, max_size: int | None, data_dir: Path | None, as_json: bool
) -> int:
    """Forget old or superfluous work. Dubs that were written are not touched."""
    if older_than is None and max_size is None:
        raise click.UsageError("Say what to forget: --older-than 30d, --max-size 10GB, or both.")
    return _prune(calls, data_dir, older_than=older_than, max_size=max_size, as_json=as_json)


@command.command("clear")
@data_dir_option
@json_option
@click.pass_obj
def clear(calls: Calls, *, data_dir: Path | None, as_json: bool) -> int:
    """Forget everything that no running dub is using. Dubs that were written are not touched."""
    return _prune(calls, data_dir, older_than=None, max_size=0, as_json=as_json)


def _prune(
    calls: Calls, data_dir: Path | None, *, older_than: float | None, max_size: int | None, as_json: bool
) -> int:
    with calls.store(data_dir=data_dir) as store:
        gone = store.prune(max_age_days=older_than, max_bytes=max_size)
        if as_json:
            emit({"answers": gone.answers, "files": gone.files, "bytes": gone.bytes})
        else:
            click.echo(
                f"Removed {gone.answers} answers and {gone.files} files ({size(gone.bytes)}) "
                f"from {safe(store.data_dir)}."
            )
    return 0
