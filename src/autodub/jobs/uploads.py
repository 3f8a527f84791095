"""Uploads: files that are sent to the server, examined, and kept for jobs to use.

A file that is whole is examined and moved into the store, for its owner ``upload:<id>``. While a job uses an
upload it cannot be deleted; when the last one that did is erased, it goes with it.
"""

from __future__ import annotations

import json
import logging
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from autodub.gateway.store import Store
from autodub.infra.blobs import name_of
from autodub.infra.server_settings import ServerSettings
from autodub.infra.sql import Sql, those
from autodub.jobs import audit
from autodub.jobs.examining import SUBTITLE_BYTES, Kind, examined, kind_of
from autodub.jobs.naming import ending, safe_name
from autodub.jobs.receiving import Growing, Locked, WrongOffset, roomy
from autodub.jobs.records import Actor
from autodub.jobs.tables import jobs, uploads
from autodub.model.errors import (
    AutodubError,
    BadOption,
    Conflict,
    NotFound,
    QuotaExceeded,
    RequestError,
    TooLarge,
    TooMany,
    Unavailable,
    UnsupportedSource,
)

log = logging.getLogger("autodub.uploads")
_LOCK = 4_208
_OPEN = 100
"""Uploads of one user that may be under way at once."""
_LISTED = 500
_OWNER = "upload:"


@dataclass(frozen=True, slots=True)
class Upload:
    """One upload as it stands."""

    id: str
    name: str
    kind: Kind
    state: Literal["receiving", "ready", "refused"]
    size: int
    """Bytes it has or will have."""
    received: int
    """Bytes that are there."""
    why: str
    """Why it was refused."""
    info: Mapping[str, Any]
    """What is in it, see ``examining``."""
    created: float
    expires: float
    """When it is removed, unless a job uses it."""


