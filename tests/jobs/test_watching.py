"""Watching jobs: no event is missed or told twice, whoever writes and whatever is killed."""

from __future__ import annotations

import random
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import delete, event, update

from autodub.infra.sql import Sql
from autodub.jobs import events
from autodub.jobs.platform import LOCAL_ACTOR, Platform
from autodub.jobs.records import Actor, Happening
from autodub.jobs.spec import JobSpec
from autodub.jobs.tables import jobs
from autodub.jobs.watching import JobWatch, Watching
from autodub.model.errors import NotFound, TooMany, Unavailable
from autodub.model.job import Event

Opening = Callable[..., Platform]
_LONG = 30.0
"""Seconds nobody waits for unless something is broken."""


def _job(platform: Platform) -> str:
    spec = JobSpec(source="https://www.youtube.com/watch?v=abcdefghijk", target="es")
    return platform.jobs.submit(LOCAL_ACTOR, spec)[0].id


def _tell(sql: Sql, job: str, *kinds: str, at: float | None = None, **values: Any) -> None:
    with sql.writing() as connection:
        moment = time.time() if at is None else at
        told = [Event(kind, message=f"number {index}") for index, kind in enumerate(kinds)]
        assert events.change(connection, job, *told, at=moment, **values)


@contextmanager
def _watching(platform: Platform, **given: Any) -> Iterator[Watching]:
    watching = Watching(platform.sql, platform.jobs, **({"every": 0.01} | given))
    try:
        yield watching
    finally:
        watching.close()


def _until_over(watch: JobWatch, number: int = 0, limits: Sequence[int] = (1, 3, 500)) -> list[int]:
    """Numbers of all events, as a stream gets them."""
    seen, end = [], time.monotonic() + _LONG
    while time.monotonic() < end:
        page = watch.after(number, wait=1.0, limit=random.choice(limits))
        seen += [happening.number for happening in page.happenings]
        number = page.number
        if page.is_over or page.is_gone:
            return seen
    pytest.fail("the stream did not end")


def test_every_stream_gets_every_event_once_and_in_order(platform: Platform) -> None:
    """However many write at once, in transactions of any length, and wherever a stream begins."""
    job = _job(platform)
    got: dict[int, list[int]] = {}

    def write(seed: int) -> None:
        pauses = random.Random(seed)
        for _ in range(12):
            with platform.sql.writing() as connection:
                told = [Event("degraded")] * pauses.randint(1, 4)
                events.change(connection, job, *told, at=time.time() + pauses.uniform(-100, 100))
                time.sleep(pauses.uniform(0, 0.004))  # the others wait for this one's end

    def watch(index: int) -> None:
        with watching.job(LOCAL_ACTOR, job) as one:
            got[index] = _until_over(one)

    with _watching(platform) as watching:
        watchers = [threading.Thread(target=watch, args=(index,)) for index in range(8)]
        writers = [threading.Thread(target=write, args=(seed,)) for seed in range(4)]
        for thread in [*watchers[:4], *writers, *watchers[4:]]:
            thread.start()
        for thread in writers:
            thread.join()
        _tell(platform.sql, job, "job.completed", state="completed")
        for thread in watchers:
            thread.join()
    total = platform.jobs.get(LOCAL_ACTOR, job).events
    assert total > 50
    assert list(got.values()) == [list(range(1, total + 1))] * 8


_WRITER = """
    import sys, time
    from autodub.infra.sql import Sql
    from autodub.jobs import events
    from autodub.model.job import Event
    sql = Sql(sys.argv[1])
    print("ready", flush=True)
    while True:
        with sql.writing() as connection:
            events.change(connection, sys.argv[2], *[Event("degraded")] * 3, at=time.time())
            time.sleep(0.002)
"""


