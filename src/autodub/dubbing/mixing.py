"""Mixing decisions: where the background takes over, how loud each line is, how loud the whole.

Pure: times, energies and decibels in, curves and decibels out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from autodub.model.media import Clip
from autodub.model.time import Span, merged, padded, subtract

PAD_BEFORE, PAD_AFTER, JOIN, EDGE = 80, 150, 150, 25
"""Gate around speech, ms: kept before, kept after, gaps shorter than this are closed, cross-fade."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A curve over the programme given by its corners, straight between them, level outside.

    Evaluated for any range of samples, so that a two-hour curve costs only its corners.
    """

    at: npt.NDArray[np.int64]
    """Samples of the corners, not decreasing; may lie outside the programme."""
    value: npt.NDArray[np.float64]

    def constant(self, start: int, frames: int) -> float | None:
        """The one value on ``[start, start + frames)``, or None when the curve moves there."""
        if not len(self.at):
            return 0.0
        low = max(0, int(np.searchsorted(self.at, start, side="right")) - 1)
        high = min(len(self.at), int(np.searchsorted(self.at, start + frames - 1, side="left")) + 1)
        values = self.value[low:high]
        return float(values[0]) if (values == values[0]).all() else None

    def evaluate(self, start: int, frames: int) -> npt.NDArray[np.float64]:
        """The curve's ``frames`` values from sample ``start``."""
        level = self.constant(start, frames)
        if level is not None:
            return np.full(frames, level)
        low = max(0, int(np.searchsorted(self.at, start, side="right")) - 1)
        high = int(np.searchsorted(self.at, start + frames - 1, side="left")) + 1
        where = np.arange(start, start + frames)
        return np.interp(where, self.at[low:high], self.value[low:high])

    def weights(self, start: int, frames: int) -> npt.NDArray[np.float32]:
        """The same, bent into a raised cosine: ``(1 - cos(pi·x)) / 2``; 0 and 1 stay exact."""
        out = self.evaluate(start, frames)
        moving = np.flatnonzero((out > 0) & (out < 1))
        out[moving] = 0.5 - 0.5 * np.cos(np.pi * out[moving])
        return out.astype(np.float32)

    def gains(self, start: int, frames: int) -> npt.NDArray[np.float32]:
        """The same, read as attenuation in dB: ``10^(-x/20)``; 0 dB is exactly 1."""
        return (10.0 ** (self.evaluate(start, frames) / -20.0)).astype(np.float32)


def gate_spans(speech: Iterable[Span], *, keep: Iterable[Span], limit: int) -> tuple[Span, ...]:
    """Where the original voice has to go, ms: speech, padded and joined, without what is kept as it is."""
    grown = padded(speech, before=PAD_BEFORE, after=PAD_AFTER, limit=limit)
    return subtract(merged(grown, gap=JOIN - 1), keep)


