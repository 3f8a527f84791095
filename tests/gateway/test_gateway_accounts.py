"""Jobs that share an account: what one learns holds for all; wrong keys, gates, rented voices, events."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from cloud import Account, CloudSynthesizer

from autodub.gateway.accounts import EVERYBODY, Accounts
from autodub.gateway.cancel import Cancel
from autodub.gateway.gateway import Gateway
from autodub.gateway.retry import NO_RETRY
from autodub.model.calls import ListVoices
from autodub.model.errors import (
    Busy,
    Cancelled,
    EngineCannot,
    Gone,
    Refused,
    Unreachable,
)
from autodub.model.media import Audio, Blob
from autodub.testing.fakes import FakeSynthesizer
from autodub.testing.script import Hang, Script


@pytest.fixture
def accounts():
    """What this test's jobs know about accounts."""
    return Accounts()


def _ends(gateway, engine, requests):
    """How many calls side by side ended: name of the error, or ok."""

    def ask(request):
        try:
            gateway.call(engine, "synthesize", request)
        except (Refused, Unreachable) as error:
            return type(error).__name__
        return "ok"

    with ThreadPoolExecutor(len(requests)) as pool:
        return sorted(pool.map(ask, requests))


@pytest.mark.parametrize("is_examined", [True, False])
def test_a_wrong_key_is_used_twice_at_most(store, say, accounts, is_examined):
    """Thirty-two lines at once with a wrong key: two requests, and every error names the setting."""
    engine = CloudSynthesizer(key="bad", lanes=32)
    if not is_examined:
        engine.examine = None
    gateway = Gateway(store, accounts=accounts)
    ends = _ends(gateway, engine, [say(f"line {n}") for n in range(32)])
    assert engine.requests <= 2
    assert set(ends) == {"Refused"}
    with pytest.raises(Refused, match="CLOUD_KEY"):
        gateway.call(engine, "synthesize", say("another"))
    assert engine.requests <= 2


def test_two_jobs_with_a_wrong_key_use_it_twice_at_most(store, say, accounts):
    """Both were there before the refusal, so neither tries for itself."""
    engine = CloudSynthesizer(key="bad", lanes=32)
    jobs = [Gateway(store, accounts=accounts) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda n: _ends(jobs[n], engine, [say(f"{n} line {m}") for m in range(8)]), range(2)))
    assert engine.requests <= 3  # the second job may have come after the first was refused


def test_a_good_key_is_examined_rather_than_waited_for(store, say, accounts):
    """While the first call takes its time, a look at the account lets all the others go."""
    release, out = threading.Event(), threading.Semaphore(0)

    class Slow(CloudSynthesizer):
        def synthesize(self, request, work):
            out.release()
            release.wait(10)
            return super().synthesize(request, work)

    engine = Slow(lanes=8)
    gateway = Gateway(store, accounts=accounts)
    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(gateway.call, engine, "synthesize", say(f"line {n}")) for n in range(8)]
        for _ in range(8):
            assert out.acquire(timeout=10), "a call waited for the first one's answer"
        release.set()
        for call in calls:
            call.result(10)
    assert engine.examined == 1


@pytest.mark.parametrize("trouble", [Unreachable("no list"), Busy("later"), EngineCannot("no such model")])
def test_an_examination_that_fails_otherwise_stops_nobody(store, say, accounts, trouble):
    """Whatever else is wrong is for the calls themselves to meet."""
    engine = CloudSynthesizer(examination=trouble)
    ends = _ends(Gateway(store, accounts=accounts), engine, [say(f"line {n}") for n in range(6)])
    assert ends == ["ok"] * 6


def test_a_single_call_needs_no_examination(store, say, accounts):
    """Where nobody waits, nobody looks."""
    engine, gateway = CloudSynthesizer(), Gateway(store, accounts=accounts)
    for n in range(3):
        gateway.call(engine, "synthesize", say(f"line {n}"))
    assert (engine.examined, engine.requests) == (0, 3)


