"""What a regenerate moved: where lines sound now, and where they sounded before."""

from __future__ import annotations

from flask import Response, jsonify
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, Field

from autodub.jobs.comparing import Moved
from autodub.pipeline.project import LineEntry
from autodub.web.editing_shapes import TimingShape, timing_of
from autodub.web.identity import actor, needs, platform
from autodub.web.jobs import JobPath
from autodub.web.problems import Problem

blueprint = APIBlueprint(
    "timings", __name__, url_prefix="/api/v1/jobs",
    abp_tags=[Tag(name="Transcript", description="What a dub says: read it, change it, make it again.")],
    abp_security=[{"key": []}, {"session": []}],
    abp_responses=dict.fromkeys((400, 401, 403, 404, 409, 422, 429, 503), Problem),
)  # fmt: skip


class MovedShape(BaseModel):
    """Where a line sounds, and where it sounded; null where it does or did not."""

    line: str
    before: TimingShape | None
    now: TimingShape | None
    moved: bool = Field(description="Whether these two differ.")
    reworded: bool = Field(description="Whether it says something else now.")


class TimingsShape(BaseModel):
    """The result beside the one before it."""

    made: int = Field(description="Revision the result was made of.")
    earlier: int | None = Field(description="Revision of the result before; null: this is the first.")
    lines: list[MovedShape] = Field(description="In the order in which they are said.")


@blueprint.get("/<job>/timings", responses={200: TimingsShape}, summary="Compare the last two results")
@needs("read")
def timings(path: JobPath) -> Response:
    """Where every line sounds in the result, and where it did in the one before: what a regenerate moved."""
    found = platform().comparing.last_two(actor(), path.job)
    shape = TimingsShape(made=found.made, earlier=found.earlier, lines=[_shape(one) for one in found.lines])
    return jsonify(shape.model_dump())


def _shape(one: Moved) -> MovedShape:
    before, now = _timing(one.before), _timing(one.now)
    texts = {entry.text for entry in (one.before, one.now) if entry is not None}
    return MovedShape(line=one.line, before=before, now=now, moved=before != now, reworded=len(texts) > 1)


def _timing(entry: LineEntry | None) -> TimingShape | None:
    return None if entry is None else timing_of(entry)