class Uploads:
    """The uploads of one platform. Safe for many threads and processes at once."""

    def __init__(
        self, sql: Sql, store: Store, server: ServerSettings, folder: Path, *,
        clock: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        """``folder`` is where files grow."""
        self._sql, self._store, self._server, self._clock = sql, store, server, clock
        self._growing = Growing(folder, spare=server.spare, clock=clock)

    def begin(self, actor: Actor, said: str, *, size: int, kind: str | None = None) -> Upload:
        """Announce a file of so many bytes, by the name its user gives it.

        Raises UnsupportedSource, BadOption, TooLarge, TooMany, QuotaExceeded, Unavailable.
        """
        name = safe_name(said, otherwise="")
        is_of = kind_of(name, kind)
        self._check_size(size, is_of)
        now, upload = self._clock(), secrets.token_hex(16)
        values = {
            "id": upload, "owner": actor.id, "name": name, "kind": is_of, "size": size, "received": 0,
            "info": "{}", "state": "receiving", "why": "", "created": now, "expires": self._expiry(),
        }  # fmt: skip
        self._growing.begin(upload, name, size=size)

        def work(connection: Connection) -> Row[Any]:
            self._sql.alone(connection, _LOCK)
            self._check_room(connection, actor, size)
            connection.execute(insert(uploads).values(**values))
            return self._own(connection, actor, upload)

        try:
            return self._shown(self._sql.again(work))
        except BaseException:  # whatever stopped it, no file without a row stays
            self._growing.remove(upload, name)
            raise

    def foresee(self, actor: Actor, said: str, *, size: int, kind: str | None = None) -> None:
        """Raise what ``begin`` would for such a file; nothing is kept."""
        self._check_size(size, kind_of(safe_name(said, otherwise=""), kind))
        with self._sql.reading() as connection:
            self._check_room(connection, actor, size)

    def receive(
        self, actor: Actor, upload: str, source: Iterable[bytes], *, offset: int,
        digest: tuple[str, bytes] | None = None,
    ) -> Upload:  # fmt: skip
        """Take the next bytes; with the last ones the file is examined, and kept or refused.

        Raises NotFound, Conflict, Locked, WrongOffset, UnsupportedSource, BadSubtitles, and as ``append``;
        Unavailable also where it is whole and cannot be examined now: whoever looks at it later has it done.
        """
        with self._alone(actor, upload) as row:
            if row.state != "receiving":
                raise Conflict(f"The upload is {row.state}.", hint="Begin another one.")
            known = self._growing.size(upload, row.name)
            if offset != known:
                raise WrongOffset(f"{known} bytes are there, not {offset}.", hint="Go on from there.")
            try:
                self._growing.append(upload, row.name, source, most=row.size, digest=digest)
            finally:
                self._note(upload, received=self._growing.size(upload, row.name))
            if self._growing.size(upload, row.name) == row.size:
                return self._finished(actor, row)
        return self.get(actor, upload)

    def take(
        self, actor: Actor, said: str, source: Iterable[bytes], *, most: int, kind: str | None = None
    ) -> Upload:
        """Take a file whose size is known only at its end, ``most`` bytes at most: whole or not at all.

        Raises as ``begin`` and ``receive``.
        """
        begun = self.begin(actor, said, size=most, kind=kind)
        with self._alone(actor, begun.id) as row:
            try:
                self._growing.append(begun.id, row.name, source, most=most)
                size = self._growing.size(begun.id, row.name)
                self._check_size(size, begun.kind)
                self._note(begun.id, size=size, received=size)
                return self._finished(actor, row)
            except BaseException:  # a refusal as well as a connection that broke: nothing of it stays
                self._remove(begun.id, begun.name)
                raise

    def get(self, actor: Actor, upload: str) -> Upload:
        """One upload. Raises NotFound, also for that of somebody else."""
        with self._sql.reading() as connection:
            found = self._shown(self._own(connection, actor, upload))
        if found.state != "receiving" or found.received != found.size:
            return found
        # Its last bytes came just before the server was killed.
        with suppress(Locked, RequestError, Unavailable), self._alone(actor, upload) as row:
            if row.state == "receiving" and self._growing.size(upload, row.name) == row.size:
                self._finished(actor, row)
        with self._sql.reading() as connection:
            return self._shown(self._own(connection, actor, upload))

    def mine(self, actor: Actor) -> tuple[list[Upload], int]:
        """A user's uploads, newest first, and the bytes they count for."""
        own = uploads.c.owner == actor.id
        newest = select(uploads).where(own).order_by(uploads.c.created.desc(), uploads.c.id).limit(_LISTED)
        with self._sql.reading() as connection:
            found = connection.execute(newest).all()
            return [self._shown(row) for row in found], self._used(connection, actor)

    def delete(self, actor: Actor, upload: str) -> None:
        """Remove an upload. Raises NotFound; Conflict while a job uses it; Locked while somebody sends."""

        def work(connection: Connection) -> None:
            count = self._jobs_with(connection, actor.id, upload)
            if count:
                raise Conflict(
                    f"{count} of your jobs use{'s' * (count == 1)} this upload.", hint="Delete them first."
                )
            connection.execute(delete(uploads).where(uploads.c.id == upload))
            audit.record(self._sql, connection, actor, "upload.deleted", f"upload:{upload}", at=self._clock())

        with self._alone(actor, upload) as row:
            self._sql.again(work)
            self._clear(upload, row.name)

    def left(self, owner: str, wanted: Iterable[str | None], *, but: str = "") -> None:
        """Remove those of some uploads that no job uses, ``but`` for the one that is being erased."""
        for upload in filter(None, wanted):
            with suppress(Locked), self._growing.alone(upload):
                self._drop(upload, uploads.c.owner == owner, but=but)

    def sweep(self, now: float) -> list[str]:
        """Remove uploads whose time is over and that no job uses; their ids.

        One that is in use is looked at again only after as long a time: it goes with its last job.
        """
        is_due = uploads.c.expires < now
        with self._sql.reading() as connection:
            due = list(connection.execute(select(uploads.c.id).where(is_due)).scalars())
        gone = []
        for upload in due:
            with suppress(Locked), self._growing.alone(upload):  # else somebody sends to it this moment
                dropped = self._drop(upload, is_due)
                gone += dropped
                if not dropped:
                    self._note(upload)
        return gone

    def search(self) -> list[str]:
        """Remove what belongs to uploads that have no row any more, whose user was deleted; their ids."""
        owned = {owner.removeprefix(_OWNER) for owner in self._store.owners() if owner.startswith(_OWNER)}
        files = self._growing.found()
        found = owned | set(files.values())
        with self._sql.reading() as connection:
            known = those(connection, uploads.c.id, found)
        for upload in owned - known:
            self._store.release(_OWNER + upload)
        self._growing.sweep(path for path, upload in files.items() if upload not in known)
        return sorted(found - known)

    def _finished(self, actor: Actor, row: Row[Any]) -> Upload:
        """Examine a file that is whole and keep it, or refuse it; under its lock.

        Raises RequestError; Unavailable where it cannot be done now, and the file waits as it is.
        """
        path = self._growing.path(row.id, row.name)
        try:
            info = examined(path, name=row.name, kind=row.kind)
        except RequestError as problem:
            self._refuse(row, problem)
            raise
        except AutodubError:
            raise
        except Exception as fault:
            # Looked at again it would fail again: whoever sent it must be told, and not find it for ever.
            refusal = UnsupportedSource(
                f"{row.name} could not be examined: the server made a mistake.",
                hint="Converting it to MP4 first may help; the server's log has what happened.",
            )
            log.exception("an upload could not be examined", extra={"upload": row.id})
            self._refuse(row, refusal)
            raise refusal from fault
        with roomy():
            blob = self._store.blobs.keep(path, ending(row.name))
        self._store.pin(_OWNER + row.id, blob)
        values = {"state": "ready", "blob": name_of(blob), "info": json.dumps(info), "received": blob.size}

        def work(connection: Connection) -> Row[Any] | None:
            same = update(uploads).where(uploads.c.id == row.id).values(**values, expires=self._expiry())
            kept = connection.execute(same.returning(uploads)).one_or_none()
            if kept is not None:
                audit.record(
                    self._sql, connection, actor, "upload.kept", f"upload:{row.id}", at=self._clock(),
                    data={"kind": row.kind, "size": blob.size},
                )  # fmt: skip
            return kept

        kept = self._sql.again(work)
        if kept is None:  # its user was deleted meanwhile
            self._clear(row.id, row.name)
            raise NotFound("There is no such upload any more.", hint="Upload the file again.")
        return self._shown(kept)

    def _refuse(self, row: Row[Any], problem: RequestError) -> None:
        """Take away what came, and leave why."""
        self._growing.remove(row.id, row.name)
        self._note(row.id, state="refused", why=str(problem), size=0, received=0)
        log.info("upload refused", extra={"upload": row.id, "code": problem.code})

    @contextmanager
    def _alone(self, actor: Actor, upload: str) -> Iterator[Row[Any]]:
        """The row of an upload, while nobody else sends to it or removes it. Raises NotFound, Locked."""
        with self._sql.reading() as connection:
            self._own(connection, actor, upload)
        with self._growing.alone(upload):
            with self._sql.reading() as connection:
                row = self._own(connection, actor, upload)
            yield row

    def _check_size(self, size: int, kind: Kind) -> None:
        most = min(self._server.upload, SUBTITLE_BYTES if kind == "subtitles" else self._server.upload)
        if size < 1:
            raise BadOption("The file is empty.", hint="Check which file it is.")
        if size > most:
            raise TooLarge(f"The file has {size} bytes, and {most} may be.", hint="Send a smaller one.")

    def _check_room(self, connection: Connection, actor: Actor, size: int) -> None:
        used = self._used(connection, actor)
        if used + size > self._server.uploads:
            raise QuotaExceeded(
                f"Your uploads have {used} bytes, and {self._server.uploads} may be.",
                hint="Delete some, or the jobs that use them.",
            )
        under_way = select(func.count()).where(uploads.c.owner == actor.id, uploads.c.state == "receiving")
        if connection.execute(under_way).scalar_one() >= _OPEN:
            raise TooMany(f"{_OPEN} of your uploads are under way.", hint="Finish or delete some.")

    def _used(self, connection: Connection, actor: Actor) -> int:
        there = (uploads.c.owner == actor.id, uploads.c.state.in_(("receiving", "ready")))
        return int(connection.execute(select(func.sum(uploads.c.size)).where(*there)).scalar() or 0)

    def _jobs_with(
        self, connection: Connection, owner: str, upload: str, *, going: bool = False, but: str = ""
    ) -> int:
        """How many jobs use an upload, ``but`` for one; those being deleted count only with ``going``.

        The upload's row is locked from then on, as it is by who submits a job with it.
        """
        connection.execute(select(uploads.c.id).where(uploads.c.id == upload).with_for_update())
        named = jobs.c.spec.contains(f'"{upload}"', autoescape=True)
        using = select(func.count()).where(jobs.c.owner == owner, named, jobs.c.id != but)
        return connection.execute(using if going else using.where(jobs.c.stopping != "delete")).scalar_one()

    def _own(self, connection: Connection, actor: Actor, upload: str) -> Row[Any]:
        row = connection.execute(select(uploads).where(uploads.c.id == upload)).one_or_none()
        if row is None or row.owner != actor.id:
            raise NotFound("There is no such upload.", hint="Its time may be over: upload the file again.")
        return row

    def _note(self, upload: str, **values: Any) -> None:
        with self._sql.writing() as connection:
            same = update(uploads).where(uploads.c.id == upload)
            connection.execute(same.values(**values, expires=self._expiry()))

    def _drop(self, upload: str, which: Any, *, but: str = "") -> list[str]:
        """Remove an upload of some kind that no job uses, under its lock; its id where it went."""

        def work(connection: Connection) -> Row[Any] | None:
            row = connection.execute(select(uploads).where(uploads.c.id == upload, which)).one_or_none()
            if row is None or self._jobs_with(connection, row.owner, upload, going=True, but=but):
                return None
            connection.execute(delete(uploads).where(uploads.c.id == upload))
            return row

        row = self._sql.again(work)
        if row is None:
            return []
        self._clear(upload, row.name)
        return [upload]

    def _remove(self, upload: str, name: str) -> None:
        with self._sql.writing() as connection:
            connection.execute(delete(uploads).where(uploads.c.id == upload))
        self._clear(upload, name)

    def _clear(self, upload: str, name: str) -> None:
        """Take away the files of an upload that has no row any more."""
        self._growing.remove(upload, name)
        self._store.release(_OWNER + upload)

    def _shown(self, row: Row[Any]) -> Upload:
        is_growing = row.state == "receiving"
        return Upload(
            row.id, row.name, row.kind, row.state, row.size,
            self._growing.size(row.id, row.name) if is_growing else row.received, row.why,
            json.loads(row.info), row.created, row.expires,
        )  # fmt: skip

    def _expiry(self) -> float:
        return self._clock() + self._server.upload_hours * 3600
