"""Every request seen from outside: a line in the log, a count, a span. Never a query, a body or a key."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from flask import Flask, Response, g, request

from autodub.infra import logs, tracing
from autodub.jobs.platform import Platform
from autodub.web import identity
from autodub.web.metrics import Measures

log = logging.getLogger("autodub.access")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_UNKNOWN = "(none)"
"""Instead of a route for what matches none; and of a method nobody knows."""
_QUIET = frozenset({"/health", "/ready", "/metrics"})
"""Asked every few seconds by machines: logged only where debugging is wanted."""


def install(app: Flask, here: Platform) -> None:
    """Look at every request of an app. Its request id must be known before."""
    measures = app.extensions["autodub_measures"] = Measures(here)

    @app.before_request
    def begun() -> None:
        g.began = time.monotonic()
        g.log_token = logs.bind(_facts(g.get("request_id", "")))
        if here.traces.is_on:
            method, route = _place()
            g.trace = here.traces.begin(
                f"{method} {route}", kind="server", parent=request.headers.get("traceparent", ""),
                method=method, route=route, request=g.get("request_id", ""),
            )  # fmt: skip
            g.trace.enter()
        if request.headers.get("Upgrade", "").lower() == "websocket":
            g.is_socket = True
            measures.streams.inc()

    @app.after_request
    def answered(answer: Response) -> Response:
        seconds = time.monotonic() - g.get("began", time.monotonic())
        method, route = _place()
        measures.requests.labels(method, route, str(answer.status_code)).inc()
        if not g.get("is_socket"):
            measures.seconds.labels(method, route).observe(seconds)
        if answer.mimetype == "text/event-stream":
            measures.streams.inc()
            answer.call_on_close(measures.streams.dec)
        if trace := g.get("trace"):
            failed = "" if answer.status_code < 500 else str(answer.status_code)
            trace.end(error=failed, status=answer.status_code)
        _line(answer, seconds)
        return answer

    @app.teardown_request
    def over(_: BaseException | None) -> None:
        if g.pop("is_socket", False):
            measures.streams.dec()
        if trace := g.pop("trace", None):
            trace.end()
            tracing.leave()
        if token := g.pop("log_token", None):
            logs.unbind(token)


def _place() -> tuple[str, str]:
    """Method and route template, both out of a small set."""
    method = request.method if request.method in _METHODS else _UNKNOWN
    return method, request.url_rule.rule if request.url_rule is not None else _UNKNOWN


def _facts(request_id: str) -> Callable[[], dict[str, object]]:
    def facts() -> dict[str, object]:
        found = identity.seen()
        return {"request": request_id, "user": None if found is None else found.id}

    return facts


def _line(answer: Response, seconds: float) -> None:
    level = logging.DEBUG if request.path in _QUIET else logging.INFO
    log.log(
        level, "%s %s", request.method, request.path,
        extra={
            "status": answer.status_code, "ms": round(seconds * 1000, 1),
            "bytes": answer.content_length, "address": request.remote_addr,
        },
    )  # fmt: skip
