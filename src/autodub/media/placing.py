"""Placing clips: each is loaded, stretched, fitted and given its level only while the mix passes by.

At most the clips that sound near the current block are in memory. A clip occupies exactly
``Placement.frames`` samples from exactly ``Placement.start``; overlapping clips add up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from autodub.dubbing.levels import CELL_MS, Cells, Mask
from autodub.dubbing.mixing import fitted_frames
from autodub.media import loudness, sound
from autodub.media.sound import Samples
from autodub.media.stretch import stretch
from autodub.model.errors import MediaError
from autodub.model.media import Blob, Placement

_EDGE = 0.02
"""Raised-cosine edges of a clip, s: shorter than the silence trimming leaves there, even stretched."""
_CUT = 0.005
"""Raised-cosine edges where silence is put into or taken out of a clip, s."""
_SPEAKING = 10**-2.5
"""Cells less than 25 dB below a clip's mean power are speech ..."""
_CLOSED = 15
"""... and so are the holes between them shorter than 150 ms, in cells."""


@dataclass(frozen=True, slots=True)
class Sounding:
    """Energy of a placed clip at 0 dB gain, as one channel, on the programme's 10-ms cells."""

    first: int
    """Cell the clip begins in."""
    cells: Cells
    active: Mask
    """Cells in which it speaks."""
    peaks: Cells
    """Sample peak per cell, amplitude."""

    @property
    def energy(self) -> float:
        """Weighted mean square integrated over its speech (seconds)."""
        return float(self.cells[self.active].sum()) * CELL_MS / 1000

    @property
    def seconds(self) -> float:
        """Time it speaks."""
        return float(self.active.sum()) * CELL_MS / 1000


