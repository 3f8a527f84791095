"""One installation for the tests of the queue: a platform that submits, and workers that are processes."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
from scripted_worker import patches
from sqlalchemy import delete, insert, select

from autodub.infra import server_settings, settings
from autodub.infra.settings import Settings
from autodub.jobs import celery_queue
from autodub.jobs.celery_queue import CeleryQueue
from autodub.jobs.celery_worker import install
from autodub.jobs.platform import Platform
from autodub.jobs.records import Actor, Job, job_of
from autodub.jobs.spec import JobSpec
from autodub.jobs.tables import jobs, users, workers
from autodub.jobs.worker import Worker

LONG = 30.0
"""Seconds after which a test has failed."""
ON_GPU = {"translator": "madlad"}
"""Engines of a job that a GPU binds: one with weights that is named, where workers are elsewhere."""


class Starter:
    """Starts workers as processes of a program that has imported everything already."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("scripted_worker.py")], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | {"OMP_NUM_THREADS": "1"},
        )  # fmt: skip

    def start(self, env: dict[str, str], folder: Path, *arguments: str) -> int:
        """The number of a process that runs ``autodub worker``."""
        asked = {"env": env, "folder": str(folder), "arguments": ["worker", *arguments]}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        """Start no more."""
        self._process.communicate()


class Crew:
    """A worker in a process of its own."""

    def __init__(self, house: House, process: int) -> None:
        self._house, self.process = house, process

    def at_work(self) -> list[str]:
        """Its workers that are on the list: one, or one for each place."""
        return [name for name, process in self._house.at_work().items() if _group(process) == self.process]

    @property
    def is_over(self) -> bool:
        """Whether the process has ended."""
        return (self._house.control / f"exit-{self.process}").exists()

    def tell(self) -> None:
        """Ask it to leave."""
        os.kill(self.process, signal.SIGTERM)

    def leave(self) -> int:
        """Have it leave; its exit code."""
        if not self.is_over:
            self.tell()
            until(lambda: self.is_over)
        return int((self._house.control / f"exit-{self.process}").read_text())


class House:
    """A platform over one database, one broker and one folder."""

    def __init__(self, kind: str, folder: Path, *, database: str, broker: Any, starter: Starter) -> None:
        self.kind, self.broker, self._starter = kind, broker, starter
        self.control = folder / "control"
        self.control.mkdir(parents=True)
        self._folder, self._crews = folder, list[Crew]()
        self.address = "memory://localhost/" if kind == "memory" else broker.address if broker else ""
        self.known: Settings = settings.load(environ={"HOME": str(folder)}, data_dir=folder / "data")
        self.given: dict[str, Any] = {
            "database": database, "broker": self.address, "spare": 0, "check_engines": False, "running": 3,
        }  # fmt: skip
        self.platform = self.open()
        self._patch = pytest.MonkeyPatch()
        self._patch.setattr(celery_queue, "_AWAY", 0.2)

    def open(self) -> Platform:
        """One more platform, as another process of the server would have."""
        return Platform(self.known, server_settings.load(self.known, environ={}, given=self.given))

    def start(
        self, *, queues: str = "net,cpu,gpu", slots: int = 2, release: Path | None = None
    ) -> Crew:  # fmt: skip
        """A worker, which is at work when this returns; of the ``release`` with these migrations."""
        env = {
            server_settings.VARIABLES[name]: str(value) for name, value in self.given.items() if value != ""
        }
        env |= {"AUTODUB_DATA_DIR": str(self.known.data_dir), "HOME": str(self._folder)}
        if release is not None:
            env["NEWER_RELEASE"] = str(release)
        arguments = ("--queues", queues, "--concurrency", str(slots))
        crew = Crew(self, self._starter.start(env, self.control, *arguments))
        self._crews.append(crew)
        wanted = slots if self.address else 1
        until(lambda: crew.is_over or len(crew.at_work()) == wanted)
        assert not crew.is_over
        return crew

    def drained(self) -> bool:
        """Whether no message waits for anybody."""
        queue = self.platform.queue
        return not isinstance(queue, CeleryQueue) or not any(queue.broker.waiting().values())

    def within(self) -> Within:
        """Celery's worker in threads of this process: what is in its memory is heard nowhere else."""
        return Within(self)

    def at_work(self) -> dict[str, int]:
        """Workers that are on the list -> their processes."""
        with self.platform.sql.reading() as connection:
            return {row.id: row.process for row in connection.execute(select(workers))}

    def user(self, **values: Any) -> Actor:
        """A user nobody else has."""
        name = secrets.token_hex(8)
        row = {"id": name, "name": name, "role": "user", "active": True, "created": 1.0} | values
        with self.platform.sql.writing() as connection:
            connection.execute(insert(users).values(**row))
        return Actor(name, name)

    def hold(self) -> Hold:
        """What keeps dubs going that name it."""
        return Hold(self.control / secrets.token_hex(4))

    def submit(self, actor: Actor, *, says: str = "", gpu: bool = False, **wishes: Any) -> Job:
        """A job in the queue; ``says`` is how its dub goes (``hold=NAME``, ``fail=NAME``, ``deaf=1``)."""
        source = f"https://www.youtube.com/watch?v=abcdefghijk&{says}"
        if gpu:
            wishes["engines"] = ON_GPU
        spec = JobSpec.model_validate({"source": source, "target": "es"} | wishes)
        return self.platform.jobs.submit(actor, spec)[0]

    def look(self, job: Job) -> Job:
        """A job as it stands."""
        with self.platform.sql.reading() as connection:
            return job_of(connection.execute(select(jobs).where(jobs.c.id == job.id)).one())

    def wait(self, state: str, *waited: Job) -> None:
        """Wait until all of them are in a state."""
        until(lambda: {self.look(job).state for job in waited} == {state}, lambda: [*map(self.look, waited)])

    def clear(self) -> None:
        """No job is left, and nothing holds one."""
        for file in self.control.iterdir():
            if not file.name.startswith("exit-"):
                file.unlink(missing_ok=True)
        with self.platform.sql.writing() as connection:
            connection.execute(delete(jobs))

    def close(self) -> None:
        """Everything of it ends."""
        self.clear()
        for crew in self._crews:
            if not crew.is_over:
                crew.tell()
        for crew in self._crews:
            crew.leave()
        self.platform.close()
        self._patch.undo()


