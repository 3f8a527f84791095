"""What a run took of this machine."""

from __future__ import annotations

import subprocess
import sys

from autodub.infra.profiling import Profiler
from autodub.model.job import Event

HUNGRY = """
held = bytearray(120_000_000)
sum(number * number for number in range(2_000_000))
import time; time.sleep(0.4)
"""


def call(**data: object) -> Event:
    """An event of a call."""
    facts = {"role": "synthesizer", "engine": "espeak", "verb": "synthesize"} | data
    return Event("call.finished", "speak", data=facts)  # type: ignore[arg-type]


def test_programs_that_were_started_count() -> None:
    """CPU and memory of a child are part of the run, also after it has ended."""
    with Profiler() as profiler:
        profiler(Event("stage.started", "render"))
        subprocess.run([sys.executable, "-c", HUNGRY], check=True)
        profiler(Event("stage.finished", "render"))
    found = profiler.profile()
    (stage,) = found.stages
    assert found.memory > 120_000_000
    assert found.cpu > 0.05
    assert stage.stage == "render"
    assert 0.4 < stage.seconds <= found.wall
    assert 0.0 < stage.cpu <= found.cpu + 0.01
    assert stage.memory > 120_000_000


def test_a_stage_that_runs_twice_is_one_row_and_one_that_never_ends_lasts_to_the_end() -> None:
    """Times of a stage are added up; a stop in the middle of one leaves it with what it took."""
    with Profiler() as profiler:
        for _ in range(2):
            profiler(Event("stage.started", "speak"))
            profiler(Event("stage.finished", "speak"))
        profiler(Event("stage.started", "render"))
    found = profiler.profile()
    assert [one.stage for one in found.stages] == ["speak", "render"]
    assert found.stages[1].seconds <= found.wall


def test_calls_are_counted_by_engine_and_end() -> None:
    """What was made takes time; what was kept, or failed, is counted only."""
    with Profiler() as profiler:
        profiler(call(seconds=1.5, kept=False))
        profiler(call(seconds=1.0, kept=False))
        profiler(call(seconds=9.0, kept=True))
        profiler(Event("call.failed", "speak", data={"role": "cloner", "engine": "own", "verb": "clone"}))
    spoken, cloned = profiler.profile().calls
    assert (spoken.engine, spoken.made, spoken.kept, spoken.seconds) == ("synthesizer.espeak", 2, 1, 2.5)
    assert (cloned.engine, cloned.failed, cloned.seconds) == ("cloner.own", 1, 0.0)
