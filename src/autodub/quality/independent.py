"""Measuring a dub nobody kept a record of: its lines and drift from detected speech alone."""

from __future__ import annotations

from collections.abc import Sequence

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
    mine: dict[int, list[Span]] = {}
    for phrase in dub:
        owner = _owner(phrase, facts)
        if owner is not None:
            mine.setdefault(owner, []).append(phrase)
    lines = attribute(facts, source=source, dub=())
    return tuple(
        MeasuredLine(line.fact, line.source_runs, tuple(mine.get(index, ())))
        for index, line in enumerate(lines)
    )


def _owner(phrase: Span, facts: Sequence[LineFact]) -> int | None:
    best, score = None, (0, -FARTHEST)
    for index, fact in enumerate(facts):
        apart = max(fact.source.start - phrase.end, phrase.start - fact.source.end, 0)
        if apart > FARTHEST:
            continue
        mark = (fact.source.overlap(phrase), -apart)
        if mark > score or (best is None and mark >= score):
            best, score = index, mark
    return best


def drift_of_runs(source: Sequence[Span], dub: Sequence[Span]) -> tuple[Figure, ...]:
    """T8 over phrases matched by onset: each other's nearest, and less than a second apart."""
    there = [segment.start for segment in segments(source)]
    here = [segment.start for segment in segments(dub)]
    points: list[tuple[int, int | None]] = []
    for onset in there:
        near = min(here, key=lambda at: abs(at - onset), default=None)
        if (
            near is None
            or abs(near - onset) >= FARTHEST
            or min(there, key=lambda at: abs(at - near)) != onset
        ):
            points.append((onset, None))
        else:
            points.append((onset, near - onset))
    return drift_figures(points)
