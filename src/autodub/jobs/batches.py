"""Batches: many sources in many languages as one request, and what has become of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, Row, and_, delete, func, select

from autodub.infra.faults import faults
from autodub.infra.sql import Sql
from autodub.jobs import audit
from autodub.jobs.admission import Admission
from autodub.jobs.records import Actor, Job, job_of
from autodub.jobs.service import Jobs
from autodub.jobs.spec import JobSpec
from autodub.jobs.tables import batches, jobs
from autodub.model.errors import Conflict, NotFound, RequestError

MOST = 200
"""Jobs of one batch."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why one job of a batch cannot be."""

    source: int
    """Index in ``sources``."""
    target: int
    """Index in ``targets``."""
    why: str


class BatchRefused(RequestError):
    """Some jobs of a batch cannot be, so none was queued."""

    def __init__(self, refusals: Sequence[Refusal], of: int) -> None:
        first = refusals[0]
        super().__init__(
            f"{len(refusals)} of the batch's {of} jobs cannot be made, so none was queued: {first.why}",
            hint="Mend or leave out those that errors lists.",
        )
        self.refusals = tuple(refusals)


@dataclass(frozen=True, slots=True)
class Batch:
    """Jobs that came together."""

    id: str
    name: str
    owner: str
    created: float
    counts: Mapping[str, int]
    """State -> jobs; those that were deleted are not counted."""
    progress: float
    """0..1, the mean of its jobs."""
    dollars: float

    @property
    def total(self) -> int:
        """Jobs that are left of it."""
        return sum(self.counts.values())


