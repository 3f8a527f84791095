"""Putting a receipt together from measured lines, figures and the record of the dub's making."""

from __future__ import annotations

from collections.abc import Sequence

from autodub.dubbing import levels
from autodub.model.media import MediaInfo
from autodub.model.time import Span
from autodub.quality.comparison import Comparison
from autodub.quality.detect import Heard
from autodub.quality.facts import DubFacts
from autodub.quality.figures import Figure, undefined
from autodub.quality.receipt import Curves, Durations, Method, Receipt, count_lines, judge, row, verdict
from autodub.quality.risk import flagged
from autodub.quality.runs import MeasuredLine
from autodub.quality.violations import violations

DETECTOR = "Silero VAD v6, edges refined to 10 ms, gaps under 100 ms joined, runs under 50 ms dropped"
_STEP = 1000


def receipt(
    names: tuple[str, str],
    facts: DubFacts,
    lines: Sequence[MeasuredLine],
    figures: Sequence[Figure],
    *,
    lengths: Durations,
    spoken: Sequence[Span],
    heard: Heard,
    comparison: Comparison,
    undubbed: str = "",
) -> Receipt:
    """The receipt of ``names`` (dub, source); ``spoken`` is where the source speaks.

    ``undubbed`` says why nothing was dubbed, where nothing was.
    """
    metrics = judge(figures)
    found = violations(lines)
    outcome, summary = verdict(metrics, undubbed=undubbed)
    if not facts.target_language and not lines and not undubbed:
        summary += " Without a transcript of the source, lines were not looked at."
    alignment = heard.delivered.alignment if heard.delivered else None
    return Receipt(
        dub=names[0],
        source=names[1],
        source_language=facts.source_language,
        target_language=facts.target_language,
        verdict=outcome,
        summary=summary,
        durations=lengths,
        line_count=count_lines(lines),
        metrics=metrics,
        undefined={metric.id: metric.reason for metric in metrics if metric.value is None},
        violations=found,
        flagged=flagged(lines, found),
        degradations=facts.degradations,
        engines=facts.engines,
        stages=facts.stages,
        calls=facts.calls,
        costs=facts.costs,
        bill=facts.bill,
        notes=facts.notes,
        method=Method(
            stem=heard.how,
            detector=DETECTOR,
            delay_samples=alignment.delay if alignment else None,
            residue_db=alignment.residue_db if alignment else None,
            notes=heard.notes,
        ),
        lines=tuple(row(line) for line in lines),
        curves=Curves(
            source_speech_ms=tuple(spoken),
            dub_speech_ms=heard.speech,
            step_ms=_STEP,
            source_lufs=_curve(comparison.source),
            output_lufs=_curve(comparison.output),
        ),
    )


def durations(
    source_and_output: tuple[int, MediaInfo],
    comparison: Comparison,
    *,
    rate: int,
    picture_copied: bool | None,
) -> Durations:
    """Lengths of the source (ms) and of the output; ``rate`` is the output's sample rate."""
    source, output = source_and_output
    picture = next((video for video in output.video if not video.is_still), None)
    difference = output.duration - source
    frame_rate = picture.frame_rate if picture else 0.0
    return Durations(
        source_ms=source,
        output_ms=output.duration,
        difference_ms=difference,
        difference_picture_frames=difference * frame_rate / 1000 if frame_rate > 0 else None,
        source_samples=comparison.source_frames,
        output_samples=comparison.output_frames,
        sample_rate_hz=rate,
        sound_equal=abs(comparison.output_frames - comparison.source_frames) <= rate / 1000
        if comparison.alike
        else None,
        picture_copied=picture_copied,
    )


def length_figures(lengths: Durations) -> tuple[Figure, ...]:
    """D1: the length of the output against the source."""
    frames = lengths.difference_picture_frames
    if frames is None:
        length = Figure("D1.sound", float(abs(lengths.difference_ms)), "ms")
    else:
        length = Figure("D1.frames", abs(frames), "frames")
    if lengths.source_samples is None or lengths.sound_equal is None:
        samples = undefined(
            "D1.samples", "samples", "source and output have different sample rates or channels"
        )
    else:
        apart = abs(lengths.output_samples - lengths.source_samples)
        samples = Figure("D1.samples", float(apart), "samples")
    return length, samples


def _curve(cells: levels.Cells) -> tuple[float | None, ...]:
    values = levels.short_term(cells)[:: _STEP // 100]
    return tuple(round(levels.lufs(float(v)), 2) if v > 1e-12 else None for v in values)
