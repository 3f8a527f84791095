"""Measuring a stranger's dub: whose speech is whose, without any record."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodub.model.speech import Segment, Transcript
from autodub.model.time import Span
from autodub.quality.independent import drift_of_runs, follow


def transcript(*spans: Span) -> Transcript:
    """A transcript of lines at given times."""
    return Transcript("en", tuple(Segment(span, "words") for span in spans))


def test_phrase_goes_to_the_line_it_shares_most_time_with() -> None:
    """A late phrase that reaches into the next line still belongs to its own."""
    lines = follow(
        transcript(Span(0, 1000), Span(1500, 2500)), source=[], dub=[Span(300, 1700), Span(1800, 2400)]
    )
    assert [line.dub for line in lines] == [Span(300, 1700), Span(1800, 2400)]


def test_phrase_beside_every_line_goes_to_the_nearest() -> None:
    """Half a second late is late, not lost; two seconds away is nobody's."""
    lines = follow(
        transcript(Span(0, 1000), Span(9000, 9500)), source=[], dub=[Span(1500, 1900), Span(4000, 5000)]
    )
    assert [line.dub for line in lines] == [Span(1500, 1900), None]


def test_lines_out_of_order_are_sorted() -> None:
    """A transcript in any order is followed in time order."""
    lines = follow(transcript(Span(5000, 6000), Span(0, 1000)), source=[], dub=[Span(5100, 6000)])
    assert [line.fact.id for line in lines if line.dub] == ["L0001"]


def test_phrase_through_two_cues_is_shared_out() -> None:
    """Speech without a breath between two cues belongs to both, on either side."""
    cues = transcript(Span(0, 1000), Span(1000, 2000))
    lines = follow(cues, source=[Span(50, 1950)], dub=[Span(50, 1950)])
    assert [line.dub for line in lines] == [Span(50, 1000), Span(1000, 1950)]
    assert [(line.onset, line.offset) for line in lines] == [(0, 0), (0, 0)]


def test_cue_takes_the_times_of_the_speech_near_it() -> None:
    """Edges within 300 ms of detected speech are moved to it; others stay."""
    lines = follow(
        transcript(Span(1000, 3000), Span(6000, 8000)),
        source=[Span(1200, 2750), Span(6500, 7900)],
        dub=[Span(1250, 2750), Span(6500, 7900)],
    )
    assert [line.fact.source for line in lines] == [Span(1200, 2750), Span(6000, 7900)]
    assert lines[0].onset == 50


def test_speech_no_cue_tells_of_is_nobodys() -> None:
    """A grunt before a line that is in the dub as in the source does not make the line early."""
    source = [Span(300, 500), Span(1000, 2000)]
    (line,) = follow(transcript(Span(1000, 2000)), source=source, dub=source)
    assert (line.dub, line.onset) == (Span(1000, 2000), 0)
    (early,) = follow(transcript(Span(1000, 2000)), source=source[1:], dub=[Span(300, 500), source[1]])
    assert early.onset == -700


def test_line_nobody_says_is_left_out() -> None:
    """A cue without dub speech is no spoken line."""
    lines = follow(transcript(Span(0, 1000), Span(5000, 6000)), source=[], dub=[Span(0, 900)])
    assert [line.fact.status for line in lines] == ["spoken", "left out"]


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 12), st.integers(1, 1900)), max_size=8), st.data())
def test_a_file_keeps_time_with_itself(pairs: list[tuple[int, int]], data: st.DataObject) -> None:
    """Measured against itself, no line starts early or late, whatever its cues say."""
    runs = sorted({slot: Span(2000 * slot, 2000 * slot + size) for slot, size in pairs}.values())
    early, late = st.integers(-300, 300), st.integers(0, 300)
    cues = [
        Span(min(max(0, run.start + data.draw(early)), run.end), run.end + data.draw(late)) for run in runs
    ]
    lines = follow(transcript(*(cue for cue in cues if cue.duration > 0)), source=runs, dub=runs)
    assert {line.onset for line in lines if line.dub} <= {0}


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 9000), st.integers(1, 2000)), max_size=12), st.data())
def test_every_phrase_has_at_most_one_line(pairs: list[tuple[int, int]], data: st.DataObject) -> None:
    """No speech is counted for two lines, overlapping lines included."""
    spans = [Span(start, start + size) for start, size in pairs]
    slots = data.draw(st.lists(st.integers(0, 20), unique=True))
    dub = [Span(700 * slot, 700 * slot + 400) for slot in slots]
    lines = follow(transcript(*spans), source=[], dub=sorted(dub))
    given_out = [run for line in lines for run in line.dub_runs]
    assert len(given_out) == len(set(given_out))
    assert all(any(run.overlap(whole) == run.duration for whole in dub) for run in given_out)


def test_drift_over_matched_phrases() -> None:
    """Phrases 30 ms a minute later and later drift by 30 ms a minute; unmatched ones are counted."""
    source = [Span(60_000 * n, 60_000 * n + 2000) for n in range(10)]
    dub = [run.shifted(100 + 30 * n) for n, run in enumerate(source[:9])]
    got = {one.id: one for one in drift_of_runs(source, dub)}
    assert got["T8.slope"].value == pytest.approx(30)
    assert (got["T8.slope"].count, got["T8.slope"].undefined) == (9, 1)


def test_drift_of_silence_is_undefined() -> None:
    """Without dub speech there is nothing to match."""
    assert drift_of_runs([Span(0, 1000)], [])[0].value is None
