"""Estimates: what a dub would cost, without making it."""

from __future__ import annotations

import time
from typing import Any

from flask import Response, jsonify
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, Field

from autodub.jobs.records import Job
from autodub.jobs.spec import JobSpec
from autodub.web.identity import actor, needs, platform
from autodub.web.jobs import idempotency
from autodub.web.problems import Problem, problem
from autodub.web.shapes import JobShape, of_job

blueprint = APIBlueprint(
    "estimates", __name__, url_prefix="/api/v1",
    abp_tags=[Tag(name="Estimates", description="What a dub would cost.")],
    abp_security=[{"key": []}, {"session": []}],
    abp_responses=dict.fromkeys((400, 401, 403, 404, 409, 422, 429), Problem),
)  # fmt: skip
_LOOK = 0.1
"""Seconds between two looks at the job's row."""


class WaitQuery(BaseModel):
    """How long to wait."""

    wait: float = Field(0.0, ge=0, le=30, allow_inf_nan=False, description="Seconds to wait for the figures.")


class ItemShape(BaseModel):
    """What one engine would be paid."""

    engine: str
    unit: str
    amount: float
    dollars: float


class DollarsShape(BaseModel):
    """US dollars."""

    low: float
    likely: float
    high: float


class EstimateShape(BaseModel):
    """What a dub would be, before anything is spent on it."""

    job: str = Field(description="Id of the job that found it out.")
    title: str
    seconds: float = Field(description="Of programme that would be dubbed.")
    speech_seconds: float = Field(description="Of them in which somebody speaks.")
    engines: dict[str, str] = Field(description="Role -> engine that would be asked.")
    dollars: DollarsShape | None = Field(description="Null: none of the engines costs money.")
    items: list[ItemShape]
    prices_of: str | None = Field(description="The day the prices were checked.")
    unpriced: list[str] = Field(description="What costs money but has no price here.")


@blueprint.post(
    "/estimates",
    responses={200: EstimateShape, 202: JobShape, 500: Problem},
    summary="Ask what a dub would cost",
)
@needs("jobs")
def estimate(query: WaitQuery, body: JobSpec) -> Response:
    """Open the source and search it for speech, asking nobody who is paid; it uses up no minutes.

    With `wait` the figures are answered (200) if they are there by then; otherwise the job that finds them
    out (202), which has them under `estimate` when it is completed.
    """
    asking, jobs = actor(), platform().jobs
    job, _ = jobs.submit(asking, body, kind="estimate", idempotency=idempotency())
    until = time.monotonic() + query.wait
    while not job.is_over and time.monotonic() < until:
        time.sleep(min(_LOOK, max(0.0, until - time.monotonic())))
        job = jobs.get(asking, job.id)
    if not job.is_over:
        answer = jsonify(of_job(job).model_dump())
        answer.status_code = 202
    elif job.state == "completed":
        answer = jsonify(_figures(job).model_dump())
    else:
        answer = _failed(job)
    answer.headers["Location"] = f"/api/v1/jobs/{job.id}"
    return answer


def _figures(job: Job) -> EstimateShape:
    found: dict[str, Any] = dict((job.result or {})["estimate"])
    return EstimateShape(job=job.id, title=job.title, seconds=job.duration or 0.0, **found)


def _failed(job: Job) -> Response:
    if job.error is None:
        return problem(409, "conflict", "The estimate was cancelled.", hint="Ask again.")
    status = 500 if job.error.code == "internal" else 422
    return problem(status, job.error.code, job.error.message, hint=job.error.hint)
