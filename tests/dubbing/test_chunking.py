"""Pieces for recognisers: nothing lost, nothing twice, no word cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodub.dubbing.chunking import chunks, trimmed
from autodub.model.time import Span, subtract

LIMIT = 600_000


@st.composite
def speech(draw: st.DrawFn) -> list[Span]:
    """Sorted, disjoint spans of speech."""
    out, at = [], 0
    for _ in range(draw(st.integers(0, 30))):
        start = at + draw(st.integers(100, 9000))
        at = start + draw(st.integers(50, 40_000))
        out.append(Span(start, at))
    return out


@settings(deadline=None, max_examples=200)
@given(speech(), st.integers(0, 400_000))
def test_every_moment_of_speech_belongs_to_one_piece(spans: list[Span], limit: int) -> None:
    """Cores are disjoint, cover all speech inside the sound, and lie inside what is heard."""
    pieces = chunks(spans, limit=limit)
    cores = [piece.core for piece in pieces]
    inside = [Span(s.start, min(s.end, limit)) for s in spans if s.start < limit]
    assert subtract(inside, cores) == ()
    for left, right in pairwise(cores):
        assert left.end <= right.start
    for piece in pieces:
        assert 0 <= piece.heard.start <= piece.core.start < piece.core.end <= piece.heard.end <= limit


@settings(deadline=None, max_examples=200)
@given(speech())
def test_speech_is_cut_only_when_it_must_be(spans: list[Span]) -> None:
    """No piece's edge lies inside a span of up to 25 s, and no piece is heard much longer than that."""
    for piece in chunks(spans, limit=10**7):
        assert piece.heard.duration <= 25_000 + 2000
        for span in spans:
            if span.duration <= 25_000:
                assert not span.start < piece.heard.start < span.end
                assert not span.start < piece.heard.end < span.end


def test_cuts_lie_in_the_widest_gap() -> None:
    """A minute with one wide gap among narrow ones is cut there."""
    spans = [Span(0, 8000), Span(8200, 15_000), Span(16_000, 20_000), Span(20_200, 30_000)]
    assert [piece.core.end for piece in chunks(spans, limit=30_000)] == [15_250, 30_000]


def test_neighbours_are_grouped() -> None:
    """Short utterances close together are heard together; a long silence parts them."""
    spans = [Span(1000, 2000), Span(2500, 4000), Span(20_000, 21_000)]
    pieces = chunks(spans, limit=LIMIT)
    assert [piece.heard for piece in pieces] == [Span(750, 4250), Span(19_750, 21_250)]


def test_a_long_monologue_is_cut_with_an_overlap() -> None:
    """70 s without a gap become three pieces that overlap by two seconds, with adjoining cores."""
    pieces = chunks([Span(0, 70_000)], limit=70_000)
    assert len(pieces) == 3
    for left, right in pairwise(pieces):
        assert left.core.end == right.core.start
        assert left.heard.end - right.heard.start == 2000


def test_nothing_to_hear() -> None:
    """No speech, or speech only past the end, gives no piece."""
    assert chunks([], limit=1000) == ()
    assert chunks([Span(2000, 3000)], limit=1000) == ()


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        (Span(900, 1500), Span(1000, 1500)),
        (Span(1900, 2900), Span(1900, 2000)),
        (Span(900, 3500), Span(1000, 3500)),
        (Span(2100, 2900), Span(2100, 2900)),
        (Span(1200, 1300), Span(1200, 1300)),
    ],
)
def test_words_lose_the_silence_at_their_ends(word: Span, expected: Span) -> None:
    """A word loses what lies before its speech begins or after it ends; in silence it is left alone."""
    assert trimmed(word, (Span(1000, 2000), Span(3000, 4000))) == expected
