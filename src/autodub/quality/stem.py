"""The dub as it was delivered: the finished file less its background, found sample by sample at 16 kHz.

The background is what the renderer put into the file besides the dub. A codec may have moved or
coloured the file, so the delay is found by cross-correlation, and what the codec added (measured
where no clip lies) is muted: it must not be taken for speech.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from autodub.dubbing.levels import Cells
from autodub.media.loudness import Meter
from autodub.media.sound import Reader, Samples, Writer
from autodub.model.time import Span, merged, subtract

RATE = 16_000
FRAME = 160
"""10 ms."""
_BLOCK = 2048 * FRAME
_WINDOW = 4 * RATE
_REACH = 1600
"""Largest delay looked for, samples: 100 ms, more than any codec's priming."""
_WINDOWS = 12
_QUIET = 1e-7
"""Mean square below which a background says nothing about delays (-70 dBFS)."""
_HEADROOM = 6.0
"""What is this many dB above the codec's usual residue is no residue."""
_AROUND = 3
"""Frames on each side of a loud one that are kept with it."""


@dataclass(frozen=True, slots=True)
class Alignment:
    """How the background lies in the finished file."""

    delay: int
    """Samples at 16 kHz by which the file lags its background."""
    residue_db: float | None
    """What is left of it after subtraction where no clip lies; None when there is no such place."""
    windows: int
    """Places the delay was found at."""
    steady: bool
    """Whether all of them agree."""
    missed: int
    """Clip-free places with background in which nothing like it is in the file."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """Energies of the delivered parts per 10 ms."""

    alignment: Alignment
    dub: Cells
    """K-weighted energy of the dub."""
    bed: Cells
    """K-weighted energy of the background."""
    frames: int
    """Samples of the stem at 16 kHz."""


def align(finished: Path, bed: Path, *, clips: Sequence[Span]) -> Alignment:
    """Find how the background lies in the finished file (both 16 kHz mono)."""
    with Reader(finished) as whole, Reader(bed) as ground:
        length = min(whole.frames, ground.frames) * 1000 // RATE
        delays: list[int] = []
        missed = 0
        levels: list[float] = []
        for start, frames, is_free in _windows(clips, length=length):
            low = max(0, start - _REACH)
            a, b = whole.read(low, frames + start - low + _REACH)[:, 0], ground.read(start, frames)[:, 0]
            if len(b) < frames // 2 or float(np.mean(np.square(b))) < _QUIET:
                continue
            lag = find_lag(a, b, before=start - low)
            if lag is None:
                missed += is_free
                continue
            delays.append(lag)
            if is_free:
                levels.append(_residue(a, b, at=start - low + lag))
    delay = round(float(np.median(delays))) if delays else 0
    return Alignment(
        delay=delay,
        residue_db=float(np.median(levels)) if levels else None,
        windows=len(delays),
        steady=all(abs(lag - delay) <= 1 for lag in delays),
        missed=missed,
    )


def _windows(clips: Sequence[Span], *, length: int) -> list[tuple[int, int, bool]]:
    """(first sample, samples, free of clips?) of places to look at: long clip-free ones first."""
    spread = [Span(max(0, clip.start - 60), clip.end + 60) for clip in clips]
    free = [gap for gap in subtract([Span(0, length)], merged(spread)) if gap.duration >= 500]
    step = max(1, len(free) // _WINDOWS)
    chosen = sorted(sorted(free, key=lambda gap: -gap.duration)[: 4 * _WINDOWS])[::step][:_WINDOWS]
    if not chosen:
        every = max(4000, length // _WINDOWS)
        return [(at * 16, _WINDOW, False) for at in range(0, length, every)]
    out = []
    for gap in chosen:
        middle, size = (gap.start + gap.end) // 2, min(gap.duration, 4000)
        out.append(((middle - size // 2) * 16, size * 16, True))
    return out


def find_lag(whole: Samples, ground: Samples, *, before: int) -> int | None:
    """Lag of ``whole`` against ``ground`` in samples; None when they are not alike.

    ``whole`` starts ``before`` samples earlier and should reach as far beyond the end.
    """
    a, b = np.diff(whole.astype(np.float64)), np.diff(ground.astype(np.float64))
    size = 1 << (len(a) + len(b)).bit_length()
    likeness = np.fft.irfft(np.fft.rfft(a, size) * np.conj(np.fft.rfft(b, size)), size)
    lags = likeness[: max(1, len(a) - len(b) + 1)]
    best = int(np.argmax(lags))
    power = float(np.dot(b, b)) * float(np.dot(a[best : best + len(b)], a[best : best + len(b)]))
    if power <= 0 or float(lags[best]) < 0.3 * power**0.5:
        return None
    return best - before


def _residue(whole: Samples, ground: Samples, *, at: int) -> float:
    part = whole[max(0, at) : at + len(ground)]
    ground = ground[len(ground) - len(part) :] if at < 0 else ground[: len(part)]
    left = float(np.mean(np.square(part - ground, dtype=np.float64)))
    return 10 * float(
        np.log10(max(left, 1e-14) / max(float(np.mean(np.square(ground, dtype=np.float64))), 1e-14))
    )


def subtract_bed(
    finished: Path,
    bed: Path,
    stem: Path,
    *,
    clips: Sequence[Span],
    check: Callable[[], None] | None = None,
    progress: Callable[[float], None] | None = None,
) -> Delivered:
    """Write the delivered dub to ``stem`` (16 kHz mono) and measure both parts. Streams; bounded memory."""
    alignment = align(finished, bed, clips=clips)
    residue = -20.0 if alignment.residue_db is None else min(-6.0, max(-60.0, alignment.residue_db))
    ratio = 10 ** ((residue + _HEADROOM) / 10)
    voice, ground = Meter(RATE, 1, "mono", peaks=False), Meter(RATE, 1, "mono", peaks=False)
    with (
        Reader(finished) as whole,
        Reader(bed) as background,
        Writer(stem, rate=RATE, channels=1, subtype="FLOAT") as out,
    ):
        for start in range(0, whole.frames, _BLOCK):
            if check is not None:
                check()
            block = whole.read(start, _BLOCK)[:, 0]
            under = _shifted(background, start - alignment.delay, len(block))
            dub = _mute_residue(block - under, under, ratio=ratio)
            out.write(dub)
            voice.add(dub[:, np.newaxis])
            ground.add(under[:, np.newaxis])
            if progress is not None:
                progress((start + len(block)) / whole.frames)
        frames = whole.frames
    return Delivered(alignment, voice.cells(), ground.cells(), frames)


def _shifted(reader: Reader, start: int, frames: int) -> Samples:
    """``frames`` samples from ``start``, which may lie before the file; silence outside it."""
    out = np.zeros(frames, dtype=np.float32)
    first = max(0, start)
    if start + frames > first:
        got = reader.read(first, start + frames - first)[:, 0]
        out[first - start : first - start + len(got)] = got
    return out


def _mute_residue(dub: Samples, under: Samples, *, ratio: float) -> Samples:
    """Silence frames of the difference that are no louder than the codec's residue of the background."""
    count = -(-len(dub) // FRAME)
    short = count * FRAME - len(dub)
    level, ground = (_powers(np.pad(part, (0, short)), count) for part in (dub, under))
    loud = level > ratio * _widest(ground)
    keep = _widest(loud.astype(np.float64)) > 0
    if keep.all():
        return dub
    return dub * np.repeat(keep, FRAME)[: len(dub)].astype(np.float32)


def _powers(samples: Samples, count: int) -> npt.NDArray[np.float64]:
    shaped = samples.reshape(count, FRAME)
    return np.asarray(np.einsum("ij,ij->i", shaped, shaped), dtype=np.float64)


def _widest(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Largest value within three frames on each side."""
    padded = np.pad(values, _AROUND, mode="edge")
    return np.asarray(np.lib.stride_tricks.sliding_window_view(padded, 2 * _AROUND + 1).max(axis=-1))


def edge_levels(
    stem: Path, clips: Sequence[Span | None], *, bed: Cells, residue_db: float | None
) -> list[tuple[float | None, float | None]]:
    """Level of each clip's first and last 10 ms in the delivered dub against the whole clip, dB.

    None for an edge inside another clip, and where the codec's residue alone could reach the bound.
    """
    placed = sorted(clip for clip in clips if clip is not None)
    residue = 10 ** ((-20.0 if residue_db is None else residue_db) / 10)
    out: list[tuple[float | None, float | None]] = []
    with Reader(stem) as reader:
        for clip in clips:
            if clip is None or clip.duration < 40:
                out.append((None, None))
                continue
            samples = reader.read(clip.start * 16, clip.duration * 16)[:, 0]
            whole = float(np.mean(np.square(samples, dtype=np.float64))) if len(samples) else 0.0
            pair: list[float | None] = []
            for first, at in ((0, clip.start), (len(samples) - FRAME, clip.end - 10)):
                taken = sum(other.start < at + 10 and other.end > at for other in _around(placed, clip)) > 1
                cell = min(at // 10, len(bed) - 1)
                hidden = cell >= 0 and float(bed[cell]) * residue > 10**-4.5 * max(whole, 1e-12)
                if taken or hidden or whole <= 0 or first < 0:
                    pair.append(None)
                    continue
                power = float(np.mean(np.square(samples[first : first + FRAME], dtype=np.float64)))
                pair.append(max(-120.0, 10 * float(np.log10(max(power, 1e-24) / whole))))
            out.append((pair[0], pair[1]))
    return out


def _around(placed: Sequence[Span], clip: Span) -> Sequence[Span]:
    at = bisect_left(placed, clip)
    return placed[max(0, at - 4) : at + 5]
