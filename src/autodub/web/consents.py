"""Consent: statements that voices may be cloned, and taking them back."""

from __future__ import annotations

from dataclasses import asdict

from flask import Response, jsonify
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, Field

from autodub.jobs.consents import Consent
from autodub.jobs.spec import Statement
from autodub.web.identity import actor, needs, platform
from autodub.web.problems import Problem

blueprint = APIBlueprint(
    "consents", __name__, url_prefix="/api/v1",
    abp_tags=[Tag(name="Consents", description="Statements that voices may be cloned.")],
    abp_security=[{"key": []}, {"session": []}],
    abp_responses=dict.fromkeys((400, 401, 403, 404, 409, 422, 429), Problem),
)  # fmt: skip


class ClonedShape(BaseModel):
    """A voice that was cloned on a statement."""

    job: str
    speaker: str = Field(description="As the job's transcript calls them.")
    voice: str = Field(description="The voice's identity; empty where none came of it.")
    sample: str = Field(description="sha256 of the sound it was made of.")
    engine: str = Field(examples=["cloner.elevenlabs"])
    created: float


class ConsentShape(BaseModel):
    """A statement, and what was cloned on it. Times are seconds since 1970 (UTC)."""

    id: str
    owner: str
    job: str | None = Field(description="The job it was given with; null: given ahead.")
    who: str = Field(description="Whose voices they are.")
    statement: str
    address: str = Field(description="Where it was given from.")
    created: float
    withdrawn: float | None = Field(description="Since when nothing is cloned on it any more.")
    voices: list[ClonedShape]


class ConsentList(BaseModel):
    """Statements, newest first."""

    consents: list[ConsentShape]


class ConsentQuery(BaseModel):
    """Whose, and which page."""

    owner: str | None = Field(None, max_length=40, description="Admins: a user's id, or `*` for all.")
    after: str | None = Field(None, pattern=r"^[0-9a-f]{32}$", description="Id of the last one of a page.")
    limit: int = Field(100, ge=1, le=500)


class ConsentPath(BaseModel):
    """Which statement."""

    consent: str = Field(pattern=r"^[0-9a-f]{32}$", description="Id of the statement.")


def _shape(consent: Consent) -> ConsentShape:
    return ConsentShape.model_validate(asdict(consent))


@blueprint.post("/consents", responses={201: ConsentShape}, summary="State that voices may be cloned")
@needs("voices")
def give(body: Statement) -> Response:
    """Kept with who stated it, when and from where. Jobs refer to it by `consent_id`."""
    given = platform().consents.give(actor(), body)
    answer = jsonify(_shape(given).model_dump())
    answer.status_code = 201
    answer.headers["Location"] = f"/api/v1/consents/{given.id}"
    return answer


@blueprint.get("/consents", responses={200: ConsentList}, summary="List statements")
@needs("read")
def listed(query: ConsentQuery) -> Response:
    """Those given ahead and those given with jobs, also of jobs that were deleted."""
    found = platform().consents.list(actor(), owner=query.owner, after=query.after, limit=query.limit)
    return jsonify(ConsentList(consents=[_shape(one) for one in found]).model_dump())


@blueprint.get("/consents/<consent>", responses={200: ConsentShape}, summary="Look at a statement")
@needs("read")
def look(path: ConsentPath) -> Response:
    """A statement with the voices cloned on it."""
    return jsonify(_shape(platform().consents.get(actor(), path.consent)).model_dump())


@blueprint.delete("/consents/<consent>", responses={200: ConsentShape}, summary="Withdraw a statement")
@needs("voices")
def withdraw(path: ConsentPath) -> Response:
    """From now on nothing is cloned on it.

    Jobs that do are stopped or refused, and cloned voices are deleted at their provider. Dubs that are
    finished stay until they are deleted. The statement itself stays, with the time it was withdrawn.
    """
    return jsonify(_shape(platform().consents.withdraw(actor(), path.consent)).model_dump())
