"""What a dub costs: the bill from what was metered, and the estimate before it begins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from autodub.dubbing.duration import syllable_rate
from autodub.dubbing.prices import PriceTable
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
    "ar": 2.4, "bn": 2.2, "cs": 2.6, "de": 3.1, "el": 2.4, "en": 3.4, "es": 2.5, "fi": 2.6, "fr": 3.2,
    "he": 2.2, "hi": 2.2, "hu": 2.7, "id": 2.8, "it": 2.6, "ja": 0.75, "ko": 1.25, "nl": 3.2, "pl": 2.9,
    "pt": 2.7, "ro": 2.7, "ru": 2.7, "sv": 2.9, "th": 3.0, "tr": 2.6, "uk": 2.7, "vi": 4.4, "zh": 1.1,
    "yue": 1.1,
}  # fmt: skip
"""Characters per syllable of running text, spaces and punctuation included, by primary language."""
_TYPICAL = 2.7
_PAUSES = 0.87
"""Share of what a detector calls speech in which syllables are spoken; the rest are breaths and pauses."""
_AGAIN = 1.08
"""Times each character is spoken: some lines are worded or paced anew to fit."""
_DENSE = {"ja", "ko", "zh", "yue", "th", "hi", "bn", "ar", "he", "el", "ru", "uk"}
_SPREAD = (0.85, 1.30)
"""Low and high end of what is consumed, in parts of the likely amount."""


def characters(speech: float, language: str) -> float:
    """Characters of text that are spoken in so many seconds of ordinary speech."""
    per_syllable = _PER_SYLLABLE.get(language.split("-")[0].lower(), _TYPICAL)
    return speech * _PAUSES * syllable_rate(language) * per_syllable


def amounts(role: str, expected: Expected) -> dict[str, float]:
    """Unit -> likely amount an engine of that role will be metered at."""
    if role == "transcriber":
        heard = {"seconds": expected.seconds}
        return heard | ({"diarized_seconds": expected.seconds} if expected.diarized else {})
    if role == "synthesizer":
        return {"characters": characters(expected.speech, expected.target) * _AGAIN}
    if role == "translator":
        return _tokens(expected)
    if role == "cloner" and expected.cloned:
        return {"voices": float(expected.speakers)}
    return {}


def _tokens(expected: Expected) -> dict[str, float]:
    said = _tokens_of(expected.speech, expected.source)
    written = _tokens_of(expected.speech, expected.target)
    windows = max(1.0, expected.speech / 40)
    script = min(said, 8000.0)
    return {
        "tokens_in": 2 * said + windows * (900 + script),
        "tokens_out": 2.2 * written + 4 * expected.speech / 3,
    }


def _tokens_of(speech: float, language: str) -> float:
    each = 0.75 if language.split("-")[0].lower() in _DENSE else 0.25
    return characters(speech, language) * each


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
            is_known = role == "transcriber"  # what is heard is as long as it is
            low += dollars * (1 if is_known else Decimal(str(_SPREAD[0])))
            high += dearest * (1 if is_known else Decimal(str(_SPREAD[1])))
            if prices.row(one.engine, one.model, unit) is not None:
                charges.append(Charge(one.engine, _VERBS[role], unit, amount, dollars))
    likely = sum((charge.dollars for charge in charges if charge.dollars is not None), Decimal(0))
    return Estimate(low, likely, high, tuple(charges), prices.dated, tuple(dict.fromkeys(unpriced)))


_VERBS = {
    "transcriber": "transcribe",
    "translator": "translate",
    "synthesizer": "synthesize",
    "cloner": "clone",
}
