"""Files on their way to the server: they grow in one folder, and their size is the truth about what has come.

A file is called by the id of its upload and an ending that we know; what its user calls it is never part
of a path. Who sends to it, or removes it, holds its lock, which the kernel drops when a process dies.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import new as hasher
from pathlib import Path
from shutil import disk_usage
from typing import IO

from autodub.infra.blobs import NO_ROOM
from autodub.infra.locks import FileLock
from autodub.jobs.naming import ending
from autodub.model.errors import Conflict, OutputProblem, RequestError, TooLarge, Unavailable

_STRAY = 3600.0
"""Seconds after which a file of no upload is nobody's: its row may be about to be written."""


class Locked(Conflict):
    """Somebody else sends to this upload just now."""


class WrongOffset(Conflict):
    """What was sent does not follow what is there."""


class WrongDigest(RequestError):
    """What came is not what was sent."""


class Growing:
    """The files of one folder. Safe for many threads and processes at once."""

    def __init__(self, folder: Path, *, spare: int, clock: Callable[[], float] = time.time) -> None:
        """``spare`` bytes of the disk are left free."""
        self._folder, self._spare, self._clock = folder, spare, clock

    def path(self, upload: str, name: str) -> Path:
        """Where the file of an upload grows; ``name`` is only looked at for its ending."""
        return self._folder / f"{upload}{ending(name)}"

    def size(self, upload: str, name: str) -> int:
        """Bytes that have come."""
        try:
            return self.path(upload, name).stat().st_size
        except FileNotFoundError:
            return 0

    def begin(self, upload: str, name: str, *, size: int) -> None:
        """Make room for so many bytes. Raises Unavailable when there is none."""
        with roomy():
            self._folder.mkdir(parents=True, exist_ok=True)
            if disk_usage(self._folder).free < size + self._spare:
                raise _no_room()
            self.path(upload, name).touch(0o600)

    def remove(self, upload: str, name: str) -> None:
        """Take a file away, if it is there."""
        self.path(upload, name).unlink(missing_ok=True)

    def append(
        self, upload: str, name: str, source: Iterable[bytes], *, most: int,
        digest: tuple[str, bytes] | None = None,
    ) -> None:  # fmt: skip
        """Write what comes, under the lock of an upload that may have ``most`` bytes in all.

        What came before ``source`` broke off stays. With a ``digest`` (algorithm, value) it stays whole or
        not at all. Raises TooLarge, WrongDigest, Unavailable, and what ``source`` raises.
        """
        with roomy(), self.path(upload, name).open("ab") as file:
            start = os.fstat(file.fileno()).st_size
            is_good = False
            try:
                _write(file, source, room=most - start, digest=digest)
                is_good = True
            except TooLarge:
                raise
            except BaseException:  # a connection that broke: without a digest to meet, what came is good
                is_good = digest is None
                raise
            finally:
                file.flush()
                if not is_good:
                    file.truncate(start)
                os.fsync(file.fileno())

    @contextmanager
    def alone(self, upload: str) -> Iterator[None]:
        """Keep everybody else from an upload. Raises Locked."""
        self._folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self._folder / f"{upload}.lock")
        if not lock.take():
            raise Locked("Somebody sends to this upload just now.", hint="Try again in a moment.")
        try:
            yield
        finally:
            lock.free(remove=True)

    def found(self) -> Mapping[Path, str]:
        """Files that are there, each with its upload."""
        return {path: path.name.partition(".")[0] for path in self._folder.glob("*")}

    def sweep(self, strays: Iterable[Path]) -> None:
        """Remove files that belong to no upload, unless they are new."""
        for path in strays:
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < self._clock() - _STRAY:
                    path.unlink()


def _write(file: IO[bytes], source: Iterable[bytes], *, room: int, digest: tuple[str, bytes] | None) -> None:
    seen = hasher(digest[0], usedforsecurity=False) if digest else None
    for data in source:
        room -= len(data)
        if room < 0:
            raise TooLarge("More came than was announced or may be.", hint="Send a smaller file.")
        file.write(data)
        file.flush()  # it is on the disk's way, whatever happens to us
        if seen is not None:
            seen.update(data)
    if seen is not None and digest is not None and seen.digest() != digest[1]:
        raise WrongDigest("What came is not what was sent.", hint="Send it again.")


@contextmanager
def roomy() -> Iterator[None]:
    """Tell of a full disk without telling where it is."""
    try:
        yield
    except OutputProblem as problem:
        raise _no_room() from problem
    except OSError as error:
        if error.errno in NO_ROOM:
            raise _no_room() from error
        raise


def _no_room() -> Unavailable:
    return Unavailable("The server has no room for this file.", hint="Try later, or tell who runs it.")