def test_jobs_share_an_account_and_engines_without_one_do_not(store, say):
    """Two dubs of a process meet the same closed account, but each its own local engine."""
    engine, waiting = CloudSynthesizer(script=Script([Refused("revoked")])), Gateway(store)
    waiting.call(CloudSynthesizer(), "list_voices", ListVoices("es"))
    with pytest.raises(Refused):
        Gateway(store).call(engine, "synthesize", say())
    with pytest.raises(Refused, match="revoked"):
        waiting.call(engine, "synthesize", say())
    Gateway(store).call(engine, "synthesize", say())  # a later job looks for itself, and opens it for all
    waiting.call(engine, "synthesize", say("c"))
    assert EVERYBODY.breaker.is_proven("cloud:good")
    local = FakeSynthesizer(script=Script([Refused("no")]))
    with pytest.raises(Refused):
        Gateway(store).call(local, "synthesize", say("a"))
    Gateway(store).call(local, "synthesize", say("b"))


def test_what_one_job_learns_holds_for_the_other(store, say, accounts, clock):
    """A refusal for being busy narrows the gate of the account, whoever asks next."""
    engine = CloudSynthesizer(lanes=8, script=Script([Busy("slow")]))
    Gateway(store, accounts=accounts, clock=clock, sleep=clock.sleep).call(engine, "synthesize", say("a"))
    assert accounts.lanes.width("cloud:good/speech") < 8
    other = Gateway(store, accounts=accounts)
    other.call(engine, "list_voices", ListVoices("es"))
    assert accounts.lanes.width("cloud:good/voices") == 8


def test_the_account_tells_its_limit(store, say, accounts):
    """What an engine reads from a reply opens the gate, and the change is announced without the key."""
    events = []
    engine = CloudSynthesizer(lanes=2)
    engine.reply = lambda work: work.allow(10)
    Gateway(store, accounts=accounts, listener=events.append).call(engine, "synthesize", say())
    assert accounts.lanes.width("cloud:good/speech") == 10
    (widened,) = [event for event in events if event.kind == "gate.widened"]
    assert (widened.data["lanes"], widened.data["ceiling"], widened.data["pool"]) == (10, 10, "speech")


def test_a_pause_asked_of_one_holds_for_all(store, say, clock):
    """Retry-After stops the whole pool for that long, and the call that was told goes on after it."""
    accounts = Accounts(clock=clock)
    engine, events = CloudSynthesizer(script=Script([Busy("slow", retry_after=30.0)])), []
    gateway = Gateway(
        store, accounts=accounts, clock=clock, sleep=clock.sleep, chance=lambda: 0.0, listener=events.append
    )
    gateway.call(engine, "synthesize", say())
    assert clock.slept == [30.0]
    (narrowed,) = [event for event in events if event.kind == "gate.narrowed"]
    assert narrowed.data["pause"] == 30.0


def test_the_story_of_a_call(store, say, accounts, clock):
    """Started, retried, finished: with ids, seconds and money, and neither text nor key."""
    events = []
    engine = CloudSynthesizer(key="sekrit", script=Script([Unreachable("reset")]))
    gateway = Gateway(
        store, accounts=accounts, listener=events.append, clock=clock, sleep=clock.sleep, prices=_prices()
    )
    gateway.call(engine, "synthesize", say("palabras secretas"), stage="speak")
    gateway.call(engine, "synthesize", say("palabras secretas"), stage="speak")
    kinds = [event.kind for event in events]
    assert kinds == ["call.started", "call.retried", "call.finished", "call.finished"]
    assert events[2].data["request"] == "req-1 req-2"
    assert events[2].data["dollars"] == pytest.approx(17 * 0.001)
    assert "dollars" not in events[3].data
    assert not any("palabras" in repr(event) or "sekrit" in repr(event) for event in events)


def _prices():
    from autodub.dubbing.prices import load

    return load(
        'dated = "2026-01-01"\n[[price]]\nengine = "synthesizer.fake"\n'
        'unit = "characters"\ndollars = "0.001"\n'
    )


