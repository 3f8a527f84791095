"""Hearing voices before they are chosen."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from flask import Response
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from autodub.model.errors import AutodubError
from autodub.model.language import Language
from autodub.web import unfinished
from autodub.web.identity import actor, needs, platform
from autodub.web.problems import Problem, discreet

blueprint = APIBlueprint(
    "previews", __name__, url_prefix="/api/v1", abp_tags=[Tag(name="Voices", description="Who speaks.")],
    abp_security=[{"key": []}, {"session": []}],
    abp_responses=dict.fromkeys((400, 401, 403, 404, 413, 422, 429, 500, 502, 503), Problem),
)  # fmt: skip
unfinished.install(blueprint)
_Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
_HEARD: dict[str | int | HTTPStatus, Any] = {
    200: {
        "description": "The sentence.",
        "content": {"audio/wav": {"schema": {"type": "string", "format": "binary"}}},
    },
    202: unfinished.UnfinishedShape,
}


class PreviewSpec(BaseModel):
    """Which voice, and how it speaks."""

    model_config = ConfigDict(extra="forbid")

    target: str = Field(min_length=2, max_length=40, description="Language to speak: a tag or a name.")
    voice: _Name = Field(description="Id of the voice, as `GET /api/v1/voices` has it.")
    engine: str | None = Field(
        None, pattern=r"^[a-z0-9_.-]{1,60}$",
        description="Synthesizer; the first that is ready and speaks the language otherwise.",
    )  # fmt: skip
    pitch_hz: float | None = Field(
        None, gt=20, lt=1000, allow_inf_nan=False, description="Mean pitch; the voice's own otherwise."
    )
    pace: float = Field(1.0, ge=0.5, le=2.0, allow_inf_nan=False, description="Factor of the voice's own.")


@blueprint.post("/voices/preview", responses=_HEARD, summary="Hear a voice")
@needs("jobs")
def hear(query: unfinished.PatienceQuery, body: PreviewSpec) -> Response:
    """A short sentence in the target language, spoken by a stock voice; the same one is spoken once.

    Only voices that cost nothing can be heard so (`preview` in the list of voices).
    """
    try:
        said = platform().previewing.hear(
            actor(), Language.parse(body.target), body.voice, engine=body.engine, pitch=body.pitch_hz,
            pace=body.pace, wait=query.wait,
        )  # fmt: skip
    except AutodubError as error:
        error.message, error.hint = discreet(error.message), discreet(error.hint)
        raise
    answer = Response(said, mimetype="audio/wav")
    answer.headers["Cache-Control"] = "private, no-store"
    return answer
