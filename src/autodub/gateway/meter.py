"""What a job's calls consumed: how often each engine was asked, for how long, and what it counted."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace

from autodub.model.usage import Usage


@dataclass(frozen=True, slots=True)
class CallCount:
    """The calls of one verb of one engine."""

    engine: str
    """``role.name``"""
    version: str
    verb: str
    asked: int = 0
    kept: int = 0
    """Answered from the store, or by the same call of another thread or process."""
    made: int = 0
    failed: int = 0
    retried: int = 0
    sent: int = 0
    """Attempts that reached the engine: the first of each call, and those after failures."""
    seconds: float = 0.0
    """Wall time in the engine now, failed attempts included; calls side by side add up."""
    cpu: float = 0.0
    """CPU time of the engine's calling threads: what it cost inside this process."""
    saved: float = 0.0
    """Wall time the kept answers took when they were made."""


class Meter:
    """Counts; safe for many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, str], CallCount] = {}
        self._usage: dict[tuple[str, str, str, bool], float] = {}
        self._models: dict[str, str] = {}

    def count(
        self,
        engine: str,
        version: str,
        verb: str,
        *,
        asked: int = 0,
        kept: int = 0,
        made: int = 0,
        failed: int = 0,
        retried: int = 0,
        sent: int = 0,
        seconds: float = 0.0,
        cpu: float = 0.0,
        saved: float = 0.0,
    ) -> None:
        """Add to the counts of a verb."""
        with self._lock:
            old = self._counts.get((engine, verb)) or CallCount(engine, version, verb)
            self._counts[engine, verb] = replace(
                old,
                asked=old.asked + asked,
                kept=old.kept + kept,
                made=old.made + made,
                failed=old.failed + failed,
                retried=old.retried + retried,
                sent=old.sent + sent,
                seconds=old.seconds + seconds,
                cpu=old.cpu + cpu,
                saved=old.saved + saved,
            )

    def consume(self, engine: str, verb: str, usage: Iterable[tuple[str, float]], *, cached: bool) -> None:
        """Add (unit, amount) pairs; ``cached`` when they were paid for earlier."""
        with self._lock:
            for unit, amount in usage:
                place = (engine, verb, unit, cached)
                self._usage[place] = self._usage.get(place, 0.0) + amount

    def paid(self, engine: str, model: str) -> None:
        """Note that an engine costs money, and which model of it is paid for."""
        with self._lock:
            self._models[engine] = model or self._models.get(engine, "")

    def models(self) -> dict[str, str]:
        """Models of the paid engines, by engine."""
        with self._lock:
            return dict(self._models)

    def calls(self) -> tuple[CallCount, ...]:
        """The counts, by engine and verb."""
        with self._lock:
            return tuple(self._counts[place] for place in sorted(self._counts))

    def usage(self) -> tuple[Usage, ...]:
        """What was consumed, one entry per engine, verb, unit and whether it was paid for earlier."""
        with self._lock:
            return tuple(
                Usage(engine, verb, unit, amount, cached)
                for (engine, verb, unit, cached), amount in sorted(self._usage.items())
            )
