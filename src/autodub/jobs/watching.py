"""Watching jobs: one thread per process asks the database what is new, and wakes the streams that wait.

Nobody asks while nobody watches. A stream keeps the number of the last event it has sent, and reads what
comes after it in pages: it has no queue that could grow, overflow or be lost. Streams of one job share
what was read last, so that a hundred of them cost one reading.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import ColumnElement, select

from autodub.infra.sql import Sql
from autodub.jobs import events
from autodub.jobs.records import LOCAL, OVER, Actor, Happening, Job, job_of
from autodub.jobs.service import Jobs
from autodub.jobs.tables import jobs
from autodub.model.errors import TooMany, Unavailable

log = logging.getLogger("autodub.watching")
_TOGETHER = 500
"""Ids named in one question."""
_TAIL = 200
"""Events of a watched job that are kept at hand."""
_LATE = 10.0
"""Seconds by which a change may be older than a newer one seen before: its transaction ended later, or its
machine's clock is behind. What is even later is found when everything is compared."""
_PATIENCE = 10.0
"""Seconds that a new stream waits for the first look."""


@dataclass(frozen=True, slots=True)
class Page:
    """What came after a number."""

    happenings: tuple[Happening, ...]
    number: int
    """Of the last event of the page: what the next page is asked from."""
    state: str
    """Of the job; empty when it is gone."""
    is_over: bool
    """Nobody works on the job, and all its events are told."""
    is_gone: bool
    """The job was deleted."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What became of a user's jobs."""

    jobs: tuple[Job, ...]
    """As they are now."""
    gone: tuple[str, ...]
    """Ids of jobs that were deleted."""


class _Watched:
    """What all streams of one job share."""

    def __init__(self) -> None:
        self.watchers = 0
        self.news = threading.Condition()
        self.number, self.state, self.is_gone = 0, "", False
        self.reading = threading.Lock()
        self.tail: list[Happening] = []
        """The last events read, without holes."""

    def see(self, now: tuple[int, str] | None) -> bool:
        """Take the number of the last event and the state, None: the job is gone; whether that is news."""
        with self.news:
            before = self.now
            if now is None:
                self.is_gone, self.state = True, ""
            elif now[0] >= self.number and not self.is_gone:  # else it is older than what we know
                self.number, self.state = now
            self.news.notify_all()
            return self.now != before

    @property
    def now(self) -> tuple[int, str, bool]:
        """Number, state, and whether the job is gone."""
        return self.number, self.state, self.is_gone


class _Owned:
    """What all streams of one user's jobs share: job -> number of its last event, replaced as a whole."""

    def __init__(self) -> None:
        self.watchers = 0
        self.news = threading.Condition()
        self.numbers: Mapping[str, int] = {}
        self.is_known = False
        self.reading = threading.Lock()
        self.read: dict[str, Job] = {}
        """Jobs as they were read last."""

    def see(self, numbers: Mapping[str, int]) -> bool:
        """Take the numbers as they are now; whether that is news."""
        with self.news:
            if numbers == self.numbers and self.is_known:
                return False
            self.numbers, self.is_known = numbers, True
            self.news.notify_all()
            return True


S = TypeVar("S", _Watched, _Owned)


class JobWatch:
    """One stream of one job's events."""

    def __init__(self, sql: Sql, job: str, shared: _Watched) -> None:
        self._sql, self._job, self._shared = sql, job, shared
        self._is_fresh = False
        self._told: tuple[int, str, bool] | None = None

    @property
    def has_news(self) -> bool:
        """Whether there is more than the last page had."""
        if self._told is None:
            return True
        number, *rest = self._shared.now
        return number > self._told[0] or rest != [*self._told[1:]]

    def wait(self, seconds: float) -> None:
        """Wait for news."""
        with self._shared.news:
            self._shared.news.wait_for(lambda: self.has_news, timeout=seconds)

    def after(self, number: int, *, wait: float = 0.0, limit: int = events.PAGE) -> Page:
        """The events after a number; waits so many seconds for one, unless the job is gone.

        Raises Unavailable.
        """
        shared = self._shared
        if not self._is_fresh:  # the first answer is never older than the question
            self._look()
            self._is_fresh = True
        with shared.news:
            shared.news.wait_for(lambda: shared.is_gone or shared.number > number, timeout=wait)
            known, state, is_gone = shared.number, shared.state, shared.is_gone
        found = () if is_gone or known <= number else self._read(number, min(limit, known - number))
        if known > number and not found:  # what is told of is not there: the job went just now
            self._look()
            state, is_gone = shared.state, shared.is_gone
        last = found[-1].number if found else number
        self._told = last, state, is_gone
        return Page(found, last, state, state in OVER and last >= known, is_gone)

    def _look(self) -> None:
        self._shared.see(events.last(self._sql, [self._job]).get(self._job))

    def _read(self, number: int, limit: int) -> tuple[Happening, ...]:
        shared = self._shared
        with shared.reading:
            tail = shared.tail
            if tail and tail[0].number <= number + 1 and number + limit <= tail[-1].number:
                first = number + 1 - tail[0].number
                return tuple(tail[first : first + limit])
            found = events.after(self._sql, self._job, number, limit=limit)
            shared.tail = events.joined(tail, found)[-_TAIL:]
            return tuple(found)


