"""Waking the workers of this machine: a queue entry is a row, and this only says that there is one.

Every process that waits has a FIFO in one folder; whoever has something to do for them writes a byte into
each. A bell that is not heard costs nothing but time: everybody looks by himself, too, now and then.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import select
import stat
import time
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from autodub.jobs.records import Job

_FRESH = 10.0
"""Seconds."""


class Queue(Protocol):
    """What wakes workers. The job's row is the truth; nothing is lost when a bell is not heard."""

    def ring(self, *queued: Job) -> None:
        """There is something to do, or to stop; ``queued`` are jobs that wait from now on. Never raises."""
        ...

    def remind(self, *, places: int) -> None:
        """Say again that jobs wait which nobody has taken, of each resource as many as ``places``.

        Raises Unavailable where the database does not tell which.
        """
        ...

    def close(self) -> None:
        """Let go of what it needs."""
        ...


class Doorbell:
    """Rings at every process that listens in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def ring(self, *queued: Job) -> None:  # noqa: ARG002 - the row says it
        """Wake everybody; never raises for one who is gone."""
        for bell in self._folder.glob("*.bell"):
            try:
                handle = os.open(bell, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
            except OSError as error:
                if error.errno == errno.ENXIO and _is_old(bell):  # nobody listens: its process was killed
                    bell.unlink(missing_ok=True)
                continue
            try:
                if stat.S_ISFIFO(os.fstat(handle).st_mode):
                    os.write(handle, b"!")
            except OSError:
                pass  # full: it has been rung often enough
            finally:
                os.close(handle)

    def remind(self, *, places: int) -> None:
        """Nothing: whoever is free looks at the rows by himself, too."""

    def close(self) -> None:
        """Nothing."""


def _is_old(bell: Path) -> bool:
    """Whether a bell is older than it takes to open it once it was made."""
    try:
        return time.time() - bell.stat().st_mtime > _FRESH
    except FileNotFoundError:
        return False


class Listener:
    """One who is woken."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"{os.getpid()}-{secrets.token_hex(4)}.bell"
        os.mkfifo(self._path, 0o600)
        # Open for both: a FIFO without a writer would be readable all the time.
        self._handle = os.open(self._path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def wait(self, seconds: float) -> bool:
        """Sleep until it rings, or so long; whether it rang."""
        ready, _, _ = select.select([self._handle], [], [], seconds)
        if ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self._handle, 4096)
        return bool(ready)

    def wake(self) -> None:
        """Ring one's own bell."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._handle, b"!")

    def close(self) -> None:
        """Listen no more."""
        self._path.unlink(missing_ok=True)
        os.close(self._handle)
