"""Calls that workers on other machines make: what they offer, whose turn it is, and what goes wrong."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from remote_scene import Driver, Scene, until

from autodub.cli import worker_calls
from autodub.cli.failure import FAILED
from autodub.engines import registry
from autodub.engines.remote import facts_of
from autodub.engines.roles import EngineContext, EngineOptions, Info, Readiness
from autodub.gateway import keys, remote
from autodub.gateway.gateway import nobody
from autodub.gateway.work import CallWork
from autodub.infra import codec, pg_bell, pg_offers, settings
from autodub.infra.pg_calls import TRIES, Order, tidy
from autodub.infra.pg_offers import Offers, WorkersAway
from autodub.jobs import calls
from autodub.jobs.feasible import Feasible
from autodub.jobs.spec import JobSpec
from autodub.model.calls import Synthesize, Translate
from autodub.model.errors import (
    BadOption,
    Busy,
    Cancelled,
    EngineCannot,
    EngineError,
    Refused,
    Rejected,
    Unavailable,
    UnknownEngine,
    Unreachable,
)
from autodub.model.language import Language
from autodub.model.request import DubRequest
from autodub.model.speech import Line, Speech, Voice
from autodub.model.time import Span
from autodub.pipeline.choosing import builder, choose
from autodub.testing.fakes import FakeSynthesizer, FakeTranslator
from autodub.testing.script import Hang, Script
from autodub.web.call_metrics import families

VOICE = Voice("fake", "fake-1", "es", gender="female", pitch=210.0)


class Scripted(FakeSynthesizer):
    """A voice whose calls go as a test says."""

    steps: ClassVar[Script]
    release: ClassVar[str] = "1"

    def __init__(self, options: Any = None, context: EngineContext | None = None) -> None:
        super().__init__(options, context, script=self.steps)

    @classmethod
    def describe(cls) -> Info:
        return Info("fake", "synthesizer", cls.release, "For tests.", resource="gpu", lanes=4)


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Iterator[Script]:
    """How the voice's calls go; whatever hangs is let go at the end."""
    made = Script()
    monkeypatch.setattr(Scripted, "steps", made, raising=False)
    monkeypatch.setattr(remote, "_AWAY", 1)
    with registry.registered("synthesizer", "fake", Scripted), registry.registered(
        "translator", "fake", FakeTranslator
    ):  # fmt: skip
        yield made
        made.release()


def says(text: str) -> Synthesize:
    """A line to be spoken."""
    return Synthesize(text, VOICE)


class Calling(threading.Thread):
    """A call on a thread of its own."""

    def __init__(self, driver: Driver, text: str, engine: Any = None) -> None:
        super().__init__(daemon=True)
        self.driver, self.text = driver, text
        self.engine = engine or driver.engine("synthesizer")
        self.answer: Speech | None = None
        self.problem: BaseException | None = None
        self.start()

    @property
    def key(self) -> str:
        """The row that it waits for."""
        return keys.key(self.engine, "synthesize", says(self.text))

    def run(self) -> None:
        try:
            self.answer = self.driver.call(self.engine, "synthesize", says(self.text))
        except BaseException as problem:  # noqa: BLE001 - the test looks at it
            self.problem = problem

    def ended(self) -> Calling:
        """When it has."""
        until(lambda: not self.is_alive())
        return self


def queued(place: Scene) -> int:
    """Calls that there are."""
    return int(place.rows("SELECT count(*) FROM calls")[0][0])


