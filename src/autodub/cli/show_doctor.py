"""The doctor's findings, for people and for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from autodub.cli import show_engines
from autodub.cli.survey import Examination
from autodub.cli.text import printed, safe, wrapped
from autodub.infra.settings import Settings

_MARKS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "missing": ("✗", "red")}


def as_json(examination: Examination) -> dict[str, Any]:
    """The findings as plain values; keys are masked."""
    return {
        "fit": examination.is_fit,
        "checks": [asdict(check) for check in examination.checks],
        "settings": [
            {"name": name, "value": value, "origin": origin}
            for name, value, origin in _values(examination.settings)
        ],
        **show_engines.as_json(examination.engines),
    }


def show(examination: Examination) -> None:
    """Print checks with their fixes, settings with their origins, and the engines that are not ready."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False, markup=False)
    for check in examination.checks:
        mark, colour = _MARKS[check.state]
        said = wrapped(f"{mark} {safe(check.name)}: {safe(check.detail)}")
        console.print(Text.assemble((mark, colour), said.removeprefix(mark)), soft_wrap=True)
        if check.fix:
            console.print(f"    {safe(check.fix)}", soft_wrap=True)
    console.print()
    table = Table(box=None, pad_edge=False)
    for column in ("setting", "value", "from"):
        table.add_column(column, overflow="fold")
    for row in _values(examination.settings):
        table.add_row(*(safe(cell) for cell in row))
    printed(console, table)
    ready = sum(engine.is_ready for engine in examination.engines)
    console.print(f"\n{ready} of {len(examination.engines)} engines are ready (autodub engines lists them).")
    show_engines.waiting(examination.engines, console)


def _values(settings: Settings) -> list[tuple[str, str, str]]:
    """(name, value, origin) of every setting; a key shows that it is there and nothing of itself."""
    plain = {
        "data_dir": str(settings.data_dir),
        "models_dir": str(settings.models_dir),
        "offline": str(settings.offline).lower(),
        "config_file": str(settings.config_file),
    }
    plain |= settings.endpoints
    if settings.sites is not None:
        plain["sites"] = ", ".join(settings.sites)
    if settings.addresses:
        plain["addresses"] = ", ".join(settings.addresses)
    rows = [(name, value, settings.origins.get(name, "")) for name, value in plain.items()]
    return rows + [(name, "***", settings.origins.get(name, "")) for name in settings.secrets]
