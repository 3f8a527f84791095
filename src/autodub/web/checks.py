"""Checks: whether dubs would be taken, asked before large files are sent for them."""

from __future__ import annotations

from typing import Annotated, Any, Self

from flask import Response
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from autodub.jobs import checking
from autodub.jobs.batches import MOST, BatchRefused
from autodub.jobs.checking import Coming
from autodub.jobs.spec import UNSENT, Id
from autodub.web import problems
from autodub.web.batches import BatchWishes
from autodub.web.identity import actor, needs, platform
from autodub.web.problems import Problem, problem

blueprint = APIBlueprint(
    "checks", __name__, url_prefix="/api/v1",
    abp_tags=[Tag(name="Jobs", description="Dubs and their state.")],
    abp_security=[{"key": []}, {"session": []}],
    abp_responses=dict.fromkeys((400, 401, 403, 404, 413, 422, 429), Problem),
)  # fmt: skip
Address = Annotated[str, StringConstraints(pattern=r"^[hH][tT][tT][pP][sS]?://", max_length=2000)]


class ComingFile(BaseModel):
    """A file that would be uploaded."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, StringConstraints(min_length=1, max_length=300)] = Field(
        description="Its name, with its ending.", examples=["talk.mp4"]
    )
    size: int = Field(ge=0, le=10**13, description="Bytes.")


class CheckedSource(BaseModel):
    """One source: an address, an upload, or a file that is still to be sent."""

    model_config = ConfigDict(extra="forbid")

    source: Address | None = Field(None, description="Address of the video.")
    upload: Id | None = Field(None, description="Id of an upload that is there.")
    file: ComingFile | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(one is not None for one in (self.source, self.upload, self.file)) != 1:
            raise ValueError("give one of source, upload and file")
        return self


class CheckSpec(BaseModel):
    """Every source would be dubbed into every target language."""

    model_config = ConfigDict(extra="forbid")

    sources: list[CheckedSource] = Field(min_length=1, max_length=MOST)
    targets: list[Annotated[str, StringConstraints(min_length=2, max_length=40)]] = Field(
        min_length=1, max_length=MOST, description="Languages to speak."
    )
    wishes: BatchWishes = Field(
        default_factory=BatchWishes,
        description=f"What is wanted of every dub; `{UNSENT}`: subtitles still to be sent.",
    )


@blueprint.post("/checks", responses={204: None}, summary="Ask whether dubs would be taken")
@needs("jobs")
def check(body: CheckSpec) -> Response:
    """Answer as submitting would, as far as that is known before files are sent; nothing is made or kept.

    204: they would be taken. Otherwise the refusal; where some would be taken and others not, `errors` says
    which (`sources.2, targets.0`) and why.
    """
    if len(body.sources) * len(body.targets) > MOST:
        said = f"These are {len(body.sources) * len(body.targets)} jobs; {MOST} may be."
        return problem(422, "bad_request", said, hint="Ask for some of them at a time.")
    wishes = body.wishes.model_dump(exclude_unset=True)
    try:
        checking.check(platform(), actor(), [_source(one) for one in body.sources], body.targets, wishes)
    except ValidationError as wrong:
        return problems.of_validation(wrong)
    except BatchRefused as refused:
        errors = [
            {"where": f"sources.{one.source}, targets.{one.target}", "why": one.why}
            for one in refused.refusals
        ]
        return problem(422, refused.code, refused.message, hint=refused.hint, errors=errors)
    return Response(status=204)


def _source(one: CheckedSource) -> dict[str, Any] | Coming:
    if one.file is not None:
        return Coming(one.file.name, one.file.size)
    return {"source": one.source} if one.source is not None else {"upload": one.upload}
