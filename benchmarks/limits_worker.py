"""One worker of the limits' benchmark: jobs that speak lines at one account, through the gateway.

``python -m benchmarks.limits_worker`` reads its order, a line of JSON, from standard input; says ``ready``;
waits for another line; carries the jobs out side by side; and answers with a line of JSON. Seconds are those
of the machine's monotonic clock, which all processes share.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from autodub.engines import registry
from autodub.engines.context import engine_context
from autodub.gateway.gateway import Gateway
from autodub.gateway.opening import open_store
from autodub.infra import settings
from autodub.model.calls import ListVoices, Synthesize
from autodub.model.job import Event

_THREADS = 8
"""Lines of a job that want to be spoken at once."""


def main() -> None:
    """Carry out the order."""
    order: dict[str, Any] = json.loads(sys.stdin.readline())
    here = settings.load(environ=order["environ"], data_dir=Path(order["data_dir"]))
    engine = registry.build("synthesizer", "elevenlabs", order["options"], engine_context(here))
    engine.prepare()
    print("ready", flush=True)
    sys.stdin.readline()
    done: list[dict[str, Any]] = []
    threads = [
        threading.Thread(target=lambda job=job: done.append(_carry_out(here, engine, job)))  # type: ignore[misc]
        for job in order["jobs"]
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps(done), flush=True)


def _carry_out(here: settings.Settings, engine: Any, job: dict[str, Any]) -> dict[str, Any]:
    events: list[Event] = []
    store = open_store(here, owner=job["name"])
    gateway = Gateway(store, listener=events.append, user=job["user"])
    began, ends = time.monotonic(), []
    voice = gateway.call(engine, "list_voices", ListVoices("es")).voices[0]

    def speak(number: int) -> None:
        gateway.call(engine, "synthesize", Synthesize(f"{job['name']} {number}", voice))
        ends.append(time.monotonic())

    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(speak, range(job["lines"])))
    gateway.close()
    store.close()
    kinds = [
        event.kind if event.kind != "degraded" else f"degraded: {event.data['what']}" for event in events
    ]
    return {
        "job": job["name"], "user": job["user"], "began": began, "ends": sorted(ends),
        "retried": kinds.count("call.retried"), "apart": kinds.count("degraded: limits"),
        "shared again": kinds.count("limits.shared"),
    }  # fmt: skip


if __name__ == "__main__":
    main()
