"""T1-T20 of a dub, in one call."""

from __future__ import annotations

from collections.abc import Sequence

from autodub.model.time import Span
from autodub.quality.figures import Figure
from autodub.quality.overlap import overlap_figures
from autodub.quality.runs import MeasuredLine, spoken
from autodub.quality.sync import sync_figures
from autodub.quality.tempo import tempo_figures
from autodub.quality.violations import violation_figures, violations
from autodub.quality.wording import wording_figures


def timing_figures(
    lines: Sequence[MeasuredLine],
    *,
    source: Sequence[Span],
    dub: Sequence[Span],
    duration: int,
    dub_wer: float | None = None,
    source_wer: float | None = None,
) -> tuple[Figure, ...]:
    """T1-T20 over detected speech, undefined ones included and counted.

    ``duration`` is the programme's in ms.
    """
    said = spoken(lines)
    return (
        *overlap_figures(said, source=source, dub=dub, duration=duration),
        *sync_figures(said),
        *tempo_figures(said),
        *wording_figures(said, dub_wer=dub_wer, source_wer=source_wer),
        *violation_figures(lines, violations(lines)),
    )
