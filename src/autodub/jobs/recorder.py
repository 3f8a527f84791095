"""What a running job says, written down in small batches: its progress and its events.

Of the many reports of progress only the last one per stage and batch is kept; everything else is kept
whole. A batch is one transaction, so that a thousand calls cost no thousand commits.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from autodub.jobs.claiming import Claims
from autodub.jobs.progress import Progress
from autodub.jobs.records import Job
from autodub.jobs.tables import jobs
from autodub.model.job import Event

EVERY = 0.2
"""Seconds between two batches."""
_SILENT = frozenset({"call.started", "job.finished"})
"""Said by the pipeline and of no use here: a call is told when it is over, and the end by the worker."""


class Recorder:
    """The listener of one attempt."""

    def __init__(self, claims: Claims, job: Job, *, every: float = EVERY) -> None:
        self._claims, self._job, self._every = claims, job, every
        self._lock = threading.Lock()
        self._waiting: list[Event] = []
        self._progress = Progress(job.kind)
        self._spent = Decimal(0)
        self._over = threading.Event()
        self.is_ours = True
        """False once another worker has the job."""
        self._thread = threading.Thread(target=self._write, name=f"events-{job.id[:8]}", daemon=True)
        self._thread.start()

    def __call__(self, event: Event) -> None:
        """Take an event; returns at once."""
        if event.kind in _SILENT:
            return
        with self._lock:
            self._progress.see(event)
            if event.kind == "call.finished":
                self._spent += Decimal(str(event.data.get("dollars") or 0))
            if event.kind == "stage.progress":
                self._waiting = [
                    one for one in self._waiting if (one.kind, one.stage) != ("stage.progress", event.stage)
                ]
            self._waiting.append(event)

    def close(self) -> None:
        """Write what is left."""
        self._over.set()
        self._thread.join()

    @property
    def seconds(self) -> Mapping[str, float]:
        """Wall seconds by stage, so far."""
        return dict(self._progress.seconds)

    def _write(self) -> None:
        is_over = False
        while not is_over:
            is_over = self._over.wait(self._every)
            self.flush()

    def flush(self) -> None:
        """Write what is waiting now."""
        with self._lock:
            told, self._waiting = self._waiting, []
            spent, self._spent = self._spent, Decimal(0)
            values: dict[str, Any] = {
                "progress": self._progress.whole, "stage": self._progress.stage,
                "message": self._progress.message,
            }  # fmt: skip
        if told and self.is_ours:
            if spent:
                values["spent"] = jobs.c.spent + spent
            self.is_ours = self._claims.tell(self._job, told, **values)
