"""What must be done now and then: jobs of workers that are gone, retention, things nobody uses.

Every worker has a sweeper, and any number may sweep at once. One that is killed leaves nothing half done
that the next one does not finish.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from autodub.jobs.register import Register
from autodub.jobs.returning import Returning
from autodub.model.errors import AutodubError, Unavailable

if TYPE_CHECKING:
    from autodub.jobs.platform import Platform

log = logging.getLogger("autodub.sweeper")
_GLANCE = 1.0
"""Seconds; leases are renewed three times in each, give or take a moment."""
_SELDOM = 3600.0
"""Seconds between two looks for what no row knows of any more."""


class Sweeper:
    """Sweeps, in a thread of its own or when it is told to."""

    every = 5.0
    """Seconds between two sweeps."""

    def __init__(
        self, platform: Platform, *, clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._platform, self._clock, self._monotonic = platform, clock, monotonic
        self._register = Register(platform.sql, platform.alive, clock=clock)
        self._returning = Returning(platform)
        self._searched = float("-inf")
        self._newer = 0
        self._late: dict[str, tuple[float, float]] = {}
        """Job -> its lease, which has run out, and since when we know."""
        self._woken = threading.Event()
        self._is_over = False
        self._thread = threading.Thread(target=self._run, name="sweeper", daemon=True)

    def start(self) -> None:
        """Begin to sweep."""
        self._thread.start()

    def wake(self) -> None:
        """Somebody may have deleted something: look at once."""
        self._woken.set()

    def stop(self, *, patience: float = 5.0) -> None:
        """Sweep no more."""
        self._is_over = True
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join(patience)

    def _run(self) -> None:
        swept = float("-inf")
        while not self._is_over:
            try:
                if time.monotonic() - swept >= self.every:
                    swept = time.monotonic()
                    self.sweep()
                else:
                    self.erase()
            except Unavailable as problem:
                log.warning("nothing could be swept: %s", problem.message)
            except Exception:  # the sweeper goes on
                log.exception("sweeping failed")
            self._woken.wait(self.every)
            self._woken.clear()

    def sweep(self) -> None:
        """Do everything that is due."""
        self.reclaim()
        now = self._clock()
        platform = self._platform
        parts: list[Callable[[], object]] = [
            partial(part, now)
            for part in (
                platform.hooks.sweep, platform.sessions.sweep, platform.uploads.sweep, platform.erasing.expire
            )
        ]  # fmt: skip
        parts += [self.erase, platform.privacy.sweep, self._remind, self._tell]
        if now - self._searched >= _SELDOM:
            self._searched = now
            parts += [platform.erasing.search, platform.uploads.search]
            parts += [self._returning.abandoned, self._register.tidy, platform.previewing.sweep]
        for part in (*parts, platform.erasing.settle):
            try:
                part()
            except Unavailable:
                raise
            except Exception:  # one file that cannot be removed must not keep everything else for ever
                log.exception("a part of a sweep failed")

    def erase(self) -> None:
        """Erase what was deleted, and give cloned voices back that nobody uses any more."""
        for job in self._platform.erasing.due():
            try:
                self._platform.erasing.erase(job)
            except Unavailable:
                raise
            except (AutodubError, OSError):  # such as a full disk; the others go, and it is tried again
                log.exception("a job could not be erased", extra={"job": job})
        self._returning.give_back()

    def reclaim(self) -> list[str]:
        """Queue the jobs of workers that are gone; of this machine's workers that is known at once."""
        dead = self._register.dead()
        again = self._platform.claims.reclaim(dead=dead, late=self._silent())
        self._register.strike(dead)
        if again:
            log.warning("jobs of workers that are gone are taken up again", extra={"jobs": again})
            self._platform.queue.ring()
            self._remind()
        return again

    def _tell(self) -> None:
        """Say once that jobs wait which workers of this release leave to newer ones."""
        newer = self._platform.claims.newer()
        if newer and not self._newer:
            log.warning("jobs wait that only workers of a newer release can do", extra={"jobs": newer})
        self._newer = newer

    def _remind(self) -> None:
        """A message to workers may have been lost, or nobody was there to take it."""
        self._platform.queue.remind(places=max(1, self._platform.numbers.queue().slots))

    def _silent(self) -> Mapping[str, float]:
        """Job -> lease, of those that ran out and were not renewed while anybody alive would have done so.

        Measured here and by a clock that is never set: after a machine slept, a clock was set or the database
        was away, every lease has run out and nobody is gone; and no two machines have the same time.
        """
        now = self._monotonic()
        found = self._platform.claims.late()
        self._late = {
            job: known if (known := self._late.get(job)) and known[0] == lease else (lease, now)
            for job, lease in found.items()
        }
        patience = self._platform.server.lease / 2 + _GLANCE
        return {job: lease for job, (lease, since) in self._late.items() if now - since >= patience}
