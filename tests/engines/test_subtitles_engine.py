"""The transcriber that reads subtitles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodub.engines.roles import EngineContext
from autodub.engines.subtitles import Subtitles, SubtitlesOptions, placed, refined
from autodub.model.calls import Transcribe
from autodub.model.errors import BadSubtitles, EngineCannot
from autodub.model.speech import Segment
from autodub.model.time import Span
from autodub.testing.contracts import TranscriberContract
from autodub.testing.studio import Studio

SRT = """1
00:00:00,300 --> 00:00:02,600
Good morning.

2
00:00:02,600 --> 00:00:03,900
How are you?

3
00:01:00,000 --> 00:01:02,000
Too late.
"""


class TestSubtitles(TranscriberContract):
    """Reading keeps the contract of a transcriber."""

    def engine(self, options: Mapping[str, str], context: EngineContext) -> Any:
        return Subtitles(SubtitlesOptions(**options), context)

    def request(self, studio: Studio) -> Transcribe:
        return Transcribe(self.speech(studio), "en", self.spans, studio.file(SRT.encode(), ".srt"))

    def small(self, studio: Studio) -> Transcribe:
        text = b"1\n00:00:02,800 --> 00:00:03,400\nYes.\n"
        return Transcribe(self.speech(studio), "en", self.spans[1:2], studio.file(text, ".srt"))

    def test_it_hears_nothing_where_nobody_speaks(self) -> None:
        """It reads what is written, so it is asked with subtitles that hold nothing spoken."""
        with self.ready() as (studio, engine):
            empty = studio.file(b"WEBVTT\n\n00:00.000 --> 00:01.000\n[music]\n", ".vtt")
            asked = Transcribe(self.speech(studio), "en", (), empty)
            assert studio.call(engine, "transcribe", asked).segments == ()

    def test_times_come_from_the_speech(self) -> None:
        """Loose cues are put on the speech under them; a cue past the end is left out and said to be."""
        with self.ready() as (studio, engine):
            found = studio.call(engine, "transcribe", self.request(studio))
        assert [(s.text, s.span) for s in found.segments] == [
            ("Good morning.", Span(500, 2200)),
            ("How are you?", Span(2800, 3400)),
        ]
        assert "1 subtitle lies outside the sound and was left out." in found.notes

    def test_the_offset_moves_the_clock(self) -> None:
        """When the programme starts 58 s into the source, so do its subtitles."""
        with self.ready() as (studio, engine):
            blob = studio.file(SRT.encode(), ".srt")
            asked = Transcribe(self.speech(studio), "en", (), blob, offset=58_000)
            found = studio.call(engine, "transcribe", asked)
        assert [(s.text, s.span) for s in found.segments] == [("Too late.", Span(2000, 4000))]

    def test_speakers_are_kept(self) -> None:
        """Voice tags name the speaker of a segment."""
        text = "WEBVTT\n\n00:00.500 --> 00:02.200\n<v Anna>Hello.\n\n00:02.800 --> 00:03.400\n<v Ben>Hi.\n"
        with self.ready() as (studio, engine):
            blob = studio.file(text.encode(), ".vtt")
            found = studio.call(engine, "transcribe", Transcribe(self.speech(studio), "en", self.spans, blob))
        assert [segment.speaker for segment in found.segments] == ["Anna", "Ben"]

    def test_what_is_missing_is_asked_for(self) -> None:
        """Without subtitles, without a language, or with a file that is none, it says what to give."""
        with self.ready() as (studio, engine):
            speech = self.speech(studio)
            with pytest.raises(EngineCannot, match="nothing to read") as caught:
                studio.call(engine, "transcribe", Transcribe(speech, "en", ()))
            assert "--subtitles" in caught.value.hint
            blob = studio.file(SRT.encode(), ".srt")
            with pytest.raises(EngineCannot, match="language") as caught:
                studio.call(engine, "transcribe", Transcribe(speech, None, (), blob))
            assert "--from" in caught.value.hint
            with pytest.raises(BadSubtitles):
                studio.call(
                    engine, "transcribe", Transcribe(speech, "en", (), studio.file(b"no subtitles", ".srt"))
                )


def cue(start: int, end: int) -> Segment:
    """A subtitle."""
    return Segment(Span(start, end), "x")


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        (Span(500, 4000), Span(1000, 3000)),  # loose on both sides
        (Span(1200, 2800), Span(1000, 3000)),  # cuts into the speech
        (Span(1500, 2800), Span(1100, 3000)),  # by more than the reach
        (Span(5000, 6000), Span(5000, 6000)),  # no speech under it
        (Span(500, 9500), Span(1000, 9000)),  # over two stretches
    ],
)
def test_edges_move_to_speech(span: Span, expected: Span) -> None:
    """Silence is cut from a cue's ends, speech it cuts is followed for up to the reach."""
    speech = (Span(1000, 3000), Span(8000, 9000))
    assert refined([cue(span.start, span.end)], speech, reach=400)[0].span == expected


