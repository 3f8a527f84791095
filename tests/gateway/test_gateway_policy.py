"""Retrying, the breaker and the lanes, each by itself with a clock that only moves when told."""

import threading

import pytest

from autodub.gateway.breaker import Breaker
from autodub.gateway.lanes import Lanes
from autodub.gateway.retry import NO_RETRY, RetryPolicy, retrying
from autodub.model.errors import (
    BadAnswer,
    Busy,
    Cancelled,
    CircuitOpen,
    Gone,
    NoCredit,
    Refused,
    Rejected,
    TooLong,
    Unreachable,
)


def _try(errors, policy, clock, chance=0.0):
    """What comes of failing with these errors in turn, then succeeding; and how often it was tried."""
    todo, told = list(errors), []

    def attempt():
        if todo:
            raise todo.pop(0)
        return "answer"

    result = retrying(
        attempt,
        policy,
        wait=clock.sleep,
        chance=lambda: chance,
        told=lambda error, number, pause: told.append((error.code, number, pause)),
    )
    return result, told


def test_pauses_double_up_to_a_ceiling(clock):
    """Backoff is exponential, bounded, and told in order."""
    policy = RetryPolicy(attempts=6, base=1.0, ceiling=5.0)
    result, told = _try([Unreachable("x")] * 5, policy, clock)
    assert result == "answer"
    assert clock.slept == [1.0, 2.0, 4.0, 5.0, 5.0]
    assert told == [("unreachable", n, pause) for n, pause in enumerate(clock.slept, start=1)]


def test_jitter_only_shortens(clock):
    """A random share up to the jitter is left out of each pause."""
    _try([Unreachable("x")], RetryPolicy(base=2.0, jitter=0.5), clock, chance=1.0)
    assert clock.slept == [1.0]


def test_retry_after_is_a_floor_not_a_ceiling(clock):
    """An engine that asks for more time gets it; one that asks for less does not shorten the backoff."""
    _try([Busy("x", retry_after=50.0), Busy("x", retry_after=0.1)], RetryPolicy(base=1.0), clock)
    assert clock.slept == [50.0, 2.0]


def test_an_engine_asking_for_longer_than_allowed_is_not_waited_for(clock):
    """When the pause would exceed the time allowed, the failure is final and nothing is slept."""
    with pytest.raises(Busy):
        _try([Busy("x", retry_after=3600.0)], RetryPolicy(seconds=180.0), clock)
    assert clock.slept == []


def test_attempts_are_capped(clock):
    """After the last attempt the error comes out as it is."""
    with pytest.raises(Unreachable):
        _try([Unreachable("x")] * 9, RetryPolicy(attempts=3), clock)
    assert len(clock.slept) == 2
    with pytest.raises(Unreachable):
        _try([Unreachable("x")], NO_RETRY, clock)


def test_nonsense_is_retried_once(clock):
    """BadAnswer has one second chance, even between other failures."""
    result, _ = _try([BadAnswer("x"), Unreachable("y")], RetryPolicy(), clock)
    assert result == "answer"
    with pytest.raises(BadAnswer):
        _try([BadAnswer("x"), Unreachable("y"), BadAnswer("z")], RetryPolicy(attempts=9), clock)


@pytest.mark.parametrize("kind", [Rejected, Refused, NoCredit, TooLong, Gone])
def test_permanent_errors_are_final(clock, kind):
    """Errors that will not change are raised at the first attempt."""
    with pytest.raises(kind):
        _try([kind("x")], RetryPolicy(), clock)
    assert clock.slept == []


def test_the_breaker_opens_after_failures_in_a_row(clock):
    """An answer in between starts the count again."""
    breaker = Breaker(threshold=2, cooldown=10, clock=clock)
    for error in (Unreachable("x"), None, Unreachable("x"), Rejected("no"), Unreachable("x")):
        breaker.guard("e")
        breaker.settle("e", error)
    breaker.guard("e")
    breaker.settle("e", Busy("y"))
    with pytest.raises(CircuitOpen, match="y"):
        breaker.guard("e")
    breaker.guard("another engine")


@pytest.mark.parametrize("kind", [Refused, NoCredit])
def test_the_breaker_opens_at_once_on_a_refusal(clock, kind):
    """A bad key or an empty account will not get better by asking again."""
    breaker = Breaker(clock=clock)
    breaker.guard("e")
    breaker.settle("e", kind("closed"))
    with pytest.raises(CircuitOpen, match="closed"):
        breaker.guard("e")


def test_after_the_pause_one_probe_decides(clock):
    """Half open, one call goes through and the others wait for its outcome."""
    breaker = Breaker(threshold=1, cooldown=10, clock=clock)
    breaker.settle("e", Unreachable("x"))
    clock.now += 10
    breaker.guard("e")
    with pytest.raises(CircuitOpen):
        breaker.guard("e")
    breaker.settle("e", Unreachable("still"))
    with pytest.raises(CircuitOpen, match="still"):
        breaker.guard("e")
    clock.now += 10
    breaker.guard("e")
    breaker.settle("e", None)
    breaker.guard("e")
    breaker.guard("e")


def test_a_cancelled_probe_gives_its_place_to_the_next(clock):
    """A probe that was only told to stop neither closes the circuit nor blocks it for ever."""
    breaker = Breaker(threshold=1, cooldown=10, clock=clock)
    breaker.settle("e", Unreachable("x"))
    clock.now += 10
    breaker.guard("e")
    breaker.settle("e", Cancelled("stop"))
    breaker.guard("e")
    with pytest.raises(CircuitOpen):
        breaker.guard("e")


def test_busy_narrows_the_lanes_and_answers_widen_them():
    """Busy halves what is let through; twenty answers give one lane back, up to the engine's own limit."""
    lanes = Lanes()
    with lanes.enter("e", 4, lambda: None):
        lanes.narrow("e")
    assert lanes.width("e") == 2
    for _ in range(60):
        lanes.answered("e", 4)
    assert lanes.width("e") == 4
    for _ in range(3):
        lanes.narrow("e")
    assert lanes.width("e") == 1
    assert lanes.width("other") is None


def test_waiting_for_a_lane_can_be_stopped():
    """Who waits for a lane hears a request to stop, and a lane is free again after its holder."""
    lanes = Lanes()

    def stop():
        raise Cancelled("stop")

    with lanes.enter("e", 1, lambda: None), pytest.raises(Cancelled), lanes.enter("e", 1, stop):
        pass
    with lanes.enter("e", 1, stop):
        pass


def test_a_lane_is_freed_by_a_failure():
    """An engine that raises does not keep its lane."""
    lanes = Lanes()
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), lanes.enter("e", 1, lambda: None):
            raise ZeroDivisionError
    entered = threading.Event()
    with lanes.enter("e", 1, lambda: None):
        entered.set()
    assert entered.is_set()
