"""The first reading of a programme: everything a mix is planned from that no dub can change.

It depends on the source, its background and where the original is taken out. So it is made while lines
are still being spoken, once for all languages and edits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from autodub.dubbing import mixing
from autodub.dubbing.levels import Cells
from autodub.dubbing.mixing import Envelope
from autodub.media.bed import Bed
from autodub.media.loudness import Meter, block_frames
from autodub.media.sound import Reader
from autodub.model.time import Span


@dataclass(frozen=True, slots=True)
class MixSource:
    """What the first reading of a programme measured."""

    mix: Cells
    """Weighted mean square per 10 ms, as everywhere."""
    bed: Cells
    """The same of what is left when the voice is taken out where the gates are."""
    lufs: float
    """Integrated loudness of the mix; ``-inf`` for silence."""
    true_peak: float
    """dBTP; ``-inf`` for silence."""
    clipped: int
    """Samples beyond full scale, all channels."""


def gating(
    spans: Sequence[Span], keep: Sequence[Span], *, rate: int, frames: int
) -> tuple[tuple[Span, ...], Envelope]:
    """Where the original voice is taken out, and how much of it at each sample.

    ``spans`` is where the source speaks, ``keep`` where it stays as it is.
    """
    gates = mixing.gate_spans(spans, keep=keep, limit=-(-frames * 1000 // rate))
    return gates, mixing.gate(gates, rate=rate, frames=frames)


def survey(
    mix: Path,
    background: Path | None,
    *,
    spans: Sequence[Span],
    keep: Sequence[Span],
    layout: str,
    check: Callable[[], None] | None = None,
) -> MixSource:
    """Read a programme once. Raises MediaError when the background does not fit the mix."""
    ask = check or (lambda: None)
    with Reader(mix) as sound:
        rate, frames = sound.rate, sound.frames
    gates, gate = gating(spans, keep, rate=rate, frames=frames)
    with Bed(mix, background, gate=gate, layout=layout) as bed:
        whole = Meter(bed.rate, bed.channels, layout)
        ground = Meter(bed.rate, bed.channels, layout, peaks=False) if gates else whole
        size = block_frames(bed.channels)
        for start in range(0, bed.frames, size):
            ask()
            sounding, below, _ = bed.read(start, size)
            whole.add(sounding)
            if gates:
                ground.add(below)
    return MixSource(whole.cells(), ground.cells(), whole.integrated(), whole.true_peak(), whole.clipped)


def keep_cells(source: MixSource, path: Path) -> None:
    """Write both rows of cells to ``path``, which ends in ``.npy``: float64 ``(2, k)``."""
    np.save(path, np.stack([source.mix, source.bed]), allow_pickle=False)


def kept_cells(path: Path) -> tuple[Cells, Cells]:
    """Mix and bed of a file that ``keep_cells`` wrote."""
    mix, bed = np.load(path, allow_pickle=False)
    return mix, bed
