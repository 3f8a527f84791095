"""Gates and circuit breakers: the same behaviour for one process and for many that share an account."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from limits_scene import ACCOUNT, POOL, Held, World, free, until, world

from autodub.gateway.accounts import Accounts
from autodub.gateway.breaker import Breaker, Leave
from autodub.gateway.lanes import Turn
from autodub.gateway.shared_breaker import SharedBreaker
from autodub.model.errors import Cancelled, CircuitOpen, NoCredit, Refused, Rejected, Unreachable

KINDS = ("local", "three")


@pytest.fixture(params=KINDS)
def accounts(request: pytest.FixtureRequest) -> Iterator[World]:
    """Each kind of world."""
    redis = None if request.param == "local" else request.getfixturevalue("redis")
    yield from world(redis)


def stop() -> None:
    """Somebody asks to stop."""
    raise Cancelled("stop")


def probe(accounts: World, *, job: Turn | None = None) -> tuple[Accounts, Leave]:
    """Somebody, and his leave after the time for which a circuit stays open: no test waits for that."""
    here = accounts()
    assert isinstance(here.breaker, Breaker | SharedBreaker)
    usual, here.breaker._cooldown = here.breaker._cooldown, 0.0
    leave = here.breaker.guard(ACCOUNT, job=job)
    here.breaker._cooldown = usual
    assert leave.is_probe
    return here, leave


def answer(accounts: World, times: int, width: int) -> None:
    """So many calls, one after the other, answered."""
    for _ in range(times):
        lanes = accounts().lanes
        with lanes.enter(POOL, width, free) as ticket:
            lanes.answered(ticket)


def test_no_more_are_let_in_than_there_are_lanes(accounts: World) -> None:
    """The next one begins when one is over, wherever either is."""
    held = [Held(accounts(), 3).wait() for _ in range(3)]
    waiting = Held(accounts(), 3).waits()
    held[1].end()
    waiting.wait()
    for one in (held[0], held[2], waiting):
        one.end()
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(accounts().lanes.enter(POOL, 3, stop))


def test_users_take_turns_then_jobs_then_who_came_first(accounts: World) -> None:
    """A user with many calls in two jobs does not keep out one who came last."""
    ann, other, ben = Turn("ann", "a1"), Turn("ann", "a2"), Turn("ben", "b1")
    order: list[str] = []

    def began(one: Held) -> None:
        order.append(one.job.job)

    held = [Held(accounts(), 2, ann).wait() for _ in range(2)]
    waiting = [Held(accounts(), 2, job, began=began).waits() for job in (ann, ann, other, ben)]
    held[0].end()
    until(lambda: len(order) == 1)
    assert order == ["b1"]
    held[1].end()
    until(lambda: len(order) == 2)  # ann has none any more, and neither of her jobs; a1 came first
    assert order == ["b1", "a1"]
    waiting[0].end()
    until(lambda: len(order) == 3)
    for one in waiting[3], waiting[1]:
        one.end()
    waiting[2].wait()
    waiting[2].end()
    assert sorted(order) == ["a1", "a1", "a2", "b1"]


def test_who_waits_hears_a_request_to_stop(accounts: World) -> None:
    """And does not stand in the way afterwards."""
    first = Held(accounts(), 1).wait()
    with pytest.raises(Cancelled), accounts().lanes.enter(POOL, 1, stop):
        pass
    first.end()
    with accounts().lanes.enter(POOL, 1, stop):
        pass


def test_a_call_that_failed_frees_its_lane(accounts: World) -> None:
    """Whatever it failed with."""
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), accounts().lanes.enter(POOL, 1, stop):
            raise ZeroDivisionError


def test_a_burst_of_refusals_counts_once_for_all(accounts: World) -> None:
    """Ten calls under way together and all refused: one lesson, not ten, and everybody has learnt it."""
    held = [Held(accounts(), 10).wait() for _ in range(10)]
    news: list[object] = []
    for one in held:
        one.end(lambda ticket, one=one: news.append(one.accounts.lanes.refused(ticket)))  # type: ignore[misc]
    assert [change is not None for change in news] == [True] + [False] * 9
    held = [Held(accounts(), 10).wait() for _ in range(7)]
    waiting = Held(accounts(), 10).waits()
    for one in (*held, waiting):
        one.end()


def test_a_gate_creeps_back_and_no_further(accounts: World) -> None:
    """Answers anywhere give one lane at a time back, up to the engine's own number."""
    held = [Held(accounts(), 5).wait() for _ in range(5)]
    for one in held:
        one.end(one.accounts.lanes.refused)
    assert held[0].accounts.lanes.width(POOL) == 3
    for times, width in ((10, 4), (60, 5)):
        answer(accounts, times, 5)
        one = accounts()
        answer(World(one), 1, 5)
        assert one.lanes.width(POOL) == width


