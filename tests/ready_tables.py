"""A platform's SQLite database as it is when all migrations have run: made once for a process of tests."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

from autodub.infra import private
from autodub.infra.sql import Sql
from autodub.jobs import schema

_NAME = "platform.sqlite"


def lay(data_dir: Path) -> None:
    """Have a data directory begin with all tables and nothing in them; one that has a database keeps that."""
    path = data_dir / _NAME
    if not path.exists():
        private.folder(data_dir)
        private.file(path)
        path.write_bytes(_migrated(schema.VERSIONS))


@functools.cache
def _migrated(_of: tuple[Path, ...]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        sql = Sql.in_folder(Path(folder))
        schema.upgrade(sql)
        sql.close()
        return (Path(folder) / _NAME).read_bytes()
