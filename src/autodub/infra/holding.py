"""What running processes rely on and nobody has on record yet, as one small file per process.

Whoever removes things reads all of them. A line is written before its owner looks whether the thing is
there, so of two that meet one always sees the other: either the line is read and the thing stays, or it
is gone before it is looked for. A line of a process that is killed counts no more.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from pathlib import Path


class Holding:
    """The lines of one process. Safe for many threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._lines: set[str] = set()
        self._file: int | None = None
        self._is_over = False

    def add(self, line: str) -> None:
        """Rely on something from now on."""
        with self._lock:
            if line in self._lines or self._is_over:  # over: work that nobody waits for any more
                return
            if self._file is None:
                self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            os.write(self._file, f"{line}\n".encode())
            self._lines.add(line)

    def drop(self, lines: Iterable[str]) -> None:
        """Rely on these no more: they are on record now, or were not there."""
        with self._lock:
            left = self._lines.difference(lines)
            if len(left) == len(self._lines):
                return
            beside = self._path.with_suffix(".new")
            new = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                os.write(new, "".join(f"{line}\n" for line in left).encode())
                beside.replace(self._path)  # a reader sees the old lines or the new ones
            except BaseException:  # also Ctrl-C: the handle is nobody's yet
                os.close(new)
                raise
            if self._file is not None:
                os.close(self._file)
            self._file, self._lines = new, left

    def close(self) -> None:
        """Rely on nothing any more."""
        with self._lock:
            self._is_over = True
            self._path.unlink(missing_ok=True)
            if self._file is not None:
                os.close(self._file)
            self._file = None
            self._lines.clear()


def lines_of(path: Path) -> set[str]:
    """What a process relies on; nothing where it never has."""
    try:
        return set(path.read_text("utf-8").splitlines())
    except FileNotFoundError:
        return set()
