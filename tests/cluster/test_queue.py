"""What a queue must do, the same for each kind: threads and SQLite, and Celery over three brokers.

The embedded one and those over Redis and RabbitMQ have real processes as workers; the last two share a real
PostgreSQL, one database each.
"""

from __future__ import annotations

import os
import signal
from itertools import pairwise

import pytest
from house import House, until
from sqlalchemy import select

from autodub.jobs.records import Job
from autodub.jobs.tables import events

_BEGUN = ("job.queued", "job.started")


def test_a_job_begins_when_it_is_submitted(house: House) -> None:
    """Without anybody doing more, one after the other."""
    ann = house.user()
    for _ in range(3):
        house.wait("completed", house.submit(ann))


def test_a_job_goes_to_the_queue_of_what_binds_it(house: House) -> None:
    """What a GPU binds is done by the worker that has one, and by nobody else."""
    ann = house.user(running=9)
    with house.hold() as held:
        plain, bound = house.submit(ann, says=held.says), house.submit(ann, says=held.says, gpu=True)
        assert (plain.resource, bound.resource) == ("cpu", "gpu")
        house.wait("processing", plain, bound)
        assert house.look(plain).holder != house.look(bound).holder
        waits = house.submit(ann, says=held.says, gpu=True)
        house.wait("completed", house.submit(ann))  # places for others are free all the while
        assert house.look(waits).state == "queued"
    house.wait("completed", plain, bound, waits)


def test_priorities_order_a_users_jobs(house: House) -> None:
    """The highest goes first, and among equals the one that waits longest."""
    ann = house.user()
    with house.hold() as held:
        house.wait("processing", house.submit(ann, says=held.says, gpu=True))
        there = {name: house.submit(ann, gpu=True, priority=priority) for name, priority in
                 (("low", -3), ("first", 0), ("second", 0), ("high", 5))}  # fmt: skip
    house.wait("completed", *there.values())
    assert _in_order(house, there) == ["high", "first", "second", "low"]


def test_users_take_turns(house: House) -> None:
    """Whoever has one job does not wait for all of those of who came before."""
    many, few = house.user(), house.user()
    with house.hold() as held:
        house.wait("processing", house.submit(many, says=held.says, gpu=True))
        there = {f"many {number}": house.submit(many, gpu=True) for number in range(4)}
        there |= {f"few {number}": house.submit(few, gpu=True) for number in range(2)}
    house.wait("completed", *there.values())
    assert _in_order(house, there) == ["few 0", "many 0", "few 1", "many 1", "many 2", "many 3"]


def test_a_user_has_so_many_jobs_at_once(house: House) -> None:
    """The others begin as places get free, with nobody asking for it."""
    ann, bob = house.user(running=1), house.user(running=1)
    with house.hold() as held:
        first = house.submit(ann, says=held.says)
        house.wait("processing", first)
        more = [house.submit(ann) for _ in range(3)]
        house.wait("completed", house.submit(bob))
        assert [house.look(job).state for job in more] == ["queued"] * 3
    house.wait("completed", first, *more)
    assert all(_is_after(house, later, before) for before, later in pairwise([first, *more]))


def test_all_machines_together_have_so_many_jobs_at_once(house: House) -> None:
    """Three, here, whoever they are of; the fourth begins when one of them is over."""
    with house.hold() as first, house.hold() as others:
        there = [house.submit(house.user(), says=held.says) for held in (first, others, others)]
        house.wait("processing", *there)
        fourth = house.submit(house.user(), gpu=True)
        until(house.drained)
        assert house.look(fourth).state == "queued"
        first.release()
        house.wait("completed", there[0], fourth)
        assert _is_after(house, fourth, there[0])
        assert {house.look(job).state for job in there[1:]} == {"processing"}
    house.wait("completed", *there)


def test_a_job_that_waits_or_runs_can_be_cancelled(house: House) -> None:
    """One that runs stops; the message of one that waits finds it over."""
    ann = house.user(running=1)
    with house.hold() as held:
        runs, waits = house.submit(ann, says=held.says), house.submit(ann)
        house.wait("processing", runs)
        for job in (waits, runs):
            house.platform.jobs.cancel(ann, job.id)
        house.wait("cancelled", runs, waits)
    house.wait("completed", house.submit(ann))
    assert house.look(waits).attempt == 0


def test_a_job_that_failed_can_be_tried_again(house: House) -> None:
    """It waits and begins like a new one."""
    ann = house.user()
    with house.hold() as fault:
        job = house.submit(ann, says=f"fail={fault.name}")
        house.wait("failed", job)
    house.platform.jobs.retry(ann, job.id)
    house.wait("completed", job)
    assert house.look(job).attempt == 2


