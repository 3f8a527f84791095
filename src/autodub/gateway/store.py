"""What was ever answered, and the files that belong to it: cache, and resume after a crash, in one.

Killing a process at any instant is safe: a file is in the store whole or not at all, and an answer
is recorded only when all its files are. Running processes never lose what they use to a prune.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import Row, bindparam, delete, func, select, update
from sqlalchemy.dialects.sqlite import insert

from autodub.infra import codec
from autodub.infra.blobs import Blobs, writing
from autodub.infra.database import Database, answers, files, identity
from autodub.infra.locks import FileLock
from autodub.model.errors import UnsupportedSource
from autodub.model.media import Blob

_STALE_USE = 3600.0  # seconds: `used` is written at most this often, so that a second run writes nothing
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


@dataclass(frozen=True, slots=True)
class Pruned:
    """What a prune removed."""

    answers: int
    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class EngineShare:
    """What one engine's answers take up."""

    answers: int
    bytes: int
    seconds: float
    """Engine time it took to make them."""


@dataclass(frozen=True, slots=True)
class StoreStats:
    """What the store holds."""

    answers: int
    files: int
    bytes: int
    oldest_use: float | None
    """When the least recently used answer was last used, epoch seconds."""
    engines: Mapping[str, EngineShare]
    """By ``role.name``."""


_by_key = select(answers).where(answers.c.key == bindparam("wanted"))
_by_path = select(files).where(files.c.path == bindparam("wanted"))


class Store:
    """Answers and files of one data directory. Safe for many threads and processes at once."""

    def __init__(self, data_dir: Path, *, clock: Callable[[], float] = time.time) -> None:
        self.data_dir = Path(data_dir).absolute()
        with writing(self.data_dir):
            self.data_dir.mkdir(parents=True, exist_ok=True)
            self.flights = self.data_dir / "flight"
            self.flights.mkdir(exist_ok=True)
        self.blobs = Blobs(self.data_dir)
        self._database = Database(self.data_dir / "index.sqlite")
        self._clock = clock
        self._used: set[str] = set()  # by this object: never pruned under its user's feet

    def get(self, key: str) -> Answer | None:
        """The kept answer, or None when there is none that is whole: row intact, every file there."""
        with self._database.reading() as connection:
            row = connection.execute(_by_key, {"wanted": key}).one_or_none()
        if row is None:
            return None
        answer = _read(row)
        if answer is None or not all(self.blobs.has(blob) for blob in answer.blobs):
            return None
        self._used.add(key)
        if row.used < self._clock() - _STALE_USE:
            self.touch(key)
        return answer

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
        }
        with self._database.writing() as connection:
            row = connection.execute(_by_key, {"wanted": key}).one_or_none()
            first = None if row is None else _read(row)
            if first is not None and all(self.blobs.has(blob) for blob in first.blobs):
                return first
            statement = insert(answers).values(key=key, **values)
            connection.execute(statement.on_conflict_do_update(index_elements=["key"], set_=values))
        return answer

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
        name = str(path.absolute())
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
            values = {"size": size, "mtime_ns": mtime_ns, "inode": inode, "digest": digest}
            with self._database.writing() as connection:
                statement = insert(files).values(path=name, **values)
                connection.execute(statement.on_conflict_do_update(index_elements=["path"], set_=values))
        return digest

    def prune(self, *, max_age_days: float | None = None, max_bytes: int | None = None) -> Pruned:
        """Forget answers unused for so long, then the least recently used ones until the rest fits.

        Files that no kept answer names go as well. What other running processes may be using stays.
        """
        now = self._clock()
        others = self.blobs.oldest_session()
        safe = float("inf") if others is None else others
        kept: dict[str, int] = {}
        gone: list[str] = []
        total, full = 0, False
        with self._database.writing() as connection:
            columns = (answers.c.key, answers.c.used, answers.c.blobs, func.length(answers.c.result))
            for key, used, listed, length in connection.execute(
                select(*columns).order_by(answers.c.used.desc(), answers.c.key)
            ):
                new = {name: size for name, size in _sizes(listed).items() if name not in kept}
                cost = length + sum(new.values())
                full = full or (max_bytes is not None and total + cost > max_bytes)
                old = max_age_days is not None and used < now - max_age_days * 86_400
                if (old or full) and key not in self._used and used < safe - _STALE_USE:
                    gone.append(key)
                else:
                    kept |= new
                    total += cost
            for first in range(0, len(gone), 500):
                connection.execute(delete(answers).where(answers.c.key.in_(gone[first : first + 500])))
            orphans = (path for path in self.blobs.files() if path.name not in kept)
            removed = [self.blobs.remove(path, before=safe) for path in orphans]
        freed = [size for size in removed if size is not None]
        self._sweep_flights()
        return Pruned(answers=len(gone), files=len(freed), bytes=sum(freed))

    def _sweep_flights(self) -> None:
        """Remove lock files of processes that were killed."""
        for path in self.flights.glob("*.lock"):
            lock = FileLock(path)
            if lock.take():
                lock.free(remove=True)

    def stats(self) -> StoreStats:
        """Counts and sizes, for people."""
        grouped = select(
            answers.c.engine, func.count(), func.sum(answers.c.size), func.sum(answers.c.seconds)
        ).group_by(answers.c.engine)
        with self._database.reading() as connection:
            shares = {
                name: EngineShare(count, size, seconds)
                for name, count, size, seconds in connection.execute(grouped.order_by(answers.c.engine))
            }
            oldest = connection.execute(select(func.min(answers.c.used))).scalar_one()
        sizes = [path.stat().st_size for path in self.blobs.files()]
        count = sum(share.answers for share in shares.values())
        return StoreStats(count, len(sizes), sum(sizes), oldest, shares)

    def close(self) -> None:
        """Close the index and remove this process's scratch."""
        self._database.close()
        self.blobs.close()


def _digest(*texts: str) -> str:
    return sha256("\n".join(texts).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _sizes(listed: str) -> dict[str, int]:
    """File name -> bytes of the blobs a row names."""
    try:
        blobs = codec.load(tuple[Blob, ...], listed)
    except ValueError:
        return {}  # a damaged row names nothing; it is never answered from, either
    return {blob.digest + blob.suffix: blob.size for blob in blobs}


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
