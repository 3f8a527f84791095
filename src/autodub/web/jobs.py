"""Jobs: submit, list, look, cancel, try again, delete."""

from __future__ import annotations

from typing import Literal

from flask import Response, request
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, Field

from autodub.jobs.records import Job
from autodub.jobs.spec import JobSpec
from autodub.model.errors import BadOption
from autodub.web import shapes
from autodub.web.identity import actor, needs, platform
from autodub.web.problems import Problem

blueprint = APIBlueprint(
    "jobs", __name__, url_prefix="/api/v1", abp_tags=[Tag(name="Jobs", description="Dubs and their state.")],
    abp_security=[{"key": []}, {"session": []}],
    abp_responses=dict.fromkeys((400, 401, 403, 404, 409, 422, 429), Problem),
)  # fmt: skip


class JobPath(BaseModel):
    """Which job."""

    job: str = Field(pattern=r"^[0-9a-f]{32}$", description="Id of the job.")


class ListQuery(BaseModel):
    """Which jobs are listed."""

    state: list[Literal["queued", "processing", "completed", "failed", "cancelled"]] = Field(
        default_factory=list, description="Only these states; may be repeated."
    )
    kind: Literal["dub", "estimate"] = "dub"
    batch: str | None = Field(None, pattern=r"^[0-9a-f]{32}$")
    target: str | None = Field(None, max_length=40)
    text: str | None = Field(None, max_length=100, description="Part of the title.")
    owner: str | None = Field(None, max_length=40, description="Admins: a user's id, or `*` for all.")
    after: str | None = Field(None, max_length=80, description="As the page before said.")
    limit: int = Field(50, ge=1, le=200)


class JobPage(BaseModel):
    """Some jobs, newest first, without their figures."""

    jobs: list[shapes.JobBrief]
    after: str | None = Field(description="Send it back for the next page; null at the end.")
    total: int


def idempotency() -> str | None:
    """The request's `Idempotency-Key`. Raises BadOption for one that is too long."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and not 1 <= len(key) <= 200:
        raise BadOption("The Idempotency-Key must have 1 to 200 characters.", hint="A UUID does.")
    return key


@blueprint.post("/jobs", responses={201: shapes.JobShape, 200: shapes.JobShape}, summary="Submit a dub")
@needs("jobs")
def submit(body: JobSpec) -> Response:
    """Queue a dub. With an `Idempotency-Key` header the same request gives the same job again (200)."""
    job, is_new = platform().jobs.submit(actor(), body, idempotency=idempotency())
    answer = shapes.sent(_told(job), status=201 if is_new else 200)
    answer.headers["Location"] = f"/api/v1/jobs/{job.id}"
    return answer


@blueprint.get("/jobs", responses={200: JobPage}, summary="List jobs")
@needs("read")
def listed(query: ListQuery) -> Response:
    """Your jobs, newest first, without figures and estimates: `GET /jobs/{job}` has those of one."""
    page = platform().jobs.list(
        actor(), states=query.state, batch=query.batch, target=query.target, text=query.text,
        owner=query.owner, kind=query.kind, after=query.after, limit=query.limit,
    )  # fmt: skip
    found = [shapes.brief_of_job(job) for job in page.jobs]
    return shapes.sent(JobPage(jobs=found, after=page.after, total=page.total))


@blueprint.get("/jobs/<job>", responses={200: shapes.JobShape}, summary="Look at a job")
@needs("read")
def look(path: JobPath) -> Response:
    """A job as it stands."""
    return shapes.sent(_told(platform().jobs.get(actor(), path.job)))


@blueprint.post("/jobs/<job>/cancel", responses={200: shapes.JobShape}, summary="Stop a job")
@needs("jobs")
def cancel(path: JobPath) -> Response:
    """Stop it; what is finished is kept for a retry."""
    return shapes.sent(shapes.of_job(platform().jobs.cancel(actor(), path.job)))


@blueprint.post("/jobs/<job>/retry", responses={200: shapes.JobShape}, summary="Try a job again")
@needs("jobs")
def retry(path: JobPath) -> Response:
    """Queue a job that failed or was cancelled again; it goes on from what was kept."""
    return shapes.sent(_told(platform().jobs.retry(actor(), path.job)))


@blueprint.delete("/jobs/<job>", responses={202: shapes.JobShape}, summary="Delete a job")
@needs("jobs")
def delete(path: JobPath) -> Response:
    """Remove it with everything of it, as soon as nobody works on it."""
    return shapes.sent(shapes.of_job(platform().jobs.delete(actor(), path.job)), status=202)


def _told(job: Job) -> shapes.JobShape:
    """A job, with what it waits for where it is in the queue."""
    return shapes.of_job(job, platform().numbers.wait(job))
