"""What becomes of a job's row when nobody works on it any more."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import case

from autodub.infra.server_settings import ServerSettings
from autodub.jobs.records import Failure, State
from autodub.jobs.tables import jobs

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
