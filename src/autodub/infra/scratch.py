"""Scratch of running processes: a folder and a lock each, and what dead ones left is removed."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from autodub.infra.locks import FileLock

_INSTANT = 0.001  # seconds


class Scratch:
    """The scratch of one user of a data directory. Safe for many threads; raises OSError."""

    def __init__(self, tmp: Path) -> None:
        self._tmp = tmp
        tmp.mkdir(parents=True, exist_ok=True)
        self._clean()
        self.session = tmp / f"{os.getpid()}-{secrets.token_hex(4)}"
        """A folder of our own, removed when we are gone."""
        self._alive = FileLock(self.session.with_suffix(".alive"))
        while not self._alive.take():  # somebody looks at it this instant, to see whether we live
            time.sleep(_INSTANT)
        try:
            self.session.mkdir()
        except OSError:
            self._alive.free(remove=True)
            raise

    def make(self) -> Path:
        """An empty folder."""
        return Path(tempfile.mkdtemp(dir=self.session))

    def remove(self, folder: Path) -> None:
        """Remove such a folder with everything in it."""
        shutil.rmtree(folder, ignore_errors=True)  # what an abandoned engine still writes goes at close

    def inside(self, file: Path) -> Path:
        """The file on our own file system, so that it can be moved in one step."""
        if file.stat().st_dev == self.session.stat().st_dev and not file.is_symlink():
            return file
        copy = self.session / f"in-{secrets.token_hex(8)}"
        try:
            shutil.copyfile(file, copy)
        except BaseException:  # whatever stopped the copy, half of it must not stay
            copy.unlink(missing_ok=True)
            raise
        return copy

    def alive(self) -> Iterator[tuple[str, float]]:
        """Everybody who lives, we among them: name, and when he began (epoch seconds)."""
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
        alive = {name for name, _ in self.alive()}
        for mark in self._tmp.glob("*.alive"):
            lock = FileLock(mark)
            if mark.stem not in alive and lock.take():
                shutil.rmtree(mark.with_suffix(""), ignore_errors=True)
                for left in (".held", ".new"):
                    mark.with_suffix(left).unlink(missing_ok=True)
                lock.free(remove=True)

    def close(self) -> None:
        """Remove our scratch, and live no more."""
        shutil.rmtree(self.session, ignore_errors=True)
        self._alive.free(remove=True)
