"""What a language is called, and what it is not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodub.model.errors import UnknownLanguage
from autodub.model.language import Language, known_languages
from autodub.model.language_table import LANGUAGES


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("es", "es"), ("ES", "es"), ("spa", "es"), ("Spanish", "es"), ("español", "es"), ("Espanol", "es"),
        ("castellano", "es"), ("es_419", "es-419"), ("es-mx", "es-MX"), ("PT-br", "pt-BR"), ("fre", "fr"),
        ("fra", "fr"), ("ger", "de"), ("zh-hant-tw", "zh-Hant-TW"), ("cmn", "zh"), ("Mandarin", "zh"),
        ("zho", "zh"), ("Cantonese", "yue"), ("日本語", "ja"), ("iw", "he"), ("jw", "jv"),
        ("ca-valencia", "ca-valencia"),
        ("Brazilian Portuguese", "pt-BR"), ("Spanish (Latin America)", "es-419"), ("  french ", "fr"),
        ("Chinese (Simplified)", "zh-Hans"), ("sr-Latn", "sr-Latn"), ("nob", "nb"), ("Farsi", "fa"),
    ],
)  # fmt: skip
def test_tags_codes_and_names_mean_one_language(text: str, tag: str) -> None:
    """Tags, ISO codes, English names and endonyms are all understood."""
    assert Language.parse(text).tag == tag


@pytest.mark.parametrize(
    "text",
    ["xx", "Klingonese", "es-", "es-toolongvariantname", "", "  ", "-", "spa spa", "12", "Spanish (Mars)"],
)
def test_what_is_no_language_is_refused(text: str) -> None:
    """Nonsense raises the error a user sees, with a hint."""
    with pytest.raises(UnknownLanguage) as caught:
        Language.parse(text)
    assert caught.value.hint


def test_a_misspelling_gets_suggestions() -> None:
    """A near miss is answered with the language probably meant."""
    with pytest.raises(UnknownLanguage, match=r"Did you mean Spanish \(es\)"):
        Language.parse("Spansh")
    with pytest.raises(UnknownLanguage, match="Portuguese"):
        Language.parse("portugese")


def test_facts_of_a_language() -> None:
    """Name, container code, parts and writing direction come from the table."""
    brazil = Language("pt-BR")
    assert (brazil.primary, brazil.region, brazil.script) == ("pt", "BR", None)
    assert (brazil.name, brazil.iso639_2, str(brazil)) == ("Portuguese (Brazil)", "por", "pt-BR")
    assert Language("zh-Hant-TW").name == "Chinese (Traditional, Taiwan)"
    assert Language("es-419").name == "Spanish (Latin America)"
    assert Language("de").endonym == "Deutsch"
    assert Language("ar").rtl
    assert Language("he").rtl
    assert not Language("es").rtl
    assert Language("pa-Arab").rtl
    assert not Language("sd-Deva").rtl


def test_equal_however_written() -> None:
    """Two spellings of one tag are one value."""
    assert Language("pt_br") == Language.parse("PT-BR")
    assert hash(Language("spa")) == hash(Language("es"))


def test_the_constructor_takes_tags_only() -> None:
    """A name is parsed on purpose, never by accident."""
    with pytest.raises(UnknownLanguage):
        Language("Spanish")


def test_the_table_is_sound() -> None:
    """Every row has a three-letter code, a name that parses back, and no doublet."""
    assert len(LANGUAGES) >= 110
    for language in known_languages():
        assert len(language.iso639_2) == 3
        assert Language.parse(language.name) == language
        assert Language.parse(language.endonym) == language
        if language.primary != "yue":
            assert Language.parse(language.iso639_2) == language


@given(st.text(max_size=30))
@settings(deadline=None)
def test_any_text_is_a_language_or_an_error(text: str) -> None:
    """No text makes anything but a language or the user's error."""
    try:
        language = Language.parse(text)
    except UnknownLanguage:
        return
    assert Language(language.tag) == language
