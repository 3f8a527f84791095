"""Which stretches of a speaker a cloning engine hears."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodub.dubbing.sampling import (
    ENOUGH,
    LEAST,
    SURVEYED,
    Stretch,
    candidates,
    gain,
    select,
)
from autodub.model.speech import Line, Phrase
from autodub.model.time import Span, total

STUDIO = (3.0, 2.0, 0.0, -2.0, -3.0, 0.0)
TELEPHONE = (-4.0, 12.0, 14.0, 8.0, -10.0, -20.0)


def stretch(
    number: int, *, seconds: float = 8.0, level: float = -20.0, clarity: float = 45.0, tonality: float = 0.0,
    clipped: float = 0.0, bands: tuple[float, ...] = STUDIO,
) -> Stretch:  # fmt: skip
    """A stretch of clean studio speech, unless told otherwise."""
    start = number * 20_000
    span = Span(start, start + round(seconds * 1000))
    return Stretch(span, level, clarity, tonality, clipped, bands)


def line(number: int, start: int, end: int, speaker: str) -> Line:
    """A line of a single phrase."""
    span = Span(start, end)
    return Line(f"L{number:04}", span, "uno dos tres", speaker, (Phrase(span, "uno dos tres"),))


def test_enough_clean_speech_is_a_minute_and_a_half() -> None:
    """With plenty to choose from, one and a half minutes are taken, in programme order."""
    chosen = select([stretch(number) for number in range(40)])
    assert ENOUGH <= chosen.seconds < ENOUGH + 8
    assert chosen.is_clean
    assert chosen.notes == ()
    assert list(chosen.stretches) == sorted(chosen.stretches, key=lambda s: s.span.start)


def test_clean_speech_is_taken_before_unclean() -> None:
    """Noise, music and distortion are left out as long as there is a minute without them."""
    clean = [stretch(number) for number in range(8)]
    spoiled = [
        stretch(20, clarity=12.0),
        stretch(21, clarity=25.0, tonality=0.7),
        stretch(22, clipped=0.01),
    ]
    chosen = select([*spoiled, *clean])
    assert set(chosen.stretches) == set(clean)
    assert chosen.is_clean


def test_unclean_speech_fills_a_minute_and_is_told() -> None:
    """What is less clear is taken up to a minute, and the sample is said to be unclean, and why."""
    clean, noisy = [stretch(0)], [stretch(number, clarity=14.0) for number in range(1, 20)]
    chosen = select([*noisy, *clean])
    assert clean[0] in chosen.stretches
    assert LEAST <= chosen.seconds < LEAST + 8
    assert not chosen.is_clean
    assert chosen.notes == ("56 s of the 64 s sample has noise behind it",)


@pytest.mark.parametrize(
    ("spoiled", "words"),
    [
        (stretch(0, clarity=30.0, tonality=0.8), "music or other voices"),
        (stretch(0, clipped=0.02), "distorted"),
        (stretch(0, clarity=10.0), "noise"),
    ],
)
def test_the_reason_is_named(spoiled: Stretch, words: str) -> None:
    """A note says whether music, noise or distortion makes a sample unclean."""
    chosen = select([spoiled])
    assert not chosen.is_clean
    assert len(chosen.notes) == 1
    assert words in chosen.notes[0]


def test_music_that_nobody_hears_does_not_matter() -> None:
    """A tone 40 dB below the voice is no music."""
    assert select([stretch(0, clarity=40.0, tonality=0.9)]).is_clean


def test_a_touch_of_noise_leaves_a_sample_clean() -> None:
    """A tenth of a sample may be less clean than the rest."""
    chosen = select([*(stretch(number) for number in range(6)), stretch(9, seconds=3.0, clarity=15.0)])
    assert chosen.is_clean
    assert len(chosen.notes) == 1


def test_one_recording_condition_is_kept() -> None:
    """Speech over a telephone is left out where most of the speaker was recorded otherwise."""
    studio = [stretch(number) for number in range(5)]
    phone = [stretch(number, bands=TELEPHONE) for number in range(10, 13)]
    chosen = select([*phone, *studio])
    assert set(chosen.stretches) == set(studio)
    assert chosen.notes == ("24 s that sound differently recorded were left out of the sample",)


def test_the_larger_condition_is_kept_whichever_it_is() -> None:
    """Somebody who is mostly on the telephone is cloned from there."""
    studio = [stretch(number, seconds=5.0) for number in range(2)]
    phone = [stretch(number, bands=TELEPHONE) for number in range(10, 16)]
    assert set(select([*studio, *phone]).stretches) == set(phone)


def test_a_short_stretch_joins_the_condition_it_is_nearest_to() -> None:
    """A second of speech is too little to be a condition of its own, but enough to belong to one."""
    studio = [stretch(number) for number in range(4)]
    short = stretch(8, seconds=1.0, bands=tuple(band + 3 for band in STUDIO))
    odd = stretch(9, seconds=1.0, bands=TELEPHONE)
    phone = [stretch(number, bands=TELEPHONE) for number in range(10, 12)]
    chosen = select([*studio, short, odd, *phone])
    assert short in chosen.stretches
    assert odd not in chosen.stretches


def test_whispering_and_silence_are_left_out() -> None:
    """What is much quieter than the rest, or drowned, helps nobody."""
    loud = [stretch(number) for number in range(4)]
    quiet = stretch(10, level=-38.0)
    drowned = stretch(11, clarity=2.0)
    chosen = select([*loud, quiet, drowned])
    assert set(chosen.stretches) == set(loud)


def test_nothing_usable_is_an_empty_choice() -> None:
    """Silence, or nothing at all, is no sample, and no clean one either."""
    for stretches in ([], [stretch(0, level=-80.0)], [stretch(0, clarity=0.0)]):
        chosen = select(stretches)
        assert chosen.stretches == ()
        assert chosen.seconds == 0


def test_one_gain_stays_below_the_peak() -> None:
    """The level wanted is reached unless the peak would be too high."""
    assert gain(-30.0, -20.0) == pytest.approx(10.0)
    assert gain(-30.0, -8.0) == pytest.approx(5.0)
    assert gain(-10.0, -1.0) == pytest.approx(-10.0)


def test_candidates_keep_clear_of_others() -> None:
    """Time in which, or next to which, somebody else talks is no candidate."""
    lines = [line(1, 0, 6000, "A"), line(2, 5000, 9000, "B"), line(3, 12_000, 15_000, "A")]
    found = candidates(lines, "A")
    assert set(found) == {Span(0, 4850), Span(12_000, 15_000)}


def test_candidates_are_bounded() -> None:
    """No more than five minutes of a speaker are looked into, however long the film is."""
    lines = [line(number, number * 10_000, number * 10_000 + 9000, "A") for number in range(700)]
    assert SURVEYED - 800 <= total(candidates(lines, "A")) <= SURVEYED


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.builds(
            stretch,
            st.integers(0, 400),
            seconds=st.floats(0.8, 15.0),
            level=st.floats(-70.0, 0.0),
            clarity=st.floats(-20.0, 80.0),
            tonality=st.floats(0.0, 1.0),
            clipped=st.floats(0.0, 0.1),
            bands=st.sampled_from([STUDIO, TELEPHONE]),
        ),
        max_size=25,
        unique_by=lambda s: s.span.start,
    ),
    st.randoms(use_true_random=False),
)
def test_the_choice_is_some_of_what_there_is(stretches: list[Stretch], chance: object) -> None:
    """The choice holds some of the stretches, once each, within bounds, in whatever order they come."""
    chosen = select(stretches)
    assert len(set(chosen.stretches)) == len(chosen.stretches)
    assert set(chosen.stretches) <= set(stretches)
    assert chosen.seconds < ENOUGH + 15
    shuffled = list(stretches)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert sorted(s.span for s in select(shuffled).stretches) == [s.span for s in chosen.stretches]


def test_a_louder_copy_of_the_same_recording_is_alike() -> None:
    """Six dB more do not make another recording condition."""
    near = [stretch(number) for number in range(4)]
    far = [replace(stretch(number), level=-26.0) for number in range(10, 13)]
    assert set(select([*near, *far]).stretches) == {*near, *far}
