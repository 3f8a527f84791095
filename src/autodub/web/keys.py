"""API keys: make, list, revoke."""

from __future__ import annotations

from dataclasses import asdict
from typing import Literal

from flask import Response, jsonify
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, ConfigDict, Field

from autodub.jobs.keys import Key
from autodub.web.identity import actor, needs, platform
from autodub.web.problems import Problem

blueprint = APIBlueprint(
    "keys", __name__, url_prefix="/api/v1",
    abp_tags=[Tag(name="Keys", description="Keys for programs.")],
    abp_security=[{"key": []}, {"session": []}],
    abp_responses=dict.fromkeys((400, 401, 403, 404, 409, 422, 429), Problem),
)  # fmt: skip

Scope = Literal["read", "jobs", "voices", "admin"]


class NewKey(BaseModel):
    """What a key is to be good for."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=100, description="What it is for.")
    scopes: list[Scope] = Field(
        ["read", "jobs"], min_length=1, max_length=8,
        description="read: look; jobs: make, edit and delete; voices: clone voices; admin: all. "
        "Never more than its owner may.",
    )  # fmt: skip
    expires: float | None = Field(None, ge=0, le=1e11, description="Seconds since 1970 (UTC); null: never.")
    owner: str | None = Field(
        None, pattern=r"^([0-9a-f]{32}|local)$", description="Admins: whose key it is to be."
    )


class KeyShape(BaseModel):
    """A key, without what it opens. Times are seconds since 1970 (UTC)."""

    id: str
    owner: str
    name: str
    hint: str = Field(description="Its first characters.")
    scopes: list[Scope]
    created: float
    used: float | None = Field(description="Last use, to the minute; null: never.")
    expires: float | None
    revoked: float | None


class MadeKey(KeyShape):
    """A new key: the only time its text is shown."""

    key: str = Field(description="Send it as `Authorization: Bearer ...`. It is kept nowhere.")


class KeyList(BaseModel):
    """Keys, the newest first."""

    keys: list[KeyShape]


class KeyPath(BaseModel):
    """Which key."""

    key: str = Field(pattern=r"^[0-9a-f]{32}$", description="Id of the key.")


class KeyQuery(BaseModel):
    """Whose keys."""

    owner: str | None = Field(None, max_length=40, description="Admins: a user's id, or `*` for all.")


def of_key(key: Key) -> KeyShape:
    """A key, as it is sent."""
    return KeyShape.model_validate(asdict(key))


@blueprint.post("/keys", responses={201: MadeKey}, summary="Make a key")
@needs("read")
def make(body: NewKey) -> Response:
    """A new key of yours. A key cannot make keys, unless it is an admin's."""
    text, key = platform().keys.create(
        actor(), body.name, body.scopes, expires=body.expires, owner=body.owner
    )
    made = MadeKey(**of_key(key).model_dump(), key=text)
    answer = jsonify(made.model_dump())
    answer.status_code = 201
    answer.headers["Location"] = f"/api/v1/keys/{key.id}"
    return answer


@blueprint.get("/keys", responses={200: KeyList}, summary="List my keys")
@needs("read")
def listed(query: KeyQuery) -> Response:
    """Your keys, also those that are over."""
    found = platform().keys.list(actor(), owner=query.owner)
    return jsonify(KeyList(keys=[of_key(key) for key in found]).model_dump())


@blueprint.get("/keys/<key>", responses={200: KeyShape}, summary="Look at a key")
@needs("read")
def look(path: KeyPath) -> Response:
    """A key of yours."""
    return jsonify(of_key(platform().keys.get(actor(), path.key)).model_dump())


@blueprint.delete("/keys/<key>", responses={200: KeyShape}, summary="Revoke a key")
@needs("read")
def revoke(path: KeyPath) -> Response:
    """From now on it opens nothing. A key may revoke itself, and no other unless it is an admin's."""
    return jsonify(of_key(platform().keys.revoke(actor(), path.key)).model_dump())
