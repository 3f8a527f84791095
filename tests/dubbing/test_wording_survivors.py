"""Which wordings are asked for, which survive, and what they cost."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodub.dubbing.meaning import denies, lost, names, numbers
from autodub.dubbing.syllables import syllables
from autodub.dubbing.wording import loss, shares, survivors, syllables_for
from autodub.model.speech import Line, Term, Wording
from autodub.model.time import Span


def line(text: str) -> Line:
    """A line that says this."""
    return Line("L1", Span(0, 3000), text, "A")


def kept(
    source: str, natural: str, *further: str, glossary: tuple[Term, ...] = (), to: str = "es"
) -> list[str]:
    """Texts that survive besides the natural one."""
    found = survivors(
        line(source), Wording(natural), [Wording(text) for text in further], glossary=glossary, language=to
    )
    assert found[0] == Wording(natural)
    return [wording.text for wording in found[1:]]


def test_lengths_to_ask_for_follow_the_expansion() -> None:
    """Two shorter ones as a rule, a third where the language expands, a longer one only into silence."""
    assert shares(1.0) == shares(1.2) == shares(0.75) == (0.9, 0.8)
    assert shares(1.25) == (0.9, 0.8, 0.7)
    assert shares(0.7) == (1.12,)


def test_syllables_are_numbers_of_the_natural_wording() -> None:
    """Shares become whole syllables, without repeats; a word or two is not asked about."""
    natural = "Mañana por la mañana iremos a la ciudad."
    count = syllables(natural, "es")
    assert syllables_for(natural, (0.9, 0.8), language="es") == (round(0.9 * count), round(0.8 * count))
    assert syllables_for("Claro.", (0.9, 0.8), language="es") == ()
    assert syllables_for("Claro que sí, ya.", (0.99, 0.98), language="es") == ()


@pytest.mark.parametrize(
    ("length", "expected"),
    [(1.0, 0.0), (0.9, 0.12), (0.8, 0.35), (0.7, 0.6), (0.95, 0.06), (0.85, 0.235), (0.4, 1.0)],
)
def test_the_ladder_is_interpolated(length: float, expected: float) -> None:
    """Quality lost lies on straight lines between the fixed steps."""
    assert loss(length) == pytest.approx(expected)


@settings(deadline=None, max_examples=100)
@given(st.floats(0, 1), st.floats(0, 1))
def test_shorter_never_costs_less(a: float, b: float) -> None:
    """Below the natural length quality only falls, and stays within 0..1."""
    low, high = sorted((a, b))
    assert 1.0 >= loss(low) >= loss(high) >= 0.0


@pytest.mark.parametrize(
    ("source", "natural", "shorter", "to"),
    [
        ("We sold 1,200 books.", "Ayer vendimos 1.200 libros nuevos.", "Ayer vendimos muchos libros.", "es"),
        ("I paid twenty.", "Al final pagué veinte euros por él.", "Al final pagué euros por él.", "es"),
        ("We sold books.", "Ayer vendimos bastantes libros.", "Ayer vendimos 30 libros.", "es"),
        ("He met Anna.", "Ayer por la tarde vio a Anna.", "Ayer por la tarde la vio.", "es"),
        ("I do not know it.", "La verdad es que no lo sé.", "La verdad es que lo sé.", "es"),
        ("I know it.", "La verdad es que lo sé muy bien.", "La verdad es que no lo sé.", "es"),
        ("Nobody came.", "Niemand ist zu uns gekommen.", "Sie sind gekommen.", "de"),
        ("I have no time.", "Ich habe heute wirklich keine Zeit.", "Ich habe heute Zeit für euch.", "de"),
        ("Do you know?", "¿Sabes adónde van todos ellos?", "Sabes adónde van todos.", "es"),
        ("I don't want.", "Je ne veux vraiment pas y aller.", "Je veux vraiment y aller.", "fr"),
        ("He is not here.", "他今天不在这里办公。", "他今天在这里办公。", "zh"),
    ],
)
def test_what_lost_meaning_is_dropped(source: str, natural: str, shorter: str, to: str) -> None:
    """A wording without the number, name, negation or question of the natural one is not offered."""
    assert kept(source, natural, shorter, to=to) == []


@pytest.mark.parametrize(
    ("source", "natural", "shorter", "to"),
    [
        ("We sold 1,200.", "Ayer vendimos 1.200 libros nuevos.", "Vendimos 1200 libros nuevos.", "es"),
        ("He met Anna.", "Wczoraj wieczorem spotkał Annę w domu.", "Wczoraj spotkał Annę w domu.", "pl"),
        ("I do not know.", "La verdad es que no lo sé.", "No lo sé, la verdad.", "es"),
        ("The dog sleeps.", "Der Hund schläft heute im Haus.", "Er schläft heute im Haus.", "de"),
        ("It is here.", "Lo tienes aquí delante mismo.", "Lo tienes aquí mismo.", "es"),
        ("WATCH OUT NOW", "¡CUIDADO AHORA CON ESO!", "¡CUIDADO CON ESO!", "es"),
    ],
)
def test_what_kept_meaning_survives(source: str, natural: str, shorter: str, to: str) -> None:
    """Numbers written otherwise, inflected names, and nouns with a capital do not count as lost."""
    assert kept(source, natural, shorter, to=to) == [shorter]


def test_glossary_terms_must_stay() -> None:
    """A wording without a term is dropped, unless the natural one has it not either."""
    glossary = (Term("stream", "flujo"), Term("cat", "gato"))
    natural = "El flujo de datos es muy rápido."
    assert kept("The stream is fast.", natural, "Los datos van rápido.", glossary=glossary) == []
    assert kept("The stream is fast.", natural, "El flujo es rápido.", glossary=glossary) == [
        "El flujo es rápido."
    ]
    assert kept("A cat sleeps here.", natural, "El flujo es rápido.", glossary=glossary) != []


def test_nonsense_is_no_wording() -> None:
    """Refusals, blanks, the source, the natural wording again, stumps and essays are dropped."""
    source, natural = "You should talk to them when they come", "Deberías hablar con ellos cuando vengan"
    assert (
        kept(
            source,
            natural,
            "I'm sorry, but I cannot translate this line.",
            "…",
            source.lower(),
            natural.upper(),
            "Habla",
            natural + " esta tarde o mañana por la tarde",
        )
        == []
    )


def test_one_of_two_equal_lengths_is_enough() -> None:
    """Wordings come from long to short, each length once, with the ladder's loss."""
    natural = "Mañana por la mañana iremos todos a la ciudad."
    found = survivors(
        line("Tomorrow we all go."),
        Wording(natural),
        [Wording("Mañana iremos a la ciudad."), Wording("Mañana por la mañana iremos a la ciudad."),
         Wording("Mañana iremos a la pared.")],
        glossary=(),
        language="es",
    )  # fmt: skip
    assert [w.text for w in found] == [
        natural, "Mañana por la mañana iremos a la ciudad.", "Mañana iremos a la ciudad.",
    ]  # fmt: skip
    assert 0 == found[0].loss < found[1].loss < found[2].loss < 1


