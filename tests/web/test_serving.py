"""The server as processes: it starts, answers, ends, and is killed without loss."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from autodub.web import serving

_PATIENCE = 60.0
"""Seconds after which a test gives up; nothing here takes that long."""
Starting = Callable[..., "Server"]


class Server:
    """An ``autodub serve`` of its own."""

    def __init__(self, folder: Path, **given: str) -> None:
        self.folder = folder
        self.log = folder / f"log-{secrets.token_hex(4)}"
        environ = {
            "HOME": str(folder), "PATH": os.environ["PATH"], "AUTODUB_DATA_DIR": str(folder / "data"),
            "AUTODUB_SPARE": "0", "AUTODUB_SITES": "*", "AUTODUB_ADDRESSES": "127.0.0.1",
            "AUTODUB_CONFIG": "", "AUTODUB_LOG": "json", **given,
        }  # fmt: skip
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "autodub", "serve", "--port", "0"],
                env=environ, stdout=log, stderr=log, process_group=0,
            )  # fmt: skip
        self.address = self.told("listening")["address"]

    def lines(self) -> list[dict[str, Any]]:
        """The log so far."""
        text = self.log.read_text("utf-8")
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def told(self, message: str, *, times: int = 1) -> dict[str, Any]:
        """Wait until the log has a message so often; the last of them."""
        return self.until(
            lambda: [one for one in self.lines() if one["message"] == message][times - 1 : times]
        )[0]

    def until(self, look: Callable[[], Any]) -> Any:
        """Wait until there is something to see, or the server has ended."""
        end = time.monotonic() + _PATIENCE
        while not (found := look()):
            assert time.monotonic() < end, self.log.read_text("utf-8")
            time.sleep(0.02)
        return found

    def ask(self, path: str, body: object = None, *, method: str | None = None) -> tuple[int, Any]:
        """Status and JSON of an answer; 0 where there is none."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.address + path, data, {"Content-Type": "application/json"}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=_PATIENCE) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, json.load(refused)
        except (urllib.error.URLError, ConnectionError):
            return 0, None

    def ready(self) -> None:
        """Wait until it can take work."""
        self.until(lambda: self.ask("/ready")[0] == 200)

    def submit(self, source: str) -> str:
        """A job in its queue."""
        status, told = self.ask("/api/v1/jobs", {"source": source, "target": "es"})
        assert status == 201, told
        return str(told["id"])

    def state(self, job: str) -> str:
        """How a job stands."""
        return str(self.ask(f"/api/v1/jobs/{job}")[1]["state"])

    def pids(self) -> list[int]:
        """Its processes, itself first."""
        found, waiting = [], [self.process.pid]
        while waiting:
            pid = waiting.pop(0)
            found.append(pid)
            children = Path(f"/proc/{pid}/task/{pid}/children")
            waiting += [int(one) for one in children.read_text().split()] if children.exists() else []
        return found

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Have it end; its exit code."""
        self.process.send_signal(how)
        return self.process.wait(_PATIENCE)

    def close(self) -> None:
        """End whatever is left."""
        for pid in self.pids():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait(_PATIENCE)


@pytest.fixture
def starting(tmp_path: Path) -> Iterator[Starting]:
    """Start servers one after another over one data directory."""
    with ExitStack() as stack:

        def start(**given: str) -> Server:
            server = Server(tmp_path, **given)
            stack.callback(server.close)
            return server

        yield start


@pytest.fixture
def silent() -> Iterator[str]:
    """Address of a video whose site takes the connection and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/talk.mp4"


