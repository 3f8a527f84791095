"""Where the bytes of shared files lie: a folder that all machines see, or storage that speaks S3.

A place is a name such as ``ab/abcdef....-5f2c.wav``; it is written once and never changed.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Protocol

from autodub.model.errors import Unavailable


class StorageAway(Unavailable):
    """The storage cannot be used. Its message says which and why: words for whoever runs the server."""


class Missing(Exception):
    """There is nothing at a place."""


class Places(Protocol):
    """Bytes by place. Safe for many threads; raises StorageAway."""

    name: str
    """For people; without credentials."""
    kind: Literal["folder", "s3"]

    def put(self, place: str, file: Path) -> None:
        """Write a whole file to a place; the file stays."""
        ...

    def get(self, place: str, file: Path) -> None:
        """Bring what lies at a place into a new file. Raises Missing."""
        ...

    def local(self, place: str) -> Path | None:
        """Where it can be read on this machine as it is; None where it must be brought first."""
        ...

    def remove(self, place: str, *, half: bool = False) -> None:
        """Remove what lies at a place; nothing there is no error. ``half``: it may be half written."""
        ...

    def before(self, when: float) -> Iterator[str]:
        """Places of bytes written before a time, epoch seconds."""
        ...

    def link(self, place: str, *, name: str, media: str, inline: bool, seconds: int) -> str | None:
        """An address anybody can download from for so long, under a name; None where there is none."""
        ...

    def check(self) -> None:
        """Raise StorageAway when it cannot be used; nothing is written."""
        ...


class Folder:
    """A folder that all machines see, such as NFS."""

    kind: Literal["folder", "s3"] = "folder"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.name = str(folder)

    def put(self, place: str, file: Path) -> None:
        """Write beside, then rename: whoever looks sees nothing or all of it."""
        target = self._folder / place
        beside = target.with_name(f"{target.name}.new")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, beside)
            with beside.open("rb") as stream:
                os.fsync(stream.fileno())
            beside.chmod(0o444)
            beside.replace(target)
        except OSError as problem:
            beside.unlink(missing_ok=True)
            raise self._away(problem) from problem

    def get(self, place: str, file: Path) -> None:
        """A copy."""
        try:
            shutil.copyfile(self._folder / place, file)
        except FileNotFoundError:
            raise Missing(place) from None
        except OSError as problem:
            raise self._away(problem) from problem

    def local(self, place: str) -> Path | None:
        """It is read where it lies."""
        return self._folder / place

    def remove(self, place: str, *, half: bool = False) -> None:  # noqa: ARG002
        """It, and what was not whole yet."""
        target = self._folder / place
        try:
            target.unlink(missing_ok=True)
            target.with_name(f"{target.name}.new").unlink(missing_ok=True)
        except OSError as problem:
            raise self._away(problem) from problem

    def before(self, when: float) -> Iterator[str]:
        """Every file that is old enough."""
        for path in self._folder.glob("[0-9a-f][0-9a-f]/*"):
            try:
                if path.is_file() and path.stat().st_mtime < when:
                    yield f"{path.parent.name}/{path.name.removesuffix('.new')}"
            except FileNotFoundError:
                continue

    def link(self, place: str, *, name: str, media: str, inline: bool, seconds: int) -> str | None:  # noqa: ARG002
        """There is none."""
        return None

    def check(self) -> None:
        """Whether it can be written, or made where it is not there yet."""
        place = self._folder
        while not place.exists():
            place = place.parent
        if not os.access(place, os.W_OK | os.X_OK):
            raise self._away(PermissionError(errno.EACCES, os.strerror(errno.EACCES)))

    def _away(self, problem: OSError) -> StorageAway:
        return StorageAway(
            f"The folder of the store, {self.name}, cannot be used ({problem.strerror}).",
            hint="Check that it is mounted, may be written and has room.",
        )
