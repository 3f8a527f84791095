"""Whether a dub can be had for the money its user allows, where an estimate of it was made before."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, select

from autodub.jobs.records import Actor
from autodub.jobs.spec import JobSpec
from autodub.jobs.tables import jobs
from autodub.model.errors import BudgetExceeded, RequestError

_NO_MATTER = frozenset({"budget", "priority", "title", "retention_days", "consent", "consent_id"})
"""Fields that do not change what a dub costs."""
_RECENT = 100
"""Jobs among which the same wish is looked for."""


class TooLittle(RequestError):
    """The dub would cost more than it may."""

    code = BudgetExceeded.code


def check(connection: Connection, actor: Actor, spec: JobSpec) -> None:
    """Raise TooLittle when the user's own estimate of this dub is above its budget even at its lowest.

    Not once a dub of the same source was begun: what is kept of that one costs nothing again.
    """
    if spec.budget is None:
        return
    wish = _wish(spec.model_dump(mode="json", exclude_defaults=True))
    same = jobs.c.spec.contains(json.dumps(spec.upload or spec.source), autoescape=True)
    recent = (
        select(jobs.c.kind, jobs.c.attempt, jobs.c.spec, jobs.c.result)
        .where(jobs.c.owner == actor.id, same)
        .order_by(jobs.c.created.desc())
        .limit(_RECENT)
    )
    rows = connection.execute(recent).all()
    if any(row.kind == "dub" and row.attempt > 0 for row in rows):
        return
    for row in rows:
        if row.kind == "estimate" and row.result and _wish(json.loads(row.spec)) == wish:
            dollars = json.loads(row.result).get("estimate", {}).get("dollars")
            if dollars is not None and Decimal(str(dollars["low"])) > spec.budget:
                raise TooLittle(
                    f"This dub would cost at least ${dollars['low']:.2f}, and ${spec.budget:.2f} is allowed.",
                    hint="Raise `budget`, dub a part with `start` and `end`, or choose engines that cost "
                    "nothing.",
                )
            return


def _wish(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in spec.items() if name not in _NO_MATTER}
