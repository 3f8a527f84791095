"""One provider's account, many workers: never more calls at once than it allows, and fair between users.

``python -m benchmarks.limits`` starts a Redis, the loopback ElevenLabs with a cap, and worker processes whose
jobs all speak at that account; it prints JSON and fails when the cap was exceeded, the account refused
anything after the first minute, or a user had to wait for another's many jobs. ``--kill`` kills a worker half
way, ``--flush`` empties Redis, ``--away`` has it away for a while. ``--rate`` measures what a call costs:
let in and out again, through Redis and without.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autodub.testing.loopback import Loopback, Profile
from autodub.testing.loopback.elevenlabs import ElevenLabsService

KEY = "the-key-of-the-benchmark"


@dataclass(frozen=True)
class Order:
    """What is run."""

    jobs: Sequence[tuple[str, int]]
    """User and lines of each."""
    workers: int = 3
    cap: int = 5
    lanes: int = 5
    """What the engine is told to begin with."""
    seconds: float = 0.3
    """That a line takes at the provider."""
    away: Callable[[Server], None] | None = None
    """Done to Redis when a third of all lines are spoken."""
    kill: bool = False
    """Whether a worker is killed then; its jobs go on in another one."""
    environ: dict[str, str] = field(default_factory=dict)


class Server:
    """A Redis of one's own that keeps nothing."""

    def __init__(self, folder: Path) -> None:
        if shutil.which("redis-server") is None:
            sys.exit("redis-server is not installed")
        self._folder = folder
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.port = int(found.getsockname()[1])
        self.address = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def start(self) -> None:
        """Be there."""
        self._process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir",
             str(self._folder)], stdout=subprocess.DEVNULL,
        )  # fmt: skip
        while self._process.poll() is None and not self._answers():
            time.sleep(0.02)

    def stop(self) -> None:
        """Be away, with everything."""
        self._process.kill()
        self._process.wait()

    def empty(self) -> None:
        """Forget everything."""
        with socket.create_connection(("127.0.0.1", self.port), 5.0) as asked:
            asked.sendall(b"FLUSHALL\r\n")
            asked.recv(100)

    def contents(self) -> str:
        """All keys and values as one text."""
        from redis import Redis

        with Redis(port=self.port, decode_responses=True) as client:
            read = {
                "hash": client.hgetall, "zset": lambda key: client.zrange(key, 0, -1),
                "set": client.smembers, "list": lambda key: client.lrange(key, 0, -1), "string": client.get,
            }  # fmt: skip
            return str([(key, read[str(client.type(key))](key)) for key in client.scan_iter()])

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1.0) as asked:
                asked.sendall(b"PING\r\n")
                return bool(asked.recv(1))
        except OSError:
            return False


def away_for(seconds: float) -> Callable[[Server], None]:
    """Redis is away for so long."""

    def away(server: Server) -> None:
        server.stop()
        time.sleep(seconds)
        server.start()

    return away