def test_the_account_may_say_how_many(accounts: World) -> None:
    """What the provider says to one replaces the engine's guess for all, upwards and downwards, and stays."""
    lanes = accounts().lanes
    with lanes.enter(POOL, 2, free) as ticket:
        change = lanes.allow(ticket, 10)
        assert change is not None
        assert (change.lanes, change.ceiling) == (10, 10)
        assert lanes.allow(ticket, 10) is None
        lanes.allow(ticket, 3)
    other = accounts()
    with other.lanes.enter(POOL, 32, free):
        assert (other.lanes.width(POOL), other.lanes.ceiling(POOL)) == (3, 3)


def test_being_told_how_long_to_wait_holds_for_all(accounts: World) -> None:
    """After Retry-After nobody begins until it is over, whoever was told; other limits are their own."""
    lanes = accounts().lanes
    with lanes.enter(POOL, 5, free) as ticket:
        told = time.monotonic()
        change = lanes.refused(ticket, 0.5)
    assert change is not None
    assert change.pause == 0.5
    with accounts().lanes.enter(f"{ACCOUNT}/voices", 5, stop):
        pass
    with accounts().lanes.enter(POOL, 5, free):
        assert time.monotonic() - told >= 0.45


def test_calls_keep_a_distance_after_being_told_that_they_come_too_fast(accounts: World) -> None:
    """It is learnt from how fast they came, and holds between any two of them."""
    for _ in range(8):
        lanes = accounts().lanes
        with lanes.enter(POOL, 5, free) as ticket:
            time.sleep(0.04)
    lanes.refused(ticket, 0.05)
    with lanes.enter(POOL, 5, free) as ticket:
        lanes.refused(ticket, 0.05)
    starts = []
    for _ in range(4):
        with accounts().lanes.enter(POOL, 5, free):
            starts.append(time.monotonic())
    assert starts[-1] - starts[0] >= 0.1  # three distances of 40 ms and more


def once(accounts: World, error: BaseException | None, *, job: Turn | None = None) -> bool:
    """One call of one attempt that ended so, as the door makes it; whether it opened the circuit."""
    here = accounts()
    with here.lanes.enter(POOL, 5, free) as ticket:
        leave = here.breaker.guard(ACCOUNT, job=job, is_trial=True)
        opened = here.breaker.told(leave, error)
        if error is None:
            here.lanes.answered(ticket)
    return here.breaker.settle(ACCOUNT, error) or opened


@pytest.mark.parametrize("kind", [Refused, NoCredit])
def test_a_refusal_opens_the_circuit_for_all(accounts: World, kind: type[Refused | NoCredit]) -> None:
    """One is told by the provider, all others by the breaker, and how to mend it."""
    job = Turn()
    assert once(accounts, None, job=job) is False
    assert once(accounts, kind("closed", hint="Set THE_KEY."), job=job)
    for here in accounts.all:
        with pytest.raises(kind, match="closed") as caught:
            here.breaker.guard(ACCOUNT, job=job)
        assert caught.value.hint == "Set THE_KEY."
        assert not here.breaker.is_proven(ACCOUNT)
    accounts().breaker.guard("cloud:another")


