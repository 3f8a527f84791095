"""A fleet under arrivals: jobs come, are carried out, and are counted over a window of steady work."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Generator, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import fmean
from typing import Any

import simpy

from autodub.testing.loopback.profile import MODERN, Profile
from benchmarks.capacity import assumptions
from benchmarks.capacity.demands import TRANSLATIONS, Demand, demand
from benchmarks.capacity.job import Job, dub
from benchmarks.capacity.stations import Flow, Places, Station

DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Fleet:
    """What an operator has."""

    workers: int = 1
    slots: int = 4
    """Jobs at once of each worker."""
    cores: int = 2
    gpus: int = 1
    """That separate; 0: the workers do it, by the weights-free separator."""
    accounts: int = 1
    """Of ElevenLabs; workers are dealt out among them."""
    lanes: int = 5
    """Requests at once of each account."""
    projects: int = 1
    """Of Deepgram."""
    database: int = 2
    """Cores of PostgreSQL."""
    slowness: float = 1.0
    """How much longer the cores take than those that were measured: 2 where half of them are another's."""
    beside: float = 0.0
    """CPU seconds per job of whatever else is on the worker's machine: a database, a server."""


class World:
    """The stations of a fleet, and its jobs."""

    def __init__(
        self, fleet: Fleet, *, minutes: float = 1.0, profile: Profile = MODERN, seed: int = 1,
        variation: float | None = None, files: float = 1.0,
    ) -> None:  # fmt: skip
        """``files``: how much longer than the profile's minute a minute takes to be fetched."""
        known = assumptions.table()
        self.files = files
        self.env = simpy.Environment()
        self.fleet, self.profile, self.seed = fleet, profile, seed
        self.variation = known["workload"]["variation"] if variation is None else variation
        self.gpu_seconds = assumptions.gpu_seconds()
        self._bytes = known["workload"]["source_mbit"] * 1e6 / 8 * 60
        self._demand = _slowed(demand(minutes), fleet.slowness)
        env = self.env
        self.places = Places(env, fleet.workers, fleet.slots)
        self.cpu = [Station(env, fleet.cores) for _ in range(fleet.workers)]
        self.openai = [Station(env, TRANSLATIONS) for _ in range(fleet.workers)]
        self.links = [Flow(env, known["worker"]["link_mbit"] * 1e6) for _ in range(fleet.workers)]
        self.gpu = Station(env, fleet.gpus) if fleet.gpus else None
        accounts = range(min(fleet.accounts, fleet.workers))  # a worker has one
        self.speech = [Station(env, fleet.lanes, crowding=profile.crowding) for _ in accounts]
        self.deepgram = Station(env, known["deepgram"]["concurrency"] * fleet.projects)
        self.database = Flow(env, fleet.database)
        self.began, self.started, self.ended = 0.0, 0, 0
        self.done: list[Job] = []
        self.then: Callable[[], None] = _nothing

    def source(self, wanted: Demand) -> tuple[float, float]:
        """Bytes of a source's sound and picture."""
        whole = self._bytes * wanted.minutes
        return whole * 0.06, whole * 0.94  # 150 of 2,500 kbit/s are sound

    def submit(self) -> None:
        """One more job."""
        self.started += 1
        self.env.process(dub(self, Job(self.started, self._demand, self.env.now)))

    def over(self, job: Job) -> None:
        """A job has ended."""
        self.ended += 1
        self.done.append(job)
        self.then()

    def groups(self) -> dict[str, list[Station | Flow | Places]]:
        """Resource -> its stations."""
        found: dict[str, list[Station | Flow | Places]] = {
            "places at workers": [self.places], "worker CPU": [*self.cpu], "network": [*self.links],
            "Deepgram": [self.deepgram], "OpenAI lanes": [*self.openai], "ElevenLabs": [*self.speech],
            "database": [self.database],
        }  # fmt: skip
        return found | ({"GPU": [self.gpu]} if self.gpu else {})

    def clear(self) -> None:
        """The window begins."""
        self.done, self.began = [], float(self.env.now)
        for stations in self.groups().values():
            for one in stations:
                one.clear()

    def utilisation(self) -> dict[str, float]:
        """Resource -> share that was in use since the window began."""
        seconds = self.env.now - self.began
        return {
            name: fmean(one.utilisation(seconds) for one in stations)
            for name, stations in self.groups().items()
        }


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a window showed. Seconds, but for what says otherwise."""

    videos_a_day: float
    jobs: int
    """That ended in the window."""
    window: float
    waited: tuple[float, float]
    """For a place: median, 95th percentile."""
    took: tuple[float, float]
    """From submission to the end."""
    in_use: dict[str, float]
    binds: str
    """The resource most of which is in use, places aside: they fill when anything is short."""
    unfinished: int
    """Jobs that were in the fleet at the end of the window."""
    simulated: int
    """Jobs in all."""

    def told(self) -> dict[str, Any]:
        """As plain, rounded values."""
        found = asdict(self)
        found["videos_a_day"] = significant(self.videos_a_day)
        found["window"] = significant(self.window)
        found["waited"] = [round(one, 2) for one in self.waited]
        found["took"] = [round(one, 2) for one in self.took]
        found["in_use"] = {name: round(share, 3) for name, share in self.in_use.items()}
        return found


def capacity(world: World, *, jobs: int) -> Outcome:
    """Under more work than there is room for: as soon as a job ends another one comes.

    The first ones come one after another, so that they are not all at the same step. What ends before each
    place has ended one is not counted; then ``jobs`` are, or four for each place: they end in waves.
    """
    places = world.places.count
    world.then = world.submit
    apart = alone(world.fleet, profile=world.profile) / places

    def come() -> Generator[simpy.Event, Any, None]:
        for number in range(2 * places):
            world.submit()
            if number < places:
                yield world.env.timeout(apart)

    world.env.process(come())
    _until(world, places)
    world.clear()
    _until(world, max(jobs, 4 * places))
    return _outcome(world)


def under(world: World, *, rate: float, warm: float, window: float) -> Outcome:
    """Under videos that come by chance (Poisson), ``rate`` a second, over ``window`` s after ``warm`` s."""
    chance = random.Random(world.seed)

    def arrivals() -> Generator[simpy.Event, Any, None]:
        while True:
            yield world.env.timeout(chance.expovariate(rate))
            world.submit()

    world.env.process(arrivals())
    world.env.run(until=warm)
    world.clear()
    world.env.run(until=warm + window)
    return _outcome(world)


def day(world: World, *, videos: float, hours: Sequence[float]) -> Outcome:
    """A day of about so many videos, ``hours`` being each hour's share, and who still waits at its end."""
    chance = random.Random(world.seed)

    def arrivals() -> Generator[simpy.Event, Any, None]:
        for number, share in enumerate(hours):
            end = (number + 1) * DAY / len(hours)
            rate = videos * share / sum(hours) / (DAY / len(hours))
            while rate:
                soon = chance.expovariate(rate)
                if world.env.now + soon > end:  # what is left of the gap begins anew with the next rate
                    break
                yield world.env.timeout(soon)
                world.submit()
            yield world.env.timeout(end - world.env.now)

    world.env.process(arrivals())
    world.env.run(until=DAY)
    return _outcome(world)


