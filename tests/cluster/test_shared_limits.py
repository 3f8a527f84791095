"""Limits that processes share in Redis: what happens to them when processes and Redis come and go."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis as client
from brokers import Redis
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st
from limits_scene import ACCOUNT, POOL, Held, free, kill, shared, until, world
from pydantic import SecretStr
from stores import settings_of

from autodub.gateway.gateway import Gateway
from autodub.gateway.lanes import Turn
from autodub.gateway.membership import Apart
from autodub.gateway.retry import NO_RETRY
from autodub.gateway.shared_accounts import SharedAccounts
from autodub.gateway.store import Store
from autodub.infra.redis_limits import PREFIX, RedisLimits
from autodub.model.calls import Synthesize
from autodub.model.errors import Refused
from autodub.model.job import Event
from autodub.model.speech import Voice
from autodub.testing.fakes import FakeSynthesizer

_HOLDER = Path(__file__).with_name("limits_holder.py")
Three = tuple[SharedAccounts, SharedAccounts, SharedAccounts]


@pytest.fixture
def three(redis: Redis) -> Iterator[Three]:
    """Three processes that know each other."""
    for made in world(redis):
        for one in made.all:
            with one.lanes.enter(POOL, 6, free):
                pass
        for one in made.all:
            until(lambda one=one: one.membership.members == 3)  # type: ignore[misc]
        yield made.all  # type: ignore[misc]


@contextmanager
def process(*arguments: str, **environ: str) -> Iterator[subprocess.Popen[str]]:
    """Another process; killed at the end."""
    started = subprocess.Popen(
        [sys.executable, _HOLDER, *arguments], env=os.environ | environ, text=True, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        yield started
    finally:
        started.kill()
        started.communicate()


def line(of: subprocess.Popen[str]) -> str:
    """The next line it prints."""
    assert of.stdout is not None
    return of.stdout.readline().strip()


def test_three_workers_twelve_jobs_one_account() -> None:
    """Real processes at the loopback cloud: its cap holds, it refuses nothing, who has few jobs is not kept.

    The key is nowhere in Redis.
    """
    from benchmarks import limits

    jobs = [("ann", 12)] * 8 + [("ben", 4)] * 2 + [("cid", 4)] * 2
    found = limits.run(limits.Order(jobs, seconds=0.05))
    assert found["lines"] == 112
    assert found["most in flight at the provider"] <= 5
    assert found["refused (429)"] == 0
    assert not found["the key is in Redis"]
    early = found["lines of the others when each user had ended, percent"]
    assert max(early["ben"], early["cid"]) < 80  # by turns it is about a sixth


def test_what_a_killed_process_holds_is_free_when_its_lease_has_run_out(redis: Redis) -> None:
    """Nobody has to be told, and nobody gets it earlier."""
    redis.empty()
    with process("hold", redis.address, "4", "2") as holder, closing(shared(redis)) as here:
        assert line(holder) == "held"
        waiting = Held(here, 2).waits()
        holder.kill()
        waiting.wait().end()


def test_a_call_costs_two_round_trips_where_there_is_room(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One lets it in, with word of the circuit; the other ends it, with word of the answer."""
    redis.empty()
    with closing(shared(redis)) as here:

        def call() -> None:
            with here.lanes.enter(POOL, 5, free, job=Turn()) as ticket:
                leave = here.breaker.guard(ACCOUNT, job=ticket.job, is_trial=True)
                here.breaker.told(leave, None)
                here.lanes.answered(ticket)
            here.breaker.settle(ACCOUNT, None)

        call()
        asked: list[str] = []
        ask = here.membership.ask

        def counted(verb: str, *what: str | int) -> list[Any]:
            asked.append(verb)
            return ask(verb, *what)

        monkeypatch.setattr(here.membership, "ask", counted)
        call()
        assert asked == ["acquire", "release"]


def test_redis_emptied_in_the_middle_loses_nothing(three: Three, redis: Redis) -> None:
    """Calls under way are said again before any begins; so is what was learnt, and who waits."""
    held = [Held(three[n % 3], 6).wait() for n in range(6)]
    held[0].end(three[0].lanes.refused)
    held[1].end()
    held[2].end()
    held += [Held(three[1], 6).wait()]
    waiting = [Held(one, 6).waits() for one in three]
    redis.empty()
    new = Held(three[2], 6).waits()
    until(lambda: _state(three[0])[0] == (POOL, 4, 4, 4, 6))
    for one in (*held[3:], *waiting, new):
        one.end()
    assert _state(three[0])[0][1] == 0


