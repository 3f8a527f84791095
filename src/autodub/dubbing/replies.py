"""A language model's replies, read with suspicion: every line asked for, nothing else, nothing but speech.

What a model writes may reach a loudspeaker, so a reply that is not exactly what was asked for is
refused as a whole, with the lines at fault by their ids. No message quotes the text.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

from autodub.dubbing.instructions import SUMMARY
from autodub.dubbing.prompting import numbered
from autodub.dubbing.syllables import syllables
from autodub.dubbing.text import is_kin, is_speakable, is_untranslated, looks_like_error
from autodub.model.calls import Draft, Summary, Translate
from autodub.model.errors import BadAnswer
from autodub.model.speech import Line, Translation, Translations, Wording

_LONGER = 8
"""Times a translation may be as long as its original, in characters; Chinese to English makes about 4."""
_ANYWAY = 80
"""Characters any translation may have."""
_SUMMARY_LONGEST = 4_000
_OPENING = "\"'“”„«»‘’「『"
_CLOSING = "\"'“”«»‘’」』"
_THOUGHT = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL)
"""What servers of models that reason may leave in front of a reply."""
_STAGE = re.compile(r"\([^()]{0,60}\)|\[[^\[\]]{0,60}\]|\*[^*]{1,60}\*")


def read(request: Translate, reply: str, *, engine: str) -> Translations:
    """The translations in a reply, one per line of the request and in its order.

    For drafts the answer holds further wordings only, at most as many per line as were asked for,
    perhaps none. Raises BadAnswer naming the lines that are missing, unknown, double, blank, far too
    long, untranslated, or an error or a refusal instead of a translation.
    """
    answers = _object(reply, engine=engine)
    lines = numbered(request.lines)
    names = [name for name, _ in answers]
    faults = [f"{_shown(name)} was not asked for" for name in names if name not in map(str, lines)]
    faults += [f"{lines[int(name)].id} came twice" for name in _twice(names) if name in map(str, lines)]
    found = dict(answers)
    if request.drafts:
        out, more = _wordings(request, found)
    else:
        out, more = _natural(request, found)
    faults.extend(more)
    if faults:
        rest = f", and {len(faults) - 3} more" if len(faults) > 3 else ""
        raise _bad(engine, f"lines are wrong: {'; '.join(faults[:3])}{rest}")
    return out


def read_summary(reply: str, *, engine: str) -> Summary:
    """The summary in a reply. Raises BadAnswer when there is none."""
    text = dict(_object(reply, engine=engine)).get(SUMMARY)
    if not isinstance(text, str) or not is_speakable(text) or looks_like_error(text):
        raise _bad(engine, "there is no summary in it")
    return Summary(" ".join(text.split())[:_SUMMARY_LONGEST])


def tidy(text: str, *, source: str, speaker: str = "") -> str:
    """A wording without what a model likes to add: quotation marks, stage directions, emoji, the speaker.

    What the source has as well stays.
    """
    if speaker and not source.strip().startswith(speaker):
        text = re.sub(rf"^\s*{re.escape(speaker)}\s*(?:\([^()]*\))?\s*:\s*", "", text)
    text = "".join(c for c in unicodedata.normalize("NFC", text) if not _is_picture(c))
    if not any(c in source for c in "([*（［【〔"):
        bare = _STAGE.sub(" ", text)
        text = bare if is_speakable(bare) else text
    text = " ".join(text.split())
    if len(text) > 2 and text[0] in _OPENING and text[-1] in _CLOSING and source.strip()[:1] not in _OPENING:
        inner = text[1:-1]
        text = inner.strip() if not any(c in inner for c in (text[0], text[-1])) else text
    return text


def _natural(request: Translate, found: dict[str, Any]) -> tuple[Translations, list[str]]:
    faults: list[str] = []
    texts: dict[str, str] = {}
    for number, line in numbered(request.lines).items():
        given = found.get(str(number))
        if given is None:
            faults.append(f"{line.id} is missing")
            continue
        text = tidy(given, source=line.text, speaker=line.speaker) if isinstance(given, str) else ""
        fault = _fault(line, text, request)
        if fault:
            faults.append(f"{line.id} {fault}")
        texts[line.id] = text
    # A line without a word has nothing to translate, and was not asked about.
    return Translations(
        tuple(Translation(line.id, (Wording(texts.get(line.id, line.text)),)) for line in request.lines)
    ), faults


def _wordings(request: Translate, found: dict[str, Any]) -> tuple[Translations, list[str]]:
    """Further wordings: one that will not do is left out, since the natural wording is there."""
    drafts = {draft.line: draft for draft in request.drafts}
    faults: list[str] = []
    kept: dict[str, tuple[Wording, ...]] = {}
    for number, line in numbered(request.lines).items():
        given, draft = found.get(str(number), []), drafts.get(line.id)
        if draft is None:
            continue
        if isinstance(given, str):
            given = [given]
        if not isinstance(given, list) or not all(isinstance(text, str) for text in given):
            faults.append(f"{line.id} has no list of wordings")
            continue
        texts = [tidy(text, source=line.text, speaker=line.speaker) for text in given]
        kept[line.id] = _within(draft, [t for t in texts if not _fault(line, t, request)], request.target)
    return Translations(tuple(Translation(line.id, kept.get(line.id, ())) for line in request.lines)), faults


def _within(draft: Draft, texts: Sequence[str], language: str) -> tuple[Wording, ...]:
    """The wordings that went the way that was asked: shorter than the draft, or longer."""
    whole = syllables(draft.text, language)
    shorter, longer = min(draft.syllables, default=0) < whole, max(draft.syllables, default=0) > whole
    out = []
    for text in dict.fromkeys(texts):
        count = syllables(text, language)
        if (count < whole and shorter) or (count > whole and longer):
            out.append(Wording(text))
    return tuple(out[: len(draft.syllables)])


def _fault(line: Line, text: str, request: Translate) -> str:
    """What is wrong with a translation of a line; empty for nothing."""
    if not is_speakable(text):
        return "is blank"
    if looks_like_error(text) and not looks_like_error(line.text):
        return "is an error or a refusal"
    if len(text) > _ANYWAY + _LONGER * len(line.text):
        return "is far longer than its original"
    is_same = request.source.split("-")[0] == request.target.split("-")[0]
    kin = is_kin(request.source, request.target)
    if not is_same and is_untranslated(line.text, text, kin=kin):
        return "is not translated"
    return ""


def _object(reply: str, *, engine: str) -> list[tuple[str, Any]]:
    """Names and values of the one JSON object in a reply, repeats kept.

    Servers that do not enforce a form may fence it or talk around it; the first object that holds
    something is taken.
    """
    reply = _THOUGHT.sub("", reply)
    for at in _braces(reply):
        try:
            value, _ = json.JSONDecoder(object_pairs_hook=list).raw_decode(reply, at)
        except (ValueError, RecursionError):
            continue
        if value:
            return [(str(name), _plain(item)) for name, item in value]
    if not reply.strip():
        raise _bad(engine, "it is empty")
    raise _bad(engine, "it is not the JSON object that was asked for")


def _braces(reply: str, *, most: int = 20) -> Iterator[int]:
    at = reply.find("{")
    while at >= 0 and most:
        yield at
        most -= 1
        at = reply.find("{", at + 1)


def _plain(value: Any) -> Any:
    """A value of a reply; objects inside it, which nobody asked for, become None."""
    if isinstance(value, list) and any(not isinstance(item, str) for item in value):
        return None
    return value if isinstance(value, str | list) else None


def _twice(names: Sequence[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})


def _shown(name: str) -> str:
    """A name that a model made up, fit for a message: numbers as they are, anything else unquoted."""
    return f"number {int(name)}" if re.fullmatch(r"\d{1,6}", name) else "something"


def _is_picture(c: str) -> bool:
    """Whether a character is an emoji or a part of one."""
    if unicodedata.category(c) == "So":
        return c not in "°№©®™"
    return c in "\ufe0f\u20e3" or 0x1F3FB <= ord(c) <= 0x1F3FF


def _bad(engine: str, why: str) -> BadAnswer:
    return BadAnswer(
        f"{engine} did not answer as asked: {why}.",
        hint="It is asked again, for fewer lines at a time. If this happens often, choose another model.",
        engine=engine,
    )
