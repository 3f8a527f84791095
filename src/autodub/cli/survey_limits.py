"""What limits that many machines share need: a Redis that answers."""

from __future__ import annotations

from autodub.cli.survey import Check
from autodub.gateway.accounts import is_shared
from autodub.infra import redis_limits, server_settings
from autodub.infra.settings import Settings
from autodub.model.errors import AutodubError, BadOption


def checks(settings: Settings) -> tuple[Check, ...]:
    """What is right and wrong with it; nothing where each process is by itself."""
    try:
        shared = server_settings.limited(settings, server_settings.load(settings))
    except BadOption:  # the server's own checks say what is wrong with its settings
        shared = settings
    if not is_shared(shared):
        return ()
    try:
        found = redis_limits.standing(shared.provider_limits)
    except AutodubError as problem:
        return (Check("provider limits", "warning", problem.message, problem.hint),)
    told = f"shared in Redis; processes that share them now: {found.processes}"
    return (Check("provider limits", "ok", told),)
