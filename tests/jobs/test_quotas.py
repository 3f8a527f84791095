"""Quotas: what a month's minutes and money allow, and what counts."""

from __future__ import annotations

import calendar
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from desk import Clock, Desk, Opening, token
from sqlalchemy import insert, select, update

from autodub.jobs.platform import LOCAL_ACTOR
from autodub.jobs.quotas import Quotas
from autodub.jobs.records import Actor, Job
from autodub.jobs.spec import JobSpec
from autodub.jobs.tables import holds, jobs, usage, users
from autodub.model.errors import QuotaExceeded
from autodub.model.job import Event

MARCH = float(calendar.timegm((2027, 3, 15, 12, 0, 0)))


def _quotas(desk: Desk) -> Quotas:
    return Quotas(desk.sql, desk.platform.server, clock=Clock(MARCH))


def _consume(
    desk: Desk, *, at: float = MARCH, seconds: float = 0.0, dollars: float = 0, **values: Any
) -> None:
    row = {"id": token(), "owner": "local", "job": token(), "compute": 1.0} | values
    with desk.sql.writing() as connection:
        connection.execute(insert(usage).values(**row, at=at, seconds=seconds, dollars=dollars))


def test_a_month_begins_on_its_first_day_in_utc(desk: Desk) -> None:
    """What was consumed before, or by others, does not count."""
    first = float(calendar.timegm((2027, 3, 1, 0, 0, 0)))
    desk.user("other")
    _consume(desk, at=first - 0.001, seconds=600, dollars=5)
    _consume(desk, at=first, seconds=60, dollars=1)
    _consume(desk, seconds=30, dollars=0.5)
    _consume(desk, seconds=6_000, dollars=50, owner="other")
    month = _quotas(desk).month("local")
    assert (month.begins, month.seconds, month.dollars, month.jobs) == (first, 90, Decimal("1.5"), 2)
    assert (month.seconds_left, month.dollars_left) == (None, None)


def test_money_of_jobs_under_way_counts_at_once(desk: Desk) -> None:
    """What was counted of them already is not counted twice, and what is over is in the account."""
    running, queued = desk.submit(), desk.submit()
    desk.claims.next("worker")
    desk.put(running, spent=Decimal(3))
    desk.put(queued, spent=Decimal(100))
    _consume(desk, dollars=1, job=running.id)
    _consume(desk, dollars=4)
    assert _quotas(desk).month("local").dollars == Decimal(7)


def test_the_settings_hold_for_who_has_no_quota_of_his_own(opening: Opening) -> None:
    """Nought means no limit, in both places."""
    desk = Desk(opening(minutes=2, dollars=5))
    own = desk.user("own", minutes=10, dollars=0)
    _consume(desk, seconds=90, dollars=6)
    _consume(desk, seconds=90, dollars=6, owner="own")
    usual, theirs = _quotas(desk).month("local"), _quotas(desk).month(own.id)
    assert (usual.seconds_left, usual.dollars_left) == (30, 0)
    assert (theirs.seconds_left, theirs.dollars_left) == (510, None)


@pytest.mark.parametrize(("column", "what"), [("minutes", "minutes"), ("dollars", r"\$2.00")])
def test_nothing_goes_once_a_quota_is_used_up(desk: Desk, column: str, what: str) -> None:
    """Up to then everything does."""
    with desk.sql.writing() as connection:
        connection.execute(update(users).values({column: 2}))
    _consume(desk, seconds=119.9, dollars=1.99)
    _quotas(desk).check("local")
    _consume(desk, seconds=0.1, dollars=0.01)
    with pytest.raises(QuotaExceeded, match=what):
        _quotas(desk).check("local")


