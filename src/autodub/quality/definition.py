"""What a figure means and how good it should be, in words and numbers that go into the receipt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Sense = Literal["at least", "at most", ""]
Standing = Literal["lead", "floor", "below", "undefined", "reported"]
AT_LEAST: Sense = "at least"
AT_MOST: Sense = "at most"


@dataclass(frozen=True, slots=True)
class Definition:
    """Name, meaning and target of one figure."""

    id: str
    name: str
    text: str
    sense: Sense = ""
    """Which side is good; empty = reported only."""
    floor: float | None = None
    """What a dub must reach to be shipped; None = a shortfall is reported, not judged."""
    lead: float | None = None
    """What a good dub reaches."""

    def standing(self, value: float | None) -> Standing:
        """Where a value stands against floor and lead."""
        if not self.sense:
            return "reported"
        if value is None:
            return "undefined"
        if self.lead is not None and self._meets(value, self.lead):
            return "lead"
        if self.floor is None:
            return "reported"
        return "floor" if self._meets(value, self.floor) else "below"

    def _meets(self, value: float, bound: float) -> bool:
        return value >= bound - 1e-9 if self.sense == "at least" else value <= bound + 1e-9
