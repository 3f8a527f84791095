"""``autodub worker`` whose dubs end when and how a test says.

Run as a program it does what ``commands`` says. Where ``env`` has ``NEWER_RELEASE``, a folder of migrations,
the worker is of the release that they belong to.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import commands

from autodub.cli import worker as embedded
from autodub.gateway.cancel import Cancel
from autodub.jobs import celery_queue, celery_worker, runner, worker
from autodub.jobs.results import Result
from autodub.jobs.sweeper import Sweeper
from autodub.model.errors import UnsupportedSource

sys.path.append(str(Path(__file__).parents[1] / "jobs"))

import releases


def patches(folder: Path) -> list[tuple[object, str, Any]]:
    """What is put in the place of making dubs, and of patience.

    The address of a source may carry the name of a file: while ``folder`` has it, ``hold`` keeps the dub
    going and ``fail`` makes it fail. ``deaf`` dubs heed no request to stop.
    """

    def make(request: Any, *, cancel: Cancel, **_: object) -> SimpleNamespace:
        asked = {key: folder / value[0] for key, value in parse_qs(urlsplit(request.source).query).items()}
        if "fail" in asked and asked["fail"].exists():
            raise UnsupportedSource("This one fails.", hint="Try it again.")
        while "hold" in asked and asked["hold"].exists():
            time.sleep(0.01)
            if "deaf" not in asked:
                cancel.check()
        return SimpleNamespace(result=Result(summary="done", seconds=60.0), done=None)

    return [
        (runner, "make", make), (runner, "of_dub", lambda made: made.result),
        (runner.exports, "note", lambda *_: None), (Sweeper, "every", 0.3), (celery_queue, "_AWAY", 0.2),
        (celery_worker, "_PATIENCE", 1.0), (embedded, "_PATIENCE", 1.0), (worker, "_IDLE", 0.2),
        (celery_worker, "_RELEASE", 0.5), (embedded, "_RELEASE", 0.5),
    ]  # fmt: skip


def _prepare(folder: Path, env: dict[str, str]) -> None:
    os.dup2(2, 1)  # what is answered there is not the worker's to say
    newer = env.get("NEWER_RELEASE")
    for place, name, value in (*patches(folder), *(releases.patches(Path(newer)) if newer else ())):
        setattr(place, name, value)


if __name__ == "__main__":
    commands.serve(_prepare)
