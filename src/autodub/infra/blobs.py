"""Files named by their content, and the scratch folders they are made in.

::

    <folder>/blobs/ab/abcdef....wav     finished files, read-only, never changed
    <folder>/tmp/<pid>-<random>/        scratch of one running process
    <folder>/tmp/<pid>-<random>.alive   locked while that process lives; its mtime is when it began
    <folder>/tmp/<pid>-<random>.held    what it relies on that no record names (infra/holding.py)
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from autodub.infra.holding import Holding, lines_of
from autodub.infra.locks import held
from autodub.infra.scratch import Scratch
from autodub.model.errors import OutputProblem
from autodub.model.media import Blob

_DIGEST = re.compile(r"[0-9a-f]{64}")
_SUFFIX = re.compile(r"(\.[A-Za-z0-9]{1,10}){0,2}")
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What the system says when a file cannot grow."""
_TOGETHER = 100  # files removed while nobody may keep one


class Blobs:
    """The files of one data directory. Safe for many threads and processes at once."""

    def __init__(self, folder: Path) -> None:
        self._root = folder
        self._folder = folder / "blobs"
        self._tmp = folder / "tmp"
        with beginning(folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._gate = self._folder / ".lock"
            self._scratch = Scratch(self._tmp)
        self.holding = Holding(self._scratch.session.with_suffix(".held"))
        """What this object relies on: files as ``file <name>``; others may add lines of their own kind."""

    def path(self, blob: Blob) -> Path:
        """Where a blob's file lies, or would lie. Raises ValueError for a name no blob can have."""
        return self._folder / blob.digest[:2] / checked(blob)

    def has(self, blob: Blob) -> bool:
        """Whether the file is there in its full size."""
        try:
            return self.path(blob).stat().st_size == blob.size
        except (FileNotFoundError, ValueError):
            return False

    def has_all(self, blobs: Sequence[Blob]) -> bool:
        """Whether every one of some files is there."""
        return all(self.has(blob) for blob in blobs)

    def find(self, digest: str) -> Blob | None:
        """A file of the store by its content alone; None where there is none."""
        if not _DIGEST.fullmatch(digest):
            return None
        for path in sorted((self._folder / digest[:2]).glob(f"{digest}*")):
            with suppress(FileNotFoundError):
                return Blob(digest, path.stat().st_size, path.name[64:])
        return None

    def open(self, blob: Blob) -> IO[bytes]:
        """The file, for reading. Raises FileNotFoundError when it is not in the store."""
        return self.path(blob).open("rb")

    def keep(self, file: Path, suffix: str | None = None) -> Blob:
        """Move a finished file into the store; the first file of some content stays, later ones go.

        ``suffix`` defaults to the file's own. Raises OutputProblem when there is no room.
        """
        with writing(self._root):
            source = self._scratch.inside(file)
            with source.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
                size = os.fstat(stream.fileno()).st_size
                os.fsync(stream.fileno())
            blob = Blob(digest, size, file.suffix if suffix is None else suffix)
            target = self.path(blob)
            with held(self._gate, shared=True):  # keeps a prune from taking the file we find here
                self.holding.add(held_file(target.name))
                if self.has(blob):
                    os.utime(target)  # used now: younger than any prune that runs beside us
                    source.unlink()
                else:
                    target.parent.mkdir(exist_ok=True)
                    source.chmod(0o444)
                    source.replace(target)
                    os.utime(target)
            if source != file:
                file.unlink(missing_ok=True)
        return blob

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """An empty folder, removed with everything in it at the end."""
        with writing(self._root):
            folder = self._scratch.make()
        try:
            yield folder
        finally:
            self._scratch.remove(folder)

    def files(self) -> Iterator[Path]:
        """Every file in the store."""
        for shelf in sorted(self._folder.glob("[0-9a-f][0-9a-f]")):
            yield from sorted(path for path in shelf.iterdir() if path.is_file())

    def sizes(self) -> Mapping[str, int]:
        """Every file by its name, with its bytes."""
        found = {}
        for path in self.files():
            with suppress(FileNotFoundError):
                found[path.name] = path.stat().st_size
        return found

    def verify(self) -> tuple[Path, ...]:
        """Read every file and return those whose content is not what their name says."""
        damaged = []
        for path in self.files():
            with path.open("rb") as stream:
                if hashlib.file_digest(stream, "sha256").hexdigest() != path.name[:64]:
                    damaged.append(path)
        return tuple(damaged)

    def let_go(self, blobs: Iterable[Blob]) -> None:
        """Say that these files are on record now, and need nobody any more to hold them."""
        self.holding.drop([held_file(name_of(blob)) for blob in blobs])

    def clear(
        self, names: Iterable[str], *, on_record: Callable[[Sequence[str]], Collection[str]]
    ) -> list[int]:
        """Remove files that no running process holds and no record names; the bytes of each that is gone.

        ``on_record`` says which of some names a record still has. It is asked after the running processes
        were: what is let go is on record by then.
        """
        gone = []
        todo = list(names)
        for first in range(0, len(todo), _TOGETHER):
            some = todo[first : first + _TOGETHER]
            with held(self._gate):  # nobody keeps a file meanwhile
                in_use = self.held()
                left = [name for name in some if held_file(name) not in in_use]
                known = on_record(left)
                for name in left:
                    path = self._folder / name[:2] / name
                    with suppress(FileNotFoundError):
                        size = path.stat().st_size if name not in known else None
                        if size is not None:
                            path.unlink()
                            gone.append(size)
        return gone

    def held(self, *, besides_us: bool = False) -> set[str]:
        """Everything that running processes rely on and no record names."""
        alive = [name for name, _ in self._scratch.alive() if not (besides_us and name == self._us)]
        return set[str]().union(*(lines_of(self._tmp / f"{name}.held") for name in alive))

    def named(self, path: Path) -> str | None:
        """The sha256 of one of our own files, known from its name; None for every other path."""
        is_ours = path.parent.parent == self._folder and path.parent.name == path.name[:2]
        return path.name[:64] if is_ours and _DIGEST.fullmatch(path.name[:64]) and path.is_file() else None

    def oldest_session(self) -> float | None:
        """When the oldest *other* running process on this folder began, epoch seconds; None when alone."""
        return min((begun for name, begun in self._scratch.alive() if name != self._us), default=None)

    @property
    def _us(self) -> str:
        return self._scratch.session.name

    def close(self) -> None:
        """Remove this process's scratch, and hold nothing any more."""
        self.holding.close()
        self._scratch.close()


def blob_named(name: str, size: int) -> Blob:
    """The blob of a stored file's name, ``digest`` + ``suffix``."""
    return Blob(name[:64], size, name[64:])


def name_of(blob: Blob) -> str:
    """The name of a blob's file."""
    return blob.digest + blob.suffix


def checked(blob: Blob) -> str:
    """The name of a blob's file. Raises ValueError for a name no blob can have."""
    if not is_digest(blob.digest) or not _SUFFIX.fullmatch(blob.suffix):
        raise ValueError(f"not the name of a stored file: {blob.digest!r}{blob.suffix!r}")
    return name_of(blob)


def is_digest(text: str) -> bool:
    """Whether it is a sha256 as we write it."""
    return _DIGEST.fullmatch(text) is not None


def held_file(name: str) -> str:
    """How a file is held."""
    return f"file {name}"


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turn 'no room' and 'not allowed' into sentences about the data directory."""
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM:
            raise full(folder) from error
        if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}:
            raise _closed(folder, error) from error
        raise


@contextmanager
def beginning(folder: Path) -> Iterator[None]:
    """As :func:`writing`, while the data directory is being made: whatever fails then is about it."""
    try:
        with writing(folder):
            yield
    except OSError as error:
        raise _closed(folder, error) from error


def _closed(folder: Path, error: OSError) -> OutputProblem:
    return OutputProblem(
        f"The data directory {folder} cannot be written ({error.strerror}).",
        hint="Make it writable, or choose another with --data-dir or AUTODUB_DATA_DIR.",
    )


def full(folder: Path) -> OutputProblem:
    """The error to raise when the data directory has no room left."""
    return OutputProblem(
        f"The data directory {folder} is full.",
        hint="Free some space, run `autodub cache prune`, or choose another with --data-dir.",
    )
