"""Letting an owner's answers and files go, for good, while other processes run.

An answer goes in two steps. First it is marked as leaving: whoever is answered from it after that has to put
this on record at once. Then whoever was answered just before is looked for, in what running processes hold
and in the uses on record; what is in use stays after all, the rest is deleted. Since a process holds an
answer before it looks it up, one of the two always notices the other. Files go in the same way, see
``Blobs.clear``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, exists, literal_column, or_, select, update

from autodub.gateway.ownership import line
from autodub.infra import codec
from autodub.infra.database import answers, files, parts, pins, rentals, uses
from autodub.infra.storage import BlobStore, Index
from autodub.model.speech import Voice

_TOGETHER = 500  # rows named in one statement: SQLite bounds the number of parameters
_is_used = exists().where(uses.c.key == answers.c.key)


@dataclass(frozen=True, slots=True)
class Released:
    """What went when an owner let go."""

    answers: int = 0
    files: int = 0
    bytes: int = 0
    voices: tuple[str, ...] = ()
    """Identities of cloned voices that no answer names any more; ``give_back_released`` deletes them at the
    provider."""


def release(
    database: Index, blobs: BlobStore, owner: str, *, ours: bool = False, folder: Path | None = None
) -> Released:
    """Remove an owner's uses and pins, and whatever nobody else has any use for.

    Digests of the owner's files go too, and those of files under ``folder``. With ``ours`` the owner is
    the store's own: what it holds itself does not count.
    """

    def let_go(connection: Connection) -> tuple[list[str], set[str]]:
        mine = [key for (key,) in connection.execute(select(uses.c.key).where(uses.c.owner == owner))]
        names = {name for (name,) in connection.execute(select(pins.c.name).where(pins.c.owner == owner))}
        for table in (uses, pins, files):
            connection.execute(delete(table).where(table.c.owner == owner))
        if folder is not None:
            below = files.c.path.startswith(f"{database.place(folder)}/", autoescape=True)
            connection.execute(delete(files).where(below))
        return _mark(connection, mine), names

    leaving, names = database.again(let_go)
    return _remove(database, blobs, leaving, names, ours=ours)


def collect(database: Index, blobs: BlobStore) -> Released:
    """Remove what killed processes left behind: owned answers without an owner, and stray files."""

    def abandoned(connection: Connection) -> list[str]:
        used = or_(_is_used, answers.c.unowned)  # a release that was killed had marked it
        connection.execute(update(answers).where(answers.c.leaving, used).values(leaving=False))
        lost = select(answers.c.key).where(~answers.c.unowned, ~_is_used)
        return _mark(connection, [key for (key,) in connection.execute(lost)])

    leaving = database.again(abandoned)
    return _remove(database, blobs, leaving, set(blobs.sizes()), ours=False)


def _mark(connection: Connection, keys: Sequence[str]) -> list[str]:
    """Have those leave of which nobody is on record as a user; their keys."""
    nobodys = (~answers.c.unowned, ~_is_used)
    leaving = [
        key
        for some in _portions(sorted(keys))
        for (key,) in connection.execute(select(answers.c.key).where(answers.c.key.in_(some), *nobodys))
    ]
    for some in _portions(leaving):
        connection.execute(update(answers).where(answers.c.key.in_(some)).values(leaving=True))
    return leaving


def _remove(
    database: Index, blobs: BlobStore, leaving: Sequence[str], names: set[str], *, ours: bool
) -> Released:
    """Delete answers that leave and turned out to be in nobody's use, and files that nothing names then."""
    gone, voices = 0, set[str]()
    if leaving:
        gone, named, voices = database.again(lambda connection: _delete(connection, blobs, leaving, ours))
        names |= named
    freed = blobs.clear(sorted(names), on_record=lambda some: on_record(database, some))
    return Released(gone, len(freed), sum(freed), tuple(sorted(voices)))


def _delete(
    connection: Connection, blobs: BlobStore, leaving: Sequence[str], ours: bool
) -> tuple[int, set[str], set[str]]:
    """How many answers went, the files they named, and the voices that no answer names any more."""
    names, voices = set[str](), set[str]()
    gone = 0
    for some in _portions(sorted(leaving)):
        these = (answers.c.key.in_(some), answers.c.leaving)
        # Whoever is answered from one of these from now on waits for our end (PostgreSQL: for the row).
        locked = select(answers.c.key).where(*these).order_by(answers.c.key).with_for_update()
        connection.execute(locked).all()
    held = blobs.held(besides_us=ours)
    is_in_use = or_(_is_used, answers.c.unowned)
    for some in _portions(sorted(leaving)):
        these = (answers.c.key.in_(some), answers.c.leaving)
        wanted = {key for (key,) in connection.execute(select(answers.c.key).where(*these, is_in_use))}
        wanted |= {key for key in some if line(key) in held}
        stay = answers.c.key.in_(wanted)
        connection.execute(update(answers).where(stay).values(leaving=False))
        going = [key for (key,) in connection.execute(select(answers.c.key).where(*these, ~stay))]
        named = select(parts.c.name).where(parts.c.key.in_(going))
        names |= {name for (name,) in connection.execute(named)}
        voices |= set(_voices(connection, answers.c.key.in_(going)))
        connection.execute(delete(answers).where(answers.c.key.in_(going)))
        gone += len(going)
    if voices:
        voices -= set(_voices(connection, ~answers.c.leaving))
    for identity in voices:
        is_it = (rentals.c.identity == identity) & (rentals.c.state == "ready")
        connection.execute(update(rentals).where(is_it).values(released=True))
    return gone, names, voices


def _voices(connection: Connection, which: ColumnElement[bool]) -> Iterator[str]:
    """Identities of cloned voices that some answers name."""
    cloned = select(answers.c.result).where(answers.c.verb == literal_column("'clone'"), which)
    for (result,) in connection.execute(cloned):
        try:
            yield codec.load(Voice, result).id
        except ValueError:  # a damaged row, or one of another shape, is never answered from
            continue


def on_record(database: Index, names: Sequence[str]) -> set[str]:
    """Those of some files that an answer or a pin names."""
    wanted = select(parts.c.name).where(parts.c.name.in_(names))
    pinned = select(pins.c.name).where(pins.c.name.in_(names))
    with database.reading() as connection:
        return {name for (name,) in connection.execute(wanted.union(pinned))}


def _portions(keys: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for first in range(0, len(keys), _TOGETHER):
        yield keys[first : first + _TOGETHER]
