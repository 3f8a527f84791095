"""What benchmarks of a cluster share: films, clouds, users who follow jobs, and what the record says."""

from __future__ import annotations

import hashlib
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from deploy.cluster.cluster import Cluster

from autodub.client import ApiError, Client
from autodub.testing import dialogue
from autodub.testing.dialogue import Dialogue
from autodub.testing.loopback import Faults, Loopback
from autodub.testing.loopback.__main__ import SERVICES, service
from benchmarks.faults import KEYS, LIVELY

FILES = ("media", "srt", "vtt")
"""What must be the same to the byte; receipts tell when and how long."""
_RATES = ("AUTODUB_RATES", "AUTODUB_CREATE_RATES", "AUTODUB_EDIT_RATES", "AUTODUB_LOGIN_RATES")
ENGINES = {
    "transcriber": "deepgram", "translator": "openai", "synthesizer": "elevenlabs", "separator": "spectral",
}  # fmt: skip
OVER = ("completed", "failed", "cancelled")
_HOOK = '''
"""In processes that run jobs: fakes, where wanted; writes the key of every answer to be kept, and kept."""
import os, sys, time
if {"worker", "serve"} & set(sys.orig_argv):
    if delay := os.environ.get("BENCH_FAKES"):
        from autodub.engines import registry
        from autodub.testing.fakes import FAKES
        from autodub.testing.script import Script
        def scripted(kind):
            class Scripted(kind):
                def __init__(self, options, context):
                    super().__init__(options, context, script=Script(delay=float(delay)))
            return Scripted
        kept_open = [registry.registered(role, "fake", scripted(kind)) for role, kind in FAKES.items()]
        for one in kept_open:
            one.__enter__()
    from autodub.gateway.store import Store
    _put = Store.put
    _log = os.open(os.environ["BENCH_ANSWERS"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    def put(self, key, answer, *args, **kwargs):
        what = f"{key} {answer.engine} {answer.verb} {os.getpid()} {time.time():.2f}"
        os.write(_log, f"made {what}\\n".encode())
        found = _put(self, key, answer, *args, **kwargs)
        os.write(_log, f"kept {what}\\n".encode())
        return found
    Store.put = put
'''


def films(folder: Path, count: int) -> list[Dialogue]:
    """Dialogues of 3, 4, 5 ... lines, made once."""
    return [dialogue.build(folder, lines=3 + number, size=(160, 90)) for number in range(count)]


@contextmanager
def clouds(told: Sequence[Dialogue]) -> Iterator[tuple[Loopback, dict[str, str]]]:
    """The providers in this process, and the variables that lead to them."""
    services: dict[str, Any] = {name: service(name) for name in SERVICES}
    for one in told:
        services["deepgram"].tell(one.words, duration=one.clip.duration)
    keys = {name: [KEYS[f"{name.upper()}_API_KEY"]] for name in services}
    with Loopback(services.values(), profile=LIVELY, faults=Faults(hold=0.5), keys=keys) as server:
        addresses = {f"{name.upper()}_BASE_URL": server.url(name) for name in SERVICES}
        addresses["OPENAI_BASE_URL"] += "/v1"
        yield server, KEYS | addresses
        if server.crashes:
            sys.exit(server.crashes[0])


def environ(folder: Path, **more: str) -> dict[str, str]:
    """Variables of every server and worker: no limits, a log of answers, and ``more``."""
    hooks = folder / "hooks"
    hooks.mkdir(parents=True, exist_ok=True)
    (hooks / "sitecustomize.py").write_text(_HOOK)
    ours = os.pathsep.join(map(str, (hooks, Path.cwd(), Path.cwd() / "src")))
    return dict.fromkeys(_RATES, "1000000 per minute") | {
        "BENCH_ANSWERS": str(folder / "answers.log"), "PYTHONPATH": ours, "AUTODUB_SPARE": "0",
        "HOME": str(folder), "OMP_NUM_THREADS": "1", **more,
    }  # fmt: skip


