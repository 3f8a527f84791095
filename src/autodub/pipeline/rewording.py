"""Asking a translator for other wordings of one line of a finished dub, as the dub itself would ask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from autodub.dubbing.duration import Duration
from autodub.dubbing.fitting import budget
from autodub.dubbing.glossary import occurring
from autodub.dubbing.numerals import localized
from autodub.dubbing.prices import PriceTable
from autodub.dubbing.wording import survivors, syllables_for
from autodub.engines.roles import Quoting
from autodub.gateway.gateway import Gateway
from autodub.model.calls import Draft, Translate
from autodub.model.errors import EngineCannot
from autodub.model.speech import Line, Style, Term, Translations, Wording
from autodub.model.time import Span
from autodub.pipeline.project import LineEntry, Project

_AROUND = 4
"""Lines before and after that are told as context."""
_TOLD = 12_000
"""Characters of a script up to which it is told as a whole."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the translator is told besides the line."""

    glossary: tuple[Term, ...] = ()
    style: Style = field(default_factory=Style)


def question(translator: Any, project: Project, line: str, lengths: Sequence[float], told: Told) -> Translate:
    """What is asked for other wordings of a line, ``lengths`` relative to the present one's.

    Raises EngineCannot for a translator that knows one wording only and for lines too short to have another,
    KeyError for a line there is not.
    """
    info = translator.describe()
    if not info.contextual:
        raise EngineCannot(
            f"The translator {info.name} knows one wording of a line only.",
            hint="Write another one, or dub with a translator that can be asked for other lengths.",
        )
    lines = sorted(project.lines, key=lambda one: (one.start_ms, one.id))
    at = next((place for place, one in enumerate(lines) if one.id == line), None)
    if at is None:
        raise KeyError(line)
    entry = lines[at]
    wanted = syllables_for(entry.text, lengths, language=project.target)
    if not wanted or not entry.source:
        raise EngineCannot("This line is too short to be said otherwise.", hint="Write another wording.")
    one = Line("1", Span(entry.start_ms, entry.end_ms), entry.source, entry.speaker)
    sources = tuple(each.source for each in lines if each.source)
    model = Duration.of(project.target)
    return Translate(
        (one,), project.spoken, project.target, _sources(lines[max(0, at - _AROUND) : at]),
        _sources(lines[at + 1 : at + 1 + _AROUND]), (budget(one, model),),
        sources if sum(map(len, sources)) <= _TOLD else (), "",
        occurring(told.glossary, [entry.source]), told.style, (), (Draft("1", entry.text, wanted),),
    )  # fmt: skip


def price(translator: Any, asked: Translate, prices: PriceTable) -> Decimal:
    """US dollars that the answer is likely to cost; 0 also where nobody knows."""
    info = translator.describe()
    if not info.paid or not isinstance(translator, Quoting):
        return Decimal(0)
    quote = translator.quote("translate", asked)
    return prices.cost(f"{info.role}.{info.name}", translator.model, quote) or Decimal(0)


def reword(gateway: Gateway, translator: Any, asked: Translate, told: Told) -> tuple[str, ...]:
    """Those of the answer's wordings that may be spoken. Raises whatever the translator raises."""
    one, present = asked.lines[0], asked.drafts[0].text
    reply: Translations = gateway.call(translator, "translate", asked, stage="translate")
    further = [
        Wording(localized(found.text, original=one.text, source=asked.source, target=asked.target))
        for answer in reply.lines if answer.line == "1" for found in answer.wordings
    ]  # fmt: skip
    good = survivors(
        one, Wording(present), further, glossary=told.glossary, language=asked.target
    )  # fmt: skip
    return tuple(each.text for each in good[1:])


def _sources(lines: Sequence[LineEntry]) -> tuple[str, ...]:
    return tuple(each.source for each in lines if each.source)
