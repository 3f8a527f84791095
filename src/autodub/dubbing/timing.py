"""Fit dubbed speech into the source's timing: choose wordings, starts and rates of a whole programme.

The wordings are chosen by dynamic programming on predicted lengths, the starts and rates by a linear
programme; both minimise the same sum of penalties (Weights) within the same limits (Bounds). The
answer always exists: what does not fit at all is spoken faster, then later, then on top of its
neighbour, and says so in ``Fit.overlap``. Nothing is ever cut.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import median

import numpy as np

from autodub.dubbing import timing_dp, timing_lp
from autodub.dubbing.timing_table import (
    Bounds,
    Choice,
    Fit,
    Floats,
    Integers,
    Slot,
    Table,
    Weights,
    price,
    read_back,
    tabulate,
)

__all__ = [
    "BOUNDS",
    "OVERLAP",
    "WEIGHTS",
    "Bounds",
    "Choice",
    "Fit",
    "Slot",
    "Weights",
    "base_rates",
    "cost",
    "latest_ends",
    "plan",
    "refit",
]

WEIGHTS = Weights()
BOUNDS = Bounds()

STEADY = 0.03
"""A voice whose median rate is this close to 1 is measured against 1."""
ENOUGH = 4
"""Lines that say something about a voice's base rate."""
BASES = (0.95, 1.08)
"""Slowest and fastest base rate."""
REPAIRS = 3
"""Rounds of shorter wordings for lines that still overlap; the DP sees only neighbours."""
OVERLAP = 0.02
"""Overlaps up to here pass unheard, s."""


def plan(
    slots: Sequence[Slot],
    *,
    programme: float,
    weights: Weights = WEIGHTS,
    bounds: Bounds = BOUNDS,
    base: Mapping[str, float] | None = None,
) -> tuple[Fit, ...]:
    """Wording, start and rate of every slot, in the order given.

    ``programme`` is the length of the programme, s; clips start at 0 or later and end within it.
    ``base`` maps speakers to the rate theirs are measured against; None finds it (``base_rates``).
    """
    table = tabulate(slots, programme=programme, weights=weights, bounds=bounds, base=base or {})
    chosen = table.locked if (table.locked >= 0).all() else timing_dp.choose(table)
    return _polished(slots, table, chosen, is_based=base is not None)


def refit(
    slots: Sequence[Slot],
    *,
    programme: float,
    fixed_rates: Mapping[int, float] | None = None,
    weights: Weights = WEIGHTS,
    bounds: Bounds = BOUNDS,
    base: Mapping[str, float] | None = None,
) -> tuple[Fit, ...]:
    """Start and rate of every slot with the wordings as they are (the locked one, else the first).

    ``fixed_rates`` maps positions in ``slots`` to rates (Fit.rate) that are not to be changed.
    """
    slots = [replace(x, locked_choice=x.locked_choice or 0) for x in slots]
    table = tabulate(
        slots, programme=programme, weights=weights, bounds=bounds, base=base or {}, rates=fixed_rates
    )
    return _polished(slots, table, table.locked, is_based=base is not None)


def base_rates(slots: Sequence[Slot], fits: Sequence[Fit]) -> dict[str, float]:
    """Rate each slow or fast voice is measured against: the median over its lines.

    A constant 1.07 sounds better than lines between 0.95 and 1.2, so a voice whose lines are all
    too long may be a little faster throughout. Voices that need nothing of the kind are left out.
    """
    totals: dict[str, list[float]] = {}
    for slot, fit in zip(slots, fits, strict=True):
        totals.setdefault(slot.speaker, []).append(slot.native * fit.rate)
    medians = {speaker: median(found) for speaker, found in totals.items() if len(found) >= ENOUGH}
    slowest, fastest = BASES
    return {k: min(max(m, slowest), fastest) for k, m in medians.items() if abs(m - 1) > STEADY}


def cost(
    slots: Sequence[Slot],
    fits: Sequence[Fit],
    *,
    programme: float,
    weights: Weights = WEIGHTS,
    bounds: Bounds = BOUNDS,
    base: Mapping[str, float] | None = None,
) -> float:
    """What fits cost in terms of the weights: the sum that ``plan`` minimises. ``base`` None means 1."""
    table = tabulate(slots, programme=programme, weights=weights, bounds=bounds, base=base or {})
    ordered = [fits[i] for i in table.order]
    chosen = np.array([fit.choice for fit in ordered], dtype=np.int64)
    start = np.array([fit.start for fit in ordered], dtype=float)
    u = 1 / (np.array([fit.rate for fit in ordered], dtype=float) * table.native)
    return price(table, chosen, start, u)


def _polished(slots: Sequence[Slot], table: Table, chosen: Integers, *, is_based: bool) -> tuple[Fit, ...]:
    """Exact starts and rates; once more against the speakers' base rates where those are not 1."""
    chosen, start, u = _shortened(table, chosen)
    fits = read_back(table, chosen, start, u)
    base = {} if is_based else base_rates(slots, fits)
    if not base:
        return fits
    pace = np.array([base.get(slots[i].speaker, 1.0) for i in table.order])
    table = replace(table, base=1 / pace)
    return read_back(table, chosen, *timing_lp.solve(table, chosen))


def _shortened(table: Table, chosen: Integers) -> tuple[Integers, Floats, Floats]:
    """Solve; where a line still runs into a later one, try its next shorter wording."""
    start, u = timing_lp.solve(table, chosen)
    free = table.locked < 0
    rows = np.arange(table.size)
    for _ in range(REPAIRS if free.any() else 0):
        length = table.seconds[rows, chosen]
        i, j = table.edges.T
        over = np.zeros(table.size)
        np.maximum.at(over, i, (start + length * u)[i] + np.minimum(table.gaps, 0) - start[j])
        shorter = np.isfinite(table.loss) & (table.seconds < length[:, None])
        wanted = free & (over > OVERLAP) & shorter.any(axis=1)
        if not wanted.any():
            break
        longest = np.argmax(np.where(shorter, table.seconds, -1.0), axis=1)
        other = np.where(wanted, longest, chosen)
        again = timing_lp.solve(table, other)
        if price(table, other, *again) >= price(table, chosen, start, u):
            break
        chosen, (start, u) = other, again
    return chosen, start, u


def latest_ends(slots: Sequence[Slot], fits: Sequence[Fit], *, programme: float) -> tuple[float, ...]:
    """How late each clip could end with every other one staying where it is, s."""
    table = tabulate(slots, programme=programme, weights=WEIGHTS, bounds=BOUNDS, base={})
    start = np.array([fits[i].start for i in table.order], dtype=float)
    ends = np.full(table.size, table.programme)
    if len(table.edges):
        i, j = table.edges.T
        np.minimum.at(ends, i, start[j] - table.gaps)
    out = np.empty_like(ends)
    out[table.order] = ends
    return tuple(out.tolist())
