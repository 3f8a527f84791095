"""Ducking: lowering the background under the dub, only as far as it needs and never too late.

The curve comes from the known times of the clips, not from a compressor that hears them: it is down
before the first word and does not pump in short gaps.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from autodub.dubbing.levels import CELL_MS, Cells, Mask
from autodub.dubbing.mixing import Envelope
from autodub.model.time import Span, merged

DEEPEST = 12.0
"""Most the background is ever lowered, dB."""
ESTIMATED_BED = 15.0
"""Difference to aim at when the background is an estimate with a ghost of the old voice in it, LU."""
_AHEAD, _HOLD, _RISE, _BRIDGE = 300, 250, 700, 1500
"""Fall before the first word, hold after the last, rise, and gaps without a lift, ms."""
_HOP = 10
"""Control points every 100 ms, in cells."""
_WINDOW = 300
"""Differences are judged over 3 s, in cells."""
_LEAST = 0.1
"""Needs below this are none, dB: the background stays untouched."""


def difference(voice: Cells, bed: Cells, active: Mask) -> Cells:
    """Speech-to-background difference in LU around every 100 ms, over the active cells within 1.5 s.

    Shape ``(ceil(cells / 10),)``; ``nan`` where fewer than 100 ms are active, ``inf`` over silence.
    """
    count = len(voice)
    centres = np.arange(0, count, _HOP) + _HOP // 2
    low = np.maximum(0, centres - _WINDOW // 2)
    high = np.minimum(count, centres + _WINDOW // 2)
    sums = [
        np.concatenate([[0.0], np.cumsum(np.where(active, values, 0.0))])
        for values in (voice, bed, np.ones(count))
    ]
    speech, ground, cells = (np.maximum(0.0, total[high] - total[low]) for total in sums)
    with np.errstate(divide="ignore", invalid="ignore"):
        out: Cells = 10.0 * np.log10(speech / np.where(ground > 1e-9 * speech, ground, 0.0))
    out[cells < 100 // CELL_MS] = np.nan
    return out


def targets(
    source: Cells | None, *, points: int, estimated: bool, clear: bool = False
) -> npt.NDArray[np.float64]:
    """Difference to aim at per 100 ms, LU.

    By default what the source's own mixer chose there (``source``), within 4 to 10. ``clear`` speech
    asks for 10; an ``estimated`` background for 15, so that the dub masks what is left of the old voice.
    """
    if estimated:
        return np.full(points, ESTIMATED_BED)
    if clear or source is None:
        return np.full(points, 10.0)
    known = np.isfinite(source)
    if not known.any():
        return np.full(points, 10.0)
    where = np.arange(points)
    filled = np.interp(where, where[: len(source)][known], source[known])
    return np.clip(filled, 4.0, 10.0)


def needs(now: Cells, target: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Depth in dB per 100 ms: ``clip(target - now, 0, 12)``, the largest within half a second, smoothed.

    Smoothing follows a maximum over a wider window, so it never falls short of the need itself.
    """
    from scipy.ndimage import maximum_filter1d, uniform_filter1d

    depth = np.clip(target - now, 0.0, DEEPEST)
    depth = np.where(np.isnan(depth), 0.0, depth)
    if not len(depth):
        return depth
    smooth = uniform_filter1d(maximum_filter1d(depth, 11, mode="nearest"), 5, mode="nearest")
    smooth = np.minimum(smooth, DEEPEST)
    return np.where(smooth < _LEAST, 0.0, smooth)


def curve(
    clips: Sequence[tuple[int, int]], depth: npt.NDArray[np.float64], *, rate: int, shortest: int = _BRIDGE
) -> Envelope:
    """The duck in dB over the programme, for :meth:`Envelope.gains`.

    ``clips`` are ``(first, end)`` samples; ``depth`` is what :func:`needs` says. The curve starts to
    fall 0.3 s before a clip, is at depth with its first sample, holds 0.25 s after the last and rises
    over 0.7 s; gaps shorter than ``shortest`` ms are bridged without a lift. It is 0 elsewhere.
    """
    at: list[int] = []
    value: list[float] = []
    hop = _HOP * CELL_MS * rate / 1000
    gap = shortest * rate // 1000

    def wanted(samples: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        return np.interp(samples / hop - 0.5, np.arange(len(depth)), depth)

    for group in _groups(clips, gap):
        points = np.concatenate([_points(first, end, hop) for first, end in group])
        depths = wanted(points)
        if not depths.any():
            continue
        last = int(points[-1]) + _HOLD * rate // 1000
        at += [int(points[0]) - _AHEAD * rate // 1000, *points.tolist(), last, last + _RISE * rate // 1000]
        value += [0.0, *depths.tolist(), float(depths[-1]), 0.0]
    return Envelope(np.array(at, dtype=np.int64), np.array(value, dtype=np.float64))


def _points(first: int, end: int, hop: float) -> npt.NDArray[np.int64]:
    """Control samples of one clip: its ends and every 100 ms between."""
    inside = np.arange(np.floor(first / hop) + 1, np.ceil(end / hop)) * hop
    return np.unique(np.concatenate([[first], np.round(inside), [end]]).astype(np.int64))


def _groups(clips: Sequence[tuple[int, int]], gap: int) -> list[list[tuple[int, int]]]:
    """Clips in time order, overlapping ones merged, in groups with gaps shorter than ``gap`` samples."""
    groups: list[list[tuple[int, int]]] = []
    for first, end in sorted(clips):
        if groups and first <= groups[-1][-1][1]:
            last = groups[-1][-1]
            groups[-1][-1] = (last[0], max(last[1], end))
        elif groups and first - groups[-1][-1][1] < gap:
            groups[-1].append((first, end))
        else:
            groups.append([(first, end)])
    return groups


def on_cells(curve: Envelope, count: int, *, rate: int) -> Cells:
    """The duck in dB in the middle of each of ``count`` cells."""
    if not len(curve.at):
        return np.zeros(count)
    middles = (np.arange(count) + 0.5) * (CELL_MS * rate / 1000)
    return np.asarray(np.interp(middles, curve.at, curve.value), dtype=np.float64)


def spans(curve: Envelope, *, rate: int, frames: int) -> tuple[Span, ...]:
    """Where the duck is not 0, ms, clipped to the programme."""
    out = []
    for index in np.flatnonzero((curve.value[:-1] > 0) | (curve.value[1:] > 0)):
        first, end = max(0, int(curve.at[index])), min(frames, int(curve.at[index + 1]))
        if end > first:
            out.append(Span(first * 1000 // rate, -(-end * 1000 // rate)))
    return merged(out)
