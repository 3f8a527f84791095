"""Metrics, the alerts that rest on them, and the line in the log for every request."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from flask import Flask
from flask.testing import FlaskClient
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from people import Browser
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import update

from autodub.infra.tracing import Traces
from autodub.jobs import metrics
from autodub.jobs.platform import Platform
from autodub.jobs.records import RESOURCES
from autodub.jobs.register import Register
from autodub.jobs.tables import jobs
from autodub.model.errors import Unavailable
from autodub.model.job import Event
from autodub.web.app import create_app

Opening = Callable[..., Platform]
ALERTS = Path(__file__).resolve().parents[2] / "deploy" / "alerts.yml"
Samples = list[tuple[str, dict[str, str], float]]


def samples(client: FlaskClient) -> Samples:
    """What a scrape finds: (name, labels, value)."""
    answer = client.get("/metrics")
    assert answer.status_code == 200
    return [
        (one.name, one.labels, one.value)
        for family in text_string_to_metric_families(answer.text)
        for one in family.samples
    ]


def value(found: Samples, name: str, **labels: str) -> float:
    """The sum of the samples with a name and these labels."""
    return sum(v for n, own, v in found if n == name and labels.items() <= own.items())


def tell(platform: Platform, *told: Event) -> None:
    """Have a worker told of this."""
    with platform.sql.writing() as connection:
        metrics.count(connection, "dub", told)


def call(kind: str = "call.finished", **data: Any) -> Event:
    """An event of a call."""
    facts = {"role": "translator", "engine": "openai", "verb": "translate"} | data
    return Event(kind, "translate", data=facts)


def ended(seconds: float, programme: float = 60.0) -> Event:
    """A job that was completed."""
    return Event("job.completed", data={"seconds": seconds, "programme": programme, "reused": False})


def test_requests_are_counted_by_route_method_and_status(client: FlaskClient) -> None:
    """By the template of the route, so that ids make no new series; what matches none is one of its own."""
    for job in ("a" * 32, "b" * 32):
        assert client.get(f"/api/v1/jobs/{job}").status_code == 404
    client.get("/there/is/no/such/page")
    client.open("/health", method="BREW")
    found = samples(client)
    name = "autodub_http_requests_total"
    assert value(found, name, route="/api/v1/jobs/<job>", method="GET", status="404") == 2.0
    assert value(found, name, route="(none)", method="GET", status="404") == 1.0
    assert value(found, name, method="(none)", status="405") == 1.0
    assert value(found, "autodub_http_request_seconds_count", route="/api/v1/jobs/<job>") == 2.0
    assert not any("aaaa" in text for _, labels, _ in found for text in labels.values())


def test_jobs_and_engines_are_read_from_the_database(client: FlaskClient, platform: Platform) -> None:
    """Outcomes, times, calls, retries and dollars, as all workers counted them."""
    tell(
        platform, ended(30.0), ended(200.0), Event("job.failed", data={"code": "busy"}),
        call(seconds=0.3, dollars=0.02), call(kept=True), call("call.failed", code="busy"),
        call("call.retried", code="busy"), Event("stage.finished", "speak", data={"seconds": 2.5}),
        Event("degraded", data={"what": "voice"}),
    )  # fmt: skip
    found = samples(client)
    engine = {"engine": "translator.openai"}
    assert value(found, "autodub_jobs_total", event="completed", kind="dub") == 2.0
    assert value(found, "autodub_job_failures_total", code="busy") == 1.0
    assert value(found, "autodub_job_seconds_bucket", kind="dub", le="60") == 1.0
    assert value(found, "autodub_job_seconds_bucket", kind="dub", le="+Inf") == 2.0
    assert value(found, "autodub_job_seconds_sum", kind="dub") == 230.0
    assert value(found, "autodub_job_seconds_per_minute_count") == 2.0
    assert value(found, "autodub_programme_seconds_total") == 120.0
    assert value(found, "autodub_engine_calls_total", outcome="made", verb="translate", **engine) == 1.0
    assert value(found, "autodub_engine_calls_total", outcome="kept", **engine) == 1.0
    assert value(found, "autodub_engine_call_seconds_bucket", le="0.5", **engine) == 1.0
    assert value(found, "autodub_engine_call_seconds_bucket", le="0.25", **engine) == 0.0
    assert value(found, "autodub_engine_retries_total", code="busy", **engine) == 1.0
    assert value(found, "autodub_engine_cost_dollars_total", **engine) == 0.02
    assert value(found, "autodub_stage_seconds_sum", stage="speak") == 2.5
    assert value(found, "autodub_stage_seconds_count", stage="speak") == 1.0
    assert value(found, "autodub_degradations_total", what="voice") == 1.0


def test_places_and_jobs_that_nobody_takes_are_told_by_resource(
    client: FlaskClient, platform: Platform
) -> None:
    """So that an operator is told of a queue that nobody serves."""
    Register(platform.sql, platform.alive).seen("w", slots=3, resources=("net", "cpu"))
    asked = {"source": "https://youtube.com/watch?v=1", "target": "es"}
    job = client.post("/api/v1/jobs", json=asked).get_json()["id"]
    with platform.sql.writing() as connection:
        connection.execute(update(jobs).where(jobs.c.id == job).values(resource="gpu"))
    found = samples(client)
    unserved = {name: value(found, "autodub_resource_unserved_jobs", resource=name) for name in RESOURCES}
    assert unserved == {"net": 0.0, "cpu": 0.0, "gpu": 1.0}
    assert value(found, "autodub_resource_slots", resource="cpu") == 3.0
    assert value(found, "autodub_resource_slots", resource="gpu") == 0.0


def test_numbers_outlive_the_process(opening: Opening) -> None:
    """Another process over the same database goes on counting where the first one stopped."""
    first = opening()
    tell(first, ended(30.0))
    first.close()
    second = opening()
    tell(second, ended(30.0))
    assert value(samples(create_app(second).test_client()), "autodub_jobs_total", event="completed") == 2.0


def test_metrics_are_there_without_a_database(
    client: FlaskClient, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That it is away is a number of its own; requests are still counted."""

    def away() -> Any:
        raise Unavailable("It is away.")

    monkeypatch.setattr(platform.numbers, "queue", away)
    found = samples(client)
    assert value(found, "autodub_database_up") == 0.0
    assert value(found, "autodub_disk_free_bytes") > 0.0
    assert not [name for name, _, _ in found if name == "autodub_workers"]


