"""What a fake engine does next: answer, fail, hang, crash or talk nonsense."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass

from autodub.engines.roles import Work

_GLANCE = 0.01  # seconds


@dataclass(frozen=True, slots=True)
class Give:
    """Answer with exactly this value, sensible or not."""

    value: object


@dataclass(frozen=True, slots=True)
class Hang:
    """Do nothing, deaf to requests to stop, until the script is released."""


@dataclass(frozen=True, slots=True)
class Proceed:
    """Answer as the fake normally does."""


Step = BaseException | Give | Hang | Proceed
"""An exception is raised: one of the error tree is a failure, any other one is a crash."""


class Script:
    """Steps for the first calls, in order; after the last one every call proceeds normally.

    ``delay`` is waited before every step, in seconds, and may be interrupted by a request to stop.
    """

    def __init__(self, steps: Iterable[Step] = (), *, delay: float = 0.0) -> None:
        self._steps = list(steps)
        self._delay = delay
        self._lock = threading.Lock()
        self._released = threading.Event()
        self.requests: list[object] = []
        """Every request that reached the engine, in order."""
        self.busiest = 0
        """The most calls that were in the engine at once."""
        self._inside = 0

    def release(self) -> None:
        """Let every hanging call go on."""
        self._released.set()

    def play(self, request: object, work: Work) -> Give | Proceed:
        """Do the next step's part; what it returns says how to answer."""
        with self._lock:
            self.requests.append(request)
            step = self._steps.pop(0) if self._steps else Proceed()
            self._inside += 1
            self.busiest = max(self.busiest, self._inside)
        try:
            pause = threading.Event()
            waited = 0.0
            while waited < self._delay:
                work.check()
                pause.wait(_GLANCE)
                waited += _GLANCE
            if isinstance(step, BaseException):
                raise step
            if isinstance(step, Hang):
                self._released.wait()
                return Proceed()
            return step
        finally:
            with self._lock:
                self._inside -= 1
