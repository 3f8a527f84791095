"""What a user asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from autodub.model.speech import Style

ROLES = (
    "downloader",
    "detector",
    "separator",
    "transcriber",
    "diarizer",
    "translator",
    "synthesizer",
    "cloner",
)
"""Every engine role a dub uses, in the order the pipeline meets them."""
OPERATOR_ROLES = ("moderator",)
"""Roles of engines that an operator decides on; no request can name one, or do without it."""


@dataclass(frozen=True, slots=True)
class DubRequest:
    """One dub: a source, a target language, and whatever the user cares to decide."""

    source: str
    """An address, or a path of this machine."""
    target: str
    """BCP-47 tag of the language to speak."""
    spoken: str | None = None
    """BCP-47 tag of the source's language; None = find out."""
    start: int | None = None
    """First millisecond of the range to dub; the output is that range."""
    end: int | None = None
    subtitles: str | None = None
    """Path of a subtitle file to speak instead of recognising."""
    speakers: int | None = None
    """How many people speak, when known."""
    engines: Mapping[str, str] = field(default_factory=dict)
    """Role -> engine name; roles left out are chosen by themselves (``auto``)."""
    options: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Role -> option -> value, as typed by the user; the engine's Options model parses them."""
    match_voices: bool = False
    """Move each voice toward the original speaker's pitch and tone. States that you may do so."""
    keep_original_audio: bool = False
    """Keep the untouched original sound as a second, tagged track."""
    clone_voices: bool = False
    """Speak with clones of the speakers' own voices. States that you may do so."""
    keep_voices: bool = False
    """Leave cloned voices in the account for later dubs, instead of deleting them at the end."""
    budget: Decimal | None = None
    """US dollars this dub may cost; None = no limit."""
    glossary: str | None = None
    """Path of a glossary file."""
    style: Style = field(default_factory=Style)
    """How the dub should be worded."""
    terms: tuple[str, ...] = ()
    """Names and words that are likely to be said."""
    captions: bool = False
    """Speak the captions that the source's site offers, where people wrote them."""
    loudness: float | None = None
    """Programme loudness to reach, LUFS; None = the source's own."""
    output: str | None = None
    """Where to write the result; None = beside the source."""
    overwrite: bool = False
    """Write over a file that is there already and was not made here."""
    title: str | None = None
    """What the source is called where its path does not say, such as ``Talk.mp4`` for an upload.

    Shown instead of the path, and what outputs are named after; never part of what an engine is asked."""
