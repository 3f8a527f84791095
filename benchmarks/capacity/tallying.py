"""CPU seconds of a worker's calls, verb by verb, its programs included; loaded into the worker by a hook."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path
from typing import Any

from benchmarks import programs

HOOK = """
if "worker" in sys.orig_argv:
    from benchmarks.capacity import tallying
    tallying.install(os.environ["BENCH_TALLY"])
"""
"""What is added to the ``sitecustomize`` of ``benchmarks.server``."""


def install(path: str) -> None:
    """Append a JSON line to a file for each call that ended, and for each program."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    here = threading.local()

    def note(verb: str, program: str, seconds: float) -> None:
        os.write(file, (json.dumps([verb, program, round(seconds, 5)]) + "\n").encode())

    _calls(here, note)
    _programs(here, note)


def read(path: Path) -> dict[str, float]:
    """Verb -> CPU seconds, since the file began; programs' under ``verb/program``."""
    found: dict[str, float] = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        verb, program, seconds = json.loads(line)
        name = f"{verb}/{program}" if program else verb
        found[name] = found.get(name, 0.0) + seconds
    return found


def _calls(here: Any, note: Any) -> None:
    from autodub.gateway import door as module

    door: Any = module
    within = door.within

    def named(verb: Any, request: Any, work: Any, **rest: Any) -> Any:
        name = f"{rest.get('engine')}.{verb.__name__}"

        def counted(request: Any, work: Any) -> Any:
            here.verb, begun = name, time.thread_time()
            try:
                return verb(request, work)
            finally:
                note(name, "", time.thread_time() - begun)

        return within(counted, request, work, **rest)

    door.within = named


def _programs(here: Any, note: Any) -> None:
    def began(args: Any) -> tuple[str, str]:
        words = [str(word) for word in args] if isinstance(args, (list, tuple)) else [str(args)]
        return getattr(here, "verb", "beside"), Path(words[0]).name

    programs.watch(began, lambda names, seconds: note(*names, seconds))
