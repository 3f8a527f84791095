"""Which wording every line gets: dynamic programming over (wording, start, rate).

A state of line i is a wording k, a start from a 40-ms grid and a rate; M(t) is the cheapest state
of the line before that ends by t. With the states of each rate sorted by their ends M is a running
minimum looked up by bisection; states that end later cost ``overlap`` per second, which is a running
minimum from the other side. So every transition is exact on the grid at O(S log S) per line.
"""

from __future__ import annotations

import numpy as np

from autodub.dubbing.timing_table import Floats, Integers, Table

STARTS = np.concatenate([np.linspace(-0.20, 0.60, 21), [1.0, 1.6, 2.4]])
"""Starts relative to the source line, s: the window, then three steps for emergencies."""
US = np.array([1.12, 1.05, 1.00, 0.95, 0.915, 0.88, 0.84, 0.80])
"""u to be tried: the corners of the cost of rate, where optimal plans mostly lie, and a few between."""
BATCH = 128
"""Lines whose states are worked out at once."""


def choose(table: Table) -> Integers:
    """Index of the wording of every line."""
    n = table.size
    states = len(STARTS) * len(US)
    back = np.zeros((n, states), dtype=np.int32)  # best state of the line before, per (start, rate)
    cost = np.zeros(0)
    before: tuple[Floats, Integers, Floats] | None = None
    for lo in range(0, n, BATCH):
        part = slice(lo, min(n, lo + BATCH))
        starts, us = _grid(table, part)
        own, end = _states(table, part, starts, us)
        rank = np.argsort(end, axis=2)
        ordered = np.take_along_axis(end, rank, axis=2)
        same, need = _links(table, part, starts)
        for row in range(part.stop - lo):
            i = lo + row
            if before is None:
                cost = own[0].ravel()
            else:
                cost, back[i] = _step(
                    table, cost, own[row], before, us=us[row], need=need[row], same=same[row]
                )
            before = ordered[row], rank[row], us[row]
    chosen = np.zeros(n, dtype=np.int64)
    state = int(np.argmin(cost)) if n else 0
    for i in range(n - 1, -1, -1):
        chosen[i], rest = divmod(state, states)
        state = int(back[i, rest])
    return chosen


def _grid(table: Table, part: slice) -> tuple[Floats, Floats]:
    """Starts (n, A) and u (n, U) to be tried."""
    first, last, locked, fixed = table.first[part], table.last[part], table.start[part], table.u[part]
    starts = np.clip(table.s[part][:, None] + STARTS, first[:, None], last[:, None])
    starts[:, 0] = first
    starts = np.where(np.isnan(locked)[:, None], starts, locked[:, None])
    us = np.where(np.isnan(fixed)[:, None], US, fixed[:, None])
    return starts, us


def _states(table: Table, part: slice, starts: Floats, us: Floats) -> tuple[Floats, Floats]:
    """Own cost (n, K, A, U) of every state, and the ends (n, U, K*A) to be sorted."""
    w, b = table.weights, table.bounds
    length, onset = table.seconds[part], table.onset[part]
    off = starts - table.s[part][:, None]
    begin = onset[:, None] * (w.early * np.maximum(-off, 0) + w.late * np.maximum(off, 0))
    begin += w.late_beyond * np.maximum(starts - table.window[part][:, None], 0)
    end = starts[:, None, :, None] + length[:, :, None, None] * us[:, None, None, :]
    over = end - table.e[part][:, None, None, None]
    finish = onset[:, None, None, None] * np.where(over > 0, w.end_late * over, -w.end_early * over)
    finish += w.overlap * np.maximum(end - table.latest[part][:, None, None, None], 0)
    stray = table.strayed(us, table.base[part][:, None])
    rate = w.rate * np.maximum(stray - b.free, 0) + w.rate_far * np.maximum(stray - b.steep, 0)
    # Where the neighbour is somebody else, being steady means being near one's own base.
    stranger = table.before[part] != np.arange(part.start, part.stop) - 1
    rate += (
        w.smoothness
        * np.abs(us - table.base[part][:, None])
        * (stranger & (table.before[part] >= 0))[:, None]
    )
    wording = w.quality * table.loss[part]
    barred = (table.locked[part] >= 0)[:, None] & (np.arange(length.shape[1]) != table.locked[part][:, None])
    wording = np.where(barred, np.inf, np.where(np.isnan(wording), np.inf, wording))
    own = wording[:, :, None, None] + begin[:, None, :, None] + finish + rate[:, None, None, :]
    return own, end.reshape(len(off), -1, us.shape[1]).transpose(0, 2, 1)


def _links(table: Table, part: slice, starts: Floats) -> tuple[list[bool], Floats]:
    """Whether the line before is by the same speaker, and when it must have ended for each start (n, A)."""
    rows = np.arange(part.start, part.stop)
    gap = np.full(len(rows), -np.inf)
    if len(table.edges):
        i, j = table.edges.T
        mine = (i == j - 1) & (j >= part.start) & (j < part.stop)
        gap[j[mine] - part.start] = table.gaps[mine]
    return (table.before[part] == rows - 1).tolist(), starts - gap[:, None]


def _step(
    table: Table,
    cost: Floats,
    own: Floats,
    before: tuple[Floats, Integers, Floats],
    *,
    us: Floats,
    need: Floats,
    same: bool,
) -> tuple[Floats, Integers]:
    """Cost of every state of a line, and the best state before it per (start, rate).

    ``cost`` is that of the line before, ``before`` its sorted ends, their ranks and its u; ``need``
    is when it must have ended for each start, ``same`` whether its speaker is the same.
    """
    ends, rank, us_before = before
    w, rates, width = table.weights, len(us), ends.shape[1]
    rows = np.arange(rates)[:, None]
    spent = cost.reshape(width, rates).T[rows, rank]  # (U', K*A) in order of end

    # In time: the running minimum over the ends up to t. Late: pay for the overlap.
    lowest = np.minimum.accumulate(spent, axis=1)
    lowest_at = np.maximum.accumulate(np.where(spent <= lowest, np.arange(width), 0), axis=1)
    late = (spent + w.overlap * ends)[:, ::-1]
    cheapest = np.minimum.accumulate(late, axis=1)
    cheapest_at = np.maximum.accumulate(np.where(late <= cheapest, np.arange(width), 0), axis=1)
    count = np.stack([np.searchsorted(row, need, side="right") for row in ends])  # (U', A)
    in_time = np.where(count > 0, lowest[rows, np.maximum(count - 1, 0)], np.inf)
    after = width - 1 - np.minimum(count, width - 1)
    overlapping = np.where(count < width, cheapest[rows, after] - w.overlap * need, np.inf)
    best = np.minimum(in_time, overlapping)
    at = np.where(
        in_time <= overlapping,
        lowest_at[rows, np.maximum(count - 1, 0)],
        width - 1 - cheapest_at[rows, after],
    )
    state = np.take_along_axis(rank, at, axis=1) * rates + rows  # (U', A)

    change = w.smoothness * np.abs(us_before[:, None] - us) if same else np.zeros((rates, rates))
    total = best[:, :, None] + change[:, None, :]  # (U', A, U)
    pick = np.argmin(total, axis=0)
    starts = np.arange(len(need))[:, None]
    from_before = total[pick, starts, np.arange(rates)]
    return (own + from_before).ravel(), state[pick, starts].ravel()
