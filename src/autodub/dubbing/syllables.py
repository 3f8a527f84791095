"""Count what takes time to say: syllables, letters, pauses and digits of a text.

Counts are estimates made without a dictionary. Their bias does not matter, since every voice's
duration model learns its own seconds per syllable; their consistency does.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Any


@dataclass(frozen=True, slots=True)
class Features:
    """What the length of a spoken text depends on."""

    syllables: float
    letters: int
    """Letters of any script, a stand-in for phonemes."""
    commas: int
    """Short pauses inside: commas, semicolons, colons, dashes, brackets."""
    stops: int
    """Sentence ends inside; the last one is followed by nothing that counts."""
    digits: int


def features(text: str, language: str) -> Features:
    """The features of a text in a language (BCP-47 tag)."""
    inner = text.strip().rstrip(_CLOSING)
    return Features(
        syllables=syllables(text, language),
        letters=sum(c.isalpha() for c in text),
        commas=len(_COMMA.findall(inner)),
        stops=len(_STOP.findall(inner)),
        digits=sum(c.isdigit() for c in text),
    )


def syllables(text: str, language: str) -> float:
    """Syllables (morae in Japanese) of a text read aloud, numbers and signs included."""
    primary = re.split("[-_]", language)[0].lower()
    text = unicodedata.normalize("NFC", text)
    count = 0.0
    for number in _NUMBER.findall(text):
        count += _number(number, primary)
    count += 2.5 * len(_SIGN.findall(text))
    shouting = text.upper() == text and sum(c.isalpha() for c in text) > 6
    for word in _WORD.findall(_NUMBER.sub(" ", text)):
        if not shouting and 2 <= len(word) <= 5 and word.isupper() and _is_spelled(word):
            count += 1.3 * len(word)
        else:
            count += _word(word.lower(), primary)
    return count


_CLOSING = " \t\n.!?…。！？,;:»”\"')]"
_COMMA = re.compile(r"[,;:،؛、，；：()\[\]]|\s[-–—]+\s|—")
_STOP = re.compile(r"[.!?…]+[»”\"')\]]*\s|[。！？।]+")
_NUMBER = re.compile(r"\d+(?:[.,'\u00a0\u202f]\d+)*")
_SIGN = re.compile(r"[%€$£&+=@°§]")
_WORD = re.compile(
    r"[^\W\d_]+(?:[\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0900-\u0dff\u0e00-\u0eff]+[^\W\d_]*)*"
)

_ROMANCE = {"es", "it", "pt", "ca", "gl"}
_STRONG = set("aeoáéóàèòâêôíúìùïãõ")
_WEAK = set("iuüy")
_QU = re.compile(r"(?<=[qg])u(?=[eiéíè])")
_NASAL = re.compile(r"ã[oe]|õe")
_VOWELS = re.compile(r"[aeiouyàáâãäåæèéêëìíîïòóôõöøœùúûüýāăąēėęěīįıōőūůűųươạ-ỹ]+")
_SINGLE = re.compile("[аеёиоуыэюяіїєѣաեէըիոօაეიოუ]")
_GREEK = re.compile("ου|ού|αι|αί|ει|εί|οι|οί|υι|αυ|αύ|ευ|εύ|[αεηιουωάέήίόύώϊϋΐΰ]")
_SMALL_KANA = set("ゃゅょぁぃぅぇぉャュョァィゥェォ")

_READINGS = {
    # syllables of a digit in the ones, tens and hundreds place, of "thousand" and of the decimal sign
    "en": (1.3, 2.0, 3.2, 2.0, 1.0),
    "de": (1.2, 2.4, 2.6, 2.0, 2.0),
    "nl": (1.2, 2.4, 2.4, 2.0, 2.0),
    "sv": (1.2, 1.9, 2.4, 2.0, 2.0),
    "fr": (1.1, 1.7, 1.8, 1.0, 2.0),
    "es": (1.8, 2.8, 3.3, 1.0, 2.0),
    "pt": (1.6, 2.9, 3.3, 1.0, 2.5),
    "it": (1.7, 2.6, 2.6, 1.3, 3.0),
    "ca": (1.2, 2.3, 2.2, 1.0, 2.0),
    "ru": (1.8, 3.0, 2.8, 2.0, 3.0),
    "zh": (1.0, 1.8, 2.0, 1.0, 1.0),
    "ja": (1.6, 3.0, 3.6, 2.0, 2.0),
    "ko": (1.0, 1.8, 1.9, 1.0, 1.0),
    "vi": (1.0, 1.9, 2.0, 1.0, 1.0),
}
_READING = (1.6, 2.5, 2.8, 2.0, 2.0)


def _number(text: str, language: str) -> float:
    """Syllables of a written number read as a quantity; long or zero-led ones digit by digit."""
    one, ten, hundred, thousand, point = _READINGS.get(language, _READING)
    groups = re.split(r"\D", text)
    if len(groups) > 1 and all(len(g) == 3 for g in groups[1:]) and groups[0][0] != "0":
        groups = ["".join(groups)]
    total = point * (len(groups) - 1)
    for digits in groups:
        if len(digits) > 9 or (len(digits) > 1 and digits[0] == "0"):
            total += one * len(digits)
            continue
        if not digits.strip("0"):
            total += one
            continue
        for place, digit in enumerate(reversed(digits)):
            if digit != "0":
                total += (one, ten, hundred)[place % 3]
        total += thousand * ((len(digits) - 1) // 3)
    return total


def _is_spelled(word: str) -> bool:
    return len(word) <= 3 or not _VOWELS.search(word.lower())


def _word(word: str, language: str) -> float:
    first = ord(word[0])
    if 0x0E00 <= first <= 0x0EFF or 0x1780 <= first <= 0x17FF or 0x1000 <= first <= 0x109F:
        return max(1.0, sum(c.isalpha() for c in word) / 1.7)  # Thai, Lao, Khmer, Burmese: no spaces
    if 0x0900 <= first <= 0x0DFF:  # Indic: every letter carries a vowel unless a virama silences it
        letters = sum(unicodedata.category(c) == "Lo" for c in word)
        return max(1.0, letters - sum(unicodedata.combining(c) == 9 for c in word))
    if 0x0590 <= first <= 0x07FF:  # Hebrew, Arabic, Syriac: short vowels are not written
        return max(1.0, 0.55 * sum(c.isalpha() for c in word))
    if first >= 0x2E80:
        return sum(_character(c, language) for c in word)
    if 0x0370 <= first <= 0x03FF:
        return max(1, len(_GREEK.findall(word)))
    if 0x0400 <= first <= 0x058F or 0x10A0 <= first <= 0x10FF:
        return len(_SINGLE.findall(word)) or (1 if len(word) > 1 else 0)  # "в", "с" lean on the next word
    if language in _ROMANCE:
        return _romance(word)
    if language == "en":
        return _english(word)
    if language == "fr":
        return _french(word)
    patterns = _patterns(language)
    if patterns is not None:
        # Patterns say where a line may break, which in a word without vowels is nowhere.
        return len(patterns.positions(word)) + 1
    return max(1, len(_VOWELS.findall(word)))


def _character(c: str, language: str) -> float:
    if c in _SMALL_KANA:
        return 0.0
    if 0x4E00 <= ord(c) <= 0x9FFF or 0x3400 <= ord(c) <= 0x4DBF:
        return 1.8 if language == "ja" else 1.0
    return 1.0 if c.isalpha() else 0.0


def _romance(word: str) -> int:
    """Nuclei of a word: every strong vowel, or a run of weak ones; two strong ones never share."""
    count, previous = 0, ""
    for c in _NASAL.sub("ã", _QU.sub("", word)):
        if c in _STRONG:
            count += 0 if previous == "weak" else 1
            previous = "strong"
        elif c in _WEAK:
            count += 0 if previous in {"strong", "weak"} else 1
            previous = "weak" if previous != "strong" else "glide"
        else:
            previous = ""
    return max(1, count)


_EN_SILENT = re.compile(
    r"(?<![^aeiouy]l)e$|(?<=[^aeiouytd])ed$|(?<=[^aeiouysxzcg])es$|(?<=[^aeiouyscxzghl])es$"
)
_EN_SPLIT = re.compile(r"(?<=[^aeioucstgx])i(?=[aou])|(?<=[aeouy])ing|cie(?=n)")
_EN_INNER = re.compile(r"(?<=[a-z][aeiouy][^aeiouy])e(?=(ly|ment|ments|ful|less|ness)$)")


def _english(word: str) -> int:
    """Vowel groups without silent e's."""
    word = _EN_INNER.sub("", _EN_SILENT.sub("", word))
    return max(1, len(_VOWELS.findall(word)) + len(_EN_SPLIT.findall(word)))


_FR = "aeiouyàâéèêëîïôùûü"
_FR_SILENT = re.compile(rf"(?<=[^{_FR}])es?$|(?<=[rlstv])ent$|(?<=[iuyé])es?$")
_FR_INNER = re.compile(rf"(?<=[{_FR}][^{_FR}])e(?=[^{_FR}][{_FR}])")
_FR_SPLIT = re.compile(r"(?<=[éï])[aeiouéè]|(?<=[aou])[éï]|y(?=[aeou])")


def _french(word: str) -> int:
    """Vowel groups without mute e's, with é and ï on their own."""
    if len(word) > 3:
        word = _FR_INNER.sub("", _FR_SILENT.sub("", word))
    return max(1, len(_VOWELS.findall(word)) + len(_FR_SPLIT.findall(word)))


@lru_cache(maxsize=16)
def _patterns(language: str) -> Any:
    """Hyphenation patterns of a language, or None where there are none."""
    import pyphen

    name = pyphen.language_fallback(language)
    return pyphen.Pyphen(lang=name, left=1, right=1) if name else None
