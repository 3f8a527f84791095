"""One machine as the product runs on it: a server with some places, PostgreSQL, and the loopback clouds."""

from __future__ import annotations

import contextlib
import json
import os
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autodub.infra.profiling import _cpu_and_memory
from benchmarks.capacity import tallying, world
from benchmarks.server import Desk, Server, _words, database

WISHES = {
    "target": "es", "spoken": "en", "clone_voices": True,
    "engines": {
        "transcriber": "deepgram", "translator": "openai", "synthesizer": "elevenlabs",
        "separator": "spectral",
    },
    "options": {"translator": {"dialect": "openai"}},
}  # fmt: skip
_SETTLED = 2.5
"""Seconds after which PostgreSQL has told its counters what a session did."""


@dataclass(slots=True)
class Counts:
    """What was used up to a moment; all of it only grows."""

    at: float
    worker: float
    answering: float
    database: float
    world: float
    """CPU seconds."""
    commits: float
    everybody: float
    """CPU seconds of the whole machine."""
    blobs: dict[str, list[float]]
    """Ending of a file's name -> how many, bytes."""
    verbs: dict[str, float]
    requests: list[dict[str, Any]] = field(default_factory=list)


class Place:
    """The machine; use ``running``."""

    def __init__(
        self, server: Server, desk: Desk, told: Mapping[str, Any], pid: int, tally: Path, address: str
    ) -> None:
        self.server, self.desk, self._told, self._world, self._tally = server, desk, told, pid, tally
        self._address = address

    def link(self, lines: int) -> dict[str, Any]:
        """Where a clip is, how long it lasts and what it weighs."""
        found: dict[str, Any] = self._told["links"][str(lines)]
        return found

    def submit(self, lines: int) -> str:
        """A job that dubs a clip by its link."""
        return self.desk.submit(source=self.link(lines)["url"], **WISHES)

    def worker(self) -> int:
        """The process that runs the jobs."""
        return next(pid for pid in self.server.tree() if b"\0worker\0" in _words(pid))

    def counts(self) -> Counts:
        """Everything that is counted, once PostgreSQL has caught up."""
        time.sleep(_SETTLED)
        with urllib.request.urlopen(self._told["control"] + "state") as answer:
            asked = json.load(answer)["requests"]
        commits, postmaster = self._database()
        return Counts(
            time.monotonic(), _cpu_and_memory(self.worker())[0],
            self.server.answering_seconds(), _cpu_and_memory(postmaster)[0], _cpu_and_memory(self._world)[0],
            commits, _machine(), self._blobs(), tallying.read(self._tally), asked,
        )  # fmt: skip

    def _database(self) -> tuple[float, int]:
        import psycopg

        with psycopg.connect(self._address) as connection:
            row = connection.execute(
                "SELECT sum(xact_commit), current_setting('data_directory') FROM pg_stat_database "
                "WHERE datname = current_database() GROUP BY 2"
            ).fetchone()
        assert row is not None
        return float(row[0]), int((Path(row[1]) / "postmaster.pid").read_text().split()[0])

    def _blobs(self) -> dict[str, list[float]]:
        found: dict[str, list[float]] = {}
        for path in (self.server.data / "blobs").rglob("*"):
            if path.is_file() and path.name != ".lock":
                one = found.setdefault(path.suffix or "none", [0, 0])
                one[0] += 1
                one[1] += path.stat().st_size
        return found


@contextlib.contextmanager
def running(folder: Path, *, slots: int, profile: str, lines: Sequence[int]) -> Iterator[Place]:
    """A machine with ``slots`` places; ``lines`` are the clips of its site."""
    tally = folder / "tally.jsonl"
    with (
        database("postgres") as address,
        world.running(profile, Path("bench/capacity/clips"), lines) as (told, pid),
    ):
        environ = {
            "DEEPGRAM_API_KEY": "loopback-deepgram", "OPENAI_API_KEY": "loopback-openai",
            "ELEVENLABS_API_KEY": "loopback-elevenlabs", "DEEPGRAM_BASE_URL": told["deepgram"],
            "OPENAI_BASE_URL": told["openai"], "ELEVENLABS_BASE_URL": told["elevenlabs"],
            "AUTODUB_SITES": "127.0.0.1", "AUTODUB_ADDRESSES": "127.0.0.1/32", "AUTODUB_CONSENT": "false",
            "AUTODUB_STORE_DATABASE": address, "AUTODUB_USER_RUNNING": str(slots),
            "BENCH_TALLY": str(tally.absolute()),
        }  # fmt: skip
        server = Server(folder / "server", database=address, slots=slots, environ=environ)
        with (folder / "server" / "hooks" / "sitecustomize.py").open("a") as hooks:
            hooks.write(tallying.HOOK)
        server.start()
        try:
            with closing(Desk(server)) as desk:
                yield Place(server, desk, told, pid, tally, address)
        finally:
            server.stop()


def _machine() -> float:
    """CPU seconds that this machine has spent on anything."""
    words = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    user, nice, system, _idle, _wait, irq, soft = (int(word) for word in words[:7])
    return (user + nice + system + irq + soft) / os.sysconf("SC_CLK_TCK")
