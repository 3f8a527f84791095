"""Metrics for Prometheus: what this process answered, and what all workers together did.

Requests are counted in this process. Jobs, engines and money are read from the database at each look, so that
they are one sum over all processes and machines, and go on after a restart.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING

from flask import Response, current_app
from flask_openapi3 import APIBlueprint, Tag
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from autodub import __version__
from autodub.gateway.accounts import is_shared
from autodub.infra import redis_limits
from autodub.jobs import metrics
from autodub.jobs.metrics import Number
from autodub.model.errors import AutodubError, Forbidden, NotFound, Unavailable
from autodub.web import call_metrics
from autodub.web.identity import actor, platform, public
from autodub.web.problems import Problem

if TYPE_CHECKING:
    from autodub.jobs.platform import Platform

blueprint = APIBlueprint(
    "metrics", __name__, abp_tags=[Tag(name="Operations", description="How the server is.")],
    abp_security=[{"key": []}, {"session": []}, {}],
)  # fmt: skip
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_COUNTERS = {
    "jobs": ("autodub_jobs", "What happened to jobs: queued, started, completed, failed, cancelled ..."),
    "failures": ("autodub_job_failures", "Jobs that failed, by reason."),
    "calls": ("autodub_engine_calls", "Calls of engines: made, kept (answered from the store), failed."),
    "retries": ("autodub_engine_retries", "Calls that were tried again, by reason."),
    "dollars": ("autodub_engine_cost_dollars", "US dollars spent."),
    "degradations": ("autodub_degradations", "Decisions to do less than was asked."),
    "programme_seconds": ("autodub_programme_seconds", "Seconds of programme dubbed anew."),
}
_HISTOGRAMS = {
    "job_seconds": ("autodub_job_seconds", "Wall time of the attempt that completed a job."),
    "minute_seconds": (
        "autodub_job_seconds_per_minute", "Wall time per minute of programme, of dubs made anew.",
    ),
    "wait_seconds": ("autodub_job_wait_seconds", "How long jobs waited, by what binds them."),
    "call_seconds": ("autodub_engine_call_seconds", "Wall time of calls that were made."),
}  # fmt: skip


class Measures:
    """The registry of one app."""

    def __init__(self, here: Platform) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a line more for each counter, which nobody reads
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "autodub_http_requests", "Requests answered.", ("method", "route", "status"),
            registry=self.registry,
        )  # fmt: skip
        self.seconds = Histogram(
            "autodub_http_request_seconds", "Time to the first byte of an answer.", ("method", "route"),
            buckets=_SECONDS, registry=self.registry,
        )  # fmt: skip
        self.streams = Gauge(
            "autodub_open_streams", "Streams of events and sockets open now.", registry=self.registry
        )
        ProcessCollector(namespace="autodub_http", registry=self.registry)
        self.registry.register(_Kept(here))

    def text(self) -> bytes:
        """Everything, as Prometheus reads it."""
        return generate_latest(self.registry)


class _Kept:
    """What is in the database, and the state of this machine, asked for at each look."""

    def __init__(self, here: Platform) -> None:
        self._here = here

    def describe(self) -> list[Metric]:
        """Nothing: the registry need not ask the database for names."""
        return []

    def collect(self) -> Iterator[Metric]:
        yield _gauge("autodub_info", "The release that answers.", 1, version=__version__)
        disk = shutil.disk_usage(self._here.settings.data_dir)
        yield _gauge("autodub_disk_free_bytes", "Room for the data directory.", disk.free)
        yield _gauge(
            "autodub_disk_spare_bytes", "Room that must be left for a job to begin.", self._here.server.spare
        )
        yield from _limits(self._here)
        yield from call_metrics.families(self._here)
        try:
            queue, numbers = self._here.numbers.queue(), self._here.numbers.all()
            lanes = self._here.numbers.lanes()
        except Unavailable:
            yield _gauge("autodub_database_up", "Whether the database answers.", 0)
            return
        yield _gauge("autodub_database_up", "Whether the database answers.", 1)
        depth = GaugeMetricFamily("autodub_queue_jobs", "Jobs that wait or run.", labels=["state"])
        depth.add_metric(["queued"], queue.queued)
        depth.add_metric(["processing"], queue.processing)
        yield depth
        yield _gauge("autodub_queue_oldest_seconds", "Wait of the first in the queue.", queue.oldest)
        bound = GaugeMetricFamily(
            "autodub_resource_jobs",
            "Jobs that wait or run, by what binds them.",
            labels=["resource", "state"],
        )
        waits = GaugeMetricFamily(
            "autodub_resource_wait_seconds",
            "Wait of the first that each resource binds.",
            labels=["resource"],
        )
        places = GaugeMetricFamily(
            "autodub_resource_slots",
            "Jobs that workers which serve a resource can run at once.",
            labels=["resource"],
        )
        unserved = GaugeMetricFamily(
            "autodub_resource_unserved_jobs",
            "Jobs that wait and that no worker takes: none serves what binds them, or knows their form.",
            labels=["resource"],
        )
        for resource, lane in lanes.items():
            bound.add_metric([resource, "queued"], lane.queued)
            bound.add_metric([resource, "processing"], lane.processing)
            waits.add_metric([resource], lane.oldest)
            places.add_metric([resource], lane.slots)
            unserved.add_metric([resource], lane.unserved)
        yield from (bound, waits, places, unserved)
        yield _gauge("autodub_workers", "Workers seen lately, on all machines.", queue.workers)
        yield _gauge("autodub_worker_slots", "Jobs that they can run at once.", queue.slots)
        yield from families(numbers)


def _limits(here: Platform) -> Iterator[Metric]:
    """Limits of providers' accounts that machines share; nothing where they do not."""
    if not is_shared(here.settings):
        return
    up = "Whether limits of providers' accounts are shared; where not, each process keeps to a share of them."
    try:
        found = redis_limits.standing(here.settings.provider_limits)
    except AutodubError:
        yield _gauge("autodub_provider_limits_up", up, 0)
        return
    yield _gauge("autodub_provider_limits_up", up, 1)
    yield _gauge("autodub_provider_limits_processes", "Processes that share them.", found.processes)
    calls = GaugeMetricFamily(
        "autodub_provider_calls",
        "Calls under way and waiting for a lane.",
        labels=["provider", "kind", "state"],
    )
    lanes = GaugeMetricFamily(
        "autodub_provider_lanes", "Calls that may go out at once.", labels=["provider", "kind"]
    )
    for (provider, kind), gates in groupby(
        sorted(found.gates, key=lambda one: one.kind), lambda one: one.kind
    ):
        accounts = list(gates)  # those of one provider are one sum: a digest is no label
        calls.add_metric([provider, kind, "running"], sum(one.running for one in accounts))
        calls.add_metric([provider, kind, "waiting"], sum(one.waiting for one in accounts))
        lanes.add_metric([provider, kind], sum(one.width for one in accounts))
    yield from (calls, lanes)


