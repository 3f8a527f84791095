"""Numbers about jobs and engines, kept in the database: they outlive processes, and machines are one sum.

They are counted from the events of jobs, in the transaction that writes them: what is told twice or by
nobody's worker any more is not counted. Labels are few and from our own vocabulary: kinds, stages, engines,
codes; never a name, a text or an id.
"""

from __future__ import annotations

import json
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import ColumnElement, Connection, func, select

from autodub.infra.sql import Sql
from autodub.jobs.records import RESOURCES, Job, Resource
from autodub.jobs.tables import counters, events, jobs, workers
from autodub.model.job import Event

Tally = dict[tuple[str, str], float]
"""(counter, labels as JSON) -> what to add."""

BOUNDS: Mapping[str, tuple[float, ...]] = {
    "job_seconds": (1, 5, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400),
    "minute_seconds": (1, 5, 10, 20, 30, 45, 60, 90, 120, 180, 300, 600),
    "wait_seconds": (0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14400),
    "call_seconds": (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600),
}
"""Upper bounds of the buckets of each histogram, in seconds."""
_BEATS = 1.5
"""Leases after which a worker that says nothing is not counted: it says something three times in one."""


@dataclass(frozen=True, slots=True)
class Number:
    """One counter as it stands."""

    name: str
    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class Queue:
    """The queue as it stands."""

    queued: int
    processing: int
    oldest: float
    """Seconds that the first in the queue has waited."""
    workers: int
    """Seen within the last heartbeats."""
    slots: int
    """Jobs that they can run at once."""


@dataclass(frozen=True, slots=True)
class Lane:
    """The jobs that one resource binds, as they stand: what an autoscaler looks at."""

    queued: int
    processing: int
    oldest: float
    """Seconds that the first in the queue has waited."""
    slots: int = 0
    """Places of the workers that serve it; one that serves several resources counts for each."""
    unserved: int = 0
    """Jobs in the queue that no worker takes, however long they wait."""


@dataclass(frozen=True, slots=True)
class Wait:
    """What a job in the queue waits for in vain as long as nobody does something."""

    reason: Literal["no_worker", "newer_release"]
    """``no_worker``: none serves what binds it. ``newer_release``: those that do are of an older release than
    who submitted it."""
    resource: Resource
    message: str


@dataclass(frozen=True, slots=True)
class _Serving:
    """A worker that was seen lately."""

    resources: frozenset[str]
    slots: int
    format: int


