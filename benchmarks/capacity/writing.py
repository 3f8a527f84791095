"""Puts the results into docs/SCALING.md, and their pictures into docs/images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.capacity import demands, pictures, tables
from benchmarks.capacity.scenarios import RESULTS, VALIDATED

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE, IMAGES = DOCS / "SCALING.md", DOCS / "images"
MARKS = "<!-- {name}: figures written by benchmarks/capacity/writing.py -->", "<!-- end of figures -->"


def main() -> None:
    """Write what is out of date."""
    PAGE.write_text(written(PAGE.read_text("utf-8")), encoding="utf-8")
    for name, picture in drawn().items():
        (IMAGES / name).write_text(picture, encoding="utf-8")


def drawn() -> dict[str, str]:
    """File name -> SVG."""
    return pictures.all_of(_read(RESULTS))


def written(page: str) -> str:
    """The page with every block of figures as the results have it. Raises ValueError where one is missing."""
    for name, figures in blocks().items():
        begin, end = MARKS[0].format(name=name), MARKS[1]
        before, found, rest = page.partition(begin)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            raise ValueError(f"{PAGE.name} has no place for {name}: it needs {begin} and {end}")
        page = f"{before}{begin}\n\n{figures}\n\n{end}{after}"
    return page


def blocks() -> dict[str, str]:
    """Name of a block -> its text."""
    results, validated, measured = _read(RESULTS), _read(VALIDATED), demands.measured()
    return {
        "needed": tables.needed(results), "asked": tables.asked(results), "prices": tables.prices(results),
        "limits": tables.limits(results), "places": tables.places(results), "plans": tables.plans(results),
        "days": tables.days(results),
        "lengths": f"{tables.lengths(results)}\n\n{_measured(measured)}",
        "prototype": tables.prototype(results), "sources": tables.sources(),
        "checked": f"{tables.checked(validated)}\n\n{_run(validated)}",
    }  # fmt: skip


def _measured(measured: dict[str, Any]) -> str:
    machine = measured["machine"]
    return (
        f"Measured on {measured['date']} by `{measured['command']}`: {machine['processor']}, "
        f"{machine['cores']} cores, {machine['database']}, load average "
        f"{machine['load_average_before']:g} to {machine['load_average_after']:g}; "
        f"{measured['short']['jobs']} videos of a minute and {measured['long']['jobs']} of "
        f"{measured['long']['minutes']:g}. Longer ones are taken to lie on the same line."
    )


def _run(validated: dict[str, Any]) -> str:
    machine = validated["machine"]
    return (
        f"Run on {validated['date']} by `{validated['command']}`: {machine['processor']}, "
        f"{machine['cores']} cores, everything on the one machine, latencies of the profile "
        f"`{validated['profile']}`. {validated['note']}"
    )


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found
