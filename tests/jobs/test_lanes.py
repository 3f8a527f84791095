"""Jobs by what binds them: who takes which, which may begin, and what an autoscaler sees."""

from __future__ import annotations

from typing import Any

from desk import Desk, Opening

from autodub.jobs.metrics import Lane, Numbers
from autodub.jobs.records import Job
from autodub.model.job import Event


def bound(desk: Desk, resource: str, *given: Any) -> Job:
    """A job that a resource binds."""
    return desk.put(desk.submit(*given), resource=resource)


def test_a_worker_takes_only_what_its_queues_bind(desk: Desk) -> None:
    """And nothing where none of that waits, whatever else does."""
    job = bound(desk, "gpu")
    assert desk.claims.next("w", resources=("net", "cpu")) is None
    taken = desk.claims.next("w", resources=("gpu",))
    assert taken is not None
    assert (taken.id, taken.resource) == (job.id, "gpu")


def test_turns_and_priorities_count_within_what_a_worker_may_take(desk: Desk) -> None:
    """A user whose only job it may not take is no reason to take nothing."""
    ann, bob = desk.user("ann"), desk.user("bob")
    bound(desk, "gpu", ann)
    wanted = bound(desk, "cpu", bob)
    desk.put(bound(desk, "gpu", bob), priority=9)
    taken = desk.claims.next("w", resources=("cpu",))
    assert taken is not None
    assert taken.id == wanted.id


def test_what_may_begin_is_told_by_what_binds_it(opening: Opening) -> None:
    """Those that wait longest first; without what a user's limit or that of all keeps back."""
    desk = Desk(opening(user_running=2, running=4))
    ann, bob, off = desk.user("ann"), desk.user("bob"), desk.user("off", active=False)
    first, second = bound(desk, "cpu", ann), bound(desk, "net", ann)
    third = bound(desk, "cpu", bob)
    bound(desk, "gpu", off)
    assert desk.claims.ready(most=5) == {"cpu": [first.id, third.id], "net": [second.id]}
    assert desk.claims.ready(most=1) == {"cpu": [first.id], "net": [second.id]}
    for _ in range(2):
        bound(desk, "cpu", ann)
    for _ in range(3):
        assert desk.claims.next("w") is not None
    assert desk.claims.ready(most=5) == {}, "ann has two, and bob has nothing left"
    more = [bound(desk, "cpu", bob) for _ in range(2)]
    assert desk.claims.ready(most=5) == {"cpu": [more[0].id]}, "all machines together may run one more"


def test_depth_and_wait_are_known_for_each_resource(desk: Desk) -> None:
    """Also where there is nothing, so that an autoscaler need not guess."""
    numbers = Numbers(desk.sql, lease=30.0, clock=desk.clock)
    bound(desk, "gpu")
    desk.clock.pass_(9.0)
    bound(desk, "gpu")
    empty = Lane(0, 0, 0.0)
    assert numbers.lanes() == {"net": empty, "cpu": empty, "gpu": Lane(2, 0, 10.0, unserved=2)}
    desk.claims.next("w", resources=("gpu",))
    desk.clock.pass_(4.0)
    assert numbers.lanes()["gpu"] == Lane(1, 1, 4.0, unserved=1)


def test_how_long_jobs_waited_is_counted(desk: Desk) -> None:
    """Each time one begins: what it waited since it was queued last."""
    bound(desk, "gpu")
    desk.clock.pass_(7.0)
    taken = desk.claims.next("w")
    assert taken is not None
    sums = [one for one in desk.platform.numbers.all() if one.name == "wait_seconds_sum"]
    assert [(one.labels, one.value) for one in sums] == [({"resource": "gpu"}, 7.0)]
    desk.claims.end(taken, "completed", Event("job.completed"))
    buckets = [one for one in desk.platform.numbers.all() if one.name == "wait_seconds_bucket"]
    assert [(one.labels, one.value) for one in buckets] == [({"le": "10", "resource": "gpu"}, 1.0)]
