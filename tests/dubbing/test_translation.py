"""Around a translator."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodub.dubbing.translation import checked, problems, spread, windows
from autodub.model.errors import BadAnswer
from autodub.model.speech import Line, Phrase, Translation, Translations, Wording
from autodub.model.time import Span


def line(number: int, text: str = "we all went home again", length: int = 2000) -> Line:
    """A line of one phrase."""
    span = Span(number * 10_000, number * 10_000 + length)
    return Line(f"L{number:04}", span, text, "S1", (Phrase(span, text),))


def reply(**texts: str) -> Translations:
    """An answer with one wording per line id."""
    return Translations(tuple(Translation(name, (Wording(text),)) for name, text in texts.items()))


@given(st.lists(st.integers(1, 300), max_size=60), st.integers(1, 12), st.integers(50, 600))
@settings(deadline=None)
def test_windows_hold_every_line_once(lengths: list[int], most: int, characters: int) -> None:
    """In order, within the limits, with the neighbours as context."""
    lines = [line(n, "x" * length) for n, length in enumerate(lengths)]
    cut = windows(lines, most=most, characters=characters, context=2)
    assert [x for window in cut for x in window.lines] == lines
    for window in cut:
        assert 1 <= len(window.lines) <= most
        assert len(window.lines) == 1 or sum(len(x.text) for x in window.lines) <= characters
        at = lines.index(window.lines[0])
        assert window.before == tuple(x.text for x in lines[max(0, at - 2) : at])
        assert len(window.after) == min(2, len(lines) - at - len(window.lines))


def test_a_good_reply_passes_in_the_order_of_the_lines() -> None:
    """Answers are matched by id, not by place."""
    lines = [line(1), line(2, "nothing else mattered")]
    good = checked(lines, reply(L0002="no importaba nada más", L0001="volvimos a casa"), engine="x")
    assert [(t.line, t.wordings[0].text) for t in good.lines] == [
        ("L0001", "volvimos a casa"),
        ("L0002", "no importaba nada más"),
    ]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (reply(), "missing"),
        (reply(L0001="volvimos", L0009="otra"), "unasked"),
        (reply(L0001="  "), "blank"),
        (reply(L0001="..."), "blank"),
        (reply(L0001="Error 500: internal server error"), "error"),
        (reply(L0001="We all went home again."), "untranslated"),
        (Translations((Translation("L0001", ()),)), "missing"),
    ],
)
def test_a_bad_reply_is_refused(answer: Translations, kind: str) -> None:
    """Nothing missing, blank, foreign or untranslated gets through; the line is named."""
    assert [p.kind for p in problems([line(1)], answer)] == [kind]
    with pytest.raises(BadAnswer, match="L000"):
        checked([line(1)], answer, engine="x")


def test_a_line_answered_twice_is_reported() -> None:
    """A double is a problem, and the first answer counts."""
    twice = Translations((Translation("L0001", (Wording("a casa"),)), Translation("L0001", (Wording("b"),))))
    assert [p.kind for p in problems([line(1)], twice)] == ["double"]
    assert checked([line(1)], twice, engine="x").lines[0].wordings[0].text == "a casa"


def test_a_lost_number_is_reported_but_not_fatal() -> None:
    """A changed number is shown for review; thousands marks do not matter."""
    (found,) = problems([line(1, "in 1984 there were many")], reply(L0001="había muchos"))
    assert (found.kind, found.fatal) == ("number", False)
    assert problems([line(1, "there were 12,500 of them")], reply(L0001="había 12.500")) == ()


def test_a_shorter_wording_that_will_not_do_is_dropped() -> None:
    """A blank alternative does not spoil a good line."""
    answer = Translations((Translation("L0001", (Wording("volvimos a casa"), Wording("", 0.12))),))
    assert [w.text for w in checked([line(1)], answer, engine="x").lines[0].wordings] == ["volvimos a casa"]


def test_an_unspeakable_line_may_stay_empty() -> None:
    """Dots need no translation."""
    assert problems([line(1, "...")], reply(L0001="...")) == ()


@given(
    st.lists(st.sampled_from(["a", "casa,", "volvimos", "extraordinaria.", "y"]), max_size=20),
    st.lists(st.integers(1, 40), min_size=1, max_size=6),
)
@settings(deadline=None)
def test_a_translation_is_spread_over_its_phrases(words: list[str], sizes: list[int]) -> None:
    """One part per phrase, all words in order, none empty while there are words enough."""
    phrases = [Phrase(Span(n * 1000, n * 1000 + 500), "x" * size) for n, size in enumerate(sizes)]
    parts = spread(" ".join(words), phrases)
    assert len(parts) == len(phrases)
    assert " ".join(parts).split() == words
    assert len(words) < len(phrases) or all(parts)


def test_a_cut_prefers_punctuation() -> None:
    """The pause goes where the comma is, though the share says a word later."""
    phrases = [Phrase(Span(0, 1000), "when it rained"), Phrase(Span(1400, 2400), "we stayed at")]
    assert spread("cuando llovía, nos quedábamos", phrases) == ("cuando llovía,", "nos quedábamos")
