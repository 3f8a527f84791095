"""When an account is not asked any more, with a clock that only moves when told."""

import threading

import pytest

from autodub.gateway.breaker import Breaker, Leave
from autodub.model.errors import (
    Busy,
    Cancelled,
    CircuitOpen,
    NoCredit,
    Refused,
    Rejected,
    Unreachable,
)


class Job:
    """Stands for one dub."""


def _stop():
    raise Cancelled("stop")


def _once(breaker, error, account="e", **more):
    """One call of one attempt that ended so; whether it opened the circuit."""
    leave = breaker.guard(account, **more)
    opened = breaker.told(leave, error)
    return breaker.settle(account, error) or opened


def test_the_breaker_opens_after_failures_in_a_row(clock):
    """An answer in between starts the count again, and one that only says no is an answer."""
    breaker = Breaker(threshold=2, cooldown=10, clock=clock)
    for error in (Unreachable("x"), None, Unreachable("x"), Rejected("no"), Unreachable("x")):
        assert not _once(breaker, error)
    assert _once(breaker, Busy("y"))
    with pytest.raises(CircuitOpen, match="y"):
        breaker.guard("e")
    breaker.guard("another engine")


def test_a_single_attempt_that_failed_does_not_count(clock):
    """Only calls that failed for good count: an attempt that is retried says nothing yet."""
    breaker = Breaker(threshold=2, clock=clock)
    for _ in range(9):
        breaker.told(breaker.guard("e"), Unreachable("x"))
    breaker.guard("e")


@pytest.mark.parametrize("kind", [Refused, NoCredit])
def test_the_breaker_opens_at_once_on_a_refusal(clock, kind):
    """A bad key or an empty account will not get better by asking again; the error says how to fix it."""
    breaker = Breaker(clock=clock)
    assert _once(breaker, kind("closed", hint="Set THE_KEY."))
    with pytest.raises(kind, match="closed") as caught:
        breaker.guard("e")
    assert caught.value.hint == "Set THE_KEY."


def test_a_refusal_of_one_kind_of_call_closes_nothing(clock):
    """A plan without cloning still speaks."""
    breaker = Breaker(threshold=1, clock=clock)
    assert not _once(breaker, Refused("no cloning", whole_account=False))
    breaker.guard("e")
    assert breaker.is_proven("e")


def test_after_the_pause_one_probe_decides(clock):
    """Half open, one call goes through and the others wait for its outcome."""
    breaker = Breaker(threshold=1, cooldown=10, clock=clock)
    _once(breaker, Unreachable("x"))
    clock.now += 10
    probe = breaker.guard("e")
    assert probe.is_probe
    with pytest.raises(Cancelled):
        breaker.guard("e", check=_stop)
    breaker.told(probe, Unreachable("still"))
    with pytest.raises(CircuitOpen, match="still"):
        breaker.guard("e")
    clock.now += 10
    breaker.told(breaker.guard("e"), None)
    assert not breaker.guard("e").is_probe
    breaker.guard("e")


def test_a_cancelled_probe_gives_its_place_to_the_next(clock):
    """A probe that was only told to stop neither closes the circuit nor blocks it for ever."""
    breaker = Breaker(threshold=1, cooldown=10, clock=clock)
    _once(breaker, Unreachable("x"))
    clock.now += 10
    breaker.told(breaker.guard("e"), Cancelled("stop"))
    assert breaker.guard("e").is_probe
    with pytest.raises(Cancelled):
        breaker.guard("e", check=_stop)


def test_a_later_job_may_look_for_itself(clock):
    """Who tries again after a top-up need not wait for the pause; who was there before must."""
    breaker, first, later = Breaker(cooldown=60, clock=clock), Job(), Job()
    _once(breaker, NoCredit("empty"), job=first)
    with pytest.raises(NoCredit):
        breaker.guard("e", job=first)
    probe = breaker.guard("e", job=later)
    assert probe.is_probe
    breaker.told(probe, None)
    assert not breaker.guard("e", job=first).is_probe


def test_all_lines_of_a_later_job_wait_for_its_first(clock):
    """After a top-up twenty lines come at once: one looks, and with its answer all go."""
    breaker, later = Breaker(cooldown=60, clock=clock), Job()
    _once(breaker, NoCredit("empty"), job=Job())
    probe, gone = breaker.guard("e", job=later), []
    threads = [threading.Thread(target=lambda: gone.append(breaker.guard("e", job=later))) for _ in range(20)]
    for thread in threads:
        thread.start()
    assert gone == []
    breaker.told(probe, None)
    for thread in threads:
        thread.join(10)
    assert [leave.is_probe for leave in gone] == [False] * 20


def test_a_later_job_looks_only_once(clock):
    """The second job is told the same as the first, and then it is over for it, too."""
    breaker, later = Breaker(cooldown=60, clock=clock), Job()
    _once(breaker, Refused("bad key"), job=Job())
    _once(breaker, Refused("bad key"), job=later)
    with pytest.raises(Refused):
        breaker.guard("e", job=later)


def test_two_requests_at_most_before_the_first_answer():
    """Thirty-two callers on an account nobody knows: two go, and when one is refused nobody follows."""
    breaker, job = Breaker(), Job()
    gone, answer, ends = [], threading.Event(), []

    def caller():
        try:
            leave = breaker.guard("e", job=job, is_trial=True)
        except Refused:
            ends.append("never sent")
            return
        gone.append(leave)
        answer.wait(10)
        breaker.told(leave, Refused("bad key"))
        ends.append("refused")

    threads = [threading.Thread(target=caller) for _ in range(32)]
    for thread in threads:
        thread.start()
    while len(gone) < 2:
        answer.wait(0.01)
    answer.set()
    for thread in threads:
        thread.join(10)
    assert sorted(ends) == ["never sent"] * 30 + ["refused"] * 2
    assert sorted(leave.is_second for leave in gone) == [False, True]


def test_the_first_answer_lets_everybody_go():
    """Once the account has answered there is no limit but its lanes."""
    breaker = Breaker()
    leaves = [breaker.guard("e", is_trial=True) for _ in range(2)]
    breaker.told(leaves[0], None)
    for _ in range(10):
        assert not breaker.guard("e", is_trial=True).is_second


def test_no_answer_proves_nothing_and_makes_room():
    """A time-out says nothing about the key: the next of those waiting may try, two at a time."""
    breaker = Breaker(threshold=99)
    first = breaker.guard("e", is_trial=True)
    breaker.guard("e", is_trial=True)
    breaker.told(first, Unreachable("x"))
    assert not breaker.is_proven("e")
    assert breaker.guard("e", is_trial=True).is_second


def test_waiting_for_the_first_answer_can_be_stopped():
    """Who waits hears a request to stop."""
    breaker = Breaker()
    for _ in range(2):
        breaker.guard("e", is_trial=True)

    with pytest.raises(Cancelled):
        breaker.guard("e", is_trial=True, check=_stop)


def test_proof_from_elsewhere_lets_everybody_go():
    """An account that was looked at in another way is known."""
    breaker = Breaker()
    for _ in range(2):
        breaker.guard("e", is_trial=True)
    breaker.prove("e")
    assert breaker.guard("e", is_trial=True) == Leave("e", is_trial=True)
