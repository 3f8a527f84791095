"""The data directory's index: kept answers, digests of large files known from before, rented voices.

SQLite in WAL mode: readers never wait, and a process killed at any instant leaves the last
committed state behind. SQLAlchemy Core throughout; no ORM.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Engine,
    Float,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    delete,
    event,
    insert,
    select,
)
from sqlalchemy.dialects.sqlite import Insert
from sqlalchemy.exc import DatabaseError, OperationalError

from autodub.infra import private
from autodub.infra.blobs import writing
from autodub.model.errors import OutputProblem

T = TypeVar("T")
SCHEMA = 4
"""Version of the tables below. Those of a later one are used where it says so (``LOWEST``).

1: answers, files. 2: rentals as well. 3: who uses what (uses, pins, parts, and columns for it). 4: who may
use the tables. What is missing is added, what is there stays; answers from before are nobody's."""
LOWEST = 4
"""The earliest version whose releases may use these tables. Raised to SCHEMA by a change that they would
spoil, or not understand; one that only adds something leaves it."""

metadata = MetaData()

answers = Table(
    "answers",
    metadata,
    Column("key", String, primary_key=True),
    Column("engine", String, nullable=False),
    Column("version", String, nullable=False),
    Column("verb", String, nullable=False),
    Column("result", Text, nullable=False),
    Column("digest", String, nullable=False),  # of result, blobs and usage: notices a damaged row
    Column("blobs", Text, nullable=False),
    Column("usage", Text, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("created", Float, nullable=False),
    Column("used", Float, nullable=False, index=True),
    Column("size", BigInteger, nullable=False),
    # Made or used by somebody who is no owner: such an answer stays when owners release theirs.
    Column("unowned", Boolean, nullable=False, server_default="1"),
    # About to be removed, unless it turns out to be in use.
    Column("leaving", Boolean, nullable=False, server_default="0"),
    sqlite_with_rowid=False,
)

parts = Table(
    "parts",
    metadata,
    Column("name", String, primary_key=True),
    Column("key", String, primary_key=True, index=True),
    sqlite_with_rowid=False,
)
"""Files by name (digest and suffix), with the answers that name them; kept in step by the database itself."""

uses = Table(
    "uses",
    metadata,
    Column("owner", String, primary_key=True),
    Column("key", String, primary_key=True, index=True),
    sqlite_with_rowid=False,
)
"""Which owner made or used which answer."""

pins = Table(
    "pins",
    metadata,
    Column("owner", String, primary_key=True),
    Column("name", String, primary_key=True, index=True),
    sqlite_with_rowid=False,
)
"""Files that an owner keeps whatever becomes of answers."""

_NAMED = (
    "INSERT OR IGNORE INTO parts (name, key) SELECT json_extract(value, '$.digest') || "
    "json_extract(value, '$.suffix'), {row}.key FROM {table}"
    "json_each(CASE WHEN json_valid({row}.blobs) THEN {row}.blobs ELSE '[]' END)"
)
_FORGOTTEN = "DELETE FROM parts WHERE key = OLD.key"
_TRIGGERS = {
    "parts_of_new": f"AFTER INSERT ON answers BEGIN {_NAMED.format(row='NEW', table='')}; END",
    "parts_of_changed": "AFTER UPDATE OF blobs ON answers BEGIN "
    f"{_FORGOTTEN}; {_NAMED.format(row='NEW', table='')}; END",
    "parts_of_gone": f"AFTER DELETE ON answers BEGIN {_FORGOTTEN}; END",
}
_ADDED = {
    "answers": ("unowned BOOLEAN NOT NULL DEFAULT 1", "leaving BOOLEAN NOT NULL DEFAULT 0"),
    "files": ("owner VARCHAR",),
    "rentals": ("released BOOLEAN NOT NULL DEFAULT 0",),
}
"""Columns that tables of an earlier format lack."""
_INDEXES = {
    "answers_cloned": "answers (verb) WHERE verb = 'clone'",
    "answers_owned": "answers (unowned) WHERE unowned = 0",
}
"""Few of many rows, for questions that nobody else has."""

files = Table(
    "files",
    metadata,
    Column("path", String, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
    Column("inode", BigInteger, nullable=False),
    Column("digest", String, nullable=False),
    Column("owner", String, nullable=True),  # whose file it is, where it is somebody's
)

rentals = Table(
    "rentals",
    metadata,
    Column("token", String, primary_key=True),
    Column("account", String, nullable=False, index=True),
    Column("engine", String, nullable=False),
    Column("identity", String, nullable=False),
    Column("name", String, nullable=False),
    Column("handle", String, nullable=True),  # not known before the provider has answered
    Column("state", String, nullable=False),
    Column("kept", Boolean, nullable=False),
    Column("created", Float, nullable=False),
    Column("used", Float, nullable=False),
    Column("trouble", String, nullable=False),
    Column("released", Boolean, nullable=False, server_default="0"),  # no answer names it any more
)


compatibility = Table("compatibility", metadata, Column("lowest", BigInteger, primary_key=True))
"""One row: the earliest version whose releases may use the tables, wherever they lie."""


def may_use(connection: Connection, found: int, ours: int) -> bool:
    """Whether releases of the version ``ours`` may use tables of the version ``found``."""
    if found <= ours:
        return found == ours
    lowest = connection.execute(select(compatibility.c.lowest)).scalar()
    return lowest is not None and int(lowest) <= ours


def allow(connection: Connection, lowest: int) -> None:
    """Say from which version on releases may use the tables."""
    connection.execute(delete(compatibility))
    connection.execute(insert(compatibility).values(lowest=lowest))


class Database:
    """Connections to one SQLite file, opened on first use; every thread may use it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.folder = path.parent
        """The data directory."""
        self._engine: Engine | None = None
        self._lock = threading.Lock()

    def again(self, work: Callable[[Connection], T]) -> T:
        """Do ``work`` in a transaction; nobody else writes meanwhile."""
        with self.writing() as connection:
            return work(connection)

    @staticmethod
    def insert(table: Table) -> Insert:
        """An INSERT that knows ``on_conflict_do_nothing`` and ``on_conflict_do_update``."""
        return Insert(table)

    def alone(self, connection: Connection, key: str) -> None:
        """Keep everybody else who asks for this key out until the transaction ends: here they are anyhow."""

    def is_ours(self) -> bool:
        """Whether no newer release has changed the tables so that this one must leave them alone."""
        with self.reading() as connection:
            return _may_use(connection)

    def place(self, path: Path) -> str:
        """A path of this machine, as the index names it."""
        return str(path)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for SELECT; sees the last committed state."""
        with self._errors(), self._open().connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that has the one writer's place from its first statement."""
        with self._errors(), self._open().connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:  # also Ctrl-C: an open transaction would lock everybody out
                connection.exec_driver_sql("ROLLBACK")
                raise
            connection.exec_driver_sql("COMMIT")

    def settle(self, *, rewrite: bool = False) -> bool:
        """Have what was deleted leave the files as well; False when others read just now."""
        with self._errors(), self._open().connect() as connection:
            return settle(connection, rewrite=rewrite)

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            if self._engine is not None:
                self._engine.dispose()
                self._engine = None

    def _open(self) -> Engine:
        if self._engine is None:
            with self._lock:
                if self._engine is None:
                    with suppress(OSError):  # what is wrong with it SQLite says better
                        private.file(self._path)
                    engine = create_engine(f"sqlite:///{self._path}", pool_size=4, max_overflow=32)
                    event.listen(engine, "connect", configure)
                    try:
                        self._prepare(engine)
                    except BaseException:  # tidied up and raised on
                        engine.dispose()  # else its files would stay open
                        raise
                    self._engine = engine
        return self._engine

    def _prepare(self, engine: Engine) -> None:
        """Make the tables once; refuse those of a later release."""
        with engine.connect() as connection:
            if _may_use(connection):
                return
            version = _version(connection)
            if version > SCHEMA:
                raise OutputProblem(
                    f"The index {self._path} was made by a newer Autodub (format {version}).",
                    hint="Update Autodub, or choose another data directory with --data-dir.",
                )
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            if _version(connection) < SCHEMA:  # nobody was faster
                _upgrade(connection)
                allow(connection, LOWEST)
                connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA}")
            connection.exec_driver_sql("COMMIT")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            with writing(self._path.parent):
                yield
        except OperationalError as error:
            raise self._operational(error) from error
        except DatabaseError as error:
            raise OutputProblem(
                f"The data directory's index {self._path} is damaged.",
                hint=f"Delete {self._path} and run again: what it knew is made anew.",
            ) from error

    def _operational(self, error: OperationalError) -> OutputProblem:
        code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
            return OutputProblem(
                f"The data directory {self._path.parent} is full or failing ({error.orig}).",
                hint="Free some space, run `autodub cache prune`, or choose another with --data-dir.",
            )
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return OutputProblem(
                f"Another process has kept the index {self._path} locked for {_PATIENCE_MS // 1000} s.",
                hint="Wait for it to finish, or end it, and run again.",
            )
        return OutputProblem(
            f"The data directory's index {self._path} cannot be used ({error.orig}).",
            hint="Make the folder writable, or choose another with --data-dir or AUTODUB_DATA_DIR.",
        )


def _may_use(connection: Connection) -> bool:
    found = _version(connection)
    if found > SCHEMA and not connection.dialect.has_table(connection, compatibility.name):
        return False  # not even that is known of it
    return may_use(connection, found, SCHEMA)


def _version(connection: Connection) -> int:
    return int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())


