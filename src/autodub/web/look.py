"""Looking at a source before it is dubbed."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from flask import Response, jsonify
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from autodub.jobs.looking import Sight
from autodub.jobs.spec import Id
from autodub.web.identity import actor, needs, platform
from autodub.web.problems import Problem
from autodub.web.shapes import Failed

blueprint = APIBlueprint(
    "look", __name__, url_prefix="/api/v1",
    abp_tags=[Tag(name="Jobs", description="Dubs and their state.")],
    abp_security=[{"key": []}, {"session": []}],
    abp_responses=dict.fromkeys((400, 401, 403, 404, 409, 413, 422, 429, 500, 502, 503), Problem),
)  # fmt: skip
_Address = Annotated[str, StringConstraints(pattern=r"^[hH][tT][tT][pP][sS]?://", max_length=2000)]


class LookSpec(BaseModel):
    """What is looked at: an address or an upload."""

    model_config = ConfigDict(extra="forbid")

    source: _Address | None = Field(
        None, description="Address of a video.", examples=["https://www.youtube.com/watch?v=abcdefghijk"]
    )
    upload: Id | None = Field(None, description="Id of an upload that is there.")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.source is None) == (self.upload is None):
            raise ValueError("give one of source and upload")
        return self


class TrackShape(BaseModel):
    """A track of sound or of subtitles."""

    kind: Literal["sound", "captions", "subtitles"] = Field(
        description="`captions` are a site's, written by people; `subtitles` lie in the file."
    )
    language: str | None = Field(description="As the source says; null where it does not.")
    codec: str
    channels: int | None


class SightShape(BaseModel):
    """What a source is, as far as can be seen without fetching it."""

    title: str
    seconds: float | None = Field(description="Null where nobody says.")
    size: int | None = Field(description="Bytes, as far as anybody says.")
    live: Literal["no", "live", "upcoming"]
    video: bool = Field(description="Whether it has a picture.")
    width: int | None
    height: int | None
    language: str | None = Field(description="Of what is spoken, as far as the source says.")
    tracks: list[TrackShape]
    refused: Failed | None = Field(description="Why it would not be dubbed; null where it would be.")


@blueprint.post("/look", responses={200: SightShape}, summary="Look at a source")
@needs("jobs")
def look(body: LookSpec) -> Response:
    """What a link or an upload is: title, length, languages. Of a link no media is fetched.

    A link passes the same rules as one that is dubbed, and counts as a change; what cannot even be looked at
    is a problem, what would not be dubbed says so in `refused`.
    """
    here = platform()
    if body.source is not None:
        found = here.looking.link(actor(), body.source)
    else:
        found = here.looking.upload(actor(), str(body.upload))
    return jsonify(_shape(found).model_dump())


def _shape(found: Sight) -> SightShape:
    refusal = found.refusal
    return SightShape(
        title=found.title, seconds=found.seconds, size=found.size,
        live=found.live, video=found.is_film, width=found.width, height=found.height,
        language=found.language,
        tracks=[
            TrackShape(kind=one.kind, language=one.language, codec=one.codec, channels=one.channels)
            for one in found.tracks
        ],
        refused=None
        if refusal is None
        else Failed(code=refusal.code, message=refusal.message, hint=refusal.hint),
    )  # fmt: skip
