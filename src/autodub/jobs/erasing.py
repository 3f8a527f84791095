"""Deleting a job so that nothing of it is left: its files, its kept answers, its voices, its rows.

First the row says that the job is to be deleted; from then on nobody sees it and nobody can queue it. Then
everything goes, the row last: whatever is half done when a process dies is done again by the next sweep.
What another job uses as well stays, and is that job's alone then.
"""

from __future__ import annotations

import json
import logging
import re
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

from sqlalchemy import Connection, delete, select, update

from autodub.jobs import audit, owing
from autodub.jobs.records import OVER, SYSTEM, Actor
from autodub.jobs.tables import deliveries, jobs

if TYPE_CHECKING:
    from autodub.jobs.platform import Platform

log = logging.getLogger("autodub.jobs")
_TOGETHER = 100
"""Jobs erased in one sweep."""
_JOB = re.compile(r"[0-9a-f]{32}")
_NOBODY = Actor(SYSTEM, SYSTEM, "admin")


class Erasing:
    """Erases jobs nobody works on; any number of processes may do so at once."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._is_unsettled = True  # as far as is known: the process before this one may have been killed

    def due(self) -> list[str]:
        """Jobs that are to be deleted and that nobody works on."""
        wanted = select(jobs.c.id).where(jobs.c.stopping == "delete", jobs.c.state.in_(OVER))
        with self._platform.sql.reading() as connection:
            return list(connection.execute(wanted.limit(_TOGETHER)).scalars())

    def expire(self, now: float) -> list[str]:
        """Have those deleted whose time is over; their ids."""
        is_due = (jobs.c.expires < now, jobs.c.state.in_(OVER), jobs.c.stopping == "")
        with self._platform.sql.reading() as connection:
            found = list(connection.execute(select(jobs.c.id).where(*is_due).limit(_TOGETHER)).scalars())
        if not found:
            return []

        def work(connection: Connection) -> list[str]:
            gone = update(jobs).where(jobs.c.id.in_(found), *is_due)
            marked = gone.values(stopping="delete", idempotency=None).returning(jobs.c.id)
            done = sorted(connection.execute(marked).scalars())
            for job in done:
                audit.record(self._platform.sql, connection, _NOBODY, "job.expired", f"job:{job}", at=now)
            return done

        return self._platform.sql.again(work)

    def erase(self, job: str) -> None:
        """Remove everything of a job that is to be deleted, its row last. Does nothing for any other."""
        wanted = (jobs.c.id == job, jobs.c.stopping == "delete", jobs.c.state.in_(OVER))
        with self._platform.sql.reading() as connection:
            row = connection.execute(
                select(jobs.c.owner, jobs.c.updated, jobs.c.spec).where(*wanted)
            ).one_or_none()
        if row is None:
            return
        self._is_unsettled = True
        self._clear(job)

        def work(connection: Connection) -> None:
            connection.execute(delete(deliveries).where(deliveries.c.job == job))
            if connection.execute(delete(jobs).where(*wanted)).rowcount:
                owing.owe(connection, row.owner, job, "job.deleted", at=row.updated)

        self._platform.sql.again(work)
        spec = json.loads(row.spec)
        self._platform.uploads.left(row.owner, [spec.get("upload"), spec.get("subtitles")])
        self._platform.queue.ring()
        log.info("job erased", extra={"job": job})

    def search(self) -> list[str]:
        """Remove what belongs to jobs that have no row any more; their ids.

        A worker that had lost its job may have written after the job was erased.
        """
        store, folder = self._platform.store, self._platform.folder("")
        found = {owner for owner in store.owners() if _JOB.fullmatch(owner)}
        if folder.is_dir():
            found |= {path.name for path in folder.iterdir() if _JOB.fullmatch(path.name)}
        if not found:
            return []
        with self._platform.sql.reading() as connection:
            known = set(connection.execute(select(jobs.c.id).where(jobs.c.id.in_(found))).scalars())
        for job in sorted(found - known):
            self._clear(job)
        store.collect()
        self._is_unsettled = True
        return sorted(found - known)

    def settle(self, *, after: int = 0) -> None:
        """Have what was deleted leave the databases' files as well, as soon as nobody reads in them."""
        if after or self._is_unsettled:
            is_settled = self._platform.sql.settle()
            self._is_unsettled = not (self._platform.store.settle() and is_settled)

    def _clear(self, job: str) -> None:
        """Remove the files of a job, and let go of what it used."""
        folder = self._platform.folder(job)
        with suppress(FileNotFoundError):
            shutil.rmtree(folder)
        self._platform.store.release(job, folder=folder)
