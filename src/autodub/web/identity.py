"""Who asks: the actor of a request, and what a route asks of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any, TypeVar, cast

from flask import current_app, g, request

from autodub.jobs.platform import LOCAL_ACTOR, Platform
from autodub.jobs.records import Actor
from autodub.model.errors import Forbidden, Unauthenticated

F = TypeVar("F", bound=Callable[..., Any])


def platform() -> Platform:
    """The platform of the running app."""
    return cast("Platform", current_app.extensions["autodub"])


def actor() -> Actor:
    """Who asks. Raises Unauthenticated where accounts are on and nobody is logged in."""
    found: Actor | None = getattr(g, "actor", None)
    if found is None:
        found = _found()
        g.actor = found
    return found


def _found() -> Actor:
    here = platform()
    address = request.remote_addr or ""
    if not here.server.accounts:
        return replace(LOCAL_ACTOR, address=address)
    raise Unauthenticated("Nobody is logged in.", hint="Log in, or send a key: Authorization: Bearer ...")


def needs(scope: str) -> Callable[[F], F]:
    """Let a route be used only by who has a scope (``read``, ``jobs``, ``voices``, ``admin``)."""

    def decorate(view: F) -> F:
        @wraps(view)
        def checked(*arguments: Any, **named: Any) -> Any:
            found = actor()
            if scope not in found.scopes or (scope == "admin" and not found.is_admin):
                raise Forbidden(
                    f"This needs the scope {scope!r}.", hint="Use a key that has it, or ask an admin."
                )
            return view(*arguments, **named)

        return cast("F", checked)

    return decorate