def test_no_event_is_lost_or_doubled_when_writers_are_killed(platform: Platform) -> None:
    """What a killed process had not finished is not there, and leaves no hole."""
    job = _job(platform)
    address = platform.sql.engine().url.render_as_string(hide_password=False).replace("+psycopg", "")
    argv = [sys.executable, "-c", textwrap.dedent(_WRITER), address, job]
    writers = [subprocess.Popen(argv, stdout=subprocess.PIPE) for _ in range(3)]
    try:
        with _watching(platform) as watching, watching.job(LOCAL_ACTOR, job) as watch:
            number, seen = 0, list[int]()
            for writer in writers:
                assert writer.stdout is not None
                assert writer.stdout.readline() == b"ready\n"
            for writer in writers:
                until = number + 30
                while number < until:
                    page = watch.after(number, wait=_LONG)
                    assert page.happenings
                    seen += [happening.number for happening in page.happenings]
                    number = page.number
                writer.kill()
                writer.wait()
            _tell(platform.sql, job, "job.completed", state="completed")
            seen += _until_over(watch, number)
    finally:
        for writer in writers:
            writer.kill()
            writer.communicate()
    assert seen == list(range(1, platform.jobs.get(LOCAL_ACTOR, job).events + 1))
    assert len(seen) % 3 == 2  # queued, threes that are whole, completed


def test_a_stream_goes_on_at_another_server(opening: Opening) -> None:
    """The number of the last event is all that a stream needs to go on, also after its server is gone."""
    first, second = opening(), opening()
    job = _job(first)
    with _watching(first) as watching, watching.job(LOCAL_ACTOR, job) as watch:
        _tell(first.sql, job, "degraded", "degraded")
        number = watch.after(0, limit=2).number
    _tell(first.sql, job, "job.failed", state="failed")
    with _watching(second) as watching, watching.job(LOCAL_ACTOR, job) as watch:
        assert (number, _until_over(watch, number)) == (2, [3, 4])


def test_the_first_answer_is_never_old(platform: Platform) -> None:
    """Whoever has just seen a job change gets its events at once, also beside streams that know less."""
    job = _job(platform)
    with _watching(platform, every=_LONG) as watching, watching.job(LOCAL_ACTOR, job) as old:
        assert old.after(0).number == 1
        _tell(platform.sql, job, "degraded")
        with watching.job(LOCAL_ACTOR, job) as new:
            assert new.after(0).number == 2


def test_a_job_that_is_queued_again_goes_on(platform: Platform) -> None:
    """A job is over when its last event is told, not when an earlier try failed."""
    job = _job(platform)
    _tell(platform.sql, job, "job.failed", state="failed")
    _tell(platform.sql, job, "job.queued", state="queued")
    with _watching(platform) as watching, watching.job(LOCAL_ACTOR, job) as watch:
        pages = [watch.after(0, limit=2), watch.after(2), watch.after(3)]
        assert [(page.number, page.is_over) for page in pages] == [(2, False), (3, False), (3, False)]
        _tell(platform.sql, job, "job.cancelled", state="cancelled")
        assert _until_over(watch, 3) == [4]


def test_the_stream_of_a_deleted_job_ends(platform: Platform) -> None:
    """Whether it is about to be erased or its row is gone already."""
    job, other = _job(platform), _job(platform)
    with (
        _watching(platform) as watching, watching.job(LOCAL_ACTOR, job) as watch,
        watching.job(LOCAL_ACTOR, other) as beside,
    ):  # fmt: skip
        assert [watch.after(0).is_gone, beside.after(0).is_gone] == [False, False]
        platform.jobs.delete(LOCAL_ACTOR, job)
        _vanish(platform, other)
        assert [watch.after(1, wait=_LONG).is_gone, beside.after(1, wait=_LONG).is_gone] == [True, True]


def test_a_job_of_somebody_else_cannot_be_watched(platform: Platform) -> None:
    """As if it did not exist, and nothing is watched then."""
    job = _job(platform)
    with _watching(platform) as watching:
        with pytest.raises(NotFound), watching.job(Actor("somebody"), job):
            pass
        assert watching.open == 0


