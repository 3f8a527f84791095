"""What one job asks of its machine, measured: real jobs on a real server, with clouds that answer at once."""

from __future__ import annotations

import json
import os
import platform
import shutil
import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from autodub import __version__
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


def _one(here: Place, lines: int) -> float:
    began = time.monotonic()
    job = here.submit(lines)
    here.desk.until_over([job])
    found = here.desk.job(job)
    if found["state"] != "completed":
        raise SystemExit(f"a job of {lines} lines ended as {found['state']}: {found['error']}")
    return time.monotonic() - began


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
    walls = [_one(here, number) for number in lines]
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
        "wall_s": round(sum(walls) / count, 2),
        "cpu_s": {
            "worker": round(used["worker"], 3),
            "answering": round(used["answering"], 3),
            "database": round(used["database"], 3),
            "clouds": round(used["world"], 3),
        },
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
