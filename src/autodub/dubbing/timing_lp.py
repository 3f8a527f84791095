"""Starts and rates of a timeline whose wordings are decided: a linear programme.

With the wordings fixed every length is linear in u and every penalty is convex and piecewise
linear, so each start and each u is written as its natural value plus bounded segments, one per
slope. That leaves two equations per line (offset and smoothness) and one inequality per pair of
neighbours, and the optimum is exact. It always exists: overlaps have unlimited slack.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autodub.dubbing.timing_table import Floats, Integers, Table

BLOCK = 1000
"""Lines solved at once when a programme has more than half as many again; keeps the cost linear."""
AHEAD = 12
"""Lines beyond a block that are solved with it and then solved again."""
BREAK = 1.2
"""Silence, s, at which a block likes to end."""
EASE = 0.01
"""Cost of u away from its base inside the free zone: of equally good plans the calmest is taken."""

_START: Floats = np.array([[-1.0], [1.0], [1.0]])
"""How the segments move a start: early, late, late in an emergency."""
_U: Floats = np.array([[-1.0], [-1.0], [-1.0], [-1.0], [1.0], [1.0], [1.0]])
"""How the segments move u: faster by four slopes, slower by three."""
_OFFSET: Floats = np.array([[-1.0], [-1.0], [1.0]])
"""How end late, end beyond the latest and end early move an end back to its place."""


@dataclass(frozen=True, slots=True)
class _Segments:
    """Natural start and u of some lines, and how far each segment may carry them."""

    start: Floats
    u: Floats
    widths: Floats
    """(10, n): three of the start, seven of u."""


def solve(table: Table, chosen: Integers) -> tuple[Floats, Floats]:
    """Optimal starts (s) and u of every line, given the index of each line's wording."""
    n = table.size
    start, u = np.full(n, np.nan), np.full(n, np.nan)
    length = table.seconds[np.arange(n), chosen]
    done = 0
    for cut in _cuts(table):
        upto = min(n, cut + AHEAD) if cut < n else n
        start[done:upto], u[done:upto] = _solve(table, length, done, upto, start, u)
        done = cut
    return start, u


