"""Files and folders that nobody but their user may look into."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def folder(path: Path) -> None:
    """Make a folder, with those above it as usual. One that is there keeps the rights its owner gave it."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)


def file(path: Path) -> None:
    """Make an empty file, or leave one that is there. What SQLite puts beside it has the same rights.

    One that is there is not even opened: to close it again would drop the locks that SQLite has on it in this
    process, and another one that ends would remove the write-ahead log under its feet.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))


def from_now_on() -> None:
    """Let whatever this process and its children make be private."""
    os.umask(0o077)
