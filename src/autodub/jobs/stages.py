"""The stages of a job as they really ran, from its events: when each began and ended, and whom it asked."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row, func, select

from autodub.infra.sql import Sql
from autodub.jobs.records import Actor
from autodub.jobs.service import Jobs
from autodub.jobs.tables import events

_CALLS = ("call.finished", "call.retried", "call.failed", "call.charged")
_STAGES = ("stage.started", "stage.progress", "stage.finished")
_ENDS = ("job.completed", "job.failed", "job.cancelled", "job.handed_back", "job.lost")
_KINDS = ("job.started", "engine.chosen", *_STAGES, *_CALLS, *_ENDS)


@dataclass(slots=True)
class Stretch:
    """One time that a stage ran. Times are seconds since 1970."""

    start: float
    end: float | None = None
    """None while it runs."""
    is_whole: bool = True
    """False where it was broken off."""


@dataclass(slots=True)
class Stage:
    """One stage of an attempt, and the calls made for it."""

    name: str
    message: str = ""
    runs: list[Stretch] = field(default_factory=list)
    fraction: float | None = None
    """How far it is, 0..1, where that was told."""
    made: int = 0
    """Calls that engines answered now."""
    kept: int = 0
    """Calls answered from earlier runs."""
    retried: int = 0
    failed: int = 0
    seconds: float = 0.0
    """Spent waiting for engines, all calls together: more than the stage took where they ran side by side."""
    dollars: float = 0.0
    engines: set[str] = field(default_factory=set)
    """``role.name`` of who was asked."""

    @property
    def took(self) -> float | None:
        """Seconds it ran in all; None while it runs."""
        ends = [one.end for one in self.runs]
        if None in ends:
            return None
        return sum((one.end or 0.0) - one.start for one in self.runs)


@dataclass(slots=True)
class Attempt:
    """One attempt at a job."""

    number: int
    start: float | None = None
    end: float | None = None
    engines: dict[str, str] = field(default_factory=dict)
    """Role -> engine that was chosen last."""
    stages: dict[str, Stage] = field(default_factory=dict)
    """In the order in which they began."""


class Stages:
    """The stages of one platform's jobs."""

    def __init__(self, sql: Sql, own: Jobs) -> None:
        self._sql, self._jobs = sql, own

    def of(self, actor: Actor, job: str, attempt: int | None = None) -> Attempt:
        """An attempt, the newest by default; one that never was has no stages. Raises NotFound."""
        self._jobs.get(actor, job)
        with self._sql.reading() as connection:
            if attempt is None:
                begun = select(func.max(events.c.attempt)).where(
                    events.c.job == job, events.c.kind == "job.started"
                )
                attempt = int(connection.execute(begun).scalar() or 0)
            wanted = select(
                events.c.at, events.c.kind, events.c.stage, events.c.message, events.c.fraction, events.c.data
            ).where(events.c.job == job, events.c.attempt == attempt, events.c.kind.in_(_KINDS))
            return attempt_of(attempt, connection.execute(wanted.order_by(events.c.number)))


def attempt_of(number: int, told: Iterable[Row[Any]]) -> Attempt:
    """An attempt from its events, in order."""
    found = Attempt(number)
    for row in told:
        if row.kind == "job.started":
            found.start = row.at
        elif row.kind in _ENDS:
            _end(found, row.at)
        elif row.kind == "engine.chosen":
            data = json.loads(row.data)
            found.engines[str(data["role"])] = str(data["engine"])
        elif row.kind in _STAGES:
            _run(found.stages.setdefault(row.stage, Stage(row.stage)), row)
        else:
            _call(found.stages.setdefault(row.stage, Stage(row.stage)), row)
    return found


def _run(stage: Stage, row: Row[Any]) -> None:
    stage.message = row.message or stage.message
    if row.kind == "stage.started":
        stage.runs.append(Stretch(row.at))
        stage.fraction = None
    elif row.kind == "stage.progress":
        stage.fraction = row.fraction
    else:
        stage.fraction = 1.0
        running = next((one for one in stage.runs if one.end is None), None)
        if running is not None:
            running.end = row.at


def _call(stage: Stage, row: Row[Any]) -> None:
    data: Mapping[str, Any] = json.loads(row.data)
    count = int(data.get("count") or 1)
    if data.get("engine"):
        stage.engines.add(f"{data.get('role')}.{data['engine']}")
    if row.kind == "call.retried":
        stage.retried += count
        return
    if row.kind == "call.failed":
        stage.failed += count
        return
    if row.kind == "call.charged":
        stage.dollars += float(data.get("dollars") or 0)
        return
    seconds = float(data.get("seconds") or 0)
    if data.get("kept"):
        stage.kept += count
    else:
        stage.made += count
        stage.seconds += seconds
        stage.dollars += float(data.get("dollars") or 0)


def _end(found: Attempt, at: float) -> None:
    """The attempt is over: what had not ended was broken off."""
    found.end = at
    for stage in found.stages.values():
        for one in stage.runs:
            if one.end is None:
                one.end, one.is_whole = at, False
