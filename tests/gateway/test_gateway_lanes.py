"""How a gate narrows, pauses, spaces and widens, and whose turn it is."""

import itertools
import threading
from contextlib import ExitStack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodub.gateway.lanes import Lanes, Turn
from autodub.model.errors import Cancelled


def _free():
    """Nobody asks to stop."""


def _many(lanes, count, width, stack, **more):
    """Tickets of calls that are under way together."""
    return [stack.enter_context(lanes.enter("e", width, _free, **more)) for _ in range(count)]


def _answer(lanes, times, width=5):
    """So many calls, one after the other, answered."""
    for _ in range(times):
        with lanes.enter("e", width, _free) as ticket:
            lanes.answered(ticket)


def test_a_burst_of_refusals_counts_once():
    """Five calls under way together and all refused: one lesson, not five."""
    lanes = Lanes()
    with ExitStack() as stack:
        tickets = _many(lanes, 10, 10, stack)
        changes = [lanes.refused(ticket) for ticket in tickets]
    assert [change is not None for change in changes] == [True] + [False] * 9
    assert lanes.width("e") == 7
    with ExitStack() as stack:
        lanes.refused(_many(lanes, 7, 10, stack)[0])
    assert lanes.width("e") == 4


def test_a_gate_that_was_not_full_narrows_to_what_was_under_way():
    """With two of ten lanes in use, a refusal says that even two are many; one lane always stays."""
    lanes = Lanes()
    with ExitStack() as stack:
        lanes.refused(_many(lanes, 2, 10, stack)[0])
    assert lanes.width("e") == 2
    for _ in range(3):
        with lanes.enter("e", 10, _free) as ticket:
            lanes.refused(ticket)
    assert lanes.width("e") == 1


def test_a_gate_creeps_back_and_no_further():
    """Answers give one lane at a time back, up to the engine's own number."""
    lanes = Lanes()
    with ExitStack() as stack:
        lanes.refused(_many(lanes, 5, 5, stack)[0])
    assert lanes.width("e") == 3
    _answer(lanes, 10)
    assert lanes.width("e") == 4
    _answer(lanes, 100)
    assert lanes.width("e") == 5


def test_a_gate_that_went_too_far_waits_longer_before_the_next_time():
    """Widening into a refusal doubles the answers it takes to try again."""
    lanes = Lanes()
    with ExitStack() as stack:
        lanes.refused(_many(lanes, 5, 5, stack)[0])
    _answer(lanes, 10)
    with ExitStack() as stack:
        lanes.refused(_many(lanes, 4, 5, stack)[0])
    assert lanes.width("e") == 2
    _answer(lanes, 19)
    assert lanes.width("e") == 2
    _answer(lanes, 1)
    assert lanes.width("e") == 3


def test_the_account_may_say_how_many():
    """What the provider says replaces the engine's guess, upwards and downwards, and stays."""
    lanes = Lanes()
    with lanes.enter("e", 2, _free) as ticket:
        change = lanes.allow(ticket, 10)
        assert (change.lanes, change.ceiling) == (10, 10)
        assert lanes.allow(ticket, 10) is None
        lanes.allow(ticket, 3)
    assert (lanes.width("e"), lanes.ceiling("e")) == (3, 3)
    with lanes.enter("e", 32, _free):
        assert lanes.width("e") == 3


def test_what_was_learnt_survives_being_told_the_same_again():
    """Every answer repeats the account's limit; that must not undo what a refusal has taught."""
    lanes = Lanes()
    with ExitStack() as stack:
        tickets = _many(lanes, 10, 10, stack)
        lanes.refused(tickets[0])
        lanes.allow(tickets[1], 10)
        assert lanes.width("e") == 7
        lanes.allow(tickets[1], 20)
    assert (lanes.width("e"), lanes.ceiling("e")) == (7, 20)


def test_being_told_how_long_to_wait_holds_for_all(clock):
    """After Retry-After nobody begins until it is over, whoever was told."""
    lanes = Lanes(clock=clock)
    with lanes.enter("e", 5, _free) as ticket:
        change = lanes.refused(ticket, 30.0)
    assert change.pause == 30.0
    with lanes.enter("e", 5, _free, job=Turn("another"), wait=clock.sleep):
        pass
    assert clock.slept == [30.0]
    with lanes.enter("other pool", 5, _free, wait=clock.sleep):
        pass
    assert clock.slept == [30.0]


