"""Who speaks with which voice."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodub.dubbing.casting import (
    Speaker,
    cast,
    gender_of,
    sample_spans,
    speakers_of,
)
from autodub.model.speech import Line, Phrase, Tone, Voice
from autodub.model.time import Span, total

FLAT = (0.0,) * 20
VOICES = (
    Voice("espeak", "low", "es", "male", pitch=90.0),
    Voice("espeak", "tenor", "es", "male", pitch=130.0),
    Voice("espeak", "alto", "es", "female", pitch=180.0),
    Voice("espeak", "soprano", "es", "female", pitch=240.0),
)


def tone(pitch: float, bands: tuple[float, ...] = FLAT) -> Tone:
    """A speaker's tone with a usual spread."""
    return Tone(pitch, 3.0, bands)


def line(number: int, start: int, end: int, speaker: str, text: str = "uno dos tres") -> Line:
    """A line of a single phrase."""
    return Line(f"L{number:04}", Span(start, end), text, speaker, (Phrase(Span(start, end), text),))


def test_the_nearest_voice_of_the_gender_is_cast() -> None:
    """Height decides within a gender."""
    speakers = [Speaker("A", 9000, tone(95)), Speaker("B", 8000, tone(230)), Speaker("C", 7000, tone(175))]
    assert {name: v.id for name, v in cast(speakers, VOICES).items()} == {
        "A": "low",
        "B": "soprano",
        "C": "alto",
    }


def test_gender_is_told_by_the_fundamental() -> None:
    """Between the two it is left open."""
    assert [gender_of(tone(hertz)) for hertz in (100, 160, 210)] == ["male", "unknown", "female"]
    assert gender_of(None) == "unknown"


def test_a_man_does_not_get_a_womans_voice_while_there_is_a_mans() -> None:
    """The second man takes the man's voice further away, not the woman's nearer by."""
    speakers = [Speaker("A", 9000, tone(140)), Speaker("B", 8000, tone(150))]
    assert {v.gender for v in cast(speakers, VOICES).values()} == {"male"}


def test_spectrum_decides_between_equally_high_voices() -> None:
    """Where the voices' tones are known, the one that sounds alike wins."""
    bright, dark = tuple(float(b) for b in range(20)), tuple(float(-b) for b in range(20))
    voices = (
        Voice("espeak", "x", "es", "male", pitch=100.0),
        Voice("espeak", "y", "es", "male", pitch=100.0),
    )
    chosen = cast(
        [Speaker("A", 1, tone(100, bright))], voices, tones={"x": tone(100, dark), "y": tone(100, bright)}
    )
    assert chosen["A"].id == "y"


@given(st.permutations([Speaker(n, 1000 * i, tone(80 + 30 * i)) for i, n in enumerate("ABCDEFGHI")]))
@settings(deadline=None, max_examples=30)
def test_casting_is_distinct_and_deterministic(speakers: list[Speaker]) -> None:
    """Any order of speakers gives the same cast; no two speakers sound alike, even with too few voices."""
    chosen = cast(speakers, VOICES)
    assert chosen == cast(sorted(speakers, key=lambda s: s.name), VOICES)
    assert len({(v.id, v.pitch) for v in chosen.values()}) == len(speakers)
    first_round = cast(speakers[:4], VOICES)
    assert len({v.id for v in first_round.values()}) == 4


def test_a_bound_voice_stays() -> None:
    """What a project says is kept, completed, and not given to anybody else."""
    bound = {"A": Voice("", "soprano", "", pitch=200.0, pace=1.1)}
    chosen = cast([Speaker("A", 1, tone(90)), Speaker("B", 2, tone(240))], VOICES, bound=bound)
    assert chosen["A"] == Voice("espeak", "soprano", "es", "female", pitch=200.0, pace=1.1)
    assert chosen["B"].id == "alto"


