"""What a server tells, as values. What a newer server tells besides is passed over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

State = Literal["queued", "processing", "completed", "failed", "cancelled"]


class Told(BaseModel):
    """A value a server told."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Failure(Told):
    """Why a job failed."""

    code: str
    message: str
    hint: str = ""


class Job(Told):
    """A job as it stood when the server was asked. Times are seconds since 1970 (UTC)."""

    id: str
    kind: str = "dub"
    state: State
    title: str = ""
    target: str = ""
    source: str | None = None
    """Address; None for an upload."""
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
    degradations: tuple[str, ...] = ()
    estimate: Mapping[str, Any] | None = None
    events: int = 0
    owner: str = ""

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
