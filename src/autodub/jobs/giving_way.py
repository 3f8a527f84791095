"""Changing tables of a PostgreSQL that others use: what waits for a lock gives way again and again.

Whoever waits for a table's lock has everybody who comes later wait behind him, readers included. A change
therefore waits for moments only, lets go of all it has, and tries again later, until its patience is over.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from autodub.model.errors import Unavailable

WAIT = 1.0
"""Seconds that one statement waits for a lock."""
PATIENCE = 90.0
"""Seconds after which nothing is begun anew."""
_PAUSES = (0.5, 10.0)
"""Seconds between two tries: the shortest pause, which is doubled each time, and the longest."""
_LOCKED = ("55P03", "40P01")
"""What PostgreSQL says of a lock that was not to be had: in time, or without a deadlock."""


class TablesInUse(Unavailable):
    """Other sessions kept the tables that are to be changed."""


def giving_way(
    connection: Connection, work: Callable[[], None], *, begun: float, what: str,
    clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep,
) -> None:  # fmt: skip
    """Do ``work`` in the transaction of a PostgreSQL connection, anew while it is refused a lock.

    Between two tries nothing is locked but what the transaction had before. ``begun`` is when the waiting
    began, by the ``clock``; there is one try at least. ``what`` begins the sentence of the TablesInUse that
    is raised in the end.
    """
    connection.execute(text(f"SET LOCAL lock_timeout = {round(WAIT * 1000)}"))
    pause, longest = _PAUSES
    while True:
        try:
            with connection.begin_nested():
                work()
        except DBAPIError as problem:
            if getattr(problem.orig, "sqlstate", None) not in _LOCKED:
                raise
            waited = clock() - begun
            if waited >= PATIENCE:
                raise _in_use(connection, what, waited) from problem
        else:
            return
        sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - so that many do not come at the same instant
        pause = min(2 * pause, longest)


def _in_use(connection: Connection, what: str, waited: float) -> TablesInUse:
    """Names the session whose transaction is the oldest: the one that is in the way, most of the time."""
    oldest = connection.execute(
        text(
            "SELECT pid, coalesce(nullif(application_name, ''), usename::text) AS who,"
            " extract(epoch FROM clock_timestamp() - xact_start) AS seconds FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL"
            " AND backend_type = 'client backend' ORDER BY xact_start LIMIT 1"
        )
    ).one_or_none()
    why = "Other sessions keep its tables in use"
    hint = "Stop what has long transactions in it, such as a backup, and start again."
    if oldest is not None:
        session = f"session {oldest.pid} ({oldest.who})"
        why += f": {session} has had a transaction open for {oldest.seconds:.0f} s"
        hint = f"Wait for it, or end it (SELECT pg_terminate_backend({oldest.pid})), and start again."
    return TablesInUse(f"{what} within {waited:.0f} s. {why}. Nothing was changed.", hint=hint)
