"""The simulation of capacity: queues against theory, bookkeeping, and that what is written is true."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from xml.etree import ElementTree as Xml

import pytest
import simpy
from benchmarks.capacity import assumptions, costs, paper, scenarios, writing
from benchmarks.capacity.demands import BOOTH, TRANSLATIONS, demand
from benchmarks.capacity.simulation import Fleet, World, alone, batch, capacity, under
from benchmarks.capacity.stations import Flow, Places, Station

from autodub.dubbing.translation import growing
from autodub.engines import registry
from autodub.testing.loopback.profile import INSTANT, MODERN

SMALL = Fleet(workers=2, accounts=2, gpus=2)


def _by_chance(env: simpy.Environment, rate: float, count: int, come: Callable[[int], None]) -> None:
    chance = random.Random(7)

    def arrivals():
        for number in range(count):
            yield env.timeout(chance.expovariate(rate))
            come(number)

    env.process(arrivals())
    env.run()


@pytest.mark.parametrize(("servers", "load"), [(1, 0.5), (3, 0.7), (12, 0.85)])
def test_a_station_waits_as_erlang_says(servers: int, load: float) -> None:
    """With arrivals and services by chance the mean wait is that of M/M/c, and Little's law holds."""
    env, chance, count = simpy.Environment(), random.Random(3), 40_000
    station, rate = Station(env, servers), servers * load
    _by_chance(env, rate, count, lambda job: station.serve(job, chance.expovariate(1.0), lambda: None))
    assert station.waited / count == pytest.approx(paper.erlang_wait(servers, rate, 1.0), rel=0.15)
    assert station.utilisation(env.now) == pytest.approx(load, rel=0.03)
    assert station.waiting_area == pytest.approx(station.waited)
    assert station.busy_area == pytest.approx(station.worked)
    assert (station.begun, station.ended, station.busy, station.waiting) == (count, count, 0, 0)


def test_erlangs_formula_has_its_known_values() -> None:
    """One server: the load; two that are half full: a third; more than can be served: everybody waits."""
    assert paper.erlang_c(1, 0.6) == pytest.approx(0.6)
    assert paper.erlang_c(2, 1.0) == pytest.approx(1 / 3)
    assert paper.erlang_c(2, 2.5) == 1.0
    assert paper.erlang_wait(1, 2.0, 1.0) == float("inf")


def test_a_flow_waits_as_one_server_of_constant_work() -> None:
    """What passes at a rate waits as at M/D/1, and is counted once."""
    env, count = simpy.Environment(), 40_000
    flow, passed = Flow(env, rate=10.0), []
    _by_chance(env, 7.0, count, lambda _: passed.append(flow.delay(1.0)))
    assert flow.waited / count == pytest.approx(0.7 / (2 * 0.3) / 10, rel=0.1)
    assert flow.units == count
    assert flow.utilisation(env.now) == pytest.approx(0.7, rel=0.02)
    assert min(passed) == pytest.approx(0.1)


def test_jobs_take_turns_at_a_station() -> None:
    """A job with many requests does not keep another one waiting until all of them are served."""
    env, order = simpy.Environment(), []
    station = Station(env, 1)
    for number in range(3):
        station.serve("many", 1.0, lambda number=number: order.append(f"many {number}"))
    station.serve("one", 1.0, lambda: order.append("one"))
    env.run()
    assert order == ["many 0", "many 1", "one", "many 2"]


def test_a_crowded_station_is_slower() -> None:
    """A request takes longer by a share for each other one that is served when it begins."""
    env = simpy.Environment()
    station = Station(env, 2, crowding=0.5)
    station.serve("a", 1.0, lambda: None)
    station.serve("b", 1.0, lambda: None)
    env.run()
    assert env.now == pytest.approx(1.5)


def test_places_are_given_to_who_waited_longest() -> None:
    """Places of all workers are filled evenly, then whoever came first gets the next one."""
    env = simpy.Environment()
    places = Places(env, workers=2, each=1)
    first, second, third = places.enter(), places.enter(), places.enter()
    assert (first.value, second.value, third.triggered, places.waiting) == (0, 1, False, 1)
    places.leave(1)
    assert third.value == 1
    assert (places.busy, places.waiting) == (2, 0)


def test_every_job_is_carried_out_whole() -> None:
    """What comes is done: each line translated once, each request for speech made once, nothing left over."""
    world = World(SMALL)
    batch(world, jobs=15)
    world.env.run()
    wanted = demand(1.0)
    assert (world.started, world.ended, world.places.busy, world.places.waiting) == (15, 15, 0, 0)
    assert sum(one.ended for one in world.speech) == 15 * wanted.spoken
    assert sum(one.ended for one in world.openai) == 15 * wanted.requests
    assert (world.deepgram.ended, world.gpu.ended) == (15, 15)
    spent = sum(one.worked for one in world.cpu)
    assert spent == pytest.approx(15 * wanted.worker)
    assert world.database.units == pytest.approx(15 * wanted.database)
    assert all(one.busy == one.waiting == 0 for one in (*world.cpu, *world.speech, *world.openai))
    assert all(job.asked <= job.began <= job.ended for job in world.done)


