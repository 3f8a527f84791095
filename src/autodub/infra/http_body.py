"""What the body of a refusal says: its telling words, and one sentence for people."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import unescape

from autodub.infra.settings import scrub

_LONGEST = 500  # bytes of the provider's sentence that are repeated
_READ = 65_536  # characters of a body that are looked at
_DEEPEST = 6
_SHORT = 6  # characters: a shorter "key" (``none``, for servers that want none) is an ordinary word
_WORDS = frozenset(
    {"code", "status", "type", "err_code", "error_code", "category", "error", "reason", "detail"}
)
_SENTENCES = (
    "message",
    "err_msg",
    "msg",
    "detail",
    "details",
    "error",
    "description",
    "title",
    "param",
    "loc",
)
_UNSAID = frozenset({"input", "ctx", "url", "docs_url"})
"""What a validation error repeats of the request is neither the provider's word nor for people."""
_TOKEN = re.compile(r"[\w+]+")
_TAGS = re.compile(r"(?is)<(script|style)\b.*?</\1>|<[^>]*>")
_TITLE = re.compile(r"(?is)<title[^>]*>(.*?)</title>")
_KEY = re.compile(
    r"""(?x)
    \b (?: sk|pk|rk|key|dg ) [-_] [\w*.-]{8,}                 # the usual forms of keys, masked ones included
    | \b eyJ [\w-]{6,} (?: \. [\w-]* ){0,2}                   # a signed token
    | (?<![\w-]) (?= [\w+/=-]* \d ) (?= [\w+/=-]* [A-Za-z] ) [\w+/=-]{32,}   # long and random
    """
)


@dataclass(frozen=True, slots=True)
class Saying:
    """What was said."""

    words: frozenset[str]
    """Telling words, lower case."""
    text: str
    """All sentences together, lower case, to seek phrases in."""
    sentence: str
    """For people; empty when the body says nothing."""

    def has(self, word: str) -> bool:
        """True when it carries the word, or the phrase."""
        word = word.lower()
        return word in self.text if " " in word else word in self.words


def read(body: object) -> Saying:
    """What a body says; any bytes, text, or parsed JSON will do."""
    value = _parsed(body)
    words: set[str] = set()
    sentences: list[str] = []
    if isinstance(value, str):
        text = _plain(value)
        words.add(text.strip().lower())
        sentences.append(text)
    else:
        for name, said in _strings(value, "", _DEEPEST):
            if name in _WORDS or not name:
                words.add(said.strip().lower())
            if name in _SENTENCES or not name:
                sentences.append(said)
    for said in sentences:
        words.update(token.lower() for token in _TOKEN.findall(said) if "_" in token)
    whole = list(dict.fromkeys(_line(said) for said in sentences))
    sentence = "; ".join(part.rstrip(".") if len(whole) > 1 else part for part in whole if part)
    if not sentence:
        sentence = ", ".join(sorted(word for word in words if word))
    return Saying(frozenset(words), " ".join(whole).lower(), _cut(_hidden(sentence)))


def clean(text: str, *, secret: str = "") -> str:
    """Text in one line, without control characters and whatever looks like a key."""
    text = _line(text)
    if len(secret.strip()) >= _SHORT:
        # In any capitals, and as JSON would write it.
        for form in {secret, secret.strip(), json.dumps(secret)[1:-1]}:
            text = re.sub(re.escape(form), "***", text, flags=re.IGNORECASE)
    return _hidden(text)


def _line(text: str) -> str:
    """Text in one line of characters that can be seen."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _hidden(text: str) -> str:
    return _KEY.sub("***", scrub(text))


def _cut(text: str) -> str:
    data = text.encode("utf-8", "replace")
    return text if len(data) <= _LONGEST else data[:_LONGEST].decode("utf-8", "ignore").rstrip() + " …"


def _parsed(body: object) -> object:
    """JSON where it is some, else text."""
    if isinstance(body, (bytes, bytearray, memoryview)):
        body = bytes(body)[: 4 * _READ].decode("utf-8", "replace")
    if isinstance(body, str):
        try:
            return json.loads(body[:_READ])
        except (ValueError, RecursionError):
            return body[:_READ]
    dump = getattr(body, "model_dump", None) or getattr(body, "dict", None)
    return dump() if callable(dump) and not isinstance(body, type) else body


def _strings(value: object, name: str, depth: int) -> Iterator[tuple[str, str]]:
    """(name of the field, text) of everything that is said, telling sentences first."""
    if isinstance(value, str):
        yield name, value[:_READ]
    elif depth and isinstance(value, Mapping):
        known = [key for key in _SENTENCES if key in value]
        for key in (*known, *(key for key in value if key not in _SENTENCES)):
            if key not in _UNSAID:
                yield from _strings(value[key], str(key).lower(), depth - 1)
    elif depth and isinstance(value, (list, tuple)):
        for item in value[:20]:
            yield from _strings(item, name, depth - 1)
    elif isinstance(value, int) and not isinstance(value, bool) and name in _WORDS:
        yield name, str(value)


def _plain(text: str) -> str:
    """Text of a page, its title alone where it has one."""
    if "<" not in text:
        return text
    title = _TITLE.search(text)
    return unescape(_TAGS.sub(" ", title.group(1) if title else text))
