"""The spectral cap: taking a voice out of a mix with what the gaps between speech teach, no weights.

Where nobody speaks the mix *is* the background. Its power per frequency is learned there (median over
the frames of the gaps nearby), and while somebody speaks no frequency of the dialogue-bearing channel
may exceed it; the phase stays. In stereo that channel is the middle, ``(L + R) / 2``, and the side
passes; with a centre it is the centre. What is quieter than the voice survives, a faint ghost of the
voice remains, and effects that sound only during speech are lost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from autodub.dubbing import channels as layouts
from autodub.dubbing.mixing import gate_spans
from autodub.media.sound import Reader, Samples, Writer
from autodub.model.time import Span

_WINDOW = 2048 / 48_000
"""Length of an analysis frame, s; rounded to a power of two in samples."""
_MEAN_OVER_MEDIAN = 1 / np.log(2)
"""Of an exponentially distributed power, as that of noise in one frequency bin is: 1.44."""
_FEW, _NEAREST, _MANY = 20, 30, 200
"""With fewer frames than _FEW nearby the _NEAREST are taken; more than _MANY teach nothing new."""
_LEAST = 8
"""Frames of gap below which nothing is learned at all."""
_BLOCK = 1 << 18
_FALLBACK = np.float32(10 ** (-15 / 20))


@dataclass(frozen=True, slots=True)
class Capped:
    """What was done."""

    frames: int
    learned: bool
    """False when there was no gap to learn from and the voice was only lowered by 15 dB."""


def cap(
    mix: Path,
    out: Path,
    *,
    spans: Sequence[Span],
    layout: str,
    window: float = 8.0,
    makeup: float = 2.5,
    erode: int = 80,
    progress: Callable[[float], None] | None = None,
) -> Capped:
    """Write the background of ``mix`` to ``out`` (float32, same rate, channels and frames).

    ``spans`` is where people speak, unpadded; outside the gate around them ``out`` is the mix itself.
    ``window`` is how far around a moment the background is learned, s; ``makeup`` the gain in dB that
    gives back what the cap takes from the background; ``erode`` how far from the gate learning starts,
    ms, so that reverberation is not taken for background.
    """
    with Reader(mix) as reader:
        gates = gate_spans(spans, keep=(), limit=-(-reader.frames * 1000 // max(1, reader.rate)))
        edges = [(g.start * reader.rate // 1000, -(-g.end * reader.rate // 1000)) for g in gates]
        grid = _Grid(reader, layouts.speech_channels(layout, reader.channels))
        quiet = grid.outside(edges, erode=erode * reader.rate // 1000)
        learned = len(quiet) >= _LEAST
        floor = _Floor(grid, quiet, reach=round(window * reader.rate / grid.hop))
        with Writer(out, rate=reader.rate, channels=reader.channels) as writer:
            for start in range(0, reader.frames, _BLOCK):
                block = reader.read(start, _BLOCK)
                for first, end in edges:
                    low, high = max(first, start), min(end, start + len(block))
                    if high <= low:
                        continue
                    part = block[low - start : high - start]
                    if learned:
                        change = _change(grid, floor, low, high, gain=10 ** (makeup / 20))
                        for channel in grid.channels:
                            part[:, channel] += change
                    else:
                        part[:, list(grid.channels)] *= _FALLBACK
                writer.write(block)
                if progress is not None:
                    progress(min(1.0, (start + _BLOCK) / reader.frames))
        return Capped(reader.frames, learned or not gates)


def _change(grid: _Grid, floor: _Floor, low: int, high: int, *, gain: float) -> Samples:
    """What has to be added to the channel on ``[low, high)``: capped minus original."""
    half = grid.size // 2
    first, last = (low - half) // grid.hop + 1, -(-(high + half) // grid.hop) - 1
    sound = grid.sound(first, last)
    spectra = grid.spectra(np.lib.stride_tricks.sliding_window_view(sound, grid.size)[:: grid.hop])
    power = np.square(spectra.real) + np.square(spectra.imag)
    limit = floor.between(first, last)
    np.maximum(power, np.float32(1e-30), out=power)
    np.divide(limit, power, out=power)
    np.minimum(power, np.float32(1.0), out=power)
    np.sqrt(power, out=power)
    capped = grid.together(spectra * power)
    begin = low - (first * grid.hop - half)
    here = slice(begin, begin + high - low)
    return np.asarray(np.float32(gain) * capped[here] - sound[here], dtype=np.float32)


class _Grid:
    """Analysis frames of the dialogue-bearing channel, numbered over the whole programme.

    Frame ``k`` is centred on sample ``k·hop``; beyond the ends of the programme there is silence.
    """

    def __init__(self, reader: Reader, channels: tuple[int, ...]) -> None:
        self._reader = reader
        self.rate = reader.rate
        self.channels = channels
        self.size = int(2 ** max(7, round(np.log2(_WINDOW * reader.rate))))
        self.hop = self.size // 4
        turn = 2 * np.pi * np.arange(self.size) / self.size
        self._hann = (0.5 - 0.5 * np.cos(turn)).astype(np.float32)

    def outside(self, edges: Sequence[tuple[int, int]], *, erode: int) -> npt.NDArray[np.int64]:
        """Frames wholly within the programme and at least ``erode`` samples off the edges."""
        half, found, begin = self.size // 2, [], -erode
        for first, end in [*edges, (self._reader.frames + erode, 0)]:
            low = max(half, begin + erode)
            high = min(self._reader.frames - half, first - erode)
            found.append(np.arange(-(-low // self.hop), high // self.hop + 1 if high >= low else 0))
            begin = end
        return np.concatenate(found).astype(np.int64)

    def sound(self, first: int, last: int) -> Samples:
        """The samples frames ``first`` to ``last`` stand on."""
        begin, end = first * self.hop - self.size // 2, last * self.hop + self.size // 2
        low, high = max(0, begin), min(self._reader.frames, end)
        out = np.zeros(end - begin, dtype=np.float32)
        if high > low:
            block = self._reader.read(low, high - low)[:, list(self.channels)]
            for channel in range(block.shape[1]):
                out[low - begin : high - begin] += block[:, channel] / block.shape[1]
        return out

    def spectra(self, frames: Samples) -> npt.NDArray[np.complex64]:
        """Spectra ``(n, bins)`` of frames ``(n, size)``."""
        import scipy.fft

        return np.asarray(scipy.fft.rfft(frames * self._hann, overwrite_x=True))

    def together(self, spectra: npt.NDArray[np.complex64]) -> Samples:
        """Overlap-add with the same window; Hann squared at a quarter's hop sums to 3/2."""
        import scipy.fft

        frames = np.asarray(scipy.fft.irfft(spectra, self.size, overwrite_x=True)) * (self._hann / 1.5)
        rows = frames.reshape(len(frames), 4, self.hop)
        out = np.zeros((len(frames) + 3, self.hop), dtype=np.float32)
        for quarter in range(4):
            out[quarter : quarter + len(frames)] += rows[:, quarter]
        return out.reshape(-1)


