"""How many calls an engine serves at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_GLANCE = 0.1  # seconds between looks at a request to stop
_WIDEN_AFTER = 20  # answers in a row before one lane taken away is given back


@dataclass(slots=True)
class _Lanes:
    width: int
    busy: int = 0
    streak: int = 0


class Lanes:
    """A gate per engine; narrows when the engine says it is busy, widens again as it answers.

    Share one between the jobs of a process: the limit belongs to the machine or the account.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._engines: dict[str, _Lanes] = {}

    @contextmanager
    def enter(self, engine: str, lanes: int, check: Callable[[], None]) -> Iterator[None]:
        """Hold a lane for a block; ``check`` is called while waiting and may raise."""
        with self._changed:
            state = self._engines.setdefault(engine, _Lanes(max(1, lanes)))
            while state.busy >= state.width:
                check()
                self._changed.wait(_GLANCE)
            state.busy += 1
        try:
            yield
        finally:
            with self._changed:
                state.busy -= 1
                self._changed.notify_all()

    def narrow(self, engine: str) -> None:
        """The engine was busy: let half as many calls through."""
        with self._changed:
            state = self._engines.get(engine)
            if state is not None:
                state.width, state.streak = max(1, state.width // 2), 0

    def answered(self, engine: str, lanes: int) -> None:
        """The engine answered: after a while, let one more call through, up to its own limit."""
        with self._changed:
            state = self._engines.get(engine)
            if state is None or state.width >= lanes:
                return
            state.streak += 1
            if state.streak >= _WIDEN_AFTER:
                state.width, state.streak = state.width + 1, 0
                self._changed.notify_all()

    def width(self, engine: str) -> int | None:
        """Lanes open at the moment; None when the engine was never asked."""
        with self._changed:
            state = self._engines.get(engine)
            return None if state is None else state.width
