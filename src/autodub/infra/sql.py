"""The platform's database: SQLite in the data directory by default, PostgreSQL where an address is set.

SQLAlchemy Core throughout; no ORM. A transaction that writes has the one writer's place from its first
statement on SQLite, so that nobody is refused at its end; on PostgreSQL rows are locked by who changes them.
"""

from __future__ import annotations

import select as select_module
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Column, Connection, Engine, Table, create_engine, event, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    InterfaceError,
    InvalidatePoolError,
    OperationalError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from autodub.infra import private
from autodub.infra.database import configure, settle
from autodub.model.errors import BadOption, Unavailable

T = TypeVar("T")


class DatabaseAway(Unavailable):
    """The database cannot be used. Its message says which and why: words for whoever runs the server."""


_POOL, _MORE = 8, 40
"""Connections kept open, and how many more may be opened for a moment."""
_IDLE = 0.5
"""Seconds after which a connection may have been cut without a word."""
_AGAIN = ("40001", "40P01")
"""What PostgreSQL says when transactions got in each other's way: the loser begins anew."""
_OTHERS = ("42P01", "42703")
"""What PostgreSQL says of a table or column that is not there, as where a newer release has changed them."""
_TRIES = 5
_TOGETHER = 500
_REACHING = {
    "connect_timeout": 5, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}  # fmt: skip
"""Seconds (the last one: milliseconds) after which a PostgreSQL that is silently gone is given up."""


class Sql:
    """Connections to the platform's database, opened on first use; every thread may use it."""

    def __init__(self, address: str) -> None:
        self._address: URL = make_url(address)
        self._engine: Engine | None = None
        self._reading: tuple[Engine, Engine] | None = None
        """The engine, and the same without transactions."""
        self._lock = threading.Lock()
        self.is_postgres = self._address.get_backend_name() == "postgresql"

    @classmethod
    def in_folder(cls, folder: Path) -> Sql:
        """The SQLite database of a data directory."""
        return cls(str(URL.create("sqlite", database=str(folder / "platform.sqlite"))))

    @property
    def name(self) -> str:
        """The address without its password, for people."""
        return self._address.render_as_string(hide_password=True)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for SELECT; each one sees the last committed state. Raises Unavailable."""
        with self._errors(), self._reader().connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction: all of it is kept, or nothing. Raises Unavailable."""
        with self._errors(), self.engine().connect() as connection:
            if self.is_postgres:
                with connection.begin():
                    yield connection
                return
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:  # also Ctrl-C: an open transaction would lock everybody out
                if getattr(connection.connection.dbapi_connection, "in_transaction", False):
                    connection.exec_driver_sql("ROLLBACK")  # on a full disk SQLite has done so by itself
                raise
            connection.exec_driver_sql("COMMIT")

    def again(self, work: Callable[[Connection], T]) -> T:
        """Do ``work`` in a transaction, anew when PostgreSQL found it in another one's way."""
        for left in reversed(range(_TRIES)):
            try:
                with self.writing() as connection:
                    return work(connection)
            except Unavailable as problem:
                code = getattr(getattr(problem.__cause__, "orig", None), "sqlstate", None)
                if code not in _AGAIN or not left:
                    raise
                time.sleep(0.005 * (_TRIES - left))
        raise AssertionError("not reached")

    def insert(self, table: Table) -> Any:
        """An INSERT that knows ``on_conflict_do_nothing`` and ``on_conflict_do_update``."""
        return postgresql.insert(table) if self.is_postgres else sqlite.insert(table)

    def alone(self, connection: Connection, what: int) -> None:
        """Keep everybody else who asks for the same number out until this transaction ends."""
        if self.is_postgres:  # on SQLite a writer is alone anyhow
            connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": what})

    def settle(self, *, rewrite: bool = False) -> bool:
        """Have what was deleted leave the files as well; False when others read just now.

        ``rewrite`` writes the file anew, so that not even copies inside its pages stay. PostgreSQL has a
        time of its own for all this (autovacuum).
        """
        if self.is_postgres:
            return True
        with self._errors(), self.engine().connect() as connection:
            return settle(connection, rewrite=rewrite)

    def ping(self) -> None:
        """Raise Unavailable when the database does not answer."""
        with self.reading() as connection:
            connection.exec_driver_sql("SELECT 1")

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            if self._engine is not None:
                self._engine.dispose()
                self._engine = self._reading = None

    def engine(self) -> Engine:
        """SQLAlchemy's engine, for migrations."""
        with self._lock:
            if self._engine is None:
                self._engine = self._open()
            return self._engine

    def _reader(self) -> Engine:
        engine = self.engine()
        if not self.is_postgres:
            return engine
        with self._lock:  # put together once: that takes half as long as asking something
            if self._reading is None or self._reading[0] is not engine:
                # Nothing to begin and to end: one way to the database and back is enough.
                self._reading = (engine, engine.execution_options(isolation_level="AUTOCOMMIT"))
            return self._reading[1]

    def _open(self) -> Engine:
        if self.is_postgres:
            address = self._address.set(drivername="postgresql+psycopg")
            try:
                engine = create_engine(
                    address, pool_size=_POOL, max_overflow=_MORE, connect_args=_REACHING,
                    hide_parameters=True,
                    # Whatever the server's default: who waited for a lock must see what the other one wrote.
                    isolation_level="READ COMMITTED",
                )  # fmt: skip
            except ModuleNotFoundError as error:
                raise Unavailable(
                    "The database is PostgreSQL, and its driver is not installed.",
                    hint="Install it: pip install 'autodub[postgres]'",
                ) from error
            _ping_idle(engine)
            return engine
        if self._address.get_backend_name() != "sqlite":
            raise DatabaseAway(
                f"{self.name} is neither SQLite nor PostgreSQL.",
                hint="It looks like postgresql://user:password@host/name.",
            )
        if self._address.database:
            place = Path(self._address.database)
            private.folder(place.parent)
            with suppress(OSError):  # what is wrong with it SQLite says better
                private.file(place)
        engine = create_engine(self._address, pool_size=_POOL, max_overflow=_MORE, hide_parameters=True)
        event.listen(engine, "connect", _configure)
        return engine

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except PoolTimeout as error:
            raise Unavailable(
                "Too many things are done with the database at once.", hint="Try again in a moment."
            ) from error
        except DataError as error:
            raise BadOption(
                "A text is too long, or has characters that the database cannot keep.",
                hint="Make it shorter, and leave out control characters.",
            ) from error
        except (OperationalError, InterfaceError) as error:
            raise DatabaseAway(
                f"The database {self.name} cannot be used ({_first_line(error)}).",
                hint="Check that it runs, that it may be reached and written, and that its disk has room.",
            ) from error
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) in _AGAIN or error.connection_invalidated:
                raise Unavailable("The database asked to begin anew.") from error
            if getattr(error.orig, "sqlstate", None) in _OTHERS:
                raise DatabaseAway(
                    f"The database {self.name} has other tables ({_first_line(error)}).",
                    hint="Has a newer release changed them? Update Autodub here as well.",
                ) from error
            raise


