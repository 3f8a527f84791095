"""What the door asks of gates and circuit breakers: those of one process, and those that many share."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from autodub.gateway.breaker import Leave
from autodub.gateway.lanes import NOBODY, Change, Ticket, Turn


class Gates(Protocol):
    """How many calls go out at once, by pool: see ``Lanes``."""

    def enter(
        self, pool: str, lanes: int, check: Callable[[], None], *, job: Turn = NOBODY,
        wait: Callable[[float], None] = time.sleep,
    ) -> AbstractContextManager[Ticket]: ...  # fmt: skip

    def refused(self, ticket: Ticket, retry_after: float | None = None) -> Change | None: ...

    def answered(self, ticket: Ticket) -> Change | None: ...

    def allow(self, ticket: Ticket, lanes: int) -> Change | None: ...

    def width(self, pool: str) -> int | None: ...

    def ceiling(self, pool: str) -> int | None: ...


class Circuits(Protocol):
    """Which accounts are not asked: see ``Breaker``."""

    def guard(
        self, account: str, *, job: Turn | None = None, check: Callable[[], None] = ...,
        is_trial: bool = False,
    ) -> Leave: ...  # fmt: skip

    def told(self, leave: Leave, error: BaseException | None) -> bool: ...

    def settle(self, account: str, error: BaseException | None) -> bool: ...

    def prove(self, account: str) -> None: ...

    def is_proven(self, account: str) -> bool: ...