def _cuts(table: Table) -> list[int]:
    """Where blocks end: after the widest silence near each BLOCK lines, the first long one if any."""
    n, cuts = table.size, []
    at = 0
    while n - at > BLOCK * 3 // 2:
        near = np.arange(at + BLOCK * 3 // 4, at + BLOCK * 5 // 4)
        silence = table.s[near] - table.e[near - 1]
        long = silence >= BREAK
        at = int(near[np.argmax(long) if long.any() else np.argmax(silence)])
        cuts.append(at)
    return [*cuts, n] if n else []


def _solve(table: Table, length: Floats, lo: int, hi: int, start: Floats, u: Floats) -> tuple[Floats, Floats]:
    """Solve lines lo..hi; what lies before lo is settled in ``start`` and ``u``."""
    n, w = hi - lo, table.weights
    d, part = length[lo:hi], slice(lo, hi)
    natural = _segments(table, d, part)
    linked = np.flatnonzero(table.before[part] >= 0)
    edges, gaps = _binding(table, length, natural, lo, hi, start, u)
    e, latest = table.e[part], table.latest[part]
    end = natural.start + d * natural.u

    # Columns: 10 segments, end late, end beyond the latest, end early (n each); u up, u down; slack.
    m, k = len(edges), len(linked)
    every, steps, pairs = np.arange(n), np.arange(k), np.arange(m)
    rows = _Entries(n, d)
    rows.ends(every, every)
    rows.add(_OFFSET, every, (10 + np.arange(3)[:, None]) * n + every)
    previous = table.before[part][linked] - lo
    inside = np.flatnonzero(previous >= 0)
    was = np.where(previous >= 0, natural.u[np.maximum(previous, 0)], u[np.maximum(previous + lo, 0)])
    rows.rates(n + steps, linked)
    rows.rates(n + inside, previous[inside], factor=-1.0)
    rows.add(np.array([[-1.0], [1.0]]), n + steps, 13 * n + np.array([[0], [k]]) + steps)

    i, j = edges.T - lo
    within = np.flatnonzero(i >= 0)
    i_end = np.where(i >= 0, end[np.maximum(i, 0)], (start + length * u)[edges[:, 0]])
    below = n + k
    rows.ends(below + within, i[within])
    rows.starts(below + pairs, j, factor=-1.0)
    rows.add(np.array([[-1.0]]), below + pairs, 13 * n + 2 * k + pairs[None])

    top = np.concatenate([
        natural.widths.ravel(), latest - e, table.programme - latest, np.full(n + 2 * k + m, np.inf)
    ])  # fmt: skip
    costs = [_costs(table, part).ravel(), np.full(2 * k, w.smoothness), np.full(m, w.overlap)]
    best = _least(
        np.concatenate(costs), top, rows,
        low=np.concatenate([e - end, was - natural.u[linked], np.full(m, -np.inf)]),
        high=np.concatenate([e - end, was - natural.u[linked], natural.start[j] - i_end - gaps]),
    )  # fmt: skip
    moved = best[: 10 * n].reshape(10, n)
    found = natural.u + (_U * moved[3:]).sum(axis=0)
    began = natural.start + (_START * moved[:3]).sum(axis=0)
    return np.clip(began, 0, np.maximum(0, table.programme - d * found)), found


class _Entries:
    """A sparse matrix that grows by its entries: gluing matrices together took longer than solving."""

    def __init__(self, lines: int, lengths: Floats) -> None:
        self._n, self._lengths = lines, lengths
        self._parts: list[tuple[Floats, Integers, Integers]] = []

    def add(self, values: Floats, rows: Integers, columns: Integers) -> None:
        """Entries ``columns.shape``; values and rows are repeated along it."""
        shape = columns.shape
        self._parts.append((
            np.broadcast_to(values, shape).ravel(), np.broadcast_to(rows, shape).ravel(), columns.ravel()
        ))  # fmt: skip

    def starts(self, rows: Integers, of: Integers, *, factor: float = 1.0) -> None:
        """The starts of lines ``of``, one per row."""
        self.add(factor * _START, rows, np.arange(3)[:, None] * self._n + of)

    def rates(self, rows: Integers, of: Integers, *, factor: float | Floats = 1.0) -> None:
        """The u of lines ``of``, one per row."""
        self.add(factor * _U, rows, np.arange(3, 10)[:, None] * self._n + of)

    def ends(self, rows: Integers, of: Integers) -> None:
        """The ends of lines ``of``, one per row."""
        self.starts(rows, of)
        self.rates(rows, of, factor=self._lengths[of])

    def by_columns(self, columns: int) -> tuple[Integers, Integers, Floats]:
        """All entries in the order of their columns: where each column begins, rows, values."""
        values, at, across = (np.concatenate(part) for part in zip(*self._parts, strict=True))
        order = np.argsort(across, kind="stable")
        starts = np.concatenate([[0], np.cumsum(np.bincount(across, minlength=columns))])
        return starts.astype(np.int32), at[order].astype(np.int32), values[order]


def _least(costs: Floats, top: Floats, rows: _Entries, *, low: Floats, high: Floats) -> Floats:
    """Columns from 0 to ``top`` of least cost whose rows lie between ``low`` and ``high``."""
    import highspy

    programme = highspy.HighsLp()
    programme.num_col_, programme.num_row_ = len(costs), len(low)
    programme.col_cost_, programme.col_lower_, programme.col_upper_ = costs, np.zeros_like(top), top
    programme.row_lower_, programme.row_upper_ = low, high
    matrix = programme.a_matrix_
    matrix.format_ = highspy.MatrixFormat.kColwise
    matrix.num_col_, matrix.num_row_ = len(costs), len(low)
    matrix.start_, matrix.index_, matrix.value_ = rows.by_columns(len(costs))
    solver = highspy.Highs()  # type: ignore[no-untyped-call]  # the one method without annotations
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("threads", 1)
    solver.passModel(programme)
    solver.run()
    if (status := solver.getModelStatus()) != highspy.HighsModelStatus.kOptimal:
        raise RuntimeError(f"the timing has no solution: {solver.modelStatusToString(status)}")
    return np.asarray(solver.getSolution().col_value)


def _segments(table: Table, d: Floats, part: slice) -> _Segments:
    b, programme = table.bounds, table.programme
    s, base, locked, fixed = table.s[part], table.base[part], table.start[part], table.u[part]
    fastest, slowest, least = 1 / b.fastest, 1 / b.slowest, table.shortest(d)
    middle, half = (1 + base) / 2, np.abs(1 - base) / 2  # free is what is near both 1 and the base
    slopes = np.array([[0], [b.free], [b.steep], [9]])
    faster = np.diff(np.clip(slopes - half, 0, middle - fastest), axis=0)
    slower = np.diff(np.clip(slopes - half, 0, slowest - middle), axis=0)
    first = np.minimum(table.first[part], np.maximum(0, programme - d * fastest))
    widths = np.vstack([
        s - first, table.window[part] - s, table.last[part] - table.window[part],
        faster, fastest - least, slower,
    ])  # fmt: skip

    is_fixed, is_locked = ~np.isnan(fixed), ~np.isnan(locked)
    u = np.where(is_fixed, np.minimum(fixed, programme / d), middle)
    # A locked start gives way only to the end of the programme: no word is cut there.
    latest = np.maximum(0, programme - d * np.where(is_fixed, u, least))
    start = np.where(is_locked, np.clip(locked, 0, latest), s)
    widths[:3] *= ~is_locked
    widths[3:] *= ~is_fixed
    # A fixed rate may keep a clip from fitting behind its earliest start.
    widths[0] = np.where(is_fixed & ~is_locked, np.maximum(widths[0], s - latest), widths[0])
    return _Segments(start, u, np.maximum(widths, 0))


def _costs(table: Table, part: slice) -> Floats:
    """(13, n) cost of every segment and offset column."""
    w, onset = table.weights, table.onset[part]
    one = np.ones_like(onset)
    far = EASE + w.rate + w.rate_far
    return np.vstack([
        w.early * onset, w.late * onset, w.late * onset + w.late_beyond,
        one * EASE, one * (EASE + w.rate), one * far, one * (far + w.rate_emergency),
        one * EASE, one * (EASE + w.rate), one * far,
        w.end_late * onset, w.end_late * onset + w.overlap, w.end_early * onset,
    ])  # fmt: skip


def _binding(
    table: Table, length: Floats, natural: _Segments, lo: int, hi: int, start: Floats, u: Floats
) -> tuple[Integers, Floats]:
    """The order constraints of lines lo..hi that can bind at all."""
    i, j = table.edges.T
    mine = np.flatnonzero((j >= lo) & (j < hi))
    i, j = i[mine], j[mine]
    widths = natural.widths
    end = start + length * u
    late = natural.start + widths[1] + widths[2] + length[lo:hi] * (natural.u + widths[7:].sum(0))
    upto = np.where(i >= lo, late[np.maximum(i - lo, 0)], end[i])
    keep = upto + table.gaps[mine] > natural.start[j - lo] - widths[0][j - lo]
    return table.edges[mine[keep]], table.gaps[mine[keep]]
