"""Carrying out one claimed job: from its row to a result, a failure, or back into the queue."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, insert, select, update

from autodub.gateway.cancel import Cancel
from autodub.infra import logs
from autodub.infra.blobs import blob_named
from autodub.infra.pg_offers import WorkersAway
from autodub.jobs import exports
from autodub.jobs.ending import count, failure_text
from autodub.jobs.guard import Guard
from autodub.jobs.notes import GLOSSARY
from autodub.jobs.platform import Platform
from autodub.jobs.recorder import PATIENCE, Recorder
from autodub.jobs.records import Failure, Job, State
from autodub.jobs.results import Result, of_dub, of_estimate
from autodub.jobs.spec import JobSpec, asked
from autodub.jobs.tables import glossaries, jobs, projects, uploads
from autodub.model.errors import AutodubError, Gone, NotFound, Unavailable, UnsupportedSource
from autodub.model.job import Event, Listener
from autodub.model.request import DubRequest
from autodub.pipeline.estimating import foretell
from autodub.pipeline.making import make

log = logging.getLogger("autodub.jobs")
T = TypeVar("T")
_PAUSE = 0.5
"""Seconds between two tries to tell a database that is away how a job ended."""


class Runner:
    """Carries out jobs, one per call of ``run``; safe for many threads."""

    def __init__(
        self, platform: Platform, *, clock: Callable[[], float] = time.time, patience: float = PATIENCE
    ) -> None:
        """``patience``: seconds for which the end of a job is told to a database that is away."""
        self._platform, self._clock, self._patience = platform, clock, patience

    def run(self, job: Job, cancel: Cancel, *, why: Callable[[], str]) -> None:
        """Carry out a job; never raises. ``why`` tells, after ``cancel``, what is to become of it.

        When even its end cannot be told, the job is left to its lease, and taken up again after that.
        """
        recorder = Recorder(self._platform.claims, job, lost=cancel.request, clock=self._clock)
        began = time.monotonic()
        named = logs.bind(lambda: {"job": job.id, "user": job.owner})
        log.info("job begins", extra={"job": job.id, "attempt": job.attempt, "kind": job.kind})
        try:
            self._run(job, recorder, cancel, why, began)
        except Unavailable as problem:
            log.warning("how the job ended could not be told: %s", problem.message, extra={"job": job.id})
        except Exception:  # the worker outlives whatever one job does
            log.exception("a job could not be ended", extra={"job": job.id})
        finally:
            recorder.close(patience=0.0)
            logs.unbind(named)

    def _run(
        self, job: Job, recorder: Recorder, cancel: Cancel, why: Callable[[], str], began: float
    ) -> None:
        try:
            result = self._carry_out(job, recorder, cancel)
        except Unavailable as problem:  # what many share, or workers elsewhere: no fault of the job
            self._close(recorder)
            away = problem.message if isinstance(problem, WorkersAway) else "The database was away."
            self._insist(lambda: self._platform.claims.hand_back(job, away))
        except AutodubError as problem:
            self._close(recorder)
            if cancel.requested:  # what broke while it was being stopped is not why it ends
                self._stopped(job, why() if recorder.is_ours else "lost", began)
            else:
                self._failed(job, Failure(problem.code, problem.message, problem.hint), began)
        except Exception as problem:  # a fault of ours: one job fails, the worker goes on
            self._close(recorder)
            log.exception("job failed by a fault", extra={"job": job.id})
            self._failed(job, _fault(problem), began)
        else:
            self._close(recorder)
            try:
                self._completed(job, result, recorder, began)
            except Unavailable:  # left to its lease
                raise
            except Exception as problem:  # such as a file that is gone: it would be no better next time
                log.exception("job failed by a fault at its end", extra={"job": job.id})
                self._failed(job, _fault(problem), began)

    def _carry_out(self, job: Job, recorder: Recorder, cancel: Cancel) -> Result:
        traces = self._platform.traces
        with traces.begin(f"job {job.kind}", kind="consumer", parent=job.trace, job=job.id) as trace:
            return self._make(job, recorder if not traces.is_on else trace.beside(recorder), cancel)

    def _make(self, job: Job, listener: Listener, cancel: Cancel) -> Result:
        if job.kind == "dub":  # an estimate costs nothing
            self._platform.quotas.reserve(job, 0.0)
        request = self._request(job)
        settings = self._platform.settings
        if job.kind == "estimate":
            return of_estimate(
                foretell(request, settings=settings, listener=listener, cancel=cancel, owner=job.id)
            )
        made = make(
            request, settings=settings, listener=listener, cancel=cancel, edits_text=self._project(job),
            owner=job.id, policy=Guard(self._platform, job),
        )  # fmt: skip
        exports.note(self._platform.folder(job.id), made.done, settings, job.id)
        self._platform.notes.publish(job.id)
        return self._platform.signing.signed(job.id, of_dub(made), listener)

    def _request(self, job: Job) -> DubRequest:
        spec = asked(job)
        folder = self._platform.folder(job.id)
        folder.mkdir(parents=True, exist_ok=True)
        with self._platform.sql.reading() as connection:
            source, title = str(spec.source), spec.title
            if spec.upload is not None:
                path, name = self._upload(connection, job, spec.upload)
                source, title = str(path), spec.title or name
            subtitles = None
            if spec.subtitles is not None:
                subtitles, _ = self._upload(connection, job, spec.subtitles)
            glossary = None
            if spec.glossary is not None:
                wanted = select(glossaries.c.text).where(
                    glossaries.c.id == spec.glossary, glossaries.c.owner == job.owner
                )
                text = connection.execute(wanted).scalar()
                if text is None:
                    raise NotFound("The glossary of this job is gone.", hint="Submit it with another one.")
                glossary = folder / GLOSSARY
                glossary.write_text(text, encoding="utf-8")
        return spec.request(
            source, title=title, subtitles=subtitles, glossary=glossary, budget=self._budget(job, spec)
        )

    def _upload(self, connection: Connection, job: Job, upload: str) -> tuple[Path, str]:
        mine = select(uploads).where(uploads.c.id == upload, uploads.c.owner == job.owner)
        row = connection.execute(mine).one_or_none()
        gone = UnsupportedSource(f"The upload {upload} is gone.", hint="Upload the file again.")
        if row is None or not row.blob:
            raise gone
        blob = blob_named(row.blob, row.size)
        try:
            self._platform.store.pin(job.id, blob)
        except Gone:
            raise gone from None
        return self._platform.store.blobs.path(blob), row.name

    def _budget(self, job: Job, spec: JobSpec) -> Decimal | None:
        """What this attempt may cost: the least of what was asked, what is allowed, and what is left.

        None = no limit. What an estimate finds out is told, whether it can be paid or not.
        """
        if job.kind == "estimate":
            return None
        whole = [
            limit for limit in (spec.budget, self._platform.server.job_dollars or None) if limit is not None
        ]
        limits = [max(Decimal(0), limit - job.spent) for limit in whole]
        left = self._platform.quotas.month(job.owner, besides=job.id).dollars_left
        if left is not None:
            limits.append(left)
        return min(limits) if limits else None

    def _project(self, job: Job) -> str | None:
        if not job.revision:
            return None
        wanted = select(projects.c.text).where(projects.c.job == job.id, projects.c.revision == job.revision)
        with self._platform.sql.reading() as connection:
            return connection.execute(wanted).scalar_one_or_none()

    def _completed(self, job: Job, result: Result, recorder: Recorder, began: float) -> None:
        seconds = result.seconds if job.kind == "dub" else 0.0  # an estimate uses up no minutes
        project = self._text(result, "project")
        costs = json.loads(self._text(result, "receipt") or "{}").get("costs", [])
        wall = time.monotonic() - began
        values = {
            "result": result.model_dump_json(), "progress": 1.0, "message": result.summary, "stage": "",
            "duration": result.seconds, "seen": json.dumps({"stages": recorder.seconds, "wall": wall}),
        }  # fmt: skip

        def beside(connection: Connection) -> None:
            self._count(connection, job, seconds, began, costs)
            if project is not None:
                self._revise(connection, job, project)

        facts = {"reused": result.reused, "seconds": round(wall, 3), "programme": result.seconds}
        told = Event("job.completed", message=result.summary, data=facts)
        if self._insist(lambda: self._platform.claims.end(job, "completed", told, beside=beside, **values)):
            log.info("job completed", extra={"job": job.id, "seconds": round(wall, 2)})

    def _revise(self, connection: Connection, job: Job, project: str) -> None:
        """Keep the project as it was made, unless a person has edited it meanwhile: then that one stays.

        The job's row is locked here, so that no edit comes between.
        """
        same = jobs.c.id == job.id
        revision = connection.execute(select(jobs.c.revision).where(same)).scalar_one()
        if revision == job.revision:
            wanted = (projects.c.job == job.id) & (projects.c.revision == revision)
            if connection.execute(select(projects.c.text).where(wanted)).scalar() != project:
                revision += 1
                values = {"job": job.id, "revision": revision, "text": project, "what": "made"}
                connection.execute(insert(projects).values(**values, created=self._clock()))
            connection.execute(update(jobs).where(same).values(revision=revision, made=revision))
        else:
            connection.execute(update(jobs).where(same).values(made=job.revision))

    def _text(self, result: Result, name: str) -> str | None:
        item = result.files.get(name)
        return None if item is None else self._platform.store.blobs.path(item.blob).read_text("utf-8")

    def _failed(self, job: Job, why: Failure, began: float) -> None:
        told = Event("job.failed", message=why.message, data={"code": why.code, "hint": why.hint})
        self._end(job, "failed", told, began, error=failure_text(why), message=why.message)
        log.warning("job failed", extra={"job": job.id, "code": why.code})

    def end_late(self, job: Job, began: float) -> None:
        """Fail a job that takes too long. Raises Unavailable."""
        hours = self._platform.server.job_hours
        why = Failure(
            "too_slow", f"It was not done after {hours:g} hours.",
            "Try it again: what was finished is kept, and it goes on from there.",
        )  # fmt: skip
        self._failed(job, why, began)

    def _stopped(self, job: Job, why: str, began: float) -> None:
        if why == "lost":
            log.warning("job is another worker's now", extra={"job": job.id})
        elif why in ("cancel", "delete"):
            self._end(job, "cancelled", Event("job.cancelled"), began, message="cancelled")
            self._platform.queue.ring()  # what is to be deleted can be, now
        else:
            self._insist(
                lambda: self._platform.claims.hand_back(job, "The worker stops; another one goes on.")
            )
            log.info("job handed back", extra={"job": job.id})

    def _end(self, job: Job, state: State, told: Event, began: float, **values: object) -> None:
        self._insist(
            lambda: self._platform.claims.end(
                job, state, told, beside=lambda connection: self._count(connection, job, 0.0, began), **values
            )
        )

    def _count(
        self, connection: Connection, job: Job, seconds: float, began: float,
        costs: Iterable[Mapping[str, Any]] = (),
    ) -> None:  # fmt: skip
        compute = time.monotonic() - began
        count(connection, job.id, job.owner, at=self._clock(), seconds=seconds, compute=compute, costs=costs)

    def _close(self, recorder: Recorder) -> None:
        recorder.close(patience=self._patience)

    def _insist(self, work: Callable[[], T]) -> T:
        """Do it, again and again while the database is away, for as long as there is patience."""
        end = time.monotonic() + self._patience
        while True:
            try:
                return work()
            except Unavailable:
                if time.monotonic() > end:
                    raise
                time.sleep(_PAUSE)


def _fault(problem: Exception) -> Failure:
    hint = "This is a fault of Autodub; the server's log has the details."
    return Failure("internal", f"Autodub made a mistake ({type(problem).__name__}).", hint)
