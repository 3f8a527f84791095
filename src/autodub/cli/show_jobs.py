"""Jobs of a server for people: lists, one job, its lines."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from autodub.cli.progress import NAMES
from autodub.cli.text import duration, printed, safe, size

if TYPE_CHECKING:
    from autodub.client import Batch, Edited, Job, Transcript, Upload

_COLOURS = {"completed": "green", "failed": "red", "cancelled": "yellow", "processing": "cyan"}


def line(job: Job) -> str:
    """A job in one line."""
    return f"{job.id[:8]}  {_state(job)}  {safe(job.title)} -> {safe(job.target)}{_why(job)}"


def show_list(jobs: Sequence[Job]) -> None:
    """Print a table of jobs."""
    if not jobs:
        click.echo("No jobs.")
        return
    table = _table("job", "state", "to", "made", "title")
    for job in jobs:
        table.add_row(
            job.id[:8], _state(job), safe(job.target), _moment(job.created), safe(job.title) + _why(job)
        )
    _print(table)


def show(job: Job, place: Path | None = None) -> None:
    """Print what is known of one job."""
    rows: list[tuple[str, str]] = [
        ("Job", job.id), ("Title", safe(job.title)), ("Language", safe(job.target)), ("State", _state(job)),
    ]  # fmt: skip
    if job.state == "processing":
        rows.append(("Doing", NAMES.get(job.stage, safe(job.stage)) or safe(job.message)))
    if job.waits is not None:
        rows.append(("Waits", safe(job.waits.message)))
    if job.error is not None:
        rows += [
            ("Why", safe(job.error.message)),
            ("Hint", " ".join(safe(one) for one in job.error.hint.splitlines())),
        ]
    if job.seconds:
        rows.append(("Length", duration(job.seconds)))
    if job.started and job.finished and job.state == "completed":
        rows.append(("Took", duration(max(0.0, job.finished - job.started))))
    if job.dollars:
        rows.append(("Cost", f"${job.dollars:.4f}"))
    rows += [("Figures", safe(job.message))] if job.verdict else []
    rows += [("Note", safe(note)) for note in job.degradations]
    if job.stale:
        rows.append(("Edited", "since the result was made; autodub jobs regenerate makes it again"))
    if job.files:
        rows.append(("Files", ", ".join(safe(kind) for kind in job.files)))
    if job.expires:
        rows.append(("Kept until", _moment(job.expires)))
    if place is not None:
        rows.append(("Downloaded", safe(place)))
    for name, value in rows:
        if value:
            click.echo(f"{name + ':':<12}{value}")


def show_batch(batch: Batch) -> None:
    """Print a batch and its jobs."""
    counts = ", ".join(f"{count} {state}" for state, count in batch.counts.items() if count)
    click.echo(f"Batch {batch.id}: {safe(batch.name)} ({counts or 'no jobs'})")
    show_list(batch.jobs)


def show_lines(found: Transcript) -> None:
    """Print what a dub says."""
    for one in found.lines:
        marks = "".join(
            mark
            for mark, is_so in (("*", one.edited), ("!", one.stale), ("#", one.locked is not None))
            if is_so
        )
        head = f"{safe(one.id)}{marks}  {_clock(one.start)} - {_clock(one.end)}  {safe(one.speaker)}"
        click.echo(click.style(head, fg="cyan"))
        click.echo(f"  {safe(one.source)}")
        said = safe(one.text) if one.text and not one.keep_original else "(the original sound stays)"
        click.echo(f"  {said}" + (f"  [{safe(one.note)}]" if one.note else ""))
    click.echo(f"Revision {found.revision}. * edited, ! not in the dub yet, # locked")


def show_edited(done: Edited) -> None:
    """Print what came of a change."""
    changed = ", ".join([*(safe(one.id) for one in done.lines), *(safe(one) for one in done.removed)])
    click.echo(f"Revision {done.revision}: {f'changed {changed}' if changed else 'nothing changed'}.")
    if done.stale:
        click.echo(f"Make the dub again: autodub jobs regenerate {done.job[:8]}")


def show_uploads(uploads: Sequence[Upload]) -> None:
    """Print a table of uploads."""
    if not uploads:
        click.echo("No uploads.")
        return
    table = _table("upload", "state", "size", "name")
    for one in uploads:
        state = f"{one.received / one.size:.0%}" if one.state == "receiving" and one.size else one.state
        table.add_row(
            safe(one.id),
            safe(state),
            size(one.size),
            safe(one.name) + (f" ({safe(one.why)})" if one.why else ""),
        )
    _print(table)


def _state(job: Job) -> str:
    if job.state == "processing":
        return f"{job.progress:.0%}" + (", stopping" if job.stopping else "")
    return job.state


def _why(job: Job) -> str:
    return f" ({safe(job.error.message)})" if job.error is not None and job.state == "failed" else ""


def _moment(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))


def _clock(seconds: float) -> str:
    minutes, rest = divmod(max(0.0, seconds), 60)
    return f"{int(minutes)}:{rest:05.2f}"


def _table(*columns: str) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _print(table: Any) -> None:
    from rich.console import Console

    printed(Console(highlight=False, markup=False), table)
