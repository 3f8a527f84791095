"""Trying again: when, how often, after what pause."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from autodub.model.errors import BadAnswer, EngineError

T = TypeVar("T")

_BAD_ANSWERS = 2  # nonsense is asked for once more, then it is the engine's last word


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential backoff with jitter, capped by attempts and by time.

    The pause after attempt n (from 1) is ``min(ceiling, base * factor ** (n - 1))`` seconds, of which
    a random share up to ``jitter`` is left out so that many callers do not return at once. An engine
    that says how long to wait (``retry_after``) is waited for that long instead, never less.
    """

    attempts: int = 4
    base: float = 0.5
    factor: float = 2.0
    ceiling: float = 30.0
    jitter: float = 0.5
    seconds: float = 180.0
    """Total time that may be spent waiting; an engine asking for longer is not waited for."""

    def pause(self, attempt: int, error: EngineError, chance: float) -> float:
        """Seconds to wait after a failed attempt; ``chance`` is random in 0..1."""
        backoff = min(self.ceiling, self.base * self.factor ** (attempt - 1)) * (1 - self.jitter * chance)
        return max(backoff, error.retry_after or 0.0)

    def local(self) -> RetryPolicy:
        """For engines of this machine: a crash may be chance, but waiting does not change much."""
        return replace(self, attempts=min(2, self.attempts), base=0.0)


NO_RETRY = RetryPolicy(attempts=1)
"""Every failure is final."""


def retrying(
    attempt: Callable[[], T],
    policy: RetryPolicy,
    *,
    wait: Callable[[float], None],
    chance: Callable[[], float],
    told: Callable[[EngineError, int, float], None],
) -> T:
    """The first success of ``attempt``; only transient errors are tried again, nonsense once.

    ``told`` hears of each retry (the error, the attempt that failed from 1, the pause in seconds);
    ``wait`` sleeps and may raise Cancelled.
    """
    number = bad = 0
    waited = 0.0
    while True:
        number += 1
        try:
            return attempt()
        except EngineError as error:
            bad += isinstance(error, BadAnswer)
            if not error.transient or number >= policy.attempts or bad >= _BAD_ANSWERS:
                raise
            pause = policy.pause(number, error, chance())
            if waited + pause > policy.seconds:
                raise
            told(error, number, pause)
        wait(pause)
        waited += pause
