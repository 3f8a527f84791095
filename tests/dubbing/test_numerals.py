"""Numbers as the target language writes them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodub.dubbing.numerals import decimal_sign, localized


@pytest.mark.parametrize(
    ("source", "target", "original", "text", "read"),
    [
        ("en", "es", "It cost 1,250 dollars.", "Costó 1,250 dólares.", "Costó 1250 dólares."),
        ("en", "es", "Paid 1,250.50 for 3.5 t.", "Pagué 1,250.50 por 3.5 t.", "Pagué 1250,50 por 3,5 t."),
        ("en", "es-MX", "It cost 1,250.", "Costó 1,250.", "Costó 1,250."),
        ("en", "de", "2,000,000 people, 0.5 %", "2,000,000 Menschen, 0.5 %", "2000000 Menschen, 0,5 %"),
        ("en", "fr", "About 12.75 metres.", "Environ 12.75 mètres.", "Environ 12,75 mètres."),
        ("es", "en", "Son 1.250.000 y 3,5.", "They are 1.250.000 and 3,5.", "They are 1,250,000 and 3.5."),
        ("de", "en", "Genau 1.250,5 Liter", "Exactly 1.250,5 litres", "Exactly 1,250.5 litres"),
        ("de", "es", "Genau 1.250,5 Liter", "1.250,5 litros", "1.250,5 litros"),
        ("en", "ja", "It cost 1,250.", "1,250 です", "1,250 です"),
        ("en", "es", "It cost 1,250.", "Costó 1.250.", "Costó 1.250."),
        ("en", "es", "At 10.30 on 5.7.1999", "A las 10.30 del 5.7.1999", "A las 10.30 del 5.7.1999"),
        ("en", "es", "Version 3.5.1 of 192.168.0.1", "Versión 3.5.1 de 192.168.0.1",
         "Versión 3.5.1 de 192.168.0.1"),
        ("en", "es", "Rooms 1, 2, 300", "Salas 1, 2, 300", "Salas 1, 2, 300"),
        ("en", "ar", "It cost 1,250.", "1,250", "1,250"),
        ("en", "es", "", "", ""),
    ],
)  # fmt: skip
def test_numbers_are_written_as_they_are_read(
    source: str, target: str, original: str, text: str, read: str
) -> None:
    """What was left in the source's writing is rewritten; dates, times, versions and lists are not."""
    assert localized(text, original=original, source=source, target=target) == read


@given(st.text(alphabet="0123456789.,: a/-%", max_size=40))
@settings(deadline=None)
def test_no_digit_is_lost(text: str) -> None:
    """Whatever is written, its digits stay in order; one language changes nothing."""
    digits = [c for c in text if c.isdigit()]
    made = localized(text, original=text, source="en", target="es")
    assert [c for c in made if c.isdigit()] == digits
    assert localized(text, original=text, source="en", target="en") == text
    assert localized(made, original=text, source="en", target="es") == made


def test_signs_of_languages() -> None:
    """The sign before a fraction, by language and where needed by region."""
    assert [decimal_sign(tag) for tag in ("en-GB", "es", "es-419", "pt-BR", "zh-Hans", "ar")] == [
        ".", ",", ".", ",", ".", "",
    ]  # fmt: skip