def test_numbers_are_counted_with_their_words() -> None:
    """Thousands marks do not matter, decimals and number words do."""
    assert numbers("1,200 and 1.200 and 3.5", "en") == {"1200": 2, "3": 1, "5": 1}
    assert numbers("dos de veinte", "es") == {"dos": 1, "veinte": 1}
    assert numbers("vingt 20", "xx") == {"20": 1}


def test_negations_by_language() -> None:
    """Contractions and particles deny; an unknown language is never judged."""
    assert denies("I don’t know", "en")
    assert denies("Je n'en veux plus", "fr")
    assert denies("知らない", "ja")
    assert not denies("Notable knots", "en")
    assert not denies("no no no", "xx")


def test_names_are_capitals_inside_sentences() -> None:
    """A first word is a name only where the source has it as well, a German noun likewise."""
    assert names("Vio a Anna. Luego vino Bob.", source="He saw Anna.", language="es") == ("Anna", "Bob")
    assert names("Anna duerme.", source="Anna sleeps.", language="es") == ("Anna",)
    assert names("Der Hund von Anna", source="Anna's dog", language="de") == ("Anna",)
    assert names("ANNA DUERME", source="Anna sleeps.", language="es") == ()


@settings(deadline=None, max_examples=100)
@given(st.text(max_size=60), st.text(max_size=60), st.sampled_from(["es", "en", "de", "ja", "ar", "tlh"]))
def test_the_natural_wording_always_survives(natural: str, other: str, to: str) -> None:
    """Whatever is offered, the natural wording comes first and nothing loses less than nothing."""
    found = survivors(line("Hello"), Wording(natural), [Wording(other)], glossary=(), language=to)
    assert found[0].text == natural
    assert all(0 <= w.loss <= 1 for w in found)
    assert lost(natural, natural, source="Hello", language=to) == ""