def test_a_distance_between_starts_is_learnt_and_forgotten(clock):
    """Calls that come too fast keep a distance afterwards, which answers make smaller until it is gone."""
    lanes = Lanes(clock=clock)
    for _ in range(8):
        clock.now += 0.4
        with lanes.enter("e", 5, _free, wait=clock.sleep) as ticket:
            pass
    lanes.refused(ticket, 5.0)
    starts = []
    for _ in range(4):
        with lanes.enter("e", 5, _free, wait=clock.sleep) as ticket:
            starts.append(clock.now)
    assert starts[0] == pytest.approx(1003.2 + 5.0)
    assert [b - a for a, b in itertools.pairwise(starts)] == pytest.approx([0.5] * 3)
    for _ in range(200):
        lanes.answered(ticket)
    clock.slept.clear()
    for _ in range(4):
        with lanes.enter("e", 5, _free, wait=clock.sleep):
            pass
    assert clock.slept == []


def test_jobs_take_turns():
    """A job with many calls waiting does not keep out one that has a single call."""
    lanes, order, ready = Lanes(), [], threading.Semaphore(0)
    hold = threading.Event()
    big, small = Turn(job="big"), Turn(job="small")

    def call(job):
        with lanes.enter("e", 2, lambda: ready.release(), job=job):
            order.append(job.job)
            hold.wait(10)

    with lanes.enter("e", 2, _free, job=big), lanes.enter("e", 2, _free, job=big):
        threads = []
        for job in [big] * 6 + [small]:
            thread = threading.Thread(target=call, args=(job,))
            thread.start()
            threads.append(thread)
            ready.acquire(timeout=10)
    while len(order) < 2:
        ready.acquire(timeout=10)
    assert sorted(order[:2]) == ["big", "small"]
    hold.set()
    for thread in threads:
        thread.join(10)
    assert order.count("big") == 6


def test_waiting_for_a_lane_can_be_stopped():
    """Who waits for a lane hears a request to stop, and does not stand in the way afterwards."""
    lanes = Lanes()

    def stop():
        raise Cancelled("stop")

    with lanes.enter("e", 1, _free), pytest.raises(Cancelled), lanes.enter("e", 1, stop):
        pass
    with lanes.enter("e", 1, stop):
        pass


def test_a_pause_can_be_stopped(clock):
    """Who waits for the end of a pause hears a request to stop in the wait itself."""
    lanes = Lanes(clock=clock)
    with lanes.enter("e", 1, _free) as ticket:
        lanes.refused(ticket, 1000.0)

    def wait(_seconds):
        raise Cancelled("stop")

    with pytest.raises(Cancelled), lanes.enter("e", 1, _free, wait=wait):
        pass
    clock.now += 1000
    with lanes.enter("e", 1, _free):
        pass


def test_a_lane_is_freed_by_a_failure():
    """An engine that raises does not keep its lane."""
    lanes = Lanes()
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), lanes.enter("e", 1, _free):
            raise ZeroDivisionError
    with lanes.enter("e", 1, _free) as ticket:
        assert ticket.pool == "e"


@settings(deadline=None, max_examples=150)
@given(
    st.integers(1, 12),
    st.lists(
        st.one_of(
            st.tuples(st.just("enter"), st.none()),
            st.tuples(st.sampled_from(["answered", "refused", "paused"]), st.integers(0, 30)),
            st.tuples(st.just("allow"), st.integers(0, 20)),
        ),
        max_size=80,
    ),
)
def test_a_gate_is_never_wider_than_its_ceiling_nor_shut(width, steps):
    """Whatever happens, 1 <= lanes <= ceiling, and no more calls are let in than there were lanes."""
    clock = [0.0]
    lanes, inside = Lanes(clock=lambda: clock[0]), []

    def sleep(seconds):
        clock[0] += seconds

    ceiling = width
    with ExitStack() as stack:
        for what, number in [("enter", None), *steps]:
            if what == "enter":
                if len(inside) < (lanes.width("e") or width):
                    context = lanes.enter("e", width, _free, wait=sleep)
                    inside.append((context, context.__enter__()))
                    stack.callback(lambda c=context: c.__exit__(None, None, None))
            elif inside:
                _, ticket = inside[number % len(inside)]
                if what == "allow":
                    lanes.allow(ticket, number)
                    ceiling = max(1, number)
                elif what == "answered":
                    lanes.answered(ticket)
                elif what in ("refused", "paused"):
                    lanes.refused(ticket, 2.0 if what == "paused" else None)
            assert lanes.ceiling("e") == ceiling
            assert 1 <= lanes.width("e") <= ceiling
