"""The timing problem as values for people and as arrays for the solvers.

Symbols in the comments: line i is spoken from a to b by a clip of D seconds (at rate 1) drawn out
by u = 1/rate, so b = a + D*u; its source line lasts from s to e. All times are seconds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

SHORTEST = 0.01
"""Clips count as at least this long, s; it keeps the arithmetic finite for empty wordings."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One way to speak a line."""

    seconds: float
    """Length of the clip: predicted at native rate 1, or measured at the slot's native rate."""
    loss: float = 0.0
    """Quality lost against the natural wording, 0..1."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.seconds) and math.isfinite(self.loss)) or self.seconds < 0:
            raise ValueError(f"a wording needs a finite length and loss: {self.seconds}, {self.loss}")


@dataclass(frozen=True, slots=True)
class Slot:
    """A source line to be filled, and what it may be filled with."""

    start: float
    end: float
    speaker: str
    choices: tuple[Choice, ...]
    on_screen: bool | None = None
    timeline: int = 0
    """Side of a crosstalk: clips of one side keep apart, those of two sides overlap as far as the source."""
    locked_start: float | None = None
    locked_choice: int | None = None
    locked_rate: float | None = None
    """Tempo to give the clip, in the sense of Fit.rate."""
    native: float = 1.0
    """Native rate the clip was spoken at; the bounds on rate hold for native * Fit.rate."""
    latest_end: float | None = None
    """The clip ought to have ended by then; missing it costs like an overlap."""

    def __post_init__(self) -> None:
        if not self.choices:
            raise ValueError("a slot needs at least one wording")
        if not (math.isfinite(self.start) and math.isfinite(self.end)) or self.end < self.start:
            raise ValueError(f"a slot cannot end before it starts: {self.start}..{self.end}")
        if not self.native > 0 or (self.locked_rate is not None and not self.locked_rate > 0):
            raise ValueError("rates are positive")
        if self.locked_choice is not None and not 0 <= self.locked_choice < len(self.choices):
            raise ValueError(f"no wording {self.locked_choice}")


@dataclass(frozen=True, slots=True)
class Fit:
    """Where and how fast one line is spoken."""

    choice: int
    start: float
    rate: float
    """Tempo given to the clip as it is: it then lasts its seconds / rate. Above 1 is faster."""
    overlap: float = 0.0
    """Seconds it runs into a later clip beyond what the source does."""


@dataclass(frozen=True, slots=True)
class Weights:
    """What each departure from the source's timing costs, per second or per unit of u."""

    early: float = 6.0
    late: float = 3.0
    end_late: float = 2.0
    end_early: float = 1.0
    rate: float = 2.0
    """|u-1| beyond 0.05, the just-noticeable difference of tempo (Quené 2007)."""
    rate_far: float = 12.0
    """On top, beyond 0.12."""
    smoothness: float = 3.0
    """Change of u from the speaker's line before: listeners mind uneven tempo most (Virkar et al. 2022)."""
    quality: float = 6.0
    overlap: float = 200.0
    late_beyond: float = 24.0
    """On top of ``late`` beyond the start window: dearer than speeding up, cheaper than an overlap."""
    rate_emergency: float = 120.0
    """On top of the others beyond the fastest rate."""
    off_screen: float = 1 / 3
    """Factor on the onset and offset costs of lines known to be off screen."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far a line may depart from its source at all."""

    early: float = 0.20
    late_on_screen: float = 0.30
    late: float = 0.60
    """Off screen, or unknown."""
    late_emergency: float = 3.0
    """Latest start where lines before it are too long to fit; never beyond the next line's start."""
    gap: float = 0.08
    """Silence between clips, as far as the source has it."""
    fastest: float = 1.25
    slowest: float = 0.88
    emergency: float = 1.30
    """Fastest rate, with a flag, where a line does not fit at all."""
    free: float = 0.05
    steep: float = 0.12


