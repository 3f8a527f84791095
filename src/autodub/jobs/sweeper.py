"""What must be done now and then: jobs of workers that are gone, retention, things nobody uses."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from autodub.infra.locks import FileLock
from autodub.jobs.tables import workers

if TYPE_CHECKING:
    from autodub.jobs.platform import Platform

log = logging.getLogger("autodub.sweeper")
_SILENT = 600.0
"""Seconds after which a worker of another machine that says nothing is taken off the list."""


class Sweeper:
    """Sweeps; every worker has one, and any number may sweep at once."""

    every = 5.0
    """Seconds between two sweeps."""

    def __init__(self, platform: Platform, *, clock: Callable[[], float] = time.time) -> None:
        self._platform, self._clock = platform, clock

    def sweep(self) -> None:
        """Do everything that is due."""
        self.reclaim()
        for job in self._platform.erasing.due(self._clock()):
            self._platform.erasing.erase(job)

    def reclaim(self) -> list[str]:
        """Queue the jobs of workers that are gone; of this machine's workers that is known at once."""
        dead = self._dead()
        again = self._platform.claims.reclaim(dead=dead)
        if again:
            log.warning("jobs of workers that are gone are taken up again", extra={"jobs": again})
            self._platform.queue.ring()
        with self._platform.sql.writing() as connection:
            gone = (workers.c.seen < self._clock() - _SILENT) | workers.c.id.in_(dead)
            connection.execute(delete(workers).where(gone))
        for worker in dead:
            (self._platform.alive / f"{worker}.alive").unlink(missing_ok=True)
        return again

    def _dead(self) -> list[str]:
        """Workers of this data directory whose process is gone."""
        with self._platform.sql.reading() as connection:
            known = set(connection.execute(select(workers.c.id)).scalars())
        dead = []
        for mark in self._platform.alive.glob("*.alive"):
            lock = FileLock(mark)
            if lock.take():
                lock.free()
                if mark.stem in known:
                    dead.append(mark.stem)
        return dead
