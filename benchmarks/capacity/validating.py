"""The simulation against the product: the same jobs at one, two and four places of this machine."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from statistics import fmean
from typing import Any

from autodub.testing.loopback.profile import PROFILES
from benchmarks.capacity import place
from benchmarks.capacity.demands import demand, measured
from benchmarks.capacity.measuring import OUT, _processor
from benchmarks.capacity.place import Place
from benchmarks.capacity.scenarios import VALIDATED
from benchmarks.capacity.simulation import Fleet, World, batch

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
            found = _measured(here, LINES[:count])
        rows.append({"slots": slots, "jobs": count, **found, **simulated(slots, count, found)})
        print(json.dumps(rows[-1]), flush=True)
    told = {
        "command": "python -m benchmarks.capacity validate",
        "date": datetime.now(UTC).date().isoformat(),
        "machine": {"processor": _processor(), "cores": os.cpu_count()},
        "profile": PROFILE,
        "note": f"Load average {os.getloadavg()[0]:.1f} at the end.",
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


def simulated(slots: int, count: int, found: dict[str, Any]) -> dict[str, Any]:
    """The same by simulation, on a machine as slow as it was.

    How slow is told by the one stage that does nothing but compute, the measuring of the finished dub: wall
    seconds by the CPU seconds it takes. Everything else is what is compared.
    """
    minutes = found["minutes"]
    slowness = max(1.0, found["stages_s"]["measure"] / demand(minutes).cpu["measure"])
    cores = os.cpu_count() or 1
    fleet = Fleet(slots=slots, cores=cores, gpus=0, slowness=slowness, beside=beside(minutes))
    world = World(fleet, minutes=minutes, profile=PROFILES[PROFILE], variation=0.0, files=1 / minutes)
    took = batch(world, jobs=count)
    return {
        "slowness": round(slowness, 2),
        "simulated_s": round(took, 1),
        "simulated_job_s": round(fmean(job.ended - job.began for job in world.done), 1),
        "simulated_by_measured": round(took / found["measured_s"], 2),
    }


def beside(minutes: float) -> float:
    """CPU seconds of database, server and clouds, where all of them are on the worker's machine."""
    short = measured()["short"]
    wanted = demand(minutes)
    return float(wanted.database + wanted.answering + short["cpu_s"]["clouds"] * minutes / short["minutes"])
