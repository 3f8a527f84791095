"""Bringing the platform's database to the tables of this release, and knowing whether it may be used.

A migration that sets ``additive = True`` only adds what older releases need not know of; they go on beside
the release that made it. The database says which revision a release must know to use it (``compatibility``).
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, delete, insert, select

from autodub.infra.sql import Sql
from autodub.jobs.giving_way import giving_way
from autodub.jobs.tables import compatibility, metadata
from autodub.model.errors import Unavailable

Standing = Literal["current", "newer", "behind", "excluded"]
"""How a database stands to this release: it has just its tables; more of a newer one, which do not matter;
fewer, so that it is to be migrated; others of a newer one, so that this release must leave it alone."""
VERSIONS: tuple[Path, ...] = (Path(__file__).with_name("migrations") / "versions",)
"""Folders of migrations."""
_LOCK = 4_201
"""Number of the advisory lock under which one process migrates and the others wait."""


class Excluded(Unavailable):
    """A newer release has changed the database in a way that this one does not know."""


def upgrade(sql: Sql) -> None:
    """Run the migrations that are missing. One of a newer release is left as it is, where that is allowed.

    Safe for many processes at once, and beside those that use the database: on PostgreSQL none waits long
    behind a migration that waits for a table. Raises Excluded, TablesInUse, Unavailable.
    """
    begun = time.monotonic()
    with sql.reading() as connection:
        if _standing(connection) in ("current", "newer"):
            return
    with sql.writing() as connection:
        sql.alone(connection, _LOCK)
        standing = _standing(connection)
        if standing == "excluded":
            raise Excluded(
                f"The database {sql.name} was made by a newer Autodub (revision {_current(connection)}).",
                hint="Update Autodub, or set another database.",
            )
        if standing != "behind":
            return
        if not sql.is_postgres:
            _migrate(connection)
            return
        # Our turn (``alone``) stays ours meanwhile: of many processes one asks for the tables.
        what = f"The database {sql.name} could not be brought to revision {newest()}"
        giving_way(connection, lambda: _migrate(connection), begun=begun, what=what)


def _migrate(connection: Connection) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    connection.execute(delete(compatibility))
    connection.execute(insert(compatibility).values(lowest=_lowest()))


def differences(sql: Sql) -> list[object]:
    """What the database has otherwise than ``tables``: nothing, once it is upgraded."""
    with sql.reading() as connection:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))


def revision(sql: Sql) -> str | None:
    """The revision a database has; None when it is empty."""
    with sql.reading() as connection:
        return _current(connection)


def standing(sql: Sql) -> Standing:
    """How a database stands to this release. Raises Unavailable."""
    with sql.reading() as connection:
        return _standing(connection)


def is_current(sql: Sql) -> bool:
    """Whether a database has just the tables of this release. Raises Unavailable."""
    return standing(sql) == "current"


def is_usable(sql: Sql) -> bool:
    """Whether this release may work with the database as it is. Raises Unavailable."""
    return standing(sql) in ("current", "newer")


def is_gentle(sql: Sql) -> bool:
    """Whether a database that is behind would be brought to this release by additions alone."""
    with sql.reading() as connection:
        found, known = _current(connection), list(_chain(VERSIONS))
    return found in known and known.index(_lowest()) <= known.index(found)


def is_open(connection: Connection) -> bool:
    """Whether a database that this release opened before may still be used: in one short question."""
    return connection.execute(select(compatibility.c.lowest)).scalar() in _chain(VERSIONS)


def _standing(connection: Connection) -> Standing:
    found, known = _current(connection), _chain(VERSIONS)
    if found == newest():
        return "current"
    if found is None or found in known:
        return "behind"
    return "newer" if is_open(connection) else "excluded"


def newest() -> str:
    """The revision of this release."""
    return list(_chain(VERSIONS))[-1]


def _lowest() -> str:
    """The revision that a release must know to use the tables of this one."""
    return [name for name, is_additive in _chain(VERSIONS).items() if not is_additive][-1]


@functools.cache
def _chain(_folders: tuple[Path, ...]) -> Mapping[str, bool]:
    """Revision -> whether its migration is additive; from the first to the newest."""
    scripts = reversed(list(ScriptDirectory.from_config(_config()).walk_revisions()))
    return {script.revision: bool(getattr(script.module, "additive", False)) for script in scripts}


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", _told(Path(__file__).with_name("migrations")))
    config.set_main_option("path_separator", "os")
    config.set_main_option("version_locations", os.pathsep.join(map(_told, VERSIONS)))
    return config


def _told(folder: Path) -> str:
    return str(folder).replace("%", "%%")


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()
