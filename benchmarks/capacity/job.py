"""One job's way through a fleet: the pipeline's graph, with the waits where the product waits.

::

    place -> open -> sound -> decode, detect -+-> recognise -> listen -+-> translate in windows -+
                       |                      |                  +-> sample, clone --------------+-> speak in
                       +-> picture            +-> separate (a GPU, or the worker)                    portions
    portions, separation, picture -> render, encode -> measure -> store
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import simpy

from autodub.dubbing.fitting import chunks, horizon
from autodub.dubbing.translation import growing
from benchmarks.capacity.demands import BOOTH, SPEAKERS, TRANSLATIONS, Demand

if TYPE_CHECKING:
    from benchmarks.capacity.simulation import World

Steps = Generator[simpy.Event, Any, None]
_AHEAD = 12
"""Lines beyond a portion whose wordings are waited for (``pipeline.speaking``); fewer beyond the first."""
_BEGIN, _HEARD, _END = 0.1, 0.1, 0.2
"""Parts of a job's work in the database; the rest comes with the portions."""


@dataclass(slots=True, eq=False)
class Job:
    """One job."""

    number: int
    demand: Demand
    asked: float
    began: float = math.nan
    ended: float = math.nan


def dub(world: World, job: Job) -> Steps:
    """The job from its submission to its end."""
    env, demand = world.env, job.demand
    worker = yield world.places.enter()
    job.began = env.now
    here = Here(world, job, worker, random.Random(world.seed * 1_000_003 + job.number))
    yield here.work("fetch")
    sound, picture = world.source(demand)
    profile = world.profile
    took = here.varied(profile.download_sound * demand.minutes * world.files)
    yield env.timeout(max(took, here.link(sound)) + here.books(_BEGIN))
    yield here.work("unpack", 0.5)
    fetched = env.process(_picture(here, picture))
    here.work("beside")
    yield here.work("decode")
    yield here.work("detect")
    separated = env.process(_separate(here))
    yield from _recognise(here)
    yield here.work("hear")
    cloned = env.process(_clone(here))
    yield here.work("listen")
    yield from _perform(here, cloned)
    yield separated & fetched
    yield here.work("render") & here.work("encode")
    yield here.work("measure")
    yield env.timeout(here.link(demand.stored_bytes + sound + picture) + here.books(_END))
    world.places.leave(worker)
    job.ended = env.now
    world.over(job)


@dataclass(slots=True, eq=False)
class Here:
    """A job at its worker."""

    world: World
    job: Job
    worker: int
    chance: random.Random
    pending: deque[Portion] = field(default_factory=deque)
    speaking: int = 0

    def work(self, stage: str, share: float = 1.0) -> simpy.Event:
        """CPU of the worker."""
        return self.world.cpu[self.worker].take(self.job, self.job.demand.cpu[stage] * share)

    def varied(self, seconds: float) -> float:
        """A latency as it happens to be today."""
        spread = self.world.variation
        return seconds * self.chance.lognormvariate(-spread * spread / 2, spread) if spread else seconds

    def link(self, size: float) -> float:
        """Seconds until so many bytes are through the worker's link."""
        return self.world.links[self.worker].delay(8 * size)

    def books(self, share: float) -> float:
        """Seconds until the database has done its part."""
        return self.world.database.delay(self.job.demand.database * share)

    def say(self, count: int) -> simpy.Event:
        """Have lines spoken, at most BOOTH of the job at once; the event comes when the last one is there."""
        portion = Portion(self.world.env.event(), count)
        if not count:
            portion.done.succeed()
        self.pending.extend([portion] * count)
        self._speak()
        return portion.done

    def _speak(self) -> None:
        while self.pending and self.speaking < BOOTH:
            portion = self.pending.popleft()
            self.speaking += 1
            fixed, each = self.world.profile.synthesis
            seconds = self.varied(fixed + each * self.job.demand.characters)
            account = self.world.speech[self.worker % len(self.world.speech)]
            account.serve(self.job, seconds, partial(self._heard, portion))

    def _heard(self, portion: Portion) -> None:
        self.speaking -= 1
        self._speak()
        cpu = self.job.demand.cpu
        share = cpu["speak"] / self.job.demand.spoken + cpu["request"]
        self.world.cpu[self.worker].serve(self.job, share, portion.one_less)


@dataclass(slots=True, eq=False)
class Portion:
    """Lines that are spoken together."""

    done: simpy.Event
    left: int

    def one_less(self) -> None:
        """One of them is there."""
        self.left -= 1
        if not self.left:
            self.done.succeed()


def _picture(here: Here, size: float) -> Steps:
    profile = here.world.profile
    took = here.varied(
        (profile.download - profile.download_sound) * here.job.demand.minutes * here.world.files
    )
    yield here.world.env.timeout(max(took, here.link(size)))
    yield here.work("unpack", 0.5)


def _separate(here: Here) -> Steps:
    if here.world.gpu is None:
        yield here.work("separate")
        return
    yield here.world.gpu.take(here.job, here.world.gpu_seconds * here.job.demand.minutes)


def _recognise(here: Here) -> Steps:
    env, demand = here.world.env, here.job.demand
    fixed, each = here.world.profile.recognition
    yield env.timeout(here.link(demand.heard_bytes))
    yield here.world.deepgram.take(here.job, here.varied(fixed + each * demand.minutes * 60))
    yield env.timeout(here.books(_HEARD))


def _clone(here: Here) -> Steps:
    yield here.work("sample")
    up = here.link(here.job.demand.clone_bytes)
    # Two voices are made at once, as many as an account of the product makes.
    rounds = math.ceil(SPEAKERS / 2)
    yield here.world.env.timeout(up + here.varied(here.world.profile.cloning) * rounds)


def _translate(here: Here, count: int) -> list[simpy.Event]:
    """An event per line: its wording is there."""
    world, job = here.world, here.job
    fixed, each = world.profile.translation
    share = job.demand.cpu["translate"] / job.demand.requests + job.demand.cpu["request"]
    lines: list[simpy.Event] = []
    for window in growing(count, lanes=TRANSLATIONS):
        done = world.env.event()
        seconds = here.varied(fixed + each * job.demand.tokens * len(window))
        read = partial(world.cpu[here.worker].serve, job, share, done.succeed)
        world.openai[here.worker].serve(job, seconds, read)
        lines += [done] * len(window)
    return lines


def _perform(here: Here, cloned: simpy.Event) -> Steps:
    demand = here.job.demand
    worded = _translate(here, demand.lines)
    yield cloned
    again: list[simpy.Event] = []
    waiting: deque[simpy.Event] = deque()
    later = min(demand.reworded, demand.lines - 1)
    share = (1 - _BEGIN - _HEARD - _END) / demand.portions
    natural, at = demand.lines - later, 0
    for chunk in chunks(demand.lines, least=BOOTH):
        near = horizon(demand.lines, chunk, ahead=_AHEAD if chunk.start else BOOTH)
        yield from worded[near.start : near.stop]
        while len(waiting) > 1:
            yield waiting.popleft()
        if not again and later:
            again = _translate(here, later)
        yield here.world.env.timeout(here.books(share))
        if here.world.fleet.beside:
            others = here.world.fleet.beside / demand.portions * here.world.fleet.slowness
            here.world.cpu[here.worker].serve(None, others, _nothing)
        now = natural * chunk.stop // demand.lines - at
        at += now
        waiting.append(here.say(now))
    yield from (*waiting, *again)
    yield here.say(later + demand.spoken - demand.lines)  # and what came out too far from its room


def _nothing() -> None:
    return None
