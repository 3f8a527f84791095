"""A soundtrack taken apart for people: everything but the voices, or the voices alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from autodub.dubbing import mixing
from autodub.media.bed import Bed
from autodub.media.flac import FlacWriter
from autodub.model.time import Span

_BLOCK = 1 << 18  # samples, all channels together


def write_stem(
    which: Literal["background", "original"],
    *,
    mix: Path,
    background: Path,
    spans: Sequence[Span],
    layout: str,
    out: Path,
    check: Callable[[], None],
    progress: Callable[[float], None],
) -> None:
    """Write ``out``, a FLAC of 24 bits on the programme's clock, with the mix's rate and channels.

    ``background`` is the mix with the voices of ``spans`` taken out, as it lies under a dub before anything
    is lowered; ``original`` is the rest: the two add up to the mix. Raises Gone for a file that is not there
    any more, MediaError for files that do not fit together.
    """
    from autodub.media.sound import Reader

    with Reader(mix) as reader:
        rate, frames = reader.rate, reader.frames
    limit = -(-frames * 1000 // rate)
    gate = mixing.gate(mixing.gate_spans(spans, keep=(), limit=limit), rate=rate, frames=frames)
    with (
        Bed(mix, background, gate=gate, layout=layout) as bed,
        FlacWriter(out, rate=bed.rate, channels=bed.channels, bits=24) as file,
    ):
        size = max(4096, _BLOCK // bed.channels)
        for start in range(0, frames, size):
            check()
            whole, under, weights = bed.read(start, size)
            if which == "background":
                file.write(under)
            elif weights is None:
                file.silence(len(whole))
            else:
                file.write(whole - under)
            progress(min(1.0, (start + size) / frames))
