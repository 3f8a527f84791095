"""What engine calls consumed."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Usage:
    """Consumption of one engine call, as metered from the reply."""

    engine: str
    verb: str
    unit: str
    """``characters``, ``seconds``, ``tokens_in``, ``tokens_out`` ..."""
    amount: float
    cached: bool = False
    """True when the answer was kept from an earlier run: it cost nothing now."""


@dataclass(frozen=True, slots=True)
class Price:
    """What a unit of an engine's work costs."""

    engine: str
    """``role.name``"""
    model: str
    """The engine's model; empty = any."""
    unit: str
    """As metered: ``characters``, ``seconds``, ``tokens_in`` ..."""
    dollars: Decimal
    """US dollars per ``per`` units."""
    per: int = 1


@dataclass(frozen=True, slots=True)
class Charge:
    """One item of a bill or an estimate."""

    engine: str
    verb: str
    unit: str
    amount: float
    dollars: Decimal | None
    """None when no price is known; 0 for what was kept from an earlier run."""
    cached: bool = False


@dataclass(frozen=True, slots=True)
class Bill:
    """What a dub costs, item by item."""

    charges: tuple[Charge, ...]
    dated: str
    """Date of the price table, ISO 8601."""
    unpriced: tuple[str, ...] = ()
    """Paid engines whose price nobody knows."""

    @property
    def total(self) -> Decimal:
        """US dollars, unpriced items left out."""
        return sum((charge.dollars for charge in self.charges if charge.dollars is not None), Decimal(0))
