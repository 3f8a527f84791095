"""Not asking an engine that fails every time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from autodub.model.errors import Busy, CircuitOpen, EngineError, NoCredit, Refused, Unreachable


@dataclass(slots=True)
class _State:
    failures: int = 0
    opened: float | None = None
    probing: bool = False
    reason: str = ""


class Breaker:
    """Opens after ``threshold`` calls in a row that got no answer, and at once on a refusal.

    After ``cooldown`` seconds one call is let through; its outcome closes or reopens the circuit.
    Safe for many threads; share one between jobs to let them learn from each other.
    """

    def __init__(
        self, *, threshold: int = 3, cooldown: float = 60.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._threshold = threshold
        self._cooldown = cooldown
        self._clock = clock
        self._lock = threading.Lock()
        self._states: dict[str, _State] = {}

    def guard(self, engine: str) -> None:
        """Let a call through. Raises CircuitOpen when the engine is not asked at the moment."""
        with self._lock:
            state = self._states.setdefault(engine, _State())
            if state.opened is None:
                return
            if self._clock() - state.opened >= self._cooldown and not state.probing:
                state.probing = True
                return
            raise CircuitOpen(
                f"{engine} is not asked any more, because it kept failing: {state.reason}",
                hint="Choose another engine, or run the same command again later: finished work is kept.",
            )

    def settle(self, engine: str, error: BaseException | None) -> None:
        """Learn from a call that was let through; ``error`` is what it ended with, None for an answer."""
        with self._lock:
            state = self._states.setdefault(engine, _State())
            was_probe, state.probing = state.probing, False
            if isinstance(error, (Unreachable, Busy, Refused, NoCredit)):
                state.failures += 1
                final = isinstance(error, (Refused, NoCredit))
                if final or was_probe or state.failures >= self._threshold:
                    state.opened = self._clock()
                    state.reason = error.message
            elif error is None or isinstance(error, EngineError):  # it answers, if only to say no
                state.failures, state.opened, state.reason = 0, None, ""