class Follower(threading.Thread):
    """Follows a job's events through nginx to its end, and begins again where it was given up."""

    def __init__(self, client: Client, job: str) -> None:
        super().__init__(name=f"follow-{job[:8]}", daemon=True)
        self._client, self.job = client, job
        self.numbers: list[int] = []
        self.given_up = 0
        """Times that the client gave up: a minute without anything."""
        self.is_over = False
        self.start()

    def run(self) -> None:
        """Read."""
        while not self.is_over:
            try:
                for event in self._client.jobs.events(
                    self.job, after=self.numbers[-1] if self.numbers else 0
                ):
                    self.numbers.append(event.number)
                self.is_over = True
            except ApiError:
                self.given_up += 1
                time.sleep(1.0)


@dataclass(frozen=True)
class Wish:
    """A job that somebody wants."""

    user: str
    film: Path
    target: str
    more: Mapping[str, Any] = field(default_factory=dict)


def submit(clients: Mapping[str, Client], wishes: Sequence[Wish]) -> list[str]:
    """Submit them all; their jobs."""
    return [clients[one.user].jobs.submit(one.film, one.target, **one.more).id for one in wishes]


def states(cluster: Cluster, jobs: Sequence[str]) -> list[str]:
    """Of jobs, as the database has them; all unknown while it is away."""
    try:
        with psycopg.connect(cluster.database(), connect_timeout=5) as connection:
            rows: dict[str, str] = dict(connection.execute("SELECT id, state FROM jobs").fetchall())
    except psycopg.Error:
        return ["unknown"] * len(jobs)
    return [rows[job] for job in jobs]


def until_over(cluster: Cluster, jobs: Sequence[str], *, patience: float) -> float:
    """Wait until all are over; seconds that took."""
    began = time.monotonic()
    while any(state not in OVER for state in states(cluster, jobs)):
        if time.monotonic() - began > patience:
            print(f"not over after {patience:g} s: {Counter(states(cluster, jobs))}", file=sys.stderr)
            break
        time.sleep(0.5)
    return time.monotonic() - began


def digests(client: Client, job: str, folder: Path) -> dict[str, str]:
    """What the files of a finished job are."""
    found = {}
    for kind in FILES:
        file = client.jobs.download(job, folder / f"{job}.{kind}", kind=kind)
        found[kind] = hashlib.sha256(file.read_bytes()).hexdigest()
        file.unlink()
    return found


@dataclass
class Record:
    """What the platform's own tables say about a job."""

    state: str
    attempts: int
    error: str
    numbers: list[int]
    troubles: list[str]
    """What must not be: two attempts at once, a word of one that was given up, a number missing or twice."""


_GAVE = ("job.lost", "job.handed_back", "job.completed", "job.failed", "job.cancelled")


def record(cluster: Cluster, job: str) -> Record:
    """Read it."""
    with psycopg.connect(cluster.database()) as connection:
        row = connection.execute("SELECT state, attempt, error FROM jobs WHERE id = %s", (job,)).fetchone()
        told = connection.execute(
            "SELECT number, attempt, kind FROM events WHERE job = %s ORDER BY number", (job,)
        ).fetchall()
    assert row is not None
    troubles = []
    if [number for number, _, _ in told] != list(range(1, len(told) + 1)):
        troubles.append("its numbers are not 1, 2, 3 ...")
    running = 0
    for number, attempt, kind in told:
        if kind == "job.started":
            if running:
                troubles.append(f"event {number}: attempt {attempt} begins while {running} has not ended")
            running = attempt
        elif kind in _GAVE:
            running = 0
        elif kind != "job.queued" and attempt and attempt != running:
            troubles.append(f"event {number}: {kind} of attempt {attempt} while {running or 'none'} runs")
    return Record(row[0], row[1], row[2] or "", [number for number, _, _ in told], troubles)


def made_again(log: Path) -> list[str]:
    """Answers that were made although they had been kept before: key, engine and verb."""
    kept: set[str] = set()
    again = []
    for line in log.read_text().splitlines() if log.exists() else ():
        what, key, rest = line.split(" ", 2)
        if what == "kept":
            kept.add(key)
        elif key in kept:
            again.append(f"{key[:12]} {rest}")
    return again
