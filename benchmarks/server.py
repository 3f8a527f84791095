"""A server as its operator starts it, for benchmarks: started, asked, watched, killed with all it started."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx

_LIMITS = ("AUTODUB_RATES", "AUTODUB_CREATE_RATES", "AUTODUB_EDIT_RATES", "AUTODUB_LOGIN_RATES")
_LOGGING = '''
"""Writes the key of every answer that is about to be kept, in processes that run jobs."""
import os, sys
if "worker" in sys.orig_argv:
    from autodub.gateway.store import Store
    _put = Store.put
    _log = os.open(os.environ["BENCH_ANSWERS"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    def put(self, key, answer):
        os.write(_log, f"made {key} {answer.engine} {answer.verb}\\n".encode())
        return _put(self, key, answer)
    Store.put = put
'''
OVER = ("completed", "failed", "cancelled")


class Server:
    """``autodub serve`` over one data directory; killed as often as one likes."""

    def __init__(
        self, folder: Path, *, database: str = "", slots: int = 2, environ: Mapping[str, str] | None = None
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.data = folder, folder / "data"
        self.answers = folder / "answers.log"
        """A line for every answer of an engine that was made."""
        hooks = folder / "hooks"
        hooks.mkdir(exist_ok=True)
        (hooks / "sitecustomize.py").write_text(_LOGGING)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._argv = [
            sys.executable, "-m", "autodub", "serve", "--port", str(self.port), "--slots", str(slots),
            "--data-dir", str(self.data), "--log", "json",
        ]  # fmt: skip
        self._environ = {
            name: value for name, value in os.environ.items()
            if not name.startswith("AUTODUB_") and name != "PYTHONDONTWRITEBYTECODE"
        }  # fmt: skip
        ours = os.pathsep.join(map(str, (hooks, Path.cwd(), Path.cwd() / "src")))
        self._environ |= dict.fromkeys(_LIMITS, "1000000 per minute") | {
            "HOME": str(folder), "BENCH_ANSWERS": str(self.answers), "AUTODUB_DATABASE": database,
            "PYTHONPATH": ours, "AUTODUB_SPARE": "0",
            **(environ or {}),
        }  # fmt: skip
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> float:
        """Start it; seconds until it answered."""
        began = time.monotonic()
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                self._argv, env=self._environ, stdout=log, stderr=log, start_new_session=True
            )
        while True:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{self.url}/health", timeout=5).status_code == 200:
                    return time.monotonic() - began
            if self.process.poll() is not None:
                sys.exit(f"the server ended:\n{(self.folder / 'server.log').read_text()[-3000:]}")
            time.sleep(0.05)

    def tree(self) -> list[int]:
        """Every process of it."""
        assert self.process is not None
        return _tree(self.process.pid)

    def answering(self) -> list[int]:
        """The processes that answer requests: all but the one that runs jobs, and its programs."""
        workers = {pid for pid in self.tree() if b"\0worker\0" in _words(pid)}
        beside = {pid for worker in workers for pid in _tree(worker)}
        return [pid for pid in self.tree() if pid not in beside]

    def answering_memory(self) -> int:
        """Bytes that those have to themselves, and their share of the rest."""
        return sum(_share(pid) for pid in self.answering())

    def answering_seconds(self) -> float:
        """Seconds of a core that those have used."""
        return sum(_seconds(pid) for pid in self.answering())

    def kill(self) -> None:
        """Everything of it at once, as the kernel would."""
        assert self.process is not None
        for pid in self.tree():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> float:
        """Ask it to end; seconds that took."""
        began = time.monotonic()
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.kill()
        return time.monotonic() - began


class Desk:
    """Somebody who uses a server."""

    def __init__(self, server: Server) -> None:
        self._client = httpx.Client(base_url=server.url, timeout=60)

    def upload(self, path: Path) -> str:
        """Send a file; its id."""
        with path.open("rb") as file:
            answer = self._client.post("/api/v1/uploads", files={"file": (path.name, file)})
        return str(_checked(answer)["id"])

    def submit(self, **wishes: Any) -> str:
        """A job's id."""
        return str(_checked(self._client.post("/api/v1/jobs", json=wishes))["id"])

    def delete(self, job: str) -> None:
        """Have a job removed with everything of it."""
        _checked(self._client.delete(f"/api/v1/jobs/{job}"))

    def job(self, job: str) -> dict[str, Any]:
        """A job as it stands."""
        return _checked(self._client.get(f"/api/v1/jobs/{job}"))

    def states(self, jobs: list[str]) -> list[str]:
        """Of some jobs."""
        return [self.job(job)["state"] for job in jobs]

    def file(self, job: str, kind: str) -> bytes:
        """A file of a finished job."""
        answer = self._client.get(f"/api/v1/jobs/{job}/files/{kind}")
        answer.raise_for_status()
        return answer.content

    def events(self, job: str) -> list[dict[str, Any]]:
        """All events of a job, as JSON."""
        found: list[dict[str, Any]] = []
        while True:
            after = found[-1]["number"] if found else 0
            page = _checked(self._client.get(f"/api/v1/jobs/{job}/events", params={"after": after}))
            if not page["events"]:
                return found
            found += page["events"]

    def until_over(self, jobs: list[str], *, patience: float = 600) -> None:
        """Wait until nobody works on these jobs any more."""
        end = time.monotonic() + patience
        while any(state not in OVER for state in self.states(jobs)):
            if time.monotonic() > end:
                sys.exit(f"jobs are not over after {patience:g} s: {self.states(jobs)}")
            time.sleep(0.2)

    def close(self) -> None:
        """Nothing is asked any more."""
        self._client.close()


