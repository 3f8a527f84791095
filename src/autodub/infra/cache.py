"""Files brought from elsewhere, kept on this machine up to a bound: the least recently used go first.

::

    <folder>/ab/abcdef....wav       the file, read-only; its atime is when it was last asked for
    <folder>/.coming/abcdef....wav  locked by who brings it
    <session>/use/abcdef....wav     a second name (hard link) of it, for as long as somebody uses it

A file with a second name never goes. Its mtime is a seal: a file that anybody wrote to since has another one,
and is compared with its digest again. Any number of threads and processes may use one cache.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from autodub.infra.blobs import checked, is_digest
from autodub.infra.locks import FileLock, held
from autodub.model.media import Blob

_SEAL = 946_684_800 * 10**9  # ns; any time that is not now
_PAUSE, _SLOWEST = 0.005, 0.1  # seconds between two looks whether somebody has brought it


class Cache:
    """The cache of one data directory, as one session uses it."""

    def __init__(self, folder: Path, session: Path, *, bound: int, patience: float | None = None) -> None:
        """``session`` is a folder on the same file system that goes with its process.

        ``bound`` in bytes. ``patience``: seconds for which what was asked for stays; None: until the end.
        """
        self._folder, self._tmp, self._uses = folder, session.parent, session / "use"
        self._bound, self._patience = bound, patience
        self._gate = folder / ".lock"
        self._coming = folder / ".coming"
        self._coming.mkdir(parents=True, exist_ok=True)
        self._uses.mkdir()
        self._lock = threading.Lock()
        self._asked: dict[str, float] = {}
        self._room = 0
        """Bytes that may be added before somebody has to look how many there are."""

    def path(self, blob: Blob) -> Path:
        """Where a file lies, or would lie. Raises ValueError for a name no blob can have."""
        name = checked(blob)
        return self._folder / name[:2] / name

    def get(self, blob: Blob, bring: Callable[[Path], None]) -> Path:
        """The file, in use from now on; brought once, whoever asks. Raises what ``bring`` raises."""
        path = self.path(blob)
        if self._use(path, blob):
            return path
        path.parent.mkdir(exist_ok=True)
        with self._alone(path):
            if not self._use(path, blob):
                beside = self._uses / f"{path.name}.new"
                try:
                    bring(beside)
                    self._enter(beside, path, blob)
                finally:
                    beside.unlink(missing_ok=True)
        self._trim(blob.size)
        return path

    def add(self, file: Path, blob: Blob) -> None:
        """Move a file in whose content is known to be right; in use from now on."""
        path = self.path(blob)
        path.parent.mkdir(exist_ok=True)
        with self._alone(path):
            if not self._use(path, blob):
                self._enter(file, path, blob)
        self._trim(blob.size)

    def names(self) -> Iterator[str]:
        """Every file in the cache."""
        for path in self._folder.glob("[0-9a-f][0-9a-f]/*"):
            yield path.name

    def drop(self, names: Iterable[str]) -> None:
        """Remove files that are in nobody's store any more, whoever still has a name for them."""
        with held(self._gate):
            for name in names:
                (self._folder / name[:2] / name).unlink(missing_ok=True)
                for use in self._tmp.glob(f"*/use/{name}"):
                    use.unlink(missing_ok=True)

    def named(self, path: Path) -> str | None:
        """The sha256 of a file of the cache, in use from now on; None for every other path."""
        is_ours = path.parent.parent == self._folder and path.parent.name == path.name[:2]
        if not is_ours or not is_digest(path.name[:64]):
            return None
        with held(self._gate, shared=True), self._lock:
            return path.name[:64] if self._link(path) else None

    def let_go(self) -> None:
        """Let go of what nobody asked for in a while."""
        if self._patience is None:
            return
        end = time.monotonic() - self._patience
        with self._lock:
            old = [name for name, asked in self._asked.items() if asked < end]
            for name in old:
                del self._asked[name]
                (self._uses / name).unlink(missing_ok=True)

    def _use(self, path: Path, blob: Blob) -> bool:
        """Whether it is there and right; it has a second name then."""
        with held(self._gate, shared=True), self._lock:
            entry = self._link(path)
        if entry is None or entry.st_size != blob.size:
            return False
        if entry.st_mtime_ns != _SEAL and digest_of(path) != blob.digest:
            return False
        os.utime(path, ns=(time.time_ns(), _SEAL))
        return True

    def _link(self, path: Path) -> os.stat_result | None:
        """Have a second name for what lies there; None where nothing does."""
        use = self._uses / path.name
        try:
            entry = path.stat()
            if not (use.exists() and use.stat().st_ino == entry.st_ino):
                use.unlink(missing_ok=True)
                os.link(path, use)
        except FileNotFoundError:
            return None
        self._asked[path.name] = time.monotonic()
        return entry

    def _enter(self, file: Path, path: Path, blob: Blob) -> None:
        """Give a whole file its name."""
        file.chmod(0o444)
        with file.open("rb") as stream:
            os.fsync(stream.fileno())
        os.utime(file, ns=(time.time_ns(), _SEAL))
        with held(self._gate, shared=True):
            file.replace(path)
        if not self._use(path, blob):
            raise FileNotFoundError(path)

    @contextmanager
    def _alone(self, path: Path) -> Iterator[None]:
        lock, pause = FileLock(self._coming / path.name), _PAUSE
        while not lock.take():
            time.sleep(pause)
            pause = min(_SLOWEST, pause * 2)
        try:
            yield
        finally:
            lock.free(remove=True)

    def _trim(self, added: int) -> None:
        """Keep to the bound: the least recently used first, and nothing that is in use."""
        with self._lock:
            self._room -= added
            if self._room >= 0:
                return
        self.let_go()
        with held(self._gate):
            entries = []
            for name in self.names():
                path = self._folder / name[:2] / name
                with suppress(FileNotFoundError):
                    entry = path.stat()
                    entries.append((entry.st_atime_ns, entry.st_size, entry.st_nlink, path))
            total = sum(size for _, size, _, _ in entries)
            for _, size, names, path in sorted(entries):
                if total <= self._bound:
                    break
                if names == 1:
                    path.unlink()
                    total -= size
        with self._lock:  # others add, too: look again long before there is no room left
            self._room = min(self._bound - total, self._bound // 20)


def digest_of(path: Path) -> str:
    """The sha256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
