"""Jobs, their events and who acts, as values read from the database."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

from sqlalchemy import Row

State = Literal["queued", "processing", "completed", "failed", "cancelled"]
Resource = Literal["net", "cpu", "gpu"]
RESOURCES: tuple[Resource, ...] = ("net", "cpu", "gpu")
"""What may bind a job: accounts elsewhere, the processors of a worker, its GPU. Each has its queue."""
STATES: tuple[State, ...] = ("queued", "processing", "completed", "failed", "cancelled")
OVER: tuple[State, ...] = ("completed", "failed", "cancelled")
"""States nobody works on."""

LOCAL = "local"
"""The one user of a server without accounts."""
SYSTEM = "system"
"""Who does what nobody asked for: retention, the sweeper."""
SCOPES = ("read", "jobs", "voices", "admin")
"""What a key may be good for: to look; to make, edit and delete jobs and uploads; to clone voices; all."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks."""

    id: str
    name: str = ""
    role: Literal["user", "admin"] = "user"
    scopes: frozenset[str] = frozenset(SCOPES)
    address: str = ""
    """Where from, for the audit."""
    key: str = ""
    """Id of the API key that speaks for them; empty: they are logged in, or at the machine itself."""

    @property
    def is_admin(self) -> bool:
        """Whether other users' things may be seen and changed, too."""
        return self.role == "admin" and "admin" in self.scopes


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a job failed."""

    code: str
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """One job as it stands."""

    id: str
    owner: str
    batch: str | None
    kind: Literal["dub", "estimate"]
    state: State
    priority: int
    title: str
    spec: Mapping[str, Any]
    """As JSON; see :class:`autodub.jobs.spec.JobSpec`."""
    created: float
    queued: float
    started: float | None
    finished: float | None
    updated: float
    expires: float | None
    attempt: int
    holder: str | None
    stopping: str
    progress: float
    stage: str
    message: str
    error: Failure | None
    result: Mapping[str, Any] | None
    revision: int
    """Of the project, as a person left it; 0 before there is one."""
    made: int
    """The revision that the result was made of."""
    duration: float | None
    """Seconds of programme."""
    spent: Decimal
    """US dollars, all attempts together."""
    events: int
    """Number of the last event."""
    trace: str = ""
    """``traceparent`` of the request that submitted it, where traces are on."""
    resource: Resource = "cpu"
    """What binds it."""
    format: int = 1
    """What a worker must know to carry it out; see :data:`autodub.jobs.spec.FORMAT`."""

    @property
    def is_over(self) -> bool:
        """Whether nobody works on it."""
        return self.state in OVER

    @property
    def is_stale(self) -> bool:
        """Whether the project was edited since the result was made."""
        return self.result is not None and self.revision > self.made


@dataclass(frozen=True, slots=True)
class Happening:
    """One event of a job: number 1, 2, 3 ..., without holes."""

    job: str
    number: int
    at: float
    attempt: int
    kind: str
    stage: str = ""
    message: str = ""
    fraction: float | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


def job_of(row: Row[Any]) -> Job:
    """A row of ``jobs``."""
    return Job(
        id=row.id, owner=row.owner, batch=row.batch, kind=row.kind, state=row.state, priority=row.priority,
        title=row.title, spec=json.loads(row.spec), created=row.created, queued=row.queued,
        started=row.started, finished=row.finished, updated=row.updated, expires=row.expires,
        attempt=row.attempt, holder=row.holder, stopping=row.stopping, progress=row.progress, stage=row.stage,
        message=row.message, error=Failure(**json.loads(row.error)) if row.error else None,
        result=json.loads(row.result) if row.result else None, revision=row.revision, made=row.made,
        duration=row.duration, spent=Decimal(row.spent), events=row.events, trace=row.trace or "",
        resource=row.resource, format=row.format,
    )  # fmt: skip


def happening_of(row: Row[Any]) -> Happening:
    """A row of ``events``."""
    return Happening(
        row.job, row.number, row.at, row.attempt, row.kind, row.stage, row.message, row.fraction,
        json.loads(row.data),
    )  # fmt: skip
