"""One call through the gateway: kept answers, failures, nonsense, cancellation, counting."""

import subprocess
import sys
import threading
from dataclasses import replace

import pytest

from autodub.engines.roles import Info
from autodub.gateway.accounts import Accounts
from autodub.gateway.cancel import Cancel
from autodub.gateway.gateway import Gateway
from autodub.gateway.retry import NO_RETRY, RetryPolicy
from autodub.gateway.store import Store
from autodub.model.calls import ListVoices, Translate
from autodub.model.errors import (
    BadAnswer,
    Busy,
    Cancelled,
    CircuitOpen,
    EngineCannot,
    NoCredit,
    Refused,
    Rejected,
    Unreachable,
)
from autodub.model.media import Blob
from autodub.model.speech import Line, Speech, Voices
from autodub.model.time import Span
from autodub.testing.fakes import FakeSynthesizer, FakeTranslator
from autodub.testing.script import Give, Hang, Proceed, Script


class NetSynthesizer(FakeSynthesizer):
    """The fake, as a cloud engine: it gets the full retry policy."""

    @classmethod
    def describe(cls):
        return replace(FakeSynthesizer.describe(), resource="net")


def test_a_kept_answer_is_not_made_again(store, say):
    """The second call, and one of a fresh gateway and engine, are answered from the store."""
    engine = FakeSynthesizer()
    gateway = Gateway(store)
    first = gateway.call(engine, "synthesize", say())
    assert gateway.call(engine, "synthesize", say()) == first
    other = FakeSynthesizer()
    assert Gateway(store).call(other, "synthesize", say()) == first
    assert len(engine.script.requests) == 1
    assert other.script.requests == []


def test_editing_one_line_makes_one_call(store, say):
    """Of ten lines with one changed, exactly the changed one is spoken anew (R21, R22)."""
    texts = [f"línea {n}" for n in range(10)]
    engine = FakeSynthesizer()
    for text in texts:
        Gateway(store).call(engine, "synthesize", say(text))
    texts[4] = "otra línea"
    engine.script.requests.clear()
    for text in texts:
        Gateway(store).call(engine, "synthesize", say(text))
    assert [request.text for request in engine.script.requests] == ["otra línea"]


def test_an_answer_whose_file_vanished_is_made_again(store, say):
    """A kept answer without its file counts as not kept, and is whole again afterwards."""
    gateway, engine = Gateway(store), FakeSynthesizer()
    first = gateway.call(engine, "synthesize", say())
    store.blobs.path(first.audio.blob).unlink()
    assert gateway.call(engine, "synthesize", say()) == first
    assert len(engine.script.requests) == 2
    assert store.blobs.has(first.audio.blob)


def test_what_the_first_run_sees_is_what_the_second_reads(store, say):
    """An answer goes through text before its first use, so lists and odd numbers look alike in both runs."""
    engine = FakeSynthesizer(script=Script([Give(Voices([replace(say().voice, pace=1)]))]))
    engine.list_voices = lambda request, work: engine.script.play(request, work).value
    first = Gateway(store).call(engine, "list_voices", ListVoices("es"))
    assert isinstance(first.voices, tuple)
    assert first == Gateway(store).call(engine, "list_voices", ListVoices("es"))


def test_busy_is_waited_for_as_long_as_it_says(store, say, clock):
    """Retry-After is honoured, the retry announced, and the answer counted once."""
    engine = NetSynthesizer(script=Script([Busy("slow down", retry_after=7.0), Busy("slow down")]))
    events = []
    gateway = Gateway(
        store, clock=clock, sleep=clock.sleep, chance=lambda: 0.0, listener=events.append, retry=RetryPolicy()
    )
    gateway.call(engine, "synthesize", say(), stage="speak")
    assert clock.slept == [7.0, 1.0]
    retried = [event for event in events if event.kind == "call.retried"]
    assert [event.data["code"] for event in retried] == ["busy", "busy"]
    assert {event.stage for event in events} == {"speak"}
    (count,) = gateway.calls()
    assert (count.asked, count.made, count.kept, count.retried, count.failed) == (1, 1, 0, 2, 0)


