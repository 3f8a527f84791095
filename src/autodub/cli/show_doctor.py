"""The doctor's findings, for people and for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from autodub.cli import show_engines
from autodub.cli.survey import Examination
from autodub.cli.text import safe, width, wrapped
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
    from rich.text import Text

    console = Console(highlight=False, markup=False)
    for check in examination.checks:
        mark, colour = _MARKS[check.state]
        said = wrapped(f"{mark} {safe(check.name)}: {safe(check.detail)}")
        console.print(Text.assemble((mark, colour), said.removeprefix(mark)), soft_wrap=True)
        if check.fix:
            console.print(f"    {safe(check.fix)}", soft_wrap=True)
    console.print()
    for line in _lines(_values(examination.settings)):
        console.print(line, soft_wrap=True)
    ready = sum(engine.is_ready for engine in examination.engines)
    console.print(f"\n{ready} of {len(examination.engines)} engines are ready (autodub engines lists them).")
    show_engines.waiting(examination.engines, console)


def _lines(rows: list[tuple[str, str, str]]) -> list[str]:
    """Settings in lines: values are never broken, so that an address or a path can be copied."""
    names = max(len(name) for name, _, _ in rows)
    lines = []
    for name, value, origin in rows:
        told = f"{safe(name):<{names}}  {safe(value)}"
        whence = f"({safe(origin)})" if origin else ""
        together = f"{told}  {whence}".rstrip()
        lines += [together] if len(together) <= width() else [told, " " * (names + 2) + whence]
    return [line.rstrip() for line in lines]


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