def _state(of: SharedAccounts) -> list[tuple[str, int, int, int, int]]:
    """Pools: name, held, waiting, width, ceiling; none where Redis does not answer now."""
    try:
        _, *found = of.membership.ask("state")
    except Apart:
        return []
    rows = [tuple(found[at : at + 5]) for at in range(0, len(found), 5)]
    return sorted(rows, key=lambda row: row[0] != POOL)  # type: ignore[arg-type,return-value]


def test_without_redis_each_keeps_to_its_share_and_says_so_once(
    three: Three, redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """Of six lanes two each; one that has three under way begins none. With Redis again they share again."""
    caplog.set_level(logging.WARNING, logger="autodub.limits")
    held = [Held(three[0], 6).wait() for _ in range(3)]
    redis.stop()
    over = [Held(three[0], 6).waits()]
    own = [Held(three[1], 6).wait() for _ in range(2)]
    assert own[0].ticket is not None
    assert "Redis" in own[0].ticket.apart
    over += [Held(three[1], 6).waits()]
    held[0].end()
    held[1].end()
    over[0].wait()
    own += [Held(three[2], 6).wait()]
    until(lambda: len(_warned(caplog)) == 3)
    assert all(text.endswith("a share of each: 1/3.") for text in _warned(caplog))
    redis.start()
    over[1].wait()
    for one in three:
        until(lambda one=one: one.membership.outage is None)  # type: ignore[misc]
    until(lambda: _state(three[0])[0][1] == 6)  # what began apart counts again
    waiting = Held(three[2], 6).waits()
    own[0].end()
    waiting.wait()
    assert waiting.ticket is not None
    assert not waiting.ticket.apart
    for one_held in (held[2], *over, *own[1:], waiting):
        one_held.end()
    until(lambda: _state(three[0])[0][1] == 0)
    assert len(_warned(caplog)) == 6
    assert all("answers again" in text for text in _warned(caplog)[3:])


def _warned(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "autodub.limits"]


def test_a_redis_that_hangs_is_one_that_is_away(redis: Redis) -> None:
    """Calls are let in by this process's share meanwhile; what Redis does late is undone."""
    redis.empty()
    memory = RedisLimits(SecretStr(redis.address), timeout=0.5)
    with closing(SharedAccounts(memory, lease=4.0)) as here:
        Held(here, 1).wait().end()
        with redis.hanging():
            alone = Held(here, 1).wait()
            assert alone.ticket is not None
            assert alone.ticket.apart
        until(lambda: here.membership.outage is None)
        waiting = Held(here, 1).waits()
        alone.end()
        waiting.wait().end()
        until(lambda: _state(here) == [(POOL, 0, 0, 1, 1)])


def test_a_clock_that_was_set_back_stops_nobody(redis: Redis) -> None:
    """What Redis noted an hour later than it is now: the beginning of its memory, leases, starts of calls."""
    redis.empty()
    with closing(shared(redis)) as here, client.Redis.from_url(redis.address) as asked:
        Held(here, 1).wait().end()
        later = (asked.time()[0] + 3600) * 1_000_000
        asked.hset(f"{PREFIX}era", mapping={"began": later, "expected": 9})
        asked.delete(f"{PREFIX}ready")
        asked.zadd(f"{PREFIX}members", {"killed": later})
        asked.hset(f"{PREFIX}held:{POOL}", "killed:1", "ann\ta1\t0")
        asked.hset(f"{PREFIX}pool:{POOL}", "interval", 40_000)
        asked.rpush(f"{PREFIX}starts:{POOL}", later)
        asked.hset(f"{PREFIX}circuit:{ACCOUNT}", "opened", later)
        Held(here, 1).wait().end()
        assert here.membership.ask("state")[0] == 1
        assert here.breaker.guard(ACCOUNT).is_probe


class Cloud(FakeSynthesizer):
    """A synthesizer with an account."""

    account = ACCOUNT

    def pool(self, _verb: str) -> str:
        """All calls are one kind."""
        return "speech"


def test_a_job_is_told_once_and_finishes(redis: Redis, tmp_path: Path) -> None:
    """A process that began without Redis makes one call at a time; its jobs say so, and when it is over."""
    redis.stop()
    events: list[Event] = []
    with ExitStack() as stack:
        store = stack.enter_context(closing(Store(tmp_path)))
        store.accounts = here = stack.enter_context(closing(shared(redis)))
        gateway = Gateway(store, listener=events.append, retry=NO_RETRY, user="ann")

        def speak(*texts: str) -> None:
            for text in texts:
                gateway.call(
                    Cloud(), "synthesize", Synthesize(text, Voice("fake", "fake-1", "es", pitch=120.0))
                )

        speak("one", "two", "three")
        first = Held(here, 5).wait()
        second = Held(here, 5).waits()
        redis.start()
        second.wait()
        speak("four", "five")
        first.end()
        second.end()
    told = [event for event in events if event.kind in ("degraded", "limits.shared")]
    assert [event.kind for event in told] == ["degraded", "limits.shared"]
    assert told[0].data["what"] == "limits"
    assert "Redis" in str(told[0].data["reason"])


def test_a_circuit_holds_without_redis_for_who_has_seen_it_open(three: Three, redis: Redis) -> None:
    """What a process was told by the provider itself it knows alone, too; afterwards all know it."""
    leave = three[0].breaker.guard(ACCOUNT)
    three[0].breaker.told(leave, Refused("bad key"))
    redis.stop()
    with pytest.raises(Refused):
        three[0].breaker.guard(ACCOUNT)
    three[1].breaker.guard(ACCOUNT)  # it knows nothing, and may ask
    redis.start()
    for one in three:
        until(lambda one=one: one.membership.outage is None)  # type: ignore[misc]


_STEP = st.tuples(st.sampled_from(["enter", "enter", "end", "end", "flush", "kill"]), st.integers(0, 30))


@hypothesis(
    deadline=None,
    max_examples=12,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.integers(1, 6), st.lists(_STEP, max_size=25))
def test_never_more_than_the_cap_whatever_happens(
    redis: Redis, cap: int, steps: list[tuple[str, int]]
) -> None:
    """Calls come and end, Redis is emptied, processes are killed: the cap holds, and everybody gets in."""
    redis.empty()
    calls: list[Held] = []
    with ExitStack() as stack:
        alive = [stack.enter_context(closing(shared(redis))) for _ in range(3)]
        for what, number in [("enter", 0), ("enter", 1), ("enter", 2), *steps]:
            here = alive[number % len(alive)]
            if what == "enter":
                calls.append(Held(here, cap, Turn(f"user {number % 2}")))
                until(lambda: calls[-1].is_in.is_set() or calls[-1].asked.is_set())
            elif what == "end" and (inside := [one for one in calls if one.is_in.is_set()]):
                ending = inside[number % len(inside)]
                calls.remove(ending)
                ending.end()
            elif what == "flush":
                for one in alive:
                    one.membership.beat()  # it knows who is gone, and waits for nobody
                redis.empty()
            elif what == "kill" and len(alive) > 1:
                alive.remove(here)
                kill(here, redis)
                for one in [one for one in calls if one.accounts is here]:
                    calls.remove(one)
                    one.leave()
            assert sum(one.is_in.is_set() for one in calls) <= cap
        while calls:
            until(lambda: any(one.is_in.is_set() for one in calls))
            inside = [one for one in calls if one.is_in.is_set()]
            assert len(inside) <= cap
            calls.remove(inside[0])
            inside[0].end()


def test_two_processes_make_the_same_call_once(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """The store's lock of a key is the single flight of all machines: the second is given the answer."""
    log, gate = tmp_path / "log", tmp_path / "gate"
    known = settings_of("folder", request, tmp_path)("one")
    environ = {
        "AUTODUB_STORE_DATABASE": known.store_database.get_secret_value(), "AUTODUB_BLOBS": known.blobs,
        "HOME": str(tmp_path),
    }  # fmt: skip
    with ExitStack() as stack:
        both = [
            stack.enter_context(process("call", str(tmp_path / name), str(log), str(gate), **environ))
            for name in ("one", "two")
        ]
        until(lambda: log.exists() and log.read_text().endswith("\n"))
        maker = next(one for one in both if one.pid == int(log.read_text()))
        other = next(one for one in both if one is not maker)
        assert line(other) == "waiting"
        gate.touch()
        assert line(maker) == line(other) != ""
    assert log.read_text() == f"{maker.pid}\n"
