"""The parts of a store that many machines share, put together; what can be is shared within a process."""

from __future__ import annotations

import logging
import os
import secrets
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import cache, partial
from hashlib import sha256
from pathlib import Path

from autodub.infra import pg_calls, private
from autodub.infra.blobs import beginning
from autodub.infra.cache import Cache
from autodub.infra.pg_bell import Bell
from autodub.infra.pg_calls import CallBoard
from autodub.infra.pg_index import PgIndex
from autodub.infra.places import Folder, Places
from autodub.infra.s3_places import S3
from autodub.infra.scratch import Scratch
from autodub.infra.sessions import RowLock, Sessions
from autodub.infra.settings import Settings
from autodub.infra.shared_blobs import SharedBlobs
from autodub.infra.sql import Sql
from autodub.model.errors import AutodubError
from autodub.model.media import Blob

log = logging.getLogger("autodub.store")
_SELDOM = 60.0
"""Seconds between two looks for what other machines have removed."""
_PATIENCE = 5.0
"""Seconds that an end waits for such a look."""
_lock = threading.Lock()
_open: dict[tuple[object, ...], _Process] = {}


class SharedStore:
    """One user of a shared store: its own session over what its process shares."""

    def __init__(self, settings: Settings, *, patience: float | None = None) -> None:
        """``patience``: seconds for which a file that was brought stays; None: until ``close``.

        Raises Unavailable, OutputProblem, BadOption.
        """
        folder = settings.data_dir.absolute()
        self._process = _join(settings, folder)
        self._is_over = False
        with ExitStack() as unfinished:
            unfinished.callback(self._process.leave)
            with beginning(folder):
                scratch = Scratch(folder / "tmp")
            unfinished.callback(scratch.close)
            self.index = self._process.index
            self._session = self._process.sessions.begin(scratch.session.name)
            unfinished.callback(self._session.close)
            with beginning(folder):
                cache = Cache(folder / "cache", scratch.session, bound=settings.cache, patience=patience)
            self.blobs = SharedBlobs(self.index, self._process.there, self._session, scratch, cache)
            self.calls = CallBoard(self.index, self._session, self._process.bell)
            self._process.users.add(self.blobs)
            unfinished.pop_all()

    def ping(self) -> None:
        """Raise Unavailable when the index does not answer."""
        self.index.ping()

    def link(self, blob: Blob, *, name: str, media: str, inline: bool, seconds: int) -> str | None:
        """An address to download a file from; None where there is none."""
        return self.blobs.link(blob, name=name, media=media, inline=inline, seconds=seconds)

    def lock(self, name: str) -> RowLock:
        """A lock against everybody who shares the store."""
        return self._session.lock(name)

    def close(self) -> None:
        """Rely on nothing any more, and let go of it all; a second time does nothing."""
        if self._is_over:
            return
        self._is_over = True
        self._process.users.discard(self.blobs)
        try:
            self.blobs.close()
        finally:
            self._process.leave()


class _Process:
    """What the users of one shared store in one process have together."""

    def __init__(self, settings: Settings, folder: Path, forget: Callable[[], None]) -> None:
        home = _home(folder)
        self.index = PgIndex(settings.store_database.get_secret_value(), folder, home)
        self.there = places_of(settings)
        self.sessions = Sessions(self.index, home, folder / "tmp")
        self.bell = Bell(self.index)
        self.users: set[SharedBlobs] = set()
        self.count = 0
        self._forget = forget
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._tidy, name="store-tidy", daemon=True)
        self._thread.start()

    def leave(self) -> None:
        """One user less; the last one ends it."""
        with _lock:
            self.count -= 1
            is_last = not self.count
            if is_last:
                self._forget()
        if is_last:
            self._over.set()
            self._thread.join(_PATIENCE)
            self.bell.close()
            self.sessions.close()
            self.index.close()

    def _tidy(self) -> None:
        """Now and then: let go of old files, and of what other machines have removed; look for strays."""
        while not self._over.wait(_SELDOM):
            users = tuple(self.users)
            try:
                for blobs in users:
                    blobs.let_go_of_old()
                if users:
                    users[0].recheck()
                    users[0].sweep()
                    pg_calls.tidy(self.index)
            except AutodubError as problem:  # it is tried again
                log.warning("the store could not be tidied: %s", problem.message)
            except Exception:  # the thread goes on
                log.exception("the store could not be tidied")


def check(settings: Settings) -> str:
    """What a shared store is made of, for people; nothing is written.

    Raises Unavailable where its database or its storage cannot be used, BadOption.
    """
    sql = Sql(settings.store_database.get_secret_value())
    try:
        sql.ping()
    finally:
        sql.close()
    there = places_of(settings)
    there.check()
    return f"answers in {sql.name}, files in {there.name}"


def places_of(settings: Settings) -> Places:
    """Where the bytes of shared files lie. Raises BadOption."""
    if "://" in settings.blobs:
        return _s3(settings.blobs)
    return Folder(Path(settings.blobs) if settings.blobs else settings.data_dir.absolute() / "blobs")


@cache
def _s3(address: str) -> S3:
    """One client for a process: it takes long to make, and keeps connections."""
    return S3(address)


def _join(settings: Settings, folder: Path) -> _Process:
    database = settings.store_database.get_secret_value()
    key = (os.getpid(), folder, database, settings.blobs)
    with beginning(folder):
        private.folder(folder)
    with _lock:
        process = _open.get(key)
        if process is None:
            process = _open[key] = _Process(settings, folder, partial(_forget, key))
        process.count += 1
    return process


def _forget(key: tuple[object, ...]) -> None:
    del _open[key]


def _home(folder: Path) -> str:
    """A name of this machine's data directory, unlike any other's: of each start of each machine."""
    mark = folder / "machine"
    with beginning(folder):
        if not mark.exists():
            beside = mark.with_name(f"machine-{secrets.token_hex(4)}")
            beside.write_text(secrets.token_hex(16))
            with suppress(FileExistsError):
                os.link(beside, mark)
            beside.unlink()
        name = mark.read_text()
    boot = Path("/proc/sys/kernel/random/boot_id")
    return sha256(f"{name} {boot.read_text() if boot.exists() else ''}".encode()).hexdigest()[:16]
