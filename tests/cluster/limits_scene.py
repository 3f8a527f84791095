"""Worlds of processes that share limits, as far as one process of tests can be several."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from itertools import cycle

import pytest
import redis as client
from brokers import Redis
from pydantic import SecretStr

from autodub.gateway.accounts import Accounts
from autodub.gateway.lanes import NOBODY, Ticket, Turn
from autodub.gateway.membership import Outage
from autodub.gateway.shared_accounts import SharedAccounts
from autodub.infra.redis_limits import PREFIX, RedisLimits

ACCOUNT = "cloud:1f0c9a22"
POOL = f"{ACCOUNT}/speech"
LONG = 60.0
"""Seconds for which anything is waited for at most."""


def free() -> None:
    """Nobody asks to stop."""


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    """A Redis of this file's own."""
    made = Redis(tmp_path_factory.mktemp("redis"))
    yield made
    made.close()


class Held:
    """A call that is let in by a thread of its own, and ends when it is told to."""

    def __init__(
        self, accounts: Accounts, lanes: int, job: Turn = NOBODY, *, pool: str = POOL,
        began: Callable[[Held], None] = lambda _: None,
    ) -> None:  # fmt: skip
        self.accounts, self.job = accounts, job
        self.ticket: Ticket | None = None
        self._began = began
        self.asked, self.is_in, self._end = threading.Event(), threading.Event(), threading.Event()
        self._last: Callable[[Ticket], object] = lambda _: None
        self._entering = accounts.lanes.enter(pool, lanes, self.asked.set, job=job)
        self._thread = threading.Thread(target=self._run, args=(self._entering,), daemon=True)
        self._thread.start()

    def _run(self, entering: AbstractContextManager[Ticket]) -> None:
        with entering as self.ticket:
            self._began(self)
            self.is_in.set()
            assert self._end.wait(LONG)
            self._last(self.ticket)

    def wait(self) -> Held:
        """Until it is let in."""
        assert self.is_in.wait(LONG)
        return self

    def waits(self) -> Held:
        """Until it stands in the queue, where it cannot be let in."""
        assert self.asked.wait(LONG)
        assert not self.is_in.is_set()
        return self

    def end(self, last: Callable[[Ticket], object] = lambda _: None) -> None:
        """Be over; ``last`` learns from it."""
        self._last = last
        self._end.set()
        self._thread.join(LONG)
        assert not self._thread.is_alive()

    def leave(self) -> None:
        """Its process was killed: it asks nothing any more, and ends as soon as it can."""
        self._end.set()


class World:
    """Accounts, as many processes see them: called, the next process's."""

    def __init__(self, *accounts: Accounts) -> None:
        self.all = accounts
        self._next = cycle(accounts)

    def __call__(self) -> Accounts:
        return next(self._next)


def world(redis: Redis | None, *, lease: float = 60.0, cooldown: float = 60.0) -> Iterator[World]:
    """One process by itself, or three that share; closed at the end."""
    if redis is None:
        yield World(Accounts(cooldown=cooldown))
        return
    redis.empty()
    all_ = [shared(redis, lease=lease, cooldown=cooldown) for _ in range(3)]
    yield World(*all_)
    for one in all_:
        one.close()


def shared(redis: Redis, *, lease: float = 60.0, cooldown: float = 60.0) -> SharedAccounts:
    """A process of its own."""
    memory = RedisLimits(SecretStr(redis.address))
    return SharedAccounts(memory, lease=lease, cooldown=cooldown)


def kill(one: SharedAccounts, redis: Redis) -> None:
    """A process that is not there any more, without a word, and whose lease has run out."""
    membership = one.membership
    membership._outage = Outage("killed", 1)
    membership._over.set()
    membership._wake.set()
    with client.Redis.from_url(redis.address) as asked:
        asked.publish(f"{PREFIX}to:{membership.id}", "left")
        for thread in membership._threads:
            thread.join(LONG)
        asked.zadd(f"{PREFIX}members", {membership.id: 0})


def until(is_so: Callable[[], bool]) -> None:
    """Wait for a state."""
    end = time.monotonic() + LONG
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)
