"""Long sound through a model that sees a few seconds at a time: where it looks, how its answers join.

The windows lie on a grid that is fixed on the whole sound, so a window holds the same samples, and a
joined sample is the same, however the sound is cut up for processing or what is left out of it.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Frames = npt.NDArray[np.float32]
"""``(channels, n)``: time last, as models take it."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Where the windows of a sound of ``limit`` frames begin: window ``k`` at ``origin + k·stride``."""

    limit: int
    length: int
    """Frames of a window."""
    stride: int
    origin: int = 0
    """At most 0."""

    def __post_init__(self) -> None:
        if not 0 < self.stride <= self.length or self.origin > 0 or self.origin + self.stride <= 0:
            raise ValueError(f"windows of {self.length} every {self.stride} from {self.origin} leave holes")

    def at(self, k: int) -> int:
        """First frame that window ``k`` answers for; before the sound's beginning for a shifted grid."""
        return self.origin + k * self.stride

    def frames(self, k: int) -> int:
        """Frames that window ``k`` answers for: fewer than ``length`` where the sound ends; 0 beyond."""
        return max(0, min(self.length, self.limit - self.at(k)))

    def begin(self, k: int) -> int:
        """First frame window ``k`` sees: it reaches back where the sound ends, to be half as much beyond."""
        return self.at(k) - self.skipped(k)

    def skipped(self, k: int) -> int:
        """Frames window ``k`` sees before those it answers for."""
        return (self.length - self.frames(k)) // 2

    def covering(self, start: int, end: int) -> range:
        """The windows that have a part in ``[start, end)``."""
        start, end = max(0, start), min(end, self.limit)
        if end <= start:
            return range(0)
        first = (start - self.origin - self.length) // self.stride + 1
        return range(max(0, first), (end - 1 - self.origin) // self.stride + 1)


def grids(limit: int, length: int, *, overlap: float, shifts: int, reach: int, seed: int) -> tuple[Grid, ...]:
    """One grid per pass: the first begins with the sound, the others up to ``reach`` frames before it.

    Averaging over shifted passes is the shift trick of Demucs (Défossez et al. 2019, section 4.4); the
    shifts are drawn with ``seed``, so that equal sound gives equal answers.
    """
    stride = max(1, int((1 - overlap) * length))
    draw = random.Random(seed)  # noqa: S311 - no secret, but a sequence that must repeat itself
    origins = [0, *(-draw.randint(1, max(1, min(reach, stride - 1))) for _ in range(shifts - 1))]
    return tuple(Grid(limit, length, stride, origin) for origin in origins)


def islands(
    spans: Iterable[tuple[tuple[int, int], tuple[int, int]]], grids: Sequence[Grid]
) -> list[list[tuple[int, int]]]:
    """Spans grouped so that no window is needed by two groups.

    Each span comes, in order, with the frames of the grids that it needs.
    """
    out: list[list[tuple[int, int]]] = []
    last = -1
    for span, (start, end) in spans:
        needed = [k for grid in grids for k in _ends(grid.covering(start, end))]
        if out and needed and min(needed) > last:
            out.append([span])
        elif out:
            out[-1].append(span)
        else:
            out = [[span]]
        last = max(last, *needed) if needed else last
    return out


def _ends(numbers: range) -> tuple[int, ...]:
    return (numbers[0], numbers[-1]) if numbers else ()


class OverlapAdd:
    """Answers of one grid's windows joined: cross-faded with a triangle, taken from left to right."""

    def __init__(self, grid: Grid, *, channels: int, start: int) -> None:
        self._grid = grid
        self._start = start
        half = grid.length // 2
        rise = np.arange(1, half + 1, dtype=np.float32)
        fall = np.arange(grid.length - half, 0, -1, dtype=np.float32)
        self._weight = np.concatenate([rise, fall]) / np.float32(max(half, grid.length - half))
        self._sum = np.zeros((channels + 1, 0), dtype=np.float32)
        """Weighted answers, and in the last row the weights."""

    def add(self, k: int, answer: Frames) -> None:
        """Take in what the model makes of window ``k``, ``(channels, length)``."""
        frames, skip = self._grid.frames(k), self._grid.skipped(k)
        offset = self._grid.at(k) - self._start
        low, high = max(0, offset), offset + frames
        if high <= low:
            return
        if high > self._sum.shape[1]:
            more = np.zeros((len(self._sum), high - self._sum.shape[1]), dtype=np.float32)
            self._sum = np.concatenate([self._sum, more], axis=1)
        weight = self._weight[low - offset : frames]
        self._sum[:-1, low:high] += answer[:, skip + low - offset : skip + frames] * weight
        self._sum[-1, low:high] += weight

    def take(self, end: int) -> Frames:
        """What is joined up to frame ``end``, from where the last call stopped; every window must be in."""
        count = max(0, end - self._start)
        part = self._sum[:, :count]
        if part.shape[1] < count or not np.all(part[-1] > 0):
            raise ValueError(f"not every window before frame {end} has been answered")
        self._sum = self._sum[:, count:].copy()
        self._start += count
        return np.asarray(part[:-1] / part[-1], dtype=np.float32)
