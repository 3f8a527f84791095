"""Carrying out one claimed job: from its row to a result, a failure, or back into the queue."""

from __future__ import annotations

import json
import logging
import secrets
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from sqlalchemy import Connection, insert, select, update

from autodub.gateway.cancel import Cancel
from autodub.infra.blobs import blob_named
from autodub.jobs.claiming import failure_text
from autodub.jobs.guard import Guard
from autodub.jobs.platform import Platform
from autodub.jobs.recorder import Recorder
from autodub.jobs.records import Failure, Job
from autodub.jobs.results import Result, of_dub, of_estimate
from autodub.jobs.spec import JobSpec
from autodub.jobs.tables import glossaries, jobs, projects, uploads, usage
from autodub.model.errors import AutodubError, Cancelled, QuotaExceeded, UnsupportedSource
from autodub.model.job import Event
from autodub.model.request import DubRequest
from autodub.pipeline.estimating import foretell
from autodub.pipeline.making import make

log = logging.getLogger("autodub.jobs")


class Runner:
    """Carries out jobs, one per call of ``run``; safe for many threads."""

    def __init__(self, platform: Platform, *, clock: Callable[[], float] = time.time) -> None:
        self._platform, self._clock = platform, clock

    def run(self, job: Job, cancel: Cancel, *, why: Callable[[], str]) -> None:
        """Carry out a job; never raises. ``why`` tells, after ``cancel``, what is to become of it."""
        recorder = Recorder(self._platform.claims, job)
        began = time.monotonic()
        log.info("job begins", extra={"job": job.id, "attempt": job.attempt, "kind": job.kind})
        try:
            result = self._carry_out(job, recorder, cancel)
        except Cancelled:
            recorder.close()
            self._stopped(job, why(), began)
        except AutodubError as problem:
            recorder.close()
            if cancel.requested:  # what broke while it was being stopped is not why it ends
                self._stopped(job, why(), began)
            else:
                self._failed(job, Failure(problem.code, problem.message, problem.hint), began)
        except Exception as problem:  # a fault of ours: one job fails, the worker goes on
            recorder.close()
            log.exception("job failed by a fault", extra={"job": job.id})
            said = self._platform.settings.redact(f"{type(problem).__name__}: {problem}")
            hint = "This is a fault of Autodub; the server's log has the details."
            self._failed(job, Failure("internal", said[:500], hint), began)
        else:
            recorder.close()
            self._completed(job, result, recorder, began)

    def _carry_out(self, job: Job, recorder: Recorder, cancel: Cancel) -> Result:
        request = self._request(job)
        if job.kind == "estimate":
            settings = self._platform.settings
            return of_estimate(foretell(request, settings=settings, listener=recorder, cancel=cancel))
        made = make(
            request, settings=self._platform.settings, listener=recorder, cancel=cancel,
            edits_text=self._project(job), policy=Guard(self._platform, job),
        )  # fmt: skip
        return of_dub(made)

    def _request(self, job: Job) -> DubRequest:
        spec = JobSpec.model_validate(job.spec)
        folder = self._platform.folder(job.id)
        folder.mkdir(parents=True, exist_ok=True)
        with self._platform.sql.reading() as connection:
            source, title = str(spec.source), spec.title
            if spec.upload is not None:
                path, title = self._upload(connection, spec.upload)
                source, title = str(path), spec.title or title
            subtitles = None
            if spec.subtitles is not None:
                subtitles, _ = self._upload(connection, spec.subtitles)
            glossary = None
            if spec.glossary is not None:
                wanted = select(glossaries.c.text).where(glossaries.c.id == spec.glossary)
                glossary = folder / "glossary.csv"
                glossary.write_text(connection.execute(wanted).scalar() or "", encoding="utf-8")
        return spec.request(
            source, title=title, subtitles=subtitles, glossary=glossary, budget=self._budget(job, spec)
        )

    def _upload(self, connection: Connection, upload: str) -> tuple[Path, str]:
        row = connection.execute(select(uploads).where(uploads.c.id == upload)).one_or_none()
        if row is None or not row.blob:
            raise UnsupportedSource(f"The upload {upload} is gone.", hint="Upload the file again.")
        path = self._platform.store.blobs.path(blob_named(row.blob, row.size))
        if not path.is_file():
            raise UnsupportedSource(f"The upload {row.name} is gone.", hint="Upload the file again.")
        return path, row.name

    def _budget(self, job: Job, spec: JobSpec) -> Decimal | None:
        """What this attempt may cost: the least of what was asked, what is allowed, and what is left."""
        server, month = self._platform.server, self._platform.quotas.month(job.owner)
        limits = [spec.budget, server.job_dollars or None, month.dollars_left]
        known = [limit for limit in limits if limit is not None]
        if month.dollars_left == 0:
            raise QuotaExceeded(
                "The money of this month is used up.",
                hint="It begins anew with the month; an admin can allow more.",
            )
        return min(known) if known else None

    def _project(self, job: Job) -> str | None:
        if not job.revision:
            return None
        wanted = select(projects.c.text).where(projects.c.job == job.id, projects.c.revision == job.revision)
        with self._platform.sql.reading() as connection:
            return connection.execute(wanted).scalar_one_or_none()

    def _completed(self, job: Job, result: Result, recorder: Recorder, began: float) -> None:
        seconds = result.seconds if job.kind == "dub" else 0.0  # an estimate uses up no minutes
        project = self._text(result)
        values = {
            "result": result.model_dump_json(), "progress": 1.0, "message": result.summary, "stage": "",
            "duration": result.seconds,
            "seen": json.dumps({"stages": recorder.seconds, "wall": time.monotonic() - began}),
            "expires": self._expires(job),
        }  # fmt: skip

        def beside(connection: Connection) -> None:
            self._count(connection, job, seconds, began)
            if project is not None:
                self._revise(connection, job, project)

        told = Event("job.completed", message=result.summary, data={"reused": result.reused})
        if self._platform.claims.end(job, "completed", told, beside=beside, **values):
            log.info("job completed", extra={"job": job.id, "seconds": round(time.monotonic() - began, 2)})

    def _revise(self, connection: Connection, job: Job, project: str) -> None:
        """Keep the project as it was made, unless a person has edited it meanwhile: then that one stays."""
        same = jobs.c.id == job.id
        if connection.execute(select(jobs.c.revision).where(same)).scalar_one() != job.revision:
            connection.execute(update(jobs).where(same).values(made=job.revision))
            return
        new = job.revision + 1
        values = {"job": job.id, "revision": new, "text": project, "created": self._clock(), "what": "made"}
        connection.execute(insert(projects).values(**values))
        connection.execute(update(jobs).where(same).values(revision=new, made=new))

    def _text(self, result: Result) -> str | None:
        item = result.files.get("project")
        return None if item is None else self._platform.store.blobs.path(item.blob).read_text("utf-8")

    def _failed(self, job: Job, why: Failure, began: float) -> None:
        told = Event("job.failed", message=why.message, data={"code": why.code, "hint": why.hint})
        self._end(job, "failed", told, began, error=failure_text(why), message=why.message)
        log.warning("job failed", extra={"job": job.id, "code": why.code})

    def _stopped(self, job: Job, why: str, began: float) -> None:
        if why == "lost":
            log.warning("job is another worker's now", extra={"job": job.id})
        elif why == "leaving":
            self._platform.claims.hand_back(job, "The worker stops; another one goes on.")
        else:
            self._end(job, "cancelled", Event("job.cancelled"), began, message="cancelled")
            if why == "delete":
                self._platform.erasing.erase(job.id)

    def _end(self, job: Job, state: str, told: Event, began: float, **values: object) -> None:
        self._platform.claims.end(
            job, state, told, beside=lambda connection: self._count(connection, job, 0.0, began),
            expires=self._expires(job), **values,
        )  # fmt: skip

    def _expires(self, job: Job) -> float | None:
        days = job.spec.get("retention_days")
        days = self._platform.server.retention if days is None else float(days)
        return self._clock() + days * 86_400 if days else None

    def _count(self, connection: Connection, job: Job, seconds: float, began: float) -> None:
        """Put what this attempt consumed on its owner's account."""
        spent = connection.execute(select(jobs.c.spent).where(jobs.c.id == job.id)).scalar_one()
        connection.execute(
            insert(usage).values(
                id=secrets.token_hex(16), owner=job.owner, job=job.id, at=self._clock(), seconds=seconds,
                dollars=Decimal(spent) - job.spent, compute=time.monotonic() - began,
            )
        )  # fmt: skip
