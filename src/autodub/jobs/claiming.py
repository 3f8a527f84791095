"""Who works on what: claims, leases, and giving jobs back.

A worker has a job while its row says so and the lease has not run out. Everything a worker writes is
fenced by *holder* and *attempt*: one that was silent for too long, and whose job was taken up by
another, changes nothing any more.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, and_, func, select, update

from autodub.infra.server_settings import ServerSettings
from autodub.infra.sql import Sql
from autodub.jobs import events
from autodub.jobs.records import Failure, Job, job_of
from autodub.jobs.tables import jobs, users
from autodub.model.job import Event

_LOCK = 4_203


@dataclass(frozen=True, slots=True)
class Held:
    """What a worker is told about a job it has."""

    attempt: int
    stopping: str


class Claims:
    """Claims of one database. Safe for many threads, processes and machines at once."""

    def __init__(self, sql: Sql, settings: ServerSettings, *, clock: Callable[[], float] = time.time) -> None:
        self._sql = sql
        self._settings = settings
        self._clock = clock

    def next(self, worker: str) -> Job | None:
        """Take the next job: None when none may begin now.

        Users take turns: among those below their limit the one with the fewest jobs running goes first, and
        among equals the one whose last job began longest ago. Within a user's jobs priority decides, then
        age.
        """
        return self._sql.again(lambda connection: self._next(connection, worker))

    def _next(self, connection: Connection, worker: str) -> Job | None:
        self._sql.alone(connection, _LOCK)
        counted = connection.execute(
            select(jobs.c.owner, func.count()).where(jobs.c.state == "processing").group_by(jobs.c.owner)
        ).all()
        busy: dict[str, int] = {owner: count for owner, count in counted}
        if sum(busy.values()) >= self._settings.running:
            return None
        waiting = connection.execute(
            select(jobs.c.owner, users.c.running)
            .join(users, users.c.id == jobs.c.owner)
            .where(jobs.c.state == "queued")
            .group_by(jobs.c.owner, users.c.running)
        ).all()
        free = [
            row.owner
            for row in waiting
            if busy.get(row.owner, 0) < (row.running or self._settings.user_running)
        ]
        if not free:
            return None
        last = connection.execute(
            select(jobs.c.owner, func.max(jobs.c.started))
            .where(jobs.c.owner.in_(free))
            .group_by(jobs.c.owner)
        ).all()
        began: dict[str, float | None] = {owner: moment for owner, moment in last}
        owner = min(free, key=lambda one: (busy.get(one, 0), began.get(one) or 0.0, one))
        head = connection.execute(
            select(jobs.c.id)
            .where(jobs.c.state == "queued", jobs.c.owner == owner)
            .order_by(jobs.c.priority.desc(), jobs.c.queued, jobs.c.id)
            .limit(1)
        ).scalar_one()
        return self._take(connection, head, worker)

    def _take(self, connection: Connection, job: str, worker: str) -> Job | None:
        now = self._clock()
        taken = events.change(
            connection, job, Event("job.started"), at=now, where=[jobs.c.state == "queued"],
            state="processing", holder=worker, lease=now + self._settings.lease, started=now,
            attempt=jobs.c.attempt + 1, message="", stage="", error=None,
        )  # fmt: skip
        return None if taken is None else self._read(connection, job)

    def beat(self, worker: str, held: Sequence[str]) -> Mapping[str, Held]:
        """Renew the leases of a worker's jobs; what is missing in the answer is not its any more."""
        if not held:
            return {}
        mine = and_(jobs.c.id.in_(held), jobs.c.holder == worker, jobs.c.state == "processing")
        with self._sql.writing() as connection:
            rows = connection.execute(
                update(jobs)
                .where(mine)
                .values(lease=self._clock() + self._settings.lease)
                .returning(jobs.c.id, jobs.c.attempt, jobs.c.stopping)
            ).all()
        return {row.id: Held(row.attempt, row.stopping) for row in rows}

    def wishes(self, worker: str) -> Mapping[str, str]:
        """Jobs of a worker that somebody wants to stop -> ``cancel`` or ``delete``; only reads."""
        asked = select(jobs.c.id, jobs.c.stopping).where(
            jobs.c.holder == worker, jobs.c.state == "processing", jobs.c.stopping != ""
        )
        with self._sql.reading() as connection:
            return {row.id: row.stopping for row in connection.execute(asked)}

    def tell(self, job: Job, told: Sequence[Event], **values: Any) -> bool:
        """Write events of a running attempt; False when the job is not ours any more."""
        with self._sql.writing() as connection:
            number = events.change(
                connection, job.id, *told, at=self._clock(), where=self._ours(job), **values
            )
        return number is not None

    def end(
        self, job: Job, state: str, told: Event, *, beside: Callable[[Connection], None] = lambda _: None,
        **values: Any,
    ) -> bool:  # fmt: skip
        """Finish an attempt; ``beside`` writes into the same transaction. False: not ours any more."""
        now = self._clock()

        def work(connection: Connection) -> bool:
            number = events.change(
                connection, job.id, told, at=now, where=self._ours(job), state=state, holder=None, lease=None,
                finished=now, stopping="", crashes=0, **values,
            )  # fmt: skip
            if number is not None:
                beside(connection)
            return number is not None

        return self._sql.again(work)

    def hand_back(self, job: Job, why: str) -> bool:
        """Put a job back into the queue where it was: a worker that stops does not fail its jobs."""
        with self._sql.writing() as connection:
            number = events.change(
                connection, job.id, Event("job.handed_back", message=why), at=self._clock(),
                where=self._ours(job), state="queued", holder=None, lease=None, crashes=0,
            )  # fmt: skip
        return number is not None

    def reclaim(self, *, dead: Sequence[str] = ()) -> list[str]:
        """Queue the jobs whose lease ran out, or whose holder is known to be ``dead``; their ids.

        A job that took its worker with it too often is failed instead.
        """
        now = self._clock()
        lost = and_(jobs.c.state == "processing", (jobs.c.lease < now) | jobs.c.holder.in_(dead))
        with self._sql.reading() as connection:
            if connection.execute(select(jobs.c.id).where(lost).limit(1)).first() is None:
                return []

        def work(connection: Connection) -> list[str]:
            again = []
            for row in connection.execute(select(jobs).where(lost).with_for_update(skip_locked=True)).all():
                if row.crashes + 1 > self._settings.crashes:
                    self._give_up(connection, row, now)
                    continue
                again.append(row.id)
                events.change(
                    connection, row.id, Event("job.lost", message="Its worker has gone; another goes on."),
                    at=now, where=[lost], state="queued", holder=None, lease=None, crashes=row.crashes + 1,
                )  # fmt: skip
            return again

        return self._sql.again(work)

    def _give_up(self, connection: Connection, row: Row[Any], now: float) -> None:
        why = Failure(
            "crashed", f"The worker died {row.crashes + 1} times while it worked on this.",
            "The source may be damaged, or the machine may have too little memory; see the server's log.",
        )  # fmt: skip
        told = Event("job.failed", message=why.message, data={"code": why.code})
        events.change(
            connection, row.id, told, at=now, where=[jobs.c.state == "processing"], state="failed",
            holder=None, lease=None, finished=now, error=failure_text(why), stopping="",
        )  # fmt: skip

    def _ours(self, job: Job) -> list[Any]:
        return [jobs.c.holder == job.holder, jobs.c.attempt == job.attempt, jobs.c.state == "processing"]

    def _read(self, connection: Connection, job: str) -> Job:
        return job_of(connection.execute(select(jobs).where(jobs.c.id == job)).one())


def failure_text(why: Failure) -> str:
    """As the row keeps it."""
    import json

    return json.dumps({"code": why.code, "message": why.message, "hint": why.hint}, ensure_ascii=False)
