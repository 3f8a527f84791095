"""From transcripts to lines."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodub.dubbing.segmentation import LONGEST, segment
from autodub.model.speech import Line, Segment, Transcript, Turn, Word
from autodub.model.time import Span


def spoken(text: str, start: int, *, each: int = 300, gaps: dict[int, int] | None = None) -> Segment:
    """A recognised segment: every word ``each`` ms long, silences before the words in ``gaps``."""
    words, at = [], start
    for index, word in enumerate(text.split()):
        at += (gaps or {}).get(index, 0)
        words.append(Word(word, Span(at, at + each)))
        at += each
    return Segment(Span(start, at), text, tuple(words))


def transcript(*segments: Segment) -> Transcript:
    """An English transcript."""
    return Transcript("en", segments)


def cue(start: int, end: int, text: str, speaker: str | None = None) -> Segment:
    """A subtitle."""
    return Segment(Span(start, end), text, speaker=speaker)


def words(lines: tuple[Line, ...]) -> list[str]:
    """All words of the lines, in order."""
    return " ".join(line.text for line in lines).split()


def test_each_recognised_sentence_is_a_line() -> None:
    """Sentences of one segment become lines with ids in order."""
    lines = segment(
        transcript(spoken("The sun rose slowly over the hill. Nobody in the village had noticed it.", 1000))
    )
    assert [(x.id, x.text) for x in lines] == [
        ("L0001", "The sun rose slowly over the hill."),
        ("L0002", "Nobody in the village had noticed it."),
    ]
    assert lines[0].span == Span(1000, 3100)


def test_phrases_stand_between_pauses() -> None:
    """A silence of 300 ms splits a line into phrases, a shorter one does not."""
    (line,) = segment(
        transcript(spoken("I came in, and then I saw the others waiting.", 0, gaps={3: 300, 6: 299}))
    )
    assert [p.text for p in line.phrases] == ["I came in,", "and then I saw the others waiting."]
    assert line.phrases[1].span.start - line.phrases[0].span.end == 300


def test_cues_that_continue_a_sentence_are_one_line() -> None:
    """A sentence spread over three cues is translated as a whole."""
    (line,) = segment(
        transcript(
            cue(0, 2000, "When the rain"),
            cue(2100, 4000, "finally stopped"),
            cue(4500, 6000, "we went outside."),
        )
    )
    assert line.text == "When the rain finally stopped we went outside."
    assert line.span == Span(0, 6000)


def test_a_long_silence_ends_a_line_inside_a_sentence() -> None:
    """A second of silence is never bridged."""
    lines = segment(transcript(cue(0, 2000, "When the rain"), cue(3000, 4000, "stopped, we left.")))
    assert [line.span for line in lines] == [Span(0, 2000), Span(3000, 4000)]


def test_unpunctuated_words_end_at_pauses() -> None:
    """Without punctuation half a second of silence ends a line."""
    heard = spoken("he was not an ill man they said and it was true enough", 0, gaps={6: 600, 9: 350})
    assert [line.text for line in segment(transcript(heard))] == [
        "he was not an ill man",
        "they said and it was true enough",
    ]


def test_an_abbreviation_does_not_end_a_sentence() -> None:
    """A title's full stop stays inside the line."""
    (line,) = segment(
        transcript(spoken("I have told Mr. Smith that J. Jones will arrive at noon tomorrow.", 0))
    )
    assert line.text.startswith("I have told Mr. Smith")


def test_a_brief_sentence_shares_a_line() -> None:
    """A one-word sentence without a pause after it is not a line of its own."""
    (line,) = segment(transcript(spoken("Yes. I have seen it many times before.", 0)))
    assert line.text == "Yes. I have seen it many times before."


def test_a_long_sentence_is_split_at_its_clauses() -> None:
    """Nothing lasts more than twelve seconds when there is a place to split."""
    text = " ".join(["one two three four five six seven eight nine ten,"] * 9) + " end."
    lines = segment(transcript(spoken(text, 0)))
    assert len(lines) > 1
    assert all(line.span.duration <= LONGEST for line in lines)
    assert all(line.text.endswith(("ten,", "end.")) for line in lines)


def test_a_long_cue_is_not_cut_at_every_full_stop() -> None:
    """Inside a cue, where word times are guesses, sentences stay together."""
    (line,) = segment(transcript(cue(0, 4000, "I know her. She lives next door.")))
    assert len(line.phrases) == 1


def test_detected_speech_moves_the_ends_of_a_cue() -> None:
    """A cue that starts early and ends late is moved onto the speech in it."""
    (line,) = segment(transcript(cue(1000, 5000, "Good morning to all of you.")), speech=[Span(1400, 4200)])
    assert line.span == Span(1400, 4200)


def test_detected_speech_around_a_cue_is_taken_in() -> None:
    """Speech that begins 300 ms before its cue still belongs to it."""
    (line,) = segment(transcript(cue(1000, 3000, "Good morning to all of you.")), speech=[Span(700, 3200)])
    assert line.span == Span(700, 3200)


def test_a_detected_pause_falls_on_the_punctuation_of_a_cue() -> None:
    """A silence inside a cue is put at the comma near it, and splits the phrases there."""
    (line,) = segment(
        transcript(cue(0, 4000, "I saw him yesterday, but he did not see me.")),
        speech=[Span(0, 1800), Span(2300, 4000)],
    )
    assert [(p.text, p.span) for p in line.phrases] == [
        ("I saw him yesterday,", Span(0, 1800)),
        ("but he did not see me.", Span(2300, 4000)),
    ]