def sounding(placement: Placement, *, rate: int, path: Path) -> Sounding:
    """Measure a clip where it will sound, without stretching it.

    A stretcher keeps the power of speech, so the energy of the clip as synthesised is moved along the
    map from placed to spoken time.
    """
    samples, own = _load(placement, path)
    measured = loudness.cells(samples, own)
    energy = np.concatenate([[0.0], np.cumsum(measured)]) * CELL_MS / 1000
    spoken_at = np.minimum(np.arange(len(energy)) * CELL_MS / 1000, len(samples) / own)
    placed, spoken = _time_map(placement)
    cell = rate * CELL_MS / 1000
    first = int(placement.start / cell)
    last = int(-(-(placement.start + placement.frames) // cell))
    edges = np.arange(first, last + 1) * cell - placement.start
    seconds = np.interp(edges, placed, spoken) * placement.stretch / rate
    cells = np.diff(np.interp(seconds, spoken_at, energy)) / placement.stretch / (CELL_MS / 1000)
    loudest = np.maximum.reduceat(np.abs(samples), np.arange(0, len(samples), max(1, own * CELL_MS // 1000)))
    middles = (0.5 * (seconds[:-1] + seconds[1:]) * 1000 / CELL_MS).astype(np.int64)
    peaks = loudest[np.clip(middles, 0, len(loudest) - 1)].astype(np.float64)
    return Sounding(first, cells, speaking(cells), peaks)


def speaking(cells: Cells) -> Mask:
    """Cells of a clip in which somebody speaks: not 25 dB below its mean, short holes closed."""
    loud = np.flatnonzero(cells > _SPEAKING * cells.mean()) if len(cells) else np.zeros(0, dtype=np.int64)
    out = np.zeros(len(cells), dtype=np.bool_)
    if not len(loud):
        return out
    breaks = np.flatnonzero(np.diff(loud) > _CLOSED)
    for begin, end in zip(
        loud[np.concatenate([[0], breaks + 1])], loud[np.concatenate([breaks, [len(loud) - 1]])], strict=True
    ):
        out[begin : end + 1] = True
    return out


def prepare(placement: Placement, *, rate: int, path: Path, gain: float) -> Samples:
    """The clip as it is mixed: ``(placement.frames,)`` at ``rate``, stretched, paused, levelled, edged.

    It is stretched at its own rate (speech is synthesised at half the programme's, so that is half
    the work) and resampled afterwards. Raises MediaError when the result is not as long as planned.
    """
    samples, own = _load(placement, path)
    fitted = sound.resample(stretch(samples, rate=placement.stretch, sample_rate=own), own, rate)
    frames = fitted_frames(placement.clip, stretch=placement.stretch, pauses=(), rate=rate)
    if abs(len(fitted) - frames) > 2 + 2 * rate // own:
        raise MediaError(
            f"The clip of line {placement.line} became {len(fitted)} samples long, not {frames}.",
            hint="Its stored sound does not match its description; clear the cache and run again.",
        )
    out = np.zeros(frames, dtype=np.float32)
    kept = min(frames, len(fitted))
    out[:kept] = fitted[:kept]
    out = _paused(out, placement.pauses, edge=round(_CUT * rate))
    if len(out) != placement.frames:
        raise MediaError(
            f"The clip of line {placement.line} takes {len(out)} samples, {placement.frames} were planned.",
            hint="The plan is out of date; run again without its project file.",
        )
    _fade(out, round(_EDGE * rate), begin=True, end=True)
    out *= np.float32(10.0 ** (gain / 20.0))
    return out


class Stem:
    """The dub as one channel, read by position; clips are prepared when the reading comes near them."""

    def __init__(
        self,
        placements: Sequence[Placement],
        *,
        rate: int,
        clip_path: Callable[[Blob], Path],
        gains: Mapping[int, float],
    ) -> None:
        self._placements = placements
        self._order = sorted(range(len(placements)), key=lambda index: placements[index].start)
        self._rate = rate
        self._path = clip_path
        self._gains = gains
        self._next = 0
        self._near: dict[int, Samples] = {}
        self.edges: dict[int, tuple[float, float]] = {}
        """Level of the first and last 10 ms of each prepared clip against the whole clip's, dB."""

    def read(self, start: int, frames: int) -> tuple[Samples, npt.NDArray[np.bool_]] | None:
        """``frames`` samples from ``start`` and where clips lie in them; None when there are none.

        Reading goes forward; a later ``start`` may reach back only as far as clips still overlap it.
        """
        end = start + frames
        while self._next < len(self._order):
            index = self._order[self._next]
            placement = self._placements[index]
            if placement.start >= end:
                break
            self._next += 1
            clip = prepare(
                placement,
                rate=self._rate,
                path=self._path(placement.clip.audio.blob),
                gain=self._gains[index],
            )
            self.edges[index] = _edges(clip, self._rate)
            self._near[index] = clip
        for index in [i for i in self._near if self._stop(i) <= start]:
            del self._near[index]
        if not any(self._placements[index].start < end for index in self._near):
            return None
        out = np.zeros(frames, dtype=np.float32)
        inside = np.zeros(frames, dtype=np.bool_)
        for index in sorted(self._near):
            at, clip = self._placements[index].start, self._near[index]
            low, high = max(start, at), min(end, at + len(clip))
            if high > low:
                out[low - start : high - start] += clip[low - at : high - at]
                inside[low - start : high - start] = True
        return out, inside

    def _stop(self, index: int) -> int:
        return self._placements[index].start + self._placements[index].frames


def _load(placement: Placement, path: Path) -> tuple[Samples, int]:
    samples, own = sound.load(path)
    about = placement.clip.audio
    if len(samples) != about.frames or own != about.rate:
        raise MediaError(
            f"The clip of line {placement.line} is {len(samples)} samples at {own} Hz, "
            f"not {about.frames} at {about.rate}.",
            hint="Its stored sound does not match its description; clear the cache and run again.",
        )
    return np.ascontiguousarray(samples[:, 0]), own


def _time_map(placement: Placement) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Corners of the map from placed samples to samples of the stretched clip."""
    placed, spoken, moved = [0.0], [0.0], 0
    for at, length in sorted(placement.pauses):
        placed += [at + moved, at + moved + max(0, length)]
        spoken += [at, at + max(0, -length)]
        moved += length
    placed.append(placement.frames)
    spoken.append(placement.frames - moved)
    return np.array(placed, dtype=np.float64), np.array(spoken, dtype=np.float64)


def _paused(samples: Samples, pauses: Sequence[tuple[int, int]], *, edge: int) -> Samples:
    """Put silence in (or take samples out, where negative), fading at every cut."""
    parts: list[Samples] = []
    done = 0
    for at, length in sorted(pauses):
        part = samples[done : max(done, at)].copy()
        _fade(part, edge, begin=bool(parts), end=True)
        parts += [part, np.zeros(max(0, length), dtype=np.float32)]
        done = max(done, at) + max(0, -length)
    rest = samples[done:].copy()
    _fade(rest, edge, begin=bool(parts), end=False)
    return np.concatenate([*parts, rest])


def _fade(samples: Samples, edge: int, *, begin: bool, end: bool) -> None:
    edge = min(edge, len(samples) // 2)
    if edge <= 0:
        return
    rise = (0.5 - 0.5 * np.cos(np.pi * (np.arange(edge) + 0.5) / edge)).astype(np.float32)
    if begin:
        samples[:edge] *= rise
    if end:
        samples[-edge:] *= rise[::-1]


def _edges(clip: Samples, rate: int) -> tuple[float, float]:
    """Level of the first and last 10 ms against the clip's own, dB, not below -120."""
    short = max(1, rate // 100)
    whole = max(1e-12, float(np.mean(np.square(clip, dtype=np.float64)))) if len(clip) else 1.0
    first, last = (
        max(-120.0, 10 * float(np.log10(max(1e-24, float(np.sum(np.square(part)))) / short / whole)))
        for part in (clip[:short], clip[-short:])
    )
    return first, last
