"""Trying again: when, how often, after what pause."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from autodub.model.errors import BadAnswer, Busy, EngineError

T = TypeVar("T")

_BAD_ANSWERS = 2  # nonsense is asked for once more, then it is the engine's last word


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential backoff with jitter, capped by attempts and by time.

    The pause after failure n (from 1) is ``min(ceiling, base * factor ** (n - 1))`` seconds, of which
    a random share up to ``jitter`` is left out so that many callers do not return at once. An engine
    that says how long to wait (``retry_after``) is waited for that long instead, never less.

    Being told to slow down is no failure of the call: it uses up no attempt, and has a cap of its own.
    """

    attempts: int = 8
    base: float = 0.5
    factor: float = 2.0
    ceiling: float = 20.0
    jitter: float = 0.5
    seconds: float = 180.0
    """Time a call may spend on attempts that failed and the pauses after them, beyond what one attempt
    may take."""
    patience: float = 600.0
    """Time a call may spend waiting because the engine is busy; one asking for longer is not waited for."""
    busies: int = 100
    """How often an engine may be busy."""

    def pause(self, failure: int, error: EngineError, chance: float) -> float:
        """Seconds to wait after a failed attempt; ``chance`` is random in 0..1."""
        power = min(failure - 1, 30)
        backoff = min(self.ceiling, self.base * self.factor**power) * (1 - self.jitter * chance)
        return max(backoff, error.retry_after or 0.0)

    def local(self) -> RetryPolicy:
        """For engines of this machine: a crash may be chance, but waiting does not change much."""
        return replace(self, attempts=min(2, self.attempts), base=0.0, busies=min(1, self.busies))

    def brief(self) -> RetryPolicy:
        """For tidying up at the end, which may be done another day."""
        return replace(self, attempts=min(3, self.attempts), seconds=10.0, patience=10.0, busies=3)


NO_RETRY = RetryPolicy(attempts=1, busies=0)
"""Every failure is final."""


def retrying(
    attempt: Callable[[], T],
    policy: RetryPolicy,
    *,
    wait: Callable[[float], None],
    chance: Callable[[], float],
    told: Callable[[EngineError, int, float], None],
    worked: Callable[[], float] = lambda: 0.0,
    limit: float = 0.0,
    again: Callable[[EngineError], bool] = lambda _error: False,
) -> T:
    """The first success of ``attempt``; only transient errors are tried again, nonsense once.

    ``told`` hears of each retry (the error, the attempt that failed from 1, the pause in seconds);
    ``wait`` sleeps and may raise Cancelled. ``worked`` gives the seconds attempts have taken so far,
    ``limit`` those that one may take. ``again`` says of an error that is not transient whether its cause
    was removed, so that it is worth one more attempt at once.
    """
    number = failures = busies = bad = 0
    slowed = waited = 0.0
    while True:
        number += 1
        try:
            return attempt()
        except EngineError as error:
            bad += isinstance(error, BadAnswer)
            if isinstance(error, Busy):
                busies += 1
                pause = policy.pause(busies, error, chance())
                if busies > policy.busies or slowed + pause > policy.patience:
                    raise
                slowed += pause
            else:
                failures += 1
                is_mended = not error.transient and again(error)
                pause = 0.0 if is_mended else policy.pause(failures, error, chance())
                if not (error.transient or is_mended) or failures >= policy.attempts or bad >= _BAD_ANSWERS:
                    raise
                if waited + worked() + pause > policy.seconds + limit:
                    raise
                waited += pause
            told(error, number, pause)
        wait(pause)