def test_nobody_asks_while_nobody_watches(platform: Platform) -> None:
    """When the last stream has ended, the database is left in peace."""
    job = _job(platform)
    with _watching(platform, every=0.001) as watching:
        with watching.job(LOCAL_ACTOR, job) as watch:
            _tell(platform.sql, job, "degraded")
            while watching.looks < 3:
                watch.after(2, wait=0.01)
        before = watching.looks
        for _ in range(30):
            _tell(platform.sql, job, "degraded")
        assert watching.looks <= before + 1
        with watching.job(LOCAL_ACTOR, job) as watch:
            assert watch.after(30, wait=_LONG).number == 32


def test_a_hundred_streams_of_a_job_cost_hardly_more_than_one(platform: Platform) -> None:
    """They share what was read: the events of a job are read about once, however many wait for them."""
    job = _job(platform)
    asked: list[str] = []
    got: list[list[int]] = []

    def watch() -> None:
        with watching.job(LOCAL_ACTOR, job) as one:
            one.after(0)
            ready.wait(_LONG)
            got.append(_until_over(one, limits=[500]))

    with _watching(platform) as watching:
        ready = threading.Barrier(101)
        threads = [threading.Thread(target=watch) for _ in range(100)]
        for thread in threads:
            thread.start()
        ready.wait(_LONG)
        engine = platform.sql.engine()
        event.listen(engine, "before_cursor_execute", lambda *told: asked.append(told[2]))
        for _ in range(10):
            _tell(platform.sql, job, "degraded")
        _tell(platform.sql, job, "job.completed", state="completed")
        for thread in threads:
            thread.join()
    assert got == [list(range(1, 13))] * 100
    assert sum("FROM events" in statement for statement in asked) <= 24


def test_pages_that_overlap_are_one_run() -> None:
    """A stream that is behind loses nobody what the others have read; what does not touch is not joined."""

    def run(first: int, last: int) -> list[Happening]:
        return [Happening("j", number, 0.0, 1, "degraded") for number in range(first, last + 1)]

    for one, other in ((run(1, 5), run(4, 8)), (run(1, 8), run(3, 5)), (run(1, 4), run(5, 8))):
        assert events.joined(one, other) == events.joined(other, one) == run(1, 8)
    assert events.joined(run(1, 3), run(5, 8)) == events.joined(run(5, 8), run(1, 3)) == run(5, 8)
    assert events.joined([], run(2, 3)) == events.joined(run(2, 3), []) == run(2, 3)


def test_little_is_kept_however_much_happens(platform: Platform) -> None:
    """Of a watched job only its last events are at hand; a stream that is behind reads them in pages."""
    job = _job(platform)
    _tell(platform.sql, job, *["degraded"] * 1200)
    with _watching(platform) as watching, watching.job(LOCAL_ACTOR, job) as watch:
        first = watch.after(0)
        assert [happening.number for happening in first.happenings] == list(range(1, 501))
        second = watch.after(500)
        third = watch.after(1000)
        assert (second.number, third.number) == (1000, 1201)
        assert len(watching._jobs[job].tail) == 200
        assert [happening.number for happening in watch.after(1100).happenings] == list(range(1101, 1202))
    assert watching._jobs == {}


def test_too_many_streams_are_refused(platform: Platform) -> None:
    """Before they take all threads of the server; what ends makes room."""
    job = _job(platform)
    with _watching(platform, most=2) as watching, watching.job(LOCAL_ACTOR, job):
        with watching.own(LOCAL_ACTOR), pytest.raises(TooMany), watching.job(LOCAL_ACTOR, job):
            pass
        with watching.job(LOCAL_ACTOR, job):
            assert watching.open == 2


