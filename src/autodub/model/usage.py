"""What engine calls consumed."""

from __future__ import annotations

from dataclasses import dataclass


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
