"""Taking a voice out of a mix with a model, as a stream: memory does not grow with the programme.

The model is a function from windows of sound to the speech in them. It is only asked where people
speak; everywhere else the background is the mix itself. Background is always mix minus speech, at the
mix's own rate; channels that carry no dialogue pass through.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from autodub.dubbing import channels as layouts
from autodub.dubbing import mixing
from autodub.dubbing.overlapping import Frames, Grid, OverlapAdd, grids, islands
from autodub.media.sound import Reader, Samples, Writer
from autodub.model.time import Span, merged, padded

Windows = npt.NDArray[np.float32]
"""``(windows, channels, frames)``."""
Estimate = Callable[[Windows], Windows]
"""The speech in each window; same shape."""
_BLOCK = 1 << 17
_CONTEXT = 0.05
"""Seconds of sound on both sides that settle a resampler: many times the length of its filter."""
_REACH = 0.5
"""Seconds a shifted pass begins earlier at most, as in Demucs."""
_SEED = 20191127
_SILENCE = 1e-7
"""Standard deviation (-140 dBFS) below which there is nothing to take out."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What a model takes."""

    rate: int
    """Samples per second."""
    channels: int
    """1 or 2."""
    length: int
    """Frames of a window."""
    normal: bool = True
    """Whether it was trained on programmes brought to mean 0 and standard deviation 1."""


@dataclass(frozen=True, slots=True)
class Asked:
    """How a model is asked."""

    overlap: float = 0.25
    """Share of a window that the next one sees as well."""
    shifts: int = 1
    """Passes over shifted windows that are averaged."""
    batch: int = 1
    """Windows handed over at once."""