def test_an_engine_is_what_its_workers_say(scene: Scene, script: Script) -> None:
    """Nobody, somebody, somebody who has just gone, and options that only he settles."""
    engine = scene.driver().engine("synthesizer")
    assert engine.readiness() == Readiness(
        "needs worker", "no worker serves fake", "autodub worker --calls fake"
    )
    assert engine.describe().elsewhere
    worker = scene.worker()
    driver = scene.driver()
    engine = driver.engine("synthesizer", rate="16000")
    assert engine.readiness() == Readiness("ready", "on 1 worker")
    spoken = driver.call(engine, "synthesize", says("Hola."))
    assert spoken.audio.rate == 16_000
    assert driver.engine("translator").route("en", "es") == "en > es"
    with pytest.raises(EngineCannot, match="no translation"):
        driver.engine("translator").route("es", "es")
    with pytest.raises(BadOption, match="rate=1"):
        driver.engine("synthesizer", rate="1")
    worker.stop(patience=30.0)
    engine = scene.driver().engine("synthesizer")
    assert engine.readiness().state == "ready"
    assert "calls wait for the next one" in engine.readiness().detail
    scene.change(f"UPDATE call_offers SET seen = seen - {pg_offers.PATIENCE}")
    assert scene.driver().engine("synthesizer").readiness().state == "needs worker"


class Settling(FakeSynthesizer):
    """A voice whose weights differ from machine to machine."""

    weights: ClassVar[dict[str, str]] = {}

    class Options(EngineOptions):
        """None that anybody types."""

        rate: int = 22_050
        weights: str = ""

    def __init__(self, options: Any, context: EngineContext) -> None:
        settled = options.model_copy(update={"weights": self.weights[context.models.parent.name]})
        super().__init__(settled, context)


def test_an_answer_has_one_name_on_both_machines(scene: Scene) -> None:
    """What the worker keeps is found by its caller, whose own machine has other weights or none."""
    Settling.weights = {"worker": "good", "driver": "none", "local": "good"}
    with registry.registered("synthesizer", "fake", Settling):
        scene.worker()
        driver, local = scene.driver("a"), scene.driver("b", machine="local", remote="")
        engine = driver.engine("synthesizer")
        assert engine.options.model_dump()["weights"] == "good"
        spoken = driver.call(engine, "synthesize", says("Hola."))
        assert local.call(local.engine("synthesizer"), "synthesize", says("Hola.")) == spoken
    assert [one.made for one in local.gateway.calls()] == [0]
    assert [one.made for one in driver.gateway.calls()] == [1]
    ours = scene.rows("SELECT owner FROM uses ORDER BY owner")
    driver.store.close()
    local.store.close()
    assert scene.rows("SELECT owner FROM uses ORDER BY owner") == [("a",), ("b",)]
    assert ("a",) in ours  # by the worker, for the driver's job


def test_who_chooses_sees_them(scene: Scene, script: Script) -> None:
    """One that nobody serves is passed over with that reason; one that is served binds no GPU here."""
    request = DubRequest(source="x", target="es", engines={"synthesizer": "fake"})
    with pytest.raises(EngineCannot, match="no worker serves fake"):
        choose("synthesizer", request, builder(request, scene.driver().context), language=None)
    unnamed = DubRequest(source="x", target="es")
    chosen = choose("synthesizer", unnamed, builder(unnamed, scene.driver().context), language=Language("es"))
    assert (chosen.info.name, "fake needs a worker" in chosen.why) == ("espeak", False)
    scene.worker()
    found = choose("synthesizer", request, builder(request, scene.driver().context), language=None)
    assert found.info.resource == "gpu"
    here = {"translator": "fake", "synthesizer": "fake", "transcriber": "subtitles", "separator": "spectral"}
    spec = JobSpec.model_validate({"source": "https://example.org/a", "target": "es", "engines": here})
    assert Feasible(scene.settings("driver")).resource(spec) == "cpu"  # subtitles are read here
    spec = spec.model_copy(update={"subtitles": "given"})
    assert Feasible(scene.settings("driver")).resource(spec) == "net"
    assert Feasible(scene.settings("driver", remote="")).resource(spec) == "gpu"


