"""How a voice sounds, as far as pitch and long-term spectrum go, and moving another voice toward it.

This matches pitch, range and tilt of a speaker; it does not copy an identity. Band levels are
long-term third-octave averages over speech (centre frequencies of IEC 61260-1), always taken at
16 kHz so that they compare.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from autodub.media import pitch
from autodub.media.sound import Reader, resample
from autodub.model.speech import Tone
from autodub.model.time import Span

Samples = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]

CENTRES: Floats = 1000.0 * 2.0 ** (np.arange(-10, 10) / 3)
"""Hz of the 20 bands: 100 Hz to 8 kHz."""
COMPARED = slice(0, 19)
"""Bands that are compared: the top one reaches past what 16 kHz carries."""
MATERIAL = 30.0
"""Seconds of a speaker that are analysed at most; more changes nothing."""
_FRAME, _HOP = 512, 256
_TAPS = 511


class Analysis:
    """Collects a speaker's spectrum and pitch, stretch by stretch, in bounded memory."""

    def __init__(self) -> None:
        self._power = np.zeros(_FRAME // 2 + 1)
        self._frames = 0
        self._track: list[pitch.Track] = []
        self.seconds = 0.0
        """Speech heard so far."""

    def add(self, samples: Samples, rate: int) -> None:
        """Hear a stretch of mono speech; stretches under 50 ms say nothing and are ignored."""
        sound = resample(samples, rate, pitch.RATE) if rate != pitch.RATE else samples
        if len(sound) < pitch.RATE // 20:
            return
        power = speech_frames(sound)
        self._power += power.sum(axis=0)
        self._frames += len(power)
        self._track.append(pitch.track(sound, pitch.RATE))
        self.seconds += len(sound) / pitch.RATE

    def tone(self) -> Tone | None:
        """The voice heard; None when hardly anything of it was voiced."""
        heard = pitch.measure(np.concatenate(self._track)) if self._track else None
        if heard is None or self._frames == 0:
            return None
        levels = band_levels(self._power / self._frames)
        return Tone(heard.mean, heard.spread, tuple(round(float(level), 2) for level in levels))


def tone_of(samples: Samples, rate: int) -> Tone | None:
    """The tone of a stretch of mono speech; None when hardly anything of it is voiced."""
    analysis = Analysis()
    analysis.add(samples, rate)
    return analysis.tone()


def speaker_tone(path: Path, spans: Iterable[Span]) -> tuple[Tone | None, float]:
    """Tone of whoever speaks in ``spans`` (best first) of a recording, and the seconds it rests on."""
    analysis = Analysis()
    for samples, rate in _stretches(path, spans):
        analysis.add(samples, rate)
        if analysis.seconds >= MATERIAL:
            break
    return analysis.tone(), analysis.seconds


def speech_frames(sound: Samples) -> Floats:
    """Spectra (n, 257) of the 32 ms frames of 16 kHz sound that are within 30 dB of the loudest."""
    if len(sound) < _FRAME:
        sound = np.pad(sound, (0, _FRAME - len(sound)))
    frames = np.lib.stride_tricks.sliding_window_view(sound, _FRAME)[::_HOP]
    energy = np.mean(np.square(frames, dtype=np.float64), axis=1)
    kept = frames[energy > max(np.percentile(energy, 95) * 1e-3, 1e-10)]
    spectrum = np.fft.rfft(kept * np.hanning(_FRAME), axis=1)
    return np.asarray(np.abs(spectrum) ** 2, dtype=np.float64)


def band_levels(power: Floats) -> Floats:
    """Third-octave levels in dB of a power spectrum (257,) at 16 kHz, mean removed."""
    hertz = np.arange(len(power)) * pitch.RATE / _FRAME
    levels = np.empty(len(CENTRES))
    edges = np.concatenate((CENTRES * 2 ** (-1 / 6), CENTRES[-1:] * 2 ** (1 / 6)))
    # Narrow low bands fall between bins: integrate the interpolated spectrum instead of summing bins.
    total = np.concatenate(([0.0], np.cumsum((power[1:] + power[:-1]) / 2 * np.diff(hertz))))
    inside = np.interp(np.minimum(edges, hertz[-1]), hertz, total)
    levels = 10 * np.log10(np.maximum(np.diff(inside), 1e-12))
    return np.asarray(levels - levels[COMPARED].mean())


def correction(own: Tone, wanted: Tone, *, limit: float = 9.0) -> Floats:
    """Gain in dB per band that moves a voice toward another: smoothed, within ``limit``, mean 0."""
    gains = np.subtract(wanted.bands, own.bands)
    gains[-1] = gains[-2]
    # Below the lower of the two fundamentals there is no voice, only room: nothing to copy.
    lowest = int(np.searchsorted(CENTRES, max(own.pitch, wanted.pitch) * 0.9))
    gains[:lowest] = gains[lowest] if lowest < len(gains) else 0.0
    padded = np.pad(gains, 1, mode="edge")
    smooth = 0.25 * padded[:-2] + 0.5 * padded[1:-1] + 0.25 * padded[2:]
    return np.asarray(np.clip(smooth - smooth[COMPARED].mean(), -limit, limit))


def equalize(samples: Samples, rate: int, gains: Floats) -> Samples:
    """Mono samples through a linear-phase FIR of band gains in dB; same length, timing and energy."""
    from scipy.signal import firwin2, oaconvolve

    nyquist = rate / 2
    inside = nyquist > CENTRES
    hertz = np.concatenate(([0.0, CENTRES[0] / 2], CENTRES[inside], [nyquist]))
    edge = gains[inside]
    decibels = np.concatenate(([edge[0], edge[0]], edge, [edge[-1]]))
    grid = np.linspace(0, nyquist, 257)
    octaves = np.log2(np.maximum(hertz, 20.0))
    response = 10 ** (np.interp(np.log2(np.maximum(grid, 20.0)), octaves, decibels) / 20)
    taps = firwin2(_TAPS, grid, response, fs=rate)
    shaped = oaconvolve(samples, taps, mode="same")
    before, after = float(np.sum(np.square(samples, dtype=np.float64))), float(np.sum(shaped**2))
    return np.asarray(shaped * np.sqrt(before / after) if after > 0 else shaped, dtype=np.float32)


def shift(samples: Samples, rate: int, *, by: float, widen: float = 1.0) -> Samples:
    """Mono samples with the fundamental moved ``by`` semitones (at most 4) and its range widened.

    ``widen`` multiplies the spread and is held within 0.7..1.4. WORLD analysis and synthesis: the
    envelope, and with it the timbre, stays. Same length.
    """
    import pyworld

    by, widen = float(np.clip(by, -4, 4)), float(np.clip(widen, 0.7, 1.4))
    sound = np.ascontiguousarray(samples, dtype=np.float64)
    if len(sound) < rate // 20 or float(np.abs(sound).max()) < 1e-4:
        return samples
    sound = sound + np.random.default_rng(0).normal(scale=1e-6, size=len(sound))
    coarse, times = pyworld.dio(sound, rate, f0_floor=pitch.FLOOR, f0_ceil=pitch.CEILING)
    hertz = pyworld.stonemask(sound, coarse, times, rate)
    voiced = hertz > 0
    if not voiced.any():
        return samples
    envelope = pyworld.cheaptrick(sound, hertz, times, rate)
    breath = pyworld.d4c(sound, hertz, times, rate)
    log = np.log2(hertz[voiced])
    moved = np.zeros_like(hertz)
    moved[voiced] = 2 ** ((log - log.mean()) * widen + log.mean() + by / 12)
    out = pyworld.synthesize(moved, envelope, breath, rate)[: len(samples)]
    return np.pad(out, (0, len(samples) - len(out))).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Likeness:
    """How near one voice is to another; 0, 1, 0 is the same."""

    pitch_error: float
    """Difference of the mean fundamentals, semitones; positive when the first is higher."""
    spread_ratio: float
    """Spread of the first's fundamental divided by the second's."""
    spectrum: float
    """Root mean square difference of the third-octave levels, dB."""


def likeness(voice: Tone, speaker: Tone) -> Likeness:
    """Compare a voice with the speaker it stands for."""
    difference = np.subtract(voice.bands, speaker.bands)[COMPARED]
    difference = difference - difference.mean()
    return Likeness(
        pitch_error=pitch.semitones(voice.pitch, speaker.pitch),
        spread_ratio=voice.pitch_spread / max(speaker.pitch_spread, 1e-6),
        spectrum=float(np.sqrt(np.mean(difference**2))),
    )


def _stretches(path: Path, spans: Iterable[Span]) -> Iterator[tuple[Samples, int]]:
    """The sound of the spans, at most ten seconds at a time, channels averaged."""
    with Reader(path) as reader:
        for span in spans:
            start, end = (round(at * reader.rate / 1000) for at in (span.start, span.end))
            for at in range(start, min(end, reader.frames), 10 * reader.rate):
                block: npt.NDArray[Any] = reader.read(at, min(10 * reader.rate, end - at))
                yield block.mean(axis=1, dtype=np.float32), reader.rate
