"""What one call pays, attempt by attempt: also those that failed after the provider had counted them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Self

from autodub.gateway.attempt import Call
from autodub.gateway.budget import Budget, Reserve
from autodub.gateway.door import Tries
from autodub.gateway.meter import Meter


class Purchase:
    """The money of one call, as a context: set aside before each attempt, counted when it is over.

    ``budget`` is None for calls without a cap. ``again`` goes before every attempt: where the one before
    was charged for, the next needs money of its own. ``told`` hears what attempts were charged for that
    failed.
    """

    def __init__(
        self,
        call: Call,
        tries: Tries,
        *,
        budget: Budget | None,
        meter: Meter,
        quote: Callable[[], Mapping[str, float] | None],
        check: Callable[[], None],
        told: Callable[[Mapping[str, float]], None],
    ) -> None:
        self._call = call
        self._tries = tries
        self._budget = budget
        self._meter = meter
        self._quote = quote
        self._check = check
        self._told = told
        self._reserve = Reserve()
        self._paid: dict[str, float] = {}

    def __enter__(self) -> Self:
        self._set_aside()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._count()

    def again(self) -> None:
        """Before an attempt. Raises BudgetExceeded when there is no money for it."""
        if self._tries.wasted:
            self._count()
            self._set_aside()

    def paid(self, usage: Iterable[tuple[str, float]]) -> None:
        """The answer was metered at this; whoever uses it counts it."""
        self._paid = dict(usage)

    def _set_aside(self) -> None:
        if self._budget is not None:
            self._reserve = self._budget.reserve(self._call, self._quote(), check=self._check)

    def _count(self) -> None:
        wasted = dict(self._tries.wasted)
        self._tries.wasted.clear()
        self._meter.consume(self._call.name, self._call.verb, wasted.items(), cached=False)
        if wasted:
            self._told(dict(wasted))
        reserve, self._reserve = self._reserve, Reserve()
        if self._budget is not None:
            for unit, amount in self._paid.items():
                wasted[unit] = wasted.get(unit, 0.0) + amount
            self._budget.settle(self._call, reserve, wasted)
