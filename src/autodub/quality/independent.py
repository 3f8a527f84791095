"""Measuring a dub nobody kept a record of: its lines and drift from detected speech alone."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

from autodub.model.speech import Transcript
from autodub.model.time import Span
from autodub.quality.facts import LineFact
from autodub.quality.figures import Figure
from autodub.quality.runs import MeasuredLine, attribute, segments
from autodub.quality.sync import drift_figures

FARTHEST = 1000
"""A phrase of the dub is taken for a phrase of the source when their onsets are this close, ms."""


def follow(
    transcript: Transcript, *, source: Sequence[Span], dub: Sequence[Span]
) -> tuple[MeasuredLine, ...]:
    """The transcript's lines, each with the dub phrases that share most of their time with it.

    A phrase that touches no line goes to the nearest line that starts or ends within a second.
    """
    facts = [
        LineFact(f"L{number:04}", segment.speaker or "", segment.span, segment.text)
        for number, segment in enumerate(transcript.segments, 1)
    ]
    facts.sort(key=lambda fact: fact.source)
    ends = list(accumulate((fact.source.end for fact in facts), max))
    mine: dict[int, list[Span]] = {}
    for phrase in dub:
        owner = _owner(phrase, facts, ends)
        if owner is not None:
            mine.setdefault(owner, []).append(phrase)
    lines = attribute(facts, source=source, dub=())
    return tuple(
        MeasuredLine(line.fact, line.source_runs, tuple(mine.get(index, ())))
        for index, line in enumerate(lines)
    )


def _owner(phrase: Span, facts: Sequence[LineFact], ends: Sequence[int]) -> int | None:
    """The line (by number) that shares most time with a phrase, or else is nearest."""
    best: int | None = None
    score = (0, -FARTHEST - 1)
    for number in range(bisect_left(ends, phrase.start - FARTHEST), len(facts)):
        line = facts[number].source
        if line.start > phrase.end + FARTHEST:
            break
        apart = max(line.start - phrase.end, phrase.start - line.end, 0)
        mark = (line.overlap(phrase), -apart)
        if apart <= FARTHEST and mark > score:
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
    return drift_figures(points)


def _nearest(ordered: Sequence[int], value: int) -> int | None:
    at = bisect_left(ordered, value)
    return min(ordered[max(0, at - 1) : at + 1], key=lambda one: abs(one - value), default=None)
