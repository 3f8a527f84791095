"""What of a dub's events is written down: everything that matters whole, what comes by the thousand in sums.

A long dub makes thousands of calls. Of each kind of call the first ones are told one by one; later ones are
summed up, each sum a fixed share of all before it, so that the number of rows grows with the logarithm of
the number of calls. Progress is told once per percent of a stage.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from autodub.model.job import Event

_SINGLE = 50
"""Calls of a kind that are told one by one."""
_SHARE = 20
"""A sum is told once it has one twentieth of what was told before."""
_COUNTED = frozenset(
    {
        "call.finished",
        "call.retried",
        "call.failed",
        "call.charged",
        "gate.narrowed",
        "gate.widened",
        "budget.spent",
    }
)
_ADDED = ("seconds", "dollars", "pause")
"""Data that is added up; of everything else the last stands for all."""
_SILENT = frozenset({"call.started", "job.finished"})
"""Said by the pipeline and of no use here: a call is told when it is over, and the end by the worker."""
_GROUP = ("role", "engine", "verb", "kept", "code")


@dataclass(slots=True)
class _Sum:
    told: int = 0
    waiting: int = 0
    event: Event | None = None

    def add(self, event: Event) -> None:
        before = self.event
        self.waiting += 1
        self.event = event
        if before is not None:
            data = dict(event.data) | {"count": self.waiting}
            for name in _ADDED:
                if name in event.data or name in before.data:
                    data[name] = _number(before, name) + _number(event, name)
            self.event = replace(event, data=data)

    def is_due(self) -> bool:
        return self.told < _SINGLE or self.waiting * _SHARE >= self.told

    def take(self) -> list[Event]:
        found = [] if self.event is None else [self.event]
        self.told, self.waiting, self.event = self.told + self.waiting, 0, None
        return found


class Condenser:
    """The events of one attempt."""

    def __init__(self) -> None:
        self._sums: dict[tuple[object, ...], _Sum] = {}
        self._percent: dict[str, int] = {}

    def take(self, event: Event) -> list[Event]:
        """Take an event; what is to be written down now."""
        if event.kind in _SILENT:
            return []
        if event.kind == "stage.progress":
            percent = int((event.fraction or 0.0) * 100)
            if percent <= self._percent.get(event.stage, 0):
                return []
            self._percent[event.stage] = percent
            return [event]
        if event.kind in _COUNTED:
            group = (event.kind, event.stage, *(event.data.get(name) for name in _GROUP))
            found = self._sums.setdefault(group, _Sum())
            found.add(event)
            return found.take() if found.is_due() else []
        if event.kind == "stage.started":  # perhaps once more, with another engine
            self._percent.pop(event.stage, None)
        if event.kind == "stage.finished":
            return [*self._rest(event.stage), event]
        return [event]

    def rest(self) -> list[Event]:
        """Sums that nobody was told of yet."""
        return self._rest(None)

    def _rest(self, stage: str | None) -> list[Event]:
        return [
            one
            for group, found in self._sums.items()
            if stage is None or group[1] == stage
            for one in found.take()
        ]


def _number(event: Event, name: str) -> float:
    return float(event.data.get(name) or 0)