def gate(spans: Sequence[Span], *, rate: int, frames: int) -> Envelope:
    """The gate's curve: 0 outside the spans, exactly; 1 inside, with edges that lie inside the span.

    A span that begins or ends with the programme has no edge there. Use :meth:`Envelope.weights`.
    """
    at: list[int] = []
    value: list[float] = []
    for span in spans:
        start, end = span.start * rate // 1000, -(-span.end * rate // 1000)
        edge = min(EDGE * rate // 1000, (min(end, frames) - start) // 2)
        rise = [(start, 0.0), (start + edge, 1.0)] if start > 0 else [(0, 1.0)]
        fall = [(end - edge, 1.0), (end, 0.0)] if end < frames else [(frames, 1.0)]
        for corner, level in rise + fall:
            at.append(corner)
            value.append(level)
    return Envelope(np.array(at, dtype=np.int64), np.array(value, dtype=np.float64))


def line_gains(
    source: Sequence[float], dub: Sequence[float], speakers: Sequence[str], *, limit: float = 9.0
) -> tuple[float, ...]:
    """Gain per line in dB that brings the dub to the source's level.

    The median difference of all lines (a recording much quieter than synthetic voices, say) is taken in
    full. What a line differs from it counts by half, ``limit`` dB at most either way, and by half the
    median of its speaker's lines: shouts stay loud and whispers quiet, and one bad measurement cannot
    jump. Unmeasurable lines (``-inf``) take their speaker's median.
    """
    apart = [
        there - here if math.isfinite(there) and math.isfinite(here) else None
        for there, here in zip(source, dub, strict=True)
    ]
    common = float(np.median([value for value in apart if value is not None] or [0.0]))
    own = [None if value is None else min(limit, max(-limit, value - common)) for value in apart]
    middles: dict[str, float] = {}
    for speaker in set(speakers):
        known = [gain for gain, who in zip(own, speakers, strict=True) if who == speaker and gain is not None]
        middles[speaker] = float(np.median(known)) if known else 0.0
    return tuple(
        common + (middles[speaker] if gain is None else 0.5 * gain + 0.5 * middles[speaker])
        for gain, speaker in zip(own, speakers, strict=True)
    )


def ceiling(source_peak: float) -> float:
    """True peak the mix may reach, as an amplitude: the source's own (dBTP), within -1 and 0 dBTP."""
    return float(10 ** (min(0.0, max(-1.0, source_peak)) / 20))


def limited(
    peaks: npt.NDArray[np.float64], *, gain: float, room: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Factor on the dub's power per cell after ``gain`` dB and a limiter that lets it rise to ``room``.

    An estimate from the sample peaks per cell; a limiter reaches into the neighbouring cells.
    """
    from scipy.ndimage import convolve1d

    amplitude = 10 ** (gain / 20)
    kept = np.clip(room / np.maximum(peaks * amplitude, 1e-9), 0.05, 1.0)
    return np.asarray(np.square(amplitude * convolve1d(kept, [0.25, 0.5, 0.25], mode="nearest")))


@dataclass(frozen=True, slots=True)
class Levelling:
    """How the programme reaches its loudness."""

    dub: float
    """Gain of all lines, dB."""
    programme: float
    """Gain of everything, dB; 0 keeps the source bit for bit outside speech."""
    loudness: float
    """Loudness expected then, LUFS."""


def levelling(
    loudness: Callable[[float], float],
    *,
    target: float,
    source_peak: float,
    explicit: bool,
    reach: float = 6.0,
) -> Levelling:
    """Choose the gains that bring the programme to ``target`` LUFS.

    ``loudness`` predicts the programme's loudness for a gain of the dub. Matching the source first
    moves only the dub, by at most ``reach`` dB (once it is 0.2 LU off, to within 0.1), and touches
    the programme only when it is still more than 0.5 LU off; an explicit target is reached by the
    programme's gain alone. That gain never lifts the source's true peak (dBTP) above -1;
    a source it could not match for that reason is left as it is.
    """
    dub = 0.0
    expected = loudness(0.0)
    if not (math.isfinite(target) and math.isfinite(expected)):
        return Levelling(0.0, 0.0, expected)
    if not explicit and abs(expected - target) > 0.2:
        edge = reach if expected < target else -reach
        goal = target + (-0.1 if edge > 0 else 0.1)
        low, high = sorted((0.0, edge))
        dub = edge
        if (loudness(edge) - goal) * edge > 0:
            for _ in range(12):
                dub = 0.5 * (low + high)
                low, high = (dub, high) if loudness(dub) < goal else (low, dub)
        if abs(loudness(dub) - target) > abs(expected - target):
            dub = 0.0
        expected = loudness(dub)
    gain = 0.0
    if explicit or abs(expected - target) > 0.5:
        gain = min(target - expected, max(0.0, -1.0 - source_peak))
        if not explicit and abs(expected + gain - target) > 0.5:
            gain = 0.0  # a source left bit for bit is worth more than missing the target by less
    return Levelling(dub, gain, expected + gain)


def fitted_frames(clip: Clip, *, stretch: float, pauses: Sequence[tuple[int, int]], rate: int) -> int:
    """Samples at ``rate`` a clip occupies after stretching and with its pauses: what Placement.frames is.

    Pauses count in samples at ``rate``; a negative one takes samples out.
    """
    spoken = round(clip.audio.frames * rate / (clip.audio.rate * stretch))
    return spoken + sum(samples for _, samples in pauses)
