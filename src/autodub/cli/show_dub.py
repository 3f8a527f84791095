"""A finished dub, for people (a short table) and for programs (one JSON object)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autodub.cli import show_receipt
from autodub.cli.text import safe

if TYPE_CHECKING:
    from autodub.pipeline.dub import Dubbed


def as_json(dubbed: Dubbed) -> dict[str, Any]:
    """Where the files are, and the whole receipt."""
    return {
        "output": None if dubbed.output is None else str(dubbed.output),
        "subtitles": [str(path) for path in dubbed.subtitles],
        "project": str(dubbed.project),
        "receipt_path": str(dubbed.receipt_path),
        "report": None if dubbed.report is None else str(dubbed.report),
        "reused": dubbed.reused,
        "receipt": show_receipt.as_json(dubbed.receipt),
    }


def show(dubbed: Dubbed) -> None:
    """Print what came out: lines, engines, degradations, figures, times, files."""
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    show_receipt.body(dubbed.receipt, console, reused=dubbed.reused)
    if dubbed.reused:
        console.print("Nothing to do anew since the last run; these are its figures and its files.")
    files = (
        ("Dub", dubbed.output),
        *(("Subtitles", path) for path in dubbed.subtitles),
        ("Project", dubbed.project),
        ("Receipt", dubbed.receipt_path),
        ("Report", dubbed.report),
    )
    for name, path in files:
        if path is not None:
            console.print(f"{name + ':':<11}{safe(path)}", soft_wrap=True)
