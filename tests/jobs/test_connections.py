"""Connections to PostgreSQL: cheap to use, and never a dead one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest
from sqlalchemy import text

from autodub.infra import sql as module
from autodub.infra.sql import Sql


@pytest.fixture
def base(numbered: Callable[[], str]) -> Iterator[Sql]:
    """A database of its own."""
    sql = Sql(numbered())
    yield sql
    sql.close()


def _pid(sql: Sql) -> int:
    with sql.reading() as connection:
        return int(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())


@pytest.mark.parametrize("idle", [0.0, 3600.0])
def test_connections_that_were_cut_are_opened_anew(
    base: Sql, postgres: str, monkeypatch: pytest.MonkeyPatch, idle: float
) -> None:
    """As after a restart of the database: whoever comes next notices nothing, however soon that is."""
    with base.reading() as first, base.reading() as second:
        pids = [int(c.execute(text("SELECT pg_backend_pid()")).scalar_one()) for c in (first, second)]
    monkeypatch.setattr(module, "_IDLE", idle)
    with psycopg.connect(postgres, autocommit=True) as other:
        for pid in pids:
            assert other.execute("SELECT pg_terminate_backend(%s, 10000)", [pid]).fetchone() == (True,)
    assert _pid(base) not in pids
    with base.writing() as connection:
        assert connection.execute(text("SELECT pg_backend_pid()")).scalar_one() not in pids


def test_a_connection_that_was_closed_here_is_opened_anew(base: Sql, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that has no socket any more is no good either, however short a time it lay idle."""
    monkeypatch.setattr(module, "_IDLE", 3600.0)
    with base.reading() as connection:
        pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        taken = connection.connection.dbapi_connection
    assert taken is not None
    taken.close()
    assert _pid(base) != pid


def test_a_connection_is_asked_only_after_it_lay_idle(base: Sql, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a burst of calls nothing is sent besides what is wanted."""
    _pid(base)
    asked: list[object] = []
    dialect = base.engine().dialect
    ping = dialect.do_ping

    def counted(connection: object) -> bool:
        asked.append(connection)
        return bool(ping(connection))  # type: ignore[arg-type]

    monkeypatch.setattr(dialect, "do_ping", counted)
    monkeypatch.setattr(module, "_IDLE", 3600.0)
    for _ in range(5):
        _pid(base)
    assert asked == []
    monkeypatch.setattr(module, "_IDLE", 0.0)
    _pid(base)
    assert len(asked) == 1


def test_reading_begins_nothing_and_writing_does(base: Sql, postgres: str) -> None:
    """A SELECT is one way to the database and back; a transaction is one, also on the same connection."""
    states = "SELECT state FROM pg_stat_activity WHERE pid = %s"
    with psycopg.connect(postgres, autocommit=True) as other:
        for _ in range(2):
            with base.reading() as connection:
                pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
                assert other.execute(states, [pid]).fetchone() == ("idle",)
            with base.writing() as connection:
                pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
                assert other.execute(states, [pid]).fetchone() == ("idle in transaction",)
                level = connection.execute(text("SHOW transaction_isolation")).scalar_one()
                assert level == "read committed"