def _upgrade(connection: Connection) -> None:
    """Add what is missing, whatever was there before."""
    for table, columns in _ADDED.items():
        there = {row[1] for row in connection.exec_driver_sql(f"PRAGMA table_info({table})")}
        for column in columns if there else ():
            if column.split()[0] not in there:
                connection.exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN {column}")
    metadata.create_all(connection, checkfirst=True)
    for name, event_and_body in _TRIGGERS.items():
        connection.exec_driver_sql(f"CREATE TRIGGER IF NOT EXISTS {name} {event_and_body}")
    for name, place in _INDEXES.items():
        connection.exec_driver_sql(f"CREATE INDEX IF NOT EXISTS {name} ON {place}")
    connection.exec_driver_sql(_NAMED.format(row="answers", table="answers, "))


_PATIENCE_MS = 30_000
_SETTLING_MS = 200  # how long tidying up waits for readers; the next time is as good
_GLANCE = 0.02  # seconds


def configure(connection: sqlite3.Connection, _record: object) -> None:
    """Set a new connection up: write-ahead log, patience, transactions that begin where we say so."""
    connection.isolation_level = None  # transactions begin where we say so, not where the driver guesses
    connection.execute(f"PRAGMA busy_timeout = {_PATIENCE_MS}")
    # Two processes that open a new index at once: SQLite does not wait for this one, whatever the timeout.
    end = time.monotonic() + _PATIENCE_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            break
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(_GLANCE)
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten


def settle(connection: Connection, *, rewrite: bool = False) -> bool:
    """Have what was deleted leave the write-ahead log as well; False when others read just now.

    SQLite overwrites what is deleted, but its log keeps earlier pages until it is emptied, and where rows
    move between pages copies of them stay behind: ``rewrite`` writes the whole file anew, without those.
    """
    if rewrite:
        connection.exec_driver_sql("VACUUM")
    patience = connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one()
    connection.exec_driver_sql(f"PRAGMA busy_timeout = {_SETTLING_MS}")
    try:
        is_busy: int = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()[0]
        return not is_busy
    finally:
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {patience}")


def identity(path: Path) -> tuple[int, int, int]:
    """Size, modification time (ns) and inode: what a file keeps while nobody changes it."""
    entry = path.stat()
    return entry.st_size, entry.st_mtime_ns, entry.st_ino
