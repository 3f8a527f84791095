"""The index: transactions, threads, damage and versions."""

import sqlite3
import subprocess
import sys
import threading

import pytest
from sqlalchemy import func, select
from sqlalchemy.dialects.sqlite import insert

from autodub.infra import database as indexes
from autodub.infra.database import SCHEMA, Database, files, identity, rentals
from autodub.model.errors import OutputProblem


@pytest.fixture
def database(tmp_path):
    """A fresh index."""
    database = Database(tmp_path / "index.sqlite")
    yield database
    database.close()


def _row(path):
    return {"path": path, "size": 1, "mtime_ns": 2, "inode": 3, "digest": "d"}


def _count(database):
    with database.reading() as connection:
        return connection.execute(select(func.count()).select_from(files)).scalar_one()


def test_it_is_made_on_first_use(database, tmp_path):
    """Nothing is opened before it is asked for; then the tables and their version are there, in WAL mode."""
    assert not (tmp_path / "index.sqlite").exists()
    assert _count(database) == 0
    with sqlite3.connect(tmp_path / "index.sqlite") as index:
        assert index.execute("PRAGMA user_version").fetchone() == (SCHEMA,)
        assert index.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    index.close()


def test_a_failed_transaction_leaves_nothing(database):
    """What was written before an error inside the block is taken back."""

    def fail():
        with database.writing() as connection:
            connection.execute(insert(files).values(**_row("a")))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert _count(database) == 0
    with database.writing() as connection:
        connection.execute(insert(files).values(**_row("a")))
    assert _count(database) == 1


def test_threads_and_a_second_opener_write_at_once(database, tmp_path):
    """Writers wait for each other; none is lost and none fails."""
    other = Database(tmp_path / "index.sqlite")
    errors = []

    def write(number):
        try:
            for step in range(20):
                with (database if number % 2 else other).writing() as connection:
                    connection.execute(insert(files).values(**_row(f"{number}-{step}")))
        except OutputProblem as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert _count(database) == 160
    other.close()


def test_a_newer_index_is_refused(tmp_path):
    """An index of a later release is left alone, with a hint to update."""
    with sqlite3.connect(tmp_path / "index.sqlite") as index:
        index.execute("PRAGMA user_version = 999")
    index.close()
    database = Database(tmp_path / "index.sqlite")
    with pytest.raises(OutputProblem, match="newer Autodub") as caught:
        _count(database)
    assert "Update" in caught.value.hint
    database.close()


def test_a_newer_index_that_lets_this_release_go_on_is_used(tmp_path, monkeypatch):
    """By who has it open and by who opens it later, until a release comes that changes more than it adds."""
    ours = Database(tmp_path / "index.sqlite")
    assert _count(ours) == 0
    monkeypatch.setattr(indexes, "SCHEMA", SCHEMA + 1)
    newer = Database(tmp_path / "index.sqlite")
    assert _count(newer) == 0
    monkeypatch.undo()
    later = Database(tmp_path / "index.sqlite")
    assert _count(later) == 0
    assert ours.is_ours()
    monkeypatch.setattr(indexes, "SCHEMA", SCHEMA + 2)
    monkeypatch.setattr(indexes, "LOWEST", SCHEMA + 2)
    newest = Database(tmp_path / "index.sqlite")
    assert _count(newest) == 0
    monkeypatch.undo()
    assert not ours.is_ours()
    last = Database(tmp_path / "index.sqlite")
    with pytest.raises(OutputProblem, match="newer Autodub"):
        _count(last)
    for one in (ours, newer, later, newest, last):
        one.close()


def test_an_index_damaged_in_the_middle_is_a_sentence(tmp_path):
    """Pages overwritten with noise give a clear error that says what to delete."""
    database = Database(tmp_path / "index.sqlite")
    with database.writing() as connection:
        for number in range(2000):
            connection.execute(insert(files).values(**_row(f"{number:08d}" * 8)))
    database.close()
    raw = bytearray((tmp_path / "index.sqlite").read_bytes())
    raw[4096 * 3 : -4096] = b"\x5a" * (len(raw) - 4096 * 4)
    (tmp_path / "index.sqlite").write_bytes(raw)
    with pytest.raises(OutputProblem, match="is damaged"), database.reading() as connection:
        connection.execute(select(files)).all()
    database.close()


def test_an_index_that_cannot_be_written_is_a_sentence(tmp_path):
    """A folder in place of the index is reported, not raised as a driver's error."""
    (tmp_path / "index.sqlite").mkdir()
    database = Database(tmp_path / "index.sqlite")
    with pytest.raises(OutputProblem, match="cannot be used"):
        _count(database)
    database.close()


def test_identity_changes_with_the_file(tmp_path):
    """Another size, time or inode is another identity."""
    path = tmp_path / "f"
    path.write_bytes(b"a")
    first = identity(path)
    assert identity(path) == first
    path.write_bytes(b"ab")
    assert identity(path) != first


def test_an_index_of_the_first_format_keeps_what_it_has(tmp_path):
    """Tables that came later are added to an older index, and nothing in it is lost."""
    path = tmp_path / "index.sqlite"
    with sqlite3.connect(path) as index:
        index.execute(
            "CREATE TABLE files (path VARCHAR NOT NULL PRIMARY KEY, size BIGINT NOT NULL, "
            "mtime_ns BIGINT NOT NULL, inode BIGINT NOT NULL, digest VARCHAR NOT NULL)"
        )
        index.execute("INSERT INTO files VALUES ('a', 1, 2, 3, 'd')")
        index.execute("PRAGMA user_version = 1")
    index.close()
    old = Database(path)
    assert _count(old) == 1
    with old.reading() as connection:
        assert connection.execute(select(func.count()).select_from(rentals)).scalar_one() == 0
        assert connection.exec_driver_sql("PRAGMA user_version").scalar_one() == SCHEMA
    old.close()


def test_a_new_index_may_be_opened_by_many_at_once(tmp_path):
    """Whoever comes while the index is being made waits, and nobody is told that it is locked."""
    import threading

    for attempt in range(12):
        path = tmp_path / f"index-{attempt}.sqlite"
        databases = [Database(path) for _ in range(6)]
        start, problems = threading.Barrier(len(databases)), []

        def use(database, start=start, problems=problems):
            start.wait()
            try:
                with database.reading() as connection:
                    connection.exec_driver_sql("SELECT count(*) FROM answers")
            except Exception as problem:  # noqa: BLE001 - told below
                problems.append(problem)

        threads = [threading.Thread(target=use, args=(database,)) for database in databases]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for database in databases:
            database.close()
        assert problems == []


def test_who_opens_it_once_more_takes_nothing_from_who_has_it_open(tmp_path):
    """Another process that ends must not remove the log that this one still reads and writes."""
    ours = Database(tmp_path / "index.sqlite")
    assert _count(ours) == 0
    once_more = Database(tmp_path / "index.sqlite")
    assert _count(once_more) == 0
    once_more.close()
    elsewhere = (
        "import sqlite3, sys; index = sqlite3.connect(sys.argv[1]); "
        "index.execute('INSERT INTO files VALUES (?, 1, 2, 3, ?, NULL)', (sys.argv[2], 'd')); "
        "index.commit(); index.close()"
    )
    for count, name in enumerate(("first", "second"), 1):
        subprocess.run([sys.executable, "-c", elsewhere, tmp_path / "index.sqlite", name], check=True)
        assert _count(ours) == count
    assert (tmp_path / "index.sqlite-wal").exists()
    ours.close()
