"""Who asks: the actor of a request, and what a route asks of it.

Without accounts everybody is the local user. With accounts a request is made by a key (``Authorization:
Bearer adk_...`` or ``X-API-Key``) or by a session (a cookie, and for changes its token ``X-CSRF-Token``).
Whoever may not use a route is told so before its path, query and body are looked at. A route that does not
say otherwise (``needs``, ``public``) is for those who may read.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal, TypeVar, cast

from flask import Flask, Response, current_app, g, request

from autodub.infra.server_settings import ServerSettings
from autodub.jobs.platform import LOCAL_ACTOR, Platform
from autodub.jobs.records import Actor
from autodub.jobs.sessions import Session, guard
from autodub.model.errors import BadOption, Forbidden, Unauthenticated
from autodub.web.listening import is_loopback

F = TypeVar("F", bound=Callable[..., Any])
COOKIE = "autodub_session"
_SAFE = ("GET", "HEAD", "OPTIONS")
_SCOPE = "__autodub_scope__"
_PUBLIC = ""


def platform() -> Platform:
    """The platform of the running app."""
    return cast("Platform", current_app.extensions["autodub"])


def accounts_needed(server: ServerSettings) -> bool:
    """Whether people must log in: where the settings say so, and wherever other machines can reach."""
    return server.accounts or not is_loopback(server.host)


def require_admin(platform: Platform) -> None:
    """Raise BadOption when people must log in and nobody could let them."""
    if accounts_needed(platform.server) and not platform.accounts.has_admin():
        raise BadOption(
            "People must log in, and there is no admin yet.",
            hint="Make one first: autodub users add NAME --admin",
        )


def actor() -> Actor:
    """Who asks.

    Raises Unauthenticated where accounts are on and nobody is logged in, Forbidden for a change that a page
    of another site may have sent.
    """
    found: Actor | None = g.get("actor")
    if found is not None:
        return found
    if (refusal := g.get("refusal")) is not None:
        raise refusal
    try:
        g.actor = found = _found()
    except (Unauthenticated, Forbidden) as refused:
        g.refusal = refused
        raise
    return found


def known() -> Actor | None:
    """Who asks; None where nobody is logged in."""
    try:
        return actor()
    except (Unauthenticated, Forbidden):
        return None


def session() -> Session | None:
    """The session that asks; None for a key, and without accounts."""
    actor()
    return cast("Session | None", g.get("session"))


def shows_key() -> bool:
    """Whether a key was sent, a good one or not."""
    return "Authorization" in request.headers or "X-API-Key" in request.headers


def _found() -> Actor:
    here, address = platform(), request.remote_addr or ""
    if not accounts_needed(here.server):
        return replace(LOCAL_ACTOR, address=address)
    if shows_key():
        return _by_key(here, address)
    if secret := request.cookies.get(COOKIE):
        return _by_session(here, secret, address)
    raise Unauthenticated("Nobody is logged in.", hint="Log in, or send a key: Authorization: Bearer ...")


def _by_key(here: Platform, address: str) -> Actor:
    text = request.headers.get("X-API-Key")
    if text is None:
        kind, _, text = request.headers["Authorization"].partition(" ")
        text = text.strip() if kind.lower() == "bearer" else ""
    found = here.keys.find(text)
    if found is None:
        g.is_refused = True
        raise Unauthenticated(
            "The key is not good: it is wrong, was revoked, or its time is over.", hint="Make a new one."
        )
    key, account = found
    return Actor(account.id, account.name, account.role, frozenset(key.scopes), address, key.id)


def _by_session(here: Platform, secret: str, address: str) -> Actor:
    found = here.sessions.find(secret)
    if found is None:
        raise Unauthenticated("The session is over.", hint="Log in again.")
    token = request.headers.get("X-CSRF-Token", "")
    if request.method not in _SAFE and not hmac.compare_digest(token.encode(), guard(secret).encode()):
        raise Forbidden(
            "The header X-CSRF-Token is missing or not this session's.",
            hint="Send what GET /api/v1/auth/me says under csrf.",
        )
    g.session = found.session
    if found.was_renewed:
        g.cookie = secret
    account = found.account
    return Actor(account.id, account.name, account.role, account.scopes, address)


def needs(scope: Literal["read", "jobs", "voices", "admin"]) -> Callable[[F], F]:
    """Let a route be used only by who has a scope."""

    def decorate(view: F) -> F:
        setattr(view, _SCOPE, scope)
        return view

    return decorate


def public(view: F) -> F:
    """Let a route be used by anybody."""
    setattr(view, _SCOPE, _PUBLIC)
    return view


def scope_of(view: Callable[..., Any]) -> str:
    """What a route asks for; empty: nothing."""
    return cast("str", getattr(view, _SCOPE, "read"))


def is_open() -> bool:
    """Whether what is asked for is there for everybody, or not there at all."""
    view = current_app.view_functions.get(request.endpoint or "")
    asks = request.method == "OPTIONS" and getattr(request.url_rule, "provide_automatic_options", False)
    return view is None or bool(asks) or scope_of(view) == _PUBLIC


def check() -> None:
    """Raise Unauthenticated or Forbidden when whoever asks may not."""
    if is_open():
        return
    scope, asking = scope_of(current_app.view_functions[request.endpoint or ""]), actor()
    if scope not in asking.scopes or (scope == "admin" and not asking.is_admin):
        raise Forbidden(f"This needs the scope {scope!r}.", hint="Use a key that has it, or ask an admin.")


def enter(answer: Response, secret: str) -> Response:
    """Give a browser the cookie of a session."""
    here = platform()
    answer.set_cookie(
        COOKIE, secret, max_age=int(here.sessions.lasts), path="/", httponly=True, samesite="Lax",
        secure=request.is_secure or here.server.public_url.lower().startswith("https:"),
    )  # fmt: skip
    return answer


def leave(answer: Response) -> Response:
    """Take a browser's cookie away."""
    answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="Lax")
    return answer


def _told(answer: Response) -> Response:
    if answer.status_code == 401 and "WWW-Authenticate" not in answer.headers:
        why = ', error="invalid_token"' if g.get("is_refused") else ""
        answer.headers["WWW-Authenticate"] = f'Bearer realm="autodub"{why}'
    secret = g.get("cookie")
    if secret is not None and "Set-Cookie" not in answer.headers:
        enter(answer, secret)
    return answer


def install(app: Flask) -> None:
    """Have every request checked before its route sees it."""
    app.before_request(check)
    app.after_request(_told)
