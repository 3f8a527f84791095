"""Numbers in the writing of the language that reads them: 1,250.5 in English is 1250,5 in Spanish.

A synthesizer reads digits in its own language, where a comma may be the decimal sign: the thousands
of an English text would be read as a fraction. Only what a translator left exactly as the source has
it is rewritten; a number it has put into the target's writing already is nobody's business.
"""

from __future__ import annotations

import re

from autodub.model.language import Language

_POINT = re.compile("en|zh|yue|ja|ko|th|he|hi|bn|ta|te|ml|kn|mr|gu|pa|ur|ms|fil|tl|sw|cy|ga|mt")
"""Languages with a decimal point and commas between thousands, by primary subtag."""
_COMMA = re.compile(
    "af|az|be|bg|ca|cs|da|de|el|es|et|eu|fi|fr|gl|hr|hu|hy|id|is|it|ka|kk|lt|lv|mk|nb|nl|nn|no|pl|pt|ro|ru"
    "|sk|sl|sq|sr|sv|tr|uk|vi"
)
"""The other way round; where blanks or apostrophes part thousands, points are understood as well."""
_POINT_REGIONS = re.compile("-(?:MX|US|PR|GT|HN|NI|PA|SV|DO|419)$", re.IGNORECASE)
"""Where Spanish is written with a decimal point."""
_GROUPED = {
    ".": re.compile(r"(?<![\w.,])\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\w|[.,]\d)"),
    ",": re.compile(r"(?<![\w.,])\d{1,3}(?:\.\d{3})+(?:,\d+)?(?!\w|[.,]\d)"),
}
"""Decimal sign -> numbers with parted thousands."""
_FRACTION = {
    ".": re.compile(r"(?<![\w.,:/-])\d+\.\d+(?!\w|[.,:/-]\d)"),
    ",": re.compile(r"(?<![\w.,:/-])\d+,\d+(?!\w|[.,:/-]\d)"),
}
_CLOCK = re.compile(r"(?:[01]?\d|2[0-4])[.,][0-5]\d")
"""What may as well be a time of day; those are left alone."""


def localized(text: str, *, original: str, source: str, target: str) -> str:
    """A translation with the source's way of writing numbers replaced by the target's.

    ``original`` is the line that was translated; ``source`` and ``target`` are BCP-47 tags. Numbers in
    languages whose writing is not known here, dates, times and versions stay as they are.
    """
    own, wanted = decimal_sign(source), decimal_sign(target)
    if not own or not wanted or own == wanted:
        return text
    left = set(_GROUPED[own].findall(original)) | set(_FRACTION[own].findall(original))
    if not left:
        return text

    def rewrite(match: re.Match[str]) -> str:
        number = match.group()
        return _written(number, own=own, wanted=wanted) if number in left else number

    text = _GROUPED[own].sub(rewrite, text)
    return _FRACTION[own].sub(
        lambda match: match.group() if _CLOCK.fullmatch(match.group()) else rewrite(match), text
    )


def decimal_sign(tag: str) -> str:
    """The sign before a fraction in a language, ``.`` or ``,``; empty where it is not known here."""
    primary = Language(tag).primary
    if _POINT.fullmatch(primary) or (primary == "es" and _POINT_REGIONS.search(tag)):
        return "."
    return "," if _COMMA.fullmatch(primary) else ""


def _written(number: str, *, own: str, wanted: str) -> str:
    """One number the other way; thousands are parted only where every reader takes a comma for that."""
    whole, _, fraction = number.partition(own)
    digits = whole.replace("," if own == "." else ".", "")
    if wanted == "." and digits != whole:
        digits = f"{int(digits):,}"
    return f"{digits}{wanted}{fraction}" if fraction else digits
