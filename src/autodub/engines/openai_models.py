"""Which models an account has, which of them end soon, and which one to take instead."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

PREFERRED = ("gpt-6-luna", "gpt-6.1-terra", "gpt-6.1-sol")
"""Models to suggest, where the account has them; state of 2026-11."""
NEAR = timedelta(days=60)
"""Time before the end of a model in which people are told."""
_OTHER = re.compile(
    r"audio|realtime|image|transcribe|tts|whisper|embed|moderation|dall-e|sora|search|codex|instruct"
)


@dataclass(frozen=True, slots=True)
class Finding:
    """What the list of models says about one of them."""

    is_there: bool
    ends: date | None
    """When it is shut down, as far as announced."""
    instead: str
    """Another model that is there and stays; empty when there is none."""


def find(model: str, rows: Sequence[Mapping[str, Any]], *, today: date) -> Finding:
    """Look a model up in the rows of ``GET /models``."""
    ends = {str(row["id"]): _date(row.get("shutdown_date")) for row in rows}
    staying = [name for name, end in ends.items() if end is None or end > today + NEAR]
    end = ends.get(model)
    return Finding(
        is_there=model in ends and (end is None or end > today),
        ends=end,
        instead=_nearest(model, [name for name in staying if name != model and not _OTHER.search(name)]),
    )


def _nearest(model: str, names: Sequence[str]) -> str:
    """A model we know to be good, else the one with the most similar name."""
    for name in PREFERRED:
        if name in names:
            return name
    if not names:
        return ""
    return max(sorted(names), key=lambda name: difflib.SequenceMatcher(None, model, name).ratio())


def _date(value: object) -> date | None:
    try:
        return date.fromisoformat(str(value)[:10]) if value else None
    except ValueError:
        return None