def test_what_cannot_succeed_is_not_tried_again(store, say):
    """A rejected request is asked for once, and the engine is named in the error."""
    engine = NetSynthesizer(script=Script([Rejected("The text is not allowed.")]))
    with pytest.raises(Rejected) as caught:
        Gateway(store).call(engine, "synthesize", say())
    assert caught.value.engine == "synthesizer.fake"
    assert len(engine.script.requests) == 1
    assert store.stats().answers == 0


def test_an_engine_of_this_machine_is_tried_twice_without_a_pause(store, say, clock):
    """A local crash may be chance: once more, at once, then it is final."""
    engine = FakeSynthesizer(script=Script([Unreachable("gone")] * 5))
    with pytest.raises(Unreachable):
        Gateway(store, clock=clock, sleep=clock.sleep).call(engine, "synthesize", say())
    assert len(engine.script.requests) == 2
    assert clock.slept == [0.0]


def test_a_crash_is_a_sentence_with_a_log(store, say):
    """An exception from outside the error tree is reported without its words; those go to a log file."""
    engine = FakeSynthesizer(script=Script([ZeroDivisionError("secret recipe"), ZeroDivisionError("again")]))
    with pytest.raises(Unreachable) as caught:
        Gateway(store, retry=NO_RETRY).call(engine, "synthesize", say())
    assert "synthesizer.fake crashed (ZeroDivisionError)" in str(caught.value)
    assert "secret recipe" not in str(caught.value)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    (log,) = (store.data_dir / "logs").iterdir()
    assert "secret recipe" in log.read_text()
    assert "Traceback" in log.read_text()
    assert str(log) in caught.value.hint
    assert log.stat().st_mode & 0o077 == 0


def test_the_log_of_an_owners_crash_goes_with_the_owner(store, say):
    """It may quote words of a dub; others' logs stay, and so does what the command line left."""
    owners = ("job-1", "job-2", None)
    for owner in owners:
        own = Store(store.data_dir, owner=owner)
        engine = FakeSynthesizer(script=Script([ValueError("'I was born in Riga' is no number")]))
        with pytest.raises(Unreachable):
            Gateway(own, retry=NO_RETRY).call(engine, "synthesize", say())
        (log,) = own.logs.glob("*.log")
        assert "born in Riga" in log.read_text()
        own.close()
    assert store.owners() == {"job-1", "job-2"}  # a sweep finds it when nothing else is left
    store.release("job-1")
    assert store.owners() == {"job-2"}
    assert [len(list((store.data_dir / "logs").glob(f"{n}*.log"))) for n in ("job-1/", "job-2/", "")] == [
        0, 1, 1,
    ]  # fmt: skip


def test_keys_reach_neither_errors_nor_logs(store, say):
    """A key in an engine's own words is blanked in the error and in the crash log (R29)."""
    words = "401 for key sk-very-secret, Authorization: Bearer abcdefgh12345678"
    engine = FakeSynthesizer(script=Script([Refused(words, hint=words), RuntimeError(words)]))
    redact = _redactor("sk-very-secret")
    with pytest.raises(Refused) as refused:
        Gateway(store, redact=redact).call(engine, "synthesize", say())
    with pytest.raises(Unreachable) as crash:
        Gateway(store, redact=redact, retry=NO_RETRY).call(engine, "synthesize", say())
    (log,) = (store.data_dir / "logs").iterdir()
    for text in (str(refused.value), repr(refused.value), str(crash.value), log.read_text()):
        assert "very-secret" not in text
        assert "abcdefgh12345678" not in text


def _redactor(key):
    from autodub.infra import settings

    return settings.load(environ={"OPENAI_API_KEY": key}, data_dir="/nowhere").redact


def test_nonsense_is_asked_for_once_more(store, say):
    """One senseless answer is forgiven; the good one after it is kept."""
    engine = FakeSynthesizer(script=Script([Give("not speech"), Proceed()]))
    assert isinstance(Gateway(store).call(engine, "synthesize", say()), Speech)
    assert len(engine.script.requests) == 2


def test_nonsense_twice_is_final_and_never_kept(store, say):
    """Two senseless answers are a BadAnswer, whatever the retry policy; nothing is stored."""
    engine = NetSynthesizer(script=Script([Give("no"), Give(object()), Proceed()]))
    with pytest.raises(BadAnswer, match="answered synthesize with nonsense"):
        Gateway(store, sleep=lambda _: None).call(engine, "synthesize", say())
    assert len(engine.script.requests) == 2
    assert store.stats().answers == 0


