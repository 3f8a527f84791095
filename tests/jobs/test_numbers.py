"""Numbers of jobs and engines: counted with the events they come from, once, and kept."""

from __future__ import annotations

import io
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from desk import Desk
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from policy_scene import ON_SQLITE, Scene
from sqlalchemy import insert

from autodub.infra import logs, tracing
from autodub.infra.tracing import Traces
from autodub.jobs import metrics
from autodub.jobs.metrics import Number, Numbers
from autodub.jobs.platform import Platform
from autodub.jobs.tables import workers
from autodub.model.errors import Rejected
from autodub.model.job import Event


def call(kind: str = "call.finished", **data: Any) -> Event:
    """An event of a call."""
    return Event(kind, "speak", data={"role": "synthesizer", "engine": "espeak", "verb": "synthesize"} | data)


@pytest.fixture
def scene(platform: Platform, tmp_path: Path) -> Scene:
    """A platform whose jobs are carried out here and now."""
    return Scene(platform, tmp_path)


def counted(numbers: Numbers, name: str) -> dict[tuple[str, ...], float]:
    """The counters of a name: values of their labels in the order of the labels' names -> value."""
    return {
        tuple(value for _, value in sorted(one.labels.items())): one.value
        for one in numbers.all()
        if one.name == name
    }


def test_every_step_of_a_job_is_counted_once(desk: Desk) -> None:
    """Queued, started and completed add one each; a worker that lost the job adds nothing."""
    desk.submit(desk.user("ann"))
    job = desk.claims.next("w1")
    assert job is not None
    facts = {"seconds": 90.0, "programme": 60.0, "reused": False}
    assert desk.claims.end(job, "completed", Event("job.completed", data=facts))
    assert not desk.claims.end(job, "failed", Event("job.failed", data={"code": "late"}))
    numbers = desk.platform.numbers
    assert counted(numbers, "jobs") == {
        ("completed", "dub"): 1.0, ("queued", "dub"): 1.0, ("started", "dub"): 1.0,
    }  # fmt: skip
    assert counted(numbers, "failures") == {}
    assert counted(numbers, "programme_seconds") == {(): 60.0}
    assert counted(numbers, "minute_seconds_sum") == {(): 90.0}
    assert counted(numbers, "job_seconds_bucket") == {("dub", "120"): 1.0}


def test_calls_are_counted_with_the_events_that_tell_of_them(desk: Desk) -> None:
    """Made, kept, failed and tried again are apart; a sum of calls counts for as many as it is of."""
    desk.submit(desk.user("ann"))
    job = desk.claims.next("w1")
    assert job is not None
    told = [
        call(kept=False, seconds=0.2, dollars=0.5), call(kept=False, seconds=4.0, count=4),
        call(kept=True, seconds=7.0), call("call.failed", code="busy"), call("call.retried", code="busy"),
    ]  # fmt: skip
    assert desk.claims.tell(job, told, times=[desk.clock.now] * len(told))
    numbers = desk.platform.numbers
    name = "synthesizer.espeak"
    assert counted(numbers, "calls") == {
        (name, "failed", "synthesize"): 1.0, (name, "kept", "synthesize"): 1.0,
        (name, "made", "synthesize"): 5.0,
    }  # fmt: skip
    assert counted(numbers, "call_seconds_sum") == {(name, "synthesize"): 4.2}
    assert counted(numbers, "call_seconds_bucket") == {
        (name, "0.25", "synthesize"): 1.0, (name, "1", "synthesize"): 4.0,
    }  # fmt: skip
    assert counted(numbers, "retries") == {("busy", name): 1.0}
    assert counted(numbers, "dollars") == {(name,): 0.5}


def test_what_is_not_kept_is_not_counted(desk: Desk) -> None:
    """Numbers are part of the transaction that tells: when it is taken back, so are they."""

    def work() -> None:
        with desk.sql.writing() as connection:
            metrics.count(connection, "dub", [Event("job.failed", data={"code": "x"})])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        work()
    assert desk.platform.numbers.all() == []


def test_the_queue_is_seen_with_who_works_on_it(desk: Desk) -> None:
    """How many wait and run, how long the first has waited, and which workers were heard of lately."""
    numbers = Numbers(desk.sql, lease=30.0, clock=desk.clock)
    user = desk.user("ann")
    first = desk.submit(user)
    desk.clock.pass_(10.0)
    second = desk.submit(user)
    desk.clock.pass_(5.0)
    with desk.sql.writing() as connection:
        for name, seen in (("w1", 0.0), ("w2", 300.0)):
            row = {"id": name, "host": "h", "process": 1, "slots": 3, "started": 1.0}
            connection.execute(insert(workers).values(**row, seen=desk.clock.now - seen))
    found = numbers.queue()
    assert (found.queued, found.processing, found.oldest) == (2, 0, desk.clock.now - first.queued)
    assert (found.workers, found.slots) == (1, 3)
    desk.claims.next("w1")
    found = numbers.queue()
    assert (found.queued, found.processing, found.oldest) == (1, 1, desk.clock.now - second.queued)


