"""Events: numbers without holes whoever writes at once, moments of their own, and not too many of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from desk import Desk, happenings

from autodub.jobs import events
from autodub.jobs.condensing import Condenser
from autodub.jobs.records import Job
from autodub.model.job import Event


def _taken(desk: Desk) -> Job:
    desk.submit()
    taken = desk.claims.next("worker")
    assert taken is not None
    return taken


def test_many_writers_leave_no_hole_and_no_double(desk: Desk) -> None:
    """Four write at once, some of them give up in the middle, and everybody who reads on misses none."""
    job = desk.submit()

    def write(number: int) -> None:
        for index in range(15):
            told = [Event("degraded", message=f"{number}/{index}/{part}") for part in range(1 + index % 3)]
            with suppress(ZeroDivisionError), desk.sql.writing() as connection:
                events.change(connection, job.id, *told, at=1.0)
                if index % 5 == 4:
                    _ = 1 / 0

    seen: list[int] = []
    with ThreadPoolExecutor(4) as pool:
        writing = [pool.submit(write, number) for number in range(4)]
        while not all(one.done() for one in writing):
            seen += [one.number for one in events.after(desk.sql, job.id, seen[-1] if seen else 0)]
        for one in writing:
            one.result()
    seen += [one.number for one in events.after(desk.sql, job.id, seen[-1])]
    found = happenings(desk.sql, job)
    assert seen == [one.number for one in found]
    assert len(found) == 1 + 4 * sum(1 + index % 3 for index in range(15) if index % 5 != 4)
    assert events.last(desk.sql, [job.id]) == {job.id: (len(found), "queued")}


def test_events_keep_their_order_and_the_moment_they_happened(desk: Desk) -> None:
    """Not that of the batch they were written in."""
    job = _taken(desk)
    told = [Event("degraded", message="first"), Event("engine.chosen", message="second", fraction=0.5)]
    assert desk.claims.tell(job, told, times=[10.25, 11.5])
    found = happenings(desk.sql, job)[2:]
    assert [(one.message, one.at, one.attempt) for one in found] == [("first", 10.25, 1), ("second", 11.5, 1)]
    assert found[1].fraction == 0.5


def test_a_batch_whose_arrival_is_in_doubt_is_written_once(desk: Desk) -> None:
    """It is looked for first; one that had not arrived is written."""
    job = _taken(desk)
    told, times = [Event("degraded", message="a"), Event("degraded", message="b")], [10.25, 11.5]
    assert desk.claims.tell(job, told, times=times, doubtful=True)
    assert desk.claims.tell(job, told, times=times, doubtful=True)
    assert [one.message for one in happenings(desk.sql, job)[2:]] == ["a", "b"]


def test_what_a_database_cannot_keep_is_left_out_of_a_message(desk: Desk) -> None:
    """An engine may say anything."""
    job = _taken(desk)
    assert desk.claims.tell(
        job, [Event("degraded", message="a\0b\udc80", data={"why": "\0\udc80"})], times=[1.0]
    )
    assert happenings(desk.sql, job)[-1].message == "ab?"


def test_events_are_read_in_pages(desk: Desk) -> None:
    """After a number, as many as are wanted."""
    job = _taken(desk)
    desk.claims.tell(job, [Event("degraded")] * 5, times=[1.0] * 5)
    assert [one.number for one in events.after(desk.sql, job.id, 2, limit=3)] == [3, 4, 5]
    assert events.after(desk.sql, job.id, 7) == []


def _call(index: int, *, kept: bool = False) -> Event:
    data = {"role": "synthesizer", "engine": "fake", "verb": "synthesize", "kept": kept}
    return Event(
        "call.finished", "speak", data=data | {"seconds": 0.5, "dollars": 0.25, "request": f"r{index}"}
    )


@pytest.mark.parametrize("calls", [2_000, 50_000])
def test_rows_grow_with_the_logarithm_of_calls(calls: int) -> None:
    """Sums lose nothing: in all there are as many calls, seconds and dollars as there were."""
    condenser = Condenser()
    told = [one for index in range(calls) for one in condenser.take(_call(index))] + condenser.rest()
    assert len(told) < 300
    assert [one.data.get("count") for one in told[:50]] == [None] * 50
    assert sum(int(one.data.get("count") or 1) for one in told) == calls
    assert sum(float(one.data["seconds"] or 0) for one in told) == calls * 0.5
    assert sum(float(one.data["dollars"] or 0) for one in told) == calls * 0.25
    assert told[-1].data["request"] == f"r{calls - 1}"


def test_calls_that_differ_are_summed_apart() -> None:
    """What was kept is not what was made."""
    condenser = Condenser()
    for index in range(400):
        condenser.take(_call(index, kept=index % 2 == 0))
    assert {one.data["kept"] for one in condenser.rest()} <= {True, False}
    counts = {True: 0, False: 0}
    again = Condenser()
    for index in range(401):
        for one in again.take(_call(index, kept=index % 2 == 0)):
            counts[bool(one.data["kept"])] += int(one.data.get("count") or 1)
    for one in again.rest():
        counts[bool(one.data["kept"])] += int(one.data.get("count") or 1)
    assert counts == {True: 201, False: 200}


def test_what_a_stage_has_made_is_told_before_its_end() -> None:
    """Sums of other stages wait on."""
    condenser = Condenser()
    for index in range(205):
        condenser.take(_call(index))
    told = condenser.take(Event("stage.finished", "speak"))
    assert [one.kind for one in told] == ["call.finished", "stage.finished"]
    assert condenser.take(Event("stage.finished", "speak")) == [Event("stage.finished", "speak")]


def test_progress_is_told_once_per_percent() -> None:
    """And from the beginning where a stage begins anew."""
    condenser = Condenser()
    told = [
        one for n in range(5_000) for one in condenser.take(Event("stage.progress", "speak", "", n / 5_000))
    ]
    assert [round((one.fraction or 0) * 100) for one in told] == list(range(1, 100))
    assert condenser.take(Event("stage.progress", "speak", "", 0.5)) == []
    condenser.take(Event("stage.started", "speak"))
    assert len(condenser.take(Event("stage.progress", "speak", "", 0.5))) == 1


def test_what_matters_is_told_whole() -> None:
    """A decision to do less is never summed up, and what is of no use here is not told."""
    condenser = Condenser()
    told = [one for n in range(500) for one in condenser.take(Event("degraded", message=str(n)))]
    assert len(told) == 500
    assert condenser.take(Event("call.started")) == condenser.take(Event("job.finished")) == []
