"""What happens while a dub is made, as one stream of values; every view (bar, log, API) reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

STAGES = (
    "open", "picture", "decode", "detect", "transcribe", "diarize", "separate",
    "voices", "translate", "speak", "render", "measure",
)  # fmt: skip
"""Stages of a dub, in order of first appearance; some run side by side."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened.

    ``kind`` is one of ``stage.started``, ``stage.progress``, ``stage.finished``, ``engine.chosen``,
    ``call.finished``, ``call.retried``, ``degraded``, ``job.finished``.
    """

    kind: str
    stage: str = ""
    message: str = ""
    """A sentence for people; never transcript text, never a secret."""
    fraction: float | None = None
    """0..1 of the stage."""
    data: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)


Listener = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class Degradation:
    """A decision to do something less well than asked, and why."""

    what: str
    """Stable word: ``separator``, ``voice``, ``transcriber``, ``line`` ..."""
    message: str
    """What is done instead, for people."""
    reason: str
