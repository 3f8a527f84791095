"""What happens while a dub is made, as one stream of values; every view (bar, log, API) reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

STAGES = (
    "open", "picture", "decode", "detect", "transcribe", "diarize", "separate", "examine",
    "listen", "clone", "voices", "translate", "speak", "render", "measure",
)  # fmt: skip
"""Stages of a dub, in order of first appearance; some run side by side."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened.

    ``kind`` says what, and with it what is in the data:

    - ``stage.started``, ``stage.progress``, ``stage.finished`` (seconds), ``engine.chosen`` (role, engine),
      ``degraded`` (what), ``job.finished`` (reused);
    - ``call.started``, ``call.finished`` (kept, seconds, dollars where it is paid for, request: the
      provider's ids), ``call.retried`` (attempt, pause in seconds, code), ``call.failed`` (code, request),
      ``call.charged`` (dollars, for attempts that failed once the provider had counted them); these and the
      next two have role, engine and verb;
    - ``account.blocked``: nobody asks this account any more (code, is_refusal; the reason is the message);
    - ``gate.narrowed``, ``gate.widened``: how many calls an account is sent at once (pool, lanes, ceiling,
      pause: seconds for which nobody begins);
    - ``limits.shared``: after ``degraded`` for limits, those of accounts are shared with other
      processes again;
    - ``estimate``: what the dub will cost, US dollars (low, likely, high);
    - ``budget.spent``, ``budget.exhausted``: US dollars (spent, cap);
    - ``voices.left``: a dub that ended early leaves cloned voices at an account (the message says so);
    - ``voice.rented``, ``voice.returned``: a cloned voice at a provider's account (role, engine, name);
    - of a job on a server, beside those: ``job.queued``, ``job.started``, ``job.completed``, ``job.failed``
      (code, hint), ``job.cancelled``, ``job.stopping`` (how), ``job.handed_back``, ``job.lost`` (its worker
      is gone), ``job.edited`` (revision, lines), ``job.locked``, ``job.unlocked``,
      ``job.reworded`` (line, count, dollars).
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
