"""A thousand queued jobs of one user and some of others: how long listing, claiming and cancelling take."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import insert, text

from autodub.infra import server_settings, settings
from autodub.jobs.platform import LOCAL_ACTOR, Platform
from autodub.jobs.records import Actor
from autodub.jobs.spec import JobSpec
from autodub.jobs.tables import jobs, users
from autodub.jobs.worker import Worker
from autodub.model.job import Event
from benchmarks.server import database

_SPEC = JobSpec(source="https://www.youtube.com/watch?v=abcdefghijk", target="es")


def run(folder: Path, *, kind: str, queued: int, past: int) -> dict[str, Any]:
    """Milliseconds by operation, with ``queued`` jobs waiting and ``past`` ones over."""
    with database(kind) as address:
        known = settings.load(environ={"HOME": str(folder)}, data_dir=folder / f"queue-{kind}")
        given = {
            "database": address,
            "spare": 0,
            "queued": queued * 2,
            "user_running": 10_000,
            "running": 10_000,
        }
        platform = Platform(known, server_settings.load(known, environ={}, given=given))
        try:
            return {"database": kind, "queued": queued, "past": past} | _measure(platform, queued, past)
        finally:
            platform.close()


def _measure(platform: Platform, queued: int, past: int) -> dict[str, Any]:
    _past(platform, past)
    others = [_user(platform, f"user-{number}") for number in range(20)]
    submitting: list[float] = []
    there = [_timed(submitting, lambda: platform.jobs.submit(LOCAL_ACTOR, _SPEC)[0]) for _ in range(queued)]
    for other in others:
        platform.jobs.submit(other, _SPEC)
    if platform.sql.is_postgres:
        with platform.sql.writing() as connection:
            connection.execute(text("ANALYZE"))
    listing: list[float] = []
    after: str | None = None
    for _ in range(40):
        page = _timed(listing, lambda: platform.jobs.list(LOCAL_ACTOR, after=after, limit=50))  # noqa: B023
        after = page.after
    filtering: list[float] = []
    for _ in range(20):
        wishes: dict[str, Any] = {"states": ["queued"], "target": "es", "text": "watch"}
        _timed(filtering, lambda: platform.jobs.list(LOCAL_ACTOR, **wishes))  # noqa: B023
    looking: list[float] = []
    for job in there[:200]:
        _timed(looking, lambda: platform.jobs.get(LOCAL_ACTOR, job.id))  # noqa: B023
    claiming: list[float] = []
    taken = [_timed(claiming, lambda: platform.claims.next("bench")) for _ in range(200)]
    idle: list[float] = []
    cancelling: list[float] = []
    for job in there[-200:]:
        _timed(cancelling, lambda: platform.jobs.cancel(LOCAL_ACTOR, job.id))  # noqa: B023
    ending: list[float] = []
    for job in taken:
        if job is not None:
            _timed(ending, lambda: platform.claims.end(job, "completed", Event("job.completed")))  # noqa: B023
    for _ in range(50):
        _timed(idle, platform.erasing.due)
    handed = _handed_over(platform, there[300:-200])
    told = {
        "submit": submitting, "list a page of 50": listing, "list with filters": filtering,
        "look at a job": looking,
        "claim": claiming, "cancel": cancelling, "end": ending, "look for jobs to erase": idle,
        "from one job's end to the next one's beginning": handed,
    }  # fmt: skip
    return {"ms": {name: _spread(found) for name, found in told.items()}, "plans": _plans(platform)}


def _handed_over(platform: Platform, waiting: list[Any]) -> list[float]:
    """Milliseconds a slot of a worker is idle between two jobs that take no time."""
    ended: list[float] = []
    begun: list[float] = []

    def carried_out(job: Any, *_: Any, **__: Any) -> None:
        begun.append(time.perf_counter())
        platform.claims.end(job, "completed", Event("job.completed"))
        ended.append(time.perf_counter())

    worker = Worker(platform, slots=1)
    worker._runner.run = carried_out  # type: ignore[method-assign]
    worker.start()
    while len(ended) < len(waiting):
        time.sleep(0.05)
    worker.stop()
    return [(later - earlier) * 1000 for earlier, later in zip(ended, begun[1:], strict=False)]


def _past(platform: Platform, count: int) -> None:
    """Jobs that are over, written at once."""
    if not count:
        return
    done = platform.jobs.submit(LOCAL_ACTOR, _SPEC)[0]
    with platform.sql.writing() as connection:
        row = dict(connection.execute(jobs.select().where(jobs.c.id == done.id)).one()._mapping)
        row |= {"state": "completed", "started": 1.0, "finished": 2.0, "expires": 4e9}
        rows = [row | {"id": f"{n:032x}", "created": float(n), "updated": float(n)} for n in range(count)]
        for first in range(0, count, 1000):
            connection.execute(insert(jobs), rows[first : first + 1000])
    platform.jobs.cancel(LOCAL_ACTOR, done.id)


def _user(platform: Platform, name: str) -> Actor:
    row = {"id": name, "name": name, "role": "user", "active": True, "created": 1.0}
    with platform.sql.writing() as connection:
        connection.execute(insert(users).values(**row))
    return Actor(name, name)


def _timed(found: list[float], work: Callable[[], Any]) -> Any:
    began = time.perf_counter()
    done = work()
    found.append((time.perf_counter() - began) * 1000)
    return done


def _spread(found: list[float]) -> dict[str, float]:
    ordered = sorted(found)
    return {
        "median": round(statistics.median(ordered), 2),
        "p99": round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))], 2),
        "most": round(ordered[-1], 2),
    }


def _plans(platform: Platform) -> dict[str, list[str]]:
    """How the database goes about the questions that are asked most."""
    asked = {
        "is anything queued": "SELECT id FROM jobs WHERE state = 'queued' LIMIT 1",
        "who waits": "SELECT DISTINCT owner FROM jobs WHERE state = 'queued'",
        "who has what running": "SELECT owner, count(*) FROM jobs WHERE state = 'processing' GROUP BY owner",
        "whose turn": "SELECT max(started) FROM jobs WHERE owner = 'local'",
        "most urgent of a user": "SELECT max(priority) FROM jobs WHERE state = 'queued' AND owner = 'local'",
        "next of a user": "SELECT id FROM jobs WHERE state = 'queued' AND owner = 'local' AND priority = 0 "
        "ORDER BY queued, id LIMIT 1",
        "a page": "SELECT * FROM jobs WHERE stopping != 'delete' AND owner = 'local' AND kind = 'dub' "
        "ORDER BY created DESC, id DESC LIMIT 51",
        "to erase": "SELECT id FROM jobs WHERE stopping = 'delete' AND state IN ('completed', 'failed')",
        "expired": "SELECT id FROM jobs WHERE expires < 1 AND stopping != 'delete' LIMIT 100",
        "lost": "SELECT id FROM jobs WHERE state = 'processing' AND (lease < 1 OR holder IN ('a'))",
    }
    explain = "EXPLAIN " if platform.sql.is_postgres else "EXPLAIN QUERY PLAN "
    with platform.sql.reading() as connection:
        return {
            name: [str(row[-1]) for row in connection.exec_driver_sql(explain + sql)]
            for name, sql in asked.items()
        }
