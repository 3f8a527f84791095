"""The text of a subtitle cue: markup off, what nobody speaks out, and who says which part."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

_VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]*)>", re.IGNORECASE)
_MARKUP = re.compile(r"</?[a-zA-Z][^<>\n]*>|<[\d:.]+>|\{\\[^}]*\}|\{[a-zA-Z]:[^}]*\}")
_MUSIC = re.compile(r"[♩-♬]")
_SOUND = re.compile(r"\[[^\]]*\]|【[^】]*】|［[^］]*］")
_ASIDE = re.compile(r"[(（]([^()（）]*)[)）]")
_CAPITAL_LABEL = re.compile(r"([A-ZÀ-ÖØ-Þ][A-ZÀ-ÖØ-Þ0-9 .'’\-#]{0,30}):(?:\s+|$)")
_LABEL = re.compile(r"([A-ZÀ-ÖØ-Þ][\w.'’\-]*(?: [A-ZÀ-ÖØ-Þ0-9][\w.'’\-]*){0,2}):\s+(?=\S)")
_DASH = re.compile(r"^\s*(?:[-‐‑–—−]\s*(?=\S)|>>+\s*)")
_UNSEEN = re.compile(r"[\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\u00ad]")
_CHANGE = "\ue000"
"""Where a tag says that somebody else speaks on."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one person says in a cue."""

    text: str
    speaker: str | None


def labels(texts: Iterable[str]) -> frozenset[str]:
    """Names before a colon in mixed case (``Anna: Hello``) that occur often enough to be speakers.

    One ``Remember: ...`` is an ordinary sentence; the same name three times is a speaker.
    """
    seen: Counter[str] = Counter()
    for text in texts:
        for line in _MARKUP.sub("", text).split("\n"):
            match = _LABEL.match(_DASH.sub("", line).strip())
            if match:
                seen[match[1]] += 1
    return frozenset(name for name, count in seen.items() if count >= 3)


def parts(text: str, *, speaker: str | None, known: Collection[str], unspoken: Counter[str]) -> list[Part]:
    """The spoken parts of a cue's raw text, in order; what is left out is counted in ``unspoken``."""
    text = _VOICE.sub(lambda match: f"\n{_CHANGE}{match[1].strip()}{_CHANGE}", text)
    text = _UNSEEN.sub("", html.unescape(_MARKUP.sub("", text)))
    text, sounds = _SOUND.subn(" ", text)
    out: list[tuple[str | None, list[str]]] = []
    lines = [line.strip() for line in text.split("\n")]
    dialogue = sum(bool(_DASH.match(line)) for line in lines) >= 1 and len([x for x in lines if x]) >= 2
    current = speaker
    fresh = True
    for raw in lines:
        line = raw
        if line.startswith(_CHANGE):
            _, current, line = line.split(_CHANGE, 2)
            line, fresh = line.strip(), True
        if _DASH.match(line):
            line = _DASH.sub("", line)
            if dialogue:
                current, fresh = speaker, True
        if _MUSIC.search(line) or re.fullmatch(r"#.*#", line):
            unspoken["music line"] += 1
            continue
        spoken = _ASIDE.sub(_without_asides(line), line)
        sounds += line.count("(") + line.count("（") - spoken.count("(") - spoken.count("（")
        line = spoken.strip()
        match = _CAPITAL_LABEL.match(line)
        if match and sum(c.isalpha() for c in match[1]) >= 2:
            current, line, fresh = match[1].strip().title(), line[match.end() :], True
        else:
            match = _LABEL.match(line)
            if match and match[1] in known:
                current, line, fresh = match[1], line[match.end() :], True
        line = " ".join(line.split())
        if not any(c.isalnum() for c in line):
            continue
        if fresh or not out:
            out.append((current, [line]))
        else:
            out[-1][1].append(line)
        fresh = False
    if sounds:
        unspoken["sound description"] += sounds
    return [Part(" ".join(said), who) for who, said in out]


def _without_asides(line: str) -> Callable[[re.Match[str]], str]:
    """Replacement for bracketed asides: gone when in capitals or first on the line, else spoken."""

    def replacement(match: re.Match[str]) -> str:
        inside = match[1]
        first = line.lstrip().startswith(match[0]) and len(inside.split()) <= 4
        alone = match[0] == line.strip()
        shouted = inside.isupper() and sum(c.isalpha() for c in inside) >= 3
        return " " if first or alone or shouted else match[0]

    return replacement
