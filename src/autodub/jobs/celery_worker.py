"""A worker whose slots are processes of Celery: one message, one claim, one job.

Celery's main process takes messages and keeps the others alive; it has no database and no thread of ours
that could be copied half-way. Each of its children has a platform and a ``Worker`` with one slot, renews its
lease and hands its job back when it is told to leave: by the end of a pipe from the main process, which also
ends when that process dies, or by SIGTERM. The first child sweeps and sends webhooks for all of them.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import socket
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from autodub.infra.server_settings import ServerSettings
from autodub.infra.settings import Settings
from autodub.jobs import schema
from autodub.jobs.celery_queue import NAMES, TASK, app_of
from autodub.jobs.platform import Platform
from autodub.jobs.sweeper import Sweeper
from autodub.jobs.worker import Worker
from autodub.model.errors import AutodubError, Unavailable

log = logging.getLogger("autodub.worker")
_PATIENCE = 8.0
"""Seconds that a job has to come to a place where it can be handed back."""
_RELEASE = 15.0
"""Seconds between two looks whether a newer Autodub has taken the database over."""
_PAUSE = 1.0
"""Seconds between two tries to reach a database that is away, and two looks at who started us."""


class Takes(Protocol):
    """Who carries jobs out: see ``Worker``."""

    @property
    def is_leaving(self) -> bool: ...

    def take(self, resources: Sequence[str]) -> bool: ...


def install(app: Any, worker: Callable[[], Takes]) -> None:
    """Give an app its one task. ``worker`` is the one of the process that carries it out."""
    from celery.exceptions import Reject

    bound = {name: resource for resource, name in NAMES.items()}

    def run(task: Any, job: str) -> None:
        here = worker()
        found = here.take((bound[task.request.delivery_info["routing_key"]],))
        if not found and here.is_leaving:
            raise Reject("this worker leaves", requeue=True)
        log.debug("a message was answered", extra={"job": job, "found": found})

    app.task(name=TASK, bind=True, shared=False)(run)


def serve(
    settings: Settings, server: ServerSettings, *, slots: int, resources: Sequence[str],
    parent: int | None = None,
) -> int:  # fmt: skip
    """Take messages until SIGTERM or Ctrl-C; the exit code. Ends with the process ``parent``, where given."""
    from celery import signals

    app = app_of(server.broker, hours=server.job_hours)
    crew = _Crew(settings, server, resources)
    install(app, crew.worker)
    signals.setup_logging.connect(_keep_log, weak=False)
    signals.worker_process_init.connect(crew.begin, weak=False)
    signals.worker_process_shutdown.connect(crew.end, weak=False)
    signals.worker_shutting_down.connect(crew.leave, weak=False)
    if parent is not None:
        threading.Thread(target=_follow, args=(parent,), name="parent", daemon=True).start()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="celery")  # of running as root
        main = app.Worker(
            hostname=f"autodub-{os.getpid()}@{socket.gethostname()}", pool="prefork", concurrency=slots,
            queues=[NAMES[resource] for resource in resources], loglevel="WARNING", quiet=True,
            without_gossip=True, without_mingle=True, without_heartbeat=True,
        )  # fmt: skip
        warnings.filterwarnings("ignore", module="celery")  # made anew above; of changes to come
        main.start()
    return int(main.exitcode or 0)


class _Crew:
    """The children of one main process; in each of them, itself."""

    def __init__(self, settings: Settings, server: ServerSettings, resources: Sequence[str]) -> None:
        self._settings, self._server, self._resources = settings, server, resources
        self._staying, self._stay = os.pipe()
        """Nothing is ever written: the end that children read ends when they are to leave."""
        self._told, self._tell = -1, -1
        self._worker: Worker | None = None
        self._platform: Platform | None = None
        self._attending: threading.Thread | None = None

    def worker(self) -> Worker:
        """The one of this process, for a task that begins in its main thread."""
        assert self._worker is not None
        # Now, and not in ``begin``: after that the pool puts a handler in that unwinds what runs.
        signal.signal(signal.SIGTERM, self._heed)
        return self._worker

    def _heed(self, *_: object) -> None:
        os.write(self._tell, b"!")

    def leave(self, how: str = "Warm", **_: object) -> None:
        """In the main process, by its handler of signals: have the children hand their jobs back."""
        if how != "Warm" or self._stay < 0:
            os._exit(1)  # once more stops at once: the kernel ends the children with us
        os.close(self._stay)
        self._stay = -1

    def begin(self, **_: object) -> None:
        """In a child that begins."""
        from billiard import current_process

        if self._stay >= 0:
            os.close(self._stay)
        is_first = not getattr(current_process(), "index", 0)
        self._told, self._tell = os.pipe()
        self._platform = self._opened()
        self._worker = Worker(
            self._platform, slots=1, looks=False, sweeps=is_first, sends=is_first, resources=self._resources
        )
        self._worker.start()
        if not is_first:
            Sweeper(self._platform).reclaim()  # whose place this process takes may have been killed
        self._attending = threading.Thread(target=self._attend, args=(is_first,), name="leave", daemon=True)
        self._attending.start()

    def end(self, **_: object) -> None:
        """In a child that ends."""
        if self._attending is not None and self._tell >= 0:
            os.write(self._tell, b".")
            self._attending.join(_PATIENCE * 2)
        if self._platform is not None:
            self._platform.close()

    def _opened(self) -> Platform:
        while True:
            try:
                return Platform(self._settings, self._server)
            except schema.Excluded as problem:  # and never will: the others end as well
                log.error("%s", problem.message)  # noqa: TRY400 - a sentence says it all
                os.kill(os.getppid(), signal.SIGTERM)
                os._exit(1)
            except Unavailable as problem:
                log.warning("the worker cannot begin yet: %s", problem.message)
                time.sleep(_PAUSE)

    def _attend(self, is_first: bool) -> None:
        """Wait for the time to leave; then hand back what is under way."""
        assert self._worker is not None
        assert self._platform is not None
        while True:
            heard, _, _ = select.select([self._staying, self._told], [], [], _RELEASE)
            if heard:
                break
            if is_first and _is_taken_over(self._platform):
                log.error("another release of Autodub has changed the database, and this worker ends")
                os.kill(os.getppid(), signal.SIGTERM)
        is_ending = self._told in heard and os.read(self._told, 1) == b"."
        self._worker.stop(patience=_PATIENCE)
        if self._worker.running or (self._told in heard and not is_ending):
            logging.shutdown()
            os._exit(0)  # what is still computing must not hold up the end; it is not written down any more


def _is_taken_over(platform: Platform) -> bool:
    try:
        return not platform.is_ours()
    except AutodubError:
        return False  # it is asked again, and nothing can be claimed meanwhile


def _follow(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_PAUSE)
    log.warning("the server has gone, and its worker ends")
    os.kill(os.getpid(), signal.SIGTERM)


def _keep_log(**_: object) -> None:
    """Ours stays as it is."""
