"""Keeping the sum of background and dub below the ceiling without ever limiting the programme itself.

The dub is limited to the ceiling by itself, then gives way to the background by at most 6 dB; where
that is not enough the background dips, but only where it is being replaced or spoken over. Elsewhere
the output stays the source, sample for sample.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from autodub.media.loudness import peak_envelope
from autodub.media.sound import Samples

_AHEAD = 0.005
"""Look-ahead and smoothing to either side, s."""
_YIELD = 0.5
"""Least factor on the dub for the sake of the background."""
_SLACK = 0.995
"""Aim a little below the ceiling, so that rounding and interpolation at block edges stay below it."""
_REACH = 3.0
"""A true peak is at most this many times the sample peak (L1 norm of the interpolator, rounded up)."""
_PASSES = 6
CONTEXT = 0.1
"""Sound needed on either side for gains that do not depend on where a block begins, s."""


@dataclass(frozen=True, slots=True)
class Relief:
    """Factors per sample, ``(n,)`` each; None = nothing to do."""

    dub: Samples | None
    bed: Samples | None


def relief(
    bed: Samples,
    dub: Samples | None,
    bus: npt.NDArray[np.float32],
    *,
    ceiling: float,
    rate: int,
    free: npt.NDArray[np.bool_],
) -> Relief:
    """Gains that keep ``bed + dub·bus`` below ``ceiling`` (amplitude, true peak).

    ``bed`` is ``(n, channels)``, ``dub`` ``(n,)``; ``free`` says where the background may be touched.
    """
    if not free.any():
        return Relief(None, None)
    over = np.zeros(len(bed), dtype=np.bool_)
    for channel in range(bed.shape[1]):
        mixed = bed[:, channel] if dub is None else bed[:, channel] + dub * bus[channel]
        if max(float(mixed.max()), -float(mixed.min())) * _REACH > ceiling:
            over |= peak_envelope(mixed, rate) > ceiling
    hits = np.flatnonzero(over & free)
    if not len(hits):
        return Relief(None, None)
    pad = round(CONTEXT / 2 * rate)
    breaks = np.flatnonzero(np.diff(hits) > 2 * pad)
    first = np.maximum(0, hits[np.concatenate([[0], breaks + 1])] - pad)
    last = np.minimum(len(bed), hits[np.concatenate([breaks, [len(hits) - 1]])] + pad + 1)
    voice = None if dub is None else np.ones(len(bed), dtype=np.float32)
    ground = np.ones(len(bed), dtype=np.float32)
    goal = ceiling * _SLACK
    for begin, end in zip(first.tolist(), last.tolist(), strict=True):
        here = slice(begin, end)
        below = bed[here]
        above = np.zeros_like(below)
        if dub is not None and voice is not None:
            above = dub[here, np.newaxis] * bus
            alone = _descend(above, above * 0, goal=goal, least=0.0, rate=rate, free=free[here])
            above = above * alone[:, np.newaxis]
            eased = _descend(above, below, goal=goal, least=_YIELD, rate=rate, free=free[here])
            above = above * eased[:, np.newaxis]
            voice[here] = alone * eased
        ground[here] = _descend(below, above, goal=goal, least=0.0, rate=rate, free=free[here])
    return Relief(
        voice if voice is not None and (voice < 1).any() else None, ground if (ground < 1).any() else None
    )


def _descend(
    moving: Samples, fixed: Samples, *, goal: float, least: float, rate: int, free: npt.NDArray[np.bool_]
) -> Samples:
    """Factor ``(n,)``, at least ``least``, on ``moving`` that takes ``moving + fixed`` down to ``goal``."""
    raw = np.ones(len(moving), dtype=np.float32)
    gain = raw
    for _ in range(_PASSES):
        wanted = gain.copy()
        for channel in range(moving.shape[1]):
            scaled = moving[:, channel] * gain
            over = peak_envelope(scaled + fixed[:, channel], rate) - np.float32(goal)
            hit = np.flatnonzero((over > 0) & free)
            if len(hit):
                size = np.maximum(peak_envelope(scaled, rate)[hit], 1e-9)
                wanted[hit] = np.minimum(wanted[hit], gain[hit] * np.maximum(0.0, 1 - over[hit] / size))
        if (wanted >= gain).all():
            break
        raw = np.maximum(np.minimum(raw, wanted), np.float32(least))
        gain = _smooth(raw, rate)
    return gain


def _smooth(raw: Samples, rate: int) -> Samples:
    """A smooth curve nowhere above ``raw``: a sliding minimum, then a Hann average of the same width."""
    from scipy.ndimage import convolve1d, minimum_filter1d

    half = max(1, round(_AHEAD * rate))
    window = np.hanning(2 * half + 3)[1:-1]
    low = minimum_filter1d(raw, 2 * half + 1, mode="nearest")
    if not (low < 1).any():
        return np.ones_like(raw)
    smooth = convolve1d(low.astype(np.float64), window / window.sum(), mode="nearest")
    return np.minimum(smooth, 1.0).astype(np.float32)