def test_failures_in_a_row_open_it_wherever_they_are(accounts: World) -> None:
    """An answer in between starts the count again, and one that only says no is an answer."""
    for error in (
        Unreachable("x"),
        Unreachable("x"),
        None,
        Unreachable("x"),
        Rejected("no"),
        Unreachable("x"),
    ):
        assert not once(accounts, error)
    assert not once(accounts, Unreachable("x"))
    assert once(accounts, Unreachable("gone"))
    for here in accounts.all:
        with pytest.raises(CircuitOpen, match="gone"):
            here.breaker.guard(ACCOUNT)


def test_after_a_while_one_probe_decides_for_all(accounts: World) -> None:
    """Half open, one call of all goes out; the others wait for its outcome."""
    for _ in range(3):
        once(accounts, Unreachable("x"))
    here, leave = probe(accounts)
    for other in accounts.all:
        with pytest.raises(Cancelled):
            other.breaker.guard(ACCOUNT, check=stop)
    here.breaker.told(leave, Unreachable("still"))
    for other in accounts.all:
        with pytest.raises(CircuitOpen, match="still"):
            other.breaker.guard(ACCOUNT)
    here, leave = probe(accounts)
    gone: list[bool] = []
    threads = [
        threading.Thread(target=lambda: gone.append(accounts().breaker.guard(ACCOUNT).is_probe))
        for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    assert not gone
    here.breaker.told(leave, None)
    for thread in threads:
        thread.join(60)
    assert gone == [False] * 5


def test_a_cancelled_probe_gives_its_place_to_the_next(accounts: World) -> None:
    """A probe that was only told to stop neither closes the circuit nor blocks it for ever."""
    for _ in range(3):
        once(accounts, Unreachable("x"))
    here, leave = probe(accounts)
    here.breaker.told(leave, Cancelled("stop"))
    probe(accounts)


def test_a_later_job_may_look_for_itself_once(accounts: World) -> None:
    """Who tries again after a top-up need not wait for the pause; who was there before must."""
    first, later = Turn(), Turn()
    once(accounts, NoCredit("empty"), job=first)
    with pytest.raises(NoCredit):
        accounts().breaker.guard(ACCOUNT, job=first)
    here = accounts()
    leave = here.breaker.guard(ACCOUNT, job=later)
    assert leave.is_probe
    here.breaker.told(leave, NoCredit("empty"))
    with pytest.raises(NoCredit):
        accounts().breaker.guard(ACCOUNT, job=later)


def test_two_requests_at_most_before_the_first_answer(accounts: World) -> None:
    """Of everybody together; with the first answer all go."""
    first, second = accounts(), accounts()
    leaves = [(one, one.breaker.guard(ACCOUNT, is_trial=True)) for one in (first, second)]
    assert [leave.is_second for _, leave in leaves] == [False, True]
    with pytest.raises(Cancelled):
        accounts().breaker.guard(ACCOUNT, is_trial=True, check=stop)
    leaves[0][0].breaker.told(leaves[0][1], Unreachable("x"))
    assert not accounts().breaker.is_proven(ACCOUNT)
    third = accounts()
    leave = third.breaker.guard(ACCOUNT, is_trial=True)
    assert leave.is_second
    third.breaker.told(leave, None)
    for _ in range(5):
        assert not accounts().breaker.guard(ACCOUNT, is_trial=True).is_second


def test_proof_from_elsewhere_lets_everybody_go(accounts: World) -> None:
    """An account that was looked at in another way is known."""
    for _ in range(2):
        accounts().breaker.guard(ACCOUNT, is_trial=True)
    accounts().breaker.prove(ACCOUNT)
    assert accounts().breaker.is_proven(ACCOUNT)
    accounts().breaker.guard(ACCOUNT, is_trial=True, check=stop)
