"""How fast and how evenly the dub speaks: T9-T12, T17 and T20."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace

from autodub.quality.figures import Figure, figure, mean, median, pearson, percentile, share, undefined
from autodub.quality.overlap import match_pauses
from autodub.quality.runs import MeasuredLine

NATURAL = (0.90, 1.15)
"""Rates around a voice's pace that listeners take for natural."""
FEWEST_PAIRS = 8
"""Pairs of lines below which evenness is chance."""
SILENT = "no dub speech detected in the line"


def tempos(lines: Sequence[MeasuredLine]) -> list[float | None]:
    """Tempo R of each line: its syllables per second against the mean of its voice."""
    syllables: dict[str, float] = defaultdict(float)
    seconds: dict[str, float] = defaultdict(float)
    for line in lines:
        if line.seconds and line.fact.syllables:
            syllables[line.fact.voice] += line.fact.syllables
            seconds[line.fact.voice] += line.seconds
    return [
        line.fact.syllables / line.seconds * seconds[line.fact.voice] / syllables[line.fact.voice]
        if line.seconds and line.fact.syllables
        else None
        for line in lines
    ]


def smoothness(lines: Sequence[MeasuredLine]) -> list[float | None]:
    """``max(0, 1 - |R_t - R_p| / R_p)`` for each line with an earlier line p of the same speaker."""
    before: dict[str, float | None] = {}
    out: list[float | None] = []
    for line, tempo in zip(lines, tempos(lines), strict=True):
        speaker = line.fact.speaker
        if speaker in before:
            last = before[speaker]
            out.append(None if tempo is None or last is None else max(0.0, 1 - abs(tempo - last) / last))
        if tempo is not None or speaker not in before:
            before[speaker] = tempo
    return out


def duration_error(line: MeasuredLine) -> float | None:
    """Relative error of the length predicted before synthesis, both at the voice's own pace."""
    fact = line.fact
    if fact.predicted_seconds is None or not fact.clip_seconds:
        return None
    natural = fact.clip_seconds * fact.native
    return abs(fact.predicted_seconds - natural) / natural


def tempo_figures(lines: Sequence[MeasuredLine]) -> tuple[Figure, ...]:
    """T9-T12, T17 and T20 of the lines that were to be spoken, in programme order."""
    placed = "no clip was placed for the line"
    rates = [line.fact.rate if line.fact.clip else None for line in lines]
    asked = [line.fact.asked if line.fact.clip else None for line in lines]
    stretches = [abs(line.fact.stretch - 1) if line.fact.clip else None for line in lines]
    low, high = NATURAL

    def quantile(q: float) -> Callable[[Sequence[float]], float]:
        return lambda values: percentile(values, q)

    return (
        figure(
            "T9.natural", rates, lambda v: share([low <= r <= high for r in v]), unit="share", reason=placed
        ),
        figure("T9.p5", rates, quantile(5), unit="ratio", reason=placed),
        figure("T9.p50", rates, quantile(50), unit="ratio", reason=placed),
        figure("T9.p95", rates, quantile(95), unit="ratio", reason=placed),
        figure(
            "T9.asked.natural",
            asked,
            lambda v: share([low <= r <= high for r in v]),
            unit="share",
            reason=placed,
        ),
        figure("T9.asked.p5", asked, quantile(5), unit="ratio", reason=placed),
        figure("T9.asked.p50", asked, quantile(50), unit="ratio", reason=placed),
        figure("T9.asked.p95", asked, quantile(95), unit="ratio", reason=placed),
        *syllable_figures(lines),
        figure(
            "T9.stretched", stretches, lambda v: share([s > 1e-6 for s in v]), unit="share", reason=placed
        ),
        figure("T9.stretch", stretches, max, unit="ratio", reason=placed),
        figure(
            "T10",
            smoothness(lines),
            mean,
            unit="ratio",
            reason="no syllables or no speech in a pair of lines",
            least=FEWEST_PAIRS,
        ),
        _fluency("T11", lines, bounds=(0.6, 1.4)),
        _fluency("T11.strict", lines, bounds=(0.85, 1.2)),
        figure(
            "T12",
            [_ratio(line) for line in lines],
            lambda v: share([abs(r - 1) <= 0.2 + 1e-9 for r in v]),
            unit="share",
            reason=SILENT,
        ),
        *prosody_figures(lines),
        *prediction_figures(lines),
    )


