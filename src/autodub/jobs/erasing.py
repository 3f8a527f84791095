"""Deleting a job so that nothing of it is left: its files, its kept answers, its voices, its rows."""

from __future__ import annotations

import logging
import shutil
from typing import TYPE_CHECKING

from sqlalchemy import select

from autodub.jobs.tables import jobs

if TYPE_CHECKING:
    from autodub.jobs.platform import Platform

log = logging.getLogger("autodub.jobs")


class Erasing:
    """Erases jobs nobody works on. What is half done when the process dies is finished by the sweeper."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def erase(self, job: str) -> None:
        """Remove everything of a job, its row last."""
        shutil.rmtree(self._platform.folder(job), ignore_errors=True)
        self._platform.jobs.forget(job)
        log.info("job erased", extra={"job": job})

    def due(self, now: float) -> list[str]:
        """Jobs to be erased: those somebody deleted, and those whose time is over."""
        over = jobs.c.state.in_(("completed", "failed", "cancelled"))
        wanted = select(jobs.c.id).where(over, (jobs.c.stopping == "delete") | (jobs.c.expires < now))
        with self._platform.sql.reading() as connection:
            return list(connection.execute(wanted.limit(100)).scalars())
