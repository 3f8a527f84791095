"""Jobs as their users see them: submit, look, cancel, try again, delete. Everything durable is a row."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, func, insert, or_, select

from autodub.infra import tracing
from autodub.infra.server_settings import ServerSettings
from autodub.infra.sql import Sql
from autodub.jobs import audit, events
from autodub.jobs.admission import Admission
from autodub.jobs.audit import Deed
from autodub.jobs.doorbell import Queue
from autodub.jobs.ending import count, over
from autodub.jobs.records import Actor, Job, State, job_of
from autodub.jobs.spec import JobSpec, format_of
from autodub.jobs.tables import batches, jobs
from autodub.model.errors import Conflict, NotFound
from autodub.model.job import Event

_LOCK = 4_213
"""Number of the advisory lock under which idempotency keys are looked up and taken."""
_ONE = select(jobs).where(jobs.c.id == bindparam("job"))
_LOCKED = _ONE.with_for_update()
"""Made once: jobs are looked at many times a second."""
_PLACE = re.compile(r"([0-9]{1,20}(?:\.[0-9]{1,20})?(?:e[+-]?[0-9]{1,2})?)_([0-9a-f]{32})")


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
        asked = [_digest(spec, kind) for spec in specs]
        if all(keys):
            with self._sql.reading() as connection:  # what was done is told, whatever is allowed by now
                known = [
                    self._known(connection, actor, key, digest)
                    for key, digest in zip(keys, asked, strict=True)
                ]
            if known and all(known):
                return [(job, False) for job in known if job is not None]
        admitted = [self._admission.examined(actor, spec, kind=kind) for spec in specs]

        def work(connection: Connection) -> list[tuple[Job, bool]]:
            if any(keys):  # of two requests with one key the second must see the first one's jobs
                self._sql.alone(connection, _LOCK)
            batch = self._batch(connection, actor, name, keys) if name is not None else None
            done: list[tuple[Job, bool]] = []
            deeds: list[Deed] = []
            for spec, key, digest in zip(admitted, keys, asked, strict=True):
                job = self._known(connection, actor, key, digest)
                is_new = job is None
                if job is None:
                    job, fresh_deeds = self._submit(
                        connection, actor, spec, digest, kind=kind, key=key, batch=batch
                    )
                    deeds += fresh_deeds
                done.append((job, is_new))
            fresh = sum(is_new for _, is_new in done)
            self._admission.counted(connection, actor, fresh=fresh, are_in=True)
            # At the end and all together: whoever else has something to record waits for no batch.
            audit.record_all(self._sql, connection, actor, deeds, at=self._clock())
            return done

        done = self._sql.again(work)
        self._queue.ring(*(job for job, is_new in done if is_new))
        return done

    def _known(self, connection: Connection, actor: Actor, key: str | None, asked: str) -> Job | None:
        """The job that an idempotency key made. Raises Conflict where it was made for another request."""
        same = and_(jobs.c.owner == actor.id, jobs.c.idempotency == key)
        row = connection.execute(select(jobs).where(same)).one_or_none() if key is not None else None
        if row is not None and row.asked != asked:
            raise Conflict(
                "This idempotency key was used for another request.", hint="Use a new key for each."
            )
        return None if row is None else job_of(row)

    def _submit(
        self, connection: Connection, actor: Actor, spec: JobSpec, asked: str, *, kind: str, key: str | None,
        batch: str | None,
    ) -> tuple[Job, list[Deed]]:  # fmt: skip
        text = spec.model_dump_json(exclude_defaults=True)
        now, job = self._clock(), secrets.token_hex(16)
        connection.execute(
            insert(jobs).values(
                id=job, owner=actor.id, batch=batch, idempotency=key, asked=asked, kind=kind, state="queued",
                resource=self._admission.resource(spec), format=format_of(spec),
                priority=spec.priority, title=self._admission.title(connection, spec), spec=text, created=now,
                queued=now, updated=now, attempt=0, crashes=0, stopping="", progress=0.0, stage="",
                message="", revision=0, made=0, spent=0, events=0, seen="{}",
                trace=tracing.current() or None,
            )
        )  # fmt: skip
        deeds = self._admission.kept(connection, actor, job, spec, at=now)
        events.change(connection, job, Event("job.queued"), at=now)
        facts = {"kind": kind, "target": spec.target, "clones": spec.clone_voices}
        deeds.append(Deed("job.submitted", f"job:{job}", facts))
        return job_of(connection.execute(select(jobs).where(jobs.c.id == job)).one()), deeds

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
            wanted = wanted.where(jobs.c.title.icontains(text.replace("\0", ""), autoescape=True))
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
            found = self._own(connection, actor, job, lock=True)
            if how == "cancel" and (found.is_over or found.stopping):
                return found
            told: list[Event] = []
            values: dict[str, Any] = {}
            if found.state == "queued":
                told = [Event("job.cancelled")]
                values = over(found.spec, self._settings, "cancelled", at=now) | {"message": "cancelled"}
            elif found.state == "processing":  # its worker stops it
                told = [] if found.stopping else [Event("job.stopping", data={"how": how})]
                values = {"stopping": how}
            if how == "delete":  # nobody finds it by its key any more
                values |= {"stopping": how, "idempotency": None}
            events.change(connection, job, *told, at=now, **values)
            if found.state == "queued":  # whoever had it last may have died, or handed it back
                count(connection, job, found.owner, at=now)
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
        """Queue a job in one of these states. Raises Conflict in another, and RequestError."""
        if (standing := self.get(actor, job)).state in of:
            self._admission.possible(actor, standing)
        now = self._clock()

        def work(connection: Connection) -> Job:
            found = self._own(connection, actor, job, lock=True)
            if found.state not in of:
                raise Conflict(
                    f"The job is {found.state}.", hint=f"This can be done when it is {' or '.join(of)}."
                )
            self._admission.again(connection, actor, found)
            events.change(
                connection, job, Event("job.queued"), at=now, state="queued", queued=now, finished=None,
                expires=None, stopping="", progress=0.0, stage="", message="", error=None, crashes=0,
            )  # fmt: skip
            audit.record(self._sql, connection, actor, action, f"job:{job}", at=now)
            return job_of(connection.execute(select(jobs).where(jobs.c.id == job)).one())

        done = self._sql.again(work)
        self._queue.ring(done)
        return done

    def _own(self, connection: Connection, actor: Actor, job: str, *, lock: bool = False) -> Job:
        """A job of the actor's; with ``lock`` nobody else changes it before this transaction ends."""
        row = connection.execute(_LOCKED if lock else _ONE, {"job": job}).one_or_none()
        if row is None or not (row.owner == actor.id or actor.is_admin) or row.stopping == "delete":
            raise NotFound(
                f"There is no job {job[:40]}.", hint="It may have been deleted, or its time was over."
            )
        return job_of(row)


def _digest(spec: JobSpec, kind: str) -> str:
    """What was asked for, as it came: who repeats a request repeats it to the letter."""
    return sha256(f"{kind}\n{spec.model_dump_json(exclude_defaults=True)}".encode()).hexdigest()


def _page(wanted: Select[Any], after: str | None) -> Select[Any]:
    ordered = wanted.order_by(jobs.c.created.desc(), jobs.c.id.desc())
    if after is None:
        return ordered
    place = _PLACE.fullmatch(after)
    if place is None:
        raise NotFound("There is no such page.", hint="Begin at the first one.")
    created, job = float(place[1]), place[2]
    older = or_(jobs.c.created < created, and_(jobs.c.created == created, jobs.c.id < job))
    return ordered.where(older)
