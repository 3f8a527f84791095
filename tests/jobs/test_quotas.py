"""Quotas: what a month's minutes and money allow, and what counts."""

from __future__ import annotations

import calendar
from decimal import Decimal
from typing import Any

import pytest
from desk import Clock, Desk, Opening, token
from sqlalchemy import insert, update

from autodub.jobs.platform import LOCAL_ACTOR
from autodub.jobs.quotas import Quotas
from autodub.jobs.spec import JobSpec
from autodub.jobs.tables import jobs, usage, users
from autodub.model.errors import QuotaExceeded

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