def test_errors_arrive_as_they_left(scene: Scene, script: Script) -> None:
    """Kind, code, hint and what the gateway decides by; a crash is one that may be tried again."""
    script._steps[:] = [
        Refused("No.", hint="Pay.", engine="fake", whole_account=False), Busy("Slowly.", retry_after=0.25),
        RuntimeError("torn"), EngineCannot("Never.", hint="Choose another."),
    ]  # fmt: skip
    scene.worker()
    driver = scene.driver()
    engine = driver.engine("synthesizer")
    found = []
    for _ in range(4):
        with pytest.raises((EngineError, EngineCannot)) as caught:
            driver.call(engine, "synthesize", says("Hola."))
        found.append(caught.value)
    refused, busy, crash, cannot = found
    assert isinstance(refused, Refused)
    assert (refused.message, refused.hint, refused.whole_account) == ("No.", "Pay.", False)
    assert isinstance(busy, Busy)
    assert busy.retry_after == 0.25
    assert isinstance(crash, Unreachable)
    assert isinstance(cannot, EngineCannot)
    assert cannot.hint == "Choose another."
    assert driver.call(engine, "synthesize", says("Hola.")).audio.frames > 0
    assert queued(scene) == 0


def test_jobs_take_turns(scene: Scene, script: Script) -> None:
    """A film of many lines does not keep out the one of few that comes after it."""
    scene.worker()
    script._steps[:] = [Hang()]
    long, short = scene.driver("long"), scene.driver("short", machine="other")
    engine = long.engine("synthesizer")
    first = Calling(long, "uno", engine)
    until(lambda: script.requests)
    rest = [Calling(long, text, engine) for text in ("dos", "tres", "cuatro")]
    until(lambda: queued(scene) == 4)
    late = Calling(short, "cinco")
    until(lambda: queued(scene) == 5)
    front = scene.driver()
    told = {
        (one.name, *one.labels.values()): one.value
        for family in families(SimpleNamespace(store=front.store, settings=front.settings))  # type: ignore[arg-type]
        for one in family.samples
    }
    assert told["autodub_calls", "synthesizer.fake", "queued"] == 4
    assert told["autodub_calls", "synthesizer.fake", "running"] == 1
    assert told["autodub_call_wait_seconds", "synthesizer.fake"] > 0
    assert told["autodub_call_slots", "synthesizer.fake"] == 1
    script.release()
    for one in (first, *rest, late):
        assert one.ended().problem is None
    assert [request.text for request in script.requests[:2]] == ["uno", "cinco"]  # type: ignore[attr-defined]
    assert queued(scene) == 0


def test_a_call_is_made_once_for_all_who_wait(scene: Scene, script: Script) -> None:
    """Two jobs on two machines that want the same; one comes to it when its caller is gone."""
    script._steps[:] = [Hang()]
    scene.worker()
    one, two = Calling(scene.driver("a"), "uno"), Calling(scene.driver("b", machine="other"), "uno")
    until(lambda: script.requests)
    until(lambda: any("another run" in event.message for event in one.driver.events + two.driver.events))
    script.release()
    assert one.ended().answer == two.ended().answer
    assert one.answer is not None
    assert len(script.requests) == 1


