"""Calls that workers on other machines make, for whoever starts and stops such workers."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric

from autodub.jobs.platform import Platform
from autodub.model.errors import Unavailable


def families(here: Platform) -> Iterator[Metric]:
    """Calls and places by engine; nothing where no engine is elsewhere, or the store does not answer."""
    board = here.store.calls
    if board is None or not here.settings.remote_engines:
        return
    try:
        loads = board.loads()
    except Unavailable:
        return
    calls = GaugeMetricFamily(
        "autodub_calls", "Calls to engines on other machines.", labels=["engine", "state"]
    )
    waits = GaugeMetricFamily(
        "autodub_call_wait_seconds", "Wait of the first call of an engine.", labels=["engine"]
    )
    places = GaugeMetricFamily(
        "autodub_call_slots", "Calls that workers which serve an engine can make at once.", labels=["engine"]
    )
    for engine, load in loads.items():
        calls.add_metric([engine, "queued"], load.queued)
        calls.add_metric([engine, "running"], load.running)
        waits.add_metric([engine], load.oldest)
        places.add_metric([engine], load.places)
    yield from (calls, waits, places)
