"""Events of jobs: numbered 1, 2, 3 ... within each, written in the transaction that changes the job.

The number is counted in the job's own row, which whoever writes has locked: a reader that asks for all
numbers after the last it has seen misses none and sees none twice, also where transactions end in
another order than they began. What webhooks are owed for an event is written beside it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, insert, select, update

from autodub.infra.sql import Sql
from autodub.jobs import metrics, owing
from autodub.jobs.records import Happening, happening_of
from autodub.jobs.tables import events, jobs
from autodub.model.job import Event

PAGE = 500


def change(
    connection: Connection,
    job: str,
    *told: Event,
    at: float,
    times: Sequence[float] = (),
    where: Sequence[ColumnElement[bool]] = (),
    **values: Any,
) -> int | None:
    """Change a job's row and tell of it; the number of its last event, or None where ``where`` is not met.

    ``times`` are when each happened, where that is not ``at``.
    """
    values = {name: _plain(value) if isinstance(value, str) else value for name, value in values.items()}
    row = connection.execute(
        update(jobs)
        .where(jobs.c.id == job, *where)
        .values(events=jobs.c.events + len(told), updated=at, **values)
        .returning(jobs.c.events, jobs.c.attempt, jobs.c.owner, jobs.c.kind)
    ).one_or_none()
    if row is None:
        return None
    first = row.events - len(told) + 1
    if told:
        moments = times or [at] * len(told)
        connection.execute(
            insert(events),
            [
                {
                    "job": job, "number": first + index, "at": moment, "attempt": row.attempt,
                    "kind": one.kind, "stage": one.stage, "message": _plain(one.message),
                    "fraction": one.fraction, "data": json.dumps(dict(one.data)),
                }
                for index, (one, moment) in enumerate(zip(told, moments, strict=True))
            ],
        )  # fmt: skip
        for index, one in enumerate(told):
            owing.owe(connection, row.owner, job, one.kind, number=first + index, at=at)
        metrics.count(connection, row.kind, told)
    return int(row.events)


def are_there(connection: Connection, job: str, one: Event, attempt: int, *, at: float) -> bool:
    """Whether an event of an attempt was written already."""
    same = (events.c.job == job) & (events.c.attempt == attempt)
    found = select(events.c.number).where(same, events.c.at == at, events.c.kind == one.kind).limit(1)
    return connection.execute(found).first() is not None


def after(sql: Sql, job: str, number: int, *, limit: int = PAGE) -> list[Happening]:
    """The events of a job after a number, in order."""
    asked = select(events).where(events.c.job == job, events.c.number > number)
    with sql.reading() as connection:
        return [happening_of(row) for row in connection.execute(asked.order_by(events.c.number).limit(limit))]


def joined(tail: list[Happening], found: list[Happening]) -> list[Happening]:
    """Two runs of events as one, where nothing is missing between them; else the later one."""
    if not tail or not found:
        return tail or found
    first, second = sorted((tail, found), key=lambda part: part[0].number)
    if second[0].number > first[-1].number + 1:
        return second
    return first + [one for one in second if one.number > first[-1].number]


def last(sql: Sql, wanted: Sequence[str]) -> Mapping[str, tuple[int, str]]:
    """Job -> number of its last event and its state; jobs that are gone, or going, are left out."""
    asked = select(jobs.c.id, jobs.c.events, jobs.c.state).where(
        jobs.c.id.in_(wanted), jobs.c.stopping != "delete"
    )
    with sql.reading() as connection:
        return {row.id: (row.events, row.state) for row in connection.execute(asked)}


def _plain(text: str) -> str:
    """Text that every database can keep."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()
