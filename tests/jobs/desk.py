"""What tests of the job core share: users, a clock that is set by hand, jobs of every state, dubs at will."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from autodub.gateway.cancel import Cancel
from autodub.infra.sql import Sql
from autodub.jobs import runner
from autodub.jobs.claiming import Claims
from autodub.jobs.platform import LOCAL_ACTOR, Platform
from autodub.jobs.records import Actor, Happening, Job, job_of
from autodub.jobs.results import Result
from autodub.jobs.service import Jobs
from autodub.jobs.spec import JobSpec
from autodub.jobs.tables import jobs, users
from autodub.model.job import Event, Listener

Opening = Callable[..., Platform]
"""Opens one more platform over the same database and data directory, with other settings."""
SOURCE = "https://www.youtube.com/watch?v=abcdefghijk"


class Clock:
    """Seconds since 1970, as a test wants them."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def pass_(self, seconds: float) -> float:
        """Let time go by; what it is then."""
        self.now += seconds
        return self.now


class Desk:
    """One platform at a time that is set by hand."""

    def __init__(self, platform: Platform) -> None:
        self.platform, self.sql = platform, platform.sql
        self.clock = Clock()
        platform.claims = self.claims = Claims(platform.sql, platform.server, clock=self.clock)
        self.jobs = Jobs(platform.sql, platform.server, platform.queue, platform.admission, clock=self.clock)

    def user(self, name: str, **values: Any) -> Actor:
        """A user with a row."""
        return user(self.platform, name, **values)

    def submit(self, actor: Actor = LOCAL_ACTOR, **wishes: Any) -> Job:
        """Queue a job, a second after the one before."""
        self.clock.pass_(1)
        return self.jobs.submit(actor, JobSpec.model_validate({"source": SOURCE, "target": "es"} | wishes))[0]

    def row(self, job: Job | str) -> Any:
        """A job's row as it is."""
        wanted = select(jobs).where(jobs.c.id == (job if isinstance(job, str) else job.id))
        with self.sql.reading() as connection:
            return connection.execute(wanted).one_or_none()

    def job(self, job: Job | str) -> Job:
        """A job as it stands, also one that is being deleted."""
        return job_of(self.row(job))

    def put(self, job: Job, **values: Any) -> Job:
        """Change a job's row behind everybody's back."""
        with self.sql.writing() as connection:
            connection.execute(update(jobs).where(jobs.c.id == job.id).values(**values))
        return self.job(job)

    def told(self, job: Job) -> list[str]:
        """Kinds of a job's events; that their numbers have no hole is asserted on the way."""
        return [one.kind for one in happenings(self.sql, job)]


def user(platform: Platform, name: str, **values: Any) -> Actor:
    """A user with a row."""
    row = {"id": name, "name": name, "role": "user", "active": True, "created": 1.0} | values
    with platform.sql.writing() as connection:
        connection.execute(insert(users).values(**row))
    return Actor(name, name)


def happenings(sql: Sql, job: Job) -> list[Happening]:
    """All events of a job, whose numbers run 1, 2, 3 ..."""
    from autodub.jobs import events

    found: list[Happening] = []
    while page := events.after(sql, job.id, len(found)):
        found += page
    assert [one.number for one in found] == list(range(1, len(found) + 1))
    return found


class Dubs:
    """What takes the place of making a dub: each call ends when and how a test says."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        """One for every dub that has begun."""
        self.go = threading.Event()
        """Until then dubs go on, and notice a request to stop."""
        self.is_deaf = False
        """Dubs notice no request to stop."""
        self.told: list[Event] = []
        """What each says at its beginning."""
        self.end: Callable[[], None] = lambda: None
        """Raises what a dub is to end with."""
        self.sources: list[str] = []

    def make(self, request: Any, *, listener: Listener, cancel: Cancel, **_: Any) -> SimpleNamespace:
        """A dub."""
        self.sources.append(request.source)
        for event in self.told:
            listener(event)
        self.begun.release()
        while not self.go.wait(0.005):
            if not self.is_deaf:
                cancel.check()
        self.end()
        return SimpleNamespace(result=Result(summary="done", seconds=60.0), done=None)


@contextmanager
def dubs() -> Iterator[Dubs]:
    """Have jobs be carried out by ``Dubs``."""
    scripted = Dubs()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "make", scripted.make)
        patch.setattr(runner, "of_dub", lambda made: made.result)
        patch.setattr(runner.exports, "note", lambda *_: None)
        yield scripted
        scripted.go.set()


def token() -> str:
    """An id that nothing has."""
    return secrets.token_hex(16)