class Numbers:
    """Reads them."""

    def __init__(self, sql: Sql, *, lease: float, clock: Callable[[], float] = time.time) -> None:
        """``lease``: seconds that a worker has a job for without saying anything."""
        self._sql, self._stale, self._clock = sql, _BEATS * lease, clock

    def all(self) -> list[Number]:
        """Every counter. Raises Unavailable."""
        with self._sql.reading() as connection:
            rows = connection.execute(select(counters).order_by(counters.c.name, counters.c.labels)).all()
        return [Number(row.name, json.loads(row.labels), row.value) for row in rows]

    def queue(self) -> Queue:
        """The queue and who works on it. Raises Unavailable."""
        now = self._clock()
        waiting = select(jobs.c.state, func.count(), func.min(jobs.c.queued)).where(
            jobs.c.state.in_(("queued", "processing"))
        )
        seen = select(func.count(), func.coalesce(func.sum(workers.c.slots), 0)).where(self._is_seen())
        with self._sql.reading() as connection:
            states = {row[0]: row for row in connection.execute(waiting.group_by(jobs.c.state))}
            count, slots = connection.execute(seen).one()
        queued, processing = states.get("queued"), states.get("processing")
        return Queue(
            queued=queued[1] if queued else 0,
            processing=processing[1] if processing else 0,
            oldest=max(0.0, now - queued[2]) if queued else 0.0,
            workers=int(count),
            slots=int(slots),
        )

    def lanes(self) -> Mapping[str, Lane]:
        """The queue of each resource, and who serves it; all are there. Raises Unavailable."""
        now = self._clock()
        kind = (jobs.c.resource, jobs.c.state, jobs.c.format)
        asked = select(*kind, func.count().label("many"), func.min(jobs.c.queued).label("since")).where(
            jobs.c.state.in_(("queued", "processing"))
        )
        with self._sql.reading() as connection:
            rows = connection.execute(asked.group_by(*kind)).all()
            serving = self._serving(connection)
        lanes: dict[str, Lane] = {}
        for resource in RESOURCES:
            queued = [row for row in rows if (row.resource, row.state) == (resource, "queued")]
            running = [row for row in rows if (row.resource, row.state) == (resource, "processing")]
            knows = [one for one in serving if resource in one.resources]
            newest = max((one.format for one in knows), default=0)
            lanes[resource] = Lane(
                queued=sum(row.many for row in queued),
                processing=sum(row.many for row in running),
                oldest=max(0.0, now - min((row.since for row in queued), default=now)),
                slots=sum(one.slots for one in knows),
                unserved=sum(row.many for row in queued if row.format > newest),
            )
        return lanes

    def wait(self, job: Job) -> Wait | None:
        """Why a job in the queue will not begin by itself; None where it will. Raises Unavailable."""
        if job.state != "queued":
            return None
        with self._sql.reading() as connection:
            knows = [one for one in self._serving(connection) if job.resource in one.resources]
        if not knows:
            return Wait("no_worker", job.resource, f"It waits for a worker that serves {job.resource}.")
        if max(one.format for one in knows) < job.format:
            return Wait("newer_release", job.resource, "It waits for a worker of a newer release of Autodub.")
        return None

    def _serving(self, connection: Connection) -> list[_Serving]:
        wanted = select(workers.c.resources, workers.c.slots, workers.c.format).where(self._is_seen())
        return [
            _Serving(frozenset(row.resources.split()), row.slots, row.format)
            for row in connection.execute(wanted)
        ]

    def _is_seen(self) -> ColumnElement[bool]:
        """Of a worker that has said lately that it is there."""
        return workers.c.seen > self._clock() - self._stale

    def run(self, job: str) -> dict[str, object]:
        """What a job's last attempt took by stage, and its calls by engine; seconds. Raises Unavailable."""
        seen = select(jobs.c.seen, jobs.c.attempt).where(jobs.c.id == job)
        with self._sql.reading() as connection:
            row = connection.execute(seen).one()
            told = connection.execute(
                select(events.c.kind, events.c.data).where(
                    events.c.job == job, events.c.attempt == row.attempt, events.c.kind.like("call.%")
                )
            ).all()
        taken = json.loads(row.seen)
        return {
            "wall_seconds": taken.get("wall"),
            "stages": [{"stage": stage, "seconds": s} for stage, s in taken.get("stages", {}).items()],
            "calls": _calls(tally("dub", [Event(one.kind, data=json.loads(one.data)) for one in told])),
        }


def _calls(found: Tally) -> list[dict[str, object]]:
    """Calls by engine and verb: how many had which end, and the seconds of those that were made."""
    rows: dict[tuple[str, str], dict[str, object]] = {}
    for (name, text), value in found.items():
        labels = json.loads(text)
        if name not in ("calls", "call_seconds_sum"):
            continue
        place = (labels["engine"], labels["verb"])
        empty = {"engine": place[0], "verb": place[1], "made": 0, "kept": 0, "failed": 0, "seconds": 0.0}
        row = rows.setdefault(place, empty)
        if name == "calls":
            row[labels["outcome"]] = int(value)
        else:
            row["seconds"] = round(value, 3)
    return list(rows.values())


def count(connection: Connection, kind: str, told: Iterable[Event]) -> None:
    """Count what was told of a job of a kind; part of the transaction that tells it."""
    found = tally(kind, told)
    if found:
        _write(connection, found)


def _write(connection: Connection, found: Tally) -> None:
    from sqlalchemy.dialects import postgresql, sqlite

    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    # In one order everywhere, so that two transactions never wait for each other.
    rows = [{"name": n, "labels": labels, "value": value} for (n, labels), value in sorted(found.items())]
    new = dialect.insert(counters).values(rows)
    added = {"value": counters.c.value + new.excluded.value}
    connection.execute(new.on_conflict_do_update(index_elements=["name", "labels"], set_=added))


