"""``autodub profile``: where the time, the CPU and the memory of a dub go."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from autodub.cli.calls import Calls
from autodub.cli.common import emit
from autodub.cli.text import duration, printed, safe, size
from autodub.model.errors import BadOption

if TYPE_CHECKING:
    from autodub.infra.profiling import Profile
    from autodub.jobs.platform import Platform
    from autodub.jobs.records import Actor

_JOB = re.compile(r"[0-9a-f]{32}|[0-9a-f]{4,31}|last")


@click.command(
    "profile", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    options_metavar="",
)  # fmt: skip
@click.argument("arguments", metavar="INPUT|JOB [OPTIONS OF DUB]...", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def command(calls: Calls, /, *, arguments: tuple[str, ...]) -> int:
    """Dub INPUT, and show what each stage and each engine took.

    With --json the figures are one JSON object. Of a JOB that a server has finished (its id, its first
    characters, or: last) the stages and the calls are shown as they were recorded. What is kept from an
    earlier run takes no time: give an empty --data-dir for a run from nothing.
    """
    as_json = "--json" in arguments
    rest = [one for one in arguments if one != "--json"]
    if not rest:
        raise click.UsageError("Give the file or address to dub, or the id of a job.")
    if len(rest) == 1 and _JOB.fullmatch(rest[0]) and not Path(rest[0]).exists():
        recorded = _recorded(calls, rest[0])
        emit(recorded) if as_json else _show_job(recorded)
        return 0
    found = _run(calls, rest, quiet=as_json)
    emit(as_values(found)) if as_json else _show(found)
    return 0


def _run(calls: Calls, arguments: list[str], *, quiet: bool) -> Profile:
    from autodub.cli import dub
    from autodub.infra.profiling import Profiler

    profiler = Profiler()

    def profiled(request: Any, *, listener: Any, **named: Any) -> Any:
        def told(event: Any) -> None:
            profiler(event)
            listener(event)

        with profiler:
            return calls.dub(request, listener=told, **named)

    out = io.StringIO()
    with contextlib.redirect_stdout(out) if quiet else contextlib.nullcontext():
        dub.command.main(
            arguments, prog_name="autodub profile", standalone_mode=False, obj=replace(calls, dub=profiled),
            help_option_names=click.get_current_context().help_option_names,
        )  # fmt: skip
    return profiler.profile()


def as_values(found: Profile) -> dict[str, Any]:
    """A profile as plain values: seconds and bytes."""
    return {
        "wall_seconds": round(found.wall, 3), "cpu_seconds": round(found.cpu, 3), "peak_bytes": found.memory,
        "stages": [
            {"stage": one.stage, "began": round(one.began, 3), "seconds": round(one.seconds, 3),
             "cpu_seconds": round(one.cpu, 3), "peak_bytes": one.memory}
            for one in found.stages
        ],
        "calls": [
            {"engine": one.engine, "verb": one.verb, "made": one.made, "kept": one.kept,
             "failed": one.failed, "seconds": round(one.seconds, 3)}
            for one in found.calls
        ],
    }  # fmt: skip


def _show(found: Profile) -> None:
    click.echo(
        f"\n{duration(found.wall)} in all, {duration(found.cpu)} of CPU, "
        f"{size(found.memory)} of memory at most (programs included)."
    )
    _table(
        ("stage", "began", "took", "CPU meanwhile", "memory meanwhile"),
        [
            (one.stage, duration(one.began), duration(one.seconds), duration(one.cpu), size(one.memory))
            for one in found.stages
        ],
    )
    _show_calls(as_values(found)["calls"])


def _show_job(recorded: Mapping[str, Any]) -> None:
    click.echo(f"Job {recorded['job']}: {recorded['state']}, {duration(recorded['wall_seconds'] or 0)}")
    stages = [(one["stage"], duration(one["seconds"])) for one in recorded["stages"]]
    _table(("stage", "took"), stages)
    _show_calls(recorded["calls"])


def _show_calls(calls: list[dict[str, Any]]) -> None:
    rows = [
        (one["engine"], one["verb"], str(one["made"]), str(one["kept"]), str(one["failed"]),
         duration(one["seconds"]))
        for one in calls
    ]  # fmt: skip
    _table(("engine", "verb", "made", "kept", "failed", "took"), rows)


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    from rich.console import Console
    from rich.table import Table

    if not rows:
        return
    table = Table(box=None, pad_edge=False)
    for index, head in enumerate(heads):
        table.add_column(head, justify="left" if index == 0 or head == "verb" else "right")
    for row in rows:
        table.add_row(*(safe(cell) for cell in row))
    click.echo()
    printed(Console(highlight=False, markup=False), table)


def _recorded(calls: Calls, job: str) -> dict[str, Any]:
    from autodub.cli import opening
    from autodub.jobs.records import SYSTEM, Actor

    settings = calls.settings(data_dir=None)
    platform = opening.platform(settings, opening.server_settings(settings))
    try:
        actor = Actor(SYSTEM, role="admin")
        found = platform.jobs.get(actor, _whole(platform, actor, job))
        return {"job": found.id, "state": found.state, **platform.numbers.run(found.id)}
    finally:
        platform.close()


def _whole(platform: Platform, actor: Actor, job: str) -> str:
    """The id that these first characters begin, among the newest 200 jobs; or what was given."""
    if len(job) == 32:
        return job
    known = [one.id for one in platform.jobs.list(actor, owner="*", limit=200).jobs]
    fits = known[:1] if job == "last" else [one for one in known if one.startswith(job)]
    if len(fits) > 1:
        raise BadOption(f"{len(fits)} jobs begin with {job}.", hint="Give more of the id.")
    return fits[0] if fits else job
