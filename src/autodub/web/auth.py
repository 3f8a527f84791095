"""Logging in and out, who one is, one's password and one's sessions."""

from __future__ import annotations

from dataclasses import asdict
from typing import Literal

from flask import Response, jsonify, request
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, ConfigDict, Field

from autodub.jobs.accounts import Account
from autodub.jobs.passwords import LONGEST
from autodub.jobs.records import SCOPES, Actor
from autodub.jobs.sessions import guard
from autodub.model.errors import Conflict, Forbidden
from autodub.web.identity import (
    COOKIE,
    accounts_needed,
    actor,
    enter,
    leave,
    needs,
    platform,
    public,
    session,
)
from autodub.web.limits import limits
from autodub.web.problems import Problem

blueprint = APIBlueprint(
    "auth", __name__, url_prefix="/api/v1/auth",
    abp_tags=[Tag(name="Account", description="Logging in, who one is, one's password and sessions.")],
    abp_security=[{"key": []}, {"session": []}],
    abp_responses=dict.fromkeys((400, 401, 403, 404, 409, 422, 429), Problem),
)  # fmt: skip


class Credentials(BaseModel):
    """Who logs in."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=200)
    password: str = Field(min_length=1, max_length=LONGEST)


class NewPassword(BaseModel):
    """A password to come, and the present one as proof."""

    model_config = ConfigDict(extra="forbid")

    current: str = Field(min_length=1, max_length=LONGEST)
    new: str = Field(
        min_length=1, max_length=LONGEST, description="At least 12 characters that are not easily guessed."
    )


class Allowance(BaseModel):
    """What one may consume in this calendar month (UTC), and has."""

    begins: float = Field(description="Seconds since 1970.")
    minutes: float = Field(description="Of programme, dubbed this month.")
    minutes_allowed: float | None = Field(description="null: no limit.")
    dollars: float = Field(description="Spent this month.")
    dollars_allowed: float | None = Field(description="null: no limit.")
    running: int = Field(description="Jobs that may run at once.")
    queued: int = Field(description="Jobs that may wait.")


class Me(BaseModel):
    """Who asks."""

    id: str
    name: str
    role: Literal["user", "admin"]
    scopes: list[Literal["read", "jobs", "voices", "admin"]] = Field(description="What may be done this way.")
    accounts: bool = Field(description="Whether people log in at this server.")
    by: Literal["local", "session", "key"] = Field(description="How the server knows.")
    csrf: str | None = Field(description="Sessions: to be sent as X-CSRF-Token with every change.")
    expires: float | None = Field(description="Sessions: when it ends if it is not used.")
    quota: Allowance


class SessionShape(BaseModel):
    """A session of a browser. Times are seconds since 1970 (UTC)."""

    id: str
    created: float
    used: float = Field(description="To the minute.")
    expires: float
    agent: str = Field(description="What the browser calls itself.")
    current: bool = Field(description="Whether it is the one that asks.")


class SessionList(BaseModel):
    """One's sessions, the last used first."""

    sessions: list[SessionShape]


class SessionPath(BaseModel):
    """Which session."""

    session: str = Field(pattern=r"^[0-9a-f]{32}$", description="Id of the session.")


def _with_accounts() -> None:
    if not accounts_needed(platform().server):
        raise Conflict(
            "There are no accounts at this server: everybody at this machine may do all.",
            hint="Nothing needs to be done. To have accounts: autodub serve --accounts",
        )


@blueprint.post("/login", responses={200: Me}, security=[], summary="Log in")
@public
def login(body: Credentials) -> Response:
    """Open a session: a cookie that scripts cannot read. Every change must then carry `X-CSRF-Token`."""
    _with_accounts()
    here, address = platform(), request.remote_addr or ""
    limits().try_account(body.name)
    account = here.accounts.authenticated(body.name, body.password, address=address)
    limits().forgive(body.name)
    if before := request.cookies.get(COOKIE):
        here.sessions.forget(before)
    return _entered(account)


def _entered(account: Account) -> Response:
    """A new session of somebody whose password was right."""
    address = request.remote_addr or ""
    secret, opened = platform().sessions.open(
        account, agent=request.headers.get("User-Agent", ""), address=address
    )
    asking = Actor(account.id, account.name, account.role, account.scopes, address)
    return enter(jsonify(_me(asking, csrf=guard(secret), expires=opened.expires).model_dump()), secret)


@blueprint.post("/logout", responses={204: None}, summary="Log out")
@needs("read")
def logout() -> Response:
    """End the session that asks; a key and the local user have none."""
    if (opened := session()) is not None:
        platform().sessions.close(actor(), opened.id)
    return leave(Response(status=204))


@blueprint.get("/me", responses={200: Me}, summary="Who am I?")
@needs("read")
def me() -> Response:
    """Who asks, what they may do and have left, and the token that changes must carry."""
    opened = session()
    token = guard(request.cookies[COOKIE]) if opened else None
    return jsonify(_me(actor(), csrf=token, expires=opened.expires if opened else None).model_dump())


def _me(asking: Actor, *, csrf: str | None, expires: float | None) -> Me:
    here = platform()
    month, account = here.quotas.month(asking.id), here.accounts.get(asking, asking.id)
    has_accounts = accounts_needed(here.server)
    return Me(
        id=asking.id, name=asking.name, role=asking.role,
        scopes=[one for one in SCOPES if one in asking.scopes],  # type: ignore[misc]
        accounts=has_accounts, by="key" if asking.key else "session" if has_accounts else "local",
        csrf=csrf, expires=expires,
        quota=Allowance(
            begins=month.begins, minutes=month.seconds / 60, minutes_allowed=month.minutes_allowed,
            dollars=float(month.dollars),
            dollars_allowed=None if month.dollars_allowed is None else float(month.dollars_allowed),
            running=account.running or here.server.user_running, queued=here.server.queued,
        ),
    )  # fmt: skip


@blueprint.post("/password", responses={200: Me}, summary="Change my password")
@needs("read")
def password(body: NewPassword) -> Response:
    """Ends every session, and opens a new one for whoever asks."""
    _with_accounts()
    here, asking = platform(), actor()
    if session() is None:
        raise Forbidden("A key cannot change a password.", hint="Log in with the password.")
    limits().try_account(asking.name)
    here.accounts.change_password(asking, body.current, body.new)
    limits().forgive(asking.name)
    return _entered(here.accounts.get(asking, asking.id))


@blueprint.get("/sessions", responses={200: SessionList}, summary="List my sessions")
@needs("read")
def sessions() -> Response:
    """Where one is logged in."""
    opened = session()
    found = [
        SessionShape(**asdict(one), current=opened is not None and one.id == opened.id)
        for one in platform().sessions.list(actor())
    ]
    return jsonify(SessionList(sessions=found).model_dump())


@blueprint.delete("/sessions/<session>", responses={204: None}, summary="End a session")
@needs("read")
def end(path: SessionPath) -> Response:
    """Log out somewhere else."""
    platform().sessions.close(actor(), path.session)
    return Response(status=204)


@blueprint.delete("/sessions", responses={204: None}, summary="End all other sessions")
@needs("read")
def end_others() -> Response:
    """Log out everywhere but here."""
    opened = session()
    platform().sessions.close_all(actor(), but=opened.id if opened else "")
    return Response(status=204)