def test_silence_in_a_words_span_is_trimmed() -> None:
    """A recogniser's early onset is corrected by the detector."""
    heard = Segment(
        Span(0, 1500), "Hello there.", (Word("Hello", Span(0, 1000)), Word("there.", Span(1000, 1500)))
    )
    (line,) = segment(transcript(heard), speech=[Span(600, 1500)])
    assert line.span == Span(600, 1500)


def test_turns_name_the_speakers() -> None:
    """Words take the speaker of the turn they fall in; the turn outside which they fall is the nearest."""
    heard = [spoken("Are you coming home tonight or not?", 0), spoken("I am not sure about that yet.", 3000)]
    turns = [Turn(Span(0, 2500), "A"), Turn(Span(2900, 4000), "B")]
    assert [(x.speaker, x.text) for x in segment(transcript(*heard), turns=turns)] == [
        ("A", "Are you coming home tonight or not?"),
        ("B", "I am not sure about that yet."),
    ]


def test_a_word_of_flicker_does_not_split_a_sentence() -> None:
    """A diarizer's slip over one word in running speech is ignored."""
    turns = [Turn(Span(0, 900), "A"), Turn(Span(900, 1200), "B"), Turn(Span(1200, 3000), "A")]
    (line,) = segment(transcript(spoken("we have always lived in this old castle.", 0)), turns=turns)
    assert line.speaker == "A"


def test_a_monologue_is_one_speaker() -> None:
    """Nobody is invented where nothing tells speakers apart."""
    lines = segment(transcript(*(spoken("This is one more sentence of many.", at * 4000) for at in range(6))))
    assert {line.speaker for line in lines} == {"S1"}


def test_overlapping_speakers_keep_their_own_times() -> None:
    """Two people at once make two overlapping lines; one person never overlaps himself."""
    both = transcript(cue(0, 3000, "Listen to me now.", "A"), cue(1500, 4000, "No, you listen to me.", "B"))
    assert [line.span for line in segment(both)] == [Span(0, 3000), Span(1500, 4000)]
    one = transcript(cue(0, 3000, "Listen to me now."), cue(1500, 4000, "No, you listen to me."))
    first, second = segment(one)
    assert first.span.end <= second.span.start


def test_two_cues_of_one_speaker_at_the_same_time_share_it() -> None:
    """Doubled times give each cue a fair part instead of a millisecond."""
    lines = segment(
        transcript(cue(0, 4000, "This is the first of two."), cue(0, 4000, "And this is the second."))
    )
    assert len(lines) == 2
    assert all(line.span.duration >= 1500 for line in lines)


def test_text_without_spaces_is_split_too() -> None:
    """Japanese keeps its characters together but can be split at its punctuation."""
    text = "昨日は雨が降っていたので、" * 12 + "家にいました。"
    lines = segment(Transcript("ja", (cue(0, 30_000, text),)))
    assert len(lines) >= 3
    assert "".join("".join(line.text.split()) for line in lines) == text


def test_nothing_said_is_no_line() -> None:
    """An empty transcript, and blank segments, give no lines."""
    assert segment(transcript()) == ()
    assert segment(transcript(cue(0, 100, "  "))) == ()


SEGMENTS = st.lists(
    st.tuples(
        st.integers(0, 20_000),
        st.integers(0, 5_000),
        st.lists(
            st.sampled_from(["a", "word", "and,", "stop.", "Dr.", "extraordinary", "why?"]),
            min_size=1,
            max_size=30,
        ),
        st.sampled_from([None, "A", "B"]),
        st.booleans(),
    ),
    max_size=8,
)


@given(SEGMENTS, st.lists(st.tuples(st.integers(0, 20_000), st.integers(0, 4_000)), max_size=6))
@settings(deadline=None, max_examples=150)
def test_every_word_once_and_no_speaker_overlaps_himself(
    rows: list[tuple[int, int, list[str], str | None, bool]], islands: list[tuple[int, int]]
) -> None:
    """Whatever the transcript: all words in, none twice, lines of a speaker apart, phrases inside lines."""
    segments = []
    for start, length, text, speaker, timed in rows:
        span = Span(start, start + length)
        if timed:
            step = length // len(text)
            heard = tuple(Word(w, Span(start + i * step, start + (i + 1) * step)) for i, w in enumerate(text))
            segments.append(Segment(span, " ".join(text), heard, speaker))
        else:
            segments.append(Segment(span, " ".join(text), (), speaker))
    lines = segment(transcript(*segments), speech=[Span(a, a + b) for a, b in islands])
    assert sorted(words(lines)) == sorted(w for row in rows for w in row[2])
    assert [line.id for line in lines] == [f"L{n:04}" for n in range(1, len(lines) + 1)]
    for speaker in {line.speaker for line in lines}:
        own = [line for line in lines if line.speaker == speaker]
        assert all(a.span.end <= b.span.start for a, b in itertools.pairwise(own))
    for line in lines:
        assert line.span.duration > 0
        assert " ".join(p.text for p in line.phrases) == line.text
        assert line.phrases[0].span.start == line.span.start
        assert line.phrases[-1].span.end == line.span.end
        assert all(b.span.start - a.span.end >= 300 for a, b in itertools.pairwise(line.phrases))


@pytest.mark.parametrize("gap", [700, 999])
def test_a_hesitation_inside_a_sentence_is_a_pause_not_an_end(gap: int) -> None:
    """In punctuated text up to a second of silence stays inside the line."""
    (line,) = segment(transcript(spoken("I think that this is all we need.", 0, gaps={4: gap})))
    assert len(line.phrases) == 2
