"""What one job asks of its machine, measured: real jobs on a real server, with clouds that answer at once."""

from __future__ import annotations

import json
import os
import platform
import shutil
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import numpy as np

from autodub import __version__
from autodub.infra.profiling import _cpu_and_memory
from benchmarks.capacity import place
from benchmarks.capacity.place import Counts, Place

MEASURED = Path(__file__).with_name("measured.json")
OUT = Path("bench/capacity")
WARM, SHORT, LONG = 28, (29, 30, 31), (145,)
"""Lines of the job that warms everything, and of those that are measured; 29 are a minute."""
_IDLE = 10.0
"""Seconds in which nothing happens, to know what happens by itself."""


def main() -> None:
    """Measure, and keep it beside this module."""
    folder = (OUT / "measure").absolute()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    began = os.getloadavg()
    with place.running(folder, slots=1, profile="instant", lines=(WARM, *SHORT, *LONG)) as here:
        _one(here, WARM)
        idle = _idle(here)
        groups = {"short": _jobs(here, SHORT, idle), "long": _jobs(here, LONG, idle)}
    told = {
        "command": "python -m benchmarks.capacity measure",
        "date": datetime.now(UTC).date().isoformat(),
        "release": __version__,
        "machine": {
            "processor": _processor(), "cores": os.cpu_count(), "system": platform.system(),
            "python": platform.python_version(), "database": "PostgreSQL on the same machine, fsync off",
            "load_average_before": round(began[0], 1), "load_average_after": round(os.getloadavg()[0], 1),
        },
        "note": "CPU seconds of one job at a time on a server that is warm; clouds answer at once; the "
        "separator is the weights-free one. Other work ran on the machine where the load averages say so.",
        "idle_per_second": {name: round(value, 4) for name, value in idle.items()},
        **groups,
    }  # fmt: skip
    MEASURED.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    print(MEASURED.read_text("utf-8"))


WINDOWS = ("render", "measure")
"""Stages beside which nothing else of a job runs: what the worker uses meanwhile is theirs."""


def _one(here: Place, lines: int) -> tuple[float, dict[str, float]]:
    """Wall seconds of a job, and the worker's CPU seconds in each of WINDOWS."""
    began = time.monotonic()
    with _Watch(here.worker()) as watch:
        job = here.submit(lines)
        here.desk.until_over([job])
    took = time.monotonic() - began
    found = here.desk.job(job)
    if found["state"] != "completed":
        raise SystemExit(f"a job of {lines} lines ended as {found['state']}: {found['error']}")
    at = {(event["kind"], event["stage"]): event["at"] for event in here.desk.events(job)}
    return took, {
        name: watch.between(at["stage.started", name], at["stage.finished", name]) for name in WINDOWS
    }


class _Watch:
    """Notes twenty times a second how much CPU a process and those below it have used."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._seen: list[tuple[float, float]] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def between(self, start: float, end: float) -> float:
        """CPU seconds between two moments, seconds since 1970."""
        times, used = zip(*self._seen, strict=True)
        return float(np.interp(end, times, used) - np.interp(start, times, used))

    def _watch(self) -> None:
        while not self._over.wait(0.05):
            self._seen.append((time.time(), _cpu_and_memory(self._pid)[0]))


def _idle(here: Place) -> dict[str, float]:
    """What is used per second when there is nothing to do."""
    before = here.counts()
    time.sleep(_IDLE)
    after = here.counts()
    seconds = after.at - before.at
    return {name: (getattr(after, name) - getattr(before, name)) / seconds for name in _GROWING}


_GROWING = ("worker", "answering", "database", "world", "commits")


def _jobs(here: Place, lines: Sequence[int], idle: dict[str, float]) -> dict[str, Any]:
    """Jobs one after another; means per job."""
    before = here.counts()
    runs = [_one(here, number) for number in lines]
    after = here.counts()
    count, seconds = len(lines), after.at - before.at
    used = {
        name: (getattr(after, name) - getattr(before, name) - idle[name] * seconds) / count
        for name in _GROWING
    }
    verbs = {
        name: (after.verbs[name] - before.verbs.get(name, 0.0)) / count
        for name in after.verbs
        if after.verbs[name] > before.verbs.get(name, 0.0)
    }
    links = [here.link(number) for number in lines]
    return {
        "jobs": count,
        "lines": sum(lines) / count,
        "minutes": round(sum(link["seconds"] for link in links) / 60 / count, 4),
        "source_bytes": round(sum(link["bytes"] for link in links) / count),
        "wall_s": round(sum(wall for wall, _ in runs) / count, 2),
        "cpu_s": {
            "worker": round(used["worker"], 3),
            "answering": round(used["answering"], 3),
            "database": round(used["database"], 3),
            "clouds": round(used["world"], 3),
        },
        "cpu_windows_s": {name: round(sum(w[name] for _, w in runs) / count, 3) for name in WINDOWS},
        "cpu_verbs_s": {name: round(verbs[name], 4) for name in sorted(verbs)},
        "transactions": round(used["commits"]),
        "objects": {
            ending: [
                round((now - was) / count, 1) for now, was in zip(some, _was(before, ending), strict=True)
            ]
            for ending, some in sorted(after.blobs.items())
        },
        "requests": _asked(after.requests[len(before.requests) :], count),
    }


def _was(before: Counts, ending: str) -> list[float]:
    return before.blobs.get(ending, [0, 0])


def _asked(requests: list[dict[str, Any]], count: int) -> dict[str, dict[str, float]]:
    """Provider and kind -> requests, bytes sent and units charged, per job."""
    found: defaultdict[str, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
    for one in requests:
        kind = found[f"{one['provider']} {one['kind']}"]
        kind["requests"] += 1
        kind["bytes"] += one["size"]
        for unit, amount in one["charges"].items():
            kind[unit] += amount
    return {
        kind: {unit: round(amount / count, 2) for unit, amount in some.items()}
        for kind, some in sorted(found.items())
    }


def _processor() -> str:
    names = [line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
             if line.startswith("model name")]  # fmt: skip
    return names[0] if names else platform.machine()
