"""What is learnt about the accounts that engines work for, shared by every job of a process."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from autodub.engines.roles import Accounted
from autodub.gateway.breaker import Breaker
from autodub.gateway.lanes import Lanes


class Accounts:
    """Circuit breaker and gates by account. Safe for many threads."""

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


def account_of(engine: Any) -> str:
    """The account an engine works for; empty for engines that have none."""
    return str(engine.account) if isinstance(engine, Accounted) else ""


def pool_of(engine: Any, verb: str, *, name: str) -> str:
    """The limit a verb counts against; ``name`` is that of the engine, for those without an account."""
    return f"{engine.account}/{engine.pool(verb)}" if isinstance(engine, Accounted) else name
