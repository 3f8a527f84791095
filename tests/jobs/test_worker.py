"""A worker: begins what is queued, stops what is to be stopped, hands back what it leaves, and lives on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from desk import SOURCE, Dubs, Opening, dubs, happenings, user
from sqlalchemy import select

from autodub.jobs import worker as module
from autodub.jobs.platform import LOCAL_ACTOR, Platform
from autodub.jobs.records import Actor, Job, job_of
from autodub.jobs.spec import JobSpec
from autodub.jobs.tables import jobs, workers
from autodub.jobs.worker import Worker
from autodub.model.errors import Unavailable

_LONG = 20.0
"""Seconds after which a test has failed."""


@pytest.fixture
def scripted() -> Iterator[Dubs]:
    """What takes the place of making dubs."""
    with dubs() as found:
        yield found


@contextmanager
def working(platform: Platform, slots: int = 2, **given: Any) -> Iterator[Worker]:
    """A worker at work."""
    worker = Worker(platform, slots=slots, **given)
    worker.start()
    try:
        yield worker
    finally:
        worker.stop(patience=_LONG)


def submit(platform: Platform, count: int = 1, actor: Actor = LOCAL_ACTOR) -> list[Job]:
    """Jobs in the queue."""
    return [platform.jobs.submit(actor, JobSpec(source=SOURCE, target="es"))[0] for _ in range(count)]


def look(platform: Platform, job: Job) -> Job:
    """A job as it stands, also one that is being deleted."""
    with platform.sql.reading() as connection:
        return job_of(connection.execute(select(jobs).where(jobs.c.id == job.id)).one())


def until(what: Callable[[], bool]) -> None:
    """Wait for something; fails when it does not come."""
    end = time.monotonic() + _LONG
    while not what():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_jobs_are_carried_out_as_slots_get_free(platform: Platform, scripted: Dubs) -> None:
    """Two of three begin, the third begins when one is over; all are completed."""
    there = submit(platform, 3)
    with working(platform) as worker:
        for _ in range(2):
            assert scripted.begun.acquire(timeout=_LONG)
        until(lambda: len(worker.running) == 2)
        assert not scripted.begun.acquire(blocking=False)
        scripted.go.set()
        until(lambda: all(look(platform, job).state == "completed" for job in there))
        until(lambda: worker.running == ())


def test_a_job_that_is_queued_later_begins_by_the_bell(
    platform: Platform, scripted: Dubs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A free slot need not look again by itself."""
    monkeypatch.setattr(module, "_IDLE", 1_000.0)
    monkeypatch.setattr(module, "_GLANCE", 1_000.0)
    scripted.go.set()
    with working(platform):
        for _ in range(3):
            (job,) = submit(platform)
            until(lambda one=job: look(platform, one).state == "completed")  # type: ignore[misc]


