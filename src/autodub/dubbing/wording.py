"""Wordings of a line in other lengths: which to ask for, which to use, and what each one costs in quality."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from autodub.dubbing.glossary import keeps, occurring
from autodub.dubbing.meaning import lost
from autodub.dubbing.syllables import syllables
from autodub.dubbing.text import clean, is_speakable, is_untranslated, looks_like_error, same_words
from autodub.model.speech import Line, Term, Wording

SHORTER = (0.9, 0.8)
"""Shares of the natural length that suffice as a rule."""
SHORTEST = 0.7
"""Asked for as well where a translation is much longer than its original."""
LONGER = 1.12
"""Asked for where a dub would leave much of the original's time silent."""
EXPANDING = 1.2
FILLED = 0.75
_LADDER = ((0.5, 1.0), (0.7, 0.6), (0.8, 0.35), (0.9, 0.12), (1.0, 0.0), (1.3, 0.12))
"""Length against the natural wording -> quality lost; straight lines in between.

A fixed ladder, used where no estimate of translation quality is at hand. A longer wording costs
little: it says everything, with filler.
"""
_LEAST, _MOST = 0.5, 1.3
_APART = 0.03
"""Wordings whose lengths differ by less are one choice to a planner."""


def shares(expansion: float) -> tuple[float, ...]:
    """Lengths to ask for, relative to the natural wording.

    ``expansion`` is the length of the natural wording against the room it has (1 = fills it); the mean
    of a language pair serves as well. A longer wording is asked for only where the dub would fill less
    than three quarters of its room: lengthening invites filler and hardly improves timing.
    """
    if expansion < FILLED:
        return (LONGER,)
    return (*SHORTER, SHORTEST) if expansion > EXPANDING else SHORTER


def syllables_for(natural: str, lengths: Sequence[float], *, language: str) -> tuple[int, ...]:
    """Syllables that wordings of these relative lengths have, without repeats; none for the shortest lines.

    A line of a word or two has no shorter wording, and is not asked about.
    """
    count = syllables(natural, language)
    wanted = [max(1, round(count * length)) for length in lengths]
    return tuple(dict.fromkeys(n for n in wanted if n != round(count))) if count >= 4 else ()


def loss(length: float) -> float:
    """Quality lost by a wording of a length relative to the natural one, 0..1."""
    if length <= _LADDER[0][0]:
        return _LADDER[0][1]
    for (a, low), (b, high) in pairwise(_LADDER):
        if length <= b:
            return low + (high - low) * (length - a) / (b - a)
    return _LADDER[-1][1]


def survivors(
    line: Line, natural: Wording, further: Sequence[Wording], *, glossary: Sequence[Term], language: str
) -> tuple[Wording, ...]:
    """The wordings of a line that may be used: the natural one, then others from long to short.

    Left out is what lost a number, a name, a negation or a glossary term that the natural wording
    has, what is no speech or no translation, what is less than half or more than 1.3 times as long, and
    what is as long as another one. ``language`` is the target's BCP-47 tag. Every other wording's loss
    follows from its length.
    """
    whole = max(1.0, syllables(natural.text, language))
    terms = [term for term in occurring(glossary, [line.text]) if keeps(term, natural.text)]
    kept: list[tuple[float, Wording]] = [(1.0, natural)]
    for wording in further:
        text = clean(wording.text)
        length = syllables(text, language) / whole
        if not _LEAST <= length <= _MOST or any(abs(length - other) < _APART for other, _ in kept):
            continue
        if _is_usable(line, natural.text, text, terms=terms, language=language):
            kept.append((length, Wording(wording.text, round(loss(length), 3))))
    first, *others = kept
    others.sort(key=lambda entry: -entry[0])
    return (first[1], *(wording for _, wording in others))


def _is_usable(line: Line, natural: str, text: str, *, terms: Sequence[Term], language: str) -> bool:
    if not is_speakable(text) or same_words(natural, text) or is_untranslated(line.text, text):
        return False
    if looks_like_error(text) and not looks_like_error(natural):
        return False
    if not all(keeps(term, text) for term in terms):
        return False
    return not lost(natural, text, source=line.text, language=language)
