"""What a running job says, written down in small batches: its progress and its events.

A batch is one transaction, so that a thousand calls cost no thousand commits. A database that is away
for a while loses nothing: what it was not told waits, and is told when it is back.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from autodub.jobs.claiming import Claims
from autodub.jobs.condensing import Condenser
from autodub.jobs.progress import Progress
from autodub.jobs.records import Job
from autodub.model.errors import Unavailable
from autodub.model.job import Event

log = logging.getLogger("autodub.jobs")
EVERY = 0.5
"""Seconds between two batches: each wakes everybody who follows the job."""
PATIENCE = 60.0
"""Seconds that the last batch is tried for when the database is away at the end."""


class Recorder:
    """The listener of one attempt."""

    def __init__(
        self, claims: Claims, job: Job, *, lost: Callable[[], None] = lambda: None, every: float = EVERY,
        clock: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        """``lost`` is called once when the job turns out to be another worker's."""
        self._claims, self._job, self._lost, self._every = claims, job, lost, every
        self._clock = clock
        self._lock = threading.Lock()
        self._condenser = Condenser()
        self._waiting: list[tuple[Event, float]] = []
        self._batch: list[tuple[Event, float]] = []
        """On its way; kept until it is certain that it has arrived."""
        self._values: dict[str, Any] = {}
        self._written: dict[str, Any] = {}
        self._is_doubtful = False
        self._progress = Progress(job.kind)
        self._spent = job.spent
        self._is_getting_on = False
        """Since the last batch."""
        self._has_got_on = False
        self._woken = threading.Event()
        self._over = threading.Event()
        self.is_ours = True
        """False once another worker has the job."""
        self._thread = threading.Thread(target=self._write, name=f"events-{job.id[:8]}", daemon=True)
        self._thread.start()

    def __call__(self, event: Event) -> None:
        """Take an event; returns at once."""
        now = self._clock()
        with self._lock:
            self._progress.see(event)
            if event.kind in ("call.finished", "call.charged"):
                self._spent += Decimal(str(event.data.get("dollars") or 0))
            if event.kind == "call.finished" and not event.data.get("kept"):
                self._is_getting_on = True
                if not self._has_got_on:  # a death right after it is not one without anything done
                    self._has_got_on = True
                    self._woken.set()
            for one in self._condenser.take(event):
                if one.kind == "stage.progress":  # of one batch only the last one counts
                    self._waiting = [
                        (old, at)
                        for old, at in self._waiting
                        if (old.kind, old.stage) != (one.kind, one.stage)
                    ]
                self._waiting.append((one, now))

    def close(self, *, patience: float = PATIENCE) -> None:
        """Write what is left; gives up after ``patience`` seconds without a database."""
        now = self._clock()
        with self._lock:
            self._waiting += [(one, now) for one in self._condenser.rest()]
        self._over.set()
        self._woken.set()
        self._thread.join(patience)
        if self._thread.is_alive():
            self.is_ours = False  # the thread ends after its next try
            log.warning("events could not be written", extra={"job": self._job.id})

    @property
    def seconds(self) -> Mapping[str, float]:
        """Wall seconds by stage, so far."""
        with self._lock:
            return dict(self._progress.seconds)

    @property
    def spent(self) -> Decimal:
        """US dollars, all attempts together, so far."""
        with self._lock:
            return self._spent

    def _write(self) -> None:
        is_last = False
        while self.is_ours and not is_last:
            if not self._over.is_set():
                self._woken.wait(self._every)
                self._woken.clear()
            is_over = self._over.is_set()
            is_written = self.flush()
            is_last = is_over and is_written
            if is_over and not is_last:
                time.sleep(self._every)

    def flush(self) -> bool:
        """Write what is waiting now; whether nothing is left."""
        with self._lock:
            if not self._batch:
                self._batch, self._waiting = self._waiting, []
                self._values = {
                    "progress": self._progress.whole, "stage": self._progress.stage,
                    "message": self._progress.message, "spent": self._spent,
                } | ({"crashes": 0} if self._is_getting_on else {})  # fmt: skip
                self._is_getting_on = False
        if self._batch or self._values != self._written:
            self._send()
        with self._lock:
            return not (self._batch or self._waiting)

    def _send(self) -> None:
        """Write a batch. What the database did not confirm is asked for before it is written again."""
        told, times = [one for one, _ in self._batch], [at for _, at in self._batch]
        try:
            is_ours = self._claims.tell(
                self._job, told, times=times, doubtful=self._is_doubtful, **self._values
            )
        except Unavailable as problem:
            if not self._is_doubtful:
                log.warning("the database is away: %s", problem.message, extra={"job": self._job.id})
            self._is_doubtful = True
            return
        except Exception:  # a fault of ours: one batch is lost, and not the job
            log.exception("events could not be written", extra={"job": self._job.id})
            is_ours = True
        self._is_doubtful, self._written = False, self._values
        with self._lock:
            self._batch = []
        if not is_ours and self.is_ours:
            self.is_ours = False
            self._lost()
