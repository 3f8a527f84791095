"""Is the sound of a file the sound of its source? Told where the source speaks: there a dub must differ."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from autodub.media.sound import Reader
from autodub.model.time import Span
from autodub.quality.stem import RATE, find_lag

_WINDOWS = 24
_LONGEST = 4000
"""Most of a stretch of speech that is looked at, ms."""
_SHORTEST = 300
_REACH = 100
"""Largest lag looked for, ms."""
_ALIKE_DB = -12.0
"""A window is the source's own where what is left after subtracting it lies this far below."""
_STRAY = 24
"""One window in so many may differ in a file that is the source's own (a click, a seam)."""


def is_same_sound(
    output: Path, source: Path, *, speech: Sequence[Span], check: Callable[[], None] | None = None
) -> bool:
    """Whether the file (16 kHz mono) says what its source (16 kHz mono) says, in the same voice.

    Up to 24 stretches of source speech, spread over the programme, are subtracted from the file with
    the lag and the gain that fit best: re-encoded or at another level, it is still the same sound.
    False where the source does not speak.
    """
    long = [span for span in speech if span.duration >= _SHORTEST]
    chosen = long[:: max(1, -(-len(long) // _WINDOWS))]
    with Reader(output) as out, Reader(source) as there:
        alike = []
        for span in chosen:
            if check is not None:
                check()
            alike.append(_is_alike(out, there, span))
    return bool(alike) and len(alike) - sum(alike) <= len(alike) // _STRAY


def _is_alike(out: Reader, source: Reader, span: Span) -> bool:
    frames = min(span.duration, _LONGEST) * RATE // 1000
    start, reach = span.start * RATE // 1000, _REACH * RATE // 1000
    low = max(0, start - reach)
    heard = out.read(low, start - low + frames + reach)[:, 0]
    said = source.read(start, frames)[:, 0]
    if len(said) < frames // 2 or len(heard) < len(said):
        return False
    lag = find_lag(heard, said, before=start - low)
    if lag is None:
        return False
    part = heard[start - low + lag :][: len(said)].astype(np.float64)
    known = said[: len(part)].astype(np.float64)
    power, both, own = _dot(part, part), _dot(part, known), _dot(known, known)
    if power <= 0 or own <= 0:
        return False
    return 1 - both * both / (power * own) <= 10 ** (_ALIKE_DB / 10)


def _dot(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> float:
    return float(np.einsum("i,i->", a, b))
