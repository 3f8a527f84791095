"""What a dub costs: the bill from what was metered, and the estimate before it begins."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from autodub.dubbing.prices import PriceTable
from autodub.dubbing.translation import growing
from autodub.model.usage import Bill, Charge, Usage


def bill(usage: Iterable[Usage], prices: PriceTable, *, models: Mapping[str, str]) -> Bill:
    """What a job's calls cost, item by item; what was kept from an earlier run costs nothing.

    ``models`` gives the model of each *paid* engine by ``role.name``: the work of others is free and not
    on the bill, and neither are units that a provider does not charge for.
    """
    charges, unpriced = [], []
    for use in usage:
        if use.engine not in models:
            continue
        model = models[use.engine]
        dollars = prices.dollars(use.engine, model, use.unit, use.amount)
        if dollars is None:
            unpriced.append(use.engine)
        elif prices.row(use.engine, model, use.unit) is None:
            continue
        cost = Decimal(0) if use.cached else dollars
        charges.append(Charge(use.engine, use.verb, use.unit, use.amount, cost, use.cached))
    return Bill(tuple(charges), prices.dated, tuple(dict.fromkeys(unpriced)))


def money(dollars: Decimal | float) -> str:
    """An amount for people: cents, or as many places as a small amount needs."""
    return f"${dollars:.2f}" if dollars == 0 or dollars >= _CENTS else f"${dollars:.4f}"


_CENTS = Decimal("0.1")  # dollars from which on cents are fine enough


@dataclass(frozen=True, slots=True)
class Expected:
    """What is known about a dub before it begins."""

    seconds: float
    """Length of the programme."""
    speech: float
    """Seconds in which somebody speaks."""
    speakers: int
    source: str
    """BCP-47 tags."""
    target: str
    cloned: bool = False
    """Whether voices will be cloned."""
    diarized: bool = True
    """Whether the transcriber is asked to tell speakers apart."""
    said: int | None = None
    """Characters of what is said, where that is known already (subtitles, a transcript)."""


@dataclass(frozen=True, slots=True)
class Engaged:
    """A paid engine that will be asked."""

    engine: str
    """``role.name``"""
    model: str


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a dub will cost, US dollars."""

    low: Decimal
    likely: Decimal
    high: Decimal
    """With every disagreement about prices resolved upwards, and much spoken twice."""
    charges: tuple[Charge, ...]
    """The likely cost, item by item."""
    dated: str
    """Date of the price table, ISO 8601."""
    unpriced: tuple[str, ...] = ()
    """Paid engines whose price nobody knows; they are not in the sums."""


_PER_SYLLABLE = {
    "ar": 2.4, "bn": 2.2, "cs": 2.6, "de": 3.1, "el": 2.4, "en": 2.9, "es": 2.5, "fi": 2.6, "fr": 2.9,
    "he": 2.2, "hi": 2.2, "hu": 2.7, "id": 2.8, "it": 2.6, "ja": 0.75, "ko": 1.25, "nl": 3.2, "pl": 2.9,
    "pt": 2.7, "ro": 2.7, "ru": 2.7, "sv": 2.9, "th": 3.0, "tr": 2.6, "uk": 2.7, "vi": 4.0, "zh": 1.1,
    "yue": 1.1,
}  # fmt: skip
"""Characters per syllable of running text, spaces and punctuation included, by primary language."""
_TYPICAL = 2.7
_PAUSES = 0.87
"""Share of what a detector calls speech in which syllables are spoken; the rest are breaths and pauses."""
_TRIED = {True: 0.5, False: 2.0}
"""Lines that are spoken twice in each voice until its pace is known: clones keep the speaker's own."""
_LINE = 1.8
"""Seconds of speech in a line of dialogue."""
_LANES = 32
_INSTRUCTIONS, _FRAME = 540, 3
"""Tokens of what every request says besides the script, and of what a reply wraps around each line."""
_TOLD, _SUMMARY = 12_000, 200
"""Characters of a script up to which every request tells all of it; tokens of the summary told above."""
_REWORDED = 0.1
"""Share of lines that are asked for again in other lengths."""
_DENSE = {"ja", "ko", "zh", "yue", "th", "hi", "bn", "ar", "he", "el", "ru", "uk"}
_SURE, _CHANCE, _MOST = 0.12, 0.9, 0.6
"""Part of the likely amount it may be wrong by: always, besides for a single line (n lines: by the root of
n less), and at most. Upwards half as much again."""


