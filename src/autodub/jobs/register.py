"""The register of workers: who is at work, and who of this machine's is gone without a word.

A worker holds a lock on a file as long as its process lives; the kernel lets go of it when the process is
killed. Whoever finds the lock of a worker free knows at once that its jobs have nobody, and need not wait
for their leases. Workers of other machines are known by what they said last.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from sqlalchemy import delete, exists, select

from autodub.infra.locks import FileLock
from autodub.infra.sql import Sql
from autodub.jobs import spec as specs
from autodub.jobs.records import RESOURCES
from autodub.jobs.tables import jobs, workers

SILENT = 600.0
"""Seconds after which a worker of another machine that says nothing is taken off the list."""
_INSTANT = 0.001  # seconds


class Register:
    """The workers of one database; ``folder`` is where those of this machine show that they live."""

    def __init__(self, sql: Sql, folder: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._sql, self._folder, self._clock = sql, folder, clock

    def enter(self, worker: str, *, slots: int, resources: Sequence[str] = RESOURCES) -> FileLock:
        """Put a worker on the list, with what may bind its jobs; the lock is to be held until it leaves."""
        self._folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self._mark(worker))
        while not lock.take():  # somebody looks at it this instant, to see whether we live
            time.sleep(_INSTANT)
        self.seen(worker, slots=slots, resources=resources)
        return lock

    def seen(self, worker: str, *, slots: int, resources: Sequence[str] = RESOURCES) -> None:
        """Say that a worker is there."""
        now = self._clock()
        row = {
            "id": worker, "host": _host(), "process": os.getpid(), "slots": slots,
            "resources": " ".join(resources), "format": specs.FORMAT,
        }  # fmt: skip
        add = self._sql.insert(workers).values(**row, started=now, seen=now)
        with self._sql.writing() as connection:
            connection.execute(add.on_conflict_do_update(index_elements=["id"], set_={"seen": now}))

    def leave(self, worker: str, lock: FileLock) -> None:
        """Take a worker off the list."""
        try:
            self.strike([worker])
        finally:
            lock.free(remove=True)

    def dead(self) -> list[str]:
        """Workers of this machine whose process is gone.

        Of other machines that share the folder the kernel here knows no locks, on some file systems.
        """
        dead = []
        for mark in self._folder.glob("*.alive"):
            lock = FileLock(mark)
            if lock.take():
                lock.free()
                dead.append(mark.stem)
        if not dead:
            return []
        with self._sql.reading() as connection:
            ours = select(workers.c.id).where(workers.c.id.in_(dead), workers.c.host == _host())
            known = set(connection.execute(ours).scalars())
        # One that is unknown may be about to enter: it has its lock before it is on the list.
        return [worker for worker in dead if worker in known]

    def strike(self, gone: Sequence[str]) -> None:
        """Take workers off the list: these, and those that have been silent for too long.

        Who still has a job on record stays, or nobody would know that it has nobody: its row may have been
        locked by what the worker wrote last.
        """
        old = workers.c.seen < self._clock() - SILENT
        has_jobs = exists().where(jobs.c.holder == workers.c.id, jobs.c.state == "processing")
        with self._sql.reading() as connection:
            if not gone and connection.execute(select(workers.c.id).where(old).limit(1)).first() is None:
                return
        with self._sql.writing() as connection:
            connection.execute(delete(workers).where(old | workers.c.id.in_(gone), ~has_jobs))

    def tidy(self) -> None:
        """Remove the marks of workers that are neither alive nor on the list."""
        with self._sql.reading() as connection:
            known = set(connection.execute(select(workers.c.id)).scalars())
        for mark in self._folder.glob("*.alive"):
            lock = FileLock(mark)
            if mark.stem not in known and lock.take():
                lock.free(remove=True)  # one that is about to enter makes it anew

    def _mark(self, worker: str) -> Path:
        return self._folder / f"{worker}.alive"


def _host() -> str:
    return socket.gethostname()[:200]
