"""Users, for admins: list, add, change, delete."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from flask import Response, jsonify
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, ConfigDict, Field

from autodub.jobs.accounts import LIMITS, Account
from autodub.jobs.passwords import LONGEST
from autodub.web.identity import actor, needs, platform
from autodub.web.problems import Problem

blueprint = APIBlueprint(
    "users", __name__, url_prefix="/api/v1",
    abp_tags=[Tag(name="Users", description="Who may use the server, for admins.")],
    abp_security=[{"key": []}, {"session": []}],
    abp_responses=dict.fromkeys((400, 401, 403, 404, 409, 422, 429), Problem),
)  # fmt: skip

Role = Literal["user", "admin"]
_ID = r"^([0-9a-f]{32}|local)$"


class UserLimits(BaseModel):
    """What one user may consume; null: as the server's settings say."""

    model_config = ConfigDict(extra="forbid")

    minutes: float | None = Field(
        None, ge=0, le=1e6, description="Of programme in a calendar month; 0: no limit."
    )
    dollars: Decimal | None = Field(
        None, ge=0, le=10**6, max_digits=13, decimal_places=6,
        description="US dollars in a calendar month; 0: no limit.",
    )  # fmt: skip
    running: int | None = Field(None, ge=1, le=1000, description="Jobs at once.")


class NewUser(UserLimits):
    """A user to come."""

    name: str = Field(min_length=1, max_length=200, description="An e-mail address, or any word.")
    password: str | None = Field(
        None, min_length=1, max_length=LONGEST, description="null: this user uses keys only."
    )
    role: Role = "user"


class UserChange(UserLimits):
    """What is to be changed; what is left out stays."""

    role: Role | None = Field(None, description="Left out or null: as it is.")
    active: bool | None = Field(None, description="Whether they may log in and use keys.")


class PasswordReset(BaseModel):
    """A new password for somebody."""

    model_config = ConfigDict(extra="forbid")

    password: str | None = Field(
        min_length=1, max_length=LONGEST, description="null: this user uses keys only."
    )


class UserShape(BaseModel):
    """A user."""

    id: str
    name: str
    role: Role
    active: bool
    created: float = Field(description="Seconds since 1970 (UTC).")
    minutes: float | None
    dollars: float | None
    running: int | None
    has_password: bool
    leaving: float | None = Field(description="Since when everything of this user is being erased.")


class UserList(BaseModel):
    """Everybody, by name."""

    users: list[UserShape]


class UserPath(BaseModel):
    """Which user."""

    user: str = Field(pattern=_ID, description="Id of the user.")


def of_account(account: Account) -> UserShape:
    """A user, as they are sent."""
    return UserShape(
        id=account.id, name=account.name, role=account.role, active=account.active, created=account.created,
        minutes=account.minutes, dollars=None if account.dollars is None else float(account.dollars),
        running=account.running, has_password=account.has_password, leaving=account.leaving,
    )  # fmt: skip


def _limits(body: UserLimits) -> dict[str, float | Decimal | int | None]:
    return {name: getattr(body, name) for name in LIMITS if name in body.model_fields_set}


@blueprint.get("/users", responses={200: UserList}, summary="List users")
@needs("admin")
def listed() -> Response:
    """Everybody who has an account."""
    found = [of_account(account) for account in platform().accounts.list(actor())]
    return jsonify(UserList(users=found).model_dump())


@blueprint.post("/users", responses={201: UserShape}, summary="Add a user")
@needs("admin")
def add(body: NewUser) -> Response:
    """A new user; without a password they use keys only."""
    account = platform().accounts.create(
        actor(), body.name, body.password, role=body.role, limits=_limits(body)
    )
    answer = jsonify(of_account(account).model_dump())
    answer.status_code = 201
    answer.headers["Location"] = f"/api/v1/users/{account.id}"
    return answer


@blueprint.get("/users/<user>", responses={200: UserShape}, summary="Look at a user")
@needs("admin")
def look(path: UserPath) -> Response:
    """One user."""
    return jsonify(of_account(platform().accounts.get(actor(), path.user)).model_dump())


@blueprint.patch("/users/<user>", responses={200: UserShape}, summary="Change a user")
@needs("admin")
def change(path: UserPath, body: UserChange) -> Response:
    """Role, limits, and whether they may log in. One admin always stays."""
    account = platform().accounts.update(
        actor(), path.user, role=body.role, active=body.active, limits=_limits(body)
    )
    return jsonify(of_account(account).model_dump())


@blueprint.put("/users/<user>/password", responses={204: None}, summary="Set a user's password")
@needs("admin")
def reset(path: UserPath, body: PasswordReset) -> Response:
    """Ends every session of theirs."""
    platform().accounts.set_password(actor(), path.user, body.password)
    return Response(status=204)


@blueprint.delete("/users/<user>", responses={202: None, 204: None}, summary="Delete a user")
@needs("admin")
def delete(path: UserPath) -> Response:
    """The account and everything of it. 202: what is running is stopped first, the rest follows by itself."""
    is_gone = platform().privacy.leave(actor(), path.user)
    return Response(status=204 if is_gone else 202)
