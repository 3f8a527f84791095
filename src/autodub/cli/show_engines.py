"""Engines by role, for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from autodub.cli.text import printed, safe, wrapped
from autodub.pipeline.catalogue import EngineState

if TYPE_CHECKING:
    from rich.console import Console

STYLES = {
    "ready": "green", "needs key": "yellow", "needs download": "yellow", "needs worker": "yellow",
    "not installed": "red",
}  # fmt: skip
"""Colour of each state."""


def as_json(engines: Sequence[EngineState]) -> dict[str, Any]:
    """The engines as plain values."""
    return {
        "engines": [
            {
                "role": engine.role,
                "name": engine.name,
                "version": engine.version,
                "state": engine.readiness.state,
                "detail": engine.readiness.detail,
                "fix": engine.readiness.fix,
                "summary": engine.summary,
                "languages": None if engine.languages is None else list(engine.languages),
                "options": [asdict(option) for option in engine.options],
            }
            for engine in engines
        ]
    }


def show(engines: Sequence[EngineState]) -> None:
    """Print a table, and below it how to make the others ready."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False, markup=False)
    table = Table(box=None, pad_edge=False)
    for column in ("role", "engine", "state", "what it is"):
        table.add_column(column, no_wrap=column != "what it is")
    role = ""
    for engine in engines:
        state = Text(engine.readiness.state, style=STYLES[engine.readiness.state])
        shown_role = "" if engine.role == role else engine.role
        table.add_row(shown_role, safe(engine.name), state, sentence(engine))
        role = engine.role
    printed(console, table)
    waiting(engines, console)


def waiting(engines: Sequence[EngineState], console: Console) -> None:
    """Print how to make the engines ready that are not."""
    for engine in engines:
        if not engine.is_ready:
            name = f"{safe(engine.role)}.{safe(engine.name)}"
            console.print("\n" + wrapped(f"{name}: {safe(engine.readiness.detail)}"), soft_wrap=True)
            if engine.readiness.fix:
                console.print(f"  {safe(engine.readiness.fix)}", soft_wrap=True)


def sentence(engine: EngineState) -> str:
    """What an engine is, from a capital on and without a full stop, whoever wrote it."""
    text = safe(engine.summary or engine.readiness.detail).rstrip(".")
    return text[:1].upper() + text[1:]
