"""The audit: who did what to what, from where. Rows are only ever added, each covering the one before it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, insert, select

from autodub.infra.sql import Sql
from autodub.jobs.records import Actor
from autodub.jobs.tables import audit

_LOCK = 4_202
_FIRST = "0" * 64


def record(
    sql: Sql, connection: Connection, actor: Actor, action: str, subject: str, *, at: float,
    data: Mapping[str, Any] | None = None,
) -> None:  # fmt: skip
    """Add a row to the chain, in the transaction of what it tells of.

    ``action`` is a word such as ``job.submitted``; ``data`` holds no words of a dub and no secret.
    """
    sql.alone(connection, _LOCK)
    last = connection.execute(
        select(audit.c.number, audit.c.digest).order_by(audit.c.number.desc()).limit(1)
    ).one_or_none()
    number, previous = (last.number + 1, last.digest) if last else (1, _FIRST)
    row = {
        "number": number, "at": at, "actor": actor.id, "action": action, "subject": subject,
        "address": actor.address, "data": json.dumps(data or {}, sort_keys=True, ensure_ascii=False),
        "previous": previous,
    }  # fmt: skip
    connection.execute(insert(audit).values(**row, digest=digest(row)))


def digest(row: Mapping[str, Any]) -> str:
    """sha256 of everything in a row, the digest of the one before it included."""
    names = ("number", "at", "actor", "action", "subject", "address", "data", "previous")
    told = json.dumps([row[name] for name in names], ensure_ascii=False)
    return sha256(told.encode()).hexdigest()
