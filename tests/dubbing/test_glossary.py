"""Glossaries: files, occurrence, and whether a wording keeps a term."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodub.dubbing.glossary import MOST, keeps, occurring, parse
from autodub.model.errors import BadOption
from autodub.model.speech import Term

ALIKE = {
    "lines": "# names\nAutodub\nstream = flujo\n\nNATO = OTAN\n",
    "csv": "term,translation\nAutodub,!\nstream,flujo\nNATO,OTAN\n",
    "tsv": "Autodub\t\nstream\tflujo\nNATO\tOTAN\n",
    "semicolons": "source;target\nAutodub;Autodub\nstream;flujo\nNATO;OTAN\n",
    "languages": "term,fr,es,pt-BR\nAutodub,!,!,!\nstream,flux,flujo,fluxo\nNATO,OTAN,OTAN,OTAN\n",
    "mark of order": "\ufeffAutodub =\nstream=flujo\nNATO = OTAN",
}


@pytest.mark.parametrize("text", ALIKE.values(), ids=ALIKE.keys())
def test_every_layout_says_the_same(text: str) -> None:
    """A glossary means the same in each of its layouts."""
    assert parse(text, target="es") == (
        Term("Autodub", "Autodub"),
        Term("stream", "flujo"),
        Term("NATO", "OTAN", is_case_sensitive=True),
    )


@pytest.mark.parametrize(
    ("target", "said"), [("pt-BR", "fluxo BR"), ("pt", "fluxo"), ("pt-PT", "fluxo"), ("fr-CA", "flux")]
)
def test_the_column_of_the_language_is_taken(target: str, said: str) -> None:
    """The very language comes first, then the plain one, then any region of it."""
    text = "term,fr,pt,pt-BR\nstream,flux,fluxo,fluxo BR\nonly here,,,aqui\n"
    terms = parse(text, target=target)
    assert terms[0].target == said
    assert len(terms) == (2 if target == "pt-BR" else 1)


def test_the_source_may_have_a_column_of_its_own() -> None:
    """In a table headed by languages only, the terms are those of the original's language."""
    text = "en,es,de\nstream,flujo,Strom\n"
    assert parse(text, target="de", source="es") == (Term("flujo", "Strom"),)
    assert parse(text, target="de") == (Term("stream", "Strom"),)


def test_commas_and_quotes_belong_to_terms_in_quotes() -> None:
    """CSV quoting is understood, and a third column says whether capitals count."""
    text = 'term,translation,case\n"Smith, Jones & Co",!,no\nPolish,polaco,yes\nUS,EE. UU.,no\n'
    assert parse(text, target="es") == (
        Term("Smith, Jones & Co", "Smith, Jones & Co"),
        Term("Polish", "polaco", is_case_sensitive=True),
        Term("US", "EE. UU."),
    )


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a = b\n = c\n", 2),
        ("# x\n\n\na = b\na = c\n", 5),
        ('term,translation\nx,"unfinished\n', 2),
        ("term,translation\nx,y,no,z,w\n", 2),
        ("a = \x00b\n", 1),
        ("a = b\nc = ...\n", 2),
        ("term,es,fr\nlonely\n", 2),
        ("term,translation\na,b,perhaps\n", 2),
        ("a = b\n" + "x" * 201 + " = y\n", 2),
    ],
)
def test_a_wrong_line_is_named(text: str, line: int) -> None:
    """What cannot be used is refused with the number of its line."""
    with pytest.raises(BadOption, match=f"Line {line} of the glossary") as caught:
        parse(text, target="es")
    assert caught.value.hint


def test_a_language_without_a_column_is_refused() -> None:
    """A table of other languages is told before anything is spent."""
    with pytest.raises(BadOption, match="none for German") as caught:
        parse("term,es,fr\nstream,flujo,flux\n", target="de")
    assert "de" in caught.value.hint


def test_a_glossary_has_an_end() -> None:
    """Too many entries are refused, an empty file has none, and repeats count once."""
    with pytest.raises(BadOption, match=str(MOST)):
        parse("".join(f"t{n} = x\n" for n in range(MOST + 1)), target="es")
    assert parse("# nothing\n\n", target="es") == ()
    assert len(parse("a = b\nA = b\n", target="es")) == 1


@pytest.mark.parametrize(
    ("term", "text", "found"),
    [
        ("stream", "Two streams met.", True),
        ("stream", "STREAM it!", True),
        ("stream", "A mainstream view", False),
        ("stream", "streaming", False),
        ("IT", "it works", False),
        ("IT", "Ask IT about it", True),
        ("machine learning", "Machine\nlearning rules", True),
        ("rock 'n' roll", "I love rock ’n’ roll.", True),
        ("C++", "He knows C++ well", True),
        ("网络", "这个网络很快", True),
        ("café", "the cafe\u0301 is open", True),
        ("Anna", "Anna's book", True),
    ],
)
def test_terms_are_found_as_words(term: str, text: str, found: bool) -> None:
    """Whole words are sought, plural endings and odd signs included, capitals where they count."""
    (entry,) = parse(f"{term} = x", target="es")
    assert bool(occurring([entry], [text])) is found


def test_only_occurring_terms_are_told_in_order() -> None:
    """Terms of other lines stay out, the glossary's order stays."""
    terms = parse("dog = perro\ncat = gato\nbird = ave", target="es")
    assert [t.source for t in occurring(terms, ["The bird", "and a dog"])] == ["dog", "bird"]
    assert occurring(terms, []) == ()


@pytest.mark.parametrize(
    ("source", "target", "text", "kept"),
    [
        ("stream", "flujo", "Los flujos son rápidos.", True),
        ("stream", "flujo", "La corriente es rápida.", False),
        ("network", "red neuronal", "Usa redes neuronales.", True),
        ("Autodub", "Autodub", "Con autodub es fácil.", True),
        ("Autodub", "Autodub", "Con Autodoblaje es fácil.", False),
        ("Anna", "Anna", "Es el libro de Ana.", False),
        ("house", "Haus", "in den Häusern", False),
        ("network", "网络", "这个网络很快", True),
    ],
)
def test_translations_may_be_inflected_and_names_may_not(
    source: str, target: str, text: str, kept: bool
) -> None:
    """A translation counts with another ending, a term to be left alone only as it is."""
    assert keeps(Term(source, target), text) is kept


@settings(deadline=None, max_examples=150)
@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No file brings anything but terms or BadOption; terms always have something to say."""
    try:
        terms = parse(text, target="es")
    except BadOption:
        return
    assert all(t.source and t.target for t in terms)
    occurring(terms, [text])


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("stream = flujo\ncat,gato\n", 2),
        ("cat,gato\nbird,ave\n# more\nstream = flujo\n", 4),
        ("cat\tgato\nbird\tave\nstream;flujo\n", 3),
    ],
)
def test_two_layouts_in_one_file_are_refused(text: str, number: int) -> None:
    """A line in another layout would silently become a term that nobody says."""
    with pytest.raises(BadOption, match=f"Line {number} .* where other lines have") as caught:
        parse(text, target="es")
    assert "same way" in caught.value.hint


def test_a_term_may_hold_the_sign_of_another_layout() -> None:
    """Told to stay as it is, a term with a comma or an equals sign is a term; so is one in quotes."""
    assert parse("a = b\nParis, Texas = !", target="es")[1] == Term("Paris, Texas", "Paris, Texas")
    assert parse('a,b\nc,d\n"x=y",!\n"p=q"', target="es")[2:] == (Term("x=y", "x=y"), Term("p=q", "p=q"))