def test_a_refused_account_is_announced_once(store, say, accounts):
    """One event says why nobody asks any more; the calls that then fail have their own."""
    events = []
    engine = CloudSynthesizer(key="bad", lanes=8)
    gateway = Gateway(store, accounts=accounts, listener=events.append)
    _ends(gateway, engine, [say(f"line {n}") for n in range(8)])
    (blocked,) = [event for event in events if event.kind == "account.blocked"]
    assert (blocked.message, blocked.data["code"], blocked.data["is_refusal"]) == (
        "The key was refused.",
        "refused",
        True,
    )
    assert len([event for event in events if event.kind == "call.failed"]) == 8


def test_cloud_answers_of_another_accounts_voices_are_not_used(store, accounts):
    """Which voices there are depends on the account; what they say does not."""
    gateway = Gateway(store, accounts=accounts)
    for key in ("one", "two", "one"):
        gateway.call(CloudSynthesizer(key=key), "list_voices", ListVoices("es"))
    (count,) = gateway.calls()
    assert (count.made, count.kept) == (2, 1)


@pytest.fixture
def cloned(say):
    """A request to speak in a cloned voice."""
    sample = Audio(Blob("a" * 64, 1, ".wav"), 16_000, 1, 16_000)

    def make(text="hola"):
        request = say(text)
        return replace(request, voice=replace(request.voice, id="clone-1", reference=sample))

    return make


def test_a_voice_deleted_mid_job_is_made_once_more(store, accounts, tmp_path, cloned):
    """Six lines find the clone gone: one more is made, no line is lost, and all is given back."""
    account = Account(tmp_path / "account")
    events = []
    engine = CloudSynthesizer(account=account)
    gateway = Gateway(store, accounts=accounts, listener=events.append)
    gateway.call(engine, "synthesize", cloned("first"))
    account.forget(*account.voices().values())
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda n: gateway.call(engine, "synthesize", cloned(f"line {n}")), range(6)))
    assert len(account.made) == 2
    assert len(gateway.rented()) == 1
    assert len(gateway.give_back(engine).deleted) == 2
    assert account.voices() == {}
    kinds = [event.kind for event in events if event.kind.startswith("voice.")]
    assert kinds == ["voice.rented"] * 2 + ["voice.returned"] * 2


def test_a_voice_that_is_always_gone_is_given_up(store, accounts, tmp_path, cloned):
    """Made once more and gone again: the call fails, it does not clone for ever."""

    class Forgetting(Account):
        def voices(self):
            return {}

    account = Forgetting(tmp_path / "account")
    engine = CloudSynthesizer(account=account)
    with pytest.raises(Gone):
        Gateway(store, accounts=accounts).call(engine, "synthesize", cloned())
    assert len(account.made) == 2


def test_kept_speech_survives_its_clone(store, accounts, tmp_path, cloned):
    """A second run rents nothing: every line is kept, whatever became of the voice."""
    account = Account(tmp_path / "account")
    engine = CloudSynthesizer(account=account)
    first = Gateway(store, accounts=accounts)
    answer = first.call(engine, "synthesize", cloned())
    first.give_back(engine)
    second = Gateway(store, accounts=accounts)
    assert second.call(engine, "synthesize", cloned()) == answer
    assert second.rented() == ()
    assert len(account.made) == 1


def test_a_deletion_passes_the_same_door(store, accounts, tmp_path, cloned):
    """Giving back is retried, briefly, and a voice that cannot be deleted is no failure of the job."""
    account = Account(tmp_path / "account")
    engine = CloudSynthesizer(account=account)
    gateway = Gateway(store, accounts=accounts, sleep=lambda _: None)
    gateway.call(engine, "synthesize", cloned())
    tries = []

    def forget(request, work):
        tries.append(request.handle)
        if len(tries) < 5:
            raise Unreachable("no answer")
        account.forget(request.handle)

    engine.forget = forget
    back = gateway.give_back(engine)
    assert len(tries) == 3
    assert back.failed[0][1] == "no answer"
    assert len(Gateway(store, accounts=accounts, sleep=lambda _: None).sweep(engine).deleted) == 1
    assert account.voices() == {}


def test_only_what_rents_can_give_back(store):
    """An engine without voices of its own is a mistake of the caller's."""
    with pytest.raises(TypeError, match="rents nothing"):
        Gateway(store).give_back(FakeSynthesizer())