def test_neighbours_keep_their_time() -> None:
    """Two cues over one stretch of speech share it where the subtitles part them."""
    cues = [cue(1000, 2000), cue(2000, 3100)]
    found = refined(cues, (Span(900, 3000),), reach=400)
    assert [segment.span for segment in found] == [Span(900, 2000), Span(2000, 3000)]


def test_cues_across_the_ends() -> None:
    """A cue mostly inside is clipped, one mostly outside is left out and counted."""
    inside, outside = placed(
        [cue(0, 1000), cue(900, 1900), cue(4800, 6000), cue(9000, 9500)], offset=400, limit=5000
    )
    assert [segment.span for segment in inside] == [Span(0, 600), Span(500, 1500), Span(4400, 5000)]
    assert outside == 1


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.tuples(st.integers(0, 300), st.integers(1, 80)), max_size=10),
    st.lists(st.tuples(st.integers(0, 300), st.integers(1, 50)), max_size=10),
)
def test_refining_loses_and_overlaps_nothing(
    cues: list[tuple[int, int]], speech: list[tuple[int, int]]
) -> None:
    """Every cue stays, non-empty; cues that did not overlap still do not."""
    given_ = [cue(a * 10, (a + n) * 10) for a, n in sorted(cues)]
    found = refined(given_, [Span(a * 10, (a + n) * 10) for a, n in speech], reach=400)
    assert [segment.text for segment in found] == [segment.text for segment in given_]
    assert all(segment.span.duration > 0 for segment in found)
    for at, left in enumerate(given_):
        for other in range(at + 1, len(given_)):
            if not left.span.overlap(given_[other].span):
                assert not found[at].span.overlap(found[other].span)


def test_a_subtitle_that_stays_past_the_end_is_kept_when_it_can_be_said() -> None:
    """One that begins in the sound and has time to be said there stays; one that has not is left out."""
    late = Segment(Span(3000, 10_000), "It is a beautiful day.")
    assert placed([late], offset=0, limit=5000)[0] == (Segment(Span(3000, 5000), late.text),)
    assert placed([late], offset=0, limit=3500) == ((), 1)
    assert placed([late], offset=8000, limit=5000) == ((), 1)


def test_subtitles_of_something_else_are_refused() -> None:
    """Subtitles that all lie outside the sound, or hold more than can be said in it, are not believed."""
    case = TestSubtitles()
    with case.ready() as (studio, engine):
        for text in (SRT.replace("00:00:0", "01:00:0").replace("00:01:0", "01:01:0"),
                     SRT.replace("How are you?", "word " * 5000)):  # fmt: skip
            asked = Transcribe(case.speech(studio), "en", case.spans, studio.file(text.encode(), ".srt"))
            with pytest.raises(BadSubtitles) as caught:
                studio.call(engine, "transcribe", asked)
            assert caught.value.hint
