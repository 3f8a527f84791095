"""When the dub starts and ends against the source: T6-T8, and the finished file against the plan."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from autodub.quality.figures import Figure, figure, median, percentile, share
from autodub.quality.runs import MeasuredLine

DETECTABLE = (-45, 125)
"""ITU-R BT.1359-1: sound against picture that viewers begin to notice, ms (early, late)."""
ACCEPTABLE = (-90, 185)
"""ITU-R BT.1359-1: what viewers accept, ms (early, late)."""
RUNNING = 9
FEWEST_LINES = 8
"""Lines below which a drift is chance."""
MOST_POINTS = 6000
SILENT = "no dub speech detected in the line"


def theil_sen(x: Sequence[float], y: Sequence[float]) -> tuple[float, float] | None:
    """Median of all pairwise slopes and its standard error; None for fewer than 3 distinct x.

    The error comes from Sen's distribution-free interval (Sen 1968): the slopes ranked
    ``(N -+ 1.96 sigma)/2`` bound it, ``sigma^2 = n(n-1)(2n+5)/18``. Above 6000 points every k-th is used.
    """
    step = max(1, math.ceil(len(x) / MOST_POINTS))
    at, value = np.asarray(x, dtype=np.float64)[::step], np.asarray(y, dtype=np.float64)[::step]
    if len(set(at.tolist())) < 3:
        return None
    order = np.argsort(at, kind="stable")
    slopes = _pairwise(at[order], value[order])
    n, count = len(at), len(slopes)
    half = 1.96 * math.sqrt(n * (n - 1) * (2 * n + 5) / 18) / 2
    low, high = max(0, round(count / 2 - half)), min(count - 1, round(count / 2 + half))
    ranked = np.partition(slopes, sorted({low, count // 2, (count - 1) // 2, high}))
    slope = (float(ranked[count // 2]) + float(ranked[(count - 1) // 2])) / 2
    return slope, (float(ranked[high]) - float(ranked[low])) / (2 * 1.96)


def _pairwise(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float32]:
    n = len(x)
    out = np.empty(n * (n - 1) // 2, dtype=np.float32)
    filled = 0
    for i in range(n - 1):
        run = x[i + 1 :] - x[i]
        later = run > 0
        rise = (y[i + 1 :] - y[i])[later] / run[later]
        out[filled : filled + len(rise)] = rise
        filled += len(rise)
    return out[:filled]


def running_median(values: Sequence[float], *, width: int = RUNNING) -> list[float]:
    """Medians of every ``width`` neighbours; one median of everything when there are fewer."""
    if len(values) <= width:
        return [median(values)] if values else []
    windows = np.lib.stride_tricks.sliding_window_view(np.asarray(values, dtype=np.float64), width)
    return [float(m) for m in np.median(windows, axis=1)]


def sync_figures(lines: Sequence[MeasuredLine]) -> tuple[Figure, ...]:
    """T6, T7, T8 and the rendered-against-planned onsets (R1) of the lines that were to be spoken."""
    onsets = [line.onset for line in lines]
    offsets = [line.offset for line in lines]
    return (
        *error_figures("T6.onset", onsets, reason=SILENT),
        *error_figures("T6.offset", offsets, reason=SILENT),
        *_tolerance(lines),
        *drift_figures([(line.fact.source.start, line.onset) for line in lines]),
        *error_figures(
            "R1.onset", [line.onset_error for line in lines],
            reason="no speech detected, or it runs on from the clip before",
        ),
        _placement(lines),
    )  # fmt: skip


def error_figures(name: str, errors: Sequence[int | None], *, reason: str) -> tuple[Figure, ...]:
    """Signed median, and median and 95th percentile of the absolute errors, ms."""
    return (
        figure(f"{name}.median", errors, median, unit="ms", reason=reason),
        figure(f"{name}.p50", errors, lambda v: median([abs(e) for e in v]), unit="ms", reason=reason),
        figure(
            f"{name}.p95", errors, lambda v: percentile([abs(e) for e in v], 95), unit="ms", reason=reason
        ),
    )


def _tolerance(lines: Sequence[MeasuredLine]) -> tuple[Figure, ...]:
    seen = [line.onset if line.fact.on_screen else None for line in lines if line.fact.on_screen is not False]
    why = "not known whether the speaker is on screen, or no dub speech detected"

    def within(bounds: tuple[int, int], name: str) -> Figure:
        low, high = bounds
        return figure(name, seen, lambda v: share([low <= e <= high for e in v]), unit="share", reason=why)

    return within(DETECTABLE, "T7.detectable"), within(ACCEPTABLE, "T7.acceptable")


def drift_figures(points: Sequence[tuple[int, int | None]], *, reason: str = SILENT) -> tuple[Figure, ...]:
    """T8 from (source onset, onset error) in ms: slope, its error and gate in ms/min, running median.

    ``reason`` says why an error is None.
    """
    known = [(at, error) for at, error in points if error is not None]
    left_out = len(points) - len(known)
    fit = None
    if len(known) >= FEWEST_LINES:
        fit = theil_sen([at / 60000 for at, _ in known], [error for _, error in known])
    if fit is None:
        why = (
            f"drift takes {FEWEST_LINES} lines at different times with detected speech, "
            f"and there are {len({at for at, _ in known})}"
        )
        units = {"slope": "ms/min", "error": "ms/min", "gate": "ms/min", "running": "ms"}
        return tuple(
            Figure(f"T8.{part}", None, unit, len(known), max(left_out, 1), why)
            for part, unit in units.items()
        )
    slope, error = fit
    gate = max(0.0, abs(slope) - 2 * error)
    rows = [
        Figure(f"T8.{part}", value, "ms/min", len(known), left_out, reason if left_out else "")
        for part, value in (("slope", slope), ("error", error), ("gate", gate))
    ]
    worst = max(map(abs, running_median([error for _, error in sorted(known)])))
    return (*rows, Figure("T8.running", worst, "ms", len(known), left_out, reason if left_out else ""))


def _placement(lines: Sequence[MeasuredLine]) -> Figure:
    """Bookkeeping: the most samples any clip lies off the sample the plan gave it, by the record alone.

    Where the clips really are in the file is what R1 measures.
    """
    off = [abs(f.placed_start - f.planned_start) if f.clip else None for f in (line.fact for line in lines)]
    return figure("T8.samples", off, max, unit="samples", reason="no clip was placed for the line")
