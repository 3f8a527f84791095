"""A worker: takes jobs, works on some at once, renews its leases, and gives back what it cannot finish.

One process has one worker with ``slots`` threads. A job that is queued begins as soon as a slot is free:
the bell wakes the worker, and a slot that gets free looks for the next job by itself. Whether a job is
still ours, or somebody wants it stopped, is asked several times a second. What takes longer (sweeping,
webhooks) has threads of its own, so that leases are renewed whatever happens.
"""

from __future__ import annotations

import logging
import secrets
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from autodub.gateway.cancel import Cancel
from autodub.infra.locks import FileLock
from autodub.jobs.doorbell import Listener
from autodub.jobs.platform import Platform
from autodub.jobs.records import RESOURCES, Job
from autodub.jobs.register import Register
from autodub.jobs.runner import Runner
from autodub.jobs.sending import Sender
from autodub.jobs.sweeper import Sweeper
from autodub.model.errors import Unavailable

log = logging.getLogger("autodub.worker")
_GLANCE = 0.5
"""Seconds between two looks at what is wished of running jobs; a bell makes it look at once."""
_IDLE = 2.0
"""Seconds after which a free slot looks although no bell rang: other machines' bells are not heard."""
_LEAVING = 15.0
"""Seconds that running jobs are waited for after a request to stop."""
_RANK = ("", "leaving", "cancel", "delete", "lost")
"""Why a job should stop; what comes later here outweighs what comes earlier."""


@dataclass(slots=True)
class _Running:
    job: Job
    cancel: Cancel
    why: str = ""
    began: float = field(default_factory=time.monotonic)

    def ask(self, why: str) -> None:
        """Have it stop."""
        if _RANK.index(why) > _RANK.index(self.why):
            self.why = why
        self.cancel.request()


