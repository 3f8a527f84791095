"""Deleting a job so that nothing of it is left: its files, its kept answers, its voices, its rows.

First the row says that the job is to be deleted; from then on nobody sees it and nobody can queue it. Then
everything goes, the row last: whatever is half done when a process dies is done again by the next sweep.
What another job uses as well stays, and is that job's alone then; an upload goes with its last job.
"""

from __future__ import annotations

import json
import logging
import re
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, delete, select, update

from autodub.infra.sql import those
from autodub.jobs import audit, owing
from autodub.jobs.records import OVER, SYSTEM, Actor
from autodub.jobs.tables import deliveries, jobs
from autodub.model.errors import AutodubError

if TYPE_CHECKING:
    from autodub.jobs.platform import Platform

log = logging.getLogger("autodub.jobs")
_TOGETHER = 100
"""Jobs erased in one sweep."""
_REWRITING = 600.0
"""Seconds between two times that the databases' files are written anew, which keeps writers waiting."""
_JOB = re.compile(r"[0-9a-f]{32}")
_NOBODY = Actor(SYSTEM, SYSTEM, "admin")


def erased(data_dir: Path) -> Path:
    """A file that says that something was deleted since the databases' files were written anew.

    Whoever releases what a person wanted gone makes it first, so that it is known after a crash, too.
    """
    return data_dir / "erased"


class Erasing:
    """Erases jobs nobody works on; any number of processes may do so at once."""

    def __init__(
        self, platform: Platform, *, clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._platform, self._clock, self._monotonic = platform, clock, monotonic
        self._rewritten = float("-inf")

    def due(self) -> list[str]:
        """Jobs that are to be deleted and that nobody works on."""
        wanted = select(jobs.c.id).where(jobs.c.stopping == "delete", jobs.c.state.in_(OVER))
        with self._platform.sql.reading() as connection:
            return list(connection.execute(wanted.limit(_TOGETHER)).scalars())

    def expire(self, now: float) -> list[str]:
        """Have those deleted whose time is over; their ids."""
        late = (jobs.c.expires < now, jobs.c.stopping != "delete")
        is_due = (*late, jobs.c.state.in_(OVER))
        with self._platform.sql.reading() as connection:
            found = list(connection.execute(select(jobs.c.id).where(*late).limit(_TOGETHER)).scalars())
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
            row = connection.execute(select(jobs).where(*wanted)).one_or_none()
        if row is None:
            return
        spec: Mapping[str, Any] = json.loads(row.spec)
        self._clear(job)
        if spec.get("clone_voices"):
            self._abandon()
        used = [spec.get("upload"), spec.get("subtitles")]
        self._platform.uploads.left(row.owner, used, but=job)

        def work(connection: Connection) -> None:
            connection.execute(delete(deliveries).where(deliveries.c.job == job))
            if connection.execute(delete(jobs).where(*wanted)).rowcount:
                owing.owe(connection, row.owner, job, "job.deleted", at=self._clock())

        self._platform.sql.again(work)
        self._platform.uploads.left(row.owner, used)  # where two jobs with one upload are erased at once
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
        with self._platform.sql.reading() as connection:
            known = those(connection, jobs.c.id, found)
        for job in sorted(found - known):
            self._clear(job)
        store.collect()
        return sorted(found - known)

    def settle(self) -> bool:
        """Have what was deleted leave the databases' files as well; False while something is left there.

        Their logs are emptied at once, when nobody reads in them. Copies inside their pages go when the
        files are written anew, which is done now and then only.
        """
        if not self._mark.exists():
            return True
        rewrite = self._monotonic() - self._rewritten >= _REWRITING
        try:
            is_settled = self._platform.sql.settle(rewrite=rewrite)
            is_settled = self._platform.store.settle(rewrite=rewrite) and is_settled
        except AutodubError as problem:  # somebody writes for very long, or the disk is full
            log.warning("what was deleted is still in the databases' files: %s", problem.message)
            return False
        if rewrite:
            self._rewritten = self._monotonic()
            if is_settled:
                self._mark.unlink(missing_ok=True)
        return rewrite and is_settled

    @property
    def _mark(self) -> Path:
        return erased(self._platform.settings.data_dir)

    def _clear(self, job: str) -> None:
        """Remove the files of a job, and let go of what it used."""
        self._mark.touch()
        folder = self._platform.folder(job)
        with suppress(FileNotFoundError):
            shutil.rmtree(folder)
        self._platform.store.release(job, folder=folder)

    def _abandon(self) -> None:
        """Have voices looked for and deleted that were asked for by somebody who was killed.

        They may be another job's that goes on later; that one asks for its voice again then.
        """
        rentals = self._platform.store.rentals
        for rental in rentals.all():
            if rental.state == "pending" and not rentals.is_used(rental):
                rentals.change(rental.token, state="stray", trouble="asked for by a job that was deleted")
