"""Calls that workers on other machines make: what they offer, whose turn it is, and how they are asked."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from remote_calling import Calling, Scripted, queued, says
from remote_scene import Scene, until

from autodub.engines import registry
from autodub.engines.remote import facts_of
from autodub.engines.roles import EngineContext, EngineOptions, Readiness
from autodub.infra import codec, pg_offers, settings
from autodub.infra.pg_offers import Offers
from autodub.jobs import calls
from autodub.jobs.feasible import Feasible
from autodub.jobs.spec import JobSpec
from autodub.model.calls import Translate
from autodub.model.errors import (
    BadOption,
    Busy,
    Cancelled,
    EngineCannot,
    EngineError,
    Refused,
    UnknownEngine,
    Unreachable,
)
from autodub.model.language import Language
from autodub.model.request import DubRequest
from autodub.model.speech import Line
from autodub.model.time import Span
from autodub.pipeline.choosing import builder, choose
from autodub.testing.fakes import FakeSynthesizer
from autodub.testing.script import Hang, Script
from autodub.web.call_metrics import families


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
