"""What was ever answered, and the files that belong to it: cache, and resume after a crash, in one.

Killing a process at any instant is safe: a file is in the store whole or not at all, and an answer
is recorded only when all its files are. Running processes never lose what they use to a prune.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import Connection, Row, Table, bindparam, delete, select, union, update

from autodub.gateway.accounts import EVERYBODY
from autodub.gateway.ownership import Ledger
from autodub.gateway.releasing import Released, collect, release
from autodub.gateway.rentals import Rentals
from autodub.gateway.upkeep import Pruned, StoreStats, prune, stats
from autodub.infra import codec, private
from autodub.infra.blobs import Blobs, beginning, name_of
from autodub.infra.database import Database, answers, files, identity, pins, uses
from autodub.infra.locks import FileLock
from autodub.infra.storage import BlobStore, Index, Lock, NotThere
from autodub.model.errors import Gone, UnsupportedSource
from autodub.model.media import Blob

if TYPE_CHECKING:
    from autodub.infra.pg_calls import CallBoard

STALE_USE = 3600.0  # seconds: `used` is written at most this often, so that a second run writes nothing
_FINE, _COARSE = 0.05, 2.0  # seconds: a file changed this recently may change again unseen by its clock


@dataclass(frozen=True, slots=True)
class Answer:
    """One kept answer."""

    engine: str
    """``role.name``"""
    version: str
    verb: str
    result: str
    """As ``codec.dump`` wrote it."""
    blobs: tuple[Blob, ...]
    """Every file the result names."""
    usage: tuple[tuple[str, float], ...]
    """(unit, amount) the call consumed when it was made."""
    seconds: float
    """Wall time the call took when it was made."""


_by_key = select(answers).where(answers.c.key == bindparam("wanted"))
_for_us = _by_key.with_for_update()
"""Nobody else changes or removes it until our transaction ends."""
_stay = update(answers).where(answers.c.key == bindparam("wanted")).values(leaving=False)
_by_path = select(files).where(files.c.path == bindparam("wanted"))


@cache
def _keep(insert: Callable[[Table], Any]) -> Any:
    """Put together once: that takes as long as the database takes to carry it out."""
    new = insert(answers)
    changed = {
        column.name: new.excluded[column.name]
        for column in answers.columns
        if column.name not in ("key", "unowned")
    }
    return new.on_conflict_do_update(
        index_elements=["key"], set_=changed | {"unowned": answers.c.unowned | new.excluded.unowned}
    )


class Shared(Protocol):
    """What a store has where many machines share one."""

    @property
    def index(self) -> Index:
        """Answers, and who uses what."""
        ...

    @property
    def blobs(self) -> BlobStore:
        """Files."""
        ...

    def lock(self, name: str) -> Lock:
        """A lock against everybody who shares the store."""
        ...

    def ping(self) -> None:
        """Raise Unavailable when the index does not answer."""
        ...

    def link(self, blob: Blob, *, name: str, media: str, inline: bool, seconds: int) -> str | None:
        """An address to download a file from; None where there is none."""
        ...

    @property
    def calls(self) -> CallBoard:
        """Calls that are made on other machines."""
        ...

    def close(self) -> None:
        """Let go of it all."""
        ...


class Store:
    """Answers and files of one data directory. Safe for many threads and processes at once.

    With an ``owner`` (such as a job's id) whatever is used or made is the owner's, too, and can be released.
    Without one it is nobody's and stays.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        owner: str | None = None,
        clock: Callable[[], float] = time.time,
        shared: Shared | None = None,
    ) -> None:
        """``shared`` is where answers and files lie when not in the data directory; closed with the store."""
        self.data_dir = Path(data_dir).absolute()
        with beginning(self.data_dir):
            private.folder(self.data_dir)
            self.flights = self.data_dir / "flight"
            self.flights.mkdir(exist_ok=True)
        self._shared = shared
        self.owner = owner
        self.blobs: BlobStore = Blobs(self.data_dir) if shared is None else shared.blobs
        self._database: Index = Database(self.data_dir / "index.sqlite") if shared is None else shared.index
        self.rentals = Rentals(
            self._database,
            self.data_dir / "rentals",
            clock=clock,
            lock=None if shared is None else shared.lock,
        )
        self.logs = _logs(self.data_dir, owner)
        """Where engines that crash leave details, maybe with words of a dub: an owner's go with the owner."""
        self._ledger = Ledger(self._database, self.blobs.holding, owner)
        self._clock = clock
        self.accounts = EVERYBODY
        self._used: set[str] = set()  # by this object: never pruned under its user's feet

    @property
    def calls(self) -> CallBoard | None:
        """Calls that are made on other machines; None where the store is not shared."""
        return None if self._shared is None else self._shared.calls

    def ping(self) -> None:
        """Raise Unavailable when the store is a shared one and its index does not answer."""
        if self._shared is not None:
            self._shared.ping()

    def is_ours(self) -> bool:
        """Whether no newer release has changed the index so that this one must leave it alone."""
        return self._database.is_ours()

    def link(self, blob: Blob, *, name: str, media: str, inline: bool, seconds: int) -> str | None:
        """An address to download a file from its storage for so long, under a name; None where there is none.

        Whoever has it needs no more to download; ``media`` is its media type.
        """
        if self._shared is None:
            return None
        return self._shared.link(blob, name=name, media=media, inline=inline, seconds=seconds)

    def flight(self, key: str) -> Lock:
        """The lock of whoever makes the answer of a key."""
        if self._shared is not None:
            return self._shared.lock(f"flight {key}")
        return FileLock(self.flights / f"{key}.lock")

    def get(self, key: str) -> Answer | None:
        """The kept answer, or None when there is none that is whole: row intact, every file there."""
        self._ledger.rely(key)
        with self._database.reading() as connection:
            row = connection.execute(_by_key, {"wanted": key}).one_or_none()
        answer = None if row is None else self._whole(row)
        if row is None or answer is None:
            self._ledger.missed(key)
            return None
        if row.leaving and not self._stays(key):
            self._ledger.missed(key)
            return None
        self._used.add(key)
        self._ledger.found(key, unowned=row.unowned)
        if row.used < self._clock() - STALE_USE:
            self.touch(key)
        return answer

    def _whole(self, row: Row[Any]) -> Answer | None:
        """A row as an answer; None when it is damaged or lacks a file."""
        answer = _read(row)
        return answer if answer and self.blobs.has_all(answer.blobs) else None

    def _stays(self, key: str) -> bool:
        """Have an answer stay that is about to be removed; False when it was too late."""

        def stay(connection: Connection) -> set[str] | None:
            # Before the removal its files are all there; afterwards there is no row.
            is_here = connection.execute(_stay, {"wanted": key}).rowcount == 1
            return self._ledger.write(connection, made=[key]) if is_here else None

        used = self._database.again(stay)
        self._ledger.written(used or ())
        return used is not None

    def put(self, key: str, answer: Answer) -> Answer:
        """Keep an answer; when a whole one is there already, that one stays and is returned."""
        blobs, usage = codec.dump(answer.blobs), codec.dump(answer.usage)
        now = self._clock()
        self._used.add(key)
        values = {
            "engine": answer.engine,
            "version": answer.version,
            "verb": answer.verb,
            "result": answer.result,
            "digest": _digest(answer.result, blobs, usage),
            "blobs": blobs,
            "usage": usage,
            "seconds": answer.seconds,
            "created": now,
            "used": now,
            "size": len(answer.result) + sum(blob.size for blob in answer.blobs),
            "unowned": self._ledger.owner is None,
            "leaving": False,
        }

        def keep(connection: Connection) -> tuple[Answer | None, set[str]]:
            self._database.alone(connection, key)
            row = connection.execute(_for_us, {"wanted": key}).one_or_none()
            first = None if row is None else self._whole(row)
            if first is None:
                connection.execute(_keep(self._database.insert), {"key": key} | values)
            else:
                connection.execute(_stay, {"wanted": key})
            return first, self._ledger.write(connection, made=[key])

        first, used = self._database.again(keep)
        self._ledger.written(used)
        self.blobs.let_go(answer.blobs)
        return first or answer

    def pin(self, owner: str, blob: Blob) -> None:
        """Keep a file for an owner, whatever becomes of the answers that name it. Raises Gone without it."""
        pin = self._database.insert(pins).on_conflict_do_nothing()
        try:
            with self._database.writing() as connection:
                connection.execute(pin, {"owner": owner, "name": name_of(blob)})
            is_there = self.blobs.has(blob)
        except NotThere:
            is_there = False
        if not is_there:
            raise Gone("A file to be kept is not there any more.", hint="Run again; it is made anew.")
        self.blobs.let_go([blob])

    def release(self, owner: str, *, folder: Path | None = None) -> Released:
        """Remove what an owner made, used and pinned and nobody else has any use for.

        ``folder`` is the owner's own, outside the store: what was known of files in it goes, too. To be
        called when nothing of the owner's runs any more; what others run is safe.
        """
        self._ledger.flush()
        ours = self._ledger.owner == owner
        if owner:
            shutil.rmtree(_logs(self.data_dir, owner), ignore_errors=True)
        return release(self._database, self.blobs, owner, ours=ours, folder=folder)

    def collect(self) -> Released:
        """Remove what killed processes left: files that nothing names, owned answers whose owner is gone.

        Now and then is enough; it looks at every file.
        """
        return collect(self._database, self.blobs)

    def owners(self) -> frozenset[str]:
        """Everybody on record who uses an answer, pins a file, has one whose digest is known, or a log."""
        wanted = union(*(select(table.c.owner).distinct() for table in (uses, pins, files)))
        logged = {path.name for path in _logs(self.data_dir, None).glob("*") if path.is_dir()}
        with self._database.reading() as connection:
            return frozenset(logged).union(owner for (owner,) in connection.execute(wanted) if owner)

    def settle(self, *, rewrite: bool = False) -> bool:
        """Have what was removed leave the index's files as well; False when others read just now.

        ``rewrite`` writes the index anew, so that not even copies inside its pages stay.
        """
        return self._database.settle(rewrite=rewrite)

    def forget(self, key: str) -> None:
        """Drop one answer; its files go with the next prune unless another answer names them."""
        with self._database.writing() as connection:
            connection.execute(delete(answers).where(answers.c.key == key))

    def touch(self, key: str) -> None:
        """Mark an answer as used now, so that a prune by age or size takes others first."""
        with self._database.writing() as connection:
            connection.execute(update(answers).where(answers.c.key == key).values(used=self._clock()))

    def digest(self, path: Path) -> str:
        """sha256 of a file outside the store; a large unchanged file is read only once.

        Raises UnsupportedSource when it cannot be read.
        """
        known = self.blobs.named(path.absolute())
        if known is not None:
            return known
        name = self._database.place(path.absolute())
        try:
            size, mtime_ns, inode = identity(path)
            with self._database.reading() as connection:
                row = connection.execute(_by_path, {"wanted": name}).one_or_none()
            if row is not None and (row.size, row.mtime_ns, row.inode) == (size, mtime_ns, inode):
                return str(row.digest)
            hasher = sha256()
            with path.open("rb") as stream:
                while block := stream.read(1 << 20):
                    hasher.update(block)
            unchanged = identity(path) == (size, mtime_ns, inode)
        except OSError as error:
            raise UnsupportedSource(
                f"{path.name} cannot be read ({error.strerror}).", hint="Check the path and its permissions."
            ) from error
        digest = hasher.hexdigest()
        resolution = _COARSE if mtime_ns % 1_000_000 == 0 else _FINE
        if unchanged and self._clock() - mtime_ns / 1e9 > resolution:
            values: dict[str, Any] = {"size": size, "mtime_ns": mtime_ns, "inode": inode, "digest": digest}
            if self._ledger.owner is not None:
                values["owner"] = self._ledger.owner
            with self._database.writing() as connection:
                statement = self._database.insert(files).values(path=name, **values)
                connection.execute(statement.on_conflict_do_update(index_elements=["path"], set_=values))
        return digest

    def prune(self, *, max_age_days: float | None = None, max_bytes: int | None = None) -> Pruned:
        """Forget answers unused for so long, then the least recently used ones until the rest fits.

        Files that no kept answer names go as well. What this store has used, and what other running
        processes may be using, stays.
        """
        return prune(
            self._database,
            self.blobs,
            flights=self.flights,
            used_here=frozenset(self._used),
            stale_use=STALE_USE,
            now=self._clock(),
            max_age_days=max_age_days,
            max_bytes=max_bytes,
        )

    def stats(self) -> StoreStats:
        """Counts and sizes, for people."""
        return stats(self._database, self.blobs)

    def close(self) -> None:
        """Put uses on record, close the index, let go of what is rented, and remove our scratch."""
        try:
            self._ledger.flush()
        finally:
            self.rentals.close()
            if self._shared is None:
                self._database.close()
                self.blobs.close()
            else:
                self._shared.close()


def _logs(data_dir: Path, owner: str | None) -> Path:
    return data_dir / "logs" / (owner or "")


def _digest(*texts: str) -> str:
    return sha256("\n".join(texts).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _read(row: Row[Any]) -> Answer | None:
    """The row as an answer, or None when it is damaged."""
    result, blobs, usage = row.result, row.blobs, row.usage
    if not (isinstance(result, str) and isinstance(blobs, str) and isinstance(usage, str)):
        return None
    if row.digest != _digest(result, blobs, usage):
        return None
    return Answer(
        engine=str(row.engine),
        version=str(row.version),
        verb=str(row.verb),
        result=result,
        blobs=() if blobs == "[]" else codec.load(tuple[Blob, ...], blobs),
        usage=() if usage == "[]" else codec.load(tuple[tuple[str, float], ...], usage),
        seconds=float(row.seconds),
    )
