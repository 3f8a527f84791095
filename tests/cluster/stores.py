"""Stores of every kind for tests: in a data directory, or shared over PostgreSQL with a folder or S3."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest
from s3_server import BUCKET, S3Server, s3_server

from autodub.gateway.opening import open_store as opened
from autodub.gateway.store import Answer, Store
from autodub.infra import settings
from autodub.infra.pg_index import PgIndex
from autodub.infra.settings import Settings
from autodub.infra.shared_blobs import SharedBlobs
from autodub.infra.shared_store import SharedStore
from autodub.model.media import Blob

Open = Callable[..., Store]
Machine = Callable[..., Settings]
_numbers = count()
_TABLES = (
    "answers", "parts", "pins", "uses", "files", "rentals", "holds", "locks", "places", "sessions", "objects",
    "chores",
)  # fmt: skip


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    """The S3 server of a process of tests."""
    with s3_server() as server:
        yield server


@pytest.fixture(scope="session")
def index_of(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], str]:
    """Gives the address of a database with an index, emptied each time."""
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("CREATE DATABASE store")
    address = postgres.replace("/postgres?", "/store?")
    index = PgIndex(address, tmp_path_factory.mktemp("index"), "nowhere")
    index.ping()
    index.close()

    def make() -> str:
        with psycopg.connect(address) as connection:
            for table in _TABLES:
                connection.execute(f"DELETE FROM autodub_store.{table}")
        return address

    return make


def settings_of(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Settings]:
    """Gives the settings of a machine, by the name of its data directory."""
    environ = {"HOME": str(tmp_path)}
    if kind != "local":
        environ["AUTODUB_STORE_DATABASE"] = request.getfixturevalue("index_of")()
    if kind == "folder":
        environ["AUTODUB_BLOBS"] = str(tmp_path / "shared")
    if kind == "s3":
        request.getfixturevalue("s3")
        environ["AUTODUB_BLOBS"] = f"s3://{BUCKET}/{next(_numbers)}"

    def of(machine: str = "data", **given: object) -> Settings:
        known = settings.load(environ=environ, data_dir=tmp_path / machine)
        return known.model_copy(update=given)

    return of


@pytest.fixture(params=["local", "folder", "s3"])
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Settings]:
    """Settings of machines that share a store of each kind; of the embedded one only ``data`` does."""
    return settings_of(request.param, request, tmp_path)


@pytest.fixture(params=["folder", "s3"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Settings]:
    """The same, of the kinds that machines can share."""
    return settings_of(request.param, request, tmp_path)


@pytest.fixture
def s3_shared(
    request: pytest.FixtureRequest, tmp_path: Path, s3: S3Server
) -> Iterator[Callable[..., Settings]]:
    """The same, with S3 alone; nothing fails afterwards."""
    yield settings_of("s3", request, tmp_path)
    s3.failing, s3.later = (lambda method, path: False), 0.0


@pytest.fixture
def opening() -> Iterator[Open]:
    """Opens stores of settings; closed at the end."""
    with ExitStack() as stack:

        def make(of: Settings, owner: str | None = None, **given: float) -> Store:
            store = opened(of, owner=owner, **given)
            stack.callback(store.close)
            return store

        yield make


def file(store: Store, content: bytes, suffix: str = ".bin") -> Blob:
    """A file in a store."""
    with store.blobs.scratch() as folder:
        path = folder / f"f{suffix}"
        path.write_bytes(content)
        return store.blobs.keep(path)


def answer(store: Store, content: bytes, result: str = '"x"') -> Answer:
    """An answer with one file."""
    return Answer("role.fake", "1", "speak", result, (file(store, content),), (("characters", 3.0),), 1.0)


def contents(store: Store) -> set[bytes]:
    """The contents of all files."""
    return {path.read_bytes() for path in store.blobs.files()}


def ours(store: Store) -> SharedBlobs:
    """A store's files, known to be shared ones."""
    assert isinstance(store.blobs, SharedBlobs)
    return store.blobs


def look(store: Store) -> None:
    """Strike who is gone, as the renewing thread does."""
    cast("SharedStore", store._shared)._process.sessions.look()


def rows(of: Settings, table: str) -> list[tuple[Any, ...]]:
    """What a table of the index has."""
    with psycopg.connect(of.store_database.get_secret_value()) as connection:
        return list(connection.execute(f"SELECT * FROM autodub_store.{table}"))


def keys(of: Settings, server: S3Server) -> list[str]:
    """What lies in S3 for these settings."""
    return server.keys(of.blobs.removeprefix(f"s3://{BUCKET}/") + "/")
