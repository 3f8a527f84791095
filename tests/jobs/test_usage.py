"""What users have consumed, by day, by job, by engine and by user."""

from __future__ import annotations

import calendar
import json
import secrets
from decimal import Decimal
from pathlib import Path

import pytest
from policy_scene import ON_SQLITE, Scene
from sqlalchemy import insert, update

from autodub.jobs.ending import count
from autodub.jobs.platform import LOCAL_ACTOR, Platform
from autodub.jobs.quotas import Quotas
from autodub.jobs.records import Actor
from autodub.jobs.tables import events, jobs, usage, users
from autodub.jobs.usage import Consumption
from autodub.model.errors import BadOption, Forbidden, NotFound
from finished_jobs import finished

ANA = Actor("ana", "ana")


def moment(month: int, day: int, hour: int = 12) -> float:
    """A moment of 2026 (UTC), in seconds since 1970."""
    return float(calendar.timegm((2026, month, day, hour, 0, 0)))


@pytest.fixture
def consumption(platform: Platform) -> Consumption:
    """On 20 March 2026: one user's two days of March and one of February, and another user's."""
    job = finished(platform)
    rows = [
        ("local", job, moment(3, 1, 0), 60.0, "0.25"), ("local", job, moment(3, 1, 23), 0.0, "0.50"),
        ("local", "gone", moment(3, 20), 30.0, "0"), ("local", "gone", moment(2, 28), 600.0, "9"),
        ("ana", "hers", moment(3, 5), 90.0, "3"),
    ]  # fmt: skip
    with platform.sql.writing() as connection:
        row = {"id": "ana", "name": "ana", "role": "user", "active": True, "created": 1.0, "minutes": 2.0}
        connection.execute(insert(users).values(**row))
        for number, (owner, of, at, seconds, dollars) in enumerate(rows):
            values = {"id": str(number), "owner": owner, "job": of, "at": at, "seconds": seconds}
            connection.execute(insert(usage).values(**values, dollars=Decimal(dollars), compute=2.0))
    clock = lambda: moment(3, 20, 13)  # noqa: E731
    return Consumption(platform.sql, Quotas(platform.sql, platform.server, clock=clock), clock=clock)


def test_a_month_is_told_by_day_and_by_job(consumption: Consumption) -> None:
    """Days begin at midnight UTC; a job that is gone keeps its figures and loses title and kind."""
    found = consumption.account(LOCAL_ACTOR)
    assert [(one.of, one.seconds, one.dollars, one.attempts) for one in found.days] == [
        ("2026-03-01", 60.0, Decimal("0.75"), 2), ("2026-03-20", 30.0, Decimal(0), 1),
    ]  # fmt: skip
    assert [(one.name, one.kind, one.seconds, one.compute) for one in found.jobs] == [
        ("", "", 30.0, 2.0), ("Talk.mp4", "dub", 60.0, 4.0),
    ]  # fmt: skip
    assert found.month.seconds == 90.0
    assert found.month.seconds_left is None


def test_another_month_can_be_looked_at(consumption: Consumption) -> None:
    """February has its own days; what is no month is refused."""
    found = consumption.account(LOCAL_ACTOR, month="2026-02")
    assert [(one.of, one.seconds) for one in found.days] == [("2026-02-28", 600.0)]
    assert consumption.account(LOCAL_ACTOR, month="2025-12").days == ()
    with pytest.raises(BadOption):
        consumption.account(LOCAL_ACTOR, month="2026-13")


def test_only_an_admin_sees_what_others_consumed(consumption: Consumption) -> None:
    """One user's account, and everybody's with the most money first."""
    assert consumption.account(LOCAL_ACTOR, owner="ana").month.seconds_left == 30.0
    assert [(one.name, one.dollars) for one in consumption.users(LOCAL_ACTOR)] == [
        ("ana", Decimal(3)), ("local", Decimal("0.75")),
    ]  # fmt: skip
    assert [one.of for one in consumption.account(ANA).jobs] == ["hers"]
    with pytest.raises(NotFound):
        consumption.account(ANA, owner="local")
    with pytest.raises(NotFound):
        consumption.account(LOCAL_ACTOR, owner="nobody")
    with pytest.raises(Forbidden):
        consumption.users(ANA)