def batch(world: World, *, jobs: int) -> float:
    """Seconds until so many jobs are over that come at once."""
    for _ in range(jobs):
        world.submit()
    _until(world, jobs)
    return float(world.env.now)


def alone(fleet: Fleet, *, minutes: float = 1.0, profile: Profile = MODERN) -> float:
    """Seconds one job takes with the fleet to itself and every latency as the profile says."""
    return batch(World(fleet, minutes=minutes, profile=profile, variation=0.0), jobs=1)


def significant(value: float, digits: int = 3) -> float:
    """A figure with as many digits as mean anything."""
    return 0.0 if not value else round(value, digits - 1 - math.floor(math.log10(abs(value))))


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which a share of them lies; 0 where there is none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def _nothing() -> None:
    return None


def _until(world: World, jobs: int) -> None:
    while len(world.done) < jobs:
        world.env.step()


def _slowed(found: Demand, slowness: float) -> Demand:
    if slowness == 1:
        return found
    return replace(found, cpu={stage: seconds * slowness for stage, seconds in found.cpu.items()})


def _outcome(world: World) -> Outcome:
    seconds = world.env.now - world.began
    in_use = world.utilisation()
    waited = [job.began - job.asked for job in world.done]
    took = [job.ended - job.asked for job in world.done]
    binding = {name: share for name, share in in_use.items() if name != "places at workers"}
    binds = max(binding, key=lambda name: binding[name])
    if binding[binds] < 0.85 and in_use["places at workers"] > 0.97:
        binds = "places at workers"
    return Outcome(
        len(world.done) / seconds * DAY, len(world.done), seconds,
        (percentile(waited, 0.5), percentile(waited, 0.95)), (percentile(took, 0.5), percentile(took, 0.95)),
        in_use, binds, world.started - world.ended, world.started,
    )  # fmt: skip
