"""Loudness arithmetic on energies: gating, windows, levels of lines (ITU-R BS.1770-4, EBU Tech 3341).

Everything works on *cells*: the channel-weighted mean square of the K-weighted sound per 10 ms.
Measuring them is done elsewhere; what can be decided from them is decided here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from autodub.model.time import Span

Cells = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

CELL_MS = 10
"""Length of a cell."""
_BLOCK, _HOP = 40, 10
"""Gating blocks: 400 ms, one every 100 ms, in cells."""
_SILENCE = -70.0
"""Absolute gate, LUFS."""


def lufs(mean_square: float) -> float:
    """Loudness of a weighted mean square: ``-0.691 + 10·log10(z)``; silence is ``-inf``."""
    return -0.691 + 10.0 * math.log10(mean_square) if mean_square > 0 else -math.inf


def power(loudness: float) -> float:
    """The weighted mean square of a loudness: the inverse of :func:`lufs`."""
    return float(10.0 ** ((loudness + 0.691) / 10.0))


def decibels(ratio: float) -> float:
    """An amplitude ratio in dB; zero is ``-inf``."""
    return 20.0 * math.log10(ratio) if ratio > 0 else -math.inf


def sliding(cells: Cells, *, length: int, hop: int) -> Cells:
    """Mean of every ``length`` cells, one value per ``hop`` cells; only whole windows."""
    if len(cells) < length:
        return np.zeros(0)
    sums = np.concatenate([[0.0], np.cumsum(cells, dtype=np.float64)])
    starts = np.arange(0, len(cells) - length + 1, hop)
    means: Cells = np.maximum(0.0, (sums[starts + length] - sums[starts]) / length)
    return means


def momentary(cells: Cells) -> Cells:
    """Mean square of 400-ms blocks, one per 100 ms; a shorter programme counts as one block."""
    if 0 < len(cells) < _BLOCK:
        return np.array([cells.mean()])
    return sliding(cells, length=_BLOCK, hop=_HOP)


def short_term(cells: Cells) -> Cells:
    """Mean square of 3-s windows, one per 100 ms (EBU Tech 3341)."""
    return sliding(cells, length=300, hop=_HOP)


def integrated(cells: Cells, *, among: Mask | None = None) -> float:
    """Programme loudness in LUFS: 400-ms blocks gated at -70 LUFS and 10 LU below the mean.

    ``among`` (per cell) keeps only blocks at least half covered by it: dialogue-gated loudness.
    ``-inf`` when nothing passes the gates.
    """
    blocks = momentary(cells)
    if among is not None:
        share = momentary(among[: len(cells)].astype(np.float64))
        blocks = blocks[share >= 0.5]
    blocks = blocks[blocks > power(_SILENCE)]
    if not len(blocks):
        return -math.inf
    loud = blocks[blocks > blocks.mean() * 0.1]
    return lufs(float(loud.mean())) if len(loud) else -math.inf


def covered(spans: Iterable[Span], count: int) -> Mask:
    """Which of ``count`` cells have their middle inside one of the spans."""
    edges = np.zeros(count + 1, dtype=np.int64)
    for span in spans:
        first = min(count, max(0, -(-(span.start - CELL_MS // 2) // CELL_MS)))
        last = min(count, max(0, -(-(span.end - CELL_MS // 2) // CELL_MS)))
        if last > first:
            edges[first] += 1
            edges[last] -= 1
    return np.cumsum(edges[:-1]) > 0


def level(cells: Cells, active: Mask) -> float:
    """Ungated loudness over the active cells, LUFS; ``-inf`` when there are none."""
    return lufs(float(cells[active].mean())) if active.any() else -math.inf


def line_levels(
    energies: Sequence[float], seconds: Sequence[float], speakers: Sequence[str], *, minimum: float = 0.4
) -> tuple[float, ...]:
    """Loudness per line in LUFS, each measured over at least ``minimum`` seconds of speech.

    ``energies`` are weighted mean squares integrated over ``seconds`` of active speech. A line too
    short to be measured alone is measured together with the nearest lines of the same speaker.
    """
    out: list[float] = []
    for index, speaker in enumerate(speakers):
        energy, time = energies[index], seconds[index]
        near = (
            sorted((abs(other - index), other) for other, who in enumerate(speakers) if who == speaker)
            if (time < minimum)
            else []
        )
        for distance, other in near:
            if time >= minimum:
                break
            if distance:
                energy, time = energy + energies[other], time + seconds[other]
        out.append(lufs(energy / time) if time > 0 else -math.inf)
    return tuple(out)


def speech_cells(mix: Cells, bed: Cells) -> Cells:
    """Energy of the speech in a mix whose background is known: power difference, at least a tenth of the mix.

    Voice and background are taken as uncorrelated, so their powers add; the lower bound keeps a wrong
    background from erasing the voice.
    """
    return np.maximum(mix - bed, 0.1 * mix)


def step(bed: Cells, gates: Sequence[Span], *, edge: int = 25, around: int = 3000) -> float | None:
    """Mean size of the step in the bed's loudness between each gate and the ``around`` ms beside it, LU.

    Gates with less than 300 ms of sound inside or beside them are left out; None when none remain.
    """
    inside_any = covered(gates, len(bed))
    found: list[float] = []
    for gate in gates:
        if gate.duration <= 2 * edge:
            continue
        low, high = max(0, gate.start - around), gate.end + around
        cells = bed[low // CELL_MS : high // CELL_MS]
        shifted = [
            Span(gate.start + edge - low // CELL_MS * CELL_MS, gate.end - edge - low // CELL_MS * CELL_MS)
        ]
        inside = covered(shifted, len(cells))
        beside = ~inside_any[low // CELL_MS : high // CELL_MS]
        if inside.sum() >= 30 and beside.sum() >= 30:
            here, there = level(cells, inside), level(cells, beside)
            if math.isfinite(here) and math.isfinite(there):
                found.append(abs(here - there))
    return sum(found) / len(found) if found else None
