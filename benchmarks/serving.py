"""How soon a server answers, how soon a submitted job begins, and how soon it stops.

``python -m benchmarks.serving [--postgres ADDRESS] [JOBS]`` starts ``autodub serve`` on an empty data
directory, waits for the first answer, submits jobs one after another whose source does not exist, and reads
from their events when they were queued and when a worker began.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from statistics import median
from typing import Any


def main(jobs: int, database: str) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        given = {"AUTODUB_DATA_DIR": folder, "AUTODUB_ADDRESSES": "127.0.0.1", "AUTODUB_SITES": "*",
                 "AUTODUB_SPARE": "0",
                 "AUTODUB_CREATE_RATES": "10000 per minute", "AUTODUB_RATES": "100000 per minute",
                 "AUTODUB_DATABASE": database}  # fmt: skip
        began = time.monotonic()
        process, address = start(given)
        try:
            measure(process, address, began, jobs)
        finally:
            process.kill()


def measure(process: subprocess.Popen[str], address: str, began: float, jobs: int) -> None:
    """A server that was started at ``began``."""
    print(f"listening          {time.monotonic() - began:.2f} s")
    until(address + "/health")
    print(f"first /health      {time.monotonic() - began:.2f} s")
    until(address + "/ready")
    print(f"first /ready       {time.monotonic() - began:.2f} s")
    waits = sorted(one_job(address) for _ in range(jobs))
    print(f"queued to started  median {median(waits) * 1000:.1f} ms, most {waits[-1] * 1000:.1f} ms")
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    code = process.wait(60)
    print(f"stopped            {time.monotonic() - began:.2f} s, exit code {code}")


def start(given: dict[str, str]) -> tuple[subprocess.Popen[str], str]:
    """A server of its own at a free port, and where it is."""
    argv = [sys.executable, "-m", "autodub", "serve", "--port", "0"]
    log = (Path(given["AUTODUB_DATA_DIR"]) / "log").open("w")
    process = subprocess.Popen(argv, env=os.environ | given, stdout=subprocess.PIPE, stderr=log, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    return process, next(word for word in line.split() if word.startswith("http"))


def until(url: str) -> None:
    """Ask until the answer is 200."""
    while True:
        try:
            urllib.request.urlopen(url, timeout=10).close()
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.01)
        else:
            return


def one_job(address: str) -> float:
    """Seconds that a job waited for a free slot."""
    spec = {"source": "http://127.0.0.1:1024/none.mp4", "target": "es"}
    job = ask(f"{address}/api/v1/jobs", spec)["id"]
    while ask(f"{address}/api/v1/jobs/{job}")["state"] in ("queued", "processing"):
        time.sleep(0.05)
    events = ask(f"{address}/api/v1/jobs/{job}/events")["events"]
    at = {event["kind"]: event["at"] for event in reversed(events)}
    return float(at["job.started"] - at["job.queued"])


def ask(url: str, body: object = None) -> Any:
    """JSON of an address."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as refused:
        sys.exit(f"{url}: {refused.code} {refused.read().decode()}")


if __name__ == "__main__":
    words = sys.argv[1:]
    place = words.index("--postgres") + 1 if "--postgres" in words else 0
    numbers = [word for word in words if word.isdigit()]
    main(int(numbers[0]) if numbers else 50, words[place] if place else "")
