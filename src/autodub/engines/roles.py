"""What an engine is: one small Protocol per role.

Every verb has the shape ``verb(request, work) -> result``. An engine class has a pydantic
``Options`` model, a ``describe`` classmethod with the facts a plan compares, and a ``readiness``
that says whether it can run here and, if not, the one command that fixes it. An engine contains
no retry, no sleep, no cache and no environment read; it lets errors out through the error tree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict

from autodub.model.calls import (
    Clone,
    Detect,
    Diarize,
    Download,
    ListVoices,
    Separate,
    Spans,
    Synthesize,
    Transcribe,
    Translate,
)
from autodub.model.media import Blob, Source, Stems
from autodub.model.speech import Speech, Transcript, Translations, Turns, Voice, Voices


class EngineOptions(BaseModel):
    """Base of every engine's options: strict, frozen, every field described and bounded."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True, slots=True)
class Info:
    """Facts a plan compares before anything runs."""

    name: str
    role: str
    version: str
    """Version of engine *and* adapter; part of every cache key. Change it when answers change."""
    summary: str
    """One line for people: what it is, what it needs."""
    languages: frozenset[str] | None = None
    """Primary language subtags it serves; None = any (or not applicable)."""
    resource: Literal["cpu", "gpu", "net"] = "cpu"
    lanes: int = 1
    """Calls it can usefully serve at once on this machine or account."""
    needs_weights: bool = False
    paid: bool = False
    licence: str = ""
    rates: tuple[float, float] = (1.0, 1.0)
    """Synthesizer: slowest and fastest native speaking rate it renders well."""
    piecewise: bool = False
    """Transcriber that hears only the spans it is given, so that a long programme may be asked in parts."""
    diarizes: bool = False
    """Transcriber that also names speakers."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether an engine can run here."""

    state: Literal["ready", "needs key", "needs download", "not installed"]
    detail: str
    fix: str = ""
    """The one command, or the one sentence, that makes it ready."""


class Work(Protocol):
    """What a call may use while it runs: files in, files out, progress, cancellation."""

    @property
    def scratch(self) -> Path:
        """An empty folder of this call's own, removed afterwards."""
        ...

    def path(self, blob: Blob) -> Path:
        """Where a blob's file lies. Raises Gone when the store lost it."""
        ...

    def keep(self, path: Path) -> Blob:
        """Move a finished file from scratch into the store."""
        ...

    def progress(self, fraction: float, message: str = "") -> None:
        """Report progress 0..1; raises Cancelled when somebody asked to stop."""
        ...

    def check(self) -> None:
        """Raise Cancelled when somebody asked to stop."""
        ...

    def meter(self, unit: str, amount: float) -> None:
        """Record what the call consumed."""
        ...


@runtime_checkable
class Engine(Protocol):
    """What all engines have in common. Constructed as ``EngineClass(options, context)``."""

    Options: ClassVar[type[EngineOptions]]

    @property
    def options(self) -> EngineOptions: ...

    @classmethod
    def describe(cls) -> Info: ...

    def readiness(self) -> Readiness: ...


class Downloader(Engine, Protocol):
    """Fetches a source and says what is in it."""

    def download(self, request: Download, work: Work) -> Source: ...


class Detector(Engine, Protocol):
    """Finds where people speak."""

    def detect(self, request: Detect, work: Work) -> Spans: ...


class Separator(Engine, Protocol):
    """Takes the voice out of a mix."""

    def separate(self, request: Separate, work: Work) -> Stems: ...


class Transcriber(Engine, Protocol):
    """Writes down what is said, and when."""

    def transcribe(self, request: Transcribe, work: Work) -> Transcript: ...


class Diarizer(Engine, Protocol):
    """Tells the speakers apart."""

    def diarize(self, request: Diarize, work: Work) -> Turns: ...


class Translator(Engine, Protocol):
    """Says lines in another language."""

    def translate(self, request: Translate, work: Work) -> Translations: ...

    def route(self, source: str, target: str) -> str:
        """How a pair is served, for people (``eng-spa > spa-por``). Raises EngineCannot, naming the fix."""
        ...


class Synthesizer(Engine, Protocol):
    """Speaks lines in a voice."""

    def list_voices(self, request: ListVoices, work: Work) -> Voices: ...

    def synthesize(self, request: Synthesize, work: Work) -> Speech: ...


class Cloner(Engine, Protocol):
    """Makes a voice that sounds like a speaker."""

    def clone(self, request: Clone, work: Work) -> Voice: ...


@dataclass(frozen=True, slots=True)
class EngineContext:
    """What an engine is given besides its options; no engine reads the environment itself."""

    secrets: Mapping[str, str]
    """Keys by setting name, such as ``DEEPGRAM_API_KEY``."""
    models: Path
    """Folder where weights may be kept."""
    offline: bool = False
    """True forbids any network access (hub downloads)."""