@dataclass(frozen=True, slots=True)
class Table:
    """Slots as arrays in start order; N lines, K wordings at most."""

    order: Integers
    """(N,) position in the caller's list."""
    s: Floats
    e: Floats
    """Where the clip should end: the source line's end, or an earlier latest end."""
    seconds: Floats
    """(N, K) length at total rate 1; one second where there is no such wording."""
    loss: Floats
    """(N, K); infinite where there is no such wording."""
    native: Floats
    locked: Integers
    """Wording that is decided, or -1."""
    start: Floats
    """Start that is decided, or nan."""
    u: Floats
    """u that is decided, or nan."""
    base: Floats
    """u the speaker's rate is measured against."""
    before: Integers
    """The speaker's line before, or -1."""
    first: Floats
    """Earliest start."""
    window: Floats
    """Latest start without extra cost."""
    last: Floats
    """Latest start."""
    latest: Floats
    """End that should be kept, s."""
    onset: Floats
    """(N,) factor on onset and offset costs."""
    edges: Integers
    """(E, 2) pairs i, j: clip i ends before clip j starts ..."""
    gaps: Floats
    """(E,) ... by at least this (negative where the source overlaps), s."""
    programme: float
    weights: Weights
    bounds: Bounds

    @property
    def size(self) -> int:
        return len(self.s)

    @staticmethod
    def strayed(u: Floats, base: Floats) -> Floats:
        """How far u is from natural: from 1 or from the speaker's base, whichever is further."""
        return np.maximum(np.maximum(1.0, base) - u, u - np.minimum(1.0, base))

    def shortest(self, length: Floats) -> Floats:
        """Smallest u a clip of that many seconds may get: the emergency rate, or what the programme holds."""
        return np.minimum(1 / self.bounds.emergency, self.programme / length)


def tabulate(
    slots: Sequence[Slot],
    *,
    programme: float,
    weights: Weights,
    bounds: Bounds,
    base: Mapping[str, float],
    rates: Mapping[int, float] | None = None,
) -> Table:
    """The arrays of a problem. ``base`` maps speakers to base rates, ``rates`` slots to fixed Fit.rates."""
    order = np.array(sorted(range(len(slots)), key=lambda i: slots[i].start), dtype=np.int64)
    lines = [slots[i] for i in order]
    n, most = len(lines), max((len(x.choices) for x in lines), default=1)
    programme = float(max(programme, SHORTEST))
    native = np.array([x.native for x in lines], dtype=float)
    seconds, loss = np.ones((n, most)), np.full((n, most), np.inf)
    for i, x in enumerate(lines):
        seconds[i, : len(x.choices)] = [max(SHORTEST, c.seconds) * x.native for c in x.choices]
        loss[i, : len(x.choices)] = [c.loss for c in x.choices]
    locked = np.array([_or(x.locked_choice, -1 if len(x.choices) > 1 else 0) for x in lines], dtype=np.int64)
    chosen = np.where(locked >= 0, locked, 0)
    rate = np.array(
        [(rates or {}).get(int(k), _or(x.locked_rate, np.nan)) for k, x in zip(order, lines, strict=True)]
    )
    s = np.clip([x.start for x in lines], 0, programme) if n else np.zeros(0)
    source_end = np.array([x.end for x in lines], dtype=float)
    latest = np.clip([_or(x.latest_end, np.inf) for x in lines], 0, programme) if n else np.zeros(0)
    pace = [min(max(base.get(x.speaker, 1.0), bounds.slowest), bounds.fastest) for x in lines]

    # A clip that would not fit before the end of the programme may start earlier, whatever is there.
    least = np.where(
        locked >= 0, seconds[np.arange(n), chosen], np.where(np.isinf(loss), np.inf, seconds).min(1)
    )
    room = np.maximum(0, programme - least / bounds.fastest)
    reach = (
        np.maximum.accumulate(np.concatenate([[0.0], np.maximum(0, source_end)]))[:-1] if n else np.zeros(0)
    )
    first = np.minimum(s - np.clip(s - reach, 0, bounds.early), room)
    late = np.array([bounds.late_on_screen if x.on_screen else bounds.late for x in lines], dtype=float)
    window = np.maximum(first, np.minimum(s + late, programme))
    edges, gaps, last = _edges(lines, s=s, window=window, programme=programme, bounds=bounds)
    off = np.array([weights.off_screen if x.on_screen is False else 1.0 for x in lines], dtype=float)
    return Table(
        order=order, s=s, e=np.clip(source_end, 0, latest), seconds=seconds, loss=loss, native=native,
        locked=locked, start=np.array([_or(x.locked_start, np.nan) for x in lines], dtype=float),
        u=1 / (rate * native), base=1 / np.array(pace, dtype=float),
        before=_before(lines), first=first, window=window, last=last, latest=latest, onset=off,
        edges=edges, gaps=gaps, programme=programme, weights=weights, bounds=bounds,
    )  # fmt: skip


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value