class OwnWatch:
    """One stream of what becomes of a user's jobs."""

    def __init__(self, sql: Sql, shared: _Owned) -> None:
        self._sql, self._shared = sql, shared
        self.numbers = shared.numbers
        """Job -> number of its last event, as far as this stream has told."""

    @property
    def has_news(self) -> bool:
        """Whether something changed since the last call of ``changes``."""
        return self._shared.numbers is not self.numbers

    def wait(self, seconds: float) -> None:
        """Wait for news."""
        with self._shared.news:
            self._shared.news.wait_for(lambda: self.has_news, timeout=seconds)

    def changes(self, *, wait: float = 0.0) -> Changes:
        """What changed since the last call, waiting so many seconds for it. Raises Unavailable."""
        shared = self._shared
        with shared.news:
            shared.news.wait_for(lambda: self.has_news, timeout=wait)
            now = shared.numbers
        before = self.numbers
        if now is before:
            return Changes((), ())
        changed = [job for job, number in now.items() if before.get(job) != number]
        found = self._read(changed, now)
        self.numbers = now
        gone = sorted(before.keys() - now.keys())
        return Changes(tuple(sorted(found, key=lambda job: (job.updated, job.id))), tuple(gone))

    def _read(self, changed: Sequence[str], numbers: Mapping[str, int]) -> list[Job]:
        """Jobs as they are, of which one thread at a time reads those that no other stream has read."""
        shared = self._shared
        with shared.reading:
            known = {job: read for job in changed if (read := shared.read.get(job))}
            fresh = {job: read for job, read in known.items() if read.events >= numbers[job]}
            for some in _portions([job for job in changed if job not in fresh]):
                asked = select(jobs).where(jobs.c.id.in_(some), jobs.c.stopping != "delete")
                with self._sql.reading() as connection:
                    fresh |= {row.id: job_of(row) for row in connection.execute(asked)}
            kept = [*({**shared.read, **fresh}).items()]
            shared.read = dict(kept[-_TAIL:])
            return list(fresh.values())


