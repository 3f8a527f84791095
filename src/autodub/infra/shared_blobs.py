"""Files by their content that many machines share: entered in the index, their bytes at places of ``Places``.

A file is there when it has a row in ``objects``. It gets one when its bytes are at their place, and loses it
before they go; a place is never used again. What lies somewhere without such a row has one in ``places``: it
is on its way in, or out.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any, NoReturn

from sqlalchemy import Connection, Row, Table, delete, func, select, update

from autodub.infra.blobs import checked, held_file, is_digest, name_of, writing
from autodub.infra.cache import Cache, digest_of
from autodub.infra.pg_index import PgIndex, chores, holds, now, objects, places, sessions
from autodub.infra.places import Missing, Places
from autodub.infra.scratch import Scratch
from autodub.infra.sessions import Session
from autodub.model.errors import Unavailable
from autodub.model.media import Blob

_TOGETHER = 100  # files removed in one transaction
_NAMED = 500  # names in one statement
_DAY = 86_400.0
_TRIES = 3


class SharedBlobs:
    """The files of a shared store, as one session sees them. Safe for many threads and processes at once."""

    def __init__(
        self, index: PgIndex, there: Places, session: Session, scratch: Scratch, cache: Cache
    ) -> None:
        self._index, self._there, self._session = index, there, session
        self._scratch, self._cache = scratch, cache

    @property
    def holding(self) -> Session:
        """What this session relies on."""
        return self._session

    def path(self, blob: Blob) -> Path:
        """Where a file can be read on this machine, brought here if need be, or would lie.

        Raises Unavailable where the storage does not answer, or has lost it: then it counts as gone.
        """
        name = checked(blob)
        if self._there.local("") is None:

            def bring(file: Path) -> None:
                self._bring(name, blob, file)

            try:
                with writing(self._index.folder):
                    return self._cache.get(blob, bring)
            except _NotEntered:
                return self._cache.path(blob)
        place = self._place(name)
        local = None if place is None else self._there.local(place)
        if local is None:
            return self._cache.path(blob)
        if not local.is_file():
            self._lost(name, place)
        return local

    def let_go_of_old(self) -> None:
        """Let go of what nobody asked for in a while, where the session is one that runs on."""
        self._cache.let_go()

    def _bring(self, name: str, blob: Blob, file: Path) -> None:
        """Fetch a file into a new one, and compare its content with its name."""
        place = self._place(name)
        if place is None:
            raise _NotEntered
        for _ in range(_TRIES):
            try:
                self._there.get(place, file)
            except Missing:
                break
            if file.stat().st_size == blob.size and digest_of(file) == blob.digest:
                return
        self._lost(name, place)

    def _lost(self, name: str, place: str | None) -> NoReturn:
        """It counts as gone from now on, so that it is made anew."""
        lost = (objects.c.name == name, objects.c.place == place)
        with self._index.writing() as connection:
            connection.execute(update(objects).where(*lost).values(whole=False))
        raise Unavailable(
            "A file of the store was lost or damaged in its storage.", hint="Try again: it is made anew."
        )

    def _place(self, name: str) -> str | None:
        wanted = select(objects.c.place).where(objects.c.name == name, objects.c.whole)
        with self._index.reading() as connection:
            return connection.execute(wanted).scalar()

    def has(self, blob: Blob) -> bool:
        """Whether the file is there in its full size."""
        return self.has_all([blob])

    def has_all(self, blobs: Sequence[Blob]) -> bool:
        """Whether every one of some files is there."""
        try:
            wanted = {checked(blob): blob.size for blob in blobs}
        except ValueError:
            return False
        found: dict[str, int] = {}
        names = sorted(wanted)
        for first in range(0, len(names), _NAMED):
            these = objects.c.name.in_(names[first : first + _NAMED])
            known = select(objects.c.name, objects.c.size).where(these, objects.c.whole)
            with self._index.reading() as connection:
                found.update((name, size) for name, size in connection.execute(known))
        return found == wanted

    def find(self, digest: str) -> Blob | None:
        """A file of the store by its content alone; None where there is none."""
        if not is_digest(digest):
            return None
        wanted = select(objects.c.name, objects.c.size).where(objects.c.digest == digest, objects.c.whole)
        with self._index.reading() as connection:
            row = connection.execute(wanted.order_by(objects.c.name).limit(1)).one_or_none()
        return None if row is None else Blob(digest, row.size, row.name[64:])

    def open(self, blob: Blob) -> IO[bytes]:
        """The file, for reading. Raises FileNotFoundError when it is not in the store."""
        return self.path(blob).open("rb")

    def keep(self, file: Path, suffix: str | None = None) -> Blob:
        """Move a finished file into the store; it is at its place when this returns."""
        with writing(self._index.folder):
            source = self._scratch.inside(file)
            blob = Blob(digest_of(source), source.stat().st_size, file.suffix if suffix is None else suffix)
            name = checked(blob)
            self._session.add(held_file(name))  # before we look: nobody removes it from now on
            if not self._is_entered(name, blob.size):
                self._send(name, blob, source)
            if self._there.local("") is None:
                self._cache.add(source, blob)
            source.unlink(missing_ok=True)
            file.unlink(missing_ok=True)
        return blob

    def _is_entered(self, name: str, size: int) -> bool:
        """Whether it is there; waits for whoever is about to remove it."""
        these = (objects.c.name == name, objects.c.size == size, objects.c.whole)
        with self._index.writing() as connection:
            wanted = select(objects.c.name).where(*these).with_for_update(read=True, key_share=True)
            return connection.execute(wanted).first() is not None

    def _send(self, name: str, blob: Blob, file: Path) -> None:
        for _ in range(_TRIES):
            place = f"{name[:2]}/{blob.digest}-{secrets.token_hex(8)}{blob.suffix}"
            row = {"place": place, "session": self._session.id}
            self._session.ours(partial(_insert, table=places, row=row))
            self._there.put(place, file)
            if self._enter(name, blob, place):
                return
        raise Unavailable(
            "A file could not be entered in the store.",
            hint="The database was away for too long, again and again.",
        )

    def _enter(self, name: str, blob: Blob, place: str) -> bool:
        """Give what lies at a place its row, unless somebody was faster; False when it must be sent again."""
        row = {"name": name, "digest": blob.digest, "size": blob.size, "place": place, "whole": True}
        ours = (places.c.place == place, places.c.session == self._session.id)

        def work(connection: Connection) -> tuple[bool, str | None]:
            if not connection.execute(delete(places).where(*ours)).rowcount:  # we were taken for dead
                return False, None
            self._index.alone(connection, f"file {name}")
            known = select(objects).where(objects.c.name == name).with_for_update()
            there = connection.execute(known).one_or_none()
            if there is not None and there.whole:
                connection.execute(places.insert().values(place=place))
                return True, place
            if there is None:
                connection.execute(objects.insert().values(**row))
            else:
                connection.execute(update(objects).where(objects.c.name == name).values(**row))
                connection.execute(places.insert().values(place=there.place))
            return True, None if there is None else there.place

        is_here, left = self._index.again(work)
        if not is_here:
            self._there.remove(place, half=True)
        elif left is not None:
            self._empty(left)
        return is_here

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """An empty folder, removed with everything in it at the end."""
        with writing(self._index.folder):
            folder = self._scratch.make()
        try:
            yield folder
        finally:
            self._scratch.remove(folder)

    def sizes(self) -> Mapping[str, int]:
        """Every file by its name, with its bytes."""
        with self._index.reading() as connection:
            found = connection.execute(select(objects.c.name, objects.c.size))
            return {row.name: row.size for row in found}

    def files(self) -> Iterator[Path]:
        """Every file in the store, brought here one by one."""
        for name, size in sorted(self.sizes().items()):
            yield self.path(Blob(name[:64], size, name[64:]))

    def verify(self) -> tuple[Path, ...]:
        """Read every file and return those whose content is not what their name says."""
        return tuple(path for path in self.files() if digest_of(path) != path.name[:64])

    def let_go(self, blobs: Iterable[Blob]) -> None:
        """Say that these files are on record now, and need nobody any more to hold them."""
        self._session.drop([held_file(name_of(blob)) for blob in blobs])

    def clear(
        self, names: Iterable[str], *, on_record: Callable[[Sequence[str]], Collection[str]]
    ) -> list[int]:
        """Remove files that no session holds and no record names; the bytes of each that is gone.

        Raises StorageAway while some of what is to go is still in the storage: the next call removes it.
        """
        sizes: list[int] = []
        todo = sorted(set(names))
        for first in range(0, len(todo), _TOGETHER):
            some = todo[first : first + _TOGETHER]
            known = on_record(some)  # most of them; nobody has to wait for those
            left = [name for name in some if name not in known]
            if left:
                gone = self._index.again(partial(self._strike, some=left, on_record=on_record))
                self._cache.drop(row.name for row in gone)
                for row in gone:
                    self._empty(row.place)
                sizes += [row.size for row in gone]
        self._tidy()
        return sizes

    def _strike(
        self,
        connection: Connection,
        some: Sequence[str],
        on_record: Callable[[Sequence[str]], Collection[str]],
    ) -> Sequence[Row[Any]]:
        """Take from the files what nobody relies on; what lay there is to go."""
        these = select(objects).where(objects.c.name.in_(some)).order_by(objects.c.name)
        found = connection.execute(these.with_for_update()).all()  # whoever keeps one of them now waits
        lines = select(holds.c.line).where(holds.c.line.in_([held_file(row.name) for row in found]))
        held = set(connection.execute(lines).scalars())
        left = [row for row in found if held_file(row.name) not in held]
        known = on_record([row.name for row in left])
        going = [row for row in left if row.name not in known]
        if going:
            connection.execute(delete(objects).where(objects.c.name.in_([row.name for row in going])))
            connection.execute(places.insert(), [{"place": row.place, "session": None} for row in going])
        return going

    def _tidy(self) -> None:
        """Remove everything that is to go, also what somebody left who was killed."""
        wanted = select(places.c.place).where(places.c.session.is_(None)).order_by(places.c.place)
        with self._index.reading() as connection:
            due = list(connection.execute(wanted).scalars())
        for place in due:
            self._empty(place, half=True)

    def _empty(self, place: str, *, half: bool = False) -> None:
        """Remove what lies at a place, and then the note that it is to go."""
        self._there.remove(place, half=half)
        with self._index.writing() as connection:
            connection.execute(delete(places).where(places.c.place == place, places.c.session.is_(None)))

    def sweep(self) -> None:
        """Once a day, whoever comes first: remove bytes that no row knows of, older than a day."""
        chore = self._index.insert(chores).values(name="strays", done=now)
        once = chore.on_conflict_do_update(
            index_elements=["name"], set_={"done": now}, where=chores.c.done < now - _DAY
        )
        with self._index.writing() as connection:
            if not connection.execute(once.returning(chores.c.name)).first():
                return
        strays = list(self._there.before(time.time() - _DAY))
        for first in range(0, len(strays), _NAMED):
            some = strays[first : first + _NAMED]
            with self._index.reading() as connection:
                known = set(
                    connection.execute(select(objects.c.place).where(objects.c.place.in_(some))).scalars()
                )
                known |= set(
                    connection.execute(select(places.c.place).where(places.c.place.in_(some))).scalars()
                )
            for place in some:
                if place not in known:
                    self._there.remove(place)

    def recheck(self) -> None:
        """Remove from this machine what others have removed from the store."""
        names = list(self._cache.names())
        for first in range(0, len(names), _NAMED):
            some = names[first : first + _NAMED]
            with self._index.reading() as connection:
                wanted = select(objects.c.name).where(objects.c.name.in_(some))
                known = set(connection.execute(wanted).scalars())
            self._cache.drop(set(some) - known)

    def held(self, *, besides_us: bool = False) -> set[str]:
        """Everything that sessions rely on and no record names."""
        wanted = select(holds.c.line)
        if besides_us:
            wanted = wanted.where(holds.c.session != self._session.id)
        with self._index.reading() as connection:
            return set(connection.execute(wanted).scalars())

    def named(self, path: Path) -> str | None:
        """The sha256 of one of our own files, known from its name; None for every other path."""
        found = self._cache.named(path)
        if found is None and is_digest(path.name[:64]):
            local = self._there.local(f"{path.name[:2]}/{path.name}")
            found = path.name[:64] if local == path and path.is_file() else None
        return found

    def oldest_session(self) -> float | None:
        """When the oldest *other* session began, epoch seconds; None when alone."""
        with self._index.reading() as connection:
            others = select(func.min(sessions.c.begun)).where(sessions.c.id != self._session.id)
            return connection.execute(others).scalar()

    def link(self, blob: Blob, *, name: str, media: str, inline: bool, seconds: int) -> str | None:
        """An address to download a file from, as ``Places.link``; None where there is none."""
        place = self._place(checked(blob))
        if place is None:
            return None
        return self._there.link(place, name=name, media=media, inline=inline, seconds=seconds)

    def close(self) -> None:
        """Remove our scratch, and hold nothing any more."""
        try:
            self._session.close()
        finally:
            self._scratch.close()


def _insert(connection: Connection, *, table: Table, row: Mapping[str, object]) -> None:
    connection.execute(table.insert().values(**row))


class _NotEntered(Exception):
    """There is no such file in the store."""