def test_stopping_withdraws_what_waits_and_ends_what_is_made(
    scene: Scene, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """A call that nobody has taken up is not there any more at once; one under way is stopped."""
    monkeypatch.setattr(calls, "_UNWANTED", 0.0)
    worker = scene.worker()
    script._delay = 3600.0
    made, waiting = Calling(scene.driver("a"), "uno"), Calling(scene.driver("b"), "dos")
    until(lambda: script.requests and queued(scene) == 2)
    held, other = (made, waiting) if made.key in worker.running else (waiting, made)
    other.driver.cancel.request()
    assert isinstance(other.ended().problem, Cancelled)
    until(lambda: queued(scene) == 1)
    held.driver.cancel.request()
    assert isinstance(held.ended().problem, Cancelled)
    until(lambda: not worker.running)
    until(lambda: queued(scene) == 0)
    assert len(script.requests) == 1


def test_progress_is_heard(scene: Scene, script: Script) -> None:
    """A caller hears that it waits, and how far the worker is."""
    script._steps[:] = [Hang()]
    worker = scene.worker()
    one = Calling(scene.driver(), "uno")
    until(lambda: script.requests)
    worker._running[one.key].fraction, worker._running[one.key].message = 0.25, "3 of 12 windows"
    told = [event for event in one.driver.events if event.kind == "stage.progress"]
    until(lambda: ("here", 0.25, "3 of 12 windows") in [(e.stage, e.fraction, e.message) for e in told] or
          told.extend(event for event in one.driver.events if event.kind == "stage.progress"))  # fmt: skip
    script.release()
    assert one.ended().problem is None


def test_a_worker_that_is_given_up_is_replaced(scene: Scene, script: Script) -> None:
    """Its call goes to another one; what it says later changes nothing."""
    script._steps[:] = [Hang()]
    lost = scene.worker()
    one = Calling(scene.driver("a"), "uno")
    until(lambda: script.requests)
    lost._resting["synthesizer.fake"] = time.monotonic() + 3600.0  # the other one takes it up
    scene.change(f"DELETE FROM sessions WHERE id = '{lost._board.worker}'")
    scene.worker(machine="another")
    assert one.ended().problem is None
    assert len(script.requests) == 2
    script.release()
    until(lambda: not lost.running)
    assert queued(scene) == 0


def test_a_call_that_ends_its_workers_is_refused(scene: Scene, script: Script) -> None:
    """After a few who took it up and were never heard of again nobody tries it any more."""
    worker = scene.worker()
    worker.stop(patience=30.0)
    one = Calling(scene.driver("a"), "uno")
    until(lambda: queued(scene) == 1)
    for _ in range(TRIES):
        store = scene.driver().store
        assert store.calls is not None
        assert store.calls.claim(["synthesizer.fake"]) is not None
        store.close()  # its session goes, and says nothing
    scene.worker()
    problem = one.ended().problem
    assert isinstance(problem, Rejected)
    assert not script.requests
    assert queued(scene) == 0


def test_a_worker_that_leaves_hands_its_calls_back(scene: Scene, script: Script) -> None:
    """Another one takes them up, as if for the first time."""
    script._delay = 3600.0
    worker = scene.worker()
    one = Calling(scene.driver("a"), "uno")
    until(lambda: script.requests)
    assert worker.stop(patience=60.0)
    assert scene.rows("SELECT holder, attempt FROM calls") == [(None, 0)]
    script._delay = 0.0
    scene.worker(machine="another")
    assert one.ended().problem is None


def test_a_driver_that_was_taken_for_dead_is_heard_again(
    scene: Scene, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """It says again that it waits, before its call is stopped as nobody's."""
    monkeypatch.setattr(calls, "_UNWANTED", 3600.0)
    script._steps[:] = [Hang()]
    scene.worker()
    one = Calling(scene.driver("a"), "uno")
    until(lambda: script.requests)
    scene.change("DELETE FROM call_waiters")
    until(lambda: scene.rows("SELECT key FROM call_waiters") == [(one.key,)])
    script.release()
    assert one.ended().problem is None
    assert len(script.requests) == 1


def test_a_worker_that_takes_a_call_up_twice_has_all_its_places_afterwards(
    scene: Scene, script: Script
) -> None:  # fmt: skip
    """It was taken for dead, and its other place is the first to find the call."""
    script._steps[:] = [Hang()]
    worker = scene.worker(slots=2)
    one = Calling(scene.driver("a"), "uno")
    until(lambda: script.requests)
    scene.change(f"DELETE FROM sessions WHERE id = '{worker._board.worker}'")
    until(lambda: len(script.requests) == 2)
    script.release()
    assert one.ended().problem is None
    until(lambda: not any(worker._busy.values()))
    assert not worker.running


def test_who_waits_at_a_page_does_not_wait_for_long(scene: Scene, script: Script) -> None:
    """A worker that is busy with a film holds up no thread of a server; the call is withdrawn."""
    scene.worker().stop(patience=30.0)
    driver = scene.driver()
    asked = remote.caller(driver.store, patience=0.0)
    work = CallWork(driver.store.blobs, cancel=driver.cancel, listener=nobody, stage="voices")
    with pytest.raises(WorkersAway, match="are busy"):
        asked(driver.engine("synthesizer"), "synthesize", says("Hola."), work)
    work.close()
    assert queued(scene) == 0


def test_words_do_not_stay_where_there_are_no_workers_any_more(scene: Scene, script: Script) -> None:
    """A call whose driver was killed goes with any process that has the store open."""
    board = scene.driver().store.calls
    assert board is not None
    board.ask(Order("k", "synthesizer.fake", "i", {}, "synthesize", "words", None))
    tidy(board._index)
    assert queued(scene) == 1
    scene.change("DELETE FROM call_waiters")
    tidy(board._index)
    assert queued(scene) == 0


def test_a_question_is_not_answered_by_a_database_that_was_away(scene: Scene, script: Script) -> None:
    """It is asked again: what passes is nothing that anybody should remember."""
    board = scene.driver().store.calls
    assert board is not None
    told: list[str] = []
    question = pg_offers.Question.of("synthesizer.fake", {}, "speaks", ("es",))
    asking = threading.Thread(target=lambda: told.append(board.offers.ask(question, patience=60.0)))
    board.offers.places()  # makes the tables
    asking.start()
    until(lambda: scene.rows("SELECT id FROM call_asks"))

    def away(_: object) -> str:
        raise Unavailable("gone")

    board.offers.answer(("synthesizer.fake",), away)
    assert scene.rows("SELECT answered, error FROM call_asks") == [(None, None)]
    board.offers.answer(("synthesizer.fake",), lambda _: "true")
    asking.join(60)
    assert told == ["true"]


def test_another_version_is_not_taken_for_the_one_asked_for(
    scene: Scene, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """A worker of a newer release leaves the call alone; when no old one is left its job is told."""
    worker = scene.worker()
    driver = scene.driver("a")
    engine = driver.engine("synthesizer")
    worker.stop(patience=30.0)
    monkeypatch.setattr(Scripted, "release", "2")
    scene.worker(machine="newer")
    one = Calling(driver, "uno", engine)
    until(lambda: scene.rows("SELECT attempt FROM calls") == [(0,)])
    monkeypatch.setattr(pg_offers, "PATIENCE", 0.0)
    problem = one.ended().problem
    assert isinstance(problem, WorkersAway)
    assert "fake" in problem.message
    assert not script.requests
    monkeypatch.undo()


def test_nothing_is_lost_where_nobody_rings(
    scene: Scene, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """Messages only wake: without any, everybody looks now and then."""
    monkeypatch.setattr(pg_bell.Bell, "_ring", lambda self, topic: None)
    scene.worker()
    driver = scene.driver()
    assert driver.call(driver.engine("synthesizer"), "synthesize", says("Hola.")).audio.frames > 0


def test_an_engine_that_does_not_answer_is_left_alone(
    scene: Scene, script: Script, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:  # fmt: skip
    """A worker whose engine crashes again and again takes up no more for a while: others may do better."""
    monkeypatch.setattr(calls, "_BROKEN", 2)
    script._steps[:] = [RuntimeError("torn"), RuntimeError("torn")]
    worker = scene.worker()
    driver = scene.driver()
    engine = driver.engine("synthesizer")
    for text in ("uno", "dos"):
        with pytest.raises(Unreachable):
            driver.call(engine, "synthesize", says(text))
    until(lambda: worker._resting)
    one = Calling(driver, "tres", engine)
    until(lambda: queued(scene) == 1)
    scene.worker(machine="another")
    assert one.ended().problem is None
    assert "left alone" in caplog.text
    caplog.clear()


def test_requests_go_as_they_are(scene: Scene, script: Script) -> None:
    """Lines and all that goes with them are the same on the other side: their answer has the same name."""
    scene.worker()
    driver = scene.driver("a")
    line = Line("1", Span(0, 1500), "Guten Morgen, „Welt“!", "S1")
    request = Translate((line,), "de", "es", before=("Ä\u2028b",))
    done = driver.call(driver.engine("translator", wordings="2"), "translate", request)
    assert len(done.lines[0].wordings) == 2
    assert driver.gateway.usage()[0].amount == len(line.text)


def test_settings_that_make_no_sense_are_refused(scene: Scene, script: Script) -> None:
    """An engine that there is not, one that cannot be elsewhere, and no shared store."""
    with pytest.raises(UnknownEngine, match="demux"):
        scene.driver(remote="demux")
    with pytest.raises(BadOption, match="ytdlp"):
        scene.driver(remote="downloader.ytdlp")
    with pytest.raises(BadOption, match="store_database"):
        settings.load(environ={"AUTODUB_REMOTE_ENGINES": "demucs"})


def test_a_worker_refuses_what_it_cannot_serve(scene: Scene, script: Script) -> None:
    """An engine that is not ready, an account, nothing shared: in words, before it begins."""

    class Lacking(Scripted):
        def readiness(self) -> Readiness:
            return Readiness("needs download", "no weights", "autodub engines fetch fake")

    with registry.registered("synthesizer", "fake", Lacking):
        with pytest.raises(EngineCannot, match="cannot serve fake: no weights") as caught:
            scene.worker("synthesizer.fake")
        assert caught.value.hint == "autodub engines fetch fake"
    with pytest.raises(EngineCannot, match="account elsewhere"):
        scene.worker("translator.openai")
    alone = scene.settings("alone").model_copy(
        update={"store_database": type(scene.settings("a").store_database)(""), "remote_engines": ()}
    )
    with pytest.raises(BadOption, match="shares"):
        calls.CallWorker(alone, ("fake",), slots=1)


def test_most_workers_decide_which_version_it_is(scene: Scene, script: Script) -> None:
    """Of two releases side by side the one with more places; one that cannot counts for nothing."""
    worker = scene.worker()
    (offer,) = [one for _, one in worker.desk._said.values() if one.engine == "synthesizer.fake"]
    offers = Offers(worker._board._index)
    with _released("2"):
        engine = registry.build("synthesizer", "fake", {}, scene.driver(remote="").context)
    with _released("2"):
        facts = facts_of(engine)
    newer = replace(offer, worker="b", identity=facts.identity, facts=codec.dump(facts), places=3)
    offers.announce([newer])
    assert scene.driver().engine("synthesizer").describe().version == "2"
    broken = replace(facts, readiness=Readiness("not installed", "gone", "x"))
    offers.announce([replace(newer, facts=codec.dump(broken))])
    assert scene.driver().engine("synthesizer").describe().version == "1"


@contextlib.contextmanager
def _released(version: str) -> Iterator[None]:
    before = Scripted.release
    Scripted.release = version
    try:
        yield
    finally:
        Scripted.release = before


def test_a_worker_ends_where_a_newer_release_has_changed_the_store(
    scene: Scene, script: Script, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:  # fmt: skip
    """It looks now and then, for nobody tells it; a database that is away says nothing about that."""
    worker, asked = scene.worker(), [Unavailable("gone"), False]

    def is_ours() -> bool:
        found = asked.pop(0)
        if isinstance(found, Unavailable):
            raise found
        return found

    assert worker.is_ours()
    monkeypatch.setattr(worker_calls, "_RELEASE", 0.01)
    monkeypatch.setattr(worker, "is_ours", is_ours)
    assert worker_calls._until(SimpleQueue(), worker) == FAILED
    assert "changed the store" in caplog.text
    caplog.clear()


def test_details_of_crashes_do_not_stay(tmp_path: Path) -> None:
    """A worker for calls hears of no job's end, so what may have words of one goes when it is old."""
    for name in ("job/old.txt", "job2/old.txt", "job2/new.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("words")
        if "old" in name:
            os.utime(tmp_path / name, (1.0, 1.0))
    calls.forget(tmp_path, older=3600.0)
    assert [path.name for path in sorted(tmp_path.rglob("*"))] == ["job2", "new.txt"]
