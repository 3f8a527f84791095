"""A rolling upgrade: workers of two releases, each a real process, over one database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest
from brokers import Redis
from house import House, Starter, until
from releases import NEEDS_NEWER, migrated, release, running
from sqlalchemy import select

from autodub.cli.failure import FAILED
from autodub.jobs.records import Job
from autodub.jobs.tables import events


@pytest.fixture(params=["sqlite", "redis"])
def rolling(request: pytest.FixtureRequest, tmp_path: Path, place: Path, starter: Starter) -> Iterator[House]:
    """An installation without workers: with SQLite, and with PostgreSQL and a broker."""
    kind, broker, database = request.param, None, ""
    with ExitStack() as stack:
        if kind != "sqlite":
            database = _emptied(request.getfixturevalue("postgres"))
        if kind == "redis":
            broker = Redis(tmp_path)
            stack.callback(broker.close)
        made = House(kind, tmp_path, database=database, broker=broker, starter=starter)
        stack.callback(made.close)
        yield made


def test_two_releases_work_side_by_side_until_one_changes_what_the_other_needs(
    rolling: House, tmp_path: Path
) -> None:
    """Older workers go on beside a release that adds something, and leave it the jobs that only it knows.

    When a release changes more than that, they hand their jobs back and end, and its workers go on with them.
    """
    adds = release(tmp_path / "adds")
    changes = release(tmp_path / "changes", revision="9999", before="9998", additive=False)
    release(changes, revision="9998")
    ann = rolling.user(running=9)
    older = rolling.start(slots=1)
    with rolling.hold() as held:
        first = rolling.submit(ann, says=held.says)
        rolling.wait("processing", first)
        migrated(adds, rolling.open)
        with running(adds):
            only_newer, for_both = rolling.submit(ann, **NEEDS_NEWER), rolling.submit(ann)
    rolling.wait("completed", first, for_both)
    assert rolling.look(only_newer).state == "queued"
    newer = rolling.start(slots=1, release=adds)
    rolling.wait("completed", only_newer)
    assert [rolling.look(job).attempt for job in (first, for_both, only_newer)] == [1, 1, 1]

    with rolling.hold() as held:
        there = [rolling.submit(ann, says=held.says) for _ in range(2)]
        rolling.wait("processing", *there)
        migrated(changes, rolling.open)
        until(lambda: older.is_over and newer.is_over)
        assert {rolling.look(job).state for job in there} == {"queued"}
        rolling.start(slots=2, release=changes)
        rolling.wait("processing", *there)
    rolling.wait("completed", *there)
    assert [_told(rolling, job) for job in there] == [
        ["job.queued", "job.started", "job.handed_back", "job.started", "job.completed"]
    ] * 2
    if rolling.kind != "redis":  # Celery's own exit code says nothing
        assert (older.leave(), newer.leave()) == (FAILED, FAILED)


def _emptied(postgres: str) -> str:
    """Address of a database without tables."""
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS rolling WITH (FORCE)")
        connection.execute("CREATE DATABASE rolling")
    return postgres.replace("/postgres?", "/rolling?")


def _told(house: House, job: Job) -> list[Any]:
    """Kinds of a job's events."""
    asked = select(events.c.kind).where(events.c.job == job.id).order_by(events.c.number)
    with house.platform.sql.reading() as connection:
        return list(connection.execute(asked).scalars())
