"""Bringing the platform's database to the tables of this release."""

from __future__ import annotations

import functools
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from autodub.infra.sql import Sql
from autodub.jobs.tables import metadata
from autodub.model.errors import Unavailable

_FOLDER = Path(__file__).with_name("migrations")
_LOCK = 4_201
"""Number of the advisory lock under which one process migrates and the others wait."""


def upgrade(sql: Sql) -> None:
    """Run the migrations that are missing; a database of a later release is refused.

    Safe for many processes at once. Raises Unavailable.
    """
    with sql.reading() as connection:
        if _current(connection) == _newest():
            return
    with sql.writing() as connection:
        sql.alone(connection, _LOCK)
        found = _current(connection)
        if found is not None and found not in _known():
            raise Unavailable(
                f"The database {sql.name} was made by a newer Autodub (revision {found}).",
                hint="Update Autodub, or set another database.",
            )
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def differences(sql: Sql) -> list[object]:
    """What the database has otherwise than ``tables``: nothing, once it is upgraded."""
    with sql.reading() as connection:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))


def revision(sql: Sql) -> str | None:
    """The revision a database has; None when it is empty."""
    with sql.reading() as connection:
        return _current(connection)


def is_current(sql: Sql) -> bool:
    """Whether the database has the tables of this release. Raises Unavailable."""
    return revision(sql) == _newest()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    return config


def _known() -> set[str]:
    return {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}


@functools.cache
def _newest() -> str | None:
    return ScriptDirectory.from_config(_config()).get_current_head()


def _current(connection: object) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()  # type: ignore[arg-type]