class _Floor:
    """Power of the background per bin, learned around each second and interpolated between."""

    def __init__(self, grid: _Grid, quiet: npt.NDArray[np.int64], *, reach: int) -> None:
        self._grid = grid
        self._quiet = quiet
        self._reach = reach
        self._step = max(1, round(grid.rate / grid.hop))
        self._rows: dict[int, Samples] = {}
        """Power spectra of the frames the last answer rests on."""
        self._points: dict[int, Samples] = {}

    def between(self, first: int, last: int) -> Samples:
        """Power ``(frames, bins)`` for frames ``first`` to ``last``."""
        frames = np.arange(first, last + 1)
        seconds = frames // self._step
        out = []
        for second in np.unique(seconds):
            share = ((frames[seconds == second] % self._step) / self._step).astype(np.float32)[:, np.newaxis]
            low, high = self._point(int(second)), self._point(int(second) + 1)
            out.append(low + share * (high - low))
        for old in [point for point in self._points if point < seconds[-1]]:
            del self._points[old]
        return np.concatenate(out)

    def _point(self, second: int) -> Samples:
        if second not in self._points:
            rows = self._learn(self._chosen(second * self._step))
            self._points[second] = np.median(rows, axis=0) * np.float32(_MEAN_OVER_MEDIAN)
        return self._points[second]

    def _chosen(self, centre: int) -> npt.NDArray[np.int64]:
        """Frames to learn from around a frame, thinned to a stable subset where there are many."""
        low, high = np.searchsorted(self._quiet, [centre - self._reach, centre + self._reach + 1])
        if high - low < _FEW:
            near = int(np.searchsorted(self._quiet, centre))
            about = np.arange(max(0, near - _NEAREST), min(len(self._quiet), near + _NEAREST))
            order = np.argsort(np.abs(self._quiet[about] - centre), kind="stable")[:_NEAREST]
            return self._quiet[np.sort(about[order])]
        stride = 1
        while (high - low) // stride > _MANY:
            stride *= 2
        return self._quiet[-(-low // stride) * stride : high : stride]

    def _learn(self, frames: npt.NDArray[np.int64]) -> Samples:
        missing = np.array([k for k in frames.tolist() if k not in self._rows], dtype=np.int64)
        for run in np.split(missing, np.flatnonzero(np.diff(missing) > 16) + 1) if len(missing) else ():
            sound = self._grid.sound(int(run[0]), int(run[-1]))
            starts = (run - run[0]) * self._grid.hop
            views = np.lib.stride_tricks.sliding_window_view(sound, self._grid.size)[starts]
            spectra = self._grid.spectra(views)
            power = np.square(spectra.real) + np.square(spectra.imag)
            self._rows.update(zip(run.tolist(), power, strict=True))
        self._rows = {k: self._rows[k] for k in frames.tolist()}
        return np.stack([self._rows[k] for k in frames.tolist()])