def _ratio(line: MeasuredLine) -> float | None:
    source = line.fact.source.duration
    return None if line.dub is None or source <= 0 else line.dub.duration / source


def _fluency(name: str, lines: Sequence[MeasuredLine], *, bounds: tuple[float, float]) -> Figure:
    low, high = bounds
    rates = [(line.fact.phrase_rates or (line.fact.rate,)) if line.fact.clip else None for line in lines]
    return figure(
        name, rates, lambda v: share([all(low <= r <= high for r in phrases) for phrases in v]),
        unit="share", reason="no clip was placed for the line",
    )  # fmt: skip


def prosody_figures(lines: Sequence[MeasuredLine]) -> tuple[Figure, ...]:
    """T17: does the original's tempo, and do its pauses, survive? Pearson r over lines."""
    paces: list[tuple[float, float] | None] = []
    for line in lines:
        there, here, slot = line.fact.source_syllables, line.fact.syllables, line.fact.source.duration / 1000
        paces.append(
            (there / slot, here / line.seconds) if there and here and slot and line.seconds else None
        )
    pauses = [
        (float(a.duration), float(b.duration))
        for line in lines
        for a, b in match_pauses(line.source_pauses, line.dub_pauses)
    ]
    known = [pace for pace in paces if pace is not None]
    return (
        _correlation(
            "T17.rate", known, left_out=len(paces) - len(known), reason=f"no syllables, or {SILENT}"
        ),
        _correlation("T17.pauses", pauses, left_out=0, reason=""),
    )


def _correlation(name: str, pairs: Sequence[tuple[float, float]], *, left_out: int, reason: str) -> Figure:
    r = pearson(pairs)
    if r is None:
        return undefined(name, "r", f"a correlation needs 3 pairs that differ; there are {len(pairs)}")
    return Figure(name, r, "r", len(pairs), left_out, reason if left_out else "")


def syllable_figures(lines: Sequence[MeasuredLine]) -> tuple[Figure, ...]:
    """T9.syllables: least, middle and greatest syllables per second of a line, also per voice."""
    values = [line.syllable_rate for line in lines]
    voices = [line.fact.voice for line in lines]

    def build(name: str, reduce: Callable[[Sequence[float]], float]) -> Figure:
        reason = f"no syllables, or {SILENT}"
        return _per_voice(figure(name, values, reduce, unit="1/s", reason=reason), values, voices, reduce)

    return (
        build("T9.syllables.min", min),
        build("T9.syllables.median", median),
        build("T9.syllables.max", max),
    )


def _per_voice(
    whole: Figure,
    values: Sequence[float | None],
    voices: Sequence[str],
    reduce: Callable[[Sequence[float]], float],
) -> Figure:
    """The same figure with its value per voice."""
    mine: dict[str, list[float]] = defaultdict(list)
    for voice, value in zip(voices, values, strict=True):
        if value is not None:
            mine[voice].append(value)
    parts: dict[str, float | None] = {voice: float(reduce(mine[voice])) for voice in sorted(mine)}
    return replace(whole, parts=parts)


def prediction_figures(lines: Sequence[MeasuredLine]) -> tuple[Figure, ...]:
    """T20: mean and 90th percentile of the duration model's relative error, also per voice."""
    errors = [duration_error(line) for line in lines]
    voices = [line.fact.voice for line in lines]
    why = "no length was predicted, or nothing was synthesised"

    def build(name: str, reduce: Callable[[Sequence[float]], float]) -> Figure:
        return _per_voice(figure(name, errors, reduce, unit="share", reason=why), errors, voices, reduce)

    return build("T20.mape", mean), build("T20.p90", lambda v: percentile(v, 90))
