"""What a server tells, as values. What a newer server tells besides is passed over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, SecretStr

State = Literal["queued", "processing", "completed", "failed", "cancelled"]


class Told(BaseModel):
    """A value a server told."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Failure(Told):
    """Why a job failed."""

    code: str
    message: str
    hint: str = ""


class Waits(Told):
    """What a job in the queue waits for that does not come by itself."""

    reason: str
    """``no_worker``: none serves the resource; ``newer_release``: those that do are older than the job."""
    resource: str = ""
    """``net``, ``cpu`` or ``gpu``."""
    message: str = ""


class Job(Told):
    """A job as it stood when the server was asked. Times are seconds since 1970 (UTC)."""

    id: str
    kind: str = "dub"
    state: State
    title: str = ""
    target: str = ""
    spoken: str | None = None
    """Language of the source, once it is known."""
    source: str | None = None
    """Address; None for an upload."""
    upload: str | None = None
    """Id of the upload; None for an address."""
    start: float | None = None
    """Seconds of the source from which it is dubbed; None: its beginning."""
    end: float | None = None
    """Seconds of the source up to which it is dubbed; None: its end."""
    batch: str | None = None
    priority: int = 0
    progress: float = 0.0
    """0..1"""
    stage: str = ""
    message: str = ""
    created: float = 0.0
    started: float | None = None
    finished: float | None = None
    updated: float = 0.0
    expires: float | None = None
    attempt: int = 0
    seconds: float | None = None
    """Of programme."""
    dollars: float = 0.0
    revision: int = 0
    stale: bool = False
    stopping: bool = False
    error: Failure | None = None
    files: Mapping[str, str] = {}
    """Kind of result -> path at the server."""
    verdict: str = ""
    figures: Mapping[str, Any] = {}
    """Of the receipt; empty in lists."""
    degradations: tuple[str, ...] = ()
    estimate: Mapping[str, Any] | None = None
    events: int = 0
    owner: str = ""
    waits: Waits | None = None
    """None where it only waits for its turn; and in lists."""

    @property
    def is_over(self) -> bool:
        """Whether nobody works on it any more."""
        return self.state in ("completed", "failed", "cancelled")


class Event(Told):
    """Something that happened in a job: number 1, 2, 3 ..., without holes."""

    number: int
    at: float
    attempt: int = 0
    kind: str
    stage: str = ""
    message: str = ""
    fraction: float | None = None
    """0..1 of the stage."""
    data: Mapping[str, Any] = {}


class File(Told):
    """One file a job has to take away."""

    kind: str
    name: str = ""
    type: str = ""
    size: int | None = None
    """None while nobody has asked for what is made only then."""
    digest: str | None = None


class Upload(Told):
    """A file that was given to the server."""

    id: str
    name: str = ""
    kind: str = "media"
    size: int = 0
    received: int = 0
    state: str = "ready"
    """``receiving``, ``ready``, ``refused``."""
    why: str = ""
    """Why it was refused."""
    created: float = 0.0
    expires: float | None = None
    info: Mapping[str, Any] = {}


class Timing(Told):
    """Where a line sounds in the dub, in seconds."""

    start: float
    end: float
    rate: float = 1.0
    stretch: float = 1.0
    flags: tuple[str, ...] = ()


class Line(Told):
    """One line of a transcript. Times are seconds from the start of what is dubbed."""

    id: str
    speaker: str = ""
    start: float
    end: float
    source: str = ""
    """What is said in the source."""
    text: str = ""
    """What the dub says; empty: the original sound stays."""
    keep_original: bool = False
    note: str = ""
    timing: Timing | None = None
    edited: bool = False
    stale: bool = False
    added: bool = False
    locked: Mapping[str, Any] | None = None


class Speaker(Told):
    """One speaker and their voice."""

    name: str
    voice: Mapping[str, Any] | None = None
    lines: int = 0
    edited: bool = False
    stale: bool = False


class Transcript(Told):
    """What a dub says, at one revision."""

    job: str
    revision: int
    made: int
    """The revision the result was made of."""
    stale: bool = False
    spoken: str = ""
    target: str = ""
    lines: tuple[Line, ...] = ()
    speakers: tuple[Speaker, ...] = ()


class Edited(Told):
    """What came of a change."""

    job: str
    revision: int
    stale: bool = False
    lines: tuple[Line, ...] = ()
    """Those that were changed, as they are now."""
    removed: tuple[str, ...] = ()
    speakers: tuple[Speaker, ...] = ()


class Revision(Told):
    """One state the text had."""

    number: int
    created: float
    author: str | None = None
    name: str = ""
    what: str = ""


class Batch(Told):
    """Jobs that came together."""

    id: str
    name: str
    created: float = 0.0
    total: int = 0
    counts: Mapping[str, int] = {}
    """State -> jobs."""
    progress: float = 0.0
    dollars: float = 0.0
    jobs: tuple[Job, ...] = ()
    """Empty in lists."""


class Dollars(Told):
    """US dollars."""

    low: float
    likely: float
    high: float


class Estimate(Told):
    """What a dub would be, before anything is spent on it."""

    job: str
    title: str = ""
    seconds: float = 0.0
    speech_seconds: float = 0.0
    engines: Mapping[str, str] = {}
    dollars: Dollars | None = None
    """None: none of the engines costs money."""
    items: tuple[Mapping[str, Any], ...] = ()
    unpriced: tuple[str, ...] = ()


class Language(Told):
    """A language."""

    tag: str
    name: str = ""


class Speaking(Told):
    """What one engine does with which languages."""

    engine: str
    languages: tuple[Language, ...] | None = None
    """None: any."""
    pairs: Mapping[str, tuple[str, ...]] | None = None


class Languages(Told):
    """What the engines that are ready can do."""

    recognised: tuple[Speaking, ...] = ()
    translated: tuple[Speaking, ...] = ()
    spoken: tuple[Speaking, ...] = ()


class Engine(Told):
    """One engine of the server."""

    role: str
    name: str
    version: str = ""
    summary: str = ""
    state: str = ""
    options: tuple[Mapping[str, Any], ...] = ()


class Voice(Told):
    """One stock voice."""

    id: str
    gender: str = ""
    pitch_hz: float | None = None


class Glossary(Told):
    """Terms that must be said in a certain way."""

    id: str
    name: str
    created: float = 0.0
    updated: float = 0.0
    targets: tuple[str, ...] | None = None
    text: str = ""
    """Empty in lists."""


class Usage(Told):
    """What was consumed in a month, and what is left."""

    total: Mapping[str, int | float]
    quota: Mapping[str, float | None] | None = None
    days: tuple[Mapping[str, Any], ...] = ()
    jobs: tuple[Mapping[str, Any], ...] = ()
    users: tuple[Mapping[str, Any], ...] = ()
    engines: tuple[Mapping[str, Any], ...] = ()


class Key(Told):
    """A key, without what it opens."""

    id: str
    name: str = ""
    hint: str = ""
    scopes: tuple[str, ...] = ()
    created: float = 0.0
    used: float | None = None
    expires: float | None = None
    revoked: float | None = None


class NewKey(Key):
    """A new key, the only time its text is shown."""

    key: SecretStr