def _before(lines: Sequence[Slot]) -> Integers:
    seen: dict[str, int] = {}
    out = np.full(len(lines), -1, dtype=np.int64)
    for i, x in enumerate(lines):
        out[i] = seen.get(x.speaker, -1)
        seen[x.speaker] = i
    return out


def _edges(
    lines: Sequence[Slot], *, s: Floats, window: Floats, programme: float, bounds: Bounds
) -> tuple[Integers, Floats, Floats]:
    """Order constraints to the last line of every timeline, and the latest start in an emergency."""
    tails: dict[int, int] = {}
    edges: list[tuple[int, int]] = []
    gaps: list[float] = []
    last = np.maximum(window, np.minimum(window + bounds.late_emergency, programme))
    for j, x in enumerate(lines):
        for side, i in tails.items():
            spare = s[j] - lines[i].end
            if side == x.timeline:
                spare = max(0.0, spare)
                if s[j] >= lines[i].end:  # otherwise the source itself has no order here
                    last[i] = max(window[i], min(last[i], s[j]))
            edges.append((i, j))
            gaps.append(min(bounds.gap, spare))
        tails[x.timeline] = j
    return np.array(edges, dtype=np.int64).reshape(-1, 2), np.array(gaps, dtype=float), last


def read_back(table: Table, chosen: Integers, start: Floats, u: Floats) -> tuple[Fit, ...]:
    """A solution as fits in the caller's order."""
    n = table.size
    end = start + table.seconds[np.arange(n), chosen] * u
    over = np.zeros(n)
    if len(table.edges):
        i, j = table.edges.T
        np.maximum.at(over, i, end[i] + np.minimum(table.gaps, 0) - start[j])
    rate = 1 / (u * table.native)
    fits: list[Fit | None] = [None] * n
    for k in range(n):
        overlap = float(over[k]) if over[k] > 1e-6 else 0.0  # below a thousandth of a millisecond is rounding
        fits[table.order[k]] = Fit(int(chosen[k]), float(start[k]), float(rate[k]), overlap)
    return tuple(fit for fit in fits if fit is not None)


def price(table: Table, chosen: Integers, start: Floats, u: Floats) -> float:
    """The objective of a solution, computed straight from its definition."""
    w, b = table.weights, table.bounds
    rows = np.arange(table.size)
    end = start + table.seconds[rows, chosen] * u
    off, stray = start - table.s, table.strayed(u, table.base)
    onset = w.early * _plus(-off) + w.late * _plus(off)
    beyond = w.late_beyond * _plus(start - table.window)
    offset = w.end_late * _plus(end - table.e) + w.end_early * _plus(table.e - end)
    rate = w.rate * _plus(stray - b.free) + w.rate_far * _plus(stray - b.steep)
    rate = rate + w.rate_emergency * _plus(1 / b.fastest - u)
    linked = table.before >= 0
    change = np.abs(u - u[table.before])[linked].sum()
    slack = _plus(end - table.latest).sum()
    if len(table.edges):
        i, j = table.edges.T
        slack += _plus(end[i] + table.gaps - start[j]).sum()
    total = (table.onset * (onset + offset) + beyond + rate + w.quality * table.loss[rows, chosen]).sum()
    return float(total + w.smoothness * change + w.overlap * slack)


def _plus(values: Floats) -> Floats:
    return np.maximum(values, 0.0)