def is_there(pid: int) -> bool:
    """Whether a process runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def is_free(address: str) -> bool:
    """Whether another server could listen there."""
    host, port = address.removeprefix("http://").split(":")
    try:
        socket.create_server((host, int(port))).close()
    except OSError:
        return False
    return True


def test_it_answers_ends_its_streams_and_hands_its_jobs_back(starting: Starting, silent: str) -> None:
    """SIGTERM: streams end, the job under way is queued again, the exit code is 0; the next start goes on."""
    server = starting()
    server.ready()
    with urllib.request.urlopen(server.address + "/health", timeout=_PATIENCE) as answer:
        assert answer.headers["Server"] == "autodub"
    job = server.submit(silent)
    server.until(lambda: server.state(job) == "processing")
    url = f"{server.address}/api/v1/jobs/{job}/events"
    request = urllib.request.Request(url, headers={"Accept": "text/event-stream"})
    with urllib.request.urlopen(request, timeout=_PATIENCE) as stream:
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        text = stream.read().decode()  # to its end
    assert "job.started" in text
    assert server.process.wait(_PATIENCE) == 0
    assert time.monotonic() - began < 20.0
    said = [line["message"] for line in server.lines()]
    assert "job handed back" in said
    assert any(one.startswith("Stopping:") for one in said)
    assert said[-1] == "Autodub has stopped."
    again = starting()
    again.ready()
    again.until(lambda: again.state(job) == "processing")
    assert again.ask(f"/api/v1/jobs/{job}/cancel", {}, method="POST")[0] == 200
    again.until(lambda: again.state(job) == "cancelled")
    assert again.end(signal.SIGINT) == 0
    for line in (*server.lines(), *again.lines()):
        assert line["level"] in ("debug", "info"), line


def test_a_worker_that_dies_is_started_again_and_goes_on(starting: Starting, silent: str) -> None:
    """Only the jobs' process is lost; answers go on, and the job is taken up again at once."""
    server = starting()
    server.ready()
    job = server.submit(silent)
    server.until(lambda: server.state(job) == "processing")
    first = server.told("worker begins")["worker"]
    (worker,) = [
        pid for pid in server.pids() if b"worker" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    ]
    front = os.getpriority(os.PRIO_PROCESS, server.process.pid)
    assert os.getpriority(os.PRIO_PROCESS, worker) > front, "requests are answered first"
    os.kill(worker, signal.SIGKILL)
    assert server.ask("/health")[0] == 200
    assert server.told("worker begins", times=2)["worker"] != first
    server.until(lambda: server.ask(f"/api/v1/jobs/{job}")[1]["attempt"] == 2)
    assert server.end() == 0


def test_whoever_insists_ends_it_at_once(starting: Starting, silent: str) -> None:
    """A second Ctrl-C while a job is being stopped waits for nobody."""
    server = starting()
    server.ready()
    job = server.submit(silent)
    server.until(lambda: server.state(job) == "processing")
    pids = server.pids()
    server.process.send_signal(signal.SIGINT)
    server.until(lambda: server.ask("/health")[0] == 0)
    if server.process.poll() is None:
        server.process.send_signal(signal.SIGINT)
    assert server.process.wait(_PATIENCE) in (0, 130)
    server.until(lambda: not any(is_there(pid) for pid in pids))


def test_nothing_outlives_a_server_that_is_killed(starting: Starting, silent: str) -> None:
    """After kill -9 its port is free, its processes are gone, and the next server continues the job."""
    server = starting()
    server.ready()
    job = server.submit(silent)
    server.until(lambda: server.state(job) == "processing")
    pids = server.pids()
    assert len(pids) >= 3
    server.process.kill()
    server.process.wait(_PATIENCE)
    server.until(lambda: not any(is_there(pid) for pid in pids))
    server.until(lambda: is_free(server.address))
    again = starting()
    again.ready()
    again.until(lambda: again.ask(f"/api/v1/jobs/{job}")[1]["attempt"] == 2)
    told = again.ask(f"/api/v1/jobs/{job}/events")[1]["events"]
    assert [event["number"] for event in told] == list(range(1, len(told) + 1))
    assert "job.lost" in {event["kind"] for event in told}


def test_leaving_is_known_to_whoever_asks() -> None:
    """Answers that go on for long see it at once, also while they wait."""
    try:
        assert not serving.leaving()
        assert not serving.until_leaving(0.0)
        serving.leave()
        assert serving.leaving()
        assert serving.until_leaving(60.0)
    finally:
        serving.stay()