def test_a_deaf_cloud_engine_does_not_hold_a_request_to_stop(store, say, accounts):
    """A blocking request has a short grace: the thread is left behind and the job ends."""
    script, cancel, began = Script([Hang()]), Cancel(), threading.Event()
    engine = CloudSynthesizer(script=script)
    engine.reply = lambda work: began.set()
    gateway = Gateway(store, accounts=accounts, cancel=cancel, grace=1000.0, net_grace=0.05)

    def stop():
        began.wait(10)
        cancel.request()

    threading.Thread(target=stop).start()
    with pytest.raises(Cancelled):
        gateway.call(engine, "synthesize", say())
    script.release()


def test_what_a_failed_attempt_consumed_is_on_the_bill(store, say, accounts):
    """An answer that was paid for and is of no use was paid for all the same."""
    engine = CloudSynthesizer()
    calls = []

    def reply(work):
        calls.append(1)
        if len(calls) == 1:
            work.meter("characters", 4)
            raise Unreachable("cut off after the answer")

    engine.reply = reply
    gateway = Gateway(store, accounts=accounts, sleep=lambda _: None, prices=_prices())
    gateway.call(engine, "synthesize", say("hola"))
    (charge,) = gateway.bill().charges
    assert charge.amount == 8
    (count,) = gateway.calls()
    assert (count.asked, count.made, count.sent, count.retried) == (1, 1, 2, 1)


def test_one_of_five_requests_failing_loses_no_call(store, say, clock):
    """Eighty calls with a fifth of all requests failing at random: all answered, none asked twice."""
    import random

    chance = random.Random(3)
    accounts = Accounts(clock=clock)
    engine = CloudSynthesizer(lanes=5)

    def reply(work):
        if chance.random() < 0.2:
            raise chance.choice(
                [Busy("429"), Busy("429", retry_after=1.0), Unreachable("500"), Unreachable("reset")]
            )

    engine.reply = reply
    gateway = Gateway(store, accounts=accounts, clock=clock, sleep=clock.sleep, prices=_prices())
    for n in range(80):
        gateway.call(engine, "synthesize", say(f"line {n:02}"))
    assert gateway.bill().charges[0].amount == 80 * 7
    assert clock.now - 1000 < 120


def test_an_open_account_stops_a_call_that_waits_to_retry(store, say, accounts, clock):
    """While one call waits to try again another is refused: the first is not sent once more."""
    script = Script([Unreachable("reset")])
    engine = CloudSynthesizer(script=script)

    def sleep(_seconds):
        other = CloudSynthesizer(script=Script([Refused("the key was revoked")]))
        with pytest.raises(Refused):
            gateway.call(other, "synthesize", say("other"))

    gateway = Gateway(store, accounts=accounts, sleep=sleep)
    with pytest.raises(Refused, match="revoked"):
        gateway.call(engine, "synthesize", say("first"))
    assert len(script.requests) == 1


def test_no_retry_means_one_request(store, say, accounts):
    """A policy of one attempt is kept for cloud engines, too."""
    engine = CloudSynthesizer(script=Script([Busy("later")]))
    with pytest.raises(Busy):
        Gateway(store, accounts=accounts, retry=NO_RETRY).call(engine, "synthesize", say())
    assert engine.requests == 1


def test_a_stock_voice_that_is_gone_is_not_offered_for_ever(store, say):
    """The kept list of voices is wrong then: it is asked for again, so that a later run casts another."""
    engine = CloudSynthesizer(script=Script([Gone("No such voice.")]))
    gateway = Gateway(store, accounts=Accounts())
    gateway.call(engine, "list_voices", ListVoices("es"))
    gateway.call(engine, "list_voices", ListVoices("es"))
    with pytest.raises(Gone):
        gateway.call(engine, "synthesize", say())
    gateway.call(engine, "list_voices", ListVoices("es"))
    (listing,) = (count for count in gateway.calls() if count.verb == "list_voices")
    assert (listing.asked, listing.made) == (3, 2)