@contextmanager
def redis() -> Iterator[Server]:
    """A Redis, gone at the end."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder))
        try:
            yield server
        finally:
            server.stop()


class _Worker:
    """A process with jobs."""

    def __init__(
        self, order: Order, environ: dict[str, str], folder: Path, jobs: list[dict[str, Any]]
    ) -> None:
        self.jobs = jobs
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.limits_worker"], text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, cwd=Path(__file__).parents[1],
        )  # fmt: skip
        told = {
            "environ": environ, "data_dir": str(folder), "jobs": jobs,
            "options": {"lanes": str(order.lanes)},
        }  # fmt: skip
        self._say(json.dumps(told))

    def _say(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def _hear(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def until_ready(self) -> None:
        """It has loaded what it needs."""
        if self._hear() != "ready\n":
            sys.exit("a worker failed")

    def go(self) -> None:
        """Have it begin."""
        self._say("go")

    def result(self) -> list[dict[str, Any]]:
        """What became of its jobs."""
        found: list[dict[str, Any]] = json.loads(self._hear() or "null")
        if found is None:
            sys.exit("a worker failed")
        return found

    def kill(self) -> None:
        """At once."""
        self.process.kill()

    def close(self) -> None:
        """Be gone."""
        self.process.kill()
        self.process.communicate()


def run(order: Order) -> dict[str, Any]:
    """Run it; what was measured."""
    service = ElevenLabsService(lanes=order.cap)
    profile = Profile("limits", synthesis=(order.seconds, 0.0))
    with ExitStack() as stack:
        server = stack.enter_context(redis())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        cloud = stack.enter_context(Loopback([service], profile=profile))
        environ = {
            "HOME": str(folder), "ELEVENLABS_API_KEY": KEY, "ELEVENLABS_BASE_URL": cloud.url("elevenlabs"),
            "AUTODUB_PROVIDER_LIMITS": server.address, **order.environ,
        }  # fmt: skip
        jobs = [
            {"name": f"job {number}", "user": user, "lines": lines}
            for number, (user, lines) in enumerate(order.jobs)
        ]
        crew = []
        for number in range(order.workers):
            share = jobs[number :: order.workers]
            crew.append(_Worker(order, environ, folder / f"worker-{number}", share))
            stack.callback(crew[-1].close)
        for worker in crew:
            worker.until_ready()
        began = time.monotonic()
        for worker in crew:
            worker.go()
        if order.away or order.kill:
            third = sum(lines for _, lines in order.jobs) // 3
            while len(cloud.asked("elevenlabs", "speech")) < third:
                time.sleep(0.05)
        if order.kill:
            lost = crew.pop()
            lost.kill()
            spare = _Worker(order, environ, folder / f"worker-{order.workers - 1}", lost.jobs)
            stack.callback(spare.close)
            spare.until_ready()
            spare.go()
            crew.append(spare)
        if order.away:
            order.away(server)
        done = [job for worker in crew for job in worker.result()]
        asked = cloud.asked("elevenlabs", "speech")
        return _report(order, began, done, cloud, asked) | {"the key is in Redis": KEY in server.contents()}


def _report(
    order: Order, began: float, done: list[dict[str, Any]], cloud: Loopback, asked: Any
) -> dict[str, Any]:
    refused = [one for one in asked if one.status == 429]
    first = min(one.began for one in asked)
    ends = {job["job"]: job["ends"][-1] - began for job in done}
    users: dict[str, list[float]] = {}
    for job in done:
        users.setdefault(job["user"], []).extend(end - began for end in job["ends"])
    took = max(ends.values())
    lines = sum(len(job["ends"]) for job in done)
    return {
        "cap": order.cap, "workers": order.workers, "jobs": len(done), "users": len(users), "lines": lines,
        "seconds": round(took, 2),
        "lanes used, percent": round(100 * lines * order.seconds / took / order.cap, 1),
        "most in flight at the provider": cloud.busiest("elevenlabs", "speech"),
        "refused (429)": len(refused),
        "refused after the first minute": sum(one.began - first > 60 for one in refused),
        "jobs ended after, s": {name: round(end, 2) for name, end in sorted(ends.items())},
        "users ended after, s": {user: round(max(found), 2) for user, found in sorted(users.items())},
        "lines of the others when each user had ended, percent": {
            user: round(100 * _done_by(users, user, max(found))) for user, found in sorted(users.items())
            if len(users) > 1
        },
        "jobs told that limits are not shared": sum(job["apart"] for job in done),
        "jobs told that they are again": sum(job["shared again"] for job in done),
        "retried": sum(job["retried"] for job in done),
        "cores": os.cpu_count(), "load average": os.getloadavg(),
    }  # fmt: skip


def _done_by(users: dict[str, list[float]], user: str, moment: float) -> float:
    """Part of everybody else's lines that were spoken by a moment."""
    others = [end for name, ends in users.items() if name != user for end in ends]
    return sum(end <= moment for end in others) / len(others)


def rate(seconds: float = 3.0) -> dict[str, Any]:
    """Calls let in and out again per second, and milliseconds each: by one thread, and by eight."""
    from pydantic import SecretStr

    from autodub.gateway.accounts import Accounts
    from autodub.gateway.shared_accounts import SharedAccounts
    from autodub.infra.redis_limits import RedisLimits

    found: dict[str, Any] = {}
    with redis() as server:
        shared = SharedAccounts(RedisLimits(SecretStr(server.address)))
        for name, accounts in (("local", Accounts()), ("redis", shared)):
            for threads in (1, 8):
                found[f"{name}, {threads} threads"] = _rate(accounts, threads, seconds)
        shared.close()
    return found


def _rate(accounts: Any, threads: int, seconds: float) -> dict[str, float]:
    taken: list[float] = []

    def work() -> None:
        end = time.perf_counter() + seconds
        while (began := time.perf_counter()) < end:
            with accounts.lanes.enter("cloud:1/speech", 8, lambda: None) as ticket:
                leave = accounts.breaker.guard("cloud:1", is_trial=True)
                accounts.breaker.told(leave, None)
                accounts.lanes.answered(ticket)
            accounts.breaker.settle("cloud:1", None)
            taken.append(time.perf_counter() - began)

    crew = [threading.Thread(target=work) for _ in range(threads)]
    for one in crew:
        one.start()
    for one in crew:
        one.join()
    return {
        "per second": round(len(taken) / seconds),
        "median, ms": round(statistics.median(taken) * 1000, 3),
        "p99, ms": round(statistics.quantiles(taken, n=100)[98] * 1000, 3),
    }


def main() -> int:
    """Run what is asked for, and judge it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.limits", description=__doc__)
    parser.add_argument("--lines", type=int, default=100, help="lines of each of the 12 jobs")
    parser.add_argument("--seconds", type=float, default=0.3, help="that a line takes at the provider")
    parser.add_argument("--lanes", type=int, default=5, help="what workers believe before they are told")
    parser.add_argument("--kill", action="store_true")
    parser.add_argument("--flush", action="store_true")
    parser.add_argument("--away", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument("--rate", action="store_true")
    asked = parser.parse_args()
    if asked.rate:
        print(json.dumps(rate(), indent=2))
        return 0
    away = away_for(asked.away) if asked.away else Server.empty if asked.flush else None
    users = ["ann"] * 8 + ["ben"] * 2 + ["cid"] * 2
    order = Order(
        [(user, asked.lines) for user in users], lanes=asked.lanes, seconds=asked.seconds, away=away,
        kill=asked.kill,
    )  # fmt: skip
    found = run(order)
    print(json.dumps(found, indent=2))
    early = found["lines of the others when each user had ended, percent"]
    is_good = not found["refused after the first minute"] and max(early["ben"], early["cid"]) < 80
    is_good = is_good and found["most in flight at the provider"] <= order.cap
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
