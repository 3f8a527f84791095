"""How much of the source's speech time the dub fills: T1-T5 and T16, over detected speech only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from autodub.model.time import Span, intersection, total
from autodub.quality.figures import Figure, figure, mean, median, share, undefined
from autodub.quality.runs import MeasuredLine, segments

FRAME_MS = 256 / 22050 * 1000
"""Frame of the IWSLT 2023 dubbing track's scoring, ms."""
GROSS_FRAMES = 25
MATCH_MS = 300
"""Two pauses match when their centres are this close."""


def overlap(source: Iterable[Span], dub: Iterable[Span]) -> float | None:
    """Intersection over union of two sets of speech, 0..1; None when both are empty."""
    a, b = tuple(source), tuple(dub)
    union = total((*a, *b))
    return total(intersection(a, b)) / union if union else None


def miss_and_leak(
    source: Sequence[Span], dub: Sequence[Span], *, duration: int
) -> tuple[float | None, float | None]:
    """Source speech left silent, and dub speech in the source's silence, in seconds per minute."""
    if duration <= 0:
        return None, None
    both = total(intersection(source, dub))
    return 60 * (total(source) - both) / duration, 60 * (total(dub) - both) / duration


def frames(runs: Iterable[Span]) -> tuple[int, ...]:
    """Frame counts of the segments between pauses."""
    return tuple(round(segment.duration / FRAME_MS) for segment in segments(runs))


def segment_scores(reference: Sequence[int], hypothesis: Sequence[int]) -> list[tuple[float, float, bool]]:
    """(relative error, min/max overlap, gross?) for every reference segment of one sentence.

    Anastasopoulos et al., "Findings of the IWSLT 2023 Evaluation Campaign", dubbing track: a
    sentence with another number of segments than its reference fails in all of them.
    """
    if len(reference) != len(hypothesis):
        return [(1.0, 0.0, True)] * len(reference)
    out = []
    for wanted, got in zip(reference, hypothesis, strict=True):
        r = wanted or 1
        out.append((abs(got - r) / r, min(got, r) / max(got, r), abs(got - r) >= GROSS_FRAMES))
    return out


def match_pauses(source: Sequence[Span], dub: Sequence[Span]) -> tuple[tuple[Span, Span], ...]:
    """One-to-one nearest pairs of pauses whose centres are at most 300 ms apart, nearest pair first."""
    pairs = sorted(
        (abs((a.start + a.end) - (b.start + b.end)), i, j)
        for i, a in enumerate(source)
        for j, b in enumerate(dub)
    )
    left, right, out = set(range(len(source))), set(range(len(dub))), []
    for twice, i, j in pairs:
        if twice <= 2 * MATCH_MS and i in left and j in right:
            left.remove(i)
            right.remove(j)
            out.append((source[i], dub[j]))
    return tuple(sorted(out))


def overlap_figures(
    lines: Sequence[MeasuredLine], *, source: Sequence[Span], dub: Sequence[Span], duration: int
) -> tuple[Figure, ...]:
    """T1-T5 and T16. ``lines`` are those that were to be spoken; ``duration`` of the programme in ms."""
    silent = "no speech on either side"
    per_line = [overlap(line.source_runs, line.dub_runs) for line in lines]
    missed, leaked = miss_and_leak(source, dub, duration=duration)
    scored = [
        score for line in lines for score in segment_scores(frames(line.source_runs), frames(line.dub_runs))
    ]
    unscored = [None for line in lines if not line.source_runs]
    no_source = "no source speech detected in the line"
    return (
        figure("T1.file", [overlap(source, dub)], mean, unit="ratio", reason=silent),
        figure("T1.mean", per_line, mean, unit="ratio", reason=silent),
        figure("T1.median", per_line, median, unit="ratio", reason=silent),
        figure("T2.miss", [missed], mean, unit="s/min", reason="the programme is empty"),
        figure("T2.leak", [leaked], mean, unit="s/min", reason="the programme is empty"),
        figure(
            "T3",
            [*scored, *unscored],
            lambda s: 1 - mean([error for error, _, _ in s]),
            unit="ratio",
            reason=no_source,
        ),
        figure(
            "T4",
            [*scored, *unscored],
            lambda s: mean([m for _, m, _ in s]),
            unit="ratio",
            reason=no_source,
        ),
        figure(
            "T5", [*scored, *unscored], lambda s: share([g for _, _, g in s]), unit="share", reason=no_source
        ),
        *pause_figures(lines),
    )


def pause_figures(lines: Sequence[MeasuredLine]) -> tuple[Figure, ...]:
    """T16: F1 of pauses over the file, and the share of lines with as many pauses as their source."""
    counts = [(len(line.source_pauses), len(line.dub_pauses)) for line in lines]
    paused = [line for line, (a, b) in zip(lines, counts, strict=True) if a or b]
    if not paused:
        found = undefined("T16.f1", "ratio", "no line has a pause of 300 ms or more on either side")
    else:
        hits = sum(len(match_pauses(line.source_pauses, line.dub_pauses)) for line in paused)
        all_pauses = sum(a + b for a, b in counts)
        left_out = len(lines) - len(paused)
        why = "lines without a pause on either side are not counted" if left_out else ""
        found = Figure("T16.f1", 2 * hits / all_pauses, "ratio", len(paused), left_out, why)
    equal = [a == b if line.dub_runs else None for line, (a, b) in zip(lines, counts, strict=True)]
    return found, figure("T16.count", equal, share, unit="share", reason="no dub speech detected in the line")
