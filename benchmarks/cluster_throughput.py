"""How many jobs an hour a cluster does when engines take no time, and what the shared parts cost per job.

What is left is the platform: claims, events, the store, decoding, rendering and measuring eleven seconds of
sound. Every part of Autodub reaches database, Redis and store over ways that count what is said, and that may
be slow.
"""

from __future__ import annotations

import re
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
from deploy.cluster import parts
from deploy.cluster.cluster import Cluster

from autodub.client import Client
from autodub.media import sound
from autodub.testing.fakes import FAKES
from benchmarks import cluster_scene as scene
from benchmarks.cluster_network import Network

_RATE, _SECONDS = 16_000, 11
_REST = 10.0
"""Seconds for which nothing is done, to learn what is asked then all the same."""
_WISHES = {
    "spoken": "en",
    "engines": {role: "fake" for role in FAKES if role not in ("cloner", "diarizer")},
}


def run(folder: Path, *, jobs: int, workers: list[int], delay: float) -> dict[str, Any]:
    """A run for each number of workers, and one with the most of them over a slow network."""
    talks = [talk(folder, number) for number in range(jobs)]
    runs = [_run(folder / f"{count}-0", talks, workers=count, delay=0.0) for count in workers]
    if delay:
        runs.append(_run(folder / "slow", talks, workers=max(workers), delay=delay))
    return {
        "jobs": jobs,
        "seconds of programme": _SECONDS,
        "network": "a TCP proxy between all parts",
        "runs": runs,
    }


def talk(folder: Path, seed: int) -> Path:
    """A sound with two stretches of something like speech."""
    samples = 0.004 * np.random.default_rng(seed).standard_normal(_SECONDS * _RATE)
    for start in (0.5, 5.5):
        at = round(start * _RATE)
        samples[at : at + 4 * _RATE] += 0.1 * np.sin(np.arange(4 * _RATE) * 2 * np.pi * (150 + seed) / _RATE)
    path = folder / f"talk-{seed}.wav"
    sound.store(samples.astype(np.float32), _RATE, path)
    return path


def _run(folder: Path, talks: list[Path], *, workers: int, delay: float) -> dict[str, Any]:
    with ExitStack() as stack:
        network = stack.enter_context(Network(delay=delay / 2))
        given = scene.environ(folder, BENCH_FAKES="0", AUTODUB_USER_RUNNING="64")
        cluster = stack.enter_context(
            Cluster(folder / "cluster", workers=workers, people=("ann",), environ=given, durable=False,
                    route=network.route, tuning={"shared_preload_libraries": "pg_stat_statements"})
        )  # fmt: skip
        client = stack.enter_context(Client(cluster.url, cluster.keys["ann"], timeout=120))
        database = stack.enter_context(psycopg.connect(cluster.database(), autocommit=True))
        database.execute("CREATE EXTENSION pg_stat_statements")
        first = [scene.Wish("ann", one, "fr", _WISHES) for one in talks[:workers]]
        warm = scene.submit({"ann": client}, first)
        scene.until_over(cluster, warm, patience=1800)
        rest = _costs(cluster, network, database)
        time.sleep(_REST)
        at_rest = {
            name: (found - rest[name]) / _REST for name, found in _costs(cluster, network, database).items()
        }
        jobs = scene.submit({"ann": client}, [scene.Wish("ann", talk_, "es", _WISHES) for talk_ in talks])
        # All of them wait or run by now; what follows is counted from here to the end of the last one.
        left = sum(state not in scene.OVER for state in scene.states(cluster, jobs))
        before = _costs(cluster, network, database)
        took = scene.until_over(cluster, jobs, patience=3600)
        after = _costs(cluster, network, database)
        states = scene.states(cluster, jobs)
        report = {
            "workers": workers, "delay there and back_ms": round(delay * 1000),
            "completed": states.count("completed"), "took_s": round(took, 1),
            "jobs an hour": round(left / took * 3600),
            "a second at rest": {name: round(found, 2) for name, found in at_rest.items()},
            "of one job, rest left out": {
                name: round((after[name] - before[name] - at_rest[name] * took) / max(1, left), 2)
                for name in after
            },
        }  # fmt: skip
    print(report, file=sys.stderr, flush=True)
    return report


def _costs(cluster: Cluster, network: Network, database: Any) -> dict[str, float]:
    """What the shared parts have done since they began."""
    statements = database.execute(
        "SELECT sum(calls), sum(total_exec_time), sum(calls) FILTER (WHERE query = 'COMMIT') "
        "FROM pg_stat_statements"
    ).fetchone()
    redis = parts.asked(
        cluster.ports["redis"], f"AUTH {cluster.secret('redis')}\r\nINFO commandstats\r\nQUIT\r\n"
    ).decode()
    commands = re.findall(r"cmdstat_\S+:calls=(\d+),usec=(\d+)", redis)
    ways = {service: network.ways(service) for service in ("postgres", "redis", "s3")}
    moved = {
        f"{service}: bytes there and back": float(sum(way.sent + way.brought for way in found))
        for service, found in ways.items()
    }
    return {
        "postgres: statements": float(statements[0]), "postgres: ms in statements": float(statements[1]),
        "postgres: commits": float(statements[2] or 0),
        "redis: commands": float(sum(int(calls) for calls, _ in commands)),
        "redis: ms in commands": sum(int(spent) for _, spent in commands) / 1000,
        "s3: writes": float(sum(way.requests["PUT"] + way.requests["POST"] for way in ways["s3"])),
        "s3: reads": float(sum(way.requests["GET"] + way.requests["HEAD"] for way in ways["s3"])),
        "s3: removals": float(sum(way.requests["DELETE"] for way in ways["s3"])),
        **moved,
    }  # fmt: skip