@pytest.mark.parametrize("how", ["cancelled", "deleted", "stopped", "given up"])
def test_money_of_a_job_counts_whoever_ends_it(opening: Opening, how: str) -> None:
    """Its worker died with it; while it waits for another, and when it ends without one, nothing is lost."""
    desk = Desk(opening(crashes=1))
    (job,) = _running(desk, 1)
    desk.put(job, spent=Decimal(3))
    if how == "stopped":
        desk.jobs.cancel(LOCAL_ACTOR, job.id)
    desk.clock.pass_(3600)
    desk.claims.reclaim()
    quotas = Quotas(desk.sql, desk.platform.server, clock=desk.clock)
    assert quotas.month("local").dollars == 3
    if how in ("cancelled", "deleted"):
        (desk.jobs.cancel if how == "cancelled" else desk.jobs.delete)(LOCAL_ACTOR, job.id)
    elif how == "given up":
        desk.claims.next("worker")
        desk.clock.pass_(3600)
        desk.claims.reclaim()
    with desk.sql.reading() as connection:
        rows = connection.execute(select(usage.c.dollars, usage.c.seconds, usage.c.at)).all()
    assert [tuple(row) for row in rows] == [(3, 0, desk.clock.now)]
    assert quotas.month("local").dollars == 3
    assert desk.job(job).is_over


def _running(desk: Desk, count: int, actor: Actor = LOCAL_ACTOR, **wishes: Any) -> list[Job]:
    for _ in range(count):
        desk.submit(actor, **wishes)
    taken = [desk.claims.next("worker") for _ in range(count)]
    return [job for job in taken if job is not None]


def _at_once(work: Callable[[Any], Any], wanted: Sequence[Job | str]) -> list[Any]:
    """What each comes to, its refusal included."""

    def tried(one: Job | str) -> Any:
        try:
            return work(one)
        except QuotaExceeded as problem:
            return problem

    with ThreadPoolExecutor(len(wanted)) as pool:
        return list(pool.map(tried, wanted))


def test_minutes_are_set_aside_while_a_job_runs(opening: Opening) -> None:
    """Of ten jobs of nine minutes that begin at once ten minutes are enough for one."""
    desk = Desk(opening(minutes=10, user_running=10))
    wanted = _running(desk, 10)
    quotas = _quotas(desk)
    said = _at_once(lambda job: quotas.reserve(job, 540.0), wanted)
    refused = [one for one in said if one is not None]
    assert len(refused) == 9
    assert str(refused[0]).startswith("This has 9.0 minutes, and 1.0 of your 10 of this month are left (9.0")
    assert quotas.month("local").seconds_left == 60.0
    with pytest.raises(QuotaExceeded):
        quotas.check("local", seconds=540.0)
    first = wanted[said.index(None)]
    quotas.reserve(first, 540.0)  # its own do not stand in its way
    desk.claims.end(first, "failed", Event("job.failed"))
    assert quotas.month("local").seconds_left == 600.0
    quotas.reserve(wanted[said.index(refused[0])], 540.0)


def test_money_is_set_aside_while_a_job_runs(opening: Opening) -> None:
    """All jobs together may spend what is left of the month and no cent more, whoever comes first."""
    desk = Desk(opening(dollars=10, user_running=10))
    wanted = _running(desk, 5)
    desk.put(wanted[0], spent=Decimal(2))
    quotas = _quotas(desk)
    said = _at_once(lambda job: quotas.afford(job, Decimal(3)), wanted)
    may = sorted(one for one in said if isinstance(one, Decimal))
    assert may == [Decimal(2), Decimal(3), Decimal(3)]
    assert sum(isinstance(one, QuotaExceeded) for one in said) == 2
    month = quotas.month("local")
    assert (month.dollars, month.dollars_held, month.dollars_left) == (2, 8, 0)
    # What is spent of it is held no more, and what is over is free again.
    third = next(job for job, one in zip(wanted, said, strict=True) if one == Decimal(3))
    desk.put(third, spent=desk.job(third).spent + 1)
    assert (quotas.month("local").dollars, quotas.month("local").dollars_held) == (3, 7)
    desk.claims.end(third, "completed", Event("job.completed"))
    assert quotas.month("local").dollars_held == 5
    assert quotas.month("local", besides=wanted[0].id).dollars_left is not None


