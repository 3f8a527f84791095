"""Stages of a job as they really ran, for pictures of its work."""

from __future__ import annotations

from flask import Response, jsonify
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, Field

from autodub.jobs.stages import Attempt, Stage
from autodub.web.identity import actor, needs, platform
from autodub.web.jobs import JobPath
from autodub.web.problems import Problem

blueprint = APIBlueprint(
    "stages", __name__, url_prefix="/api/v1/jobs",
    abp_tags=[Tag(name="Jobs", description="Dubs and their state.")],
    abp_security=[{"key": []}, {"session": []}],
    abp_responses=dict.fromkeys((400, 401, 403, 404, 422, 429, 503), Problem),
)  # fmt: skip


class StagesQuery(BaseModel):
    """Which attempt."""

    attempt: int | None = Field(None, ge=1, le=10**6, description="Which attempt; the newest otherwise.")


class StretchShape(BaseModel):
    """One time that a stage ran."""

    start: float = Field(description="Seconds since 1970 (UTC).")
    end: float | None = Field(description="Null while it runs.")
    whole: bool = Field(description="False where it was broken off.")


class StageShape(BaseModel):
    """One stage, and the calls of engines made for it."""

    stage: str
    message: str
    runs: list[StretchShape] = Field(
        description="When it ran: stages run side by side, and one may run again with another engine. Empty: "
        "it only made calls within others."
    )
    took: float | None = Field(description="Seconds it ran in all; null while it runs.")
    fraction: float | None = Field(description="How far it is, 0..1, where that was told.")
    made: int = Field(description="Calls that engines answered.")
    kept: int = Field(description="Calls answered from earlier runs: they cost nothing.")
    retried: int
    failed: int
    seconds: float = Field(
        description="Spent waiting for engines, all calls together: more than `took` where they ran side by "
        "side."
    )
    dollars: float
    engines: list[str] = Field(description="Who was asked, as `role.name`.")


class StagesShape(BaseModel):
    """An attempt at a job, stage by stage in the order in which they began.

    While it runs, sums of calls may be behind by a twentieth: only the first of many are told one by one.
    """

    job: str
    attempt: int = Field(description="0: none has begun.")
    start: float | None = Field(description="Seconds since 1970 (UTC); null: it has not begun.")
    end: float | None = Field(description="Null while it runs.")
    engines: dict[str, str] = Field(description="Role -> engine that was chosen.")
    stages: list[StageShape]


@blueprint.get("/<job>/stages", responses={200: StagesShape}, summary="Look at a job's stages")
@needs("read")
def stages(path: JobPath, query: StagesQuery) -> Response:
    """The stages of an attempt as they really ran, with their calls and costs, also while it runs."""
    found: Attempt = platform().stages.of(actor(), path.job, query.attempt)
    shape = StagesShape(
        job=path.job, attempt=found.number, start=found.start, end=found.end, engines=found.engines,
        stages=[_shape(one) for one in found.stages.values()],
    )  # fmt: skip
    return jsonify(shape.model_dump())


def _shape(stage: Stage) -> StageShape:
    return StageShape(
        stage=stage.name, message=stage.message,
        runs=[StretchShape(start=one.start, end=one.end, whole=one.is_whole) for one in stage.runs],
        took=None if stage.took is None else round(stage.took, 3), fraction=stage.fraction, made=stage.made,
        kept=stage.kept, retried=stage.retried, failed=stage.failed, seconds=round(stage.seconds, 3),
        dollars=round(stage.dollars, 6), engines=sorted(stage.engines),
    )  # fmt: skip