def characters(speech: float, language: str) -> float:
    """Characters of text that are spoken in so many seconds of ordinary speech."""
    from autodub.dubbing.duration import syllable_rate  # here: a bill alone needs no numpy

    per_syllable = _PER_SYLLABLE.get(language.split("-")[0].lower(), _TYPICAL)
    return speech * _PAUSES * syllable_rate(language) * per_syllable


def amounts(role: str, expected: Expected) -> dict[str, float]:
    """Unit -> likely amount an engine of that role will be metered at."""
    if role == "transcriber":
        heard = {"seconds": expected.seconds}
        return heard | ({"diarized_seconds": expected.seconds} if expected.diarized else {})
    if role == "synthesizer":
        lines = _lines(expected)
        again = min(lines, _TRIED[expected.cloned] * expected.speakers) / lines
        return {"characters": _written(expected) * (1 + again)}
    if role == "translator":
        return _tokens(expected)
    if role == "cloner" and expected.cloned:
        return {"voices": float(expected.speakers)}
    return {}


def _lines(expected: Expected) -> float:
    return max(1.0, expected.speech / _LINE)


def _written(expected: Expected) -> float:
    """Characters of the translation: as many as are said in that time, or in proportion to the source's."""
    if expected.said is None:
        return characters(expected.speech, expected.target)
    return expected.said * characters(1, expected.target) / characters(1, expected.source)


def _tokens(expected: Expected) -> dict[str, float]:
    """Tokens of a translation in growing windows, each with its instructions and the whole script."""
    length = characters(expected.speech, expected.source) if expected.said is None else expected.said
    said = length * _tokens_per_character(expected.source)
    written = _written(expected) * _tokens_per_character(expected.target)
    lines = _lines(expected)
    requests = max(1, len(growing(round(lines), lanes=_LANES))) * (1 + _REWORDED)
    script = said if length <= _TOLD else _SUMMARY
    return {
        "tokens_in": said * (1 + _REWORDED) + requests * (_INSTRUCTIONS + script),
        "tokens_out": (written + _FRAME * lines) * (1 + 2 * _REWORDED),
    }


def _tokens_per_character(language: str) -> float:
    return 0.75 if language.split("-")[0].lower() in _DENSE else 0.25


def estimate(expected: Expected, engines: Sequence[Engaged], prices: PriceTable) -> Estimate:
    """What a dub will cost with these paid engines: a range, and the likely items."""
    charges: list[Charge] = []
    unpriced: list[str] = []
    low = high = Decimal(0)
    for one in engines:
        role = one.engine.partition(".")[0]
        for unit, amount in amounts(role, expected).items():
            dollars = prices.dollars(one.engine, one.model, unit, amount)
            if dollars is None:
                unpriced.append(one.engine)
                continue
            dearest = prices.dollars(one.engine, one.model, unit, amount, is_high=True) or Decimal(0)
            # What is heard is as long as it is; how much will be said is a guess.
            doubt = Decimal(0 if role == "transcriber" else str(round(_doubt(expected), 3)))
            low += dollars * (1 - doubt)
            high += dearest * (1 + doubt * 3 / 2)
            if prices.row(one.engine, one.model, unit) is not None:
                charges.append(Charge(one.engine, _VERBS[role], unit, amount, dollars))
    likely = sum((charge.dollars for charge in charges if charge.dollars is not None), Decimal(0))
    return Estimate(low, likely, high, tuple(charges), prices.dated, tuple(dict.fromkeys(unpriced)))


def _doubt(expected: Expected) -> float:
    return min(_MOST, _SURE + _CHANCE / math.sqrt(_lines(expected)))


_VERBS = {
    "transcriber": "transcribe",
    "translator": "translate",
    "synthesizer": "synthesize",
    "cloner": "clone",
}
