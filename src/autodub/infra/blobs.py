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
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from autodub.infra.holding import Holding, lines_of
from autodub.infra.locks import FileLock, held
from autodub.model.errors import OutputProblem
from autodub.model.media import Blob

_DIGEST = re.compile(r"[0-9a-f]{64}")
_SUFFIX = re.compile(r"(\.[A-Za-z0-9]{1,10}){0,2}")
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What the system says when a file cannot grow."""
_INSTANT = 0.001  # seconds
_TOGETHER = 100  # files removed while nobody may keep one


class Blobs:
    """The files of one data directory. Safe for many threads and processes at once."""

    def __init__(self, folder: Path) -> None:
        self._root = folder
        self._folder = folder / "blobs"
        self._tmp = folder / "tmp"
        with beginning(folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._tmp.mkdir(exist_ok=True)
            self._gate = self._folder / ".lock"
            self._clean()
            self._session = self._tmp / f"{os.getpid()}-{secrets.token_hex(4)}"
            self._alive = FileLock(self._session.with_suffix(".alive"))
            while not self._alive.take():  # somebody looks at it this instant, to see whether we live
                time.sleep(_INSTANT)
            try:
                self._session.mkdir()
            except OSError:
                self._alive.free(remove=True)
                raise
        self._kept: set[Path] = set()  # by this object: never pruned under its user's feet
        self.holding = Holding(self._session.with_suffix(".held"))
        """What this object relies on: files as ``file <name>``; others may add lines of their own kind."""

    def path(self, blob: Blob) -> Path:
        """Where a blob's file lies, or would lie. Raises ValueError for a name no blob can have."""
        if not _DIGEST.fullmatch(blob.digest) or not _SUFFIX.fullmatch(blob.suffix):
            raise ValueError(f"not the name of a stored file: {blob.digest!r}{blob.suffix!r}")
        return self._folder / blob.digest[:2] / (blob.digest + blob.suffix)

    def has(self, blob: Blob) -> bool:
        """Whether the file is there in its full size."""
        try:
            return self.path(blob).stat().st_size == blob.size
        except (FileNotFoundError, ValueError):
            return False

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
            source = self._inside(file)
            with source.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
                size = os.fstat(stream.fileno()).st_size
                os.fsync(stream.fileno())
            blob = Blob(digest, size, file.suffix if suffix is None else suffix)
            target = self.path(blob)
            self._kept.add(target)
            with held(self._gate, shared=True):  # keeps a prune from taking the file we find here
                self.holding.add(_line(target.name))
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

    def _inside(self, file: Path) -> Path:
        """The file on our own file system, so that it can be moved in one step."""
        if file.stat().st_dev == self._session.stat().st_dev and not file.is_symlink():
            return file
        copy = self._session / f"in-{secrets.token_hex(8)}"
        try:
            shutil.copyfile(file, copy)
        except BaseException:  # whatever stopped the copy, half of it must not stay
            copy.unlink(missing_ok=True)
            raise
        return copy

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """An empty folder, removed with everything in it at the end."""
        with writing(self._root):
            folder = Path(tempfile.mkdtemp(dir=self._session))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)  # what an abandoned engine still writes goes at close

    def files(self) -> Iterator[Path]:
        """Every file in the store."""
        for shelf in sorted(self._folder.glob("[0-9a-f][0-9a-f]")):
            yield from sorted(path for path in shelf.iterdir() if path.is_file())

    def verify(self) -> tuple[Path, ...]:
        """Read every file and return those whose content is not what their name says."""
        damaged = []
        for path in self.files():
            with path.open("rb") as stream:
                if hashlib.file_digest(stream, "sha256").hexdigest() != path.name[:64]:
                    damaged.append(path)
        return tuple(damaged)

    def remove(self, path: Path, *, before: float) -> int | None:
        """Remove one file; the bytes freed, or None when it stays.

        It stays when this object kept it, or when it was kept at or after ``before`` (epoch seconds).
        """
        if path in self._kept:
            return None
        with held(self._gate):
            try:
                entry = path.stat()
            except FileNotFoundError:
                return None
            if entry.st_mtime >= before:
                return None
            path.unlink()
            return entry.st_size

    def let_go(self, blobs: Iterable[Blob]) -> None:
        """Say that these files are on record now, and need nobody any more to hold them."""
        self.holding.drop([_line(name_of(blob)) for blob in blobs])

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
                left = [name for name in some if _line(name) not in in_use]
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
        alive = [name for name, _ in self._others() if not (besides_us and name == self._session.name)]
        return set[str]().union(*(lines_of(self._tmp / f"{name}.held") for name in alive))

    def named(self, path: Path) -> str | None:
        """The sha256 of one of our own files, known from its name; None for every other path."""
        is_ours = path.parent.parent == self._folder and path.parent.name == path.name[:2]
        return path.name[:64] if is_ours and _DIGEST.fullmatch(path.name[:64]) and path.is_file() else None

    def oldest_session(self) -> float | None:
        """When the oldest *other* running process on this folder began, epoch seconds; None when alone."""
        return min((begun for name, begun in self._others() if name != self._session.name), default=None)

    def _others(self) -> Iterator[tuple[str, float]]:
        for mark in self._tmp.glob("*.alive"):
            lock = FileLock(mark)
            try:
                begun = mark.stat().st_mtime
            except FileNotFoundError:
                continue
            if lock.take():
                lock.free()
            else:
                yield mark.stem, begun

    def _clean(self) -> None:
        """Remove scratch of processes that are gone."""
        alive = {name for name, _ in self._others()}
        for mark in self._tmp.glob("*.alive"):
            lock = FileLock(mark)
            if mark.stem not in alive and lock.take():
                shutil.rmtree(mark.with_suffix(""), ignore_errors=True)
                for left in (".held", ".new"):
                    mark.with_suffix(left).unlink(missing_ok=True)
                lock.free(remove=True)

    def close(self) -> None:
        """Remove this process's scratch, and hold nothing any more."""
        self.holding.close()
        shutil.rmtree(self._session, ignore_errors=True)
        self._alive.free(remove=True)


def blob_named(name: str, size: int) -> Blob:
    """The blob of a stored file's name, ``digest`` + ``suffix``."""
    return Blob(name[:64], size, name[64:])


def name_of(blob: Blob) -> str:
    """The name of a blob's file."""
    return blob.digest + blob.suffix


def _line(name: str) -> str:
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