def test_who_has_no_quota_sets_nothing_aside(desk: Desk) -> None:
    """Neither minutes nor money are bounded, and nobody waits for anybody."""
    first, second = _running(desk, 2)
    for job in (first, second):
        _quotas(desk).reserve(job, 1e6)
        assert _quotas(desk).afford(job, Decimal(1000)) is None


def test_a_programme_that_was_counted_needs_no_more_minutes(opening: Opening) -> None:
    """Making it again after an edit goes on when the month's are used up; another one does not begin."""
    desk = Desk(opening(minutes=1))
    edited, other = _running(desk, 2)
    _consume(desk, seconds=60, job=edited.id)
    _quotas(desk).reserve(edited, 60.0)
    with pytest.raises(QuotaExceeded):
        _quotas(desk).reserve(other, 60.0)


def test_an_attempt_that_was_lost_sets_nothing_aside(opening: Opening) -> None:
    """Nor does what an earlier attempt had set aside count any more once a job is claimed anew."""
    desk = Desk(opening(minutes=10))
    (lost,) = _running(desk, 1)
    _quotas(desk).reserve(lost, 540.0)
    desk.clock.pass_(3600)
    desk.claims.reclaim()
    assert _quotas(desk).month("local").seconds_held == 0
    desk.claims.next("another")
    _quotas(desk).reserve(lost, 540.0)
    assert _quotas(desk).month("local").seconds_held == 0


def test_a_used_up_quota_refuses_dubs_and_no_estimates(desk: Desk) -> None:
    """What a dub would cost may be asked at any time."""
    with desk.sql.writing() as connection:
        connection.execute(update(users).values(minutes=1))
    _consume(desk, at=desk.clock.now, seconds=60)
    desk.platform.quotas._clock = desk.clock
    with pytest.raises(QuotaExceeded):
        desk.submit()
    spec = JobSpec(source="https://youtu.be/abcdefghijk", target="es")
    assert desk.jobs.submit(LOCAL_ACTOR, spec, kind="estimate")[1]
    with desk.sql.reading() as connection:
        assert len(connection.execute(jobs.select()).all()) == 1


def test_money_for_single_calls_is_nobody_elses(opening: Opening) -> None:
    """Jobs and calls that ask at the same instant get what is left of the month between them, and no more."""
    desk = Desk(opening(dollars=10, user_running=10))
    jobs_ = _running(desk, 3)
    quotas = _quotas(desk)

    def ask(who: Job | str) -> Decimal | None:
        if isinstance(who, Job):
            return quotas.afford(who, Decimal(3))
        held = quotas.hold(who, Decimal(2))
        return held.dollars if held else None

    said = _at_once(ask, [jobs_[0], "local", jobs_[1], "local", jobs_[2], "local"])
    assert sum(one for one in said if isinstance(one, Decimal)) == 10
    assert quotas.month("local").dollars_left == 0


def test_money_for_a_single_call_is_free_again(opening: Opening) -> None:
    """Once it is over, and when whoever asked for it was killed."""
    desk = Desk(opening(dollars=10))
    clock = Clock(MARCH)
    quotas = Quotas(desk.sql, desk.platform.server, clock=clock)
    done, lost = (quotas.hold("local", Decimal(9)) for _ in range(2))
    assert done is not None
    assert lost is not None
    assert (done.dollars, lost.dollars, quotas.month("local").dollars_held) == (9, 1, 10)
    with pytest.raises(QuotaExceeded, match=r"\$10.00 is set aside"):
        quotas.hold("local", Decimal(1))
    with desk.sql.writing() as connection:
        quotas.release(connection, done)
    assert quotas.month("local").dollars_held == 1
    clock.pass_(3600)
    assert quotas.month("local").dollars_held == 0
    held = quotas.hold("local", Decimal(10))
    assert held is not None
    with desk.sql.reading() as connection:
        assert connection.execute(select(holds.c.id)).scalars().all() == [held.id]


def test_who_has_no_quota_holds_nothing_for_a_call(desk: Desk) -> None:
    """There is nothing that others could take."""
    assert _quotas(desk).hold("local", Decimal(1000)) is None
