"""The platform's database: all or nothing, errors that say what to do, nothing left of what is deleted."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, func, select
from sqlalchemy.exc import IntegrityError

from autodub.infra import sql as module
from autodub.infra.sql import Sql
from autodub.model.errors import BadOption, Unavailable

_metadata = MetaData()
_things = Table(
    "things", _metadata, Column("id", Integer, primary_key=True), Column("name", String(20), unique=True)
)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Sql]:
    """An SQLite database with one table."""
    sql = Sql.in_folder(tmp_path / "new" / "folder")
    with sql.writing() as connection:
        _metadata.create_all(connection)
    yield sql
    sql.close()


def _count(sql: Sql) -> int:
    with sql.reading() as connection:
        return connection.execute(select(func.count()).select_from(_things)).scalar_one()


def test_a_transaction_is_kept_whole_or_not_at_all(database: Sql) -> None:
    """Whatever ends it, also Ctrl-C; and the next one is not locked out."""

    def fail(problem: type[BaseException]) -> None:
        with database.writing() as connection:
            connection.execute(_things.insert().values(id=1, name="a"))
            raise problem

    for problem in (KeyError, KeyboardInterrupt):
        with pytest.raises(problem):
            fail(problem)
    assert _count(database) == 0
    with database.writing() as connection:
        connection.execute(_things.insert().values(id=1, name="a"))
    assert _count(database) == 1


def test_a_rollback_that_sqlite_made_itself_hides_nothing(database: Sql) -> None:
    """As on a full disk: the first error is the one that is raised."""

    def fail() -> None:
        with database.writing() as connection:
            connection.exec_driver_sql("ROLLBACK")
            raise KeyError("first")

    with pytest.raises(KeyError, match="first"):
        fail()


def test_writers_take_turns(database: Sql) -> None:
    """Eight threads that read and then write lose nothing."""

    def add() -> None:
        for _ in range(10):
            with database.writing() as connection:
                last = connection.execute(select(func.coalesce(func.max(_things.c.id), 0))).scalar_one()
                connection.execute(_things.insert().values(id=last + 1, name=str(last)))

    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert _count(database) == 80


def test_what_a_constraint_forbids_is_raised_as_it_is(database: Sql) -> None:
    """Whoever writes knows what it means."""
    with pytest.raises(IntegrityError), database.writing() as connection:
        connection.execute(_things.insert(), [{"id": 1, "name": "a"}, {"id": 2, "name": "a"}])


def test_work_is_done_anew_when_the_database_asks_for_it(
    database: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few times; then it is not available."""

    class Lost(Exception):
        sqlstate = "40001"

    tries = []

    def work(_: object) -> str:
        tries.append(1)
        if len(tries) < 3:
            raise Unavailable("again") from module.OperationalError("x", None, Lost())
        return "done"

    assert database.again(work) == "done"
    monkeypatch.setattr(module, "_TRIES", 2)
    tries.clear()
    with pytest.raises(Unavailable):
        database.again(work)
    assert len(tries) == 2


def test_a_database_that_cannot_be_used_is_told_without_its_password(tmp_path: Path) -> None:
    """Where it is, why, and what to look at."""
    sql = Sql("postgresql://someone:top-secret@127.0.0.1:1/nothing")
    with pytest.raises(Unavailable) as caught:
        sql.ping()
    assert "127.0.0.1:1/nothing" in caught.value.message
    assert "top-secret" not in str(caught.value) + repr(sql.name)
    sql.close()
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises((Unavailable, NotADirectoryError, FileExistsError)):
        Sql.in_folder(blocked).ping()


def test_an_address_of_another_kind_is_refused() -> None:
    """With what one looks like."""
    with pytest.raises(Unavailable, match="neither SQLite nor PostgreSQL") as caught:
        Sql("mysql://host/name").ping()
    assert "postgresql://" in caught.value.hint


def test_too_much_at_once_is_told_as_such(database: Sql, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not as a fault."""
    database.close()
    real = module.create_engine
    monkeypatch.setattr(
        module, "create_engine", lambda a, **n: real(a, pool_size=1, max_overflow=0, pool_timeout=0.01)
    )
    with database.reading(), pytest.raises(Unavailable, match="at once"), database.reading():
        pass


def test_what_was_deleted_is_in_no_file_any_more(database: Sql) -> None:
    """Neither in the database nor in its log, once it is settled."""
    folder = Path(str(database._address.database)).parent
    with database.writing() as connection:
        connection.execute(_things.insert(), [{"id": n, "name": f"geheim-{n}"} for n in range(500)])
    assert b"geheim-7" in b"".join(path.read_bytes() for path in folder.iterdir())
    with database.writing() as connection:
        connection.execute(_things.delete())
    assert database.settle()
    assert b"geheim-" not in b"".join(path.read_bytes() for path in folder.iterdir())


def test_settling_does_not_wait_for_readers(database: Sql, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who reads is not disturbed; the next time is as good."""
    monkeypatch.setattr("autodub.infra.database._SETTLING_MS", 1)
    with database.writing() as connection:
        connection.execute(_things.insert().values(id=1, name="a"))
    with database.reading() as reader:
        reader.exec_driver_sql("BEGIN")
        reader.execute(select(_things)).all()
        with database.writing() as connection:
            connection.execute(_things.delete())
        assert not database.settle()
        reader.exec_driver_sql("ROLLBACK")
    assert database.settle()


def test_texts_that_postgresql_cannot_keep_are_the_senders_affair(database: Sql) -> None:
    """They are refused as a bad request, not as a fault."""
    problem = module.DataError("x", None, ValueError("too long"))
    with pytest.raises(BadOption, match="too long"), database._errors():
        raise problem
