"""Jobs as their users see them: submit, look, cancel, try again, delete. Everything durable is a row."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Select, and_, delete, func, insert, or_, select

from autodub.infra.server_settings import ServerSettings
from autodub.infra.sql import Sql
from autodub.jobs import audit, events
from autodub.jobs.admission import Admission
from autodub.jobs.doorbell import Queue
from autodub.jobs.records import OVER, Actor, Job, State, job_of
from autodub.jobs.spec import JobSpec
from autodub.jobs.tables import batches, jobs
from autodub.model.errors import Conflict, NotFound
from autodub.model.job import Event

DAY = 86_400.0
_LOCK = 4_213
"""Number of the advisory lock under which idempotency keys are looked up and taken."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some jobs of a list, newest first."""

    jobs: tuple[Job, ...]
    after: str | None
    """Where the next page begins; None at the end."""
    total: int


class Jobs:
    """The jobs of a platform. Safe for many threads and processes at once."""

    def __init__(
        self,
        sql: Sql,
        settings: ServerSettings,
        queue: Queue,
        admission: Admission,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._sql, self._settings, self._queue, self._admission = sql, settings, queue, admission
        self._clock = clock

    def submit(
        self, actor: Actor, spec: JobSpec, *, kind: str = "dub", idempotency: str | None = None
    ) -> tuple[Job, bool]:
        """Queue a job; whether it is new. The same idempotency key gives the same job again.

        Raises RequestError for what cannot be done, before anything is kept: see ``Admission``.
        """
        ((job, is_new),) = self.submit_all(actor, [spec], kind=kind, idempotency=[idempotency])
        return job, is_new

    def submit_all(
        self, actor: Actor, specs: Sequence[JobSpec], *, kind: str = "dub",
        idempotency: Sequence[str | None] = (), name: str | None = None,
    ) -> list[tuple[Job, bool]]:  # fmt: skip
        """Queue jobs, all of them or none; with a ``name`` they are a batch."""
        keys = list(idempotency) or [None] * len(specs)
        admitted = [self._admission.examined(actor, spec, kind=kind) for spec in specs]

        def work(connection: Connection) -> list[tuple[Job, bool]]:
            if any(keys):  # of two requests with one key the second must see the first one's jobs
                self._sql.alone(connection, _LOCK)
            batch = self._batch(connection, actor, name, keys) if name is not None else None
            done = [
                self._submit(connection, actor, spec, kind=kind, key=key, batch=batch)
                for spec, key in zip(admitted, keys, strict=True)
            ]
            fresh = sum(is_new for _, is_new in done)
            self._admission.counted(connection, actor, specs=admitted, fresh=fresh)
            return done

        done = self._sql.again(work)
        self._queue.ring()
        return done

    def _submit(
        self, connection: Connection, actor: Actor, spec: JobSpec, *, kind: str, key: str | None,
        batch: str | None,
    ) -> tuple[Job, bool]:  # fmt: skip
        text = spec.model_dump_json(exclude_defaults=True)
        asked = sha256(f"{kind}\n{text}".encode()).hexdigest()
        if key is not None:
            same = and_(jobs.c.owner == actor.id, jobs.c.idempotency == key)
            row = connection.execute(select(jobs).where(same)).one_or_none()
            if row is not None:
                if row.asked != asked:
                    raise Conflict(
                        "This idempotency key was used for another request.", hint="Use a new key for each."
                    )
                return job_of(row), False
        now, job = self._clock(), secrets.token_hex(16)
        connection.execute(
            insert(jobs).values(
                id=job, owner=actor.id, batch=batch, idempotency=key, asked=asked, kind=kind, state="queued",
                priority=spec.priority, title=self._admission.title(connection, spec), spec=text, created=now,
                queued=now, updated=now, attempt=0, crashes=0, stopping="", progress=0.0, stage="",
                message="", revision=0, made=0, spent=0, events=0, seen="{}",
            )
        )  # fmt: skip
        self._admission.kept(connection, actor, job, spec, at=now)
        events.change(connection, job, Event("job.queued"), at=now)
        audit.record(
            self._sql, connection, actor, "job.submitted", f"job:{job}", at=now,
            data={"kind": kind, "target": spec.target, "clones": spec.clone_voices},
        )  # fmt: skip
        return job_of(connection.execute(select(jobs).where(jobs.c.id == job)).one()), True

    def _batch(
        self, connection: Connection, actor: Actor, name: str, keys: Sequence[str | None]
    ) -> str:  # fmt: skip
        """A new batch, or the one that the jobs of these idempotency keys are in already."""
        given = [key for key in keys if key is not None]
        same = and_(jobs.c.owner == actor.id, jobs.c.idempotency.in_(given), jobs.c.batch.is_not(None))
        known = connection.execute(select(jobs.c.batch).where(same).limit(1)).scalar() if given else None
        if known is not None:
            return str(known)
        batch = secrets.token_hex(16)
        values = {"id": batch, "owner": actor.id, "name": name, "created": self._clock()}
        connection.execute(insert(batches).values(**values))
        return batch

    def get(self, actor: Actor, job: str) -> Job:
        """One job. Raises NotFound, also for a job of somebody else."""
        with self._sql.reading() as connection:
            return self._own(connection, actor, job)

    def list(
        self, actor: Actor, *, states: Sequence[str] = (), batch: str | None = None,
        target: str | None = None, text: str | None = None, owner: str | None = None,
        kind: str | None = "dub",
        after: str | None = None, limit: int = 50,
    ) -> Page:  # fmt: skip
        """Jobs, newest first: an admin's view has everybody's when ``owner`` is ``*``."""
        wanted = select(jobs).where(jobs.c.stopping != "delete")
        if not (actor.is_admin and owner == "*"):
            wanted = wanted.where(jobs.c.owner == (owner if actor.is_admin and owner else actor.id))
        if kind:
            wanted = wanted.where(jobs.c.kind == kind)
        if states:
            wanted = wanted.where(jobs.c.state.in_(states))
        if batch:
            wanted = wanted.where(jobs.c.batch == batch)
        if target:
            wanted = wanted.where(jobs.c.spec.contains(f'"target":{json.dumps(target)}', autoescape=True))
        if text:
            wanted = wanted.where(jobs.c.title.icontains(text, autoescape=True))
        with self._sql.reading() as connection:
            total = connection.execute(select(func.count()).select_from(wanted.subquery())).scalar_one()
            rows = connection.execute(_page(wanted, after).limit(limit + 1)).all()
        found = tuple(job_of(row) for row in rows[:limit])
        more = f"{found[-1].created!r}_{found[-1].id}" if len(rows) > limit else None
        return Page(found, more, total)

    def cancel(self, actor: Actor, job: str) -> Job:
        """Stop a job; finished work is kept for a retry. A job that is over already stays as it is."""
        return self._stop(actor, job, "cancel")

    def delete(self, actor: Actor, job: str) -> Job:
        """Remove a job and everything of it, as soon as nobody works on it. See ``Erasing``."""
        return self._stop(actor, job, "delete")

    def _stop(self, actor: Actor, job: str, how: str) -> Job:
        now = self._clock()

        def work(connection: Connection) -> Job:
            found = self._own(connection, actor, job)
            if how == "cancel" and found.is_over:
                return found
            told = [] if found.stopping else [Event("job.stopping", data={"how": how})]
            values: dict[str, Any] = {"stopping": how}
            if found.state == "queued":
                told = [Event("job.cancelled")]
                values |= {"state": "cancelled", "finished": now, "stopping": "" if how == "cancel" else how}
            # A job that was claimed meanwhile is stopped by its worker.
            same = [jobs.c.state == found.state]
            if events.change(connection, job, *told, at=now, where=same, **values) is None:
                events.change(connection, job, at=now, stopping=how)
            word = {"cancel": "job.cancelled", "delete": "job.deleted"}[how]
            audit.record(self._sql, connection, actor, word, f"job:{job}", at=now)
            return job_of(connection.execute(select(jobs).where(jobs.c.id == job)).one())

        done = self._sql.again(work)
        self._queue.ring()
        return done

    def retry(self, actor: Actor, job: str) -> Job:
        """Queue a job that failed or was cancelled again; it goes on from what was kept."""
        return self.queue_again(actor, job, of=("failed", "cancelled"), action="job.retried")

    def queue_again(self, actor: Actor, job: str, *, of: Sequence[State], action: str) -> Job:
        """Queue a job in one of these states. Raises Conflict in another."""
        now = self._clock()

        def work(connection: Connection) -> Job:
            found = self._own(connection, actor, job)
            self._admission.again(connection, actor, found)
            number = events.change(
                connection, job, Event("job.queued"), at=now,
                where=[jobs.c.state.in_(of), jobs.c.stopping != "delete"],
                state="queued", queued=now, finished=None, expires=None, stopping="", progress=0.0, stage="",
                message="", error=None, crashes=0,
            )  # fmt: skip
            if number is None:
                raise Conflict(
                    f"The job is {found.state}.", hint=f"This can be done when it is {' or '.join(of)}."
                )
            audit.record(self._sql, connection, actor, action, f"job:{job}", at=now)
            return job_of(connection.execute(select(jobs).where(jobs.c.id == job)).one())

        done = self._sql.again(work)
        self._queue.ring()
        return done

    def forget(self, job: str) -> None:
        """Take the row of a job out whose files are gone; everything that hangs on it goes too."""
        with self._sql.writing() as connection:
            connection.execute(delete(jobs).where(jobs.c.id == job, jobs.c.state.in_(OVER)))

    def _own(self, connection: Connection, actor: Actor, job: str) -> Job:
        row = connection.execute(select(jobs).where(jobs.c.id == job)).one_or_none()
        if row is None or not (row.owner == actor.id or actor.is_admin) or row.stopping == "delete":
            raise NotFound(
                f"There is no job {job[:40]}.", hint="It may have been deleted, or its time was over."
            )
        return job_of(row)


def _page(wanted: Select[Any], after: str | None) -> Select[Any]:
    ordered = wanted.order_by(jobs.c.created.desc(), jobs.c.id.desc())
    if after is None:
        return ordered
    moment, _, job = after.partition("_")
    try:
        created = float(moment)
    except ValueError:
        raise NotFound("There is no such page.", hint="Begin at the first one.") from None
    older = or_(jobs.c.created < created, and_(jobs.c.created == created, jobs.c.id < job))
    return ordered.where(older)