class Watching:
    """Who watches what in this process. Safe for many threads."""

    def __init__(
        self, sql: Sql, service: Jobs, *, most: int = 1000, every: float = 0.1, compare: float = 5.0
    ) -> None:
        """Allow ``most`` streams at once, and half of them to one user, but for the local one.

        ``every`` and ``compare`` are seconds between two looks at what is new, and between two comparisons
        of everything.
        """
        self._sql, self._service, self._most = sql, service, most
        self._every, self._compare = every, compare
        self._lock = threading.Lock()
        self._wanted = threading.Condition(self._lock)
        self._jobs: dict[str, _Watched] = {}
        self._owned: dict[str, _Owned] = {}
        self._by: Counter[str] = Counter()
        """User -> streams they have open."""
        self._newest = 0.0
        """When the newest change of watched users' jobs happened."""
        self._thread: threading.Thread | None = None
        self._over = threading.Event()
        self.looks = 0
        """How often the database was asked; for tests."""
        self.heard: Callable[[], None] = _nobody
        """Called after every look that found something new, by the thread that looks."""

    @property
    def open(self) -> int:
        """How many streams there are."""
        with self._lock:
            return self._count()

    @contextmanager
    def job(self, actor: Actor, job: str) -> Iterator[JobWatch]:
        """Watch one job. Raises NotFound, also for a job of somebody else; TooMany."""
        self._service.get(actor, job)
        shared = self._enter(self._jobs, job, _Watched, actor)
        try:
            yield JobWatch(self._sql, job, shared)
        finally:
            self._leave(self._jobs, job, shared, actor)

    @contextmanager
    def own(self, actor: Actor) -> Iterator[OwnWatch]:
        """Watch all jobs of whoever asks, from now on. Raises TooMany, Unavailable."""
        shared = self._enter(self._owned, actor.id, _Owned, actor)
        try:
            with shared.news:  # only one thread reads numbers, so that they never go back
                if not shared.news.wait_for(lambda: shared.is_known, timeout=_PATIENCE):
                    raise Unavailable("The database does not answer.", hint="Try again in a moment.")
            yield OwnWatch(self._sql, shared)
        finally:
            self._leave(self._owned, actor.id, shared, actor)

    def close(self) -> None:
        """Ask no more."""
        self._over.set()
        with self._wanted:
            self._wanted.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _count(self) -> int:
        one_job = sum(shared.watchers for shared in self._jobs.values())
        return one_job + sum(shared.watchers for shared in self._owned.values())

    def _enter(self, known: dict[str, S], name: str, kind: Callable[[], S], actor: Actor) -> S:
        with self._wanted:
            share = self._most if actor.id == LOCAL else max(1, self._most // 2)
            mine = self._by.get(actor.id, 0)
            if self._count() >= self._most or mine >= share:
                full = f"{self._most} streams" if mine < share else f"{share} of your streams"
                raise TooMany(
                    f"{full} are open, and no more may be.",
                    hint="Ask for events as JSON instead, or close some.", retry_after=10,
                )  # fmt: skip
            shared = known.setdefault(name, kind())
            shared.watchers += 1
            self._by[actor.id] += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="watching", daemon=True)
                self._thread.start()
            self._wanted.notify_all()
            return shared

    def _leave(self, known: dict[str, S], name: str, shared: S, actor: Actor) -> None:
        with self._lock:
            shared.watchers -= 1
            self._by[actor.id] -= 1
            if not self._by[actor.id]:
                del self._by[actor.id]
            if not shared.watchers:
                del known[name]

    def _run(self) -> None:
        until_all, is_away = 0, False
        while True:
            with self._wanted:
                while not self._jobs and not self._owned and not self._over.is_set():
                    self._wanted.wait()
                watched, owned = dict(self._jobs), dict(self._owned)
            if self._over.is_set():
                return
            try:
                self.looks += 1
                is_new = self._look_at_jobs(watched)
                until_all -= 1
                if until_all <= 0 or not all(shared.is_known for shared in owned.values()):
                    until_all = round(self._compare / self._every)
                    is_new |= self._compare_all(owned)
                else:
                    is_new |= self._look_at_owned(owned)
                is_away = False
                if is_new:
                    self.heard()
            except Exception:  # streams outlive a database that is away for a while; it is asked again
                if not is_away:
                    log.warning("what is new of watched jobs cannot be asked", exc_info=True)
                is_away = True
            self._over.wait(self._every)

    def _look_at_jobs(self, watched: Mapping[str, _Watched]) -> bool:
        is_new = False
        for some in _portions(list(watched)):
            found = events.last(self._sql, some)
            for job in some:
                shared, now = watched[job], found.get(job)
                if now != (shared.number, shared.state) and not shared.is_gone:
                    is_new |= shared.see(now)
        return is_new

    def _look_at_owned(self, owned: Mapping[str, _Owned]) -> bool:
        """Take what changed lately."""
        if not owned:
            return False
        new = self._all(list(owned), jobs.c.updated > self._newest - _LATE, going=True)
        is_new = False
        for owner, numbers in new.items():
            before = owned[owner].numbers
            after = {**before} | {job: number for job, number in numbers.items() if number}
            for job in [job for job, number in numbers.items() if not number]:
                after.pop(job, None)
            is_new |= owned[owner].see(after)
        return is_new

    def _compare_all(self, owned: Mapping[str, _Owned]) -> bool:
        """Take everything: what was told late, and jobs that are gone, are noticed here at last."""
        found = self._all(list(owned))
        return sum(shared.see(found.get(owner, {})) for owner, shared in owned.items()) > 0

    def _all(
        self, owners: Sequence[str], *which: ColumnElement[bool], going: bool = False
    ) -> Mapping[str, dict[str, int]]:
        """Owner -> job -> number of its last event; of jobs being deleted 0, or they are left out."""
        numbers: dict[str, dict[str, int]] = {}
        newest = self._newest
        for some in _portions(owners):
            asked = select(jobs.c.owner, jobs.c.id, jobs.c.events, jobs.c.stopping, jobs.c.updated)
            with self._sql.reading() as connection:
                for row in connection.execute(asked.where(jobs.c.owner.in_(some), *which)):
                    newest = max(newest, row.updated)
                    is_going = row.stopping == "delete"
                    if going or not is_going:
                        numbers.setdefault(row.owner, {})[row.id] = 0 if is_going else row.events
        self._newest = newest
        return numbers


def _nobody() -> None:
    """Nobody wants to hear of news."""


def _portions(names: Sequence[str]) -> Iterator[Sequence[str]]:
    for first in range(0, len(names), _TOGETHER):
        yield names[first : first + _TOGETHER]
