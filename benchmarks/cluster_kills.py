"""Jobs of three users on a cluster while its parts are killed at random: all finish, as on one machine.

First every job runs on one machine, undisturbed: its bytes and its bill are what is compared with.
"""

from __future__ import annotations

import random
import signal
import sys
import threading
import time
from collections import Counter
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.cluster.cluster import Cluster

from autodub.client import Client
from autodub.testing.dialogue import Dialogue
from autodub.testing.loopback import Loopback
from benchmarks import cluster_scene as scene
from benchmarks.server import Desk, Server

USERS = ("ann", "bob", "cem")
TARGETS = ("es", "fr", "it")
"""Of each user."""
_KEEPING = 1.0
"""Seconds after an answer in which a job may not have kept it yet."""
_AT_ONCE = 2
"""Parts that are away at once, at most."""
_PATIENCE = 180.0
"""Seconds in which what was killed is there again, on a busy machine."""


@dataclass(frozen=True)
class Kill:
    """A part that was away."""

    part: str
    how: str
    at: float
    """By the clouds' clock, as ``back``."""
    back: float


class Killer(threading.Thread):
    """Kills a random part again and again, until it is told to stop."""

    def __init__(self, cluster: Cluster, server: Loopback, *, seed: int, pause: float) -> None:
        super().__init__(name="killer", daemon=True)
        self._cluster, self._server, self._pause = cluster, server, pause
        self._random = random.Random(seed)
        self.over = threading.Event()
        self.kills: list[Kill] = []
        self.trouble: list[str] = []
        self._away: dict[str, tuple[float, str, int]] = {}
        """Part -> when it was killed, how, and how often it had been started."""

    def run(self) -> None:
        """Kill, until told to stop; then wait for what is away."""
        parts = [*self._cluster.workers * 2, *self._cluster.servers, *("redis", "postgres", "s3") * 2]
        due = 0.0
        while self._away or not self.over.is_set():
            time.sleep(0.1)
            now = self._server.clock()
            self._look(now)
            if now < due or len(self._away) >= _AT_ONCE or self.over.is_set():
                continue
            part = self._random.choice([one for one in parts if one not in self._away])
            how = signal.SIGKILL
            if part == "postgres":  # a restart: in good order, or one that throws everybody out
                how = self._random.choice((signal.SIGINT, signal.SIGQUIT))
            self._away[part] = (now, how.name, self._cluster.supervisor.starts(part))
            self._cluster.supervisor.signal(part, how)
            due = now + self._random.uniform(0.1, 1.0) * self._pause

    def _look(self, now: float) -> None:
        """Note what is there again."""
        supervisor = self._cluster.supervisor
        for part, (at, how, starts) in list(self._away.items()):
            if supervisor.starts(part) > starts and supervisor.is_ready(part):
                self.kills.append(Kill(part, how, round(at, 2), round(now, 2)))
                print(self.kills[-1], file=sys.stderr, flush=True)
            elif now - at > _PATIENCE:
                self.trouble.append(f"{part} did not come back: {supervisor.tail(part, 500)}")
            else:
                continue
            del self._away[part]


