"""A server under load: status requests at a steady rate and open streams of events, while jobs run.

The load comes from another process (:mod:`benchmarks.load_generator`).
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks.server import Desk, Server, database

_CALM = 3
"""Batches without load, of which the middle one counts."""
_EVERY = 1.0
"""Seconds between two looks at the server's memory."""


def run(
    clips: list[tuple[Path, Path | None]], folder: Path, *, kind: str, minutes: float, rate: float,
    streams: int, wishes: dict[str, Any], environ: Mapping[str, str] | None = None,
) -> tuple[dict[str, Any], bool]:  # fmt: skip
    """The same jobs without load and with it, over and over for so many minutes; what was measured.

    ``clips`` are films with their subtitles, or None where they are to be heard; ``environ`` is the server's.
    """
    count = len(clips)
    environ = dict(environ or {}) | {"AUTODUB_USER_RUNNING": str(count), "AUTODUB_RUNNING": str(count)}
    with database(kind) as address:
        server = Server(folder / "server", database=address, slots=count, environ=environ)
        server.start()
        try:
            with closing(Desk(server)) as desk:
                _batch(desk, clips, wishes)  # which loads what no later one has to
                alone = [_batch(desk, clips, wishes) for _ in range(_CALM)]
                print(f"without load: {', '.join(f'{s:.1f}' for s in alone)} s", file=sys.stderr, flush=True)
                watched = _Memory(server)
                used, began = server.answering_seconds(), time.monotonic()
                loaded, answers = _under_load(server, desk, clips, wishes, minutes, rate, streams, folder)
                memory = watched.stop()
                share = (server.answering_seconds() - used) / (time.monotonic() - began)
            stopped = server.stop()
        finally:
            server.stop()
    slower = statistics.median(loaded) / statistics.median(alone) - 1
    report = {
        "database": kind, "jobs at once": count, "batches under load": len(loaded),
        "a batch without load, s": [round(s, 2) for s in alone],
        "a batch under load, s": [round(s, 2) for s in loaded],
        "jobs slowed by, percent": round(100 * slower, 1), **answers, **memory,
        "the answering process's share of a core": round(share, 2),
        "stopping took, s": round(stopped, 1), "cores": os.cpu_count(), "load average": os.getloadavg(),
    }  # fmt: skip
    good = answers["p99, ms"] < 50 and slower < 0.10 and not answers["failed requests"]
    return report, good


def _batch(desk: Desk, clips: list[tuple[Path, Path | None]], wishes: dict[str, Any]) -> float:
    """Run jobs at once, then delete them with everything they left; seconds they took."""
    asked = [
        {"upload": desk.upload(clip)} | ({"subtitles": desk.upload(said)} if said else {})
        for clip, said in clips
    ]
    began = time.monotonic()
    jobs = [desk.submit(**one, **wishes) for one in asked]
    desk.until_over(jobs, patience=1800)
    took = time.monotonic() - began
    bad = [found["error"] for job in jobs if (found := desk.job(job))["state"] != "completed"]
    if bad:
        sys.exit(f"jobs failed: {bad}")
    for job in jobs:
        desk.delete(job)
    return took


def _under_load(
    server: Server, desk: Desk, clips: list[tuple[Path, Path | None]], wishes: dict[str, Any], minutes: float,
    rate: float, streams: int, folder: Path,
) -> tuple[list[float], dict[str, Any]]:  # fmt: skip
    # Somebody looks at a job that stays; streams follow all of the user's jobs, and those of that one.
    upload = desk.upload(clips[0][0])
    looked_at = desk.submit(upload=upload, priority=-9, **wishes)
    desk.until_over([looked_at], patience=1800)
    result = folder / "load.json"
    order = {"port": server.port, "job": looked_at, "rate": rate, "streams": streams, "result": str(result)}
    generator = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.load_generator", json.dumps(order)], stdin=subprocess.PIPE
    )
    time.sleep(3.0)  # until all streams are open
    loaded: list[float] = []
    end = time.monotonic() + minutes * 60
    while time.monotonic() < end or not loaded:
        loaded.append(_batch(desk, clips, wishes))
        print(f"under load: {loaded[-1]:.1f} s", file=sys.stderr, flush=True)
    generator.communicate(b"stop")
    if generator.returncode:
        sys.exit("the generator failed")
    answers: dict[str, Any] = json.loads(result.read_text())
    return loaded, answers


class _Memory:
    """What the server takes, over time."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._seen: list[tuple[float, float]] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> dict[str, Any]:
        """Megabytes: at the beginning, at the end, the most, and how they grew."""
        self._over.set()
        self._thread.join()
        sizes = [size for _, size in self._seen]
        half = len(sizes) // 2
        slope = 0.0
        if len(self._seen) - half > 10:
            times = [at / 60 for at, _ in self._seen[half:]]
            slope = statistics.linear_regression(times, sizes[half:]).slope
        return {
            "memory of the answering process, MB": {
                "first": round(sizes[0], 1), "last": round(sizes[-1], 1), "most": round(max(sizes), 1),
                "growth in the second half, MB per minute": round(slope, 3),
            }
        }  # fmt: skip

    def _watch(self) -> None:
        began = time.monotonic()
        while not self._over.wait(_EVERY):
            self._seen.append((time.monotonic() - began, self._server.answering_memory() / 2**20))