def test_a_bound_voice_nobody_knows_is_left_to_the_synthesizer() -> None:
    """An unknown id is passed on, where it becomes an error with a hint."""
    chosen = cast([Speaker("A", 1)], VOICES, bound={"A": Voice("", "gone", ""), "Z": Voice("", "low", "")})
    assert (chosen["A"].id, chosen["A"].engine, chosen["A"].language) == ("gone", "espeak", "es")
    assert set(chosen) == {"A"}


def test_without_voices_nothing_is_cast() -> None:
    """An empty list of voices is a mistake of the caller."""
    with pytest.raises(ValueError, match="no voice"):
        cast([Speaker("A", 1)], [])


def test_speakers_are_counted_by_what_they_say() -> None:
    """Amount of speech, and tone are gathered per speaker."""
    lines = [line(1, 0, 1000, "B"), line(2, 2000, 5000, "A"), line(3, 6000, 7000, "B")]
    found = speakers_of(lines, tones={"A": tone(100)})
    assert [(s.name, s.speech, s.tone) for s in found] == [("A", 3000, tone(100)), ("B", 2000, None)]
    assert found[1].tone is None


def test_a_sample_is_clean_and_long_enough() -> None:
    """Stretches where somebody else speaks are left out; the longest come first, up to enough."""
    lines = [
        line(1, 0, 10_000, "A"),
        line(2, 9_000, 12_000, "B"),
        line(3, 20_000, 50_000, "A"),
        line(4, 60_000, 60_300, "A"),
    ]
    spans = sample_spans(lines, "A", enough=35_000)
    assert spans == (Span(20_000, 50_000), Span(0, 5_000))
    assert total(sample_spans(lines, "A")) == 30_000 + 8_850
    assert sample_spans(lines, "nobody") == ()
    assert all(a.duration >= b.duration for a, b in itertools.pairwise(spans))


CLOUD = (
    Voice("elevenlabs", "robin", "es", "unknown"),
    Voice("elevenlabs", "marta", "es", "female"),
    Voice("elevenlabs", "diego", "es", "male"),
    Voice("elevenlabs", "pilar", "es", "female"),
    Voice("elevenlabs", "hans", "es", "male"),
)
"""Voices as a cloud lists them: no pitch, the best ones for the language first."""


def test_without_pitch_the_gender_label_decides() -> None:
    """The first voice labelled with the speaker's gender is cast, before an unlabelled one."""
    speakers = (Speaker("S1", 9000, tone(110.0)), Speaker("S2", 5000, tone(210.0)))
    voices = cast(speakers, CLOUD)
    assert (voices["S1"].id, voices["S2"].id) == ("diego", "marta")


def test_without_pitch_every_speaker_still_has_a_voice_of_their_own() -> None:
    """Two men and two women get four voices of their genders, and a fifth person the one that is left."""
    speakers = [
        Speaker(f"S{number}", 9000 - number, tone(height))
        for number, height in enumerate((100.0, 120.0, 200.0, 230.0, 160.0))
    ]
    voices = cast(speakers, CLOUD)
    assert len({voice.id for voice in voices.values()}) == 5
    assert [voices[f"S{number}"].gender for number in range(4)] == ["male", "male", "female", "female"]
    assert voices["S4"].id == "robin"


def test_an_unlabelled_voice_is_nearer_than_the_wrong_gender() -> None:
    """Where no voice of the gender is left, one that may be of it is cast rather than one that is not."""
    speakers = (Speaker("S1", 9000, tone(100.0)), Speaker("S2", 5000, tone(110.0)))
    voices = cast(speakers, (CLOUD[1], CLOUD[0], CLOUD[2]))
    assert (voices["S1"].id, voices["S2"].id) == ("diego", "robin")


def test_a_voice_of_unknown_pitch_is_no_perfect_match() -> None:
    """A voice known to be a semitone off is nearer than one that nobody has measured."""
    unknown, near = Voice("x", "a", "es", "male"), Voice("x", "b", "es", "male", pitch=106.0)
    assert cast((Speaker("S1", 9000, tone(100.0)),), (unknown, near))["S1"].id == "b"
