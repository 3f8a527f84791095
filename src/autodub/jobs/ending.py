"""What becomes of a job's row when nobody works on it any more, and of what it has consumed."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, case, func, insert, select

from autodub.infra.server_settings import ServerSettings
from autodub.jobs import engine_use
from autodub.jobs.records import Failure, State
from autodub.jobs.tables import jobs, usage

DAY = 86_400.0
"""Seconds."""


def over(spec: Mapping[str, Any], settings: ServerSettings, state: State, *, at: float) -> dict[str, Any]:
    """The columns that say that a job is over; ``spec`` as its row keeps it.

    The wish that it be deleted outlives every other end: erasing is done by whoever comes next.
    """
    return {
        "state": state, "holder": None, "lease": None, "finished": at, "crashes": 0,
        "expires": expiry(spec, settings, at=at),
        "stopping": case((jobs.c.stopping == "delete", "delete"), else_=""),
    }  # fmt: skip


def expiry(spec: Mapping[str, Any], settings: ServerSettings, *, at: float) -> float | None:
    """When retention removes a job that is over since ``at``; None: never."""
    wished = spec.get("retention_days")
    days = settings.retention if wished is None else float(wished)
    return at + days * DAY if days else None


def failure_text(why: Failure) -> str:
    """As the row keeps it."""
    return json.dumps({"code": why.code, "message": why.message, "hint": why.hint}, ensure_ascii=False)


def count(
    connection: Connection, job: str, owner: str, *, at: float, seconds: float = 0.0, compute: float = 0.0,
    costs: Iterable[Mapping[str, Any]] = (),
) -> None:  # fmt: skip
    """Put what a job consumed, and nobody has counted yet, on its owner's account; wherever it ends.

    Money of attempts that died with their worker is counted by the next one, or by who ends the job instead.
    A programme that is made again after an edit uses up its minutes once. ``costs`` are a receipt's.
    """
    spent = connection.execute(select(jobs.c.spent).where(jobs.c.id == job)).scalar_one()
    counted = select(func.sum(usage.c.dollars), func.max(usage.c.seconds)).where(usage.c.job == job)
    dollars, most = connection.execute(counted).one()
    fresh = Decimal(spent) - Decimal(dollars or 0)
    if not (fresh or seconds or compute):
        return
    engines, told = engine_use.since(connection, job, costs)
    connection.execute(
        insert(usage).values(
            id=secrets.token_hex(16), owner=owner, job=job, at=at, seconds=0.0 if most else seconds,
            dollars=fresh, compute=compute, engines=engines, told=told,
        )
    )  # fmt: skip