def test_a_free_slot_finds_jobs_although_nobody_rings(
    platform: Platform, scripted: Dubs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As those of another machine, whose bell is not heard here."""
    monkeypatch.setattr(module, "_IDLE", 0.01)
    scripted.go.set()
    with working(platform):
        monkeypatch.setattr(platform.queue, "ring", lambda *_: None)
        (job,) = submit(platform)
        until(lambda: look(platform, job).state == "completed")


@pytest.mark.parametrize("how", ["cancel", "delete"])
def test_a_running_job_is_stopped_at_once(
    platform: Platform, scripted: Dubs, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """By the bell; a deleted one is erased, too, and nobody has to wait for the next sweep."""
    monkeypatch.setattr(module, "_GLANCE", 1_000.0)
    (job,) = submit(platform)
    with working(platform):
        assert scripted.begun.acquire(timeout=_LONG)
        getattr(platform.jobs, how)(LOCAL_ACTOR, job.id)
        if how == "cancel":
            until(lambda: look(platform, job).state == "cancelled")
        else:
            until(lambda: _is_gone(platform, job))


def test_a_stop_is_noticed_without_a_bell(
    platform: Platform, scripted: Dubs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is looked for several times a second."""
    (job,) = submit(platform)
    with working(platform):
        assert scripted.begun.acquire(timeout=_LONG)
        monkeypatch.setattr(platform.queue, "ring", lambda *_: None)
        platform.jobs.cancel(LOCAL_ACTOR, job.id)
        until(lambda: look(platform, job).state == "cancelled")


def test_a_worker_that_leaves_hands_its_jobs_back(platform: Platform, scripted: Dubs) -> None:
    """They wait where they were, without a crash, and another worker goes on with them."""
    there = submit(platform, 2)
    with working(platform):
        for _ in there:
            assert scripted.begun.acquire(timeout=_LONG)
    for job in there:
        assert look(platform, job).state == "queued"
        assert [one.kind for one in happenings(platform.sql, job)][-1] == "job.handed_back"
    assert _workers(platform) == []
    assert list(platform.alive.iterdir()) == list(platform.bells.iterdir()) == []
    scripted.go.set()
    with working(platform):
        until(lambda: all(look(platform, job).state == "completed" for job in there))
    assert [look(platform, job).attempt for job in there] == [2, 2]


def test_a_job_that_does_not_stop_is_handed_back_all_the_same(platform: Platform, scripted: Dubs) -> None:
    """What its thread does afterwards is not written down any more."""
    scripted.is_deaf = True
    (job,) = submit(platform)
    worker = Worker(platform, slots=1)
    worker.start()
    assert scripted.begun.acquire(timeout=_LONG)
    worker.stop(patience=0.01)
    assert worker.running == (job.id,)
    before = look(platform, job)
    assert before.state == "queued"
    scripted.go.set()
    until(lambda: worker.running == ())
    assert look(platform, job) == before


def test_a_cancelled_job_is_cancelled_although_its_worker_leaves(platform: Platform, scripted: Dubs) -> None:
    """Whichever of the two was noticed first."""
    scripted.is_deaf = True
    (job,) = submit(platform)
    worker = Worker(platform, slots=1)
    worker.start()
    assert scripted.begun.acquire(timeout=_LONG)
    platform.jobs.cancel(LOCAL_ACTOR, job.id)
    worker.stop(patience=0.01)
    assert look(platform, job).state == "cancelled"
    scripted.go.set()
    until(lambda: worker.running == ())


def test_leases_are_renewed_while_a_job_runs(opening: Opening, scripted: Dubs) -> None:
    """Long after the first one would have run out nobody else has taken it."""
    platform = opening(lease=2.0)
    (job,) = submit(platform)
    with working(platform):
        assert scripted.begun.acquire(timeout=_LONG)
        first = _lease(platform, job)
        until(lambda: _lease(platform, job) > first)
        assert look(platform, job).attempt == 1


def test_a_job_that_was_lost_is_stopped(opening: Opening, scripted: Dubs) -> None:
    """Its worker lets go when it wants to renew the lease, and touches nothing."""
    platform = opening(lease=2.0)
    (job,) = submit(platform)
    with working(platform, sweeps=False) as worker:
        assert scripted.begun.acquire(timeout=_LONG)
        with platform.sql.writing() as connection:
            connection.execute(jobs.update().values(holder="another", attempt=2))
        until(lambda: worker.running == ())
        stolen = look(platform, job)
        assert (stolen.state, stolen.holder, stolen.attempt) == ("processing", "another", 2)


def test_a_worker_may_get_a_job_again_that_it_had_lost(opening: Opening, scripted: Dubs) -> None:
    """While the thread that had it before has not ended; neither is taken for the other."""
    platform = opening(lease=2.0)
    scripted.is_deaf = True
    (job,) = submit(platform)
    with working(platform) as worker:
        assert scripted.begun.acquire(timeout=_LONG)
        with platform.sql.writing() as connection:
            connection.execute(jobs.update().values(lease=1.0))
        assert platform.claims.reclaim() == [job.id]
        platform.queue.ring()
        assert scripted.begun.acquire(timeout=_LONG)
        assert worker.running == (job.id, job.id)
        scripted.go.set()
        until(lambda: worker.running == ())
    done = look(platform, job)
    assert (done.state, done.attempt) == ("completed", 2)
    assert [one.kind for one in happenings(platform.sql, job)].count("job.completed") == 1


def test_a_job_that_takes_too_long_fails(opening: Opening, scripted: Dubs) -> None:
    """Also one that heeds no request to stop: what it still does is not written down any more."""
    scripted.is_deaf = True
    platform = opening(job_hours=1e-6)
    (job,) = submit(platform)
    with working(platform) as worker:
        until(lambda: look(platform, job).state == "failed")
        failed = look(platform, job)
        assert failed.error is not None
        assert (failed.error.code, failed.attempt) == ("too_slow", 1)
        scripted.go.set()
        until(lambda: worker.running == ())
    assert look(platform, job) == failed


def test_a_worker_takes_only_what_its_queues_bind(platform: Platform, scripted: Dubs) -> None:
    """The others wait for one that takes them."""
    scripted.go.set()
    there = submit(platform, 2)
    with platform.sql.writing() as connection:
        connection.execute(jobs.update().where(jobs.c.id == there[0].id).values(resource="gpu"))
    with working(platform, resources=("net", "cpu")):
        until(lambda: look(platform, there[1]).state == "completed")
        assert look(platform, there[0]).state == "queued"
    with working(platform):
        until(lambda: look(platform, there[0]).state == "completed")


def test_a_worker_outlives_a_database_that_is_away(
    platform: Platform, scripted: Dubs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slots and watch go on, and jobs begin when it is back."""
    away = threading.Event()
    away.set()
    failed = threading.Semaphore(0)
    monkeypatch.setattr(module, "_IDLE", 0.01)
    monkeypatch.setattr(module, "_GLANCE", 0.01)
    for name in ("next", "wishes", "beat"):
        monkeypatch.setattr(platform.claims, name, _shaky(getattr(platform.claims, name), away, failed))
    scripted.go.set()
    (job,) = submit(platform)
    with working(platform):
        for _ in range(5):
            assert failed.acquire(timeout=_LONG)
        away.clear()
        until(lambda: look(platform, job).state == "completed")


def test_no_job_begins_on_a_full_disk(
    platform: Platform, scripted: Dubs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says so once, and again when there is room."""
    monkeypatch.setattr(module, "_IDLE", 0.01)
    room = threading.Event()
    looked = threading.Semaphore(0)

    def has_room() -> bool:
        looked.release()
        return room.is_set()

    monkeypatch.setattr(platform, "has_room", has_room)
    scripted.go.set()
    (job,) = submit(platform)
    with working(platform, slots=1):
        for _ in range(5):
            assert looked.acquire(timeout=_LONG)
        assert look(platform, job).state == "queued"
        room.set()
        until(lambda: look(platform, job).state == "completed")
    told = [record.getMessage() for record in caplog.records if "disk" in record.getMessage()]
    assert told == ["no job begins: the disk is full", "the disk has room again"]


def test_a_worker_is_on_the_list_while_it_works(platform: Platform) -> None:
    """With its slots, and with its lock held."""
    with working(platform, slots=3) as worker:
        assert _workers(platform) == [(worker.id, 3)]
        assert [mark.stem for mark in platform.alive.iterdir()] == [worker.id]
    assert _workers(platform) == []


def test_two_workers_share_the_jobs(opening: Opening, scripted: Dubs) -> None:
    """Each job is carried out once, by one of them."""
    first, second = opening(user_running=10), opening(user_running=10)
    scripted.go.set()
    there = submit(first, 12)
    with working(first), working(second):
        until(lambda: all(look(first, job).state == "completed" for job in there))
    assert len(scripted.sources) == 12
    for job in there:
        kinds = [one.kind for one in happenings(first.sql, job)]
        assert kinds == ["job.queued", "job.started", "job.completed"]


def test_jobs_of_two_users_are_carried_out_in_turn(opening: Opening, scripted: Dubs) -> None:
    """Two jobs of the second user are over before the first one's twenty are."""
    platform = opening(user_running=20)
    many, few = user(platform, "many"), user(platform, "few")
    twenty, two = submit(platform, 20, many), submit(platform, 2, few)
    scripted.go.set()
    with working(platform, slots=1):
        until(lambda: all(look(platform, job).state == "completed" for job in twenty + two))
    ended = sorted(twenty + two, key=lambda job: look(platform, job).finished or 0.0)
    assert max(ended.index(job) for job in two) <= 4


def _shaky(real: Any, away: threading.Event, failed: threading.Semaphore) -> Any:
    def ask(*given: Any, **named: Any) -> Any:
        if away.is_set():
            failed.release()
            raise Unavailable("The database is away.")
        return real(*given, **named)

    return ask


def _workers(platform: Platform) -> list[tuple[str, int]]:
    with platform.sql.reading() as connection:
        return [(row.id, row.slots) for row in connection.execute(select(workers))]


def _lease(platform: Platform, job: Job) -> float:
    with platform.sql.reading() as connection:
        return float(connection.execute(select(jobs.c.lease).where(jobs.c.id == job.id)).scalar_one())


def _is_gone(platform: Platform, job: Job) -> bool:
    with platform.sql.reading() as connection:
        return connection.execute(select(jobs.c.id).where(jobs.c.id == job.id)).first() is None
