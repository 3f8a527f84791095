"""A user's own data: all of it handed out, or all of it erased.

Erasing begins with closing the account; what is running is stopped, and then everything goes: jobs with
their files, answers and voices, uploads, texts, keys, statements, what was consumed, and the user's row
last. A sweep goes on where a process was killed, or where a job had first to be stopped. What stays is the
audit, with the user's id and without addresses.

Amounts consumed go with the user: figures for the operator are counted apart, without names. Afterwards
the SQLite files are written anew, since a row that was deleted may have left copies inside their pages.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, Connection, and_, delete, select, update

from autodub.jobs import audit, privacy_export
from autodub.jobs.records import LOCAL, OVER, SYSTEM, Actor
from autodub.jobs.tables import (
    batches,
    clones,
    consents,
    glossaries,
    holds,
    hooks,
    jobs,
    keys,
    sessions,
    uploads,
    usage,
    users,
)
from autodub.model.errors import AutodubError, NotFound, Unavailable

if TYPE_CHECKING:
    from autodub.jobs.platform import Platform

log = logging.getLogger("autodub.privacy")
_NOBODY = Actor(SYSTEM, SYSTEM, "admin")
_OWNED = (usage, holds, glossaries, hooks, keys, sessions, clones, consents, batches, uploads)
"""What goes with a user, what refers to others of these first."""


class Privacy:
    """The data of users, as a whole."""

    def __init__(self, platform: Platform, *, clock: Callable[[], float] = time.time) -> None:
        self._platform, self._clock = platform, clock

    def export(self, actor: Actor, user: str, *, media: bool = False) -> Iterator[bytes]:
        """Everything kept about a user as the pieces of a ZIP; ``media``: the files as well.

        Raises NotFound for somebody else, unless an admin asks, before the first piece.
        """
        with self._platform.sql.writing() as connection:
            self._own(connection, actor, user)
            audit.record(
                self._platform.sql, connection, actor, "user.exported", f"user:{user}", at=self._clock(),
                data={"media": media},
            )  # fmt: skip
        return privacy_export.export(self._platform, user, media=media)

    def leave(self, actor: Actor, user: str) -> bool:
        """Erase a user; whether all is gone already. What is running is stopped first, and erased then.

        Raises NotFound, and Conflict for the last admin. The local user of a server without accounts
        stays, with nothing.
        """
        platform, now = self._platform, self._clock()
        with platform.sql.reading() as connection:
            self._own(connection, actor, user)
        if user != LOCAL:
            platform.accounts.closed(actor, user)

        def work(connection: Connection) -> None:
            marked = update(users).where(users.c.id == user, users.c.leaving.is_(None)).values(leaving=now)
            if connection.execute(marked).rowcount:
                audit.record(platform.sql, connection, actor, "user.leaving", f"user:{user}", at=now)

        platform.sql.again(work)
        self._delete_jobs(user)
        return self.erase(user)

    def erase(self, user: str) -> bool:
        """Go on with a user who is leaving; whether all is gone."""
        platform = self._platform
        with platform.sql.reading() as connection:
            row = connection.execute(select(users.c.leaving).where(users.c.id == user)).one_or_none()
        if row is None or row.leaving is None:
            return row is None
        self._delete_jobs(user)
        for job in self._jobs(user, jobs.c.state.in_(OVER)):
            platform.erasing.erase(job)
        if self._jobs(user):
            return False
        with platform.sql.reading() as connection:
            voices = connection.execute(select(clones.c.voice).where(clones.c.owner == user)).scalars().all()
        platform.consents.give_back(voices)
        self._erase_uploads(user)
        self._unsettled.touch()
        platform.sql.again(lambda connection: self._forget(connection, user))
        platform.queue.ring()
        log.info("user erased", extra={"user": user})
        return self.settle()

    def due(self) -> list[str]:
        """Users who are being erased."""
        with self._platform.sql.reading() as connection:
            return list(connection.execute(select(users.c.id).where(users.c.leaving.is_not(None))).scalars())

    def sweep(self) -> None:
        """Go on with whoever is leaving, and with what was left in files."""
        for user in self.due():
            try:
                self.erase(user)
            except Unavailable:
                raise
            except (AutodubError, OSError):  # such as a full disk; the others go, and it is tried again
                log.exception("a user could not be erased", extra={"user": user})
        if self.is_unsettled:
            self.settle()

    def settle(self) -> bool:
        """Write the SQLite files anew, without what was deleted; False when somebody reads in them now."""
        is_settled = self._platform.sql.settle(rewrite=True)
        is_settled = self._platform.store.settle(rewrite=True) and is_settled
        if is_settled:
            self._unsettled.unlink(missing_ok=True)
        return is_settled

    @property
    def is_unsettled(self) -> bool:
        """Whether copies of what was deleted may be left in files."""
        return self._unsettled.exists()

    @property
    def _unsettled(self) -> Path:
        """Says so also after a crash."""
        return self._platform.settings.data_dir / "unsettled"

    def _own(self, connection: Connection, actor: Actor, user: str) -> None:
        known = connection.execute(select(users.c.id).where(users.c.id == user)).first()
        if known is None or not (actor.id == user or actor.is_admin):
            raise NotFound(f"There is no user {user[:40]}.", hint="Look at the list of users.")

    def _delete_jobs(self, user: str) -> None:
        """Have every job deleted that is not yet; one that runs is stopped by its worker."""
        for job in self._jobs(user, jobs.c.stopping != "delete"):
            try:
                self._platform.jobs.delete(_NOBODY, job)
            except NotFound:  # somebody was faster
                continue

    def _erase_uploads(self, user: str) -> None:
        """Remove the files of a user's uploads, the complete ones and those that were never completed."""
        platform = self._platform
        with platform.sql.reading() as connection:
            mine = set(connection.execute(select(uploads.c.id).where(uploads.c.owner == user)).scalars())
        for upload in sorted(mine):
            platform.store.release(f"upload:{upload}")
        folder = platform.settings.data_dir / "uploads"
        for path in folder.iterdir() if folder.is_dir() else ():
            if path.name.partition(".")[0] in mine:
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    def _jobs(self, user: str, *where: ColumnElement[bool]) -> list[str]:
        """A user's jobs of before they began to leave: who stays may have newer ones."""
        old = and_(jobs.c.owner == user, users.c.id == user, jobs.c.created <= users.c.leaving)
        wanted = select(jobs.c.id).where(old, *where)
        with self._platform.sql.reading() as connection:
            return list(connection.execute(wanted).scalars())

    def _forget(self, connection: Connection, user: str) -> None:
        """Take out every row but those of the audit; the user's own last."""
        for table in _OWNED:
            connection.execute(delete(table).where(table.c.owner == user))
        audit.forget_addresses(connection, user)
        at = self._clock()
        audit.record(self._platform.sql, connection, _NOBODY, "user.erased", f"user:{user}", at=at)
        if user == LOCAL:
            connection.execute(update(users).where(users.c.id == user).values(leaving=None))
        else:
            connection.execute(delete(users).where(users.c.id == user))