def waited(connection: Connection, resource: str, seconds: float) -> None:
    """Count how long a job had waited that begins now; part of the transaction that begins it."""
    found: Tally = {}
    _observe(found, "wait_seconds", seconds, resource=resource)
    _write(connection, found)


def tally(kind: str, told: Iterable[Event]) -> Tally:
    """What events of a job of a kind add to the counters."""
    found: Tally = {}
    for event in told:
        _see(found, kind, event)
    return found


def _see(found: Tally, kind: str, event: Event) -> None:
    data = event.data
    if event.kind in ("call.finished", "call.failed", "call.retried"):
        _see_call(found, event.kind, data, engine=f"{data.get('role')}.{data.get('engine')}")
    elif event.kind == "call.charged":
        engine = f"{data.get('role')}.{data.get('engine')}"
        _add(found, "dollars", _float(data.get("dollars")), engine=engine)
    elif event.kind == "stage.finished":
        _add(found, "stage_seconds", _float(data.get("seconds")), stage=event.stage)
        _add(found, "stage_runs", 1, stage=event.stage)
    elif event.kind == "degraded":
        _add(found, "degradations", 1, what=str(data.get("what")))
    elif event.kind == "job.completed":
        _add(found, "jobs", 1, event="completed", kind=kind)
        _see_completed(found, kind, data)
    elif event.kind.startswith("job."):
        _add(found, "jobs", 1, event=event.kind.removeprefix("job."), kind=kind)
        if event.kind == "job.failed":
            _add(found, "failures", 1, code=str(data.get("code")))


def _see_completed(found: Tally, kind: str, data: Mapping[str, object]) -> None:
    seconds, programme = _float(data.get("seconds")), _float(data.get("programme"))
    if not seconds:
        return
    _observe(found, "job_seconds", seconds, kind=kind)
    if kind == "dub" and programme and not data.get("reused"):
        _add(found, "programme_seconds", programme)
        _observe(found, "minute_seconds", seconds / (programme / 60))


def _see_call(found: Tally, kind: str, data: Mapping[str, object], *, engine: str) -> None:
    verb, times = str(data.get("verb")), _float(data.get("count")) or 1.0
    if kind == "call.retried":
        _add(found, "retries", times, engine=engine, code=str(data.get("code")))
    elif kind == "call.failed":
        _add(found, "calls", times, engine=engine, verb=verb, outcome="failed")
    elif data.get("kept"):
        _add(found, "calls", times, engine=engine, verb=verb, outcome="kept")
    else:
        _add(found, "calls", times, engine=engine, verb=verb, outcome="made")
        _observe(found, "call_seconds", _float(data.get("seconds")), times, engine=engine, verb=verb)
        if dollars := _float(data.get("dollars")):
            _add(found, "dollars", dollars, engine=engine)


def _observe(found: Tally, name: str, total: float, times: float = 1.0, /, **labels: str) -> None:
    """Put a value into the one bucket it belongs to; they are added up when they are read.

    Of calls that are told as a sum (see ``condensing``) each counts as their mean.
    """
    bounds = BOUNDS[name]
    place = bisect_left(bounds, total / times)
    bound = f"{bounds[place]:g}" if place < len(bounds) else "+Inf"
    _add(found, f"{name}_bucket", times, le=bound, **labels)
    _add(found, f"{name}_sum", total, **labels)


def _add(found: Tally, name: str, value: float, /, **labels: str) -> None:
    key = (name, json.dumps(labels, sort_keys=True, separators=(",", ":")))
    found[key] = found.get(key, 0.0) + value


def _float(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0


def buckets(name: str, numbers: Sequence[Number]) -> list[tuple[str, float]]:
    """The buckets of one histogram, each with all below it, as they are read out: (bound, count)."""
    counted = {number.labels["le"]: number.value for number in numbers}
    total, found = 0.0, []
    for bound in [*(f"{bound:g}" for bound in BOUNDS[name]), "+Inf"]:
        total += counted.get(bound, 0.0)
        found.append((bound, total))
    return found
