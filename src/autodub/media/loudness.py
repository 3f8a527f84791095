"""Loudness and true peak of sound that streams by, block by block (ITU-R BS.1770-4).

The meter never holds more than a second of sound: it keeps the K-weighted energy per 10 ms, from
which every loudness figure follows (:mod:`autodub.dubbing.levels`).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from autodub.dubbing import channels as layouts
from autodub.dubbing import levels as arithmetic
from autodub.dubbing.levels import Cells, decibels
from autodub.media.sound import Samples

_RINGING = 0.1
"""Seconds after which less than 1e-9 is left of the weighting's answer to an impulse, at every rate."""
_BLOCK = 1 << 19
"""Samples of a block, all channels together."""
_BATCH = 8
"""Stretches weighted at a time, so that copies stay small."""
_HALF = 12
"""Samples on each side that an interpolated value depends on."""
_FFT = 1024
_SEGMENT = _FFT - 2 * _HALF + 1


@functools.lru_cache(maxsize=16)
def weighting(rate: int) -> npt.NDArray[np.float64]:
    """K-weighting for any sample rate as two second-order sections, shape ``(2, 6)``.

    The analogue prototypes behind the coefficients BS.1770-4 tabulates for 48 kHz (a +4 dB shelf
    around 1682 Hz and a high-pass at 38 Hz), taken to ``rate`` by the bilinear transform.
    """
    k = math.tan(math.pi * 1681.974450955533 / rate)
    q = 0.7071752369554196
    high = 10 ** (3.999843853973347 / 20)
    middle = high**0.4996667741545416
    scale = 1 + k / q + k * k
    shelf = [
        (high + middle * k / q + k * k) / scale,
        2 * (k * k - high) / scale,
        (high - middle * k / q + k * k) / scale,
        1.0,
        2 * (k * k - 1) / scale,
        (1 - k / q + k * k) / scale,
    ]
    k = math.tan(math.pi * 38.13547087602444 / rate)
    q = 0.5003270373238773
    scale = 1 + k / q + k * k
    passing = [1.0, -2.0, 1.0, 1.0, 2 * (k * k - 1) / scale, (1 - k / q + k * k) / scale]
    return np.array([shelf, passing])


