"""Advisory file locks between processes; the kernel drops them when their holder dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class FileLock:
    """One open handle on a lock file. Two handles exclude each other even inside one process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None

    def take(self, *, shared: bool = False) -> bool:
        """Try once, without waiting; True when the lock is held now. Makes the file when missing."""
        while True:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
                same = os.fstat(handle).st_ino == _inode(self._path)
            except BlockingIOError:
                os.close(handle)
                return False
            except BaseException:  # also Ctrl-C: the handle is nobody's yet
                os.close(handle)
                raise
            if same:
                self._handle = handle
                return True
            os.close(handle)  # its last holder removed the file between our open and our lock

    def free(self, *, remove: bool = False) -> None:
        """Let go; ``remove`` takes the file away as well (only ever under an exclusive lock)."""
        if self._handle is None:
            return
        if remove:
            self._path.unlink(missing_ok=True)
        os.close(self._handle)
        self._handle = None


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None


@contextmanager
def held(path: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold a lock for a short critical section, waiting in the kernel for whoever has it."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
