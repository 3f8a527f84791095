"""An engine that failed in a way it does not know: one sentence for people, the rest in a log file."""

from __future__ import annotations

import os
import secrets
import shutil
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from autodub.infra.blobs import NO_ROOM, full
from autodub.model.errors import EngineError, OutputProblem, Unreachable

_LOGS = 50  # newest crash logs that are kept
_ROOM = 4 << 20  # bytes: with less than this free, whatever failed failed for want of room


def crashed(
    error: Exception, *, engine: str, verb: str, data_dir: Path, logs: Path, redact: Callable[[str], str]
) -> EngineError | OutputProblem:  # fmt: skip
    """What to report for an exception from outside the error tree; writes its traceback to ``logs``."""
    if no_room(error, data_dir):
        return full(data_dir)
    role = engine.partition(".")[0]
    log = _write(error, engine=engine, verb=verb, folder=logs, redact=redact)
    where = f"Details are in {log}." if log else "The data directory cannot hold a log of it."
    return Unreachable(
        f"{engine} crashed ({type(error).__name__}) in {verb}.",
        hint=f"{where} Run again, or choose another {role}.",
        engine=engine,
    )


def no_room(error: BaseException, folder: Path) -> bool:
    """Whether a failure is really a full disk; libraries report that in words of their own."""
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        return True
    return shutil.disk_usage(folder).free < _ROOM


def _write(
    error: Exception, *, engine: str, verb: str, folder: Path, redact: Callable[[str], str]
) -> Path | None:
    now = datetime.now(UTC)
    path = folder / f"{now:%Y%m%d-%H%M%S}-{engine}-{verb}-{secrets.token_hex(2)}.log"
    text = redact("".join(traceback.format_exception(error)))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as stream:
            stream.write(f"{now.isoformat()} {engine} {verb} pid {os.getpid()}\n{text}")
        for old in sorted(folder.glob("*.log"))[:-_LOGS]:
            old.unlink(missing_ok=True)
    except OSError:
        return None  # the crash itself is still reported
    return path
