"""A program that is to run all the time: started again when it ends, told to end when we do."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import time
from collections.abc import Callable

from autodub.infra.process import Program

log = logging.getLogger("autodub.serve")
_PAUSES = (0.0, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds before it is started anew after the 1st, 2nd, 3rd ... end in a row."""
_SETTLED = 60.0
"""Seconds after which an end is not counted as one in a row."""


class Kept:
    """One such program. Not safe for threads: whoever made it looks after it."""

    def __init__(
        self, start: Callable[[], Program], *, name: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._start, self._name, self._clock = start, name, clock
        self._process: Program | None = None
        self._began = self._due = clock()
        self._ends = 0

    def look(self) -> None:
        """Notice an end, and start it when it is due; call this about once a second."""
        now = self._clock()
        if self._process is not None and self._process.poll() is not None:
            self._ends = 1 if now - self._began > _SETTLED else self._ends + 1
            pause = _PAUSES[min(self._ends, len(_PAUSES)) - 1]
            self._due = now + pause
            log.error(
                "%s has ended and is started again", self._name,
                extra={"code": self._process.returncode, "pause": pause},
            )  # fmt: skip
            self._process = None
        if self._process is None and now >= self._due:
            self._began = now
            self._process = self._start()

    def notice(self) -> None:
        """See how it ended, if it has, before anybody else takes the answer."""
        if self._process is not None:
            self._process.poll()

    @property
    def is_running(self) -> bool:
        """Whether there is such a process now."""
        return self._process is not None and self._process.poll() is None

    def ask(self) -> None:
        """Ask it to end; it is not started again unless somebody looks."""
        if self._process is not None and self.is_running:
            self._process.terminate()

    def kill(self) -> None:
        """End it and what it started, at once."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None
