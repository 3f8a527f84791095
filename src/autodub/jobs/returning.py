"""Giving cloned voices back at their providers once no job uses them any more.

Which those are stands in the store's own record, written in the transaction that released them; here is
only who asks, and how often: at once, then ever more seldom as long as a provider does not answer.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from autodub.engines import registry
from autodub.engines.context import engine_context
from autodub.engines.roles import Forgetful
from autodub.gateway.gateway import Gateway
from autodub.gateway.giving import give_back_released, is_due
from autodub.jobs.ending import DAY
from autodub.model.errors import AutodubError

if TYPE_CHECKING:
    from autodub.jobs.platform import Platform

log = logging.getLogger("autodub.sweeper")
_FIRST, _LAST = 60.0, 3600.0
"""Seconds between two tries."""


class Returning:
    """Gives voices back, one process at a time."""

    def __init__(self, platform: Platform, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._platform, self._monotonic = platform, monotonic
        self._next = float("-inf")
        self._pause = _FIRST
        self._left: frozenset[str] = frozenset()

    def give_back(self) -> int:
        """Delete what is due at the providers; how many voices are gone. Never raises for an account."""
        waiting = frozenset(one.name for one in self._platform.store.rentals.all() if is_due(one))
        if not waiting:
            return 0
        if waiting <= self._left and self._monotonic() < self._next:
            return 0  # tried, and nothing is new
        settings = self._platform.settings
        done = give_back_released(self._platform.store, _cloners(self._platform), redact=settings.redact)
        for name, why in done.failed:
            log.warning("a cloned voice could not be given back: %s", why, extra={"voice": name})
        if done.deleted:
            log.info("cloned voices given back", extra={"count": len(done.deleted)})
        self._pause = _FIRST if waiting - self._left else min(_LAST, self._pause * 2)
        self._next = self._monotonic() + self._pause
        self._left = waiting.difference(done.deleted)
        return len(done.deleted)

    def abandoned(self) -> None:
        """Delete voices that nobody has used for a day and nobody asked to keep, as dubs elsewhere do."""
        store, redact = self._platform.store, self._platform.settings.redact
        if not any(one.state == "ready" and not one.kept for one in store.rentals.all()):
            return
        gateway = Gateway(store, redact=redact)
        try:
            for engine in _cloners(self._platform):
                try:
                    gateway.sweep(engine, unused=DAY)
                except AutodubError as problem:
                    log.warning("abandoned voices could not be looked for: %s", redact(problem.message))
        finally:
            gateway.close()


def _cloners(platform: Platform) -> Iterator[Any]:
    """The engines whose account can be asked."""
    context = engine_context(platform.settings)
    for name in registry.names("cloner"):
        try:
            engine: Any = registry.build("cloner", name, {}, context)
        except AutodubError:  # it cannot be loaded here, and so has rented nothing from here
            continue
        if engine.readiness().state == "ready" and isinstance(engine, Forgetful):
            yield engine