def test_an_answer_naming_a_file_it_did_not_keep_is_nonsense(store, say):
    """A result that names a blob nobody has is never kept."""
    engine = FakeSynthesizer()
    real = Gateway(store).call(engine, "synthesize", say())
    lost = replace(real, audio=replace(real.audio, blob=Blob("0" * 64, 10, ".wav")))
    engine = FakeSynthesizer(script=Script([Give(lost), Give(lost)]))
    with pytest.raises(BadAnswer, match="did not keep"):
        Gateway(store).call(engine, "synthesize", say("otra"))


def test_a_hung_engine_is_left_behind(store, say):
    """After its deadline a call is Unreachable; what the engine still makes is not kept."""
    script = Script([Hang()])
    engine = FakeSynthesizer(script=script)
    gateway = Gateway(store, retry=NO_RETRY, deadline=lambda verb, request: 0.2)
    with pytest.raises(Unreachable, match="no answer within"):
        gateway.call(engine, "synthesize", say())
    before = set(store.blobs.files())
    script.release()
    for thread in threading.enumerate():
        if thread.name.startswith("engine"):
            thread.join(5)
    assert set(store.blobs.files()) == before
    assert gateway.call(engine, "synthesize", say())


def test_cancelled_before_anything(store, say):
    """After a request to stop, not even a kept answer is read."""
    engine, cancel = FakeSynthesizer(), Cancel()
    gateway = Gateway(store, cancel=cancel)
    gateway.call(engine, "synthesize", say())
    cancel.request()
    with pytest.raises(Cancelled):
        gateway.call(engine, "synthesize", say())


def test_cancelled_while_waiting_to_retry(store, say):
    """A request to stop ends the pause before a retry at once."""
    cancel = Cancel()
    engine = NetSynthesizer(script=Script([Busy("later", retry_after=100.0)]))
    gateway = Gateway(
        store,
        cancel=cancel,
        listener=lambda event: cancel.request() if event.kind == "call.retried" else None,
    )
    with pytest.raises(Cancelled):
        gateway.call(engine, "synthesize", say())
    assert len(engine.script.requests) == 1
    assert store.stats().answers == 0


def test_cancelled_while_an_engine_works(store, say):
    """An engine that looks up stops; nothing partial stays in scratch or store."""
    cancel = Cancel()
    engine = FakeSynthesizer(script=Script(delay=60.0))
    timer = threading.Timer(0.15, cancel.request)
    timer.start()
    with pytest.raises(Cancelled):
        Gateway(store, cancel=cancel).call(engine, "synthesize", say())
    timer.join()
    assert list(store.blobs.files()) == []
    assert store.stats().answers == 0


def test_cancelled_while_an_engine_is_deaf(store, say):
    """An engine that does not look up is left behind after the grace."""
    cancel = Cancel()
    script = Script([Hang()])
    timer = threading.Timer(0.1, cancel.request)
    timer.start()
    with pytest.raises(Cancelled):
        Gateway(store, cancel=cancel, grace=0.05).call(FakeSynthesizer(script=script), "synthesize", say())
    timer.join()
    script.release()


def test_ctrl_c_tells_the_engine_and_goes_on_up(store, say):
    """KeyboardInterrupt in the waiting thread abandons the call and is not turned into anything else."""

    def interrupted(event):
        raise KeyboardInterrupt

    class Reporting(FakeSynthesizer):
        def _synthesize(self, request, work):
            work.progress(0.5)
            return super()._synthesize(request, work)

    with pytest.raises(KeyboardInterrupt):
        Gateway(store, listener=interrupted).call(Reporting(), "synthesize", say())
    assert store.stats().answers == 0
    assert list(store.blobs.files()) == []


def test_an_engine_that_keeps_failing_is_not_asked(store, say, clock):
    """After three calls without an answer the circuit opens; a success after the pause closes it."""
    script = Script([Unreachable("down")] * 3)
    engine = FakeSynthesizer(script=script)
    accounts = Accounts(threshold=3, cooldown=60, clock=clock)
    gateway = Gateway(store, retry=NO_RETRY, accounts=accounts)
    for n in range(3):
        with pytest.raises(Unreachable):
            gateway.call(engine, "synthesize", say(f"a{n}"))
    with pytest.raises(CircuitOpen, match="down"):
        gateway.call(engine, "synthesize", say("b"))
    assert len(script.requests) == 3
    clock.now += 61
    gateway.call(engine, "synthesize", say("b"))
    gateway.call(engine, "synthesize", say("c"))


