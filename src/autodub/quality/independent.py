"""Measuring a dub nobody kept a record of: its lines and drift from detected speech alone."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate, pairwise

from autodub.model.speech import Transcript
from autodub.model.time import Span, intersection, merged, subtract
from autodub.quality.facts import LineFact
from autodub.quality.figures import Figure
from autodub.quality.runs import MeasuredLine, segments
from autodub.quality.sync import drift_figures

FARTHEST = 1000
"""A phrase of the dub is taken for a phrase of the source when their onsets are this close, ms."""
CUE = 300
"""How far a subtitle's edge may lie from the speech it stands for, ms."""
SAME = 20
"""Edges this close are the same edge, ms."""
_OF_A_RECORD = (
    "T8.samples", "T9.", "T10", "T11", "T13", "T14", "T15", "T17.rate", "T18.overlaps", "T18.cut",
    "T18.rate", "T19", "T20", "R1.", "B1", "B2", "B3", "M1", "M2", "M3", "M4", "M5.peak", "M5.clipped",
    "M6", "V",
)  # fmt: skip
"""Figures that take the record of the dub's making, or a recogniser; ``T9.`` stands for all of T9."""


_OF_LINES = ("L", "T1.me", "T3", "T4", "T5", "T6", "T7", "T12", "T16", "T17", "T18")


def measurable(figures: Sequence[Figure], lines: Sequence[MeasuredLine]) -> tuple[Figure, ...]:
    """Figures of a dub without a record, less those that cannot exist without one."""
    why = "it takes a transcript of the source"
    return tuple(
        replace(one, reason=why) if one.value is None and not lines and one.id.startswith(_OF_LINES) else one
        for one in figures
        if one.value is not None or not one.id.startswith(_OF_A_RECORD)
    )


def follow(
    transcript: Transcript, *, source: Sequence[Span], dub: Sequence[Span]
) -> tuple[MeasuredLine, ...]:
    """The transcript's lines, each with the dub phrases that share most of their time with it.

    The times of a line are those of the source speech detected at its cue; where nothing is detected
    within 300 ms of an edge, the cue's stays. A phrase that runs through several cues is shared out. A
    phrase that touches no line goes to the nearest line that starts or ends within a second. Speech no
    cue tells of that is in the dub as it is in the source belongs to no line. A line without dub speech
    is left out by the dub.
    """
    facts = [
        LineFact(f"L{number:04}", segment.speaker or "", segment.span, segment.text)
        for number, segment in enumerate(transcript.segments, 1)
    ]
    facts.sort(key=lambda fact: fact.source)
    said = _owned(_shared_out(source, facts), facts, reach=CUE)
    known = [_snapped(fact.source, said.get(number, ())) for number, fact in enumerate(facts)]
    told = [intersection(said.get(number, ()), (span,)) for number, span in enumerate(known)]
    untold = subtract(source, merged(run for runs in told for run in runs))
    phrases = [rest for run in _shared_out(dub, facts) if (rest := _without(run, untold)) is not None]
    heard = _owned(phrases, facts, reach=FARTHEST)
    return tuple(
        MeasuredLine(_found(fact, known[number], heard.get(number)), told[number], heard.get(number, ()))
        for number, fact in enumerate(facts)
    )


def _found(fact: LineFact, span: Span, runs: Sequence[Span] | None) -> LineFact:
    if runs:
        return replace(fact, source=span)
    return replace(fact, source=span, status="left out", reason="the dub is silent at its time")


def _shared_out(phrases: Sequence[Span], facts: Sequence[LineFact]) -> list[Span]:
    """Phrases cut at the start of every cue that they cover by half, with half of one before it."""
    out = []
    starts = [fact.source.start for fact in facts]
    for phrase in phrases:
        covered = [
            fact.source.start
            for fact in facts[_first(facts, phrase) : bisect_left(starts, phrase.end)]
            if 2 * fact.source.overlap(phrase) >= fact.source.duration > 0
        ]
        edges = [phrase.start, *(at for at in covered[1:] if at > phrase.start), phrase.end]
        out += [Span(a, b) for a, b in pairwise(edges) if b > a]
    return out


def _first(facts: Sequence[LineFact], phrase: Span) -> int:
    """A line from which on lines can touch the phrase; cues rarely last longer than half a minute."""
    return bisect_left(facts, phrase.start - 30_000, key=lambda fact: fact.source.start)


def _owned(phrases: Sequence[Span], facts: Sequence[LineFact], *, reach: int) -> dict[int, tuple[Span, ...]]:
    """Line number -> its phrases, in order."""
    ends = list(accumulate((fact.source.end for fact in facts), max))
    mine: dict[int, list[Span]] = {}
    for phrase in phrases:
        owner = _owner(phrase, facts, ends, reach=reach)
        if owner is not None:
            mine.setdefault(owner, []).append(phrase)
    return {number: tuple(runs) for number, runs in mine.items()}


def _snapped(cue: Span, runs: Sequence[Span]) -> Span:
    """The cue with each edge moved to the detected one, where that is within 300 ms."""
    if not runs:
        return cue
    start, end = runs[0].start, runs[-1].end
    start = start if abs(start - cue.start) <= CUE else cue.start
    end = end if abs(end - cue.end) <= CUE else cue.end
    return Span(start, end) if end > start else cue


def _without(phrase: Span, untold: Sequence[Span]) -> Span | None:
    """A dub phrase less what starts or ends just as source speech does that no cue tells of."""
    start, end = phrase.start, phrase.end
    at = bisect_left(untold, start - SAME, key=lambda span: span.start)
    if at < len(untold) and abs(untold[at].start - start) <= SAME and untold[at].end <= end + SAME:
        start = untold[at].end
    at = bisect_left(untold, end - SAME, key=lambda span: span.end)
    if at < len(untold) and abs(untold[at].end - end) <= SAME and untold[at].start >= start - SAME:
        end = untold[at].start
    return Span(start, end) if end - start > SAME else None


def _owner(phrase: Span, facts: Sequence[LineFact], ends: Sequence[int], *, reach: int) -> int | None:
    """The line (by number) that shares most time with a phrase, or else is nearest."""
    best: int | None = None
    score = (0, -reach - 1)
    for number in range(bisect_left(ends, phrase.start - reach), len(facts)):
        line = facts[number].source
        if line.start > phrase.end + reach:
            break
        apart = max(line.start - phrase.end, phrase.start - line.end, 0)
        mark = (line.overlap(phrase), -apart)
        if apart <= reach and mark > score:
            best, score = number, mark
    return best


def drift_of_runs(source: Sequence[Span], dub: Sequence[Span]) -> tuple[Figure, ...]:
    """T8 over phrases matched by onset: each other's nearest, and less than a second apart."""
    there = [segment.start for segment in segments(source)]
    here = [segment.start for segment in segments(dub)]
    points: list[tuple[int, int | None]] = []
    for onset in there:
        near = _nearest(here, onset)
        is_mutual = near is not None and _nearest(there, near) == onset
        if near is None or not is_mutual or abs(near - onset) >= FARTHEST:
            points.append((onset, None))
        else:
            points.append((onset, near - onset))
    return drift_figures(points, reason="no phrase of the dub starts with the source's")


def _nearest(ordered: Sequence[int], value: int) -> int | None:
    at = bisect_left(ordered, value)
    return min(ordered[max(0, at - 1) : at + 1], key=lambda one: abs(one - value), default=None)
