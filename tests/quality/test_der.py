"""Diarization error rate: toy cases with known answers."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodub.model.errors import RequestError
from autodub.model.speech import Turn
from autodub.model.time import Span
from autodub.quality.diarization import read_rttm, score


def turn(start: int, end: int, speaker: str) -> Turn:
    """A turn."""
    return Turn(Span(start, end), speaker)


REFERENCE = (turn(0, 1000, "anna"), turn(1000, 3000, "ben"))


def test_perfect_under_other_names() -> None:
    """Names do not matter, only who is who."""
    result = score(REFERENCE, (turn(0, 1000, "S2"), turn(1000, 3000, "S1")), programme=6000)
    assert result.error_rate == 0
    assert result.wrong_voice == 0
    assert result.count_error == 0
    assert dict(result.mapping) == {"S2": "anna", "S1": "ben"}


def test_everything_one_speaker() -> None:
    """One speaker for two: the shorter one's time is confused; D1 is per minute of programme."""
    result = score(REFERENCE, (turn(0, 3000, "S1"),), programme=6000)
    assert (result.confusion, result.miss, result.false_alarm) == (1000, 0, 0)
    assert result.error_rate == pytest.approx(1 / 3)
    assert result.wrong_voice == pytest.approx(10)
    assert result.count_error == -1


def test_miss_and_false_alarm() -> None:
    """Speech not found is missed, found where there is none is a false alarm."""
    result = score(REFERENCE, (turn(200, 1000, "a"), turn(1000, 3500, "b")), programme=6000)
    assert (result.miss, result.false_alarm, result.confusion) == (200, 500, 0)


def test_overlap_counts_per_speaker() -> None:
    """Where two speak at once and one is found, the other is missed."""
    both = (turn(0, 2000, "anna"), turn(1000, 2000, "ben"))
    result = score(both, (turn(0, 2000, "a"),), programme=2000)
    assert (result.reference, result.miss, result.confusion) == (3000, 1000, 0)


def test_the_mapping_is_the_best_one() -> None:
    """A greedy pairing (a-anna) would lose more than the Hungarian one."""
    reference = (turn(0, 5000, "anna"), turn(5000, 9000, "ben"))
    found = (turn(0, 1000, "b"), turn(1000, 5000, "a"), turn(5000, 9000, "a"))
    result = score(reference, found, programme=9000)
    assert dict(result.mapping) == {"a": "ben", "b": "anna"} or result.confusion <= 5000
    assert result.confusion == 4000


def test_collar_forgives_edges() -> None:
    """A boundary 200 ms off costs nothing with a collar of 250 ms."""
    found = (turn(0, 1200, "a"), turn(1200, 3000, "b"))
    assert score(REFERENCE, found, programme=3000).confusion == 200
    forgiven = score(REFERENCE, found, programme=3000, collar=250)
    assert forgiven.error_rate == 0
    assert forgiven.reference == 3000 - 250 - 500 - 250


def test_nothing_to_score() -> None:
    """Without reference speech the rate is undefined, not zero."""
    assert score((), (), programme=1000).error_rate is None
    assert score((), (turn(0, 10, "a"),), programme=0).wrong_voice is None
    assert score(REFERENCE, (), programme=3000).error_rate == 1.0


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20), st.sampled_from("abc")), max_size=8))
def test_a_reference_against_itself(parts: list[tuple[int, int, str]]) -> None:
    """Any set of turns, overlapping or not, has no error against itself."""
    turns = [turn(a * 100, (a + n) * 100, name) for a, n, name in parts]
    result = score(turns, turns, programme=8000)
    assert result.false_alarm == result.miss == result.confusion == 0


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(st.integers(0, 50), st.integers(1, 20), st.sampled_from("abc")), min_size=1, max_size=6
    ),
    st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20), st.sampled_from("xyz")), max_size=6),
)
def test_parts_add_up(left: list[tuple[int, int, str]], right: list[tuple[int, int, str]]) -> None:
    """Missed + confused + correct time is the reference; no part is negative."""
    reference = [turn(a * 100, (a + n) * 100, name) for a, n, name in left]
    found = [turn(a * 100, (a + n) * 100, name) for a, n, name in right]
    result = score(reference, found, programme=8000)
    assert min(result.miss, result.false_alarm, result.confusion) >= 0
    assert result.miss + result.confusion <= result.reference


def test_rttm_is_read() -> None:
    """SPEAKER lines become turns in time order; comments and other types are left out."""
    text = (
        ";; comment\nSPKR-INFO f 1 <NA> <NA> <NA> unknown anna <NA>\n"
        "SPEAKER f 1 1.5 0.25 <NA> <NA> ben <NA> <NA>\nSPEAKER f 1 0 1.001 <NA> <NA> anna <NA> <NA>\n"
    )
    assert read_rttm(text) == (turn(0, 1001, "anna"), turn(1500, 1750, "ben"))


@pytest.mark.parametrize(
    "line", ["SPEAKER f 1 x 1 <NA> <NA> a", "SPEAKER f 1 0", "SPEAKER f 1 0 -1 <NA> <NA> a"]
)
def test_broken_rttm_names_the_line(line: str) -> None:
    """A line that cannot be read is named."""
    with pytest.raises(RequestError, match="Line 2"):
        read_rttm("\n" + line)
