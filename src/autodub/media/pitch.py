"""Fundamental frequency of speech: a track, and the three figures that describe a speaker's.

The tracker is WORLD's DIO with StoneMask refinement (Morise et al., IEICE Trans. Inf. Syst. E99-D(7), 2016).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from autodub.media.sound import resample

Samples = npt.NDArray[np.float32]
Track = npt.NDArray[np.float64]

RATE = 16_000
"""Samples per second at which voices are analysed."""
FLOOR, CEILING = 60.0, 500.0
"""Hz between which a voice's fundamental is looked for."""
_QUIET = 30.0
"""Frames this many dB below the loud ones are no voice, whatever their periodicity."""
_ASTRAY = 9.0
"""Frames this many semitones from the median are octave errors."""


@dataclass(frozen=True, slots=True)
class Pitch:
    """What a stretch of speech says about a speaker's fundamental frequency."""

    mean: float
    """Geometric mean over voiced frames, Hz."""
    spread: float
    """Standard deviation over voiced frames, semitones."""
    voiced: float
    """Share of the frames that are voiced, 0..1."""
    seconds: float
    """Voiced speech it was measured on."""


def track(samples: Samples, rate: int, *, step: float = 0.01) -> Track:
    """Fundamental frequency in Hz every ``step`` seconds; 0 where the sound is not voiced."""
    import pyworld

    sound = np.ascontiguousarray(resample(samples, rate, RATE) if rate != RATE else samples, dtype=np.float64)
    if len(sound) < RATE // 20:
        return np.zeros(0)
    # DIO takes digital silence for an error; a dither far below 16 bits keeps it quiet.
    sound = sound + np.random.default_rng(0).normal(scale=1e-6, size=len(sound))
    coarse, times = pyworld.dio(sound, RATE, f0_floor=FLOOR, f0_ceil=CEILING, frame_period=1000 * step)
    hertz = cast(Track, pyworld.stonemask(sound, coarse, times, RATE))
    return _cleaned(hertz, sound, step)


def measure(track: Track, *, step: float = 0.01) -> Pitch | None:
    """Mean, spread and voiced share of a track; None with less than a fifth of a second of voice."""
    voiced = track[track > 0]
    if len(voiced) * step < 0.2:
        return None
    octaves = np.log2(voiced)
    return Pitch(
        mean=float(2 ** octaves.mean()),
        spread=float(12 * octaves.std()),
        voiced=len(voiced) / len(track),
        seconds=len(voiced) * step,
    )


def pitch_of(samples: Samples, rate: int) -> Pitch | None:
    """Mean, spread and voiced share of mono samples; None where hardly anything is voiced."""
    return measure(track(samples, rate))


def semitones(hertz: float, reference: float) -> float:
    """How many semitones a frequency lies above another."""
    return float(12 * np.log2(hertz / reference))


def _cleaned(hertz: Track, sound: npt.NDArray[Any], step: float) -> Track:
    """The track without frames that are quiet or an octave astray."""
    hop = round(step * RATE)
    padded = np.pad(sound**2, (hop, hop + hop * (len(hertz) + 2)))
    sums = np.concatenate(([0.0], np.cumsum(padded)))
    at = np.arange(len(hertz)) * hop
    power = (sums[at + 2 * hop] - sums[at]) / (2 * hop) + 1e-12
    loud = np.percentile(power, 95)
    out = np.where((power > loud * 10 ** (-_QUIET / 10)) & (hertz >= FLOOR) & (hertz <= CEILING), hertz, 0.0)
    voiced = out[out > 0]
    if len(voiced):
        astray = np.abs(12 * np.log2(np.maximum(out, 1e-3) / np.median(voiced))) > _ASTRAY
        out[astray] = 0.0
    return out
