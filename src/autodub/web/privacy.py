"""One's own data: all of it at once, and the end of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Literal

from flask import Response, jsonify, request, stream_with_context
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, ConfigDict, Field

from autodub.jobs.passwords import LONGEST
from autodub.jobs.records import Actor
from autodub.model.errors import Forbidden
from autodub.web.identity import accounts_needed, actor, leave, needs, platform, session
from autodub.web.limits import limits
from autodub.web.problems import Problem

blueprint = APIBlueprint(
    "privacy", __name__, url_prefix="/api/v1/privacy",
    abp_tags=[Tag(name="Privacy", description="Everything kept about a user: to take along, or to erase.")],
    abp_security=[{"key": []}, {"session": []}],
    abp_responses=dict.fromkeys((400, 401, 403, 404, 409, 422, 429), Problem),
)  # fmt: skip
FRESH = 600.0
"""Seconds after a login within which no password is asked for again."""


class ExportQuery(BaseModel):
    """How much."""

    media: bool = Field(False, description="Uploads and results as well.")


class UserPath(BaseModel):
    """Which user."""

    user: str = Field(pattern=r"^([0-9a-f]{32}|local)$", description="Id of the user.")


class Proof(BaseModel):
    """That it is really you."""

    model_config = ConfigDict(extra="forbid")

    password: str | None = Field(
        None, min_length=1, max_length=LONGEST,
        description="Not needed within ten minutes of a login, nor at a server without accounts.",
    )  # fmt: skip


class Erased(BaseModel):
    """What became of the data."""

    state: Literal["erased", "leaving"] = Field(
        description="leaving: what is running is stopped first; the rest follows by itself."
    )


_ZIP: dict[str | int | HTTPStatus, Any] = {
    200: {"description": "A ZIP file", "content": {"application/zip": {}}}
}


@blueprint.get("/export", responses=_ZIP, summary="Take your data along")
@needs("read")
def export(query: ExportQuery) -> Response:
    """Everything kept about you as one ZIP, sent while it is made."""
    return _zip(actor().id, media=query.media)


@blueprint.delete("", responses={200: Erased, 202: Erased}, summary="Erase your account and all your data")
@needs("jobs")
def erase(body: Proof) -> Response:
    """Dubs, uploads, texts, voices, keys and the account itself. It cannot be undone."""
    asking = actor()
    _prove(asking, body.password)
    return leave(_erase(asking.id))


@blueprint.get("/users/<user>/export", responses=_ZIP, summary="Take a user's data along")
@needs("admin")
def export_of(path: UserPath, query: ExportQuery) -> Response:
    """Everything kept about a user as one ZIP."""
    return _zip(path.user, media=query.media)


@blueprint.delete("/users/<user>", responses={200: Erased, 202: Erased}, summary="Erase a user")
@needs("admin")
def erase_user(path: UserPath) -> Response:
    """The account and everything of it. It cannot be undone."""
    return _erase(path.user)


def _prove(asking: Actor, password: str | None) -> None:
    """Raise Forbidden or Unauthenticated unless whoever asks has just shown who they are."""
    here = platform()
    if not accounts_needed(here.server):
        return
    if password is not None:
        limits().try_account(asking.name)
        here.accounts.authenticated(asking.name, password, address=request.remote_addr or "")
        return
    current = session()
    if current is None or time.time() - current.created > FRESH:
        raise Forbidden("Erasing an account needs its password.", hint="Send password, or log in again.")


def _erase(user: str) -> Response:
    is_gone = platform().privacy.leave(actor(), user)
    answer = jsonify(Erased(state="erased" if is_gone else "leaving").model_dump())
    answer.status_code = 200 if is_gone else 202
    return answer


def _zip(user: str, *, media: bool) -> Response:
    pieces: Iterator[bytes] = platform().privacy.export(actor(), user, media=media)
    answer = Response(stream_with_context(pieces), content_type="application/zip")
    answer.headers["Content-Disposition"] = 'attachment; filename="autodub-data.zip"'
    answer.headers["Cache-Control"] = "no-store"
    return answer
