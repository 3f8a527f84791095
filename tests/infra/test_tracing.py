"""Traces: which spans a request and a dub become, and what must not be in them."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, ClassVar

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from autodub.infra import tracing
from autodub.infra.tracing import Trace, Traces
from autodub.model.errors import NoCredit
from autodub.model.job import Event

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Clock:
    """Seconds, as a test wants them."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class Scene:
    """Traces that end up in memory."""

    def __init__(self) -> None:
        self.clock = Clock()
        self._exporter = InMemorySpanExporter()
        self.traces = Traces(exporter=lambda: self._exporter, clock=self.clock)

    def spans(self) -> dict[str, ReadableSpan]:
        """Finished spans by name."""
        return {span.name: span for span in self._exporter.get_finished_spans()}


@pytest.fixture
def scene() -> Iterator[Scene]:
    """One, closed afterwards."""
    found = Scene()
    yield found
    found.traces.close()


def call(kind: str = "call.finished", **data: Any) -> Event:
    """An event of a call."""
    facts = {"role": "translator", "engine": "openai", "verb": "translate", "kept": False} | data
    return Event(kind, "translate", data=facts)


def test_nothing_of_opentelemetry_is_loaded_where_traces_are_off() -> None:
    """Without an address spans cost nothing, and their packages need not be installed."""
    code = """
import sys
from autodub.infra.tracing import Traces
from autodub.model.job import Event
traces = Traces("")
with traces.begin("job", kind="consumer") as trace:
    trace(Event("stage.started", "speak"))
    trace.enter()
    assert trace.traceparent == ""
traces.close()
sys.exit(any(name.startswith("opentelemetry") for name in sys.modules))
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_span_below_somebody_elses_has_its_trace(scene: Scene) -> None:
    """A ``traceparent`` from outside is continued."""
    with scene.traces.begin("GET /x", kind="server", parent=PARENT, route="/x", method="GET") as trace:
        assert trace.traceparent.startswith("00-0af7651916cd43dd8448eb211c80319c-")
    span = scene.spans()["GET /x"]
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == "b7ad6b7169203331"
    assert dict(span.attributes or {}) == {"http.route": "/x", "http.request.method": "GET"}


def test_what_a_thread_does_is_known_until_it_leaves(scene: Scene) -> None:
    """A job submitted meanwhile can be given the trace it belongs to."""
    assert tracing.current() == ""
    trace = scene.traces.begin("POST /api/v1/jobs", kind="server")
    trace.enter()
    assert tracing.current() == trace.traceparent != ""
    tracing.leave()
    assert tracing.current() == ""
    trace.end()


def test_a_dub_becomes_spans_of_stages_and_calls(scene: Scene) -> None:
    """Calls lie below their stage and begin as long ago as they took; kept answers are no calls."""
    with scene.traces.begin("job dub", kind="consumer", parent=PARENT, job="a1") as trace:
        trace(Event("stage.started", "translate", "Good morning"))
        scene.clock.now += 10.0
        trace(call(seconds=4.0, dollars=0.25, request="req-1"))
        trace(call(kept=True, seconds=99.0))
        trace(Event("stage.finished", "translate", "Good morning", data={"seconds": 10.0}))
    found = scene.spans()
    assert set(found) == {"job dub", "stage translate", "translator.openai translate"}
    made, stage, job = found["translator.openai translate"], found["stage translate"], found["job dub"]
    assert made.parent is not None
    assert stage.context is not None
    assert made.parent.span_id == stage.context.span_id
    assert made.start_time is not None
    assert made.end_time is not None
    assert made.end_time - made.start_time == 4 * 10**9
    assert dict(made.attributes or {})["autodub.dollars"] == 0.25
    assert job.context is not None
    assert stage.parent is not None
    assert stage.parent.span_id == job.context.span_id


def test_failures_are_errors_with_their_code(scene: Scene) -> None:
    """A call that failed and a job that failed say so, by code."""
    trace = scene.traces.begin("job dub", kind="consumer")
    with pytest.raises(NoCredit), trace:
        _fail(trace)
    found = scene.spans()
    assert found["translator.openai translate"].status.description == "no_credit"
    assert found["job dub"].status.description == "no_credit"


def _fail(trace: Trace) -> None:
    trace(call("call.failed", code="no_credit"))
    raise NoCredit("The account is empty.")


def test_a_stage_that_never_ended_ends_with_its_job(scene: Scene) -> None:
    """A dub that is stopped leaves no span open."""
    with scene.traces.begin("job dub", kind="consumer") as trace:
        trace(Event("stage.started", "speak"))
    assert "stage speak" in scene.spans()


def test_no_sentence_is_in_any_span(scene: Scene) -> None:
    """Messages of events stay out of names, attributes and events of spans."""
    with scene.traces.begin("job dub", kind="consumer") as trace:
        trace(Event("stage.started", "speak", "secret words"))
        trace(Event("degraded", "", "secret words", data={"what": "voice"}))
        trace(Event("call.retried", "speak", "secret words", data={"code": "busy", "engine": "espeak"}))
        trace(call(seconds=1.0, message="secret words"))
    for span in scene.spans().values():
        assert "secret" not in span.to_json()


def test_both_listeners_hear_everything(scene: Scene) -> None:
    """The recorder of a job goes on hearing what is traced."""
    heard: list[Event] = []
    with scene.traces.begin("job dub", kind="consumer") as trace:
        trace.beside(heard.append)(Event("stage.started", "speak"))
    assert [event.kind for event in heard] == ["stage.started"]
    assert "stage speak" in scene.spans()


class _Collector(BaseHTTPRequestHandler):
    """Takes what is sent, and notes where to."""

    posted: ClassVar[list[tuple[str, bytes]]] = []

    def do_POST(self) -> None:
        self.posted.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_spans_arrive_at_a_collector() -> None:
    """By OTLP over HTTP, at the latest when the process ends; the path may be left out of the address."""
    _Collector.posted.clear()
    with HTTPServer(("127.0.0.1", 0), _Collector) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        traces = Traces(f"http://127.0.0.1:{server.server_port}", version="1.2")
        with traces.begin("job dub", kind="consumer"):
            pass
        traces.close()
        server.shutdown()
        thread.join()
    ((path, body),) = _Collector.posted
    assert path == "/v1/traces"
    assert b"job dub" in body
    assert b"autodub" in body
