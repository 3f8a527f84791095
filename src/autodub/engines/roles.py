"""What an engine is: one small Protocol per role.

Every verb has the shape ``verb(request, work) -> result``. An engine class has a pydantic
``Options`` model, a ``describe`` classmethod with the facts a plan compares, and a ``readiness``
that says whether it can run here and, if not, the one command that fixes it. An engine contains
no retry, no sleep, no cache and no environment read; it lets errors out through the error tree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict

from autodub.model.calls import (
    Clone,
    Detect,
    Diarize,
    Download,
    Forget,
    ListVoices,
    Moderate,
    Moderation,
    Separate,
    Spans,
    Summarize,
    Summary,
    Synthesize,
    Transcribe,
    Translate,
)
from autodub.model.media import Blob, Source, Stems
from autodub.model.speech import Speech, Transcript, Translations, Turns, Voice, Voices

if TYPE_CHECKING:
    from autodub.engines.remote import Elsewhere, Remote


class EngineOptions(BaseModel):
    """Base of every engine's options: strict, frozen, every field described and bounded."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    serving: ClassVar[Mapping[str, frozenset[str]]] = {}
    """Option -> the only verbs whose answers it can change. One that is not here can change all; one that
    is declared with ``exclude=True`` changes none, and neither is part of those answers' identity."""
    folders: ClassVar[frozenset[str]] = frozenset()
    """Options that are a name, or the path of a folder of this machine."""
    reserved: ClassVar[frozenset[str]] = frozenset()
    """Options for whoever owns the machine and its accounts alone: they reach what others have there."""


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
    contextual: bool = False
    """Translator that uses context, budgets, glossary and style, and can say a line in other lengths."""
    joins: bool = False
    """Synthesizer that uses what is said before and after a line."""
    clones: str = ""
    """Cloner: name of the synthesizer that speaks with its voices; empty = any."""
    key: str = ""
    """Setting that holds the engine's key, such as ``DEEPGRAM_API_KEY``; empty = it needs none."""
    characters: int | None = None
    """Synthesizer: longest text of one call."""
    elsewhere: bool = False
    """Whether workers on other machines make its calls; the other facts are then those of theirs."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether an engine can run here."""

    state: Literal["ready", "needs key", "needs download", "needs worker", "not installed"]
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

    def allow(self, lanes: int) -> None:
        """Report how many calls the account serves at once, where the provider says so."""
        ...

    def reference(self, name: str) -> None:
        """Record the provider's id of the request, for people who complain there."""
        ...

    def rent(self, identity: str, make: Callable[[str], str]) -> str:
        """The provider's handle of something rented (a cloned voice), known by ``identity`` in this account.

        When there is none, ``make`` is called with a unique name to rent it under, and what it returns
        is recorded before anybody uses it. Threads and processes that want the same share one.
        """
        ...

    def lost(self, identity: str, handle: str) -> None:
        """Report that the handle is not known to the provider any more: the next ``rent`` makes another."""
        ...

    def elsewhere(self, engine: Remote, verb: str, request: object) -> Any:
        """The answer to a call that a worker on another machine makes; waits for it.

        Raises what the engine raises there, and Unavailable where no worker serves it any more.
        """
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


class Moderator(Engine, Protocol):
    """Says which texts are against a policy; chosen by the operator of a server."""

    def moderate(self, request: Moderate, work: Work) -> Moderation: ...


@runtime_checkable
class Forgetful(Protocol):
    """A cloner whose voices are rented at an account and must be given back."""

    def forget(self, request: Forget, work: Work) -> None:
        """Delete the voice; one that is gone already is no error."""
        ...

    def rented(self, prefix: str, work: Work) -> Mapping[str, str]:
        """Handles in the account by name, of voices whose name begins so: finds what a crash left behind."""
        ...


@runtime_checkable
class Summarizer(Protocol):
    """A translator that can say what a long script is about."""

    def summarize(self, request: Summarize, work: Work) -> Summary: ...


@runtime_checkable
class Accounted(Protocol):
    """An engine whose calls share limits with others of the same account."""

    @property
    def account(self) -> str:
        """Provider, endpoint and a digest of the key, never the key: ``elevenlabs:1f0c9a``."""
        ...

    def pool(self, verb: str) -> str:
        """Which of the account's limits a verb counts against, such as ``speech``."""
        ...


@runtime_checkable
class Quoting(Protocol):
    """A paid engine that knows beforehand what a call will consume."""

    @property
    def model(self) -> str:
        """The model that is paid for, as the price table names it."""
        ...

    def quote(self, verb: str, request: object) -> Mapping[str, float]:
        """Unit -> amount a call is expected to be metered at, never less than likely."""
        ...


@runtime_checkable
class Ahead(Protocol):
    """An engine that takes long to load."""

    def prepare(self) -> None:
        """Load what the first call will need; called beside other work, and only when it will be used."""
        ...


@runtime_checkable
class Stocked(Protocol):
    """A synthesizer whose voices are files that may be there or not."""

    def speaks(self, language: str) -> bool:
        """Whether a voice for the language (BCP-47 tag) is here."""
        ...


@runtime_checkable
class Examined(Protocol):
    """An engine whose account can be looked at."""

    def examine(self) -> Readiness:
        """Whether key, model and plan will do, asked of the provider within seconds. Raises EngineError."""
        ...


@dataclass(frozen=True, slots=True)
class Fetching:
    """What an operator allows to be fetched."""

    sites: tuple[str, ...] = ("youtube.com", "youtu.be")
    """Host names; their subdomains are included. ``*`` = any public site."""
    addresses: tuple[str, ...] = ()
    """Networks (``127.0.0.1/32``) that are let through although they are not public."""
    longest: int = 4 * 3600
    """Seconds of programme."""
    largest: int = 8 << 30
    """Bytes."""
    height: int = 1080
    """Lines of picture wanted at most."""


@dataclass(frozen=True, slots=True)
class EngineContext:
    """What an engine is given besides its options; no engine reads the environment itself."""

    secrets: Mapping[str, str]
    """Keys by setting name, such as ``DEEPGRAM_API_KEY``."""
    models: Path
    """Folder where weights may be kept."""
    offline: bool = False
    """True forbids any network access (hub downloads)."""
    endpoints: Mapping[str, str] = field(default_factory=dict)
    """Addresses by setting name, such as ``OPENAI_BASE_URL``; left out = the provider's own."""
    fetching: Fetching = Fetching()
    """What may be fetched from the network as a source."""
    elsewhere: Elsewhere | None = None
    """Engines that workers on other machines serve; None where all are here."""
