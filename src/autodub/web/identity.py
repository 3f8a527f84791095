"""Who asks: the actor of a request, and what a route asks of it.

Without accounts everybody is the local user. With accounts a request is made by a key (``Authorization:
Bearer adk_...`` or ``X-API-Key``) or by a session (a cookie, and for changes its token ``X-CSRF-Token``).
Whoever may not use a route is told so before its path, query and body are looked at. A route that does not
say otherwise (``needs``, ``public``) is for those who may read.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar, cast

from flask import Flask, Response, current_app, has_request_context, request

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
_PLACE = "autodub.identity"


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


@dataclass(slots=True)
class _Known:
    """What is known of who asks, by one request.

    It is kept with the request itself and never in ``g``: where an answer is still being streamed, ``g`` may
    be shared with the next request of the same thread.
    """

    actor: Actor | None = None
    session: Session | None = None
    refusal: Unauthenticated | Forbidden | None = None
    was_wrong: bool = False
    """A key was sent, and is not good."""
    renewed: str | None = None
    """The secret of a session that now lasts longer."""


def _kept() -> _Known:
    return cast("_Known", request.environ.setdefault(_PLACE, _Known()))


def actor() -> Actor:
    """Who asks.

    Raises Unauthenticated where accounts are on and nobody is logged in, Forbidden for a change that a page
    of another site may have sent.
    """
    kept = _kept()
    if kept.refusal is not None:
        raise kept.refusal
    if kept.actor is None:
        try:
            kept.actor = _found()
        except (Unauthenticated, Forbidden) as refused:
            kept.refusal = refused
            raise
    return kept.actor


def known() -> Actor | None:
    """Who asks; None where nobody is logged in."""
    try:
        return actor()
    except (Unauthenticated, Forbidden):
        return None


def seen() -> Actor | None:
    """Who asks, where that was found out already; for the log."""
    return _kept().actor if has_request_context() else None


def forget() -> None:
    """Have it found out anew who asks: for answers that go on for long."""
    request.environ.pop(_PLACE, None)


def session() -> Session | None:
    """The session that asks; None for a key, and without accounts."""
    actor()
    return _kept().session


def shows_key() -> bool:
    """Whether a key was sent, a good one or not."""
    return "Authorization" in request.headers or "X-API-Key" in request.headers


def _found() -> Actor:
    here, address, kept = platform(), request.remote_addr or "", _kept()
    if not accounts_needed(here.server):
        return replace(LOCAL_ACTOR, address=address)
    if shows_key():
        return _by_key(here, address, kept)
    if secret := request.cookies.get(COOKIE):
        return _by_session(here, secret, address, kept)
    raise Unauthenticated(
        "Nobody is logged in.", hint="Log in, or send your key as X-API-Key (autodub jobs: AUTODUB_KEY)."
    )


def _by_key(here: Platform, address: str, kept: _Known) -> Actor:
    text = request.headers.get("X-API-Key")
    if text is None:
        kind, _, text = request.headers["Authorization"].partition(" ")
        text = text.strip() if kind.lower() == "bearer" else ""
    found = here.keys.find(text)
    if found is None:
        kept.was_wrong = True
        raise Unauthenticated(
            "The key is not good: it is wrong, was revoked, or its time is over.", hint="Make a new one."
        )
    key, account = found
    return Actor(account.id, account.name, account.role, frozenset(key.scopes), address, key.id)


def _by_session(here: Platform, secret: str, address: str, kept: _Known) -> Actor:
    found = here.sessions.find(secret)
    if found is None:
        raise Unauthenticated("The session is over.", hint="Log in again.")
    token = request.headers.get("X-CSRF-Token", "")
    if request.method not in _SAFE and not hmac.compare_digest(token.encode(), guard(secret).encode()):
        raise Forbidden(
            "The header X-CSRF-Token is missing or not this session's.",
            hint="Send what GET /api/v1/auth/me says under csrf.",
        )
    kept.session, kept.renewed = found.session, secret if found.was_renewed else None
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
        why = ', error="invalid_token"' if _kept().was_wrong else ""
        answer.headers["WWW-Authenticate"] = f'Bearer realm="autodub"{why}'
    secret = _kept().renewed
    if secret is not None and "Set-Cookie" not in answer.headers:
        enter(answer, secret)
    return answer


def install(app: Flask) -> None:
    """Have every request checked before its route sees it."""
    app.before_request(check)
    app.after_request(_told)
