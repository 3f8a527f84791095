"""Splitting a text for a model that takes only so much at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

_SENTENCES = re.compile(r"(?<=[.!?…])[\"'»”)\]]*\s+|(?<=[。！？])")
_CLAUSES = re.compile(r"(?<=[,;:—–])\s+|(?<=[、，；：])")
_WORDS = re.compile(r"\s+")


def pieces(text: str, *, longest: int, measure: Callable[[str], int] = len) -> tuple[str, ...]:
    """A text in parts of at most ``longest``, cut at sentence ends, else at commas, else between words.

    Neighbouring parts are kept together while they fit. Only a single word longer than ``longest`` is
    cut inside. Joined by spaces (or by nothing, where the language has none) the parts are the text.
    """
    if measure(text) <= longest:
        return (text,) if text.strip() else ()
    return tuple(_split(text.strip(), (_SENTENCES, _CLAUSES, _WORDS), longest, measure))


def _split(
    text: str, patterns: Sequence[re.Pattern[str]], longest: int, measure: Callable[[str], int]
) -> list[str]:
    if measure(text) <= longest:
        return [text]
    if not patterns:
        half = len(text) // 2
        if half == 0:
            return [text]
        return [*_split(text[:half], (), longest, measure), *_split(text[half:], (), longest, measure)]
    parts = _parts(text, patterns[0])
    if len(parts) == 1:
        return _split(text, patterns[1:], longest, measure)
    out: list[str] = []
    held = ""
    for part, gap in parts:
        joined = held + part
        if held and measure(joined.rstrip()) > longest:
            out += _split(held.rstrip(), patterns[1:], longest, measure)
            joined = part
        held = joined + gap
    return [*out, *_split(held.rstrip(), patterns[1:], longest, measure)]


def _parts(text: str, pattern: re.Pattern[str]) -> list[tuple[str, str]]:
    """(part, the space after it), in order; closing quotes stay with what they close."""
    out = []
    last = 0
    for match in pattern.finditer(text):
        mark = match[0].rstrip()
        out.append((text[last : match.start()] + mark, match[0][len(mark) :]))
        last = match.end()
    if last < len(text):
        out.append((text[last:], ""))
    return [part for part in out if part[0]]