def test_a_worker_that_is_killed_loses_no_job(house: House) -> None:
    """Another process goes on with what it had; also with what it would have done next."""
    if house.kind == "memory":
        pytest.skip("its worker is a thread of this process")
    ann = house.user()
    with house.hold() as held:
        job = house.submit(ann, says=held.says)
        house.wait("processing", job)
        os.kill(house.at_work()[house.look(job).holder or ""], signal.SIGKILL)
        if house.kind == "embedded":
            house.start(queues="net,cpu", slots=4)  # as serve does; Celery does it by itself
        until(lambda: house.look(job).attempt == 2)
    house.wait("completed", job, house.submit(ann))


def test_a_message_that_is_lost_does_not_matter(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers of other machines hear nothing, or the broker forgets: the rows are found all the same."""
    ann = house.user()
    monkeypatch.setattr(house.platform.queue, "ring", lambda *_: None)
    house.wait("completed", *(house.submit(ann) for _ in range(3)))


def test_a_broker_that_forgets_everything_loses_nothing(house: House) -> None:
    """With jobs running and waiting."""
    if house.broker is None or house.kind == "rabbit":
        pytest.skip("nothing here can be emptied")
    ann = house.user(running=1)
    with house.hold() as held:
        runs = house.submit(ann, says=held.says)
        house.wait("processing", runs)
        waits = house.submit(ann)
        house.broker.empty()
    house.wait("completed", runs, waits)
    assert [house.look(job).attempt for job in (runs, waits)] == [1, 1]


def test_a_message_that_comes_twice_finds_nothing(house: House) -> None:
    """Nor does one of a job that is gone, or that runs; each job is carried out once."""
    ann = house.user(running=9)
    with house.hold() as held:
        job = house.submit(ann, says=held.says)
        house.wait("processing", job)
        for _ in range(5):
            house.platform.queue.ring(job)
        until(house.drained)
    there = [house.submit(ann) for _ in range(3)]
    for one in there:
        house.platform.queue.ring(one)
    house.wait("completed", job, *there)
    assert [house.look(one).attempt for one in (job, *there)] == [1] * 4


def test_a_worker_that_leaves_hands_its_jobs_back(house: House) -> None:
    """Without a crash on record, and another one goes on at once; also with what heeds no request to stop."""
    if house.kind == "memory":
        pytest.skip("its only worker is a thread of this process")
    ann = house.user(running=9)
    with house.hold() as first, house.hold() as held:
        house.wait("processing", house.submit(ann, says=first.says, gpu=True))  # now nobody else has a place
        leaving = house.start(queues="gpu", slots=2)
        there = [house.submit(ann, says=says, gpu=True) for says in (held.says, f"{held.says}&deaf=1")]
        house.wait("processing", *there)
        assert leaving.leave() == 0
        assert {house.look(job).state for job in there} == {"queued"}
    house.wait("completed", *there)
    with house.platform.sql.reading() as connection:
        asked = select(events.c.kind).where(events.c.job == there[1].id).order_by(events.c.number)
        told = list(connection.execute(asked).scalars())
    assert told == [*_BEGUN, "job.handed_back", "job.started", "job.completed"]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_whole_worker_that_is_ended_from_outside_loses_no_job(house: House, how: signal.Signals) -> None:
    """SIGTERM to each of its processes, as some services are stopped; or its main process killed."""
    if house.kind != "redis":
        pytest.skip("what Celery's processes do is the same over every broker")
    ann = house.user(running=9)
    with house.hold() as first, house.hold() as held:
        house.wait("processing", house.submit(ann, says=first.says, gpu=True))  # now nobody else has a place
        ending = house.start(queues="gpu", slots=2)
        there = [house.submit(ann, says=held.says, gpu=True) for _ in range(2)]
        house.wait("processing", *there)
        if how == signal.SIGKILL:
            os.kill(ending.process, how)
        else:
            os.killpg(ending.process, how)
        until(lambda: ending.is_over)
        until(lambda: {house.look(job).state for job in there} == {"queued"})
    house.wait("completed", *there)


def test_a_broker_that_is_away_keeps_nobody_from_submitting(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    """The job waits in its row and begins when the broker is back; what ran meanwhile is not done again."""
    if house.broker is None:
        pytest.skip("there is no broker that could be away")
    ann = house.user(running=9)
    with house.hold() as held:
        runs = house.submit(ann, says=held.says)
        house.wait("processing", runs)
        house.broker.stop()
        try:
            waits = house.submit(ann)
            assert waits.state == "queued"
            held.release()
            house.wait("completed", runs)
        finally:
            house.broker.start()
    house.wait("completed", waits, house.submit(ann))
    assert house.look(runs).attempt == 1
    told = " ".join(record.getMessage() for record in caplog.records)
    assert "the broker does not answer" in told
    assert house.broker.password not in told.replace("guest@", "")


def _in_order(house: House, there: dict[str, Job]) -> list[str]:
    """Names of jobs in the order in which they began."""
    return sorted(there, key=lambda name: house.look(there[name]).started or 0.0)


def _is_after(house: House, later: Job, before: Job) -> bool:
    return (house.look(later).started or 0.0) >= (house.look(before).finished or 0.0)
