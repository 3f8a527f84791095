"""What the interface sends of jobs: the one place where rows become JSON."""

from __future__ import annotations

from typing import Any, Literal

from flask import Response
from pydantic import BaseModel, Field

from autodub.jobs.metrics import Wait
from autodub.jobs.owing import outline
from autodub.jobs.records import Happening, Job


class Failed(BaseModel):
    """Why a job failed."""

    code: str
    message: str
    hint: str = ""


class Waits(BaseModel):
    """What a job in the queue waits for."""

    reason: Literal["no_worker", "newer_release"] = Field(
        description="`no_worker`: no worker serves the resource. `newer_release`: those that do are of an "
        "older release than the server that took the job."
    )
    resource: Literal["net", "cpu", "gpu"] = Field(description="What binds the job.")
    message: str


class JobBrief(BaseModel):
    """A job as lists, batches and webhooks tell of it. Times are seconds since 1970 (UTC)."""

    id: str
    kind: Literal["dub", "estimate"]
    state: Literal["queued", "processing", "completed", "failed", "cancelled"]
    title: str = Field(description="As it was asked for; else the upload's name, else the address.")
    target: str = Field(description="Tag of the language it is dubbed into.")
    spoken: str | None = Field(
        description="Tag of the source's language: as it was heard, before that as it was asked for; "
        "null: not known yet, or nobody speaks."
    )
    source: str | None = Field(description="Address; null for an upload.")
    upload: str | None = Field(description="Id of the upload; null for an address.")
    start: float | None = Field(
        description="Seconds of the source from which it is dubbed; null: its beginning."
    )
    end: float | None = Field(description="Seconds of the source up to which it is dubbed; null: its end.")
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
    degradations: list[str]
    events: int = Field(description="Number of the last event.")
    owner: str


class JobShape(JobBrief):
    """A job as it stands, with its figures. Times are seconds since 1970 (UTC)."""

    figures: dict[str, Any] = Field(description="Metric -> value, of the receipt.")
    estimate: dict[str, Any] | None
    waits: Waits | None = Field(
        None,
        description="What a job in the queue waits for that does not come by itself; null where it only "
        "waits for its turn. Told by `GET /jobs/{job}` and by what queues a job.",
    )


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


def brief_of_job(job: Job) -> JobBrief:
    """A job without its figures, as lists have it."""
    return JobBrief(**outline(job))


def of_job(job: Job, wait: Wait | None = None) -> JobShape:
    """A job, as it is sent."""
    result = job.result or {}
    waits = None
    if wait is not None:
        waits = Waits(reason=wait.reason, resource=wait.resource, message=wait.message)
    return JobShape(
        **outline(job), figures=result.get("figures", {}), estimate=result.get("estimate"), waits=waits
    )  # fmt: skip


def of_happening(one: Happening) -> EventShape:
    """An event, as it is sent."""
    return EventShape(
        number=one.number, at=one.at, attempt=one.attempt, kind=one.kind, stage=one.stage,
        message=one.message, fraction=one.fraction, data=dict(one.data),
    )  # fmt: skip


def sent(shape: BaseModel, *, status: int = 200) -> Response:
    """A shape as an answer, written in one go: jobs are asked for many times a second."""
    return Response(shape.model_dump_json() + "\n", status, mimetype="application/json")