class Batches:
    """The batches of a platform."""

    def __init__(
        self, sql: Sql, own: Jobs, admission: Admission, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._sql, self._jobs, self._admission, self._clock = sql, own, admission, clock

    def submit(
        self, actor: Actor, name: str, sources: Sequence[Mapping[str, Any]], targets: Sequence[str],
        wishes: Mapping[str, Any], *, idempotency: str | None = None,
    ) -> tuple[str, list[Job], bool]:  # fmt: skip
        """Queue every source in every target language, or nothing: the batch, its jobs, whether it is new.

        ``sources`` and ``wishes`` are fields of ``JobSpec``; what a source says goes before the wishes.
        Raises BatchRefused with every job that cannot be, Conflict for a key of another request, and
        whatever concerns all of them (QuotaExceeded).
        """
        places = [(s, t) for s in range(len(sources)) for t in range(len(targets))]
        specs: list[JobSpec] = []
        invalid: list[Refusal] = []
        for s, t in places:
            try:
                specs.append(JobSpec.model_validate({**wishes, **sources[s], "target": targets[t]}))
            except ValidationError as problem:
                invalid.append(Refusal(s, t, _first(problem)))
        if invalid:
            raise BatchRefused(invalid, len(places))
        keys = _keys(idempotency, len(specs))
        if idempotency is not None:
            self._refuse_other(actor, keys)
        try:
            done = self._jobs.submit_all(actor, specs, idempotency=keys, name=name)
        except RequestError:
            refusals = self._refused(actor, specs, places)
            alike = len(refusals) == len(specs) and len({one.why for one in refusals}) == 1
            if refusals and not alike:  # what concerns all of them is said once, as what it is
                raise BatchRefused(refusals, len(places)) from None
            raise
        batch = next((job.batch for job, _ in done if job.batch is not None), None)
        if batch is None:
            raise Conflict(
                "This idempotency key was used for a batch that was deleted.", hint="Use a new key."
            )
        return batch, [job for job, _ in done], any(is_new for _, is_new in done)

    def get(self, actor: Actor, batch: str) -> Batch:
        """One batch. Raises NotFound, also for somebody else's."""
        with self._sql.reading() as connection:
            return self._own(connection, actor, batch)

    def jobs(self, actor: Actor, batch: str) -> list[Job]:
        """Its jobs, in the order they were asked for."""
        self.get(actor, batch)
        with self._sql.reading() as connection:
            rows = connection.execute(select(jobs).where(_of(batch)).order_by(jobs.c.created, jobs.c.id))
            return [job_of(row) for row in rows]

    def list(self, actor: Actor, *, limit: int = 50, before: float | None = None) -> list[Batch]:
        """The user's batches, newest first; ``before``: those created before that moment."""
        wanted = select(batches).where(batches.c.owner == actor.id)
        if before is not None:
            wanted = wanted.where(batches.c.created < before)
        wanted = wanted.order_by(batches.c.created.desc(), batches.c.id).limit(limit)
        with self._sql.reading() as connection:
            return [*self._shown(connection, connection.execute(wanted).all())]

    def cancel(self, actor: Actor, batch: str) -> Batch:
        """Stop all of its jobs that are not over."""
        for job in self.jobs(actor, batch):
            if not job.is_over:
                with suppress(NotFound):  # deleted meanwhile
                    self._jobs.cancel(actor, job.id)
        return self.get(actor, batch)

    def retry(self, actor: Actor, batch: str) -> Batch:
        """Queue those of its jobs again that failed or were cancelled."""
        for job in self.jobs(actor, batch):
            if job.state in ("failed", "cancelled"):
                with suppress(NotFound, Conflict):  # deleted, or in the queue meanwhile
                    self._jobs.retry(actor, job.id)
        return self.get(actor, batch)

    def delete(self, actor: Actor, batch: str) -> None:
        """Remove it with all of its jobs, each as soon as nobody works on it."""
        for job in self.jobs(actor, batch):
            with suppress(NotFound):  # deleted meanwhile
                self._jobs.delete(actor, job.id)

        def work(connection: Connection) -> None:
            self._own(connection, actor, batch)
            connection.execute(delete(batches).where(batches.c.id == batch))
            audit.record(
                self._sql, connection, actor, "batch.deleted", f"batch:{batch}", at=self._clock()
            )  # fmt: skip

        self._sql.again(work)

    def _own(self, connection: Connection, actor: Actor, batch: str) -> Batch:
        row = connection.execute(select(batches).where(batches.c.id == batch)).one_or_none()
        if row is None or not (row.owner == actor.id or actor.is_admin):
            raise NotFound(f"There is no batch {batch[:40]}.", hint="It may have been deleted.")
        return self._shown(connection, [row])[0]

    def _shown(self, connection: Connection, rows: Sequence[Row[Any]]) -> Sequence[Batch]:
        """Batches with what has become of their jobs, in one question for all."""
        states = (
            select(jobs.c.batch, jobs.c.state, func.count().label("count"), *_SUMS)
            .where(jobs.c.batch.in_([row.id for row in rows]), jobs.c.stopping != "delete")
            .group_by(jobs.c.batch, jobs.c.state)
        )
        found = connection.execute(states).all()
        shown = []
        for row in rows:
            mine = [one for one in found if one.batch == row.id]
            counts: dict[str, int] = {one.state: one[2] for one in mine}
            done, total = sum(float(one.progress) for one in mine), sum(counts.values())
            spent = float(sum(one.spent for one in mine))
            progress = done / total if total else 0.0
            shown.append(Batch(row.id, row.name, row.owner, row.created, counts, progress, spent))
        return shown

    def _refused(
        self, actor: Actor, specs: Sequence[JobSpec], places: Sequence[tuple[int, int]]
    ) -> tuple[Refusal, ...]:
        refusals = []
        for spec, (s, t) in zip(specs, places, strict=True):
            try:
                self._admission.examined(actor, spec, kind="dub")
            except RequestError as problem:
                refusals.append(Refusal(s, t, problem.message))
        return tuple(refusals)

    def _refuse_other(self, actor: Actor, keys: Sequence[str | None]) -> None:
        """Raise Conflict when a batch with this key had more or fewer jobs."""
        first = str(keys[0]).rpartition(".")[0]
        same = and_(
            jobs.c.owner == actor.id, jobs.c.idempotency.startswith(first + ".", autoescape=True)
        )  # fmt: skip
        with self._sql.reading() as connection:
            known = set(connection.execute(select(jobs.c.idempotency).where(same)).scalars())
        if known and not known <= set(keys):
            raise Conflict(
                "This idempotency key was used for another request.", hint="Use a new key for each."
            )


_SUMS = (func.sum(jobs.c.progress).label("progress"), func.sum(jobs.c.spent).label("spent"))


def _of(batch: str) -> Any:
    return and_(jobs.c.batch == batch, jobs.c.stopping != "delete")


def _keys(key: str | None, count: int) -> list[str | None]:
    """A key for each job of a batch; never one that a single job's could be."""
    if key is None:
        return [None] * count
    told = sha256(key.encode()).hexdigest()
    return [f"batch.{told}.{number}-{count}" for number in range(count)]


def _first(problem: ValidationError) -> str:
    return str(faults(problem, JobSpec)[0])