class Follower(threading.Thread):
    """Reads the stream of a job's events to its end, and begins again where it broke off."""

    def __init__(self, server: Server, job: str) -> None:
        super().__init__(name=f"follow-{job[:8]}", daemon=True)
        self._url = f"{server.url}/api/v1/jobs/{job}/events"
        self.numbers: list[int] = []
        """Of the events, as they came."""
        self.breaks = 0
        self.is_over = False
        self.start()

    def run(self) -> None:
        """Read."""
        with httpx.Client(timeout=httpx.Timeout(10, read=40), verify=False) as client:
            while not self.is_over:
                try:
                    self._read(client)
                except (httpx.HTTPError, OSError):
                    self.breaks += 1
                    time.sleep(0.5)

    def _read(self, client: httpx.Client) -> None:
        headers = {"Accept": "text/event-stream"}
        if self.numbers:
            headers["Last-Event-ID"] = str(self.numbers[-1])
        with client.stream("GET", self._url, headers=headers) as answer:
            if answer.status_code == 204:  # there is nothing more to come
                self.is_over = True
                return
            answer.raise_for_status()
            number, kind = "", ""
            for line in answer.iter_lines():
                name, _, value = line.partition(":")
                if name == "id":
                    number = value.strip()
                elif name == "event":
                    kind = value.strip()
                elif not line:
                    if number:
                        self.numbers.append(int(number))
                    self.is_over = self.is_over or kind in ("end", "gone")
                    number, kind = "", ""


def _tree(root: int) -> list[int]:
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{pid}/task").iterdir():
                waiting += [int(child) for child in (task / "children").read_text().split()]
    return found


def _words(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _seconds(pid: int) -> float:
    """Processor time a process has used."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def _share(pid: int) -> int:
    """Bytes a process has to itself, and its share of the rest."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def _checked(answer: httpx.Response) -> dict[str, Any]:
    if answer.is_error:
        sys.exit(f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text[:500]}")
    found: dict[str, Any] = json.loads(answer.content)
    return found


@contextlib.contextmanager
def database(kind: str) -> Iterator[str]:
    """Address of an empty database: empty for SQLite, else of a PostgreSQL that is started for it."""
    if kind == "sqlite":
        yield ""
        return
    sys.path.insert(0, str(Path("tests/jobs").absolute()))
    from postgres import cluster

    with cluster() as address:
        yield address