class Hold:
    """A file: while it is there, dubs that name it go on."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.touch()
        self.says = f"hold={path.name}"
        self.name = path.name

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def release(self) -> None:
        """Let them end."""
        self._path.unlink(missing_ok=True)


class Within:
    """Celery's own worker in threads, over a broker in the memory of this process."""

    def __init__(self, house: House) -> None:
        from celery.contrib.testing.worker import start_worker

        self._patch = pytest.MonkeyPatch()
        for place, name, value in patches(house.control):
            self._patch.setattr(place, name, value)
        self._platform = house.open()
        self._by_resource = {"net": self._worker(4), "gpu": self._worker(1)}
        self._by_resource["cpu"] = self._by_resource["net"]
        self._stack = []
        for queues, slots in ((("net", "cpu"), 4), (("gpu",), 1)):
            app = celery_queue.app_of(self._platform.server.broker)
            app.conf.broker_transport_options["polling_interval"] = 0.01  # seconds
            install(app, lambda: self)
            running = start_worker(
                app, pool="threads", concurrency=slots, perform_ping_check=False, shutdown_timeout=LONG,
                queues=[celery_queue.NAMES[one] for one in queues], loglevel="WARNING",
            )  # fmt: skip
            running.__enter__()
            self._stack.append(running)

    def _worker(self, slots: int) -> Worker:
        made = Worker(self._platform, slots=slots, looks=False, sweeps=slots == 4)
        made.start()
        return made

    def take(self, resources: Sequence[str]) -> bool:
        """As the worker of a process does: in one process Celery knows one task of a name."""
        return self._by_resource[resources[0]].take(resources)

    @property
    def is_leaving(self) -> bool:
        """Whether they take no more jobs."""
        return self._by_resource["net"].is_leaving

    def close(self) -> None:
        """Hand back what is under way, and end."""
        for resource in ("net", "gpu"):
            self._by_resource[resource].stop(patience=LONG)
        for running in self._stack:
            running.__exit__(None, None, None)
        self._platform.close()
        self._patch.undo()


def _group(process: int) -> int | None:
    try:
        return os.getpgid(process)
    except ProcessLookupError:
        return None


def until(what: Callable[[], bool], told: Callable[[], object] = lambda: "") -> None:
    """Wait for something; fails when it does not come."""
    end = time.monotonic() + LONG
    while not what():
        assert time.monotonic() < end, told()
        time.sleep(0.01)
