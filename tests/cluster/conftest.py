"""Installations with each kind of queue: made once for a process of tests, and used by all of them."""

from __future__ import annotations

import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

sys.path.append(str(Path(__file__).parents[1] / "jobs"))

from brokers import Rabbit, Redis
from house import House, Starter
from limits_scene import redis  # noqa: F401 - a fixture of shared limits
from postgres import cluster
from remote_calling import script  # noqa: F401 - a fixture of calls elsewhere
from remote_scene import calls_database, scene  # noqa: F401 - fixtures of calls elsewhere
from stores import index_of, machine, opening, s3, s3_shared, shared  # noqa: F401 - fixtures of shared stores

KINDS = ("embedded", "memory", "redis", "rabbit")


@pytest.fixture(scope="session")
def place() -> Iterator[Path]:
    """A folder with a short name, outside what tests are given: servers stay in it for long."""
    folder = Path(tempfile.mkdtemp(prefix="queue-", dir="/tmp"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def starter() -> Iterator[Starter]:
    """What starts workers."""
    made = Starter()
    yield made
    made.close()


@pytest.fixture(scope="session")
def rabbit(place: Path) -> Iterator[Rabbit]:
    """A RabbitMQ, which may not have begun yet."""
    made = Rabbit(place / "rabbit")
    yield made
    made.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Address of a PostgreSQL."""
    with cluster() as address:
        yield address


@pytest.fixture(scope="session", params=KINDS)
def house(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, place: Path, starter: Starter
) -> Iterator[House]:
    """An installation of each kind, with a worker of four places, and one of one place on a GPU."""
    kind, folder = request.param, tmp_path_factory.mktemp("house")
    database, broker = "", None
    with ExitStack() as stack:
        if kind in ("redis", "rabbit"):
            database = _database(request.getfixturevalue("postgres"))
        if any("[rabbit]" in item.name for item in request.session.items):
            request.getfixturevalue("rabbit")  # it begins beside the others' tests
        if kind == "redis":
            broker = Redis(folder)
            stack.callback(broker.close)
        if kind == "rabbit":
            broker = request.getfixturevalue("rabbit")
            broker.start()
            stack.callback(broker.stop)
        made = House(kind, folder, database=database, broker=broker, starter=starter)
        stack.callback(made.close)
        if kind == "memory":
            stack.callback(made.within().close)
        else:
            made.start(queues="net,cpu", slots=4)
            made.start(queues="gpu", slots=1)
        yield made


@pytest.fixture(autouse=True)
def _tidy(request: pytest.FixtureRequest) -> Iterator[None]:
    """What one test leaves waiting is nothing to the next one."""
    yield
    if "house" in request.fixturenames:
        request.getfixturevalue("house").clear()


def _database(postgres: str) -> str:
    name = f"house_{secrets.token_hex(4)}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return postgres.replace("/postgres?", f"/{name}?")