def families(numbers: list[Number]) -> Iterator[Metric]:
    """The numbers of all workers as Prometheus knows them; a counter that nobody used yet is there, empty."""
    found: defaultdict[str, list[Number]] = defaultdict(list)
    for number in numbers:
        found[number.name].append(number)
    for name, (title, text) in _COUNTERS.items():
        labels = _labels(found[name])
        counter = CounterMetricFamily(title, text, labels=labels)
        for one in found[name]:
            counter.add_metric([one.labels.get(label, "") for label in labels], one.value)
        yield counter
    for name, (title, text) in _HISTOGRAMS.items():
        yield _histogram(name, title, text, found[f"{name}_bucket"], found[f"{name}_sum"])
    stages = SummaryMetricFamily("autodub_stage_seconds", "Wall time of stages.", labels=["stage"])
    runs = {one.labels["stage"]: one.value for one in found["stage_runs"]}
    for one in found["stage_seconds"]:
        stage = one.labels["stage"]
        stages.add_metric([stage], count_value=int(runs.get(stage, 0)), sum_value=one.value)
    yield stages


def _histogram(name: str, title: str, text: str, counted: list[Number], sums: list[Number]) -> Metric:
    labels = _labels(sums)
    family = HistogramMetricFamily(title, text, labels=labels)
    for one in sums:
        same = [number for number in counted if one.labels.items() <= number.labels.items()]
        family.add_metric(
            [one.labels.get(label, "") for label in labels], metrics.buckets(name, same), sum_value=one.value
        )
    return family


def _labels(numbers: list[Number]) -> list[str]:
    return sorted({label for number in numbers for label in number.labels})


def _gauge(name: str, text: str, value: float, **labels: str) -> Metric:
    family = GaugeMetricFamily(name, text, labels=list(labels))
    family.add_metric(list(labels.values()), value)
    return family


def of_app() -> Measures:
    """The measures of the running app."""
    found: Measures = current_app.extensions["autodub_measures"]
    return found


@blueprint.get(
    "/metrics", summary="Metrics for Prometheus",
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, 401: Problem, 403: Problem,
               404: Problem},
)  # fmt: skip
@public
def read() -> Response:
    """Counters, gauges and histograms, as text. Who may read them is a setting."""
    server = platform().server
    if server.metrics == "off":
        raise NotFound("There are no metrics here.", hint="The operator turned them off.")
    if server.metrics == "admin" and not actor().is_admin:
        raise Forbidden("Metrics are for admins.", hint="Send an admin's key: Authorization: Bearer ...")
    return Response(of_app().text(), content_type=CONTENT_TYPE_LATEST)
