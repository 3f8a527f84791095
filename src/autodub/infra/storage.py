"""What a store is made of: an index, files, and locks. On one machine, or shared by many.

The embedded ones are ``database``, ``blobs`` and ``locks``; the shared ones ``pg_index``, ``shared_blobs``
and ``sessions``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, Any, Protocol, TypeVar

from sqlalchemy import Connection, Table

from autodub.model.errors import Unavailable
from autodub.model.media import Blob

T = TypeVar("T")


class NotThere(Unavailable):
    """What was to be recorded names something that is gone: whoever recorded it was given up meanwhile."""


class Lock(Protocol):
    """Held by one handle, or shared by several; free again when their holder is killed."""

    def take(self, *, shared: bool = False) -> bool:
        """Try once, without waiting; True when the lock is held now."""
        ...

    def free(self, *, remove: bool = False) -> None:
        """Let go; ``remove`` also of what marks the lock (only ever where it is held alone)."""
        ...


class Holds(Protocol):
    """What one user of a store relies on and no record names. Safe for many threads."""

    def add(self, line: str) -> None:
        """Rely on something from now on; everybody sees it when this returns."""
        ...

    def drop(self, lines: Iterable[str]) -> None:
        """Rely on these no more: they are on record now, or were not there."""
        ...


class Index(Protocol):
    """The tables of ``database``, wherever they lie. Safe for many threads."""

    @property
    def folder(self) -> Path:
        """The data directory."""
        ...

    def reading(self) -> AbstractContextManager[Connection]:
        """A connection for SELECT; sees the last committed state."""
        ...

    def writing(self) -> AbstractContextManager[Connection]:
        """A transaction: all of it is kept, or nothing."""
        ...

    def again(self, work: Callable[[Connection], T]) -> T:
        """Do ``work`` in a transaction, anew where it got in another one's way."""
        ...

    def insert(self, table: Table) -> Any:
        """An INSERT that knows ``on_conflict_do_nothing`` and ``on_conflict_do_update``."""
        ...

    def alone(self, connection: Connection, key: str) -> None:
        """Keep everybody else who asks for this key out until the transaction ends."""
        ...

    def is_ours(self) -> bool:
        """Whether no newer release has changed the tables so that this one must leave them alone."""
        ...

    def place(self, path: Path) -> str:
        """A path of this machine, as the index names it."""
        ...

    def settle(self, *, rewrite: bool = False) -> bool:
        """Have what was deleted leave the files as well; False when others read just now."""
        ...

    def close(self) -> None:
        """Close every connection."""
        ...


class BlobStore(Protocol):
    """Files by their content. Safe for many threads and processes at once."""

    @property
    def holding(self) -> Holds:
        """What this object relies on: files as ``file <name>``; others may add lines of their own kind."""
        ...

    def path(self, blob: Blob) -> Path:
        """Where a file lies on this machine, brought here if need be, or would lie if it were there.

        It stays there until ``close``. Raises ValueError for a name no blob can have.
        """
        ...

    def has(self, blob: Blob) -> bool:
        """Whether the file is there in its full size."""
        ...

    def has_all(self, blobs: Sequence[Blob]) -> bool:
        """Whether every one of some files is there."""
        ...

    def find(self, digest: str) -> Blob | None:
        """A file of the store by its content alone; None where there is none."""
        ...

    def open(self, blob: Blob) -> IO[bytes]:
        """The file, for reading. Raises FileNotFoundError when it is not in the store."""
        ...

    def keep(self, file: Path, suffix: str | None = None) -> Blob:
        """Move a finished file into the store; the first file of some content stays, later ones go."""
        ...

    def scratch(self) -> AbstractContextManager[Path]:
        """An empty folder, removed with everything in it at the end."""
        ...

    def sizes(self) -> Mapping[str, int]:
        """Every file by its name, with its bytes."""
        ...

    def files(self) -> Iterator[Path]:
        """Every file in the store."""
        ...

    def verify(self) -> tuple[Path, ...]:
        """Read every file and return those whose content is not what their name says."""
        ...

    def let_go(self, blobs: Iterable[Blob]) -> None:
        """Say that these files are on record now, and need nobody any more to hold them."""
        ...

    def clear(
        self, names: Iterable[str], *, on_record: Callable[[Sequence[str]], Collection[str]]
    ) -> list[int]:
        """Remove files that no running process holds and no record names; the bytes of each that is gone."""
        ...

    def held(self, *, besides_us: bool = False) -> set[str]:
        """Everything that running processes rely on and no record names."""
        ...

    def named(self, path: Path) -> str | None:
        """The sha256 of one of our own files, known from its name; None for every other path."""
        ...

    def oldest_session(self) -> float | None:
        """When the oldest *other* user of the store began, epoch seconds; None when alone."""
        ...

    def close(self) -> None:
        """Remove our scratch, and hold nothing any more."""
        ...
