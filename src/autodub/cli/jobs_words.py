"""A server's refusals in the words of the command line: options where it names fields of a request."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from autodub.jobs.wording import FIELDS

if TYPE_CHECKING:
    from autodub.client import ApiError

_OPTIONS = {field: option for option, field in FIELDS.items()} | {
    "consent": "--consent-of and --consent", "consent_id": "--consent-id", "source": "INPUT",
    "upload": "INPUT", "keep_original_audio": "--keep-original-audio", "loudness": "--loudness",
    "glossary": "--glossary", "terms": "--term", "tone": "--tone", "formality": "--formality",
    "instructions": "--instructions", "priority": "--priority", "retention_days": "--keep-days",
    "targets": "--to", "sources": "INPUT", "name": "NAME", "options": "--set",
}  # fmt: skip
"""Field of a request -> what stands for it here."""
_FIELD = re.compile(r"`([a-z_]+(?:\.[a-z_]+)?)`")
_WRONG = re.compile(r"(?<=The request is not right: )(?:wishes\.)?([a-z_]+(?:\.[a-z_]+)?)")
_ELSEWHERE = (
    (re.compile(r"(?:GET )?/api/v1/jobs/\S+/files lists"), "`autodub jobs show` lists"),
    (re.compile(r"(?:GET )?/api/v1/engines"), "`autodub engines`, run where the server is,"),
    (re.compile(r"(?:GET )?/api/v1/languages"), "`autodub languages`, run where the server is,"),
    (re.compile(r"What may be sent is described at /docs\."), "See: autodub jobs submit --help"),
    (re.compile(r"those that `?errors`? lists"), "these"),
)
_PLACE = re.compile(r"sources\.(\d+), targets\.(\d+)")
_MOST = 10
"""Jobs of a batch that are listed."""


def in_options(text: str) -> str:
    """A sentence of a server's with the options of ``autodub jobs`` where it names fields."""
    text = _FIELD.sub(lambda match: _OPTIONS.get(match[1], match.group()), text)
    text = _WRONG.sub(lambda match: _OPTIONS.get(match[1], match.group()), text)
    for pattern, words in _ELSEWHERE:
        text = pattern.sub(words, text)
    return text


def places(error: ApiError, sources: Sequence[str], targets: Sequence[str]) -> tuple[str, ...]:
    """Which jobs of a batch cannot be, and why, a line each."""
    found = []
    for one in error.errors:
        if place := _PLACE.fullmatch(str(one.get("where", ""))):
            source, target = sources[int(place[1])], targets[int(place[2])]
            found.append(f"{source} into {target}: {in_options(str(one.get('why', '')))}")
    more = len(found) - _MOST
    return (*found[:_MOST], f"... and {more} more") if more > 0 else tuple(found)
