"""What each engine did for a job, by its events: kept with the account, and added up over a month."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, func, select

from autodub.jobs.tables import events, usage

_CALLS = ("call.finished", "call.charged")
_OWN = "studio"
"""The role of what the product does itself: no engine that anybody chose."""


@dataclass(slots=True)
class EngineUse:
    """What one engine did."""

    engine: str
    """``role.name``"""
    made: int = 0
    """Calls that it answered."""
    kept: int = 0
    """Calls answered from earlier work: they cost nothing."""
    dollars: Decimal = Decimal(0)
    units: dict[str, float] = field(default_factory=dict)
    """What was consumed, where it was counted: ``characters``, ``seconds`` ..."""


class Uses:
    """What engines did, added up."""

    def __init__(self) -> None:
        self._all: dict[str, EngineUse] = {}

    def of(self, engine: str) -> EngineUse:
        """What one of them did so far, to be added to."""
        return self._all.setdefault(engine, EngineUse(engine))

    def add(self, text: str) -> None:
        """Add what a row of the account keeps."""
        for one in json.loads(text):
            use = self.of(str(one["engine"]))
            use.made += int(one["made"])
            use.kept += int(one["kept"])
            use.dollars += Decimal(one["dollars"])
            for unit, amount in one["units"].items():
                use.units[unit] = use.units.get(unit, 0.0) + float(amount)

    def call(self, data: Mapping[str, Any], *, is_answer: bool) -> None:
        """Add a call, or a sum of calls, as an event tells it; else the price of attempts that failed."""
        role = str(data.get("role", ""))
        if role == _OWN:
            return
        use = self.of(f"{role}.{data.get('engine', '')}")
        use.dollars += Decimal(str(data.get("dollars") or 0))
        if is_answer:
            count = int(data.get("count") or 1)
            use.kept += count if data.get("kept") else 0
            use.made += 0 if data.get("kept") else count

    def costs(self, costs: Iterable[Mapping[str, Any]]) -> None:
        """Add the amounts that a receipt tells."""
        for one in costs:
            if one["amount"] > 0:
                units = self.of(str(one["engine"])).units
                units[one["unit"]] = units.get(one["unit"], 0.0) + float(one["amount"])

    def text(self) -> str:
        """As a row of the account keeps it."""
        return json.dumps(
            [
                {"engine": one.engine, "made": one.made, "kept": one.kept, "dollars": str(one.dollars),
                 "units": one.units}
                for one in self._all.values()
            ]
        )  # fmt: skip

    def ordered(self) -> tuple[EngineUse, ...]:
        """The dearest first."""
        return tuple(sorted(self._all.values(), key=lambda one: (-one.dollars, -one.made, one.engine)))


def since(connection: Connection, job: str, costs: Iterable[Mapping[str, Any]] = ()) -> tuple[str, int]:
    """What engines did for a job that no row of the account has, and the number of the last event looked at.

    Calls of attempts that died with their worker are among the events, too. ``costs`` as the receipt of
    what was just made has them.
    """
    counted = select(func.max(usage.c.told)).where(usage.c.job == job)
    last = int(connection.execute(counted).scalar() or 0)
    fresh = (
        select(events.c.number, events.c.kind, events.c.data)
        .where(events.c.job == job, events.c.number > last, events.c.kind.in_(_CALLS))
        .order_by(events.c.number)
    )
    uses = Uses()
    for number, kind, data in connection.execute(fresh):
        uses.call(json.loads(data), is_answer=kind == "call.finished")
        last = number
    uses.costs(costs)
    return uses.text(), last
