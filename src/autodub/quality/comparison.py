"""The decoded output beside the source's mix: loudness of both, and the null test, in one reading."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from autodub.dubbing import levels
from autodub.dubbing.levels import Cells
from autodub.media.loudness import Meter, block_frames
from autodub.media.sound import Reader, Samples
from autodub.model.time import Span, merged, padded, subtract
from autodub.quality.stem import find_lag

_INSET = 50
"""Codecs smear; a quiet stretch is compared without this much at its ends, ms."""
_REACH = 0.05
"""Largest lag looked for, s."""
_LEAST = 200
"""Programme time a null test needs, ms."""
BIT_EXACT = -200.0


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the decoded output and the source's mix have in common. Loudness in LUFS, peaks in dBTP."""

    output: Cells
    source: Cells
    output_lufs: float
    source_lufs: float
    output_peak_dbtp: float
    clipped: int
    """Samples of the decoded output beyond full scale."""
    output_frames: int
    source_frames: int
    null_db: float | None
    """Difference where nothing was done, dB re source; -200 = bit for bit; None = nowhere to compare."""
    level_db: float | None
    """Level of the output against the source there, dB."""
    quiet_ms: int
    """Programme time compared."""
    alike: bool
    """Whether both have the same sample rate and channels."""
    lag: int
    """Samples by which the output lags its source; undone for the null test."""


class _Null:
    """Sums over the stretches in which the output should be the source times one gain."""

    def __init__(self, spans: Sequence[Span], rate: int) -> None:
        self._edges = [(span.start * rate // 1000, span.end * rate // 1000) for span in spans]
        self._next = 0
        self.out = self.both = self.mix = 0.0
        self.is_exact = True
        self.frames = 0

    def add(self, start: int, out: Samples, mix: Samples) -> None:
        """Take the next block, the first sample of which is ``start``."""
        end = start + min(len(out), len(mix))
        at = self._next
        while at < len(self._edges) and self._edges[at][0] < end:
            low, high = max(self._edges[at][0], start), min(self._edges[at][1], end)
            if high > low:
                a = out[low - start : high - start].astype(np.float64).ravel()
                b = mix[low - start : high - start].astype(np.float64).ravel()
                self.out += _dot(a, a)
                self.both += _dot(a, b)
                self.mix += _dot(b, b)
                self.is_exact = self.is_exact and bool((a == b).all())
                self.frames += high - low
            if self._edges[at][1] <= end:
                self._next = at + 1
            at += 1

    def result(self, gain: float | None) -> tuple[float | None, float | None]:
        """(null, level) in dB; ``gain`` None = the gain that fits best."""
        if self.mix <= 0:
            return None, None
        level = 10 * math.log10(max(self.out, 1e-14 * self.mix) / self.mix)
        if self.is_exact:
            return BIT_EXACT, level
        g = self.both / self.mix if gain is None else gain
        rest = max(self.out - 2 * g * self.both + g * g * self.mix, 1e-14 * self.mix)
        return 10 * math.log10(rest / self.mix), level


def _find_lag(out: Reader, mix: Reader, quiet: Sequence[Span]) -> int:
    """Samples by which the output lags the mix, seen where nothing was done; 0 where that cannot be told."""
    longest = max(quiet, key=lambda span: span.duration, default=Span(0, 0))
    reach = round(_REACH * out.rate)
    first = longest.start * out.rate // 1000
    frames = min(longest.duration * out.rate // 1000, 4 * out.rate)
    if frames < 4 * reach:
        return 0
    low = max(0, first - reach)
    window = out.read(low, first - low + frames + reach).mean(axis=1)
    return find_lag(window, mix.read(first, frames).mean(axis=1), before=first - low) or 0


def _from(reader: Reader, start: int, frames: int) -> Samples:
    """A block from ``start``, which may lie before the file; silence before it."""
    before = min(frames, max(0, -start))
    got = reader.read(max(0, start), frames - before)
    return np.pad(got, ((before, 0), (0, 0)))


def _dot(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> float:
    """Inner product on this thread: a threaded BLAS spins its other threads for nothing here."""
    return float(np.einsum("i,i->", a, b))


def compare(
    output: Path,
    source: Path,
    *,
    layout: str,
    source_layout: str,
    altered: Sequence[Span],
    gain: float | None,
    known: Cells | None = None,
    check: Callable[[], None] | None = None,
    progress: Callable[[float], None] | None = None,
) -> Comparison:
    """Read both files once, side by side.

    ``altered`` are the stretches changed on purpose; ``gain`` is the programme's one gain as a
    factor (None = find it); ``known`` are the source's cells where they were metered before. Files of
    different rate or channels are metered but not subtracted.
    """
    with Reader(output) as out, Reader(source) as mix:
        alike = out.rate == mix.rate and out.channels == mix.channels
        quiet = _quiet(altered, length=min(out.frames, mix.frames) * 1000 // out.rate) if alike else ()
        lag = _find_lag(out, mix, quiet) if alike else 0
        null = _Null(quiet, out.rate)
        meter = Meter(out.rate, out.channels, layout)
        below = Meter(mix.rate, mix.channels, source_layout, peaks=False)
        size, step = block_frames(out.channels), block_frames(mix.channels)
        for number in range(max(-(-out.frames // size), -(-mix.frames // step))):
            if check is not None:
                check()
            a, b = out.read(number * size, size), mix.read(number * step, step)
            meter.add(a)
            if known is None:
                below.add(b)
            if alike:
                null.add(number * size, a if lag == 0 else _from(out, number * size + lag, size), b)
            if progress is not None:
                progress(min(1.0, (number + 1) * size / max(1, out.frames)))
        cells = below.cells() if known is None else known
        compared = null.frames * 1000 // out.rate
        null_db, level_db = null.result(gain) if compared >= _LEAST else (None, None)
        return Comparison(
            output=meter.cells(),
            source=cells,
            output_lufs=meter.integrated(),
            source_lufs=levels.integrated(cells),
            output_peak_dbtp=meter.true_peak(),
            clipped=meter.clipped,
            output_frames=out.frames,
            source_frames=mix.frames,
            null_db=null_db,
            level_db=level_db,
            quiet_ms=compared,
            alike=alike,
            lag=lag,
        )


def _quiet(altered: Sequence[Span], *, length: int) -> tuple[Span, ...]:
    free = subtract([Span(0, length)], altered)
    edges = [
        (s.start + _INSET if s.start > 0 else 0, s.end - _INSET if s.end < length else length) for s in free
    ]
    return tuple(Span(a, b) for a, b in edges if b > a)


def altered_on_purpose(speech: Sequence[Span], clips: Sequence[Span], *, limit: int) -> tuple[Span, ...]:
    """Where a dub may differ from its source when nobody kept a record: speech, clips, ducks."""
    return merged(
        (
            *padded(speech, before=100, after=170, limit=limit),
            *padded(clips, before=300, after=950, limit=limit),
        ),
        gap=150,
    )
