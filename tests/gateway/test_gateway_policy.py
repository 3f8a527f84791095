"""Retrying, by itself, with a clock that only moves when told."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodub.gateway.retry import NO_RETRY, RetryPolicy, retrying
from autodub.model.errors import (
    BadAnswer,
    Busy,
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


def test_being_busy_uses_up_no_attempt(clock):
    """Slowing down is not failing: two attempts survive twenty refusals, and a failure among them."""
    errors = [Busy("slow")] * 10 + [Unreachable("x")] + [Busy("slow")] * 10
    result, told = _try(errors, RetryPolicy(attempts=2), clock)
    assert result == "answer"
    assert len(told) == 21


def test_being_busy_has_a_cap_of_its_own(clock):
    """A provider that never has time is given up after the patience, however many attempts are left."""
    policy = RetryPolicy(attempts=1000, patience=60.0)
    with pytest.raises(Busy):
        _try([Busy("slow")] * 1000, policy, clock)
    assert 40 <= sum(clock.slept) <= 60


def test_a_policy_without_patience_does_not_wait_for_the_busy(clock):
    """NO_RETRY means it: busy is final, too."""
    with pytest.raises(Busy):
        _try([Busy("slow")], NO_RETRY, clock)
    assert clock.slept == []


def test_a_local_engine_that_is_busy_is_asked_once_more(clock):
    """Without a pause there is no sense in asking a hundred times."""
    with pytest.raises(Busy):
        _try([Busy("slow")] * 9, RetryPolicy().local(), clock)
    assert clock.slept == [0.0]


def test_time_in_failed_attempts_counts(clock):
    """A call whose attempts took as long as one may, and the time for retries besides, is given up."""
    attempts = []

    def attempt():
        attempts.append(clock.now)
        clock.now += 60
        raise Unreachable("no answer")

    began = clock.now
    with pytest.raises(Unreachable):
        retrying(
            attempt,
            RetryPolicy(attempts=50, seconds=100.0),
            wait=clock.sleep,
            chance=lambda: 0.0,
            told=lambda *_: None,
            worked=lambda: 60.0 * len(attempts),
            limit=60.0,
        )
    assert clock.now - began <= 100 + 60 + 60
    assert len(attempts) > 1


def test_what_was_mended_is_tried_once_more_at_once(clock):
    """A permanent error whose cause was removed gets its attempt without a pause."""
    mended = [True, False]

    def attempt():
        raise Gone("x")

    with pytest.raises(Gone):
        retrying(
            attempt,
            RetryPolicy(),
            wait=clock.sleep,
            chance=lambda: 0.0,
            told=lambda *_: None,
            again=lambda _error: mended.pop(0),
        )
    assert mended == []
    assert clock.slept == [0.0]


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.sampled_from(["unreachable", "busy", "busy later", "bad"]), min_size=1, max_size=200),
    st.floats(0, 1),
    st.integers(1, 12),
    st.floats(1, 300),
)
def test_no_mixture_of_failures_waits_longer_than_allowed(kinds, chance, attempts, seconds):
    """Pauses after failures stay within the time for retries, those for the busy within the patience."""
    make = {
        "unreachable": lambda: Unreachable("x"),
        "busy": lambda: Busy("x"),
        "busy later": lambda: Busy("x", retry_after=13.0),
        "bad": lambda: BadAnswer("x"),
    }
    todo, waited = [make[kind]() for kind in kinds], {True: 0.0, False: 0.0}

    def attempt():
        if todo:
            raise todo.pop(0)
        return "answer"

    policy = RetryPolicy(attempts=attempts, seconds=seconds, patience=seconds)

    def told(error, number, pause):
        waited[isinstance(error, Busy)] += pause

    with contextlib.suppress(Unreachable, Busy, BadAnswer):
        retrying(attempt, policy, wait=lambda _: None, chance=lambda: chance, told=told)
    assert waited[False] <= seconds
    assert waited[True] <= seconds
    assert len(kinds) - len(todo) <= attempts + policy.busies + 2