def test_equal_seeds_give_equal_results() -> None:
    """A run can be repeated; another seed is another day."""
    runs = [under(World(SMALL, seed=seed), rate=0.1, warm=100, window=600).told() for seed in (1, 1, 2)]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_a_job_alone_takes_its_longest_chain() -> None:
    """It is no faster than its download, its speech and its own work; clouds at once leave only that."""
    wanted = demand(1.0)
    took = alone(Fleet())
    speech = wanted.spoken * (MODERN.synthesis[0] + MODERN.synthesis[1] * wanted.characters) / BOOTH
    assert took > max(MODERN.download, speech + MODERN.cloning + MODERN.recognition[0])
    assert took < MODERN.download + speech * 2 + wanted.worker + 10
    at_once = alone(Fleet(gpus=0), profile=INSTANT)
    assert at_once <= wanted.worker + wanted.cpu["separate"] + wanted.database + 1
    assert alone(Fleet(), minutes=5.0) > took


@pytest.mark.parametrize(
    ("fleet", "binds"),
    [
        (Fleet(slots=12, gpus=20, lanes=60), "worker CPU"),
        (Fleet(slots=1, gpus=20, lanes=60), "places at workers"),
        (Fleet(workers=8, lanes=2, gpus=20), "ElevenLabs"),
        (Fleet(workers=8, accounts=8, lanes=15, gpus=1), "GPU"),
    ],
)
def test_what_binds_is_what_arithmetic_says(fleet: Fleet, binds: str) -> None:
    """More than the scarcest resource lets through is never done, and little less; it is named."""
    most, named = paper.most(fleet)
    found = capacity(World(fleet), jobs=120)
    assert named == found.binds == binds
    assert 0.85 * most < found.videos_a_day < 1.05 * most
    assert all(0 <= share <= 1.02 for share in found.in_use.values())


def test_a_fleet_that_is_needed_carries_its_videos() -> None:
    """In its busiest hour it does what comes, hardly anybody waits, and nothing is full."""
    videos = 10_000
    fleet = paper.needed(videos)
    found = scenarios.at_peak(fleet, videos, jobs=600)
    peak = assumptions.table()["workload"]["peak"]
    assert found["videos_a_day"] == pytest.approx(videos * peak, rel=0.12)
    assert found["in_use"][found["binds"]] < 0.9
    assert paper.needed(2 * videos).workers >= fleet.workers


def test_portions_are_the_products_own() -> None:
    """Requests for translations are as many as the product's windows, and lines that are reworded."""
    wanted = demand(1.0)
    assert wanted.requests >= len(growing(wanted.lines, lanes=TRANSLATIONS))
    assert wanted.spoken >= wanted.lines
    assert demand(10.0).worker > 5 * wanted.worker


def test_models_and_prices_are_the_products_own() -> None:
    """What is priced are the models that the engines use by default, at the table of the release."""
    for engine, model in costs.MODELS.values():
        options = registry.load(*engine.split(".")).Options()
        assert model in (getattr(options, name, None) for name in ("model", "model_id"))
    each = costs.providers(1.0)
    assert each["ElevenLabs"] == pytest.approx(demand(1.0).charges["elevenlabs characters"] * 0.1 / 1000)
    assert sum(costs.providers(1.0, is_high=True).values()) > sum(each.values())


def test_results_were_made_from_what_is_kept() -> None:
    """Measurement and assumptions are those the results were made from, and the code gives the same still."""
    results = json.loads(scenarios.RESULTS.read_text("utf-8"))
    assert results["inputs"] == scenarios.inputs(), "run: python -m benchmarks.capacity run"
    first = results["limits"][0]
    assert scenarios.limit(first["set"], first["workers"]) == first, "run: python -m benchmarks.capacity run"
    assert [row["videos"] for row in results["scale"]] == list(scenarios.SCALE)
    assert list(scenarios.plans()) == results["plans"]


def test_documents_and_pictures_are_current() -> None:
    """docs/SCALING.md has the figures of the results, and its pictures are drawn from them."""
    page = writing.PAGE.read_text("utf-8")
    assert page == writing.written(page), "run: python -m benchmarks.capacity write"
    for name, picture in writing.drawn().items():
        assert (writing.IMAGES / name).read_text("utf-8") == picture, (
            "run: python -m benchmarks.capacity write"
        )
        assert f"images/{name}" in page
        assert Xml.fromstring(picture).tag.endswith("svg")
    with pytest.raises(ValueError, match="no place for needed"):
        writing.written("a page without figures")
