"""The base speed of a voice, and the lines it is learned from."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from autodub.dubbing.duration import Duration, syllable_rate
from autodub.dubbing.pacing import AUDITIONS, HURRY, SLOWEST, auditions, pace
from autodub.dubbing.syllables import Features


def voice(tempo: float) -> Duration:
    """A Spanish voice of that many syllables a second, well known."""
    model = Duration.of("es")
    for count in range(8, 48):
        model = model.updated(Features(float(count), round(count * 2.3), 0, 0, 0), count / tempo)
    return model


def test_a_voice_that_fits_keeps_its_own_pace() -> None:
    """Translations exactly as long as their lines need no other speed."""
    assert pace([(2.0, 2.0), (3.0, 3.0)], voice(6.5)) == 1.0


def test_a_slow_source_slows_the_voice_and_never_below_the_floor() -> None:
    """The voice takes the middle line's tempo, down to a calm reader's."""
    assert pace([(2.5, 2.0)] * 3, voice(6.5)) == 0.8
    assert pace([(9.0, 2.0)] * 3, voice(6.5)) == SLOWEST


def test_a_fast_source_hurries_the_voice_only_within_the_language() -> None:
    """No voice speaks for good faster than people of its language do."""
    fast = pace([(1.0, 3.0)] * 3, voice(6.5))
    assert fast > 1.0
    assert fast * 6.5 <= HURRY * syllable_rate("es") * 1.05


def test_a_voice_quicker_than_its_language_is_not_slowed_for_that() -> None:
    """The ceiling stops hurrying; it never forces a voice below its own speed."""
    assert pace([(1.0, 1.5)] * 3, voice(12.0)) == 1.0


def test_nothing_to_go_by_means_the_voices_own_pace() -> None:
    """Without lines, or with lines of no length, the pace is 1."""
    assert pace([], voice(6.5)) == 1.0
    assert pace([(0.0, 2.0)], voice(6.5)) == 1.0


@settings(deadline=None, max_examples=60)
@given(st.lists(st.text("abc ", min_size=1, max_size=60), max_size=40))
def test_auditions_are_few_valid_and_reproducible(texts: list[str]) -> None:
    """At most AUDITIONS positions, in order, at least one where there is a text."""
    chosen = auditions(texts)
    assert list(chosen) == sorted(set(chosen))
    assert len(chosen) <= AUDITIONS
    assert all(0 <= i < len(texts) for i in chosen)
    assert bool(chosen) == bool(texts)
    assert chosen == auditions(texts)


def test_auditions_prefer_long_lines_but_not_the_longest() -> None:
    """Long lines teach more; an extreme one may be an oddity."""
    texts = ["a" * n for n in range(1, 41)]
    chosen = auditions(texts)
    assert min(chosen) >= 20
    assert 39 not in chosen
