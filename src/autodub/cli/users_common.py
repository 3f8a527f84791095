"""What the commands of users and of their keys share: the database they work on, and tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from autodub.cli.calls import Calls
from autodub.cli.common import data_dir_option, json_option
from autodub.cli.text import printed, safe

if TYPE_CHECKING:
    from autodub.jobs.platform import Platform

F = TypeVar("F", bound=Callable[..., Any])


def common(command: F) -> F:
    """Options of every command here."""
    database = click.option(
        "--database", metavar="ADDRESS", help="The server's database (better as AUTODUB_DATABASE)."
    )
    found: F = data_dir_option(database(json_option(command)))
    return found


@contextmanager
def opened(calls: Calls, *, data_dir: Path | None, database: str | None) -> Iterator[Platform]:
    """The platform of a command, closed afterwards."""
    from autodub.cli import opening

    settings = calls.settings(data_dir=data_dir)
    platform = opening.platform(settings, opening.server_settings(settings, database=database))
    try:
        yield platform
    finally:
        platform.close()


def day(moment: float) -> str:
    """A moment in seconds since 1970, for people."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M")


def show_table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Print a table; whatever stands in it cannot take over the terminal."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for head in heads:
        table.add_column(head, overflow="fold", no_wrap=head == "id")
    for row in rows:
        table.add_row(*(safe(cell) for cell in row))
    printed(Console(highlight=False, markup=False), table)
