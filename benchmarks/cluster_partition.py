"""A worker cut off from the database for a minute, and a Redis that is emptied while jobs wait and run."""

from __future__ import annotations

import re
import signal
import socket
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
from deploy.cluster.cluster import Cluster, until

from autodub.client import Client
from benchmarks import cluster_scene as scene
from benchmarks.cluster_network import Network
from benchmarks.cluster_throughput import talk

_LINES = {"spoken": "en", "engines": {"separator": "fake", "transcriber": "fake", "translator": "fake",
                                      "synthesizer": "fake", "detector": "fake"}}  # fmt: skip


def partition(folder: Path, *, seconds: float) -> dict[str, Any]:
    """Cut a worker that has a job off from the database for so long; what became of both."""
    with ExitStack() as stack:
        network = stack.enter_context(Network())
        # Calls that take seconds: the job goes on in the worker that is cut off.
        given = scene.environ(folder, BENCH_FAKES="3")
        cluster = stack.enter_context(
            Cluster(folder / "cluster", workers=2, people=("ann",), environ=given, durable=False,
                    route=network.route)
        )  # fmt: skip
        client = stack.enter_context(Client(cluster.url, cluster.keys["ann"]))
        film = talk(folder, 1)
        alone = scene.submit({"ann": client}, [scene.Wish("ann", film, "fr", _LINES)])
        scene.until_over(cluster, alone, patience=600)
        other = talk(folder, 2)
        (job,) = scene.submit({"ann": client}, [scene.Wish("ann", other, "es", _LINES)])
        follower = scene.Follower(client, job)
        if not until(lambda: len(follower.numbers) > 3, patience=120):
            sys.exit("the job does not begin")
        name = holder(cluster, job)
        network.cut(name, "postgres")
        cut = time.monotonic()
        print(f"{name} is cut off", file=sys.stderr, flush=True)
        time.sleep(seconds)
        elsewhere = holder(cluster, job)
        network.cut(name, "postgres", is_cut=False)
        print(f"{name} is back; the job is at {elsewhere or 'nobody'}", file=sys.stderr, flush=True)
        scene.until_over(cluster, [job], patience=600)
        took = time.monotonic() - cut
        # What the worker that was cut off has to say of it, and that it works on.
        until(lambda: "another worker's now" in cluster.supervisor.tail(name, 100_000), patience=120)
        said = re.findall(r'"message": "(job is another worker.s now|job begins|job completed)"',
                          cluster.supervisor.tail(name, 100_000))  # fmt: skip
        follower.join(120)
        more = [talk(folder, 3 + number) for number in range(4)]
        after = scene.submit({"ann": client}, [scene.Wish("ann", one, "es", _LINES) for one in more])
        scene.until_over(cluster, after, patience=600)
        found = scene.record(cluster, job)
        network.cut(name, "postgres", is_cut=False)
        return {
            "seconds": seconds, "cut off": name, "the job went on at": elsewhere,
            "completed": found.state == "completed", "attempts": found.attempts,
            "done so long after the cut_s": round(took, 1),
            "what the record must not say": found.troubles,
            "the worker that was cut off said": said,
            "its result was refused": any("another worker" in one for one in said),
            "streams that missed or doubled an event": int(follower.numbers != found.numbers),
            "jobs after it, completed": scene.states(cluster, after).count("completed"),
            "jobs after it": len(after),
            "answers made again although they were kept": scene.made_again(folder / "answers.log"),
            "starts of the worker": cluster.supervisor.starts(name),
        }  # fmt: skip


def emptied(folder: Path, *, jobs: int) -> dict[str, Any]:
    """Empty Redis every few seconds, and kill it once, while jobs wait and run."""
    with ExitStack() as stack:
        given = scene.environ(folder, BENCH_FAKES="0.1")
        cluster = stack.enter_context(
            Cluster(folder / "cluster", workers=2, people=("ann", "bob"), environ=given, durable=False)
        )
        clients = {name: stack.enter_context(Client(cluster.url, key)) for name, key in cluster.keys.items()}
        wishes = [
            scene.Wish(("ann", "bob")[number % 2], talk(folder, number), "es", _LINES)
            for number in range(jobs)
        ]
        ids = scene.submit(clients, wishes)
        followers = [scene.Follower(clients[one.user], job) for one, job in zip(wishes, ids, strict=True)]
        times = 0
        while any(state not in scene.OVER for state in scene.states(cluster, ids)) and times < 200:
            times += _flush(cluster)
            if times == 3:
                cluster.supervisor.signal("redis", signal.SIGKILL)
            time.sleep(2.0)
        scene.until_over(cluster, ids, patience=600)
        for follower in followers:
            follower.join(120)
        records = [scene.record(cluster, job) for job in ids]
        return {
            "jobs": len(ids), "times that Redis was emptied": times, "and killed": 1,
            "completed": sum(found.state == "completed" for found in records) == len(ids),
            "attempts, all": sum(found.attempts for found in records),
            "what the record must not say": [one for found in records for one in found.troubles],
            "streams that missed or doubled an event": sum(
                follower.numbers != found.numbers for follower, found in zip(followers, records, strict=True)
            ),
            "answers made again although they were kept": scene.made_again(folder / "answers.log"),
        }  # fmt: skip


def is_good(report: dict[str, Any]) -> bool:
    """Whether nothing was lost or doubled, and what came too late was refused."""
    bad = ("what the record must not say", "streams that missed or doubled an event",
           "answers made again although they were kept")  # fmt: skip
    whole = report.get("jobs after it, completed") == report.get("jobs after it")
    return (
        report["completed"]
        and whole
        and report.get("its result was refused", True)
        and not any(report[b] for b in bad)
    )


def holder(cluster: Cluster, job: str) -> str:
    """The worker that has a job; empty where none does."""
    import os

    with psycopg.connect(cluster.database()) as connection:
        row = connection.execute(
            "SELECT w.process FROM jobs j JOIN workers w ON w.id = j.holder WHERE j.id = %s", (job,)
        ).fetchone()
    group = os.getpgid(row[0]) if row else 0
    return next((name for name in cluster.workers if cluster.supervisor.process(name) == group), "")


def _flush(cluster: Cluster) -> bool:
    """Empty Redis; False where it is away."""
    try:
        with socket.create_connection(("127.0.0.1", cluster.ports["redis"]), 3.0) as talk_:
            talk_.settimeout(5.0)
            talk_.sendall(f"AUTH {cluster.secret('redis')}\r\nFLUSHALL\r\nQUIT\r\n".encode())
            found = b""
            while more := talk_.recv(100):
                found += more
            return found.count(b"+OK") >= 2
    except OSError:
        return False
