"""Machines that share a store: drivers that call engines, and workers that serve them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest

from autodub.engines import registry
from autodub.engines.context import engine_context
from autodub.gateway.cancel import Cancel
from autodub.gateway.gateway import Gateway
from autodub.gateway.opening import open_store
from autodub.gateway.retry import NO_RETRY
from autodub.infra import pg_bell, settings
from autodub.infra.settings import Settings
from autodub.jobs import calls
from autodub.jobs.calls import CallWorker
from autodub.model.job import Event
from autodub.testing.studio import Studio

LONG = 180.0
"""Seconds after which a test has failed."""


class Driver:
    """What a job's process has: a store of the job's own, and a gateway."""

    def __init__(self, of: Settings, owner: str | None) -> None:
        self.settings, self.events, self.cancel = of, list[Event](), Cancel()
        self.context = engine_context(of)
        self.store = open_store(of, owner=owner)
        self.gateway = Gateway(self.store, listener=self.events.append, retry=NO_RETRY, cancel=self.cancel)

    def engine(self, role: str, name: str = "fake", **options: str) -> Any:
        """An engine, as a plan has it."""
        return registry.build(role, name, options, self.context)

    def call(self, engine: Any, verb: str, request: object) -> Any:
        """Call it."""
        return self.gateway.call(engine, verb, request, stage="here")


class RemoteStudio(Studio):
    """A studio whose store is shared, and whose engines named ``fake`` are elsewhere."""

    def __init__(self, driver: Driver) -> None:
        super().__init__()
        self.store.close()
        self.store, self.events, self.context = driver.store, driver.events, driver.context
        self.gateway = driver.gateway

    def __exit__(self, *_: object) -> None:
        """It goes on until ``end``; whoever has opened its store closes that."""

    def end(self) -> None:
        """Remove what it has on the disk besides."""
        self._folder.cleanup()


class Scene:
    """Machines by name over one store."""

    def __init__(self, address: str, folder: Path) -> None:
        self._address, self._folder = address, folder
        self._stack = ExitStack()

    def environ(self, remote: str = "fake") -> dict[str, str]:
        """The settings of each machine."""
        found = {
            "HOME": str(self._folder), "AUTODUB_STORE_DATABASE": self._address,
            "AUTODUB_BLOBS": str(self._folder / "blobs"),
        }  # fmt: skip
        return found | {"AUTODUB_REMOTE_ENGINES": remote} if remote else found

    def settings(self, machine: str, *, remote: str = "fake") -> Settings:
        """Those of a machine, by the name of its data directory."""
        return settings.load(environ=self.environ(remote), data_dir=self.folder(machine))

    def folder(self, machine: str) -> Path:
        """The data directory of a machine."""
        return self._folder / machine

    def driver(self, owner: str | None = None, *, machine: str = "driver", remote: str = "fake") -> Driver:
        """Somebody who has calls made."""
        made = Driver(self.settings(machine, remote=remote), owner)
        self._stack.callback(made.store.close)
        self._stack.callback(made.cancel.request)  # first: what a failed test has left waiting ends
        return made

    def worker(self, *names: str, machine: str = "worker", slots: int = 1) -> CallWorker:
        """A worker of this process, which has begun."""
        made = CallWorker(self.settings(machine), names or ("fake",), slots=slots)
        self._stack.callback(lambda: made.stop(patience=LONG))
        made.start()
        return made

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What the store's database answers; its tables are in ``autodub_store``."""
        with psycopg.connect(self._address, options="-c search_path=autodub_store") as connection:
            return list(connection.execute(query))

    def change(self, statement: str) -> None:
        """Change rows behind everybody's back."""
        with psycopg.connect(self._address, options="-c search_path=autodub_store") as connection:
            connection.execute(statement)

    def close(self) -> None:
        """Everybody goes, and nothing is left."""
        self._stack.close()
        with psycopg.connect(self._address, options="-c search_path=autodub_store") as connection:
            tables = connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'autodub_store'"
                " AND tablename NOT IN ('about', 'compatibility')"
            ).fetchall()
            if tables:
                connection.execute("TRUNCATE " + ", ".join(name for (name,) in tables))


def until(what: Callable[[], Any], told: Callable[[], object] = lambda: "") -> Any:
    """Wait for something, and give it; fails when it does not come."""
    end = time.monotonic() + LONG
    while not (found := what()):
        assert time.monotonic() < end, told()
        time.sleep(0.02)
    return found


@pytest.fixture(scope="session")
def calls_database(postgres: str) -> str:
    """Address of a database for a shared store."""
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("CREATE DATABASE calls")
    return postgres.replace("/postgres?", "/calls?")


@pytest.fixture
def scene(calls_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """Machines over an empty store; they look often, so that they end soon."""
    monkeypatch.setattr(calls, "_GLANCE", 0.05)
    monkeypatch.setattr(pg_bell, "_GLANCE", 0.05)
    made = Scene(calls_database, tmp_path)
    yield made
    made.close()