class Weighting:
    """K-weighting of sound that streams by.

    The recursion is done as a convolution with its own answer to an impulse, by overlap-save. In single
    precision (140 dB below the loudest of a stretch) that takes half the time of recursion in double, and
    it needs no ``scipy.signal``, which takes longer to load than a short edit takes to render.
    """

    def __init__(self, rate: int, channels: int) -> None:
        self._size, self._response, memory = _response(rate)
        self._past: Samples = np.zeros((channels, memory), dtype=np.float32)
        self._step = self._size - memory

    def add(self, sound: Samples) -> Iterator[Samples]:
        """Take the next ``(channels, n)`` samples, give them weighted, in parts."""
        most = _BATCH * self._step
        for start in range(0, sound.shape[1], most):
            part = sound[:, start : start + most]
            yield self._weighted(part)

    def _weighted(self, part: Samples) -> Samples:
        import scipy.fft

        memory, frames = self._past.shape[1], part.shape[1]
        if not (part.any() or self._past.any()):  # a dub is silence for the most part
            return np.zeros(part.shape, dtype=np.float32)
        count = -(-frames // self._step)
        line = np.zeros((len(part), memory + count * self._step), dtype=np.float32)
        line[:, :memory] = self._past
        line[:, memory : memory + frames] = part
        self._past = line[:, frames : frames + memory].copy()
        parts = np.lib.stride_tricks.sliding_window_view(line, self._size, axis=1)[:, :: self._step]
        spectra = scipy.fft.rfft(parts)
        spectra *= self._response
        out = scipy.fft.irfft(spectra, self._size, overwrite_x=True)[..., memory:]
        return np.asarray(out.reshape(len(part), -1)[:, :frames])


@functools.lru_cache(maxsize=4)
def _response(rate: int) -> tuple[int, npt.NDArray[np.complex64], int]:
    """Length of a transform, the weighting's spectrum at that length, and samples it remembers."""
    memory = round(_RINGING * rate)
    size = 1 << (4 * memory - 1).bit_length()
    # An impulse through both sections as Python floats: it is done once for a sample rate.
    line = [1.0, *([0.0] * memory)]
    for b0, b1, b2, _, a1, a2 in weighting(rate).tolist():
        first = second = 0.0  # transposed direct form II
        for at, value in enumerate(line):
            line[at] = answer = b0 * value + first
            first, second = b1 * value - a1 * answer + second, b2 * value - a2 * answer
    return size, np.fft.rfft(np.array(line), size).astype(np.complex64), memory


def oversampling(rate: int) -> int:
    """How often a signal is interpolated to find its true peak: to 192 kHz at least, where 4x is enough."""
    return 4 if rate < 96_000 else 2 if rate < 192_000 else 1


@functools.lru_cache(maxsize=4)
def _interpolators(factor: int) -> tuple[npt.NDArray[np.complex64], float]:
    """Spectra ``(factor - 1, bins)`` of the filters between two samples, and their largest L1 norm."""
    import scipy.fft

    taps = np.arange(-_HALF + 1, _HALF + 1)
    window_at = np.arange(1, factor)[:, np.newaxis] / factor
    offset = taps - window_at
    shape = np.i0(6.0 * np.sqrt(np.maximum(0.0, 1 - (offset / _HALF) ** 2))) / np.i0(6.0)
    rows = np.sinc(offset) * shape
    rows /= rows.sum(axis=1, keepdims=True)
    spectra = scipy.fft.rfft(rows[:, ::-1].astype(np.float32), _FFT)
    return np.asarray(spectra), float(np.abs(rows).sum(axis=1).max())


def _between(segments: Samples, factor: int) -> Samples:
    """Largest magnitude between each sample and the next, from sample 11 on; ``(m, 1024) -> (m, 1001)``."""
    import scipy.fft

    filters, _ = _interpolators(factor)
    spectra = scipy.fft.rfft(segments)
    out = np.zeros((len(segments), _SEGMENT), dtype=np.float32)
    for row in filters:
        values = np.asarray(scipy.fft.irfft(spectra * row, _FFT))[:, 2 * _HALF - 1 :]
        np.maximum(out, np.abs(values), out=out)
    return out


def peak_envelope(samples: Samples, rate: int) -> Samples:
    """True-peak magnitude per sample, ``(n,) -> (n,)``: itself, and what lies between it and the next."""
    out = np.abs(samples)
    factor = oversampling(rate)
    if factor == 1 or not len(samples):
        return out
    count = -(-len(samples) // _SEGMENT)
    padded = np.zeros(count * _SEGMENT + 2 * _HALF - 1, dtype=np.float32)
    padded[_HALF - 1 : _HALF - 1 + len(samples)] = samples
    segments = np.lib.stride_tricks.sliding_window_view(padded, _FFT)[::_SEGMENT]
    between = _between(segments, factor).reshape(-1)[: len(samples)]
    return np.maximum(out, between)


class TruePeak:
    """Largest true peak of sound that streams by, exact for its interpolator.

    A stretch is only interpolated when its sample peak times the interpolator's L1 norm could beat the
    largest peak so far, which leaves most of a programme alone.
    """

    def __init__(self, rate: int, channels: int) -> None:
        self._factor = oversampling(rate)
        self._rest: Samples = np.zeros((channels, _HALF - 1), dtype=np.float32)
        self._peak = 0.0

    def add(self, block: Samples) -> None:
        """Take the next ``(n, channels)`` frames."""
        if not len(block):
            return
        self._peak = max(self._peak, float(block.max()), -float(block.min()))
        if self._factor == 1:
            return
        line = np.concatenate([self._rest, block.T], axis=1)
        count = (line.shape[1] - 2 * _HALF + 1) // _SEGMENT
        if count > 0:
            self._search(line, count)
        self._rest = line[:, max(0, count) * _SEGMENT :]

    def value(self) -> float:
        """The peak so far as an amplitude; what is still in the pipe is taken as followed by silence."""
        if self._factor > 1 and self._rest.shape[1]:
            line = np.pad(self._rest, ((0, 0), (0, _FFT)))
            self._search(line, -(-self._rest.shape[1] // _SEGMENT))
        return self._peak

    def _search(self, line: Samples, count: int) -> None:
        views = np.lib.stride_tricks.sliding_window_view(line, _FFT, axis=1)[:, ::_SEGMENT][:, :count]
        views = views.reshape(-1, _FFT)
        bounds = np.maximum(views.max(axis=1), -views.min(axis=1)) * _interpolators(self._factor)[1]
        order = np.argsort(-bounds)
        for first in range(0, len(order), 16):
            batch = order[first : first + 16]
            batch = batch[bounds[batch] > self._peak]
            if not len(batch):
                return
            self._peak = max(self._peak, float(_between(views[batch], self._factor).max()))


class Meter:
    """Loudness, true peak and clipped samples of a programme that streams by.

    ``layout`` is ffmpeg's name of the channel layout; it decides the channel weights (no LFE,
    surrounds 1.41). ``peaks=False`` leaves the true peak out, where only loudness is asked for.
    """

    def __init__(self, rate: int, channels: int, layout: str = "", *, peaks: bool = True) -> None:
        self.rate = rate
        self.frames = 0
        self.clipped = 0
        """Samples beyond full scale, all channels."""
        self._weights = layouts.weights(layout, channels)
        self._heard = np.flatnonzero(self._weights)
        self._weighting = Weighting(rate, len(self._heard))
        self._cells: list[Cells] = []
        self._done = 0
        self._carry = 0.0
        self._peak = TruePeak(rate, channels) if peaks else None

    def add(self, block: Samples) -> None:
        """Take the next ``(n, channels)`` frames."""
        for weighted in self._weighting.add(block.T[self._heard]):
            self._weigh(weighted)
        if self._peak is not None:
            self._peak.add(block)
            if len(block) and max(float(block.max()), -float(block.min())) > 1.0:
                self.clipped += int(np.count_nonzero(np.abs(block) > 1.0))

    def cells(self) -> Cells:
        """Weighted mean square per 10 ms so far, ``(k,)``; an unfinished last cell counts by its part."""
        begun = self.frames - self._edge(self._done)
        tail = [np.array([self._carry / begun])] if begun > 0 else []
        return np.concatenate([*self._cells, *tail]) if self._cells or tail else np.zeros(0)

    def integrated(self) -> float:
        """Programme loudness, LUFS; ``-inf`` for silence."""
        return arithmetic.integrated(self.cells())

    def momentary(self) -> npt.NDArray[np.float64]:
        """Loudness of 400-ms blocks, one per 100 ms, LUFS."""
        return _lufs(arithmetic.momentary(self.cells()))

    def short_term(self) -> npt.NDArray[np.float64]:
        """Loudness of 3-s windows, one per 100 ms, LUFS."""
        return _lufs(arithmetic.short_term(self.cells()))

    def true_peak(self) -> float:
        """Largest true peak, dBTP; ``-inf`` for silence or when not asked for."""
        return decibels(self._peak.value()) if self._peak is not None else -math.inf

    def _edge(self, cell: int) -> int:
        """First sample of a cell."""
        return (2 * cell * self.rate + 100) // 200

    def _weigh(self, weighted: Samples) -> None:
        frames = weighted.shape[1]
        power = np.square(weighted[0], dtype=np.float64)  # summed by hand: a BLAS would start threads for it
        for row, weight in zip(weighted[1:], self._weights[self._heard][1:], strict=True):
            power += weight * np.square(row, dtype=np.float64)
        done = self._done
        last = (self.frames + frames) * 100 // self.rate + 1
        numbers = np.arange(done + 1, last + 1)
        edges = (2 * numbers * self.rate + 100) // 200
        edges = edges[edges <= self.frames + frames]
        inside = edges - self.frames
        self.frames += frames
        if not len(inside):
            self._carry += float(power.sum())
            return
        starts = np.concatenate([[0], inside[:-1]])
        sums = np.add.reduceat(power[: inside[-1]], starts)
        sums[0] += self._carry
        self._carry = float(power[inside[-1] :].sum())
        self._done += len(inside)
        lengths = np.diff(np.concatenate([[self._edge(done)], edges]))
        self._cells.append(sums / lengths)


def block_frames(channels: int) -> int:
    """Frames of a programme worth taking at a time. The same blocks give the same cells, to the last bit."""
    return max(4096, _BLOCK // channels)


def cells(samples: Samples, rate: int) -> Cells:
    """Weighted mean square per 10 ms of a short mono sound ``(n,)``."""
    meter = Meter(rate, 1, "mono", peaks=False)
    meter.add(samples[:, np.newaxis])
    return meter.cells()


def _lufs(blocks: Cells) -> npt.NDArray[np.float64]:
    with np.errstate(divide="ignore"):
        return np.asarray(-0.691 + 10.0 * np.log10(blocks))
