"""What is still being made: answered 202, with when to ask again."""

from __future__ import annotations

from flask import Response, jsonify
from flask_openapi3 import APIBlueprint
from pydantic import BaseModel, Field

from autodub.jobs.deriving import PATIENCE, Unfinished


class PatienceQuery(BaseModel):
    """How long to wait for what is made only now."""

    wait: float = Field(
        PATIENCE, ge=0, le=30, allow_inf_nan=False,
        description="Seconds to wait where it has to be made first; answered 202 when it takes longer.",
    )  # fmt: skip


class UnfinishedShape(BaseModel):
    """What was asked for is being made. Ask again after `Retry-After` seconds."""

    state: str = Field(description="Always `making`.", json_schema_extra={"example": "making"})
    what: str = Field(description="What is being made.")
    retry_after: int = Field(description="Seconds after which asking again makes sense.")


def install(blueprint: APIBlueprint) -> None:
    """Have the routes of a blueprint answer so."""
    blueprint.register_error_handler(Unfinished, _told)


def _told(error: Unfinished) -> Response:
    shape = UnfinishedShape(
        state="making", what=error.what.partition(" ")[0], retry_after=error.retry_after
    )  # fmt: skip
    answer = jsonify(shape.model_dump())
    answer.status_code = 202
    answer.headers["Retry-After"] = str(error.retry_after)
    answer.headers["Cache-Control"] = "no-store"
    return answer
