"""Batches: many sources in many languages as one request."""

from __future__ import annotations

import copy
from collections.abc import Collection
from typing import Annotated, Any

from flask import Response, jsonify
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, create_model

from autodub.jobs.batches import MOST, Batch, BatchRefused
from autodub.jobs.records import STATES
from autodub.jobs.spec import JobSpec
from autodub.web.identity import actor, needs, platform
from autodub.web.jobs import idempotency
from autodub.web.problems import Problem, problem
from autodub.web.shapes import JobBrief, brief_of_job, sent

blueprint = APIBlueprint(
    "batches", __name__, url_prefix="/api/v1",
    abp_tags=[Tag(name="Batches", description="Many sources in many languages.")],
    abp_security=[{"key": []}, {"session": []}],
    abp_responses=dict.fromkeys((400, 401, 403, 404, 409, 422, 429), Problem),
)  # fmt: skip


def _part(name: str, about: str, *, without: Collection[str]) -> Any:
    """A model of some fields of ``JobSpec``, none of which must be given."""
    fields: dict[str, Any] = {}
    for field, known in JobSpec.model_fields.items():
        if field not in without:
            optional = copy.copy(known)
            optional.default, optional.default_factory = None, None
            fields[field] = (known.annotation | None, optional)  # type: ignore[operator]
    return create_model(
        name, __config__=ConfigDict(extra="forbid"), __doc__=about, __module__=__name__, **fields
    )  # fmt: skip


BatchSource = _part(
    "BatchSource", "One source: `source` or `upload`, and wishes for it alone.", without=["target"]
)
BatchWishes = _part(
    "BatchWishes", "Wishes for every dub of the batch.", without=["target", "source", "upload", "title"]
)


class BatchSpec(BaseModel):
    """Every source is dubbed into every target language."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)] = Field(
        description="What the batch is called."
    )
    sources: list[BatchSource] = Field(  # type: ignore[valid-type]
        min_length=1, max_length=MOST
    )
    targets: list[Annotated[str, StringConstraints(min_length=2, max_length=40)]] = Field(
        min_length=1, max_length=MOST, description="Languages to speak."
    )
    wishes: BatchWishes = Field(  # type: ignore[valid-type]
        default_factory=BatchWishes, description="What is wanted of every dub; a source may say otherwise."
    )


class BatchPath(BaseModel):
    """Which batch."""

    batch: str = Field(pattern=r"^[0-9a-f]{32}$", description="Id of the batch.")


class BatchesQuery(BaseModel):
    """Which batches are listed."""

    before: float | None = Field(
        None, ge=0, le=1e11, allow_inf_nan=False, description="Only those created before this moment."
    )
    limit: int = Field(50, ge=1, le=200)


class BatchShape(BaseModel):
    """A batch as it stands."""

    id: str
    name: str
    owner: str
    created: float = Field(description="Seconds since 1970 (UTC).")
    total: int
    counts: dict[str, int] = Field(description="State -> jobs.")
    progress: float = Field(description="0..1, the mean of its jobs.")
    dollars: float


class BatchWhole(BatchShape):
    """A batch with its jobs, without their figures."""

    jobs: list[JobBrief]


class BatchList(BaseModel):
    """Your batches, newest first."""

    batches: list[BatchShape]


@blueprint.post("/batches", responses={201: BatchWhole, 200: BatchWhole}, summary="Submit a batch")
@needs("jobs")
def submit(body: BatchSpec) -> Response:
    """Queue every source in every target language, at most 200 jobs: all of them, or none.

    When some cannot be, `errors` says which (`sources.2, targets.0`) and why. With an `Idempotency-Key`
    header the same request gives the same batch again (200).
    """
    if len(body.sources) * len(body.targets) > MOST:
        return problem(
            422, "bad_request", f"The batch has {len(body.sources) * len(body.targets)} jobs; {MOST} may be.",
            hint="Make several batches of it.",
        )  # fmt: skip
    here, asking = platform(), actor()
    try:
        batch, _, is_new = here.batches.submit(
            asking, body.name, [_given(source) for source in body.sources],
            body.targets, _given(body.wishes), idempotency=idempotency(),
        )  # fmt: skip
    except BatchRefused as refused:
        errors = [
            {"where": f"sources.{one.source}, targets.{one.target}", "why": one.why}
            for one in refused.refusals
        ]
        return problem(422, refused.code, refused.message, hint=refused.hint, errors=errors)
    answer = _whole(batch)
    answer.status_code = 201 if is_new else 200
    answer.headers["Location"] = f"/api/v1/batches/{batch}"
    return answer


@blueprint.get("/batches", responses={200: BatchList}, summary="List batches")
@needs("read")
def listed(query: BatchesQuery) -> Response:
    """Your batches, newest first."""
    found = platform().batches.list(actor(), limit=query.limit, before=query.before)
    return jsonify(BatchList(batches=[_shape(one) for one in found]).model_dump())


@blueprint.get("/batches/<batch>", responses={200: BatchWhole}, summary="Look at a batch")
@needs("read")
def look(path: BatchPath) -> Response:
    """How far it is, and its jobs."""
    return _whole(path.batch)


@blueprint.post("/batches/<batch>/cancel", responses={200: BatchShape}, summary="Stop a batch")
@needs("jobs")
def cancel(path: BatchPath) -> Response:
    """Stop all of its jobs that are not over."""
    return jsonify(_shape(platform().batches.cancel(actor(), path.batch)).model_dump())


@blueprint.post("/batches/<batch>/retry", responses={200: BatchShape}, summary="Try a batch again")
@needs("jobs")
def retry(path: BatchPath) -> Response:
    """Queue those of its jobs again that failed or were cancelled."""
    return jsonify(_shape(platform().batches.retry(actor(), path.batch)).model_dump())


@blueprint.delete("/batches/<batch>", responses={204: None}, summary="Delete a batch")
@needs("jobs")
def delete(path: BatchPath) -> Response:
    """Remove it with all of its jobs and everything of them, as soon as nobody works on them."""
    platform().batches.delete(actor(), path.batch)
    return Response(status=204)


def _given(part: BaseModel) -> dict[str, Any]:
    return part.model_dump(exclude_unset=True)


def _whole(batch: str) -> Response:
    batches, asking = platform().batches, actor()
    shape = _shape(batches.get(asking, batch)).model_dump()
    return sent(BatchWhole(**shape, jobs=[brief_of_job(job) for job in batches.jobs(asking, batch)]))


def _shape(one: Batch) -> BatchShape:
    return BatchShape(
        id=one.id, name=one.name, owner=one.owner, created=one.created, total=one.total,
        counts={state: one.counts.get(state, 0) for state in STATES}, progress=one.progress,
        dollars=round(one.dollars, 4),
    )  # fmt: skip
