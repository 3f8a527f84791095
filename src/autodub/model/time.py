"""Time on the programme: integer milliseconds, and arithmetic on sets of spans."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A half-open interval ``[start, end)`` of the programme, in milliseconds."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if self.end < self.start:
            raise ValueError(f"a span cannot end before it starts: {self.start}..{self.end}")

    @property
    def duration(self) -> int:
        """Length in milliseconds."""
        return self.end - self.start

    def overlap(self, other: Span) -> int:
        """Milliseconds the two spans share."""
        return max(0, min(self.end, other.end) - max(self.start, other.start))

    def shifted(self, by: int) -> Span:
        """The same span, ``by`` milliseconds later."""
        return Span(self.start + by, self.end + by)


def merged(spans: Iterable[Span], *, gap: int = 0) -> tuple[Span, ...]:
    """Sorted, disjoint spans covering the same time; neighbours at most ``gap`` ms apart are joined."""
    out: list[Span] = []
    for span in sorted(spans):
        if out and span.start - out[-1].end <= gap:
            out[-1] = Span(out[-1].start, max(out[-1].end, span.end))
        else:
            out.append(span)
    return tuple(out)


def touching(spans: Sequence[Span], window: Span) -> Sequence[Span]:
    """The part of sorted, disjoint spans that may share time with a window, found without reading them all.

    Of an empty window: what lies around its moment.
    """
    first = bisect_right(spans, window.start, key=lambda span: span.end)
    return spans[first : bisect_left(spans, window.end, lo=first, key=lambda span: span.start)]


def intersection(left: Iterable[Span], right: Iterable[Span]) -> tuple[Span, ...]:
    """The time covered by both sets, as sorted disjoint spans (empty spans left out)."""
    a, b = merged(left), merged(right)
    out: list[Span] = []
    i = j = 0
    while i < len(a) and j < len(b):
        start, end = max(a[i].start, b[j].start), min(a[i].end, b[j].end)
        if end > start:
            out.append(Span(start, end))
        if a[i].end <= b[j].end:
            i += 1
        else:
            j += 1
    return tuple(out)


def subtract(left: Iterable[Span], right: Iterable[Span]) -> tuple[Span, ...]:
    """The time covered by ``left`` but not by ``right``, as sorted disjoint spans."""
    holes = merged(right)
    out: list[Span] = []
    first = 0
    for span in merged(left):
        start = span.start
        while first < len(holes) and holes[first].end <= span.start:
            first += 1
        at = first
        while at < len(holes) and holes[at].start < span.end:
            if holes[at].start > start:
                out.append(Span(start, holes[at].start))
            start = max(start, holes[at].end)
            at += 1
        if start < span.end:
            out.append(Span(start, span.end))
    return tuple(out)


def padded(spans: Iterable[Span], *, before: int, after: int, limit: int) -> tuple[Span, ...]:
    """Spans grown by ``before`` and ``after`` ms, clipped to ``[0, limit)`` and merged."""
    grown = (Span(max(0, s.start - before), min(limit, s.end + after)) for s in spans if s.start < limit)
    return merged(grown)


def total(spans: Iterable[Span]) -> int:
    """Milliseconds covered by the set (time covered twice counts once)."""
    return sum(span.duration for span in merged(spans))
