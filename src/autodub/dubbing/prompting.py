"""What a language model is asked: instructions, the script as data, and the exact form of its reply.

Three questions: natural wordings of a window of lines, further wordings of lines that have one, and a
summary of a long script. A request is one system message, which stays the same for a whole dub, and one
user message of JSON, in which the script comes before the window: what is the same from request to
request stands first, so that a provider's prompt cache can serve it.

Replies are as short as JSON can be, because every token of output takes time: one object whose names
are the lines' numbers, ``{"1":"...","2":"..."}``. Where the server enforces the schema, a line left
out, doubled or invented is not even possible; ``replies`` checks it anyway.

Numbers stay digits in a translation: the synthesizer reads them in the language it speaks, and a wrong
reading there cannot change what was meant.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autodub.dubbing.instructions import (
    DATA,
    FURTHER,
    GLOSSARY,
    NATURAL,
    REPLY_FURTHER,
    REPLY_NATURAL,
    SUMMARIZE,
    SUMMARY,
    SUMMARY_WORDS,
    TASK,
)
from autodub.dubbing.syllables import syllables
from autodub.dubbing.text import is_speakable
from autodub.model.calls import Draft, Summarize, Translate
from autodub.model.language import Language
from autodub.model.speech import Line, Style, Term

_ROOM = 200
"""Tokens a reply may always have, whatever was asked."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """One question to a language model."""

    system: str
    user: str
    """JSON."""
    name: str
    """Of the schema: a-z and _ only."""
    schema: Mapping[str, Any]
    """JSON schema of the reply, fit for strict enforcement: every property required, no other ones."""
    expected: int
    """Tokens the reply will have, about."""

    @property
    def room(self) -> int:
        """Most tokens the reply may have: enough for wordy languages, too few to run away."""
        return _ROOM + 4 * self.expected

    @property
    def size(self) -> int:
        """Tokens of the question, about; the schema is part of it."""
        return tokens(self.system) + tokens(self.user) + tokens(_json(self.schema))


def tokens(text: str) -> int:
    """About how many tokens a text has: four Latin letters make one, other scripts need more."""
    latin = sum(ord(c) < 0x250 for c in text)
    return -(-latin // 4) + -(-3 * (len(text) - latin) // 4)


def numbered(lines: Sequence[Line]) -> dict[int, Line]:
    """The lines to be asked about by the number they have in the prompt; those without a word have none."""
    return dict(enumerate((line for line in lines if is_speakable(line.text)), start=1))


def translating(request: Translate) -> Prompt:
    """The question for natural wordings, or for further ones where the request has drafts."""
    return _further(request) if request.drafts else _natural(request)


def summarizing(request: Summarize) -> Prompt:
    """The question for a summary of the whole script."""
    return Prompt(
        system=f"{SUMMARIZE}\n{DATA.replace('translate it like any other line', 'report it at most')}",
        user=_json({"language": named(request.source), "script": list(request.script)}),
        name="summary",
        schema=_schema({SUMMARY: {"type": "string"}}),
        expected=2 * SUMMARY_WORDS,
    )


def named(tag: str) -> str:
    """A language as a model understands it best: its name with its tag, ``Portuguese (Brazil) (pt-BR)``."""
    language = Language(tag)
    return f"{language.name} ({language.tag})"


def _natural(request: Translate) -> Prompt:
    lines = numbered(request.lines)
    room = {budget.line: budget for budget in request.budgets}
    entries = []
    for number, line in lines.items():
        entry = _entry(number, line, request)
        if line.id in room:
            entry["syllables"] = room[line.id].syllables
            entry["seconds"] = round(room[line.id].seconds, 1)
        entries.append(entry)
    return Prompt(
        system=_system(request, NATURAL, REPLY_NATURAL),
        user=_json(
            _context(request)
            | {"before": list(request.before), "lines": entries, "after": list(request.after)}
        ),
        name="translations",
        schema=_schema({str(number): {"type": "string"} for number in lines}),
        expected=2 + sum(3 + _spoken(line.text, request) for line in lines.values()),
    )


def _further(request: Translate) -> Prompt:
    lines = numbered(request.lines)
    drafts = {draft.line: draft for draft in request.drafts}
    wanted = {number: (line, drafts[line.id]) for number, line in lines.items() if line.id in drafts}
    entries = [
        _entry(number, line, request) | {"draft": draft.text, "syllables": list(draft.syllables)}
        for number, (line, draft) in wanted.items()
    ]
    wordings = {"type": "array", "items": {"type": "string"}}
    return Prompt(
        system=_system(request, FURTHER, REPLY_FURTHER),
        user=_json(_context(request) | {"lines": entries}),
        name="wordings",
        schema=_schema({str(number): wordings for number in wanted}),
        expected=2 + sum(_reworded(draft, request.target) for _, draft in wanted.values()),
    )


def _system(request: Translate, rules: str, reply: str) -> str:
    """Everything that stays the same for a whole dub."""
    source, target = named(request.source), named(request.target)
    parts = [TASK.format(source=source, target=target), DATA, rules.replace("{target}", target), GLOSSARY]
    parts.extend(_styled(request.style))
    return "\n".join([*parts, reply])


def _styled(style: Style) -> list[str]:
    """What the person who orders the dub wants."""
    out = []
    if style.tone:
        out.append(f"Tone of the dub: {style.tone}")
    if style.formality:
        out.append(f"Form of address: {style.formality}, whatever the original has.")
    if style.instructions:
        out.append(f"The client adds: {style.instructions}")
    return out


def _context(request: Translate) -> dict[str, Any]:
    """The script first, which is the same in every request; then what changes."""
    out: dict[str, Any] = {}
    if request.script:
        out["script"] = list(request.script)
    elif request.summary:
        out["summary"] = request.summary
    if request.glossary:
        out["glossary"] = _terms(request.glossary)
    return out


def _entry(number: int, line: Line, request: Translate) -> dict[str, Any]:
    entry: dict[str, Any] = {"id": number, "text": line.text}
    if line.speaker:
        gender = next((hint.gender for hint in request.speakers if hint.speaker == line.speaker), "unknown")
        entry["speaker"] = line.speaker if gender == "unknown" else f"{line.speaker} ({gender})"
    return entry


def _terms(glossary: Sequence[Term]) -> dict[str, str]:
    return {term.source: term.target for term in glossary}


def _schema(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def _spoken(text: str, request: Translate) -> int:
    """Tokens of a translation to come: as many syllables as the original has, a tenth more, in its script."""
    count = syllables(text, request.source) * 1.1
    return round(count * (_TOKENS_OF_SYLLABLE if _is_latin(request.target) else _TOKENS_ELSEWHERE)) + 1


_TOKENS_OF_SYLLABLE, _TOKENS_ELSEWHERE = 0.72, 1.4
"""Tokens per syllable, measured as characters: 2.3 letters and its share of a blank in Latin scripts."""
_OTHER_SCRIPTS = re.compile(
    "am|ar|as|be|bg|bn|dv|dz|el|fa|gu|he|hi|hy|ja|ka|kk|km|kn|ko|ky|lo|mk|ml|mn|mr|my|ne|or|pa|ps|ru|sa|sd|si"
    "|ta|te|tg|th|ti|tt|ug|uk|ur|yi|yue|zh"
)


def _is_latin(tag: str) -> bool:
    return not _OTHER_SCRIPTS.fullmatch(Language(tag).primary)


def _reworded(draft: Draft, target: str) -> int:
    """Tokens of a line's further wordings."""
    whole, count = tokens(draft.text), max(1.0, syllables(draft.text, target))
    return 4 + sum(2 + round(whole * n / count) for n in draft.syllables)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
