"""B2: how much of the original voice is still in the background, judged without knowing either stem."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from autodub.dubbing.levels import Cells, covered
from autodub.media.sound import Reader, Samples
from autodub.model.time import Span

_CELL = 160
_BLOCK = 2048 * _CELL
_LEAST = 100
"""Cells of removed voice that say something."""
_FAINT = 1e-9
"""Mean square below which nothing was removed."""
FLOOR = -60.0


def residual_voice(
    speech: Path,
    bed: Path,
    active: Sequence[Span],
    *,
    gain: float = 1.0,
    check: Callable[[], None] | None = None,
) -> float | None:
    """B2 of a background ``bed`` against the source ``speech`` (both 16 kHz mono), dB re the voice.

    A voice left at amplitude ``a`` makes the background's energy follow the energy that was taken
    out with slope ``(a / (1 - a))^2``. Slow changes (music) are removed first by subtracting
    one-second means. Not below -60 dB; None with less than a second of removed voice. A duck counts
    as background that is quieter, not as voice. ``gain`` is the programme's, as a factor.
    """
    removed, ground = _energies(speech, bed, gain=gain, check=check)
    return leak(removed, ground, active)


def leak(removed: Cells, bed: Cells, active: Sequence[Span]) -> float | None:
    """The same from energies per 10 ms."""
    count = min(len(removed), len(bed))
    mask = covered(active, count)
    if np.count_nonzero(mask) < _LEAST or float(removed[:count][mask].mean()) < _FAINT:
        return None
    p, q = _detrended(removed[:count])[mask], _detrended(bed[:count])[mask]
    power = float(p @ p)
    if power <= 0:
        return None
    follows = max(0.0, float(p @ q) / power) ** 0.5
    amplitude = follows / (1 + follows)
    return max(FLOOR, 20 * float(np.log10(max(amplitude, 1e-6))))


def _energies(
    speech: Path, bed: Path, *, gain: float, check: Callable[[], None] | None
) -> tuple[Cells, Cells]:
    removed: list[Cells] = []
    ground: list[Cells] = []
    with Reader(speech) as whole, Reader(bed) as under:
        frames = min(whole.frames, under.frames) // _CELL * _CELL
        for start in range(0, frames, _BLOCK):
            if check is not None:
                check()
            size = min(_BLOCK, frames - start)
            a, b = whole.read(start, size)[:, 0], under.read(start, size)[:, 0]
            removed.append(_squares(a * np.float32(gain) - b))
            ground.append(_squares(b))
    empty: Cells = np.zeros(0)
    return np.concatenate([empty, *removed]), np.concatenate([empty, *ground])


def _squares(samples: Samples) -> Cells:
    shaped = samples.reshape(-1, _CELL)
    return np.asarray(np.einsum("ij,ij->i", shaped, shaped), dtype=np.float64) / _CELL


def _detrended(cells: Cells) -> npt.NDArray[np.float64]:
    sums = np.concatenate([[0.0], np.cumsum(cells)])
    at = np.arange(len(cells))
    low, high = np.maximum(0, at - 50), np.minimum(len(cells), at + 50)
    return np.asarray(cells - (sums[high] - sums[low]) / (high - low), dtype=np.float64)
