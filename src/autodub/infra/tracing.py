"""Traces by OpenTelemetry: requests, jobs, their stages and calls of engines, sent to a collector over HTTP.

Off unless an address is set; nothing of OpenTelemetry is imported before that. Spans are made from the events
that a dub tells anyhow, so that nothing below knows of them. No span carries a text, a name or an address:
kinds, engines, codes, seconds and ids only.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Self

from autodub.model.errors import BadOption
from autodub.model.job import Event, Listener

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span, Tracer

_here: ContextVar[str] = ContextVar("autodub_trace", default="")
_NS = 10**9
Fact = str | int | float | bool


def current() -> str:
    """The ``traceparent`` (W3C) of what this thread is doing; empty where nothing is traced."""
    return _here.get()


def leave() -> None:
    """The thread does nothing that is traced."""
    _here.set("")


class Traces:
    """The spans of one process. Safe for many threads; the collector is never waited for."""

    def __init__(
        self, address: str = "", *, service: str = "autodub", version: str = "",
        exporter: Callable[[], SpanExporter] | None = None, clock: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        self._address, self._service, self._version = address, service, version
        self._exporter, self._clock = exporter, clock
        self._lock = threading.Lock()
        self._provider: TracerProvider | None = None

    @property
    def is_on(self) -> bool:
        """Whether there is anybody to send spans to."""
        return bool(self._address) or self._exporter is not None

    def begin(self, name: str, *, kind: str, parent: str = "", **facts: Fact) -> Trace:
        """Begin a span; ``kind`` is ``server`` (a request), ``consumer`` (a job) or ``internal``.

        ``parent`` is a ``traceparent`` from elsewhere.
        """
        if not self.is_on:
            return Trace(None, None, self._clock)
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        context = TraceContextTextMapPropagator().extract({"traceparent": parent}) if parent else None
        tracer = self._tracer()
        span = tracer.start_span(
            name, context=context, kind=SpanKind[kind.upper()], attributes=_named(facts),
            start_time=_ns(self._clock()),
        )  # fmt: skip
        return Trace(tracer, span, self._clock)

    def close(self) -> None:
        """Send what is left."""
        with self._lock:
            provider, self._provider = self._provider, None
        if provider is not None:
            provider.shutdown()

    def _tracer(self) -> Tracer:
        with self._lock:
            if self._provider is None:
                self._provider = self._opened()
            return self._provider.get_tracer("autodub", self._version)

    def _opened(self) -> TracerProvider:
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
        except ModuleNotFoundError as missing:
            raise BadOption(
                f"Traces are wanted, and their package is not installed ({missing.name}).",
                hint="Install it: pip install 'autodub[tracing]'",
            ) from missing
        about = Resource.create({"service.name": self._service, "service.version": self._version})
        provider = TracerProvider(resource=about, shutdown_on_exit=False)
        if self._exporter is not None:
            provider.add_span_processor(SimpleSpanProcessor(self._exporter()))
        else:
            to = self._address.rstrip("/")
            to = to if to.endswith("/v1/traces") else f"{to}/v1/traces"
            provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=to)))
        return provider


class Trace:
    """A span under way, or nothing where nothing is traced. What a dub tells becomes spans below it."""

    def __init__(self, tracer: Tracer | None, span: Span | None, clock: Callable[[], float]) -> None:
        self._tracer, self._span, self._clock = tracer, span, clock
        self._lock = threading.Lock()
        self._stages: dict[str, Span] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None, _: object) -> None:
        self.end(error="" if problem is None else getattr(problem, "code", type(problem).__name__))

    @property
    def traceparent(self) -> str:
        """What makes somebody else's span a child of this one; empty where nothing is traced."""
        if self._span is None:
            return ""
        context = self._span.get_span_context()
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"

    def enter(self) -> None:
        """Make this what the thread is doing, until ``leave`` is called."""
        _here.set(self.traceparent)

    def end(self, *, error: str = "", **facts: Fact) -> None:
        """It is over; ``error`` is the code of what went wrong. More than once does nothing."""
        span, self._span = self._span, None
        if span is None:
            return
        with self._lock:
            stages, self._stages = list(self._stages.values()), {}
        now = _ns(self._clock())
        for stage in stages:
            stage.end(now)
        span.set_attributes(_named(facts))
        _close(span, now, error)

    def beside(self, other: Listener) -> Listener:
        """A listener that tells both."""

        def told(event: Event) -> None:
            self(event)
            other(event)

        return told

    def __call__(self, event: Event) -> None:
        """Take an event of a dub."""
        if self._span is None or self._tracer is None:
            return
        if event.kind == "stage.started":
            with self._lock:
                if event.stage not in self._stages:
                    self._stages[event.stage] = self._below(f"stage {event.stage}", self._span)
        elif event.kind == "stage.finished":
            with self._lock:
                stage = self._stages.pop(event.stage, None)
            if stage is not None:
                stage.end(_ns(self._clock()))
        elif event.kind in ("call.finished", "call.failed") and not event.data.get("kept"):
            self._call(event)
        elif event.kind in ("call.retried", "degraded", "account.blocked"):
            span = self._stages.get(event.stage, self._span)
            known = {name: event.data.get(name) for name in ("role", "engine", "verb", "code", "what")}
            span.add_event(event.kind, _named(known), _ns(self._clock()))

    def _call(self, event: Event) -> None:
        assert self._span is not None
        seconds = float(event.data.get("seconds") or 0)
        now = self._clock()
        with self._lock:
            above = self._stages.get(event.stage, self._span)
        facts = {
            name: event.data.get(name) for name in ("role", "engine", "verb", "dollars", "code", "request")
        }
        name = f"{facts['role']}.{facts['engine']} {facts['verb']}"
        span = self._below(name, above, at=now - seconds, **facts)
        failed = str(facts["code"]) if event.kind == "call.failed" else ""
        _close(span, _ns(now), failed)

    def _below(self, name: str, above: Span, *, at: float | None = None, **facts: Any) -> Span:
        from opentelemetry.trace import set_span_in_context

        assert self._tracer is not None
        return self._tracer.start_span(
            name, context=set_span_in_context(above), attributes=_named(facts),
            start_time=_ns(self._clock() if at is None else at),
        )  # fmt: skip


def _close(span: Span, at: int, error: str) -> None:
    if error:
        from opentelemetry.trace import Status, StatusCode

        span.set_status(Status(StatusCode.ERROR, error))
    span.end(at)


def _named(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes as they are called in a trace; those that are not known are left out."""
    known = {"status": "http.response.status_code", "route": "http.route", "method": "http.request.method"}
    return {known.get(n, f"autodub.{n}"): value for n, value in facts.items() if value is not None}


def _ns(seconds: float) -> int:
    return int(seconds * _NS)
