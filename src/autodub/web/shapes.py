"""What the interface sends of jobs: the one place where rows become JSON."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from autodub.jobs.records import Happening, Job


class Failed(BaseModel):
    """Why a job failed."""

    code: str
    message: str
    hint: str = ""


class JobShape(BaseModel):
    """A job as it stands. Times are seconds since 1970 (UTC)."""

    id: str
    kind: Literal["dub", "estimate"]
    state: Literal["queued", "processing", "completed", "failed", "cancelled"]
    title: str
    target: str
    source: str | None = Field(description="Address; null for an upload.")
    batch: str | None
    priority: int
    progress: float = Field(description="0..1")
    stage: str
    message: str
    created: float
    started: float | None
    finished: float | None
    updated: float
    expires: float | None = Field(description="When it is removed; null: never.")
    attempt: int
    seconds: float | None = Field(description="Length of the programme.")
    dollars: float = Field(description="Spent so far, US dollars.")
    revision: int = Field(description="Of the project; 0 before there is one.")
    stale: bool = Field(description="Whether the project was edited since the result was made.")
    stopping: bool
    error: Failed | None
    files: dict[str, str] = Field(description="Kind of result -> path it is downloaded from.")
    verdict: str
    figures: dict[str, Any] = Field(description="Metric -> value, of the receipt.")
    degradations: list[str]
    estimate: dict[str, Any] | None
    events: int = Field(description="Number of the last event.")
    owner: str


class EventShape(BaseModel):
    """An event of a job: numbers run 1, 2, 3 ... without holes."""

    number: int
    at: float
    attempt: int
    kind: str
    stage: str
    message: str
    fraction: float | None
    data: dict[str, Any]


def of_job(job: Job) -> JobShape:
    """A job, as it is sent."""
    result = job.result or {}
    return JobShape(
        id=job.id, kind=job.kind, state=job.state, title=job.title, target=str(job.spec["target"]),
        source=job.spec.get("source"), batch=job.batch, priority=job.priority, progress=job.progress,
        stage=job.stage, message=job.message, created=job.created, started=job.started,
        finished=job.finished, updated=job.updated, expires=job.expires, attempt=job.attempt,
        seconds=job.duration, dollars=float(job.spent), revision=job.revision, stale=job.is_stale,
        stopping=bool(job.stopping),
        error=Failed(code=job.error.code, message=job.error.message, hint=job.error.hint)
        if job.error
        else None,
        files={kind: f"/api/v1/jobs/{job.id}/files/{kind}" for kind in result.get("files", {})},
        verdict=result.get("verdict", ""), figures=result.get("figures", {}),
        degradations=result.get("degradations", []), estimate=result.get("estimate"), events=job.events,
        owner=job.owner,
    )  # fmt: skip


def of_happening(one: Happening) -> EventShape:
    """An event, as it is sent."""
    return EventShape(
        number=one.number, at=one.at, attempt=one.attempt, kind=one.kind, stage=one.stage,
        message=one.message, fraction=one.fraction, data=dict(one.data),
    )  # fmt: skip