@ON_SQLITE
def test_an_estimate_uses_up_no_minutes(platform: Platform, tmp_path: Path) -> None:
    """It is carried out and told, and its account has money and time of a slot only."""
    scene = Scene(platform, tmp_path)
    with scene.engines():
        job, _ = platform.jobs.submit(LOCAL_ACTOR, scene.spec(scene.upload()), kind="estimate")
        done = scene.run()
    assert (done.id, done.state, done.error) == (job.id, "completed", None)
    assert done.result is not None
    assert done.result["estimate"]["engines"]["translator"] == "fake"
    found = Consumption(platform.sql, platform.quotas).account(LOCAL_ACTOR)
    assert [(one.of, one.seconds, one.attempts) for one in found.jobs] == [(job.id, 0.0, 1)]
    assert found.month.seconds == 0.0


def happened(platform: Platform, job: str, number: int, kind: str, **data: object) -> None:
    """Write down an event of a job as a worker does, which may die after it."""
    row = {"job": job, "number": number, "at": moment(3, 20), "attempt": 1, "kind": kind, "stage": "",
           "message": "", "data": json.dumps({"role": "translator", "engine": "openai", "verb": "translate"}
           | data)}  # fmt: skip
    with platform.sql.writing() as connection:
        connection.execute(insert(events).values(**row))


def test_engines_are_added_up_over_a_month_however_an_attempt_ends(
    consumption: Consumption, platform: Platform
) -> None:
    """Each call once: sums by their count, what failed by its price, a dead worker's by who ends the job."""
    job = finished(platform)
    happened(platform, job, 1, "call.finished", kept=False, dollars=0.25)
    happened(platform, job, 2, "call.finished", kept=True, count=30)
    happened(platform, job, 3, "call.charged", dollars=0.125)
    happened(platform, job, 4, "call.finished", role="studio", engine="studio", kept=False)

    def counted(spent: str, **figures: object) -> None:
        with platform.sql.writing() as connection:
            connection.execute(update(jobs).where(jobs.c.id == job).values(spent=Decimal(spent)))
            count(connection, job, "local", at=moment(3, 20), **figures)  # type: ignore[arg-type]

    counted("0.375")
    happened(platform, job, 5, "call.finished", kept=False, count=2, dollars=0.5)
    cost = {"engine": "translator.openai", "unit": "tokens_in", "amount": 70.0}
    counted("0.875", compute=1.0, costs=[cost, cost | {"amount": 0.0, "unit": "tokens_out"}])
    counted("0.875", compute=1.0)
    (one,) = consumption.account(LOCAL_ACTOR).engines
    assert (one.engine, one.made, one.kept, one.dollars) == ("translator.openai", 3, 30, Decimal("0.875"))
    assert one.units == {"tokens_in": 70.0}
    assert consumption.account(LOCAL_ACTOR, month="2026-02").engines == ()
    assert consumption.account(ANA).engines == ()


def test_only_an_admin_sees_what_engines_did_for_everybody(
    consumption: Consumption, platform: Platform
) -> None:
    """All users' engines together, the dearest first."""

    def keep(owner: str, engine: str, dollars: str) -> None:
        uses = [{"engine": engine, "made": 1, "kept": 0, "dollars": dollars, "units": {"characters": 9}}]
        row = {"id": secrets.token_hex(8), "owner": owner, "job": "gone", "at": moment(3, 2), "seconds": 0.0}
        row |= {"dollars": Decimal(dollars), "compute": 0.0, "engines": json.dumps(uses)}
        with platform.sql.writing() as connection:
            connection.execute(insert(usage).values(**row))

    keep("local", "synthesizer.espeak", "0")
    keep("local", "translator.openai", "0.5")
    keep("ana", "translator.openai", "0.25")
    assert [(one.engine, one.made, one.dollars) for one in consumption.engines(LOCAL_ACTOR)] == [
        ("translator.openai", 2, Decimal("0.75")), ("synthesizer.espeak", 1, Decimal(0)),
    ]  # fmt: skip
    with pytest.raises(Forbidden):
        consumption.engines(ANA)


@ON_SQLITE
def test_a_dub_tells_what_its_engines_did(platform: Platform, tmp_path: Path) -> None:
    """Its calls are on the account once it is over, what the product does itself is not."""
    scene = Scene(platform, tmp_path)
    assert scene.dub().state == "completed"
    found = {
        one.engine: one for one in Consumption(platform.sql, platform.quotas).account(LOCAL_ACTOR).engines
    }
    assert found["translator.fake"].made == len(scene.asked("translator")) > 0
    assert found["synthesizer.fake"].units["characters"] > 0
    assert not any(engine.startswith("studio.") for engine in found)
