"""``autodub worker --calls``: engines of this machine, for jobs that run on others."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from autodub.cli.failure import FAILED
from autodub.infra.settings import Settings

if TYPE_CHECKING:
    from autodub.jobs.calls import CallWorker

log = logging.getLogger("autodub.calls")
_RELEASE = 15.0
"""Seconds between two looks whether a newer release has changed the store."""
_PATIENCE = 8.0
"""Seconds that calls have to come to an end after a request to stop, before they are left to others."""


def serve(settings: Settings, engines: str, given: Mapping[str, Any]) -> int:
    """Make calls until SIGTERM or Ctrl-C; the exit code.

    Raises BadOption, UnknownEngine, EngineCannot for an engine that cannot be served here, Unavailable.
    """
    from autodub.cli.stopping import stopping
    from autodub.infra import logs, private, server_settings
    from autodub.jobs.calls import CallWorker
    from autodub.model.errors import BadOption

    named = tuple(dict.fromkeys(engines.replace(",", " ").split()))
    if not named:
        raise BadOption("--calls names no engine.", hint="Such as: --calls demucs,whisper")
    server = server_settings.load(settings, given=given)
    private.from_now_on()  # also where the data directory was made by somebody with other rights
    slots = given["slots"] or 1
    worker = CallWorker(settings, named, slots=slots)
    asked: SimpleQueue[None] = SimpleQueue()  # unlike an Event it may be told from a signal's handler
    with logs.written(form=server.log, level=server.log_level, hide=logs.hiding(settings, server)):
        with stopping(lambda: asked.put(None), lambda _: None):
            worker.start()
            log.info("worker for calls begins", extra={"engines": sorted(worker.desk.lanes), "slots": slots})
            code = _until(asked, worker)
            has_ended = worker.stop(patience=_PATIENCE)
        log.info("worker for calls ends")
        if not has_ended:  # handed back; what is still computing must not hold up the end
            logging.shutdown()
            os._exit(code)
    return code


def _until(asked: SimpleQueue[None], worker: CallWorker) -> int:
    """Wait for the reason to stop; the exit code it makes."""
    from autodub.model.errors import AutodubError

    while True:
        with suppress(Empty):
            asked.get(timeout=_RELEASE)
            log.info("the worker is told to stop; its calls are left to others")
            return 0
        try:
            is_ours = worker.is_ours()
        except AutodubError:
            continue  # it is asked again, and nothing can be taken up meanwhile
        if not is_ours:
            log.error("another release of Autodub has changed the store, and this worker ends")
            return FAILED
