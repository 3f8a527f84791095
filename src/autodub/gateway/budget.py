"""A job's budget: money is set aside before a paid call goes out, and replaced by what it really cost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from autodub.dubbing.cost import money
from autodub.dubbing.prices import PriceTable
from autodub.gateway.attempt import Call
from autodub.model.errors import BudgetExceeded

_GLANCE = 0.1  # seconds between looks at a request to stop


class Told(Protocol):
    """Hears what is spent, and when a call did not fit any more."""

    def __call__(self, spent: Decimal, cap: Decimal, *, is_all: bool) -> None: ...


def _silent(spent: Decimal, cap: Decimal, *, is_all: bool) -> None:
    """Nobody is told."""


@dataclass(frozen=True, slots=True)
class Reserve:
    """Money set aside for one attempt, US dollars."""

    dollars: Decimal = Decimal(0)
    quoted: Decimal = Decimal(0)
    """What the engine said it would cost; more is set aside where its calls have cost more than it said."""


class Budget:
    """The money one job may spend, US dollars. Safe for many threads.

    A call that would not fit is refused before it goes out, and every paid call after it as well: what
    is spent buys whole lines, not whichever happen to be short. Where only money set aside for calls
    under way stands against a call, it waits for what those turn out to cost. An engine that consumes
    more than it said is expected to do so again, so that the cap is exceeded by one call at most.
    """

    def __init__(
        self,
        cap: Decimal,
        prices: PriceTable,
        *,
        told: Told | None = None,
    ) -> None:
        self.cap = cap
        self._prices = prices
        self._told = told or _silent
        self._changed = threading.Condition()
        self._spent = Decimal(0)
        self._reserved = Decimal(0)
        self._excess: dict[str, Decimal] = {}  # engine -> most times its quote that a call has cost
        self._refusal: BudgetExceeded | None = None

    @property
    def spent(self) -> Decimal:
        """US dollars, for calls that were answered."""
        with self._changed:
            return self._spent

    def reserve(self, call: Call, quote: Mapping[str, float] | None, *, check: Callable[[], None]) -> Reserve:
        """Set aside what an attempt will cost; ``quote`` is None for an engine that cannot say.

        ``check`` is called while waiting and may raise. Raises BudgetExceeded.
        """
        cost = None if quote is None else self._prices.cost(call.name, call.model, quote)
        if cost is None:
            raise self._unpriced(call)
        if not cost:
            return Reserve()
        while (found := self._try(call, cost)) is None:
            check()
        return found

    def _try(self, call: Call, cost: Decimal) -> Reserve | None:
        """Money for a call that costs so much by its engine's word; None after waiting for others in vain."""
        with self._changed:
            if self._refusal is not None:
                raise BudgetExceeded(self._refusal.message, hint=self._refusal.hint)
            likely = cost * self._excess.get(call.name, Decimal(1))
            if self._spent + self._reserved + likely <= self.cap:
                self._reserved += likely
                return Reserve(likely, cost)
            if self._reserved and self._spent + likely <= self.cap:
                self._changed.wait(_GLANCE)
                return None
            refusal = self._refusal = self._exceeded(call, likely)
            spent = self._spent
            self._changed.notify_all()
        self._told(spent, self.cap, is_all=True)
        raise refusal

    def settle(self, call: Call, reserve: Reserve, usage: Mapping[str, float] | None) -> Decimal:
        """Replace what was set aside by what was metered, None = nothing; returns what the attempt cost."""
        cost = self._prices.cost(call.name, call.model, usage or {}) or Decimal(0)
        with self._changed:
            self._reserved -= reserve.dollars
            self._spent += cost
            if reserve.quoted:
                # Against the engine's own word: calls side by side must not add up what each has shown.
                known = self._excess.get(call.name, Decimal(1))
                self._excess[call.name] = max(known, cost / reserve.quoted)
            spent = self._spent
            self._changed.notify_all()
        if cost:
            self._told(spent, self.cap, is_all=False)
        return cost

    def _exceeded(self, call: Call, cost: Decimal) -> BudgetExceeded:
        return BudgetExceeded(
            f"The next call of {call.name} would cost {money(cost)}, and {money(self._spent)} of "
            f"{money(self.cap)} is spent.",
            hint="Run the same command again with a higher --budget: finished work is kept and not paid "
            "for twice.",
        )

    @staticmethod
    def _unpriced(call: Call) -> BudgetExceeded:
        model = f" with {call.model}" if call.model else ""
        return BudgetExceeded(
            f"What {call.name}{model} costs is not known, so that no budget can be kept.",
            hint="Name its price in a table of your own (setting `prices`), or leave --budget out.",
        )