def test_kept_answers_come_even_from_a_broken_engine(store, say):
    """An open circuit does not stand before what is already known."""
    engine = FakeSynthesizer(script=Script([Proceed(), NoCredit("empty")]))
    gateway = Gateway(store)
    first = gateway.call(engine, "synthesize", say("a"))
    with pytest.raises(NoCredit):
        gateway.call(engine, "synthesize", say("b"))
    with pytest.raises(NoCredit, match="empty"):
        gateway.call(engine, "synthesize", say("c"))
    assert len(engine.script.requests) == 2
    assert gateway.call(engine, "synthesize", say("a")) == first


def test_lanes_bound_how_many_work_at_once(store, say):
    """An engine with two lanes never sees three calls at once."""

    class Narrow(FakeSynthesizer):
        @classmethod
        def describe(cls):
            return replace(FakeSynthesizer.describe(), lanes=2)

    engine = Narrow(script=Script(delay=0.05))
    gateway = Gateway(store)
    _together(lambda n: gateway.call(engine, "synthesize", say(f"t{n}")), 6)
    assert engine.script.busiest == 2


def test_threads_share_one_flight(store, say):
    """Eight threads asking the same at once make one call and get equal answers."""
    engine = FakeSynthesizer(script=Script(delay=0.1))
    gateway = Gateway(store)
    answers = _together(lambda n: gateway.call(engine, "synthesize", say()), 8)
    assert len(engine.script.requests) == 1
    assert len({answer.audio.blob.digest for answer in answers}) == 1
    (count,) = gateway.calls()
    assert (count.asked, count.made, count.kept) == (8, 1, 7)


def test_threads_share_a_failure(store, say):
    """When the one flight fails for good, everybody hears of it and nobody asks again."""
    engine = FakeSynthesizer(script=Script([Rejected("never")], delay=0.1))
    gateway = Gateway(store)

    def ask(_n):
        with pytest.raises(Rejected):
            gateway.call(engine, "synthesize", say())

    _together(ask, 4)
    assert len(engine.script.requests) == 1


def _together(work, count):
    """What ``count`` threads return; their first error is raised."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(work, range(count)))


def test_usage_tells_new_from_kept(tmp_path, say):
    """Units are metered from the call that made the answer, and marked as cached when it is kept."""
    for run, cached in enumerate((False, True)):
        store = Store(tmp_path / "data")
        gateway = Gateway(store)
        gateway.call(FakeSynthesizer(), "synthesize", say("cuatro"))
        (usage,) = gateway.usage()
        assert (usage.unit, usage.amount, usage.cached) == ("characters", 6, cached)
        (count,) = gateway.calls()
        assert (count.made, count.kept) == (1 - run, run)
        assert (count.seconds > 0) != cached
        assert (count.saved > 0) == cached
        store.close()


def test_requests_that_cannot_be_served_pass_through(store):
    """An engine's EngineCannot is the user's to fix and reaches them as it is, asked for once."""
    script = Script([EngineCannot("No such pair.", hint="apt install apertium-eng-spa")])
    request = Translate((Line("L1", Span(0, 1000), "Hi", "S1"),), "en", "es")
    with pytest.raises(EngineCannot, match="apt install"):
        Gateway(store).call(FakeTranslator(script=script), "translate", request)
    assert len(script.requests) == 1


def test_anything_with_a_description_can_be_called(store):
    """A local effect needs a description, options and an annotated verb, nothing more."""

    class Decoder:
        options = None

        @staticmethod
        def describe():
            return Info("decoder", "local", "1", "Decodes.")

        def decode(self, request: ListVoices, work: object) -> Blob:
            path = work.scratch / "x.bin"
            path.write_bytes(request.language.encode())
            return work.keep(path)

    blob = Gateway(store).call(Decoder(), "decode", ListVoices("es"))
    assert store.blobs.path(blob).read_bytes() == b"es"
    assert Gateway(store).call(Decoder(), "decode", ListVoices("es")) == blob


def test_the_gateway_alone_needs_no_numpy():
    """A second run that finds everything kept does not pay for loading what only new work needs."""
    code = "import sys, autodub.gateway.gateway; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