def separate(
    mix: Path,
    out: Path,
    *,
    spans: Sequence[Span],
    layout: str,
    sight: Sight,
    asked: Asked,
    estimate: Estimate,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Write the background of ``mix`` to ``out`` (float32, same rate, channels and frames).

    ``spans`` is where people speak, unpadded. ``progress(done, all)`` counts windows. Returns how many
    windows the model was asked about.
    """
    with Reader(mix) as reader:
        work = _Separation(reader, layout, sight, asked, estimate, progress)
        groups = work.plan(spans)
        with Writer(out, rate=reader.rate, channels=reader.channels) as writer:
            at = 0
            for group in groups:
                _copy(reader, writer, at, group[0][0])
                for block in work.background(group):
                    writer.write(block)
                at = group[-1][1]
            _copy(reader, writer, at, reader.frames)
        return work.done


def _copy(reader: Reader, writer: Writer, start: int, end: int) -> None:
    for at in range(start, end, _BLOCK):
        writer.write(reader.read(at, min(_BLOCK, end - at)))


class _Separation:
    """One programme and one model, and how far they have come."""

    def __init__(
        self,
        reader: Reader,
        layout: str,
        sight: Sight,
        asked: Asked,
        estimate: Estimate,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self._reader = reader
        self._sight = sight
        self._asked = asked
        self._estimate = estimate
        self._progress = progress
        self._channels = list(layouts.speech_channels(layout, reader.channels))
        common = math.gcd(reader.rate, sight.rate)
        self._step = (reader.rate // common, sight.rate // common)
        """As many frames of the mix last exactly as long as so many of the model's."""
        limit = -(-reader.frames * self._step[1] // self._step[0])
        self._grids = grids(
            max(1, limit),
            sight.length,
            overlap=asked.overlap,
            shifts=asked.shifts,
            reach=round(_REACH * sight.rate),
            seed=_SEED,
        )
        self._limit = limit
        self._gate = mixing.gate((), rate=reader.rate, frames=reader.frames)
        self._level = (0.0, 1.0)
        self.done = 0
        self._all = 0

    def plan(self, spans: Sequence[Span]) -> list[list[tuple[int, int]]]:
        """Stretches of the mix (frames) in which speech is taken out, grouped by shared windows."""
        reader = self._reader
        whole = -(-reader.frames * 1000 // max(1, reader.rate))
        gates = mixing.gate_spans(spans, keep=(), limit=whole)
        # The cross-fade lies outside the gate, so that inside it all of the speech is taken out.
        gates = merged(padded(gates, before=mixing.EDGE, after=mixing.EDGE, limit=whole))
        self._gate = mixing.gate(gates, rate=reader.rate, frames=reader.frames)
        edges = [
            (gate.start * reader.rate // 1000, min(reader.frames, -(-gate.end * reader.rate // 1000)))
            for gate in gates
        ]
        edges = [(start, end) for start, end in edges if end > start]
        if not edges:
            return []
        self._level = self._measured() if self._sight.normal else (0.0, 1.0)
        if self._level[1] < _SILENCE:
            return []
        groups = islands([(edge, self._needed(*edge)) for edge in edges], self._grids)
        self._all = sum(len(self._numbers(group)) for group in groups) * len(self._grids)
        return groups

    def background(self, group: Sequence[tuple[int, int]]) -> Iterator[Samples]:
        """The mix minus its speech from the first stretch's beginning to the last one's end."""
        reader, (at, end) = self._reader, (group[0][0], group[-1][1])
        first = self._first(group) // self._step[1] * self._step[0]
        speech = _Stream(self._speech(group), start=first, channels=len(self._channels))
        for start in range(at, end, _BLOCK):
            block = reader.read(start, min(_BLOCK, end - start))
            weights = self._gate.weights(start, len(block))
            if weights.any():
                speech.forget(start)
                estimate = speech.read(start, len(block))
                for index, channel in enumerate(self._channels):
                    block[:, channel] -= weights * estimate[:, index]
            yield block

    def _measured(self) -> tuple[float, float]:
        """Mean and standard deviation of the dialogue-bearing channels' mean, over the whole programme."""
        count, mean, squares = 0, 0.0, 0.0
        for block in self._reader.blocks(_BLOCK):
            sound = block[:, self._channels].mean(axis=1, dtype=np.float64)
            here = float(sound.mean())
            apart = here - mean
            squares += float(np.square(sound - here).sum())
            squares += apart * apart * count * len(sound) / (count + len(sound))
            count += len(sound)
            mean += apart * len(sound) / count
        return mean, math.sqrt(squares / max(1, count - 1))

    def _needed(self, start: int, end: int) -> tuple[int, int]:
        """Frames of the model's that a stretch of the mix is resampled from, from a common beat on."""
        ours, theirs = self._step
        context = math.ceil(_CONTEXT * self._reader.rate)
        first = max(0, start - context) // ours * theirs
        last = -(-(end + context) * theirs // ours)
        return first, min(self._limit, last)

    def _first(self, group: Sequence[tuple[int, int]]) -> int:
        return self._needed(*group[0])[0]

    def _numbers(self, group: Sequence[tuple[int, int]]) -> range:
        """The windows a group needs, the same for every grid."""
        first, last = self._first(group), self._needed(*group[-1])[1]
        found = [grid.covering(first, last) for grid in self._grids]
        return range(min(one.start for one in found), max(one.stop for one in found))

    def _speech(self, group: Sequence[tuple[int, int]]) -> Iterator[Samples]:
        """Speech at the mix's rate, in its dialogue-bearing channels, from ``_first(group)`` on."""
        blocks = self._joined(group)
        if len(self._channels) == 1 and self._sight.channels == 2:
            blocks = (block.mean(axis=0, keepdims=True, dtype=np.float32) for block in blocks)
        # Demucs adds the mean to every stem; what does not sound is no speech, and stays where it was.
        scaled = (block.T * np.float32(self._level[1]) for block in blocks)
        return resampled(scaled, self._sight.rate, self._reader.rate, channels=len(self._channels))

    def _joined(self, group: Sequence[tuple[int, int]]) -> Iterator[Frames]:
        """Answers of all windows of a group, joined over windows and averaged over passes."""
        first, last = self._first(group), self._needed(*group[-1])[1]
        numbers = self._numbers(group)
        source = self._source(numbers)
        channels = max(self._sight.channels, len(self._channels))
        joins = [OverlapAdd(grid, channels=channels, start=first) for grid in self._grids]
        size = max(1, self._asked.batch // len(self._grids))
        at = first
        for some in range(numbers.start, numbers.stop, size):
            ks = range(some, min(some + size, numbers.stop))
            asked = [(join, grid, k) for k in ks for join, grid in zip(joins, self._grids, strict=True)]
            begin = min(grid.begin(k) for _, grid, k in asked)
            source.forget(begin)
            answers = self._answers(np.stack([_window(source, grid, k, self._limit) for _, grid, k in asked]))
            for (join, _, k), answer in zip(asked, answers, strict=True):
                join.add(k, answer)
            self.done += len(asked)
            if self._progress is not None:
                self._progress(self.done, self._all)
            until = min(last, *(grid.at(ks.stop) for grid in self._grids))
            if ks.stop == numbers.stop:
                until = last
            if until > at:
                at = until
                yield np.mean([join.take(until) for join in joins], axis=0, dtype=np.float32)

    def _answers(self, windows: Windows) -> Windows:
        """What the model says, whichever of one and two channels it and the mix have."""
        if windows.shape[1] == self._sight.channels:
            return self._estimate(windows)
        if self._sight.channels == 2:
            return self._estimate(np.repeat(windows, 2, axis=1))
        count, channels, length = windows.shape
        return self._estimate(windows.reshape(count * channels, 1, length)).reshape(windows.shape)

    def _source(self, numbers: range) -> _Stream:
        """The normalised sound the windows see, at the model's rate."""
        ours, theirs = self._step
        first = max(0, min(grid.begin(numbers[0]) for grid in self._grids))
        start = max(0, first * ours // theirs - math.ceil(_CONTEXT * self._reader.rate)) // ours
        mean, deviation = self._level

        def blocks() -> Iterator[Samples]:
            for at in range(start * ours, self._reader.frames, _BLOCK):
                block = self._reader.read(at, _BLOCK)[:, self._channels]
                yield (block - np.float32(mean)) / np.float32(deviation + 1e-8)

        up = resampled(blocks(), self._reader.rate, self._sight.rate, channels=len(self._channels))
        return _Stream(up, start=start * theirs, channels=len(self._channels))


def _window(source: _Stream, grid: Grid, k: int, limit: int) -> Frames:
    """What window ``k`` sees, with silence beyond both ends of the programme."""
    begin = grid.begin(k)
    low, high = max(0, begin), min(limit, begin + grid.length)
    sound = source.read(low, max(0, high - low))
    return np.pad(sound, ((low - begin, begin + grid.length - low - len(sound)), (0, 0))).T


def resampled(blocks: Iterator[Samples], source: int, target: int, *, channels: int) -> Iterator[Samples]:
    """Blocks ``(n, channels)`` at another rate (soxr, high quality); the same wherever they are cut."""
    if source == target:
        yield from blocks
        return
    import soxr

    stream = soxr.ResampleStream(source, target, channels, dtype="float32", quality="HQ")
    for block in blocks:
        yield stream.resample_chunk(np.ascontiguousarray(block, dtype=np.float32))
    yield stream.resample_chunk(np.zeros((0, channels), dtype=np.float32), last=True)


class _Stream:
    """Blocks that come one after the other, read by position; what is before the last read is dropped."""

    def __init__(self, blocks: Iterator[Samples], *, start: int, channels: int) -> None:
        self._blocks = blocks
        self._channels = channels
        self._kept: list[Samples] = []
        self._start = start

    def read(self, start: int, frames: int) -> Samples:
        """``frames`` frames from ``start``, silence where the stream has ended."""
        have = sum(len(block) for block in self._kept)
        while self._start + have < start + frames:
            block = next(self._blocks, None)
            if block is None:
                break
            self._kept.append(block)
            have += len(block)
        if not self._kept:
            return np.zeros((frames, self._channels), dtype=np.float32)
        whole = self._kept[0] if len(self._kept) == 1 else np.concatenate(self._kept)
        self._kept = [whole]
        sound = whole[max(0, start - self._start) :][:frames]
        return np.pad(sound, ((0, frames - len(sound)), (0, 0)))

    def forget(self, before: int) -> None:
        """Drop what comes before a position; it will not be read again."""
        while self._kept and self._start + len(self._kept[0]) <= before:
            self._start += len(self._kept.pop(0))
        if self._kept and before > self._start:
            self._kept[0] = self._kept[0][before - self._start :].copy()
            self._start = before