def run(
    folder: Path, clips: Path, *, jobs: int, workers: int, seed: int, pause: float, durable: bool
) -> dict[str, Any]:
    """Everything; what became of it."""
    made = scene.films(clips, -(-jobs // len(USERS)))
    wishes = [
        scene.Wish(user, film.clip.path, target, {"spoken": "en", "engines": scene.ENGINES})
        for film in made
        for user, target in zip(USERS, TARGETS, strict=True)
    ][:jobs]
    wanted, bill, alone = _one_machine(folder / "alone", made, wishes)
    print(f"on one machine: {alone:.0f} s, {bill}", file=sys.stderr, flush=True)
    with scene.clouds(made) as (server, variables), ExitStack() as stack:
        environ = scene.environ(folder, **variables)
        cluster = stack.enter_context(
            Cluster(folder / "cluster", workers=workers, people=USERS, environ=environ, durable=durable,
                    say=lambda text: print(text, file=sys.stderr, flush=True))
        )  # fmt: skip
        clients = {name: stack.enter_context(Client(cluster.url, key)) for name, key in cluster.keys.items()}
        ids = scene.submit(clients, wishes)
        followers = [scene.Follower(clients[one.user], job) for one, job in zip(wishes, ids, strict=True)]
        killer = Killer(cluster, server, seed=seed, pause=pause)
        killer.start()
        took = scene.until_over(cluster, ids, patience=3600)
        killer.over.set()
        killer.join()
        for follower in followers:
            follower.join(120)
        records = [scene.record(cluster, job) for job in ids]
        same, differing = 0, []
        for one, job, found, alike in zip(wishes, ids, records, wanted, strict=True):
            if found.state == "completed" and scene.digests(clients[one.user], job, folder) == alike:
                same += 1
            else:
                differing.append(f"{one.film.name} {one.target}: {found.state} {found.error}")
        again = _paid_again(server, killer.kills)
        return {
            "jobs": len(ids), "users": len(USERS), "workers": workers, "seed": seed,
            "completed": sum(found.state == "completed" for found in records),
            "with the same bytes as on one machine": same, "that differ": differing,
            "kills": len(killer.kills), "kills by part": dict(Counter(one.part for one in killer.kills)),
            "seconds away, most": round(max((one.back - one.at for one in killer.kills), default=0.0), 1),
            "attempts, most": max(found.attempts for found in records),
            "attempts, all": sum(found.attempts for found in records),
            "what the record must not say": [
                f"{job}: {one}" for job, found in zip(ids, records, strict=True) for one in found.troubles
            ],
            "streams that missed or doubled an event": sum(
                follower.numbers != found.numbers for follower, found in zip(followers, records, strict=True)
            ),
            "streams given up and begun again": sum(follower.given_up for follower in followers),
            "answers made again although they were kept": scene.made_again(Path(environ["BENCH_ANSWERS"])),
            "requests paid for": sum(bool(one.charges) for one in server.requests),
            "requests paid twice, cut off while in flight": again[0],
            "requests paid twice, without a kill to explain them": again[1],
            "billed": server.charged(), "billed on one machine": bill,
            "took_s": round(took, 1), "on one machine_s": round(alone, 1), "trouble": killer.trouble,
        }  # fmt: skip


def is_good(report: dict[str, Any]) -> bool:
    """Whether nothing was lost, doubled or paid twice."""
    bad = (
        "that differ", "what the record must not say", "streams that missed or doubled an event",
        "answers made again although they were kept", "requests paid twice, without a kill to explain them",
        "trouble",
    )  # fmt: skip
    same = report["completed"] == report["with the same bytes as on one machine"] == report["jobs"]
    return same and not any(report[name] for name in bad)


def _one_machine(
    folder: Path, made: list[Dialogue], wishes: list[scene.Wish]
) -> tuple[list[dict[str, str]], dict[str, Any], float]:
    """What each job's files are, the bill, and seconds."""
    import hashlib

    with scene.clouds(made) as (server, variables):
        here = Server(
            folder, slots=2, environ=variables | {"AUTODUB_USER_RUNNING": "2", "OMP_NUM_THREADS": "1"}
        )
        here.start()
        try:
            with closing(Desk(here)) as desk:
                began = time.monotonic()
                jobs = [
                    desk.submit(upload=desk.upload(one.film), target=one.target, **one.more) for one in wishes
                ]
                desk.until_over(jobs, patience=3600)
                took = time.monotonic() - began
                bad = [found["error"] for job in jobs if (found := desk.job(job))["state"] != "completed"]
                if bad:
                    sys.exit(f"on one machine, jobs failed: {bad}")
                files = [
                    {kind: hashlib.sha256(desk.file(job, kind)).hexdigest() for kind in scene.FILES}
                    for job in jobs
                ]
        finally:
            here.stop()
        return files, server.charged(), took


def _paid_again(server: Loopback, kills: list[Kill]) -> tuple[int, list[str]]:
    """Requests paid before: how many whose first answer a kill may have kept from being kept; the others."""
    first: dict[tuple[str, str], Any] = {}
    cut, odd = 0, []
    for one in server.requests:
        if not one.charges:
            continue
        key = (one.provider, one.digest)
        before = first.get(key)
        if before is not None:
            if any(kill.at <= before.ended + _KEEPING and before.began <= kill.back for kill in kills):
                cut += 1
            else:
                odd.append(f"{one.provider} {one.kind}, at {before.began:.1f} and {one.began:.1f}")
        first[key] = one
    return cut, odd
