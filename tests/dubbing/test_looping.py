"""Circles in what a model writes, and splitting of long texts."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from autodub.dubbing.looping import looped
from autodub.dubbing.splitting import pieces


def test_circles_are_found_after_their_first_round() -> None:
    """The position given keeps what came before a circle and one round of it."""
    assert looped([*"abc", *"de" * 6]) == 5
    assert looped(["no"] * 8) == 1
    assert looped([*["the", "same", "words", "again", "and", "again"] * 4]) == 6


def test_plain_text_goes_round_nowhere() -> None:
    """Ordinary repetition for effect is no circle."""
    assert looped(["no", "no", "no", ",", "I", "said", "no", "no", "no"]) is None
    assert looped(["a", "b", "a", "b", "a", "b"]) is None
    assert looped([]) is None


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from("abcdefgh"), max_size=12), st.integers(1, 4), st.integers(8, 12))
def test_any_circle_is_cut_short(lead: list[str], period: int, rounds: int) -> None:
    """Whatever stands before it, a circle never leaves more than a round behind its beginning."""
    circle = [f"w{n}" for n in range(period)] * rounds
    at = looped([*lead, *circle])
    assert at is not None
    assert at <= len(lead) + period


def test_texts_are_cut_where_they_breathe() -> None:
    """Sentences first, then commas, then words; neighbours stay together while they fit."""
    text = "One two. Three four. Five six."
    assert pieces(text, longest=100) == (text,)
    assert pieces(text, longest=21) == ("One two. Three four.", "Five six.")
    assert pieces("One two, three four", longest=12) == ("One two,", "three four")
    assert pieces("one two three", longest=8) == ("one two", "three")
    assert pieces("他来了。我走了。", longest=5) == ("他来了。", "我走了。")
    assert pieces('He said "no." Then left.', longest=14) == ('He said "no."', "Then left.")
    assert pieces("   ", longest=5) == ()


@settings(deadline=None, max_examples=100)
@given(st.text('ab .,!?"', max_size=60), st.integers(1, 20))
def test_nothing_is_lost_and_everything_fits(text: str, longest: int) -> None:
    """The parts hold every character but spaces, in order, and none is too long."""
    parts = pieces(" ".join(text.split()), longest=longest)
    assert "".join("".join(parts).split()) == "".join(text.split())
    assert all(len(part) <= longest and part.strip() for part in parts)
