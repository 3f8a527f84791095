"""``autodub worker``: runs jobs of a platform, on this machine or another, until it is told to stop."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

import click

from autodub.cli.calls import Calls
from autodub.cli.common import data_dir_option
from autodub.cli.failure import FAILED

if TYPE_CHECKING:
    from autodub.jobs.platform import Platform

log = logging.getLogger("autodub.worker")
_PATIENCE = 8.0
"""Seconds that jobs have to come to a place where they can be handed back."""
_BEHIND = 5
"""Added to the priority number of a worker beside a server: on a busy machine requests are answered first."""
_RELEASE = 15.0
"""Seconds between two looks whether a newer Autodub has taken the database over."""


@click.command("worker")
@click.option(
    "--slots", "--concurrency", "slots", type=click.IntRange(1, 64), metavar="N",
    help="Jobs that run at once here. [default: 2; calls: 1]",
)  # fmt: skip
@click.option(
    "--queues", metavar="LIST",
    help="What may bind the jobs that are taken: net, cpu, gpu, with commas between. [default: all]",
)  # fmt: skip
@click.option(
    "--calls", "engines", metavar="LIST",
    help="Run no jobs, but make calls of these engines for jobs on other machines: demucs,whisper.",
)  # fmt: skip
@click.option(
    "--database", metavar="ADDRESS",
    help="postgresql://user:password@host/name (better as AUTODUB_DATABASE). [default: SQLite]",
)  # fmt: skip
@click.option("--log", type=click.Choice(["text", "json"]), help="How the log is written. [default: text]")
@click.option("--parent", type=int, hidden=True)
@data_dir_option
@click.pass_obj
def command(
    calls: Calls, /, *, parent: int | None, queues: str | None, engines: str | None, data_dir: Path | None,
    **given: Any,
) -> int:  # fmt: skip
    """Run jobs over the same database and data directory as a server.

    autodub serve starts one by itself. Start more here or on other machines that see the same database
    and the same data directory; where there is a broker (docs/SCALING.md) it tells them of jobs. Ctrl-C or
    SIGTERM hands jobs back to the others; once more stops at once.

    With --calls it serves engines, such as those that need a GPU, to workers that name them as
    remote_engines. It needs the store they share, and nothing else.
    """
    if engines is not None:
        if queues is not None:
            raise click.UsageError("--calls and --queues are of two workers: start both.")
        from autodub.cli import worker_calls

        return worker_calls.serve(calls.settings(data_dir=data_dir), engines, given)
    from autodub.cli import opening
    from autodub.cli.stopping import stopping
    from autodub.infra import logs
    from autodub.jobs.worker import Worker

    if parent is not None:
        os.nice(_BEHIND)
    settings = calls.settings(data_dir=data_dir)
    server = opening.server_settings(settings, **given)
    resources = _resources(queues)
    platform = opening.platform(settings, server)
    if server.broker.get_secret_value():
        from autodub.jobs import celery_worker

        platform.signing.check()
        platform.close()  # its processes open their own
        slots = max(1, server.slots)
        with logs.written(form=server.log, level=server.log_level, hide=logs.hiding(settings, server)):
            log.info("worker begins", extra={"slots": slots, "queues": resources})
            code = celery_worker.serve(settings, server, slots=slots, resources=resources, parent=parent)
            log.info("worker ends")
        return code
    asked: SimpleQueue[None] = SimpleQueue()  # unlike an Event it may be told from a signal's handler
    with logs.written(form=server.log, level=server.log_level, hide=logs.hiding(settings, server)):
        worker = Worker(platform, slots=max(1, server.slots), resources=resources)
        with stopping(lambda: asked.put(None), lambda _: None):
            worker.start()
            log.info("worker begins", extra={"worker": worker.id, "slots": max(1, server.slots)})
            code = _until(asked, platform, parent)
            worker.stop(patience=_PATIENCE)
        log.info("worker ends", extra={"worker": worker.id})
        if worker.running:  # handed back; what is still computing must not hold up the end
            logging.shutdown()
            os._exit(code)
    platform.close()
    return code


def _resources(queues: str | None) -> tuple[str, ...]:
    """What ``--queues`` names. Raises BadOption."""
    from autodub.jobs.records import RESOURCES
    from autodub.model.errors import BadOption

    if queues is None:
        return RESOURCES
    named = tuple(dict.fromkeys(queues.replace(",", " ").split()))
    wrong = [name for name in named if name not in RESOURCES]
    if wrong or not named:
        said = f"There is no queue {wrong[0]!r}." if wrong else "--queues names none."
        raise BadOption(said, hint=f"There are: {', '.join(RESOURCES)}.")
    return named


def _until(asked: SimpleQueue[None], platform: Platform, parent: int | None) -> int:
    """Wait for the reason to stop; the exit code it makes."""
    from autodub.model.errors import AutodubError

    looked = time.monotonic()
    while not _is_asked(asked):
        if parent is not None and os.getppid() != parent:
            log.warning("the server has gone, and its worker ends")
            return 0
        if time.monotonic() - looked < _RELEASE:
            continue
        looked = time.monotonic()
        try:
            is_ours = platform.is_ours()
        except AutodubError:
            continue  # it is asked again, and nothing can be claimed meanwhile
        if not is_ours:
            log.error("another release of Autodub has changed the database, and this worker ends")
            return FAILED
    return 0


def _is_asked(asked: SimpleQueue[None]) -> bool:
    """Whether somebody asks to stop within a second."""
    try:
        asked.get(timeout=1.0)
    except Empty:
        return False
    log.info("the worker is told to stop; its jobs are handed back")
    return True
