"""B1-B3, M1-M6 and V1-V3 of a dub, from the decoded file and the renderer's own record."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from autodub.dubbing import levels
from autodub.dubbing.levels import Cells
from autodub.model.time import Span
from autodub.quality.comparison import Comparison
from autodub.quality.facts import SoundFact, ToneFact, WindowFact
from autodub.quality.figures import Figure, figure, mean, pearson, share, undefined
from autodub.quality.runs import MeasuredLine

NO_RECORD = "the renderer's record is not at hand"
NO_STEM = "the dub could not be taken apart from its background"
_WINDOW = 300
"""3 s in cells."""
_ACTIVE = 30
"""Cells of dub a window needs."""
_CLOSE = 0.5
"""A window this little under its target meets it, LU: the codec and the detector blur that much."""


def sound_figures(
    comparison: Comparison,
    *,
    sound: SoundFact | None,
    lines: Sequence[MeasuredLine],
    dub: Cells | None,
    bed: Cells | None,
    speech: Sequence[Span],
    residual: float | None,
) -> tuple[Figure, ...]:
    """B1-B3, M1-M3, M5 and M6.

    ``dub`` and ``bed`` are energies per 10 ms as delivered, ``speech`` the detected dub speech,
    ``residual`` what :func:`residual_voice` says.
    """
    return (
        *_null(comparison, sound),
        figure("B2", [residual], mean, unit="dB", reason="no voice was taken out, or too little to judge"),
        figure(
            "B3", [None if sound is None else sound.bed_step_lu], mean, unit="LU",
            reason="no voice was taken out" if sound else NO_RECORD,
        ),
        *level_figures(lines),
        *difference_figures(dub, bed, speech, windows=sound.windows if sound else ()),
        *_programme(comparison, sound),
        *_toggles(comparison, sound),
    )  # fmt: skip


def _null(comparison: Comparison, sound: SoundFact | None) -> tuple[Figure, ...]:
    nowhere = "nothing of the source was left as it was"
    return (
        figure(
            "B1", [sound.null_db if sound else None], mean, unit="dB", reason=nowhere if sound else NO_RECORD
        ),
        figure("B1d", [comparison.null_db], mean, unit="dB", reason=f"{nowhere}, or the formats differ"),
    )


def level_figures(lines: Sequence[MeasuredLine]) -> tuple[Figure, ...]:
    """M1 and M2 over the spoken lines."""
    pairs = [
        (line.source_lufs, line.dub_lufs)
        if line.source_lufs is not None and line.dub_lufs is not None
        else None
        for line in lines
        if line.fact.status == "spoken"
    ]
    known = [pair for pair in pairs if pair is not None]
    why = "the level of the line is not known on both sides"
    r = pearson(known)
    return (
        figure("M1", pairs, lambda v: mean([abs(b - a) for a, b in v]), unit="LU", reason=why),
        undefined("M2", "r", f"a correlation needs 3 lines that differ; there are {len(known)}")
        if r is None
        else Figure(
            "M2", r, "r", len(known), len(pairs) - len(known), why if len(known) < len(pairs) else ""
        ),
    )


def difference_figures(
    dub: Cells | None, bed: Cells | None, speech: Sequence[Span], *, windows: Sequence[WindowFact]
) -> tuple[Figure, ...]:
    """M3: speech against background in 3-s windows in which the dub speaks for 0.3 s or more."""
    if dub is None or bed is None:
        return undefined("M3.share", "share", NO_STEM), undefined("M3.least", "LU", NO_STEM)
    count = min(len(dub), len(bed))
    active = levels.covered(speech, count)
    aims = {window.start_ms // (_WINDOW * levels.CELL_MS): window.target_lu for window in windows}
    differences: list[float] = []
    met: list[bool | None] = []
    for start in range(0, count, _WINDOW):
        here = active[start : start + _WINDOW]
        if np.count_nonzero(here) < _ACTIVE:
            continue
        voice = float(dub[start : start + _WINDOW][here].mean())
        ground = float(bed[start : start + _WINDOW][here].mean())
        difference = 10 * float(np.log10(max(voice, 1e-12) / max(ground, 1e-9 * voice, 1e-12)))
        differences.append(difference)
        aim = aims.get(start // _WINDOW)
        met.append(None if aim is None else difference >= aim - _CLOSE)
    return (
        figure("M3.share", met, share, unit="share", reason="no target is recorded for the window"),
        figure("M3.least", differences, min, unit="LU", reason="no dub speech"),
    )


def _programme(comparison: Comparison, sound: SoundFact | None) -> tuple[Figure, ...]:
    target = sound.target_lufs if sound else comparison.source_lufs
    apart = abs(comparison.output_lufs - target) if target is not None else None
    beyond = None
    if sound is not None and sound.output_peak_dbtp is not None:
        allowed = (
            -1.0 if sound.source_peak_dbtp is None else max(-1.0, sound.source_peak_dbtp + sound.gain_db)
        )
        beyond = max(0.0, sound.output_peak_dbtp - allowed)
    clipped = None if sound is None or sound.clipped is None else max(0, sound.clipped - sound.source_clipped)
    silent = "the programme is silent"
    record = silent if sound else NO_RECORD
    return (
        figure("M5.loudness", [apart], mean, unit="LU", reason=silent),
        figure("M5.output", [comparison.output_lufs], mean, unit="LUFS", reason=silent),
        figure("M5.source", [comparison.source_lufs], mean, unit="LUFS", reason=silent),
        figure("M5.peak", [beyond], mean, unit="dB", reason=record),
        figure("M5.decoded_peak", [comparison.output_peak_dbtp], mean, unit="dBTP", reason=silent),
        figure("M5.clipped", [clipped], float_of, unit="samples", reason=record),
        figure("M5.decoded_clipped", [comparison.clipped], float_of, unit="samples", reason=silent),
    )


def _toggles(comparison: Comparison, sound: SoundFact | None) -> tuple[Figure, ...]:
    change = sound.bed_change_db if sound else None
    if change is None and comparison.level_db is not None:
        change = comparison.level_db - (sound.gain_db if sound else 0.0)
    dub = sound.dub_change_db if sound else None
    return (
        figure("M6.dub", [None if dub is None else abs(dub)], mean, unit="dB",
               reason="nothing was spoken" if sound else NO_RECORD),
        figure("M6.bed", [None if change is None else abs(change)], mean, unit="dB",
               reason="nothing of the source was left as it was"),
    )  # fmt: skip


def float_of(values: Sequence[int]) -> float:
    """The only value."""
    return float(values[0])


def voice_figures(tones: Sequence[ToneFact], spectra: dict[str, float | None]) -> tuple[Figure, ...]:
    """M4 and V1-V3, the worst speaker each; ``spectra``: long-term spectrum difference as delivered, dB."""
    from autodub.media.tone import likeness

    alike = {tone.speaker: likeness(tone.dub, tone.source) if tone.dub else None for tone in tones}
    why = "the tone of speaker or voice is not known"

    def worst(name: str, unit: str, values: dict[str, float | None]) -> Figure:
        whole = figure(name, list(values.values()), max, unit=unit, reason=why)
        if not values:
            return undefined(name, unit, why)
        return Figure(name, whole.value, unit, whole.count, whole.undefined, whole.reason, values)

    ratios = {
        who: None if like is None else max(like.spread_ratio, 1 / max(like.spread_ratio, 1e-6))
        for who, like in alike.items()
    }
    return (
        worst("M4.spectrum", "dB", dict(spectra)),
        undefined("M4.reverberation", "s", "reverberation is not estimated"),
        worst(
            "V1", "semitones", {who: None if x is None else abs(x.pitch_error) for who, x in alike.items()}
        ),
        worst("V2", "ratio", ratios),
        worst("V3", "dB", {who: None if x is None else x.spectrum for who, x in alike.items()}),
    )
