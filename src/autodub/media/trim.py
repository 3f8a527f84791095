"""Trimming of spoken clips: silence at both ends goes, everything inside stays.

Silence is judged against the clip's own speech, so quiet voices are not cut and noisy ones are
still trimmed. Levels are taken after a first difference (+6 dB per octave), which lowers rumble and
hum and lifts the soft ``f``, ``s`` and ``h`` at the edges of words; the threshold is low on purpose.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from autodub.media.sound import Samples
from autodub.model.time import Span

_HOP = 5
"""Milliseconds per frame."""
KEPT = 30
"""Milliseconds of silence left at either end."""
_PAUSE = 120
"""Milliseconds of inner silence worth listing."""
_BELOW_SPEECH = 45.0
"""dB below the clip's speech level where silence begins."""
_ABOVE_NOISE = 6.0
"""dB above the clip's noise floor where speech may begin, if the floor is higher than that."""
_NOISE_LIMIT = 30.0
"""The noise floor never lifts the threshold nearer than this to the speech level, dB: words come first."""
_STEADY = 8
"""Frames averaged before the quietest moment counts as the noise floor."""
_SILENT = -75.0
"""dBFS below which a whole clip is silence."""


@dataclass(frozen=True, slots=True)
class Trimmed:
    """A clip without the silence around it."""

    samples: Samples
    """What is left; empty when the whole clip is silence."""
    lead: int
    """Samples removed at the start."""
    tail: int
    """Samples removed at the end."""
    pauses: tuple[Span, ...]
    """Silences of 120 ms or more inside, in ms on the trimmed clip's clock."""


def trim(samples: Samples, sample_rate: int) -> Trimmed:
    """Leave 30 ms of silence at either end of a mono clip ``(n,)``; inner pauses stay.

    A clip that starts or ends in the middle of a sound gets silence there, so that whoever fades its
    edges later does not fade a word.
    """
    hop = max(1, sample_rate * _HOP // 1000)
    level = _frame_levels(samples, hop)
    if len(level) == 0 or float(level.max()) < _SILENT:
        return Trimmed(samples[:0], lead=len(samples), tail=0, pauses=())
    voiced = np.flatnonzero(level > _threshold(level))
    kept = sample_rate * KEPT // 1000
    start = max(0, int(voiced[0]) * hop - kept)
    end = min(len(samples), (int(voiced[-1]) + 1) * hop + kept)
    before = kept - (int(voiced[0]) * hop - start)
    after = max(0, kept - (end - (int(voiced[-1]) + 1) * hop))
    quiet = np.flatnonzero(np.diff(voiced) - 1 >= _PAUSE / _HOP)
    shift = before - start
    pauses = (((int(voiced[i]) + 1) * hop + shift, int(voiced[i + 1]) * hop + shift) for i in quiet)
    return Trimmed(
        np.pad(samples[start:end], (before, after)),
        lead=start,
        tail=len(samples) - end,
        pauses=tuple(Span(round(a * 1000 / sample_rate), round(b * 1000 / sample_rate)) for a, b in pauses),
    )


def _frame_levels(samples: Samples, hop: int) -> npt.NDArray[np.float64]:
    """Level of every frame of the differenced clip in dBFS; the last frame may be short."""
    if len(samples) == 0:
        return np.zeros(0)
    power = np.diff(samples.astype(np.float64), prepend=float(samples[0])) ** 2
    starts = np.arange(0, len(samples), hop)
    mean = np.add.reduceat(power, starts) / np.diff(np.append(starts, len(samples)))
    level: npt.NDArray[np.float64] = 10.0 * np.log10(mean + 1e-12)
    return level


def _threshold(level: npt.NDArray[np.float64]) -> float:
    """Level above which a frame belongs to a word, dBFS."""
    loud = level[level > level.max() - 30.0]
    speech = float(10.0 * np.log10(np.mean(10.0 ** (loud / 10.0))))
    steady = np.convolve(level, np.full(_STEADY, 1 / _STEADY), mode="valid")
    floor = float(steady.min()) if len(steady) else -np.inf
    return min(max(speech - _BELOW_SPEECH, floor + _ABOVE_NOISE), speech - _NOISE_LIMIT)