def _ping_idle(engine: Engine) -> None:
    """Ask connections that may have been cut whether they still stand; all are opened anew if one does not.

    SQLAlchemy's own ping is sent before every use, and doubles what a database is asked. Here only those are
    asked that lay idle, and those on which the other side said something unasked: that it goes, for one.
    """

    def returned(_connection: object, record: Any) -> None:
        record.info["since"] = time.monotonic()

    def taken(connection: Any, record: Any, _proxy: object) -> None:
        since = record.info.get("since")
        if since is None:
            return
        try:
            if time.monotonic() - since >= _IDLE or _speaks(connection.fileno()):
                engine.dialect.do_ping(connection)
        except Exception as problem:  # whatever it is: this connection is no good
            raise InvalidatePoolError(str(problem)) from problem

    event.listen(engine, "checkin", returned)
    event.listen(engine, "checkout", taken)


def _speaks(socket: int) -> bool:
    """Whether something came in that nobody asked for, the end of the connection included."""
    look = select_module.poll()
    look.register(socket, select_module.POLLIN)
    return bool(look.poll(0))


def those(connection: Connection, column: Column[str], wanted: Iterable[str]) -> set[str]:
    """Those of some texts that a column has, however many: databases bound what one statement may name."""
    known: set[str] = set()
    left = iter(wanted)
    while some := list(islice(left, _TOGETHER)):
        known.update(connection.execute(select(column).where(column.in_(some))).scalars())
    return known


def _configure(connection: Any, record: object) -> None:
    configure(connection, record)
    connection.execute("PRAGMA foreign_keys = ON")


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).strip().partition("\n")[0]
