"""Languages: one value made from whatever a person, a container or an engine calls it.

Tags follow BCP 47 (RFC 5646): language, script, region and variants, in their usual capitals.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from dataclasses import dataclass

from autodub.model.errors import UnknownLanguage
from autodub.model.language_table import LANGUAGES, REGIONS, RIGHT_TO_LEFT, RTL_SCRIPTS, SAYINGS, SCRIPTS

_TAG = re.compile(
    r"(?P<primary>[a-z]{2,3})(?:-(?P<script>[a-z]{4}))?(?:-(?P<region>[a-z]{2}|\d{3}))?"
    r"(?P<variants>(?:-(?:[a-z0-9]{5,8}|\d[a-z0-9]{3}))*)",
    re.IGNORECASE,
)


def _key(text: str) -> str:
    """A name as it is looked up: no case, accents, punctuation or double spaces."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    kept = "".join(c if c.isalnum() else " " for c in plain if not unicodedata.combining(c))
    return " ".join(kept.split())


_CODES: dict[str, str] = {}
_NAMES: dict[str, str] = {}
for _primary, (_iso, _name, _endonym, _more) in LANGUAGES.items():
    _CODES[_primary] = _primary
    for _word in (_name, _endonym, *_more):
        _NAMES.setdefault(_key(_word), _primary)
    for _code in (_iso, *_more):
        if re.fullmatch(r"[a-z]{2,3}", _code):
            _CODES.setdefault(_code, _primary)
_CODES["zho"] = "zh"
_NAMES.update({_key(name): tag for name, tag in SAYINGS.items()})


@dataclass(frozen=True, slots=True)
class Language:
    """A language, perhaps of a region or in a script; equal when its canonical tag is equal.

    The constructor takes a BCP-47 tag in any capitals; :meth:`parse` takes names as well. Both
    raise UnknownLanguage.
    """

    tag: str
    """Canonical BCP-47 tag, such as ``es``, ``es-419``, ``pt-BR``, ``zh-Hant-TW``."""

    def __post_init__(self) -> None:
        tag = _canonical(self.tag)
        if tag is None:
            raise _unknown(self.tag)
        object.__setattr__(self, "tag", tag)

    @classmethod
    def parse(cls, text: str) -> Language:
        """The language a tag, ISO 639 code, English name or endonym means (``spa``, ``Español``)."""
        words = " ".join(text.split())
        tag = _canonical(words) or _NAMES.get(_key(words)) or _named_region(words)
        if tag is None:
            raise _unknown(text)
        return cls(tag)

    @property
    def primary(self) -> str:
        """The language without region or script, such as ``pt``."""
        return self.tag.split("-")[0]

    @property
    def script(self) -> str | None:
        """ISO 15924 code of the script, where the tag names one."""
        return next((p for p in self.tag.split("-")[1:] if len(p) == 4 and p.isalpha()), None)

    @property
    def region(self) -> str | None:
        """ISO 3166 or UN M.49 code of the region, where the tag names one."""
        return next((p for p in self.tag.split("-")[1:] if _is_region(p)), None)

    @property
    def name(self) -> str:
        """English name, such as ``Portuguese (Brazil)``."""
        details = []
        if self.script:
            details.append(SCRIPTS.get(self.script, self.script))
        if self.region:
            details.append(REGIONS.get(self.region, self.region))
        name = LANGUAGES[self.primary][1]
        return f"{name} ({', '.join(details)})" if details else name

    @property
    def endonym(self) -> str:
        """What its speakers call it."""
        return LANGUAGES[self.primary][2]

    @property
    def iso639_2(self) -> str:
        """Three-letter terminological code for container tags (``spa``, ``fra``, ``deu``)."""
        return LANGUAGES[self.primary][0]

    @property
    def rtl(self) -> bool:
        """Whether it is written from right to left."""
        return self.script in RTL_SCRIPTS if self.script else self.primary in RIGHT_TO_LEFT

    def __str__(self) -> str:
        return self.tag


def known_languages() -> tuple[Language, ...]:
    """Every language of the table, by English name."""
    return tuple(sorted((Language(primary) for primary in LANGUAGES), key=lambda language: language.name))


def _is_region(part: str) -> bool:
    return (len(part) == 2 and part.isalpha()) or (len(part) == 3 and part.isdigit())


def _canonical(text: str) -> str | None:
    """The canonical tag, or None where the text is no tag of a known language."""
    match = _TAG.fullmatch(text.strip().replace("_", "-"))
    if match is None:
        return None
    primary = _CODES.get(match["primary"].lower())
    if primary is None:
        return None
    parts = [primary]
    if match["script"]:
        parts.append(match["script"].title())
    if match["region"]:
        parts.append(match["region"].upper())
    return "-".join(parts) + match["variants"].lower()


def _named_region(text: str) -> str | None:
    """The tag of a name with a region or script in brackets: ``Spanish (Latin America)``."""
    match = re.fullmatch(r"(.+?)\s*\((.+)\)", text)
    if match is None:
        return None
    primary = _NAMES.get(_key(match[1]))
    if primary is None or "-" in primary:
        return None
    scripts = {_key(name): code for code, name in SCRIPTS.items()}
    regions = {_key(name): code for code, name in REGIONS.items()} | {code.lower(): code for code in REGIONS}
    tags = {"script": "", "region": ""}
    for part in match[2].split(","):
        key = _key(part)
        if key in scripts:
            tags["script"] = "-" + scripts[key]
        elif key in regions:
            tags["region"] = "-" + regions[key]
        else:
            return None
    return primary + tags["script"] + tags["region"]


def _unknown(text: str) -> UnknownLanguage:
    """The error for a name nobody knows, with the nearest known ones."""
    if not text.strip():
        return UnknownLanguage(
            "No language was named.", hint="Give a tag such as es, or a name such as Spanish."
        )
    key = _key(text)
    near: list[str] = []
    for name in difflib.get_close_matches(key, _NAMES, n=5, cutoff=0.66):
        language = Language(_NAMES[name])
        entry = f"{language.name} ({language.tag})"
        if entry not in near:
            near.append(entry)
    if not near and re.fullmatch(r"[a-z]{2,3}", key.split(" ")[0] if key else ""):
        near = [
            f"{Language(p).name} ({p})"
            for p in sorted(LANGUAGES)
            if p[:2] == key[:2] or LANGUAGES[p][1].casefold().startswith(key[:3])
        ][:3]
    shown = text if len(text) <= 40 else text[:40] + "…"
    hint = f"Did you mean {' or '.join(near[:3])}?" if near else "Give a tag such as es or pt-BR, or a name."
    return UnknownLanguage(f"No language called “{shown}” is known.", hint=hint)
