"""Who works on what: claims, leases, and giving jobs back.

A worker has a job while its row says so and the lease has not run out. Everything a worker writes is
fenced by *holder* and *attempt*: one that was silent for too long, and whose job was taken up by
another, changes nothing any more.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, false, func, or_, select, update

from autodub.infra.server_settings import ServerSettings
from autodub.infra.sql import Sql
from autodub.jobs import events, metrics, schema
from autodub.jobs import spec as specs
from autodub.jobs.ending import count, failure_text, over
from autodub.jobs.records import RESOURCES, Failure, Job, State, job_of
from autodub.jobs.tables import jobs, users
from autodub.model.errors import Unavailable
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

    def next(self, worker: str, *, resources: Sequence[str] = RESOURCES) -> Job | None:
        """Take the next job that ``resources`` bind: None when none may begin now.

        Users take turns: among those below their limit the one with the fewest jobs running goes first, and
        among equals the one whose last job began longest ago. Within a user's jobs priority decides, then
        age. A job that only newer releases know how to do is left to their workers.
        """
        queued = [jobs.c.state == "queued", jobs.c.format <= specs.FORMAT]
        if set(resources) < set(RESOURCES):
            queued.append(jobs.c.resource.in_(resources))
        with self._sql.reading() as connection:  # most looks find nothing, and keep nobody out
            if connection.execute(select(jobs.c.id).where(*queued).limit(1)).first() is None:
                return None
        return self._sql.again(lambda connection: self._next(connection, worker, queued))

    def _next(self, connection: Connection, worker: str, queued: Sequence[ColumnElement[bool]]) -> Job | None:
        self._sql.alone(connection, _LOCK)
        if not schema.is_open(connection):
            raise Unavailable("The database is a newer release's.", hint="Update Autodub here as well.")
        busy = _busy(connection)
        if sum(busy.values()) >= self._settings.running:
            return None
        waiting = select(jobs.c.owner).where(*queued).distinct().subquery()
        free = [
            (busy.get(row.owner, 0), row.turn or 0.0, row.owner)
            for row in connection.execute(
                select(waiting.c.owner, users.c.running, users.c.turn)
                .join(users, users.c.id == waiting.c.owner)
                .where(users.c.active)
            )
            if busy.get(row.owner, 0) < (row.running or self._settings.user_running)
        ]
        if not free:
            return None
        _, _, owner = min(free)
        # In two questions, each answered by the first row of an index, however many jobs wait.
        mine = (*queued, jobs.c.owner == owner)
        most = connection.execute(select(func.max(jobs.c.priority)).where(*mine)).scalar()
        first = select(jobs.c.id).where(*mine, jobs.c.priority == most).order_by(jobs.c.queued, jobs.c.id)
        head = connection.execute(first.limit(1)).scalar()
        return None if head is None else self._take(connection, head, worker)

    def ready(self, *, most: int) -> Mapping[str, list[str]]:
        """Resource -> jobs that might begin now, ``most`` of each at most, those that wait longest first.

        What its owner's limit keeps back, or that of all machines together, is left out, and what only newer
        releases can do: a worker that asks this would take their messages for nothing. Only reads.
        """
        queued = (jobs.c.state == "queued", jobs.c.format <= specs.FORMAT)
        found: dict[str, list[str]] = {}
        with self._sql.reading() as connection:
            busy = _busy(connection)
            left = self._settings.running - sum(busy.values())
            waiting = (
                select(jobs.c.owner, users.c.running)
                .join(users, users.c.id == jobs.c.owner)
                .where(*queued, users.c.active)
                .distinct()
            )
            rows: list[tuple[float, str, str]] = []
            for owner, limit in connection.execute(waiting).all():
                free = min((limit or self._settings.user_running) - busy.get(owner, 0), left, most)
                if free > 0:
                    for bound in RESOURCES:
                        wanted = select(jobs.c.queued, jobs.c.id).where(
                            *queued, jobs.c.owner == owner, jobs.c.resource == bound
                        )
                        first = connection.execute(wanted.order_by(jobs.c.queued).limit(free))
                        rows += [(row.queued, row.id, bound) for row in first]
        for _, job, resource in sorted(rows):
            if len(found.setdefault(resource, [])) < min(most, left):
                found[resource].append(job)
        return found

    def newer(self) -> int:
        """Jobs in the queue that only workers of a newer release know how to do; only reads."""
        wanted = select(func.count()).where(jobs.c.state == "queued", jobs.c.format > specs.FORMAT)
        with self._sql.reading() as connection:
            return int(connection.execute(wanted).scalar_one())

    def _take(self, connection: Connection, job: str, worker: str) -> Job | None:
        now = self._clock()
        taken = events.change(
            connection, job, Event("job.started"), at=now, where=[jobs.c.state == "queued"],
            state="processing", holder=worker, lease=now + self._settings.lease, started=now,
            attempt=jobs.c.attempt + 1, message="", stage="", error=None, reserved_seconds=None,
            reserved_dollars=None,
        )  # fmt: skip
        if taken is None:  # cancelled at this moment
            return None
        begun = job_of(connection.execute(select(jobs).where(jobs.c.id == job)).one())
        connection.execute(update(users).where(users.c.id == begun.owner).values(turn=now))
        metrics.waited(connection, begun.resource, max(0.0, now - begun.queued))
        return begun

    def beat(self, worker: str, held: Sequence[str]) -> Mapping[str, Held]:
        """Renew the leases of a worker's jobs; what is missing in the answer is not its any more."""
        if not held:
            return {}
        mine = and_(jobs.c.id.in_(held), jobs.c.holder == worker, jobs.c.state == "processing")

        def work(connection: Connection) -> Mapping[str, Held]:
            rows = connection.execute(
                update(jobs)
                .where(mine)
                .values(lease=self._clock() + self._settings.lease)
                .returning(jobs.c.id, jobs.c.attempt, jobs.c.stopping)
            ).all()
            return {row.id: Held(row.attempt, row.stopping) for row in rows}

        return self._sql.again(work)

    def wishes(self, worker: str) -> Mapping[str, str]:
        """Jobs of a worker that somebody wants to stop -> ``cancel`` or ``delete``; only reads."""
        asked = select(jobs.c.id, jobs.c.stopping).where(
            jobs.c.holder == worker, jobs.c.state == "processing", jobs.c.stopping != ""
        )
        with self._sql.reading() as connection:
            return {row.id: row.stopping for row in connection.execute(asked)}

    def tell(
        self, job: Job, told: Sequence[Event], *, times: Sequence[float], doubtful: bool = False,
        **values: Any,
    ) -> bool:  # fmt: skip
        """Write events of a running attempt; False when the job is not ours any more.

        ``times`` are when they happened. ``doubtful`` says that an earlier try may have written just these
        without our hearing of it: then they are looked for first.
        """

        def work(connection: Connection) -> bool:
            mine = ours(job)
            if doubtful and told and events.are_there(connection, job.id, told[0], job.attempt, at=times[0]):
                return (
                    connection.execute(select(jobs.c.id).where(jobs.c.id == job.id, *mine)).first()
                    is not None
                )
            number = events.change(
                connection, job.id, *told, times=times, at=self._clock(), where=mine, **values
            )
            return number is not None

        return self._sql.again(work)

    def end(
        self, job: Job, state: State, told: Event, *, beside: Callable[[Connection], None] = lambda _: None,
        **values: Any,
    ) -> bool:  # fmt: skip
        """Finish an attempt; ``beside`` writes into the same transaction. False: not ours any more."""
        now = self._clock()

        def work(connection: Connection) -> bool:
            ended = over(job.spec, self._settings, state, at=now) | values
            number = events.change(connection, job.id, told, at=now, where=ours(job), **ended)
            if number is not None:
                beside(connection)
            return number is not None

        return self._sql.again(work)

    def hand_back(self, job: Job, why: str) -> bool:
        """Put a job back into the queue where it was: a worker that stops does not fail its jobs."""
        mine = ours(job)

        def work(connection: Connection) -> bool:
            row = _locked(connection, [jobs.c.id == job.id, *mine])
            if row is not None:
                told = Event("job.handed_back", message=why)
                self._again(connection, row, told, where=mine, crashes=row.crashes)
            return row is not None

        return self._sql.again(work)

    def late(self) -> Mapping[str, float]:
        """Jobs whose lease has run out, by this machine's clock -> that lease; only reads."""
        wanted = select(jobs.c.id, jobs.c.lease).where(
            jobs.c.state == "processing", jobs.c.lease < self._clock()
        )
        with self._sql.reading() as connection:
            return {row.id: row.lease for row in connection.execute(wanted)}

    def reclaim(self, *, dead: Sequence[str] = (), late: Mapping[str, float] | None = None) -> list[str]:
        """Queue the jobs whose lease ran out, or whose holder is known to be ``dead``; their ids.

        With ``late`` only these leases count, and only where they were not renewed since. A job that took
        its worker with it too often, without anything done in between, is failed instead.
        """
        ran_out = jobs.c.lease < self._clock()
        if late is not None:
            ran_out = or_(false(), *(and_(jobs.c.id == job, jobs.c.lease == at) for job, at in late.items()))
        lost = and_(jobs.c.state == "processing", or_(ran_out, jobs.c.holder.in_(dead)))
        with self._sql.reading() as connection:
            if connection.execute(select(jobs.c.id).where(lost).limit(1)).first() is None:
                return []

        def work(connection: Connection) -> list[str]:
            again = []
            for row in connection.execute(select(jobs).where(lost).with_for_update(skip_locked=True)).all():
                if row.crashes + 1 > self._settings.crashes and not row.stopping:
                    self._give_up(connection, row)
                    continue
                told = Event("job.lost", message="Its worker has gone; another goes on.")
                self._again(connection, row, told, where=[lost], crashes=row.crashes + 1)
                again.append(row.id)
            return again

        return self._sql.again(work)

    def _again(
        self, connection: Connection, row: Row[Any], told: Event, *, where: Sequence[Any], crashes: int
    ) -> None:
        """Queue a job whose worker does not go on with it; or end it, where that was wished."""
        now = self._clock()
        if row.stopping:
            ended = over(json.loads(row.spec), self._settings, "cancelled", at=now)
            told = Event("job.cancelled")
            events.change(connection, row.id, told, at=now, where=where, message="cancelled", **ended)
            count(connection, row.id, row.owner, at=now)
            return
        events.change(
            connection, row.id, told, at=now, where=where, state="queued", holder=None, lease=None,
            crashes=crashes,
        )  # fmt: skip

    def _give_up(self, connection: Connection, row: Row[Any]) -> None:
        now = self._clock()
        why = Failure(
            "crashed", f"The worker died {row.crashes + 1} times while it worked on this.",
            "The source may be damaged, or the machine may have too little memory; see the server's log.",
        )  # fmt: skip
        told = Event("job.failed", message=why.message, data={"code": why.code, "hint": why.hint})
        ended = over(json.loads(row.spec), self._settings, "failed", at=now)
        events.change(
            connection, row.id, told, at=now, where=[jobs.c.state == "processing"],
            error=failure_text(why), message=why.message, **ended,
        )  # fmt: skip
        count(connection, row.id, row.owner, at=now)


def ours(job: Job) -> list[Any]:
    """What must hold for a job to be the attempt's that has it in this form."""
    return [jobs.c.holder == job.holder, jobs.c.attempt == job.attempt, jobs.c.state == "processing"]


def _busy(connection: Connection) -> dict[str, int]:
    """User -> jobs that run."""
    running = select(jobs.c.owner, func.count()).where(jobs.c.state == "processing").group_by(jobs.c.owner)
    return {owner: int(count) for owner, count in connection.execute(running)}


def _locked(connection: Connection, where: Sequence[Any]) -> Row[Any] | None:
    return connection.execute(select(jobs).where(*where).with_for_update()).one_or_none()
