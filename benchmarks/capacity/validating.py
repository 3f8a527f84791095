"""The simulation against the product: the same jobs at one, two and four places of this machine."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean
from typing import Any, Self

from autodub.testing.loopback.profile import PROFILES
from benchmarks.capacity import place
from benchmarks.capacity.demands import demand, measured
from benchmarks.capacity.measuring import OUT, _processor
from benchmarks.capacity.place import Place
from benchmarks.capacity.scenarios import VALIDATED
from benchmarks.capacity.simulation import Fleet, World, batch
from benchmarks.server import _tree

PROFILE = "modern"
WARM, LINES = 28, (29, 30, 31, 32, 33, 34, 35, 36)
RUNS = ((1, 4), (2, 6), (4, 8))
"""Places, and how many jobs come at once."""


def main() -> None:
    """Run the jobs, simulate them, and keep both beside this module."""
    rows = []
    for slots, count in RUNS:
        folder = (OUT / f"validate-{slots}").absolute()
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        with place.running(folder, slots=slots, profile=PROFILE, lines=(WARM, *LINES)) as here:
            here.desk.until_over([here.submit(WARM)])
            with _Delays(here.worker()) as delays:
                found = _measured(here, LINES[:count])
            found["slowness"] = round(delays.slowness, 2)
        rows.append({"slots": slots, "jobs": count, **found, **_simulated(slots, count, found)})
        print(json.dumps(rows[-1]), flush=True)
    told = {
        "command": "python -m benchmarks.capacity validate",
        "date": datetime.now(UTC).date().isoformat(),
        "machine": {"processor": _processor(), "cores": os.cpu_count()},
        "profile": PROFILE,
        "rows": rows,
    }
    VALIDATED.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def _measured(here: Place, lines: Sequence[int]) -> dict[str, Any]:
    began = time.monotonic()
    jobs = [here.submit(number) for number in lines]
    here.desk.until_over(jobs)
    wall = time.monotonic() - began
    took, stages = [], []
    for job in jobs:
        events = here.desk.events(job)
        at = {event["kind"]: event["at"] for event in reversed(events)}
        if "job.completed" not in at:
            raise SystemExit(f"a job failed: {here.desk.job(job)['error']}")
        took.append(at["job.completed"] - at["job.started"])
        stages.append(_stages(events))
    return {
        "minutes": round(fmean(here.link(number)["seconds"] for number in lines) / 60, 4),
        "measured_s": round(wall, 1),
        "measured_job_s": round(fmean(took), 1),
        "stages_s": {
            name: round(fmean(one.get(name, 0.0) for one in stages), 2) for name in dict.fromkeys(stages[0])
        },
    }


def _stages(events: list[dict[str, Any]]) -> dict[str, float]:
    begun: dict[str, float] = {}
    found: dict[str, float] = {}
    for event in events:
        if event["kind"] == "stage.started":
            begun.setdefault(event["stage"], event["at"])
        elif event["kind"] == "stage.finished":
            found[event["stage"]] = event["at"] - begun[event["stage"]]
    return found


def _simulated(slots: int, count: int, found: dict[str, Any]) -> dict[str, Any]:
    minutes = found["minutes"]
    fleet = Fleet(
        slots=slots, cores=os.cpu_count() or 1, gpus=0, slowness=found["slowness"], beside=beside(minutes)
    )
    world = World(fleet, minutes=minutes, profile=PROFILES[PROFILE], variation=0.0, files=1 / minutes)
    took = batch(world, jobs=count)
    return {
        "simulated_s": round(took, 1),
        "simulated_job_s": round(fmean(job.ended - job.began for job in world.done), 1),
        "simulated_by_measured": round(took / found["measured_s"], 2),
    }


def beside(minutes: float) -> float:
    """CPU seconds of database, server and clouds, where all of them are on the worker's machine."""
    short = measured()["short"]
    wanted = demand(minutes)
    return float(wanted.database + wanted.answering + short["cpu_s"]["clouds"] * minutes / short["minutes"])


class _Delays:
    """How long the worker's threads, and those of its programs, ran and waited for a core while entered."""

    def __init__(self, worker: int) -> None:
        self._worker = worker
        self._seen: dict[int, tuple[int, int]] = {}
        self.ran = self.waited = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._look()
        self.ran = self.waited = 0
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._look()

    @property
    def slowness(self) -> float:
        """Seconds until a second of CPU is had."""
        return (self.ran + self.waited) / self.ran

    def _watch(self) -> None:
        while not self._over.wait(0.1):
            self._look()

    def _look(self) -> None:
        for pid in _tree(self._worker):
            for task in Path(f"/proc/{pid}/task").glob("*"):
                with contextlib.suppress(OSError, ValueError):
                    ran, waited, _ = (int(word) for word in (task / "schedstat").read_text().split())
                    before = self._seen.get(int(task.name), (0, 0))
                    self._seen[int(task.name)] = ran, waited
                    self.ran += ran - before[0]
                    self.waited += waited - before[1]
