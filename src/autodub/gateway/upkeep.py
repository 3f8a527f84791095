"""Keeping the store small: what it holds, and what may go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import delete, func, select

from autodub.gateway.releasing import on_record
from autodub.infra import codec
from autodub.infra.database import answers, pins
from autodub.infra.locks import FileLock
from autodub.infra.storage import BlobStore, Index
from autodub.model.media import Blob

_TOGETHER = 500  # rows deleted per statement: SQLite bounds the number of parameters


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


def prune(
    database: Index,
    blobs: BlobStore,
    *,
    flights: Path,
    used_here: frozenset[str],
    stale_use: float,
    now: float,
    max_age_days: float | None,
    max_bytes: int | None,
) -> Pruned:
    """Forget answers by age and size (least recently used first), and files that none of the rest names.

    Files that an owner has pinned stay. ``used_here`` are keys that stay whatever their age. Answers used,
    and files kept, since the oldest other running process began stay too; uses are recorded only every
    ``stale_use`` seconds.
    """
    others = blobs.oldest_session()
    safe = float("inf") if others is None else others
    gone: list[str] = []
    total, full = 0, False
    with database.writing() as connection:
        kept = {name for (name,) in connection.execute(select(pins.c.name))}
        columns = (answers.c.key, answers.c.used, answers.c.blobs, func.length(answers.c.result))
        youngest_first = select(*columns).order_by(answers.c.used.desc(), answers.c.key)
        for key, used, listed, length in connection.execute(youngest_first):
            new = {name: size for name, size in _sizes(listed).items() if name not in kept}
            cost = length + sum(new.values())
            full = full or (max_bytes is not None and total + cost > max_bytes)
            old = max_age_days is not None and used < now - max_age_days * 86_400
            if (old or full) and key not in used_here and used < safe - stale_use:
                gone.append(key)
            else:
                kept |= new.keys()
                total += cost
        for first in range(0, len(gone), _TOGETHER):
            connection.execute(delete(answers).where(answers.c.key.in_(gone[first : first + _TOGETHER])))
    orphans = sorted(blobs.sizes().keys() - kept)
    freed = blobs.clear(orphans, on_record=lambda some: on_record(database, some))
    _sweep(flights)
    return Pruned(answers=len(gone), files=len(freed), bytes=sum(freed))


def stats(database: Index, blobs: BlobStore) -> StoreStats:
    """Counts and sizes."""
    grouped = select(
        answers.c.engine, func.count(), func.sum(answers.c.size), func.sum(answers.c.seconds)
    ).group_by(answers.c.engine)
    with database.reading() as connection:
        shares = {
            name: EngineShare(count, size, seconds)
            for name, count, size, seconds in connection.execute(grouped.order_by(answers.c.engine))
        }
        oldest = connection.execute(select(func.min(answers.c.used))).scalar_one()
    sizes = blobs.sizes().values()
    return StoreStats(
        answers=sum(share.answers for share in shares.values()),
        files=len(sizes),
        bytes=sum(sizes),
        oldest_use=oldest,
        engines=shares,
    )


def _sweep(flights: Path) -> None:
    """Remove lock files of processes that were killed."""
    for path in flights.glob("*.lock"):
        lock = FileLock(path)
        if lock.take():
            lock.free(remove=True)


def _sizes(listed: str) -> dict[str, int]:
    """File name -> bytes of the blobs a row names."""
    try:
        blobs = codec.load(tuple[Blob, ...], listed)
    except ValueError:
        return {}  # a damaged row names nothing; it is never answered from, either
    return {blob.digest + blob.suffix: blob.size for blob in blobs}
