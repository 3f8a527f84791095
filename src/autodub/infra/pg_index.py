"""The index of a store that many machines share: the tables of ``database`` in PostgreSQL, and who is there.

Foreign keys hold what one machine's order of steps does: no answer and no pin without the entry of its file,
no hold, lock or half upload without its session.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Engine,
    Float,
    ForeignKey,
    MetaData,
    String,
    Table,
    Text,
    literal_column,
    text,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import IntegrityError

from autodub.infra import database
from autodub.infra.sql import DatabaseAway, Sql
from autodub.infra.storage import NotThere

SCHEMA = "autodub_store"
"""The schema all of it lies in, so that it may share a database with the platform."""
FORMAT = 2
"""Version of the tables of a shared store. Those of a later one are used where it says so (``LOWEST``).

1: what there is. 2: who may use it."""
LOWEST = 2
"""The earliest version whose releases may use these tables, as in ``database``."""
_MAKING = 0x6175746F_64756200  # the number of the lock under which tables are made
_NO_SUCH_ROW = "23503"  # PostgreSQL: a foreign key names what is not there
_metadata = MetaData()

sessions = Table(
    "sessions",
    _metadata,
    Column("id", String, primary_key=True),
    Column("home", String, nullable=False, index=True),  # its machine and data directory
    Column("begun", Float, nullable=False),
    Column("seen", Float, nullable=False, index=True),  # by the database's clock, epoch seconds
)
"""Users of the store that live: one row per open store."""

_OF_SESSION = "sessions.id"

holds = Table(
    "holds",
    _metadata,
    Column("session", ForeignKey(_OF_SESSION, ondelete="CASCADE"), primary_key=True),
    Column("line", String, primary_key=True, index=True),
)
"""What a session relies on and no record names."""

locks = Table(
    "locks",
    _metadata,
    Column("name", String, primary_key=True),
    Column("token", String, primary_key=True),
    Column("session", ForeignKey(_OF_SESSION, ondelete="CASCADE"), nullable=False, index=True),
    Column("shared", Boolean, nullable=False),
)
"""Locks that a session has."""

objects = Table(
    "objects",
    _metadata,
    Column("name", String, primary_key=True),  # digest and suffix
    Column("digest", String, nullable=False, index=True),
    Column("size", BigInteger, nullable=False),
    Column("place", String, nullable=False, unique=True),
    Column("whole", Boolean, nullable=False),  # False: it was found missing or damaged
)
"""Every file there is, with the place its bytes lie at."""

places = Table(
    "places",
    _metadata,
    Column("place", String, primary_key=True),
    Column("session", ForeignKey(_OF_SESSION, ondelete="SET NULL"), nullable=True, index=True),
)
"""Where bytes may lie that are no file: being written by a session, or to be removed (no session)."""

_about = Table("about", _metadata, Column("format", BigInteger, primary_key=True))
chores = Table("chores", _metadata, Column("name", Text, primary_key=True), Column("done", Float))
"""When something was last done that is done seldom, whoever does it."""

now: ColumnElement[float] = literal_column("extract(epoch from clock_timestamp())::double precision", Float)
"""The one clock of all machines."""

_EXTRAS = """
ALTER TABLE HERE.parts ADD FOREIGN KEY (name) REFERENCES HERE.objects (name);
ALTER TABLE HERE.pins ADD FOREIGN KEY (name) REFERENCES HERE.objects (name);
CREATE INDEX answers_cloned ON HERE.answers (verb) WHERE verb = 'clone';
CREATE INDEX answers_owned ON HERE.answers (unowned) WHERE NOT unowned;
CREATE INDEX places_due ON HERE.places (place) WHERE session IS NULL;
CREATE FUNCTION HERE.follow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'INSERT' THEN
    DELETE FROM HERE.parts WHERE key = OLD.key;
  END IF;
  IF TG_OP <> 'DELETE' THEN
    INSERT INTO HERE.parts (name, key)
      SELECT DISTINCT (part->>'digest') || (part->>'suffix'), NEW.key
      FROM json_array_elements(NEW.blobs::json) AS part;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER parts_follow AFTER INSERT OR DELETE OR UPDATE OF blobs ON HERE.answers
  FOR EACH ROW EXECUTE FUNCTION HERE.follow();
""".replace("HERE.", f"{SCHEMA}.")
_STEPS = {1: f"CREATE TABLE {SCHEMA}.compatibility (lowest BIGINT NOT NULL PRIMARY KEY)"}
"""Version -> what makes the next one of its tables."""


class PgIndex(Sql):
    """Connections to a shared index, opened on first use. Safe for many threads."""

    def __init__(self, address: str, folder: Path, home: str) -> None:
        """``home`` names this machine's data directory ``folder`` among all that share the index."""
        super().__init__(address)
        self.folder = folder
        self._home = home
        if not self.is_postgres:
            raise DatabaseAway(
                f"A store that is shared needs PostgreSQL, not {self.name}.",
                hint="store_database looks like postgresql://user:password@host/name.",
            )

    @staticmethod
    def insert(table: Table) -> Any:
        """An INSERT that knows ``on_conflict_do_nothing`` and ``on_conflict_do_update``."""
        return postgresql.insert(table)

    def alone(self, connection: Connection, what: int | str) -> None:
        """Keep everybody else who asks for the same out until this transaction ends."""
        if isinstance(what, int):
            super().alone(connection, what)
        else:
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"), {"key": what})

    def is_ours(self) -> bool:
        """Whether no newer release has changed the tables so that this one must leave them alone."""
        with self.reading() as connection:
            there = connection.execute(_about.select()).scalar_one()
            return database.may_use(connection, there, FORMAT)

    def place(self, path: Path) -> str:
        """A path of this machine, as the index names it."""
        return f"{self._home} {path}"

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            with super()._errors():
                yield
        except IntegrityError as error:
            if getattr(error.orig, "sqlstate", None) != _NO_SUCH_ROW:
                raise
            raise NotThere(
                "A file that this needs is gone from the store.", hint="Try again: it is made anew."
            ) from error

    def _open(self) -> Engine:
        engine = super()._open().execution_options(schema_translate_map={None: SCHEMA})
        with self._errors():
            try:
                self._prepare(engine)
            except BaseException:  # tidied up and raised on
                engine.dispose()
                raise
        return engine

    def _prepare(self, engine: Engine) -> None:
        """Make the tables once, or bring them to this release, whoever comes first.

        Those of a later release are refused where it does not let this one go on.
        """
        with engine.begin() as connection:
            super().alone(connection, _MAKING)
            found = connection.execute(
                text("SELECT to_regclass(:name)"), {"name": f"{SCHEMA}.about"}
            ).scalar()
            if found is None:
                connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
                database.metadata.create_all(connection)
                _metadata.create_all(connection)
                connection.exec_driver_sql(_EXTRAS)
                connection.execute(_about.insert().values(format=FORMAT))
                database.allow(connection, LOWEST)
                return
            there = connection.execute(_about.select()).scalar_one()
            if there < FORMAT:
                for number in range(there, FORMAT):
                    connection.exec_driver_sql(_STEPS[number])
                connection.execute(_about.update().values(format=FORMAT))
                database.allow(connection, LOWEST)
                return
            is_ours = database.may_use(connection, there, FORMAT)
        if not is_ours:
            raise DatabaseAway(
                f"The store in {self.name} was made by a newer Autodub (format {there}).",
                hint="Update Autodub, or choose another database.",
            )
