"""Platforms for tests: on SQLite and on a real PostgreSQL, with engines that need nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
from desk import Desk
from postgres import cluster
from sqlalchemy import text

import ready_tables
from autodub.infra import server_settings, settings
from autodub.infra.sql import Sql
from autodub.jobs import schema
from autodub.jobs.platform import Platform

Opening = Callable[..., Platform]


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Address of a PostgreSQL that all tests of a process share."""
    with cluster() as address:
        yield address


@pytest.fixture(scope="session")
def numbered(postgres: str) -> Iterator[Callable[[], str]]:
    """Makes databases that have all tables and nothing in them: copies of one that was migrated once."""
    numbers = count()

    def named(name: str) -> str:
        return postgres.replace("/postgres?", f"/{name}?")

    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("CREATE DATABASE ready")
        sql = Sql(named("ready"))
        schema.upgrade(sql)
        sql.close()

        def make() -> str:
            name = f"test_{next(numbers)}"
            connection.execute(f"CREATE DATABASE {name} TEMPLATE ready")
            return named(name)

        yield make


@pytest.fixture(params=["sqlite", "postgres"])
def address(request: pytest.FixtureRequest) -> str:
    """Address of a fresh database, of either kind; empty for the SQLite of the data directory."""
    if request.param == "sqlite":
        return ""
    made: str = request.getfixturevalue("numbered")()
    return made


@pytest.fixture(params=["sqlite", "postgres"])
def empty(request: pytest.FixtureRequest) -> str:
    """Address of a database without tables, of either kind; empty for the SQLite of the data directory."""
    if request.param == "sqlite":
        return ""
    found: str = request.getfixturevalue("postgres")
    sql = Sql(found)
    with sql.writing() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    sql.close()
    return found


@pytest.fixture
def opening(tmp_path: Path, address: str) -> Iterator[Opening]:
    """Open platforms over one database and data directory, as several processes would."""
    with ExitStack() as stack:

        def open_(**given: Any) -> Platform:
            known = settings.load(environ={"HOME": str(tmp_path)}, data_dir=tmp_path / "data")
            values = {"database": address, "spare": 0, "check_engines": False} | given
            if not values["database"]:
                ready_tables.lay(known.data_dir)
            platform = Platform(known, server_settings.load(known, environ={}, given=values))
            stack.callback(platform.close)
            return platform

        yield open_


@pytest.fixture
def platform(opening: Opening) -> Platform:
    """One platform with default settings."""
    return opening()


@pytest.fixture
def desk(platform: Platform) -> Desk:
    """A platform at a time that is set by hand."""
    return Desk(platform)
