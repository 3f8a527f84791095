"""What ElevenLabs' models can do, as far as a request has to know beforehand.

State of 2026-11. The provider's own list (``GET /v1/models``) has the truth of the day: it is asked
by ``ElevenLabs.examine``, not before every dub. A model that is not here is taken for one like
``eleven_multilingual_v2``, with the language told.
"""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT = "eleven_multilingual_v2"

_NAMES = "en ja zh de hi fr ko pt it es id nl tr fil pl sv bg ro ar cs el fi hr ms sk da ta uk ru"
_V2 = frozenset(_NAMES.split())
_FLASH = _V2 | {"hu", "no", "nb", "vi"}
_ENGLISH = frozenset({"en"})


@dataclass(frozen=True, slots=True)
class Model:
    """How one model is asked."""

    languages: frozenset[str] | None
    """Primary language subtags; None = many, nobody lists them."""
    characters: int
    """Longest text of one request."""
    has_context: bool = True
    """Takes what is said before and after."""
    takes_language: bool = True
    """Takes ``language_code``."""
    has_style: bool = False
    """Takes ``style`` and ``use_speaker_boost``."""
    steps: tuple[float, ...] = ()
    """The only values of ``stability`` it takes; empty = any."""
    credits: float = 1.0
    """Credits a character costs: the reply counts in credits, people and price lists in characters."""


_KNOWN: tuple[tuple[str, Model], ...] = (
    ("eleven_multilingual_v2", Model(_V2, 10_000, takes_language=False, has_style=True)),
    ("eleven_multilingual", Model(_V2, 10_000, takes_language=False, has_style=True)),
    ("eleven_flash_v2_5", Model(_FLASH, 40_000, credits=0.5)),
    ("eleven_turbo_v2_5", Model(_FLASH, 40_000, credits=0.5)),
    ("eleven_flash_v2", Model(_ENGLISH, 30_000, takes_language=False, credits=0.5)),
    ("eleven_turbo_v2", Model(_ENGLISH, 30_000, takes_language=False, credits=0.5)),
    ("eleven_v3", Model(None, 3_000, has_context=False, steps=(0.0, 0.5, 1.0))),
    # Whether the fourth generation takes context is not known: a request without it always works.
    ("eleven_v4", Model(None, 10_000, has_context=False)),
)
_OTHER = Model(None, 10_000, has_context=False)


def model_of(name: str) -> Model:
    """The facts of a model, those of its family where it is a newer or dated one of it."""
    return next((facts for family, facts in _KNOWN if name.startswith(family)), _OTHER)