def test_open_streams_are_counted_while_they_are_open(app: Flask) -> None:
    """A stream of events is one more until it is closed."""

    @app.get("/stream")
    def stream() -> Any:
        def events() -> Iterator[str]:
            yield "data: 1\n\n"
            yield "data: 2\n\n"

        return app.response_class(events(), mimetype="text/event-stream")

    client = app.test_client()
    with client.get("/stream", buffered=False) as answer:
        next(iter(answer.response))
        assert value(samples(app.test_client()), "autodub_open_streams") == 1.0
    assert value(samples(app.test_client()), "autodub_open_streams") == 0.0


def test_who_may_read_them_is_a_setting(opening: Opening) -> None:
    """Off, open to anybody, or for admins with a key or a session."""
    off = create_app(opening(metrics="off")).test_client()
    assert off.get("/metrics").status_code == 404
    anybody = create_app(opening(metrics="open", accounts=True)).test_client()
    assert anybody.get("/metrics").status_code == 200
    closed = create_app(opening(accounts=True))
    assert closed.test_client().get("/metrics").status_code == 401
    assert Browser(closed).ask("GET", "/metrics").status_code == 401


def test_every_request_is_one_line_in_the_log(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    """Method, path, status, time and where from; no query, which may hold a key."""
    with caplog.at_level(logging.INFO, logger="autodub.access"):
        client.get("/api/v1/jobs?text=private+secret", headers={"Authorization": "Bearer adk_secret"})
        client.get("/health")
    (record,) = [one for one in caplog.records if one.name == "autodub.access"]
    assert record.getMessage() == "GET /api/v1/jobs"
    facts = vars(record)
    assert (facts["status"], facts["address"]) == (200, "127.0.0.1")
    assert facts["ms"] >= 0.0
    assert "secret" not in repr(facts)
    assert "private" not in repr(facts)


def test_a_request_is_a_span_under_the_callers_trace(platform: Platform) -> None:
    """Route, method and status are on it; a job submitted by it is told the trace."""
    exporter = InMemorySpanExporter()
    platform.traces = Traces(exporter=lambda: exporter)
    client = create_app(platform).test_client()
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    client.get("/api/v1/jobs?text=private", headers={"traceparent": parent})
    spec = {"source": "https://www.youtube.com/watch?v=abcdefghijk", "target": "es"}
    job = client.post("/api/v1/jobs", json=spec).get_json()["id"]
    listed, submitted = exporter.get_finished_spans()
    assert listed.name == "GET /api/v1/jobs"
    assert listed.context is not None
    assert f"{listed.context.trace_id:032x}" == "0af7651916cd43dd8448eb211c80319c"
    assert dict(listed.attributes or {})["http.response.status_code"] == 200
    assert "private" not in listed.to_json()
    assert submitted.context is not None
    claimed = platform.claims.next("w1")
    assert claimed is not None
    assert claimed.id == job
    assert f"{submitted.context.span_id:016x}" in claimed.trace


# --- alerts ---------------------------------------------------------------------------------------

_TERM = re.compile(
    r"(?:(?P<by>sum) by \(\w+\)\s*|(?P<how>sum|min|max))?\(?(?:rate|increase)?\(?"
    r"(?P<name>(?:autodub_\w+|up))(?:\{(?P<where>[^}]*)\})?(?:\[\w+\])?\)*"
)
_WHERE = re.compile(r'(\w+)(=~|!~|=)"([^"]*)"')


def rules() -> list[dict[str, Any]]:
    """Every alert."""
    return [rule for group in yaml.safe_load(ALERTS.read_text("utf-8"))["groups"] for rule in group["rules"]]


def fires(rule: dict[str, Any], found: Samples) -> bool:
    """Whether an alert's condition holds, every counter having grown from nothing to what it is now."""

    def number(match: re.Match[str]) -> str:
        wanted = _WHERE.findall(match["where"] or "")
        values = [v for n, labels, v in found if n == match["name"] and _fits(labels, wanted)]
        how = {"sum": sum, "min": min, "max": max}[match["by"] or match["how"]]
        return repr(float(how(values))) if values else "nan"

    condition = _TERM.sub(number, rule["expr"])
    assert re.fullmatch(r"[\d.e+\-*/<>=\s()nan]+|[^_]*and[^_]*", condition), condition
    try:
        return bool(eval(condition, {"nan": float("nan")}))
    except ZeroDivisionError:  # Prometheus: NaN, which is neither more nor less than anything
        return False


def _fits(labels: dict[str, str], wanted: list[tuple[str, str, str]]) -> bool:
    def one(name: str, how: str, text: str) -> bool:
        own = labels.get(name, "")
        return {"=": own == text, "=~": bool(re.fullmatch(text, own)),
                "!~": not re.fullmatch(text, own)}[how]  # fmt: skip

    return all(one(*each) for each in wanted)


def busy(platform: Platform, client: FlaskClient) -> None:
    """Let something of everything be counted, all of it well."""
    tell(platform, *[ended(30.0)] * 20, *[call(seconds=1.0)] * 4, *[call(kept=True)] * 4)
    for _ in range(20):
        client.get("/health")


def test_every_alert_names_metrics_and_labels_that_exist(client: FlaskClient, platform: Platform) -> None:
    """A rule about a number that nobody counts would never fire."""
    busy(platform, client)
    found = samples(client)
    known = {name for name, _, _ in found} | {"up"}
    labels = {(name, label) for name, own, _ in found for label in own}
    assert len(rules()) >= 8
    for rule in rules():
        terms = list(_TERM.finditer(rule["expr"]))
        assert terms
        for term in terms:
            assert term["name"] in known, (rule["alert"], term["name"])
            for label, _, _ in _WHERE.findall(term["where"] or ""):
                assert term["name"] == "up" or (term["name"], label) in labels, (rule["alert"], label)
        assert {"severity"} <= rule["labels"].keys()
        assert {"summary", "description"} <= rule["annotations"].keys()


def test_no_alert_fires_while_all_is_well(opening: Opening) -> None:
    """A server that does its work alarms nobody."""
    platform = opening()
    employ(platform)
    client = create_app(platform).test_client()
    busy(platform, client)
    found = [*samples(client), ("up", {"job": "autodub"}, 1.0)]
    assert [rule["alert"] for rule in rules() if fires(rule, found)] == []


def employ(platform: Platform) -> None:
    """Have a worker seen just now."""
    import time

    from sqlalchemy import insert

    from autodub.jobs.tables import workers

    row = {"id": "w1", "host": "h", "process": 1, "slots": 2, "started": 1.0, "seen": time.time()}
    with platform.sql.writing() as connection:
        connection.execute(insert(workers).values(**row))


def test_each_alert_fires_when_its_time_has_come(opening: Opening) -> None:
    """Failing jobs, errors, no kept answers, a long queue, slow dubs, no worker, a full disk: all at once."""
    platform = opening(spare=1 << 62)
    tell(
        platform, *[ended(400.0)] * 5, *[Event("job.failed", data={"code": "busy"})] * 5,
        *[call(seconds=1.0)] * 9, call(kept=True), *[call("call.failed", code="busy")] * 9,
    )  # fmt: skip
    app = create_app(platform)

    @app.get("/broken")
    def broken() -> Any:
        return "", 500

    client = app.test_client()
    client.get("/health")
    client.get("/broken")
    found = [
        sample for sample in samples(client)
        if sample[0] not in ("autodub_queue_jobs", "autodub_queue_oldest_seconds", "autodub_database_up")
    ]  # fmt: skip
    found += [
        ("autodub_queue_jobs", {"state": "queued"}, 51.0), ("autodub_queue_oldest_seconds", {}, 3601.0),
        ("autodub_database_up", {}, 0.0), ("up", {"job": "autodub"}, 0.0),
        ("autodub_resource_unserved_jobs", {"resource": "gpu"}, 1.0),
    ]  # fmt: skip
    assert [rule["alert"] for rule in rules() if not fires(rule, found)] == []


def test_answers_of_readiness_are_no_errors(opening: Opening) -> None:
    """A server that says it is not ready yet has made no mistake."""
    client = create_app(opening()).test_client()
    for _ in range(5):
        assert client.get("/ready").status_code == 503
    client.get("/health")
    (rule,) = [rule for rule in rules() if rule["alert"] == "AutodubErrors"]
    assert not fires(rule, samples(client))