def test_buckets_are_read_out_added_up() -> None:
    """Buckets are read out with all below them, empty ones included."""
    counted = [Number("x", {"le": "0.05"}, 2.0), Number("x", {"le": "+Inf"}, 1.0)]
    found = dict(metrics.buckets("call_seconds", counted))
    assert (found["0.01"], found["0.05"], found["600"], found["+Inf"]) == (0.0, 2.0, 2.0, 3.0)
    assert metrics.buckets("call_seconds", [])[-1] == ("+Inf", 0.0)


@ON_SQLITE
def test_a_dub_is_counted_logged_and_traced_without_a_word_of_it(scene: Scene) -> None:
    """What was said, and what is said instead, is in no line of the log, no counter and no span."""
    scene.texts = ["Seventeen turquoise elephants.", "Quarrelsome marmalade professors."]
    exporter = InMemorySpanExporter()
    scene.platform.traces = Traces(exporter=lambda: exporter)
    stream = io.StringIO()
    root = logging.getLogger()
    with logs.written(form="json", level="debug", hide=str, stream=stream):
        root.setLevel(logging.DEBUG)
        job = scene.dub()
    assert job.state == "completed"
    spans = [span.to_json() for span in exporter.get_finished_spans()]
    numbers = scene.platform.numbers
    everything = stream.getvalue() + repr(numbers.all()) + repr(spans)
    words = {word.strip(".").lower() for text in scene.texts for word in text.split()}
    for word in words | {word[::-1] for word in words}:  # the translator's words are theirs, backwards
        assert word not in everything.lower()
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert {"job begins", "job completed"} <= {line["message"] for line in lines}
    assert all(line["job"] == job.id for line in lines if line["logger"] == "autodub.jobs")
    assert counted(numbers, "jobs")["completed", "dub"] == 1.0
    assert counted(numbers, "calls")["translator.fake", "made", "translate"] >= 1.0
    assert any('"name": "job dub"' in span for span in spans)
    assert any('"name": "translator.fake translate"' in span for span in spans)


@ON_SQLITE
def test_a_fault_that_quotes_a_text_is_logged_without_it(
    scene: Scene, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of ours over a line leaves its kind and its place in the log, and not the line."""

    def made(*_: object, **__: object) -> None:
        raise ValueError("cannot say 'the keeper walked'")

    monkeypatch.setattr("autodub.jobs.runner.make", made)
    stream = io.StringIO()
    with logs.written(form="json", level="debug", hide=str, stream=stream):
        job = scene.dub()
    assert job.state == "failed"
    assert "keeper" not in stream.getvalue()
    assert "ValueError" in stream.getvalue()
    assert "keeper" not in scene.everything_told()
    caplog.clear()


@ON_SQLITE
def test_what_a_run_took_can_be_asked_for(scene: Scene) -> None:
    """A finished job has its stages and its calls, for whoever profiles it."""
    job = scene.dub()
    found = scene.platform.numbers.run(job.id)
    assert {one["stage"] for one in found["stages"]} >= {"transcribe", "translate", "speak"}  # type: ignore[attr-defined]
    by_engine = {one["engine"]: one for one in found["calls"]}  # type: ignore[attr-defined]
    assert by_engine["translator.fake"]["made"] >= 1


@ON_SQLITE
def test_a_job_has_the_trace_of_the_request_that_submitted_it(scene: Scene) -> None:
    """A worker's spans are part of the trace in which the job was submitted."""
    traces = Traces(exporter=InMemorySpanExporter)
    with traces.begin("POST", kind="server") as trace:
        trace.enter()
        job = scene.submit()
        tracing.leave()
        assert job.trace == trace.traceparent
    traces.close()


def test_rejections_have_a_code() -> None:
    """The label of a failure is the code of its error, a word out of a small set."""
    told = [Event("job.failed", "", "No.", data={"code": Rejected.code, "hint": ""})]
    assert metrics.tally("dub", told) == {
        ("failures", '{"code":"rejected"}'): 1.0, ("jobs", '{"event":"failed","kind":"dub"}'): 1.0,
    }  # fmt: skip
