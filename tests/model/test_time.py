"""Arithmetic on sets of spans."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodub.model.time import Span, intersection, merged, padded, subtract, total, touching

spans = st.lists(
    st.tuples(st.integers(0, 400), st.integers(0, 60)).map(lambda pair: Span(pair[0], pair[0] + pair[1])),
    max_size=12,
)


def covered(items: tuple[Span, ...] | list[Span]) -> set[int]:
    """Every millisecond of a set of spans."""
    return {ms for span in items for ms in range(span.start, span.end)}


@settings(deadline=None, max_examples=60)
@given(spans, spans)
def test_set_operations_agree_with_sets_of_milliseconds(left: list[Span], right: list[Span]) -> None:
    """Merging, intersecting and subtracting do what they do on the milliseconds themselves."""
    assert covered(merged(left)) == covered(left)
    assert covered(intersection(left, right)) == covered(left) & covered(right)
    assert covered(subtract(left, right)) == covered(left) - covered(right)
    assert total(left) == len(covered(left))


@settings(deadline=None, max_examples=40)
@given(spans)
def test_results_are_sorted_and_disjoint(items: list[Span]) -> None:
    """No span of a result touches the next one."""
    out = merged(items)
    assert all(a.end < b.start for a, b in pairwise(out))


@settings(deadline=None, max_examples=100)
@given(spans, st.integers(0, 460), st.integers(0, 60))
def test_what_touches_a_window_is_found_among_sorted_spans(items: list[Span], start: int, size: int) -> None:
    """It is what shares time with the window, or what lies around its moment where it is empty."""
    known, window = merged(items), Span(start, start + size)
    expected = [span for span in known if span.start < window.end and span.end > window.start]
    assert [span for span in touching(known, window) if span.duration] == [x for x in expected if x.duration]


def test_a_span_cannot_run_backwards() -> None:
    """An end before the start is a mistake, not an empty span."""
    with pytest.raises(ValueError, match="before it starts"):
        Span(2, 1)


def test_merging_bridges_small_gaps_only() -> None:
    """Neighbours at most the gap apart are joined."""
    assert merged([Span(0, 10), Span(20, 30), Span(41, 50)], gap=10) == (Span(0, 30), Span(41, 50))


def test_padding_stays_inside_the_programme() -> None:
    """Padding is clipped at zero and at the end; spans past the end are left out."""
    assert padded([Span(50, 100), Span(400, 420)], before=80, after=150, limit=240) == (Span(0, 240),)


def test_overlap_duration_and_shift() -> None:
    """The small helpers of a span."""
    assert Span(0, 10).overlap(Span(5, 20)) == 5
    assert Span(0, 10).overlap(Span(10, 20)) == 0
    assert Span(3, 10).duration == 7
    assert Span(3, 10).shifted(5) == Span(8, 15)