def test_streams_outlive_a_database_that_is_away(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """They wait, and are told once it is back what happened meanwhile; it is logged once."""
    job = _job(platform)
    real, failed = events.last, threading.Event()

    def last(*given: Any) -> Any:
        failed.set()
        raise Unavailable("away")

    with _watching(platform) as watching, watching.job(LOCAL_ACTOR, job) as watch:
        assert watch.after(0).number == 1
        monkeypatch.setattr(events, "last", last)
        assert failed.wait(_LONG)
        failed.clear()
        assert failed.wait(_LONG)
        monkeypatch.setattr(events, "last", real)
        _tell(platform.sql, job, "degraded")
        assert watch.after(1, wait=_LONG).number == 2
    assert sum("cannot be asked" in record.message for record in caplog.records) == 1


def test_a_list_is_told_what_becomes_of_its_jobs(platform: Platform) -> None:
    """Changes, new jobs, deleted ones and those whose time was over; nothing of other users."""
    changed, expired, deleted = _job(platform), _job(platform), _job(platform)
    with _watching(platform, compare=0.05) as watching, watching.own(LOCAL_ACTOR) as watch:
        assert watch.numbers == {changed: 1, expired: 1, deleted: 1}
        _tell(platform.sql, changed, "job.started", state="processing", progress=0.5)
        new = _job(platform)
        platform.jobs.delete(LOCAL_ACTOR, deleted)
        _tell(platform.sql, expired, "job.completed", state="completed")
        _vanish(platform, expired)
        states, gone, end = dict[str, float](), set[str](), time.monotonic() + _LONG
        while (set(states), gone) != ({changed, new}, {deleted, expired}) and time.monotonic() < end:
            changes = watch.changes(wait=1.0)
            states |= {job.id: job.progress for job in changes.jobs if job.id != expired}
            gone |= set(changes.gone)
        assert (states, gone) == ({changed: 0.5, new: 0.0}, {deleted, expired})
        with watching.own(Actor("somebody")) as other:
            assert (other.numbers, other.changes().jobs) == ({}, ())


def test_a_change_that_was_committed_late_is_told_all_the_same(platform: Platform) -> None:
    """A transaction that began before others, and ended after their changes were seen, makes no hole."""
    early, late = _job(platform), _job(platform)
    now = time.time()
    with _watching(platform, compare=0.05) as watching, watching.own(LOCAL_ACTOR) as watch:
        _tell(platform.sql, early, "degraded", at=now + 3600)
        while watch.numbers[early] != 2:
            watch.changes(wait=_LONG)
        _tell(platform.sql, late, "degraded", at=now)
        changes = watch.changes(wait=_LONG)
        assert [(job.id, job.events) for job in changes.jobs] == [(late, 2)]


def test_numbers_in_a_list_never_go_back(platform: Platform) -> None:
    """While others write, every stream sees each job's number grow only."""
    job = _job(platform)
    over = threading.Event()
    wrong: list[tuple[int, int]] = []

    def watch() -> None:
        with watching.own(LOCAL_ACTOR) as one:
            before = one.numbers[job]
            while not over.is_set():
                one.changes(wait=0.05)
                if one.numbers[job] < before:
                    wrong.append((before, one.numbers[job]))
                before = one.numbers[job]

    with _watching(platform, every=0.001, compare=0.002) as watching:
        threads = [threading.Thread(target=watch) for _ in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(60):
            _tell(platform.sql, job, "degraded")
        over.set()
        for thread in threads:
            thread.join()
    assert wrong == []


def test_a_page_of_a_job_that_vanished_meanwhile_says_so(platform: Platform) -> None:
    """A job erased between the look and the reading is gone, not a stream that turns round and round."""
    job = _job(platform)
    with _watching(platform, every=_LONG) as watching, watching.job(LOCAL_ACTOR, job) as watch:
        watch.after(1)
        watching._jobs[job].see((5, "queued"))
        with platform.sql.writing() as connection:
            connection.execute(update(jobs).where(jobs.c.id == job).values(state="cancelled"))
        _vanish(platform, job)
        assert watch.after(1).is_gone


def _vanish(platform: Platform, job: str) -> None:
    """Have a job's row gone without a word."""
    with platform.sql.writing() as connection:
        connection.execute(delete(jobs).where(jobs.c.id == job))
