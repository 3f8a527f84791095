"""Every scenario in ``results.json``: what binds, what to have for how many videos, what waits."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from benchmarks.capacity import assumptions, costs, demands, paper
from benchmarks.capacity.demands import demand
from benchmarks.capacity.simulation import DAY, Fleet, World, alone, capacity, day, significant, under

RESULTS = Path(__file__).with_name("results.json")
VALIDATED = Path(__file__).with_name("validated.json")
"""What ``validate`` keeps."""
WORKERS = (1, 10, 30, 100, 300, 1000)
SETS: dict[str, Fleet] = {
    "1 Creator account, 1 GPU": Fleet(),
    "1 Scale account, 8 GPUs": Fleet(lanes=15, gpus=8),
    "10 Scale accounts, 50 GPUs": Fleet(accounts=10, lanes=15, gpus=50, database=12),
    "100 Scale accounts, 400 GPUs": Fleet(accounts=100, lanes=15, gpus=400, projects=4, database=32),
}
"""What is bought besides workers; the database has 2, 2, 12 and 32 cores."""
SCALE = (100, 1_000, 10_000, 100_000, 1_000_000)
"""Videos of a minute a day."""
PLACES = (1, 2, 3, 4, 6, 8)
LOADS = (0.3, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9)
WINDOW = 6_000
"""Videos whose arrivals a window spans: the busiest hour, as if it went on until so many have come."""
FEWER = 2_500
"""The same where many windows are compared."""
DAYS = 10_000
AVERAGE = Fleet(workers=1, gpus=1, lanes=15)
"""What 10,000 videos a day would need if they came evenly."""
LENGTHS = (1.0, 5.0, 10.0)
_PROTOTYPE = {100: (0, 16, 16), 1_000: (200, 160, 360), 10_000: (2_000, 1_600, 3_600)}
"""Its presentation, slide 22: videos a day -> infrastructure, API costs, total, "a month"."""


def main(parts: Sequence[str] = ()) -> None:
    """Simulate everything, or these parts anew; keep it beside this module."""
    every = {"limits": limits, "scale": scale, "places": places, "loads": loads, "days": days,
             "plans": plans, "lengths": lengths, "prototype": prototype}  # fmt: skip
    began = time.monotonic()
    found: dict[str, Any] = {"inputs": inputs()}
    if parts:
        kept = json.loads(RESULTS.read_text("utf-8"))
        if kept.pop("inputs") != found["inputs"]:
            raise SystemExit("what was measured or assumed has changed: all parts must be simulated anew")
        found |= kept
    for name in parts or every:
        found[name] = list(every[name]())
        print(f"{name}: {time.monotonic() - began:.0f} s", flush=True)
    RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def inputs() -> dict[str, str]:
    """Digests of what the results were made from."""
    files = (demands.MEASURED, assumptions.PATH)
    return {path.name: sha256(path.read_bytes()).hexdigest()[:16] for path in files}


def limit(name: str, workers: int) -> dict[str, Any]:
    """The most that so many workers do with a set of other things."""
    fleet = replace(SETS[name], workers=workers)
    most, binds = paper.most(fleet)
    found = capacity(World(fleet), jobs=1000).told()
    return {"set": name, "workers": workers, "paper": significant(most), "paper_binds": binds, **found}


def limits() -> Iterator[dict[str, Any]]:
    """All of them."""
    for name in SETS:
        for workers in WORKERS:
            yield limit(name, workers)


def at_peak(fleet: Fleet, videos: float, *, jobs: int = WINDOW) -> dict[str, Any]:
    """The busiest hour of a day of so many videos."""
    rate = videos / DAY * assumptions.table()["workload"]["peak"]
    warm = 5 * alone(fleet)
    return under(World(fleet), rate=rate, warm=warm, window=jobs / rate).told()


def scale() -> Iterator[dict[str, Any]]:
    """What to have for how many videos a day, and how it goes in the busiest hour."""
    for videos in SCALE:
        fleet = paper.needed(videos)
        began = time.monotonic()
        found = at_peak(fleet, videos)
        print(f"  {videos:,} a day: {time.monotonic() - began:.0f} s", flush=True)
        spent = costs.of_day(fleet, videos)
        wanted, rate = demand(1.0), videos / DAY * assumptions.table()["workload"]["peak"]
        tokens = sum(amount for name, amount in wanted.charges.items() if name.startswith("openai"))
        yield {
            "videos": videos, "fleet": asdict(fleet), "answering": costs.answering(videos, 1.0), **found,
            "dollars_day": {
                **{name: significant(d) for name, d in spent.providers.items()},
                "workers": significant(spent.workers), "GPUs": significant(spent.gpus),
                "database and answers": significant(spent.database), "store": significant(spent.store),
            },
            "day": significant(spent.day), "video": significant(spent.day / videos),
            "high_video": significant(
                sum(costs.providers(1.0, is_high=True).values()) + (spent.machines + spent.store) / videos
            ),
            "openai_requests_minute": significant(60 * rate * wanted.requests),
            "openai_tokens_minute": significant(60 * rate * tokens),
            "transactions_second": significant(rate * wanted.transactions),
            "stored_gb": significant(
                videos * costs.stored_bytes(1.0) / 1e9 * assumptions.table()["store"]["retention_days"]
            ),
            "credits_month": significant(videos * paper.MONTH * wanted.charges["elevenlabs characters"]),
        }  # fmt: skip


def places() -> Iterator[dict[str, Any]]:
    """One worker with more or fewer places, nothing else in short supply."""
    for slots in PLACES:
        fleet = Fleet(slots=slots, gpus=100, accounts=1, lanes=1000, database=100)
        world = World(fleet)
        world.speech[0].crowding = 0.0  # a thousand lanes stand for "enough", not for a crowd
        yield {"slots": slots, **capacity(world, jobs=400).told()}


def loads() -> Iterator[dict[str, Any]]:
    """How long jobs wait and take as a fleet fills up."""
    fleet = replace(SETS["1 Scale account, 8 GPUs"], workers=4)
    most, _ = paper.most(fleet)
    for load in LOADS:
        found = under(World(fleet), rate=load * most / DAY, warm=1000, window=FEWER / (load * most / DAY))
        yield {"load": load, **found.told()}


def days() -> Iterator[dict[str, Any]]:
    """Whole days of 10,000 videos: spread evenly, and in office hours; two fleets."""
    office = assumptions.table()["workload"]["office"]
    for what, fleet in (("the average hour", AVERAGE), ("the busiest hour", paper.needed(DAYS))):
        for pattern, hours in (("evenly", [1.0] * 24), ("office hours", office)):
            found = day(World(fleet), videos=DAYS, hours=hours).told()
            yield {"fleet_for": what, "pattern": pattern, "fleet": asdict(fleet), **found}


def plans() -> Iterator[dict[str, Any]]:
    """What each plan of ElevenLabs allows."""
    for plan in assumptions.plans().values():
        fleet = Fleet(lanes=plan.concurrency)
        there, each = paper.shares(fleet)["ElevenLabs"]
        characters = demand(1.0).charges["elevenlabs characters"]
        yield {
            **asdict(plan), "by_requests": significant(there / each * DAY),
            "by_credits": significant(plan.credits / paper.MONTH / characters),
        }  # fmt: skip


def lengths() -> Iterator[dict[str, Any]]:
    """What one video asks for, by its length."""
    for minutes in LENGTHS:
        wanted = demand(minutes)
        yield {
            "minutes": minutes, "worker_cpu": significant(wanted.worker),
            "separating_cpu": significant(wanted.cpu["separate"]),
            "gpu": significant(assumptions.gpu_seconds() * minutes),
            "database_cpu": significant(wanted.database), "transactions": significant(wanted.transactions),
            "speech_seconds": significant(paper.shares(Fleet(), minutes=minutes)["ElevenLabs"][1]),
            "requests": wanted.requests + wanted.spoken + SPEAKING_BESIDE,
            "stored_mb": significant(costs.stored_bytes(minutes) / 1e6),
            "alone": significant(alone(Fleet(), minutes=minutes)),
            "dollars": {name: significant(d) for name, d in costs.providers(minutes).items()},
        }  # fmt: skip


SPEAKING_BESIDE = 1 + demands.SPEAKERS
"""Requests of a job besides translations and speech: one to be heard, one per voice."""


def prototype() -> Iterator[dict[str, Any]]:
    """The prototype's table, as it was published and as its own price a video makes it."""
    for videos, (machines, api, total) in _PROTOTYPE.items():
        spent = costs.of_day(paper.needed(videos), videos)
        yield {
            "videos": videos, "told_machines": machines, "told_api": api, "told_total": total,
            "its_price_a_month": round(0.16 * videos * paper.MONTH),
            "ours_machines": significant((spent.machines + spent.store) * paper.MONTH),
            "ours_api": significant(sum(spent.providers.values()) * paper.MONTH),
            "ours_total": significant(spent.day * paper.MONTH),
        }  # fmt: skip