class Worker:
    """One process's worker. ``sweeps`` and ``sends``: whether it also tidies up, and sends webhooks."""

    def __init__(
        self, platform: Platform, *, slots: int, clock: Callable[[], float] = time.time, sweeps: bool = True,
        sends: bool = True, looks: bool = True, resources: Sequence[str] = RESOURCES,
    ) -> None:  # fmt: skip
        """``looks``: whether slots look for jobs by themselves; else somebody calls ``take`` for each."""
        self._platform, self._slots, self._resources = platform, slots, tuple(resources)
        self.id = f"{socket.gethostname()[:20]}-{secrets.token_hex(6)}"
        self._runner = Runner(platform, clock=clock)
        self._register = Register(platform.sql, platform.alive, clock=clock)
        self._running: dict[tuple[str, int], _Running] = {}
        self._wanted = threading.Condition()
        self._leaving = False
        self._bells = 0
        self._is_full = False
        self._over = threading.Event()
        """Nothing is to be watched any more."""
        self._listener = Listener(platform.bells)
        self._sweeper = Sweeper(platform, clock=clock) if sweeps else None
        self._sender = Sender(platform, clock=clock) if sends else None
        self._at_work = [
            threading.Thread(target=self._slot, name=f"slot-{number}", daemon=True)
            for number in range(slots if looks else 0)
        ]
        self._beside = [threading.Thread(target=self._watch, name="watch", daemon=True)]
        self._alive: FileLock | None = None

    def start(self) -> None:
        """Begin to take jobs.

        Raises Unavailable when the database cannot be reached, BadOption or EngineCannot when dubs are to
        be signed and cannot be.
        """
        self._platform.signing.check()
        self._alive = self._register.enter(self.id, slots=self._slots, resources=self._resources)
        if self._sweeper is not None:
            self._sweeper.reclaim()
            self._sweeper.start()
        if self._sender is not None:
            self._sender.start()
        for thread in (*self._at_work, *self._beside):
            thread.start()

    def stop(self, *, patience: float = _LEAVING) -> None:
        """Take no more jobs and hand back those under way; what they have finished is kept.

        A job that does not stop within ``patience`` seconds is handed back all the same: what its thread
        still does is not written down any more. It stays in ``running``.
        """
        with self._wanted:
            self._leaving = True
            for running in self._running.values():
                running.ask("leaving")
            self._wanted.notify_all()
        end = time.monotonic() + patience
        with self._wanted:
            self._wanted.wait_for(lambda: not self._running, patience)
        for thread in self._at_work:
            thread.join(max(0.0, end - time.monotonic()))
        with self._wanted:
            left = [running.job for running in self._running.values() if running.why != "lost"]
        self._over.set()
        self._listener.wake()
        for thread in self._beside:
            thread.join()
        self._listener.close()
        try:
            for job in left:
                self._platform.claims.hand_back(job, "The worker stops; another one goes on.")
            for part in (self._sender, self._sweeper):
                if part is not None:
                    part.stop()
            self._platform.queue.remind(places=1)
            if self._alive is not None:
                self._register.leave(self.id, self._alive)
        except Unavailable as problem:  # its lock is free: whoever comes next takes its jobs up
            log.warning("the worker could not sign off: %s", problem.message)
        self._platform.queue.ring()

    @property
    def running(self) -> tuple[str, ...]:
        """Ids of the jobs under way."""
        with self._wanted:
            return tuple(job for job, _ in self._running)

    def _slot(self) -> None:
        while True:
            with self._wanted:
                if self._leaving:
                    return
                bells = self._bells
            if not self.take(self._resources):
                with self._wanted:
                    self._wanted.wait_for(lambda seen=bells: self._leaving or seen != self._bells, _IDLE)  # type: ignore[misc]

    def take(self, resources: Sequence[str]) -> bool:
        """Take the next job that these bind and carry it out, in this thread; False where none may begin."""
        job = None if self.is_leaving else self._claim(resources)
        if job is None:
            return False
        running = _Running(job, Cancel())
        key = (job.id, job.attempt)  # once lost, it may come back before the thread that had it has ended
        with self._wanted:
            self._running[key] = running
            if self._leaving:  # asked meanwhile
                running.ask("leaving")
        try:
            self._runner.run(job, running.cancel, why=lambda: running.why)
        finally:
            with self._wanted:
                del self._running[key]
                self._bells += 1
                self._wanted.notify_all()  # another user's job may wait for this one's end
        self._remind()
        return True

    def _remind(self) -> None:
        """Have another job begin in the place of one that is over; the sweeper does where this fails."""
        try:
            self._platform.queue.remind(places=1)
        except Unavailable as problem:
            log.warning("nobody could be told of waiting jobs: %s", problem.message)

    @property
    def is_leaving(self) -> bool:
        """Whether it takes no more jobs."""
        return self._leaving

    def _claim(self, resources: Sequence[str]) -> Job | None:
        try:
            if not self._has_room():
                return None
            return self._platform.claims.next(self.id, resources=resources)
        except Unavailable as problem:  # a slot outlives a database that is away; it is asked again
            log.warning("no job could be claimed: %s", problem.message)
        except Exception:  # a fault of ours: the slot outlives it and asks again
            log.exception("no job could be claimed")
        return None

    def _has_room(self) -> bool:
        has_room = self._platform.has_room()
        if has_room == self._is_full:
            self._is_full = not has_room
            log.warning("no job begins: the disk is full" if self._is_full else "the disk has room again")
        return has_room

    def _watch(self) -> None:
        renewed = time.monotonic()
        every = self._platform.server.lease / 3
        while True:
            rang = self._listener.wait(_GLANCE)
            if self._over.is_set():
                return
            if rang:
                with self._wanted:
                    self._bells += 1
                    self._wanted.notify_all()
                if self._sweeper is not None:
                    self._sweeper.wake()
                if self._sender is not None:
                    self._sender.wake()
            try:
                if time.monotonic() - renewed >= every:
                    self._renew()
                    renewed = time.monotonic()
                self._heed()
                self._end_late()
            except (
                Unavailable
            ) as problem:  # it is tried again; a lease that is not renewed runs out by itself
                log.warning("leases could not be renewed: %s", problem.message)
            except Exception:  # without the watch all leases would run out
                log.exception("the watch failed; it goes on")

    def _heed(self) -> None:
        """Stop what somebody wants stopped."""
        if not self._running:
            return
        wishes = self._platform.claims.wishes(self.id)
        with self._wanted:
            for running in self._running.values():
                if running.job.id in wishes:
                    running.ask(wishes[running.job.id])

    def _end_late(self) -> None:
        """Fail what takes longer than a job may: also where its thread heeds no request to stop."""
        hours = self._platform.server.job_hours
        with self._wanted:
            held = [one for one in self._running.values() if one.why != "lost"]
        for running in held:
            if hours and time.monotonic() - running.began > hours * 3600:
                self._runner.end_late(running.job, running.began)
                with self._wanted:
                    running.ask("lost")

    def _renew(self) -> None:
        """Renew the leases, and let go of what is somebody else's now."""
        with self._wanted:
            held = list(self._running.values())
        ours = self._platform.claims.beat(self.id, [running.job.id for running in held])
        with self._wanted:
            for running in held:
                known = ours.get(running.job.id)
                is_running = (running.job.id, running.job.attempt) in self._running
                if is_running and (known is None or known.attempt != running.job.attempt):
                    running.ask("lost")
        self._register.seen(self.id, slots=self._slots, resources=self._resources)
