"""A job's money: set aside before a call, replaced by what it cost, never exceeded by more than a call."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal

import pytest
from cloud import CloudSynthesizer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autodub.dubbing.prices import PriceTable, load
from autodub.gateway.accounts import Accounts
from autodub.gateway.attempt import Call
from autodub.gateway.budget import Budget
from autodub.gateway.gateway import Gateway
from autodub.gateway.retry import RetryPolicy
from autodub.model.errors import BadAnswer, BudgetExceeded, Cancelled, Rejected
from autodub.testing.fakes import FakeSynthesizer
from autodub.testing.script import Script

TABLE = load(
    """
    dated = "2026-01-01"
    [[price]]
    engine = "synthesizer.fake"
    unit = "characters"
    dollars = "0.01"
    """
)


def _gateway(store, cap, **more):
    return Gateway(store, accounts=Accounts(), prices=TABLE, cap=Decimal(cap), **more)


def _call(engine="fake"):
    info = replace(FakeSynthesizer.describe(), name=engine, paid=True)
    return Call(None, info, "synthesize", None, "", object, "")


def test_a_call_that_would_cost_too_much_is_not_sent(store, say):
    """Refused before it goes out: what it would cost, what is spent, and how to go on."""
    engine, events = CloudSynthesizer(), []
    gateway = _gateway(store, "0.10", listener=events.append)
    gateway.call(engine, "synthesize", say("sesenta"))
    with pytest.raises(BudgetExceeded) as caught:
        gateway.call(engine, "synthesize", say("cuatro"))
    assert engine.requests == 1
    assert "$0.0600" in str(caught.value)
    assert "$0.0700 of $0.10 is spent" in str(caught.value)
    assert "--budget" in caught.value.hint
    money_events = [(event.kind, event.data["spent"]) for event in events if "budget" in event.kind]
    assert money_events == [("budget.spent", 0.07), ("budget.exhausted", 0.07)]


def test_after_the_first_refusal_no_paid_call_is_sent(store, say):
    """A shorter line that would still fit is not spoken instead; what is kept stays available."""
    engine = CloudSynthesizer()
    gateway = _gateway(store, "0.10")
    kept = gateway.call(engine, "synthesize", say("sesenta"))
    for text in ("cuatro", "a"):
        with pytest.raises(BudgetExceeded):
            gateway.call(engine, "synthesize", say(text))
    assert gateway.call(engine, "synthesize", say("sesenta")) == kept
    assert engine.requests == 1


def test_a_budget_can_be_lowered_and_set_later_but_never_raised(store, say):
    """What was spent before counts."""
    engine = CloudSynthesizer()
    lowered, set_later = _gateway(store, "1"), Gateway(store, accounts=Accounts(), prices=TABLE)
    lowered.call(engine, "synthesize", say("sesenta"))
    for gateway, text in ((lowered, "dos"), (set_later, "cincocientos")):
        gateway.afford(Decimal("0.09"))
        gateway.afford(Decimal("5"))
        with pytest.raises(BudgetExceeded):
            gateway.call(engine, "synthesize", say(text))
    assert engine.requests == 1


def test_kept_answers_cost_nothing(store, say):
    """A second run of the same lines needs no money at all."""
    engine = CloudSynthesizer()
    _gateway(store, "1").call(engine, "synthesize", say("sesenta"))
    again = _gateway(store, "0")
    again.call(engine, "synthesize", say("sesenta"))
    (charge,) = again.bill().charges
    assert (charge.amount, charge.dollars, charge.cached) == (7, 0, True)
    with pytest.raises(BudgetExceeded):
        again.call(engine, "synthesize", say("x"))


def test_free_engines_need_no_budget(store, say):
    """An engine of this machine works whatever the cap is, and is not on the bill."""
    gateway = _gateway(store, "0")
    gateway.call(FakeSynthesizer(), "synthesize", say())
    assert gateway.bill().charges == ()


def test_free_verbs_of_a_paid_engine_go_out(store):
    """Listing voices costs nothing, so it needs nothing."""
    from autodub.model.calls import ListVoices

    assert _gateway(store, "0").call(CloudSynthesizer(), "list_voices", ListVoices("es")).voices


def test_an_engine_without_a_price_is_refused_under_a_cap(store, say):
    """A budget that cannot be kept is not pretended; without a cap the engine works and the bill says so."""
    engine = CloudSynthesizer()
    nothing = PriceTable((), "2026-01-01")
    capped = Gateway(store, accounts=Accounts(), prices=nothing, cap=Decimal(5))
    with pytest.raises(BudgetExceeded, match=r"synthesizer\.fake with fake-1 costs is not known") as caught:
        capped.call(engine, "synthesize", say())
    assert "prices" in caught.value.hint
    free = Gateway(store, accounts=Accounts(), prices=nothing)
    free.call(engine, "synthesize", say())
    assert free.bill().unpriced == ("synthesizer.fake",)
    assert free.bill().charges[0].dollars is None


def test_what_failed_gives_its_money_back(store, say):
    """A rejected line leaves the whole cap to the others."""
    engine = CloudSynthesizer(script=Script([Rejected("not that")]))
    gateway = _gateway(store, "0.07")
    with pytest.raises(Rejected):
        gateway.call(engine, "synthesize", say("setenta"))
    gateway.call(engine, "synthesize", say("sesenta"))


def test_a_call_waits_for_what_others_turn_out_to_cost():
    """Money that is only set aside does not refuse: the other call may be cheaper than it said."""
    budget, call = Budget(Decimal("0.15"), TABLE), _call()
    first = budget.reserve(call, {"characters": 10.0}, check=lambda: None)
    second = []
    thread = threading.Thread(
        target=lambda: second.append(budget.reserve(call, {"characters": 10.0}, check=lambda: None))
    )
    thread.start()
    thread.join(0.05)
    assert second == []
    assert budget.settle(call, first, {"characters": 4.0}) == Decimal("0.04")
    thread.join(10)
    assert [reserve.dollars for reserve in second] == [Decimal("0.1")]


def test_waiting_for_money_can_be_stopped():
    """Who waits hears a request to stop."""
    budget, call = Budget(Decimal("0.15"), TABLE), _call()
    budget.reserve(call, {"characters": 10.0}, check=lambda: None)

    def stop():
        raise Cancelled("stop")

    with pytest.raises(Cancelled):
        budget.reserve(call, {"characters": 10.0}, check=stop)


def test_an_engine_that_takes_more_than_it_said_is_expected_to():
    """After a call that cost double, the next is weighed at double."""
    budget, call = Budget(Decimal("0.40"), TABLE), _call()
    budget.settle(call, budget.reserve(call, {"characters": 10.0}, check=lambda: None), {"characters": 20.0})
    with pytest.raises(BudgetExceeded):
        budget.reserve(call, {"characters": 11.0}, check=lambda: None)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(1, 40), st.floats(0.2, 1.15)), min_size=1, max_size=40),
    st.integers(1, 5),
    st.integers(0, 300),
)
def test_no_order_of_calls_exceeds_the_cap_by_more_than_one(calls, lanes, cents):
    """Side by side, with quotes that are mostly too high and sometimes too low."""
    cap = Decimal(cents) / 100
    budget, call = Budget(cap, TABLE), _call()
    dearest = max(Decimal(str(round(quote * share, 6))) / 100 for quote, share in calls)

    def spend(one):
        quote, share = one
        try:
            reserved = budget.reserve(call, {"characters": float(quote)}, check=lambda: None)
        except BudgetExceeded:
            return False
        budget.settle(call, reserved, {"characters": round(quote * share, 6)})
        return True

    with ThreadPoolExecutor(lanes) as pool:
        done = list(pool.map(spend, calls))
    assert budget.spent <= cap + dearest
    if sum(Decimal(quote) / 100 for quote, _ in calls) * Decimal("1.5") <= cap:
        assert all(done), "refused although everything would have fitted"


def test_side_by_side_the_cap_holds(store, say):
    """Thirty lines at once under a cap for ten: ten are spoken and paid for, the rest is never sent."""
    engine = CloudSynthesizer(lanes=8, script=Script(delay=0.01))
    gateway = _gateway(store, "0.70")

    def ask(n):
        try:
            gateway.call(engine, "synthesize", say(f"line {n:02}"))
        except BudgetExceeded:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(ask, range(30)))
    assert sum(done) == 10
    assert gateway.bill().total == Decimal("0.70")


def test_calls_side_by_side_do_not_add_up_what_each_took_too_much():
    """Five calls that each cost half as much again make the next one dearer by half, not eightfold."""
    budget, call = Budget(Decimal("10"), TABLE), _call()
    reserves = [budget.reserve(call, {"characters": 10.0}, check=lambda: None) for _ in range(5)]
    for reserve in reserves:
        budget.settle(call, reserve, {"characters": 15.0})
    assert budget.reserve(call, {"characters": 10.0}, check=lambda: None).dollars == Decimal("0.15")


def test_attempts_that_were_charged_for_need_money_of_their_own(store, say):
    """Five lines at once whose first answers are paid nonsense: the cap holds, and the bill names it all."""
    engine, at_once = CloudSynthesizer(lanes=5), threading.Barrier(5, timeout=10)
    tried, lock = set(), threading.Lock()

    def reply(work):
        with lock:
            is_first = threading.get_ident() not in tried and len(tried) < 5
            tried.add(threading.get_ident())
        if is_first:
            at_once.wait()
            work.meter("characters", 10.0)
            raise BadAnswer("Nonsense.")

    engine.reply = reply
    gateway = _gateway(store, "0.50", retry=RetryPolicy(base=0.0))
    gateway._accounts.breaker.prove("cloud:good")

    def ask(n):
        try:
            gateway.call(engine, "synthesize", say(f"nonsense {n}"))
        except BudgetExceeded:
            return False
        return True

    with ThreadPoolExecutor(5) as pool:
        done = list(pool.map(ask, range(5)))
    assert not any(done), "all the money went into nonsense"
    assert gateway.bill().total == Decimal("0.50")


def test_a_charged_failure_and_its_repetition_are_both_paid_and_billed(store, say):
    """What the budget counts is what the bill says: ten characters of nonsense, then the line."""
    engine, events = CloudSynthesizer(script=Script([BadAnswer("Nonsense.")])), []
    engine.reply = lambda work: work.meter("characters", 10.0) if engine.requests == 1 else None
    gateway = _gateway(store, "0.50", listener=events.append, retry=RetryPolicy(base=0.0))
    gateway.call(engine, "synthesize", say("sesenta"))
    assert gateway.bill().total == Decimal("0.17")
    assert [event.data["spent"] for event in events if event.kind == "budget.spent"] == [0.1, 0.17]
    told = [(event.kind, event.data["dollars"]) for event in events if "dollars" in event.data]
    assert told == [("call.charged", 0.1), ("call.finished", 0.07)]


def test_what_a_call_was_charged_for_in_vain_is_told_without_a_cap_too(store, say):
    """Whoever adds up what events say comes to what the bill says."""
    engine, events = CloudSynthesizer(script=Script([BadAnswer("Nonsense.")] * 9)), []
    engine.reply = lambda work: work.meter("characters", 10.0)
    gateway = Gateway(
        store, accounts=Accounts(), prices=TABLE, listener=events.append, retry=RetryPolicy(base=0.0)
    )
    with pytest.raises(BadAnswer):
        gateway.call(engine, "synthesize", say("sesenta"))
    told = sum(Decimal(str(event.data.get("dollars", 0))) for event in events)
    assert told == gateway.bill().total > 0
