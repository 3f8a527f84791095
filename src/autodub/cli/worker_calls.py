"""``autodub worker --calls``: engines of this machine, for jobs that run on others."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from queue import SimpleQueue
from typing import Any

from autodub.infra.settings import Settings

log = logging.getLogger("autodub.calls")
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
            asked.get()
            log.info("the worker is told to stop; its calls are left to others")
            has_ended = worker.stop(patience=_PATIENCE)
        log.info("worker for calls ends")
        if not has_ended:  # handed back; what is still computing must not hold up the end
            logging.shutdown()
            os._exit(0)
    return 0
