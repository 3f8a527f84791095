"""Options that several commands share, and the settings they lead to."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

json_option: Callable[[F], F] = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object and nothing else."
)
data_dir_option: Callable[[F], F] = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where finished work is kept (also AUTODUB_DATA_DIR).",
)


def emit(value: object) -> None:
    """Print a value as JSON: one object, one line, nothing else."""
    click.echo(jsonlib.dumps(value, ensure_ascii=False, allow_nan=False))


def require_place(path: Path) -> None:
    """Raise OutputProblem when a file cannot be written where it should go, before any work."""
    from autodub.pipeline import outputs

    outputs.require_place(path)
