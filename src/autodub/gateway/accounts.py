"""What is learnt about the accounts that engines work for: by all jobs of a process, or of many processes."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any

from autodub.engines.roles import Accounted
from autodub.gateway.breaker import Breaker
from autodub.gateway.gates import Circuits, Gates
from autodub.gateway.lanes import Lanes
from autodub.infra.settings import Settings


class Accounts:
    """Circuit breaker and gates by account, this process's own. Safe for many threads."""

    breaker: Circuits
    lanes: Gates

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        threshold: int = 3,
        cooldown: float = 60.0,
    ) -> None:
        self.breaker = Breaker(threshold=threshold, cooldown=cooldown, clock=clock)
        self.lanes = Lanes(clock=clock)


EVERYBODY = Accounts()
"""Those of this process: two dubs side by side share what they learn about an account."""


def accounts_of(settings: Settings) -> Accounts:
    """Those of the settings: shared in Redis, or this process's own. Raises BadOption."""
    address = settings.provider_limits.get_secret_value()
    if not is_shared(settings):
        return EVERYBODY
    with _opening:
        place = (os.getpid(), address)  # threads and connections do not survive a fork
        if place not in _shared:
            from autodub.gateway.shared_accounts import SharedAccounts
            from autodub.infra.redis_limits import RedisLimits

            _shared[place] = SharedAccounts(RedisLimits(settings.provider_limits))
        return _shared[place]


def is_shared(settings: Settings) -> bool:
    """Whether limits are shared with other processes."""
    return settings.provider_limits.get_secret_value().lower() not in ("", LOCAL)


_opening = threading.Lock()
_shared: dict[tuple[int, str], Accounts] = {}
LOCAL = "memory://"
"""The setting where each process is to be by itself, whatever broker there is."""


def account_of(engine: Any) -> str:
    """The account an engine works for; empty for engines that have none."""
    return str(engine.account) if isinstance(engine, Accounted) else ""


def pool_of(engine: Any, verb: str, *, name: str) -> str:
    """The limit a verb counts against; ``name`` is that of the engine, for those without an account."""
    return f"{engine.account}/{engine.pool(verb)}" if isinstance(engine, Accounted) else name
