"""From what the renderer found out to facts that survive a trip through JSON."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable

from autodub.media.rendered import Rendered
from autodub.quality.comparison import BIT_EXACT
from autodub.quality.facts import LineFact, SoundFact, WindowFact


def sound_fact(rendered: Rendered) -> SoundFact:
    """The renderer's figures; infinite ones (silence) become None, a perfect null becomes -200 dB."""
    per_ms = rendered.rate / 1000
    null = rendered.null_db
    return SoundFact(
        source_lufs=_finite(rendered.source_lufs),
        target_lufs=_finite(rendered.target_lufs),
        output_lufs=_finite(rendered.output_lufs),
        source_peak_dbtp=_finite(rendered.source_true_peak),
        output_peak_dbtp=_finite(rendered.true_peak),
        source_clipped=rendered.source_clipped,
        clipped=rendered.clipped,
        dub_gain_db=rendered.dub_gain,
        gain_db=rendered.programme_gain,
        limited_ms=rendered.limited_frames / per_ms,
        dipped_ms=rendered.dipped_frames / per_ms,
        duck_most_db=rendered.duck_max,
        duck_mean_db=rendered.duck_mean,
        null_db=None if null is None else max(null, BIT_EXACT),
        null_ms=round(rendered.null_frames / per_ms),
        bed_change_db=rendered.bed_change,
        bed_step_lu=_finite(rendered.bed_step),
        dub_change_db=_finite(rendered.dub_with_bed - rendered.dub_without_bed)
        if math.isfinite(rendered.dub_without_bed)
        else None,
        windows=tuple(
            WindowFact(window.start, _finite(window.difference), window.target) for window in rendered.windows
        ),
        altered=rendered.altered,
        ducked=rendered.ducked,
    )


def with_levels(lines: Iterable[LineFact], rendered: Rendered) -> tuple[LineFact, ...]:
    """Lines with their levels and edges as rendered."""
    known = {level.line: level for level in rendered.lines}
    return tuple(
        dataclasses.replace(
            line,
            source_lufs=known[line.id].source,
            dub_lufs=known[line.id].dub,
            edges_db=known[line.id].edges,
        )
        if line.id in known
        else line
        for line in lines
    )


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
