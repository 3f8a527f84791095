"""Counting what takes time to say."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodub.dubbing.syllables import features, syllables


@pytest.mark.parametrize(
    ("text", "language", "count"),
    [
        ("teatro", "es", 3),
        ("día", "es", 2),
        ("ciudad", "es", 2),
        ("que", "es", 1),
        ("pingüino", "es", 3),
        ("murciélago", "es", 4),
        ("veintiocho", "es", 3),
        ("mayo", "es", 2),
        ("y", "es", 1),
        ("não", "pt", 1),
        ("corações", "pt", 3),
        ("felice", "it", 3),
        ("make", "en", 1),
        ("little", "en", 2),
        ("wanted", "en", 2),
        ("jumped", "en", 1),
        ("radio", "en", 3),
        ("being", "en", 2),
        ("petites", "fr", 2),
        ("développé", "fr", 3),
        ("idée", "fr", 2),
        ("Kunsthandwerk", "de", 3),
        ("нормально", "ru", 3),
        ("καλημέρα", "el", 4),
        ("你好吗", "zh", 3),
        ("きょう", "ja", 2),
        ("안녕하세요", "ko", 5),
        ("नमस्ते", "hi", 3),
        ("merhaba", "tr", 3),
        ("", "es", 0),
        ("... !", "en", 0),
    ],
)
def test_words_have_the_syllables_a_speaker_gives_them(text: str, language: str, count: int) -> None:
    """Words of many languages and scripts."""
    assert syllables(text, language) == count


@pytest.mark.parametrize(
    ("text", "language", "low", "high"),
    [
        ("1984", "es", 10, 12),  # mil novecientos ochenta y cuatro
        ("7", "en", 1, 2),
        ("1,000,000", "en", 4, 6),
        ("3.14", "en", 4, 6),
        ("007", "en", 3, 6),
        ("10:30", "en", 2, 5),
        ("50 %", "es", 4, 7),
        ("12345678901234", "en", 14, 24),  # digit by digit
        ("the FBI agent", "en", 6, 8),
        ("ยินดีที่ได้รู้จัก", "th", 4, 8),
        ("مرحبا بالعالم", "ar", 4, 8),
    ],
)
def test_what_is_not_spelled_out_is_estimated(text: str, language: str, low: float, high: float) -> None:
    """Numbers, signs, acronyms and scripts without vowels come near what is said."""
    assert low <= syllables(text, language) <= high


def test_regions_and_case_make_no_difference() -> None:
    """A region subtag or capital letters do not change how a word is said."""
    assert syllables("Buenos días", "es-MX") == syllables("BUENOS DÍAS AMIGOS", "es") - 3 == 4


def test_pauses_inside_count_and_the_last_does_not() -> None:
    """Commas and sentence ends are counted where something follows."""
    found = features("Hola, amigo. ¿Qué tal? Son 25; no más.", "es")
    assert (found.commas, found.stops, found.digits) == (2, 2, 2)
    assert features("Fin.", "es").stops == 0
    assert features("他来了。我走了。", "zh").stops == 1


@settings(deadline=None, max_examples=150)
@given(st.text(max_size=60), st.sampled_from(["en", "es", "fr", "de", "th", "ja", "hi", "xx", "zh-Hant", ""]))
def test_any_text_can_be_counted(text: str, language: str) -> None:
    """No text and no language tag makes counting fail, and nothing has fewer than no syllables."""
    found = features(text, language)
    assert found.syllables >= 0
    assert min(found.letters, found.commas, found.stops, found.digits) >= 0
