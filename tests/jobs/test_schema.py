"""The platform's tables and their migrations."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic import command
from desk import Opening
from sqlalchemy import text

from autodub.infra.sql import Sql
from autodub.jobs import giving_way, schema
from autodub.jobs.platform import Platform
from autodub.model.errors import Unavailable


def test_a_new_database_has_every_table(platform: Platform) -> None:
    """Migrations end in exactly the tables that the code knows, on SQLite and on PostgreSQL."""
    assert schema.differences(platform.sql) == []


def test_many_processes_may_open_a_new_database_at_once(tmp_path: Path, empty: str) -> None:
    """One migrates, the others wait for it; nobody fails."""
    failures: list[Exception] = []

    def open_() -> None:
        sql = Sql(empty) if empty else Sql.in_folder(tmp_path)
        try:
            schema.upgrade(sql)
        except Exception as problem:  # noqa: BLE001 - told by the assertion below
            failures.append(problem)
        finally:
            sql.close()

    threads = [threading.Thread(target=open_) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_what_a_database_of_the_first_release_has_stays(tmp_path: Path, empty: str) -> None:
    """Jobs are of the first form, workers serve everything, and a user's turn is that of the newest job.

    Calls that were on an account already are on it for good: no engine is told of them again.
    """
    sql = Sql(empty) if empty else Sql.in_folder(tmp_path)
    try:
        with sql.writing() as connection:
            config = schema._config()
            config.attributes["connection"] = connection
            command.upgrade(config, "0001")
        with sql.writing() as connection:
            for user in ("ann", "bob"):
                row = {"id": user, "name": user, "role": "user", "active": True, "created": 1.0}
                connection.execute(text(_insert("users", row)), row)
            for job, started in (("a", 5.0), ("b", 7.0), ("c", None)):
                row = _JOB | {"id": job, "owner": "ann", "started": started}
                connection.execute(text(_insert("jobs", row)), row)
            for number, at in ((1, 4.0), (2, 6.0)):
                row = {"job": "a", "number": number, "at": at, "attempt": 1, "kind": "call.finished",
                       "stage": "", "message": "", "data": "{}"}  # fmt: skip
                connection.execute(text(_insert("events", row)), row)
            for job in ("a", "gone"):
                row = {"id": job, "owner": "ann", "job": job, "at": 5.0, "seconds": 1.0, "dollars": 1,
                       "compute": 1.0}  # fmt: skip
                connection.execute(text(_insert("usage", row)), row)
            row = {"id": "w", "host": "h", "process": 1, "slots": 2, "started": 1.0, "seen": 2.0}
            connection.execute(text(_insert("workers", row)), row)
        schema.upgrade(sql)
        assert schema.differences(sql) == []
        with sql.reading() as connection:
            turns = connection.execute(text("SELECT turn FROM users ORDER BY id")).scalars().all()
            formats = connection.execute(text("SELECT format FROM jobs")).scalars().all()
            served = connection.execute(text("SELECT resources, format FROM workers")).one()
            told = connection.execute(text("SELECT told FROM usage ORDER BY id")).scalars().all()
        assert (turns, formats, tuple(served)) == ([7.0, None], [1, 1, 1], ("net cpu gpu", 1))
        assert told == [1, 0]
    finally:
        sql.close()


_JOB = {
    "kind": "dub", "resource": "cpu", "state": "completed", "priority": 0, "title": "t", "spec": "{}",
    "created": 1.0, "queued": 1.0, "updated": 1.0, "attempt": 1, "crashes": 0, "stopping": "",
    "progress": 1.0, "stage": "", "message": "", "revision": 0, "made": 0, "spent": 0, "events": 0,
    "seen": "{}",
}  # fmt: skip


def _insert(table: str, row: dict[str, object]) -> str:
    return f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join(f':{name}' for name in row)})"


def test_a_database_of_a_later_release_is_refused(tmp_path: Path) -> None:
    """It is not guessed at, and nothing in it is changed."""
    sql = Sql.in_folder(tmp_path)
    schema.upgrade(sql)
    with sql.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        connection.execute(text("UPDATE compatibility SET lowest = '9999'"))
    with pytest.raises(Unavailable, match="newer Autodub"):
        schema.upgrade(sql)
    assert schema.revision(sql) == "9999"
    sql.close()


def test_transactions_see_what_others_wrote_whatever_the_server_does_by_default(
    opening: Opening,
) -> None:
    """Numbers of events and of the audit go up by one from what whoever was waited for has written."""
    platform = opening()
    if not platform.sql.is_postgres:
        pytest.skip("SQLite has one writer at a time")
    with platform.sql.writing() as connection:
        name = connection.exec_driver_sql("SELECT current_database()").scalar_one()
        strict = f"ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'"
        connection.exec_driver_sql(strict)
    other = opening()
    with other.sql.writing() as connection:
        shown = connection.exec_driver_sql("SHOW transaction_isolation").scalar_one()
    assert shown == "read committed"


@pytest.fixture
def old(postgres: str) -> Iterator[Sql]:
    """A PostgreSQL database of the first release."""
    sql = Sql(postgres)
    with sql.writing() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
        config = schema._config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    yield sql
    sql.close()


def test_a_migration_that_waits_for_a_table_has_nobody_wait_behind_it(
    old: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a long transaction has the table, others read it; once that one is over, it is migrated."""
    monkeypatch.setattr(giving_way, "WAIT", 0.1)
    with ThreadPoolExecutor(1) as pool:
        with old.writing() as long_one:
            long_one.execute(text("SELECT count(*) FROM jobs"))
            migrating = pool.submit(schema.upgrade, old)
            with old.reading() as reader:
                while not reader.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted")).scalar():
                    assert not migrating.done()
                reader.execute(text("SET statement_timeout = '60s'"))
                reader.execute(text("SELECT count(*) FROM jobs"))
                reader.execute(text("RESET statement_timeout"))
            assert not migrating.done()
        migrating.result(120)
    assert schema.is_current(old)


def test_a_migration_that_gets_no_table_says_who_has_it(old: Sql, monkeypatch: pytest.MonkeyPatch) -> None:
    """And leaves everything as it was."""
    monkeypatch.setattr(giving_way, "WAIT", 0.1)
    monkeypatch.setattr(giving_way, "PATIENCE", 0.3)
    with old.writing() as long_one:
        long_one.execute(text("SELECT count(*) FROM jobs"))
        session = long_one.execute(text("SELECT pg_backend_pid()")).scalar_one()
        with pytest.raises(Unavailable, match=rf"could not be brought .* session {session} ") as refused:
            schema.upgrade(old)
    assert f"pg_terminate_backend({session})" in refused.value.hint
    assert schema.revision(old) == "0001"
