"""What a worker notes of a job for whoever answers requests: small texts, in the job's folder.

Where many machines share a store they do not share folders: there the texts lie in the database as well, and
are read from it alone.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection, delete, select

from autodub.infra.sql import Sql
from autodub.jobs.tables import notes

PARTS, OFFERS, SOURCE, GLOSSARY = "stems.json", "offers.json", "source.json", "glossary.csv"
_NAMES = (PARTS, OFFERS, SOURCE, GLOSSARY)


class Notes:
    """The notes of one platform's jobs."""

    def __init__(self, sql: Sql, folder: Callable[[str], Path], *, is_shared: bool) -> None:
        """``folder`` gives a job's own folder on this machine."""
        self._sql, self._folder, self._is_shared = sql, folder, is_shared

    def publish(self, job: str) -> None:
        """Have every machine know what this one has in the job's folder. Raises Unavailable."""
        if not self._is_shared:
            return
        found = {name: _text(self._folder(job) / name) for name in _NAMES}
        rows = [{"job": job, "name": name, "text": text} for name, text in found.items() if text is not None]

        def work(connection: Connection) -> None:
            connection.execute(delete(notes).where(notes.c.job == job))
            if rows:
                connection.execute(notes.insert(), rows)

        self._sql.again(work)

    def read(self, job: str, name: str) -> str | None:
        """A note; None where there is none. Raises Unavailable."""
        if not self._is_shared:
            return _text(self._folder(job) / name)
        wanted = select(notes.c.text).where(notes.c.job == job, notes.c.name == name)
        with self._sql.reading() as connection:
            return connection.execute(wanted).scalar()


def _text(path: Path) -> str | None:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        return None
