"""The same by arithmetic: what each resource allows by itself, what is needed, and Erlang's waiting times.

No more videos pass than the scarcest resource lets through: its size by what one job asks of it. The
simulation shows what this leaves out: waiting, work that comes in bursts, and accounts used unevenly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from autodub.testing.loopback.profile import MODERN, Profile
from benchmarks.capacity import assumptions
from benchmarks.capacity.demands import TRANSLATIONS, demand
from benchmarks.capacity.simulation import DAY, Fleet, World, alone

MONTH = 30.0
"""Days."""


def shares(
    fleet: Fleet, *, minutes: float = 1.0, profile: Profile = MODERN
) -> dict[str, tuple[float, float]]:
    """Resource -> how much there is of it, and how much of it one job takes for one second."""
    wanted, known = demand(minutes), assumptions.table()
    seconds = 60 * minutes
    spoken = profile.synthesis[0] + profile.synthesis[1] * wanted.characters
    crowded = 1 + profile.crowding * (fleet.lanes - 1)
    worded = profile.translation[0] * wanted.requests
    worded += profile.translation[1] * wanted.tokens * (wanted.lines + wanted.reworded)
    source = sum(World(replace(fleet, workers=1)).source(wanted))
    separating = 0.0 if fleet.gpus else wanted.cpu["separate"]
    found = {
        "places at workers": (fleet.workers * fleet.slots, alone(fleet, minutes=minutes, profile=profile)),
        "worker CPU": (fleet.workers * fleet.cores, (wanted.worker + separating) * fleet.slowness),
        "network": (
            fleet.workers * known["worker"]["link_mbit"] * 1e6,
            8 * (2 * source + wanted.heard_bytes + wanted.clone_bytes + wanted.stored_bytes),
        ),
        "Deepgram": (
            fleet.projects * known["deepgram"]["concurrency"],
            profile.recognition[0] + profile.recognition[1] * seconds,
        ),
        "OpenAI lanes": (fleet.workers * TRANSLATIONS, worded),
        "ElevenLabs": (min(fleet.accounts, fleet.workers) * fleet.lanes, wanted.spoken * spoken * crowded),
        "database": (fleet.database, wanted.database),
    }
    if fleet.gpus:
        found["GPU"] = (fleet.gpus, assumptions.gpu_seconds() * minutes)
    return {name: (float(there), float(each)) for name, (there, each) in found.items()}


def most(fleet: Fleet, *, minutes: float = 1.0, profile: Profile = MODERN) -> tuple[float, str]:
    """Videos a day that a fleet can do at most, and the resource that says so."""
    allowed = {
        name: there / each * DAY
        for name, (there, each) in shares(fleet, minutes=minutes, profile=profile).items()
    }
    binds = min(allowed, key=lambda name: allowed[name])
    return allowed[binds], binds


@dataclass(frozen=True, slots=True)
class Bought:
    """How full things may be in the busiest hour."""

    worker: float = 0.6
    gpu: float = 0.7
    account: float = 0.6
    """Requests at once, of those that its plan allows."""
    database: float = 0.5


def needed(
    videos: float, *, minutes: float = 1.0, profile: Profile = MODERN, full: Bought = Bought()
) -> Fleet:
    """The smallest fleet that carries so many videos a day with room in its busiest hour."""
    known = assumptions.table()
    rate = videos / DAY * float(known["workload"]["peak"])
    fleet = Fleet(lanes=assumptions.plans()["Scale"].concurrency)
    each = {name: part for name, (_, part) in shares(fleet, minutes=minutes, profile=profile).items()}

    def count(name: str, size: float, fill: float) -> int:
        return max(1, math.ceil(rate * each[name] / (size * fill)))

    by_cpu = count("worker CPU", fleet.cores, full.worker)
    by_places = count("places at workers", fleet.slots, full.gpu)
    characters = videos * MONTH * demand(minutes).charges["elevenlabs characters"]
    plan = next(
        (
            one for one in assumptions.plans().values()
            if one.clones and one.credits >= characters
            and count("ElevenLabs", one.concurrency, full.account) == 1
        ),
        assumptions.plans()["Scale"],
    )  # fmt: skip
    workers = max(by_cpu, by_places)
    return replace(
        fleet, workers=workers, gpus=count("GPU", 1, full.gpu), lanes=plan.concurrency,
        accounts=min(workers, count("ElevenLabs", plan.concurrency, full.account)),
        projects=count("Deepgram", known["deepgram"]["concurrency"], full.account),
        database=2 * count("database", 2, full.database),
    )  # fmt: skip


def erlang_c(servers: int, offered: float) -> float:
    """Chance that somebody must wait at M/M/c; ``offered`` is the rate times the mean service."""
    if offered >= servers:
        return 1.0
    term = blocked = 1.0
    for number in range(1, servers + 1):  # Erlang B, by its recursion
        term = offered * blocked / (number + offered * blocked)
        blocked = term
    return blocked / (1 - offered / servers * (1 - blocked))


def erlang_wait(servers: int, rate: float, service: float) -> float:
    """Mean wait at M/M/c, seconds; infinite where more comes than can be served."""
    offered = rate * service
    if offered >= servers:
        return math.inf
    return erlang_c(servers, offered) * service / (servers - offered)
