"""A worker: takes jobs, works on some at once, renews its leases, and gives back what it cannot finish.

One process has one worker with ``slots`` threads. A job that is queued begins as soon as a slot is free:
the bell wakes the worker, and a slot that gets free looks for the next job by itself. Whether a job is
still ours, or somebody wants it stopped, is asked several times a second.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from sqlalchemy import delete, insert, update

from autodub.gateway.cancel import Cancel
from autodub.infra.locks import FileLock
from autodub.jobs.doorbell import Listener
from autodub.jobs.platform import Platform
from autodub.jobs.records import Job
from autodub.jobs.runner import Runner
from autodub.jobs.sweeper import Sweeper
from autodub.jobs.tables import workers

log = logging.getLogger("autodub.worker")
_GLANCE = 0.5
"""Seconds between two looks at what is wished of running jobs; a bell makes it look at once."""
_LEAVING = 15.0
"""Seconds that running jobs are waited for after a request to stop."""


@dataclass(slots=True)
class _Running:
    job: Job
    cancel: Cancel
    why: str = ""
    """Why it should stop: ``cancel``, ``delete``, ``leaving`` or ``lost``."""
    over: threading.Event = field(default_factory=threading.Event)


class Worker:
    """One process's worker."""

    def __init__(
        self, platform: Platform, *, slots: int, clock: Callable[[], float] = time.time, sweeps: bool = True
    ) -> None:
        self._platform, self._slots, self._clock = platform, slots, clock
        self.id = f"{socket.gethostname()[:20]}-{secrets.token_hex(6)}"
        self._runner = Runner(platform)
        self._running: dict[str, _Running] = {}
        self._lock = threading.Lock()
        self._wanted = threading.Condition(self._lock)
        self._leaving = False
        self._bells = 0
        self._sweeper = Sweeper(platform) if sweeps else None
        self._listener = Listener(platform.bells)
        self._threads = [threading.Thread(target=self._watch, name="watch", daemon=True)]
        self._threads += [
            threading.Thread(target=self._slot, name=f"slot-{number}", daemon=True) for number in range(slots)
        ]
        # Held while this process lives: whoever finds it free knows at once that its jobs have nobody.
        self._alive = FileLock(platform.alive / f"{self.id}.alive")

    def start(self) -> None:
        """Begin to take jobs."""
        self._platform.alive.mkdir(parents=True, exist_ok=True)
        self._alive.take()
        now = self._clock()
        with self._platform.sql.writing() as connection:
            connection.execute(
                insert(workers).values(
                    id=self.id, host=socket.gethostname(), process=os.getpid(), slots=self._slots,
                    started=now, seen=now,
                )
            )  # fmt: skip
        if self._sweeper is not None:
            self._sweeper.reclaim()
        for thread in self._threads:
            thread.start()

    def stop(self, *, patience: float = _LEAVING) -> None:
        """Take no more jobs and hand back those under way; what they have finished is kept."""
        with self._wanted:
            self._leaving = True
            for running in self._running.values():
                self._ask(running, "leaving")
            self._wanted.notify_all()
        self._listener.wake()
        end = time.monotonic() + patience
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        with self._platform.sql.writing() as connection:
            connection.execute(delete(workers).where(workers.c.id == self.id))
        self._listener.close()
        self._alive.free(remove=True)

    @property
    def running(self) -> tuple[str, ...]:
        """Ids of the jobs under way."""
        with self._lock:
            return tuple(self._running)

    def _slot(self) -> None:
        while True:
            with self._wanted:
                if self._leaving:
                    return
                bells = self._bells
            job = self._claim()
            if job is None:
                with self._wanted:
                    if not self._leaving and bells == self._bells:
                        self._wanted.wait(timeout=2.0)
                continue
            running = _Running(job, Cancel())
            with self._wanted:
                self._running[job.id] = running
                if self._is_leaving():  # asked meanwhile
                    self._ask(running, "leaving")
            try:
                self._runner.run(job, running.cancel, why=partial(getattr, running, "why"))
            finally:
                with self._wanted:
                    del self._running[job.id]
                    self._bells += 1
                    self._wanted.notify_all()  # another user's job may wait for this one's end

    def _is_leaving(self) -> bool:
        return self._leaving

    def _claim(self) -> Job | None:
        try:
            if not self._platform.has_room():
                return None
            return self._platform.claims.next(self.id)
        except Exception:  # a slot outlives a database that is away for a while; it is asked again
            log.exception("no job could be claimed")
            time.sleep(1.0)
            return None

    def _watch(self) -> None:
        renewed = swept = time.monotonic()
        every = self._platform.server.lease / 3
        while True:
            rang = self._listener.wait(_GLANCE)
            with self._wanted:
                if self._leaving and not self._running:
                    return
                if rang:
                    self._bells += 1
                    self._wanted.notify_all()
            now = time.monotonic()
            try:
                self._heed()
                if now - renewed >= every:
                    renewed = now
                    self._renew()
                if self._sweeper is not None and now - swept >= self._sweeper.every:
                    swept = now
                    self._sweeper.sweep()
            except Exception:  # the watch goes on; a lease that cannot be renewed runs out by itself
                log.exception("the watch failed; it goes on")

    def _heed(self) -> None:
        """Stop what somebody wants stopped."""
        if not self._running:
            return
        for job, how in self._platform.claims.wishes(self.id).items():
            with self._wanted:
                if job in self._running:
                    self._ask(self._running[job], how)

    def _renew(self) -> None:
        with self._wanted:
            held = {job: running.job.attempt for job, running in self._running.items()}
        ours = self._platform.claims.beat(self.id, list(held))
        with self._wanted:
            for job, attempt in held.items():
                if (job not in ours or ours[job].attempt != attempt) and job in self._running:
                    self._ask(self._running[job], "lost")
        with self._platform.sql.writing() as connection:
            connection.execute(update(workers).where(workers.c.id == self.id).values(seen=self._clock()))

    @staticmethod
    def _ask(running: _Running, why: str) -> None:
        if running.why != "lost":
            running.why = why
        running.cancel.request()
