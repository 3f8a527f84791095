"""The store's contents for people and for programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from autodub.cli.text import duration, printed, safe, size
from autodub.gateway.upkeep import StoreStats


def as_json(stats: StoreStats, folder: Path) -> dict[str, Any]:
    """The statistics as plain values; ``oldest_use`` in epoch seconds."""
    return {
        "folder": str(folder),
        "answers": stats.answers,
        "files": stats.files,
        "bytes": stats.bytes,
        "oldest_use": stats.oldest_use,
        "engines": {
            name: {"answers": share.answers, "bytes": share.bytes, "seconds": share.seconds}
            for name, share in stats.engines.items()
        },
    }


def show(stats: StoreStats, folder: Path) -> None:
    """Print a table: engine, answers, size, and the engine time that is not spent again."""
    from rich.console import Console
    from rich.table import Table

    click.echo(f"{safe(folder)}: {stats.answers} answers, {stats.files} files, {size(stats.bytes)}")
    if not stats.answers:
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("engine")
    for column in ("answers", "size", "time saved"):
        table.add_column(column, justify="right")
    for name, share in stats.engines.items():
        table.add_row(safe(name), str(share.answers), size(share.bytes), duration(share.seconds))
    printed(Console(highlight=False, markup=False), table)
