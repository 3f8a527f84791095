"""A provider, its engines and a desk to ask them from: what the tests of ElevenLabs share."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from autodub.engines import registry
from autodub.engines.elevenlabs import ElevenLabs, ElevenLabsCloner
from autodub.engines.roles import EngineContext
from autodub.model.calls import Clone, ListVoices
from autodub.model.errors import (
    AutodubError,
    Cancelled,
)
from autodub.model.media import Audio, Blob
from autodub.model.speech import Voice
from autodub.model.time import Span
from autodub.testing.loopback import Loopback, Reply, Request
from autodub.testing.loopback.elevenlabs import ElevenLabsService
from autodub.testing.studio import Studio, bursts

KEY = "sk_loopback_0123456789abcdef"
SPECS = Path(__file__).parents[3] / "shared" / "specs"
LINE = "Mañana vamos a la playa juntos."


class Desk:
    """Stands in for the gateway's work: remembers what an engine reports, rents without a database."""

    def __init__(self, studio: Studio) -> None:
        self.store = studio.store.blobs
        self.folder = studio.folder / "scratch"
        self.folder.mkdir(exist_ok=True)
        self.metered: list[tuple[str, float]] = []
        self.lanes: list[int] = []
        self.references: list[str] = []
        self.rentals: dict[str, str] = {}
        self.dropped: list[tuple[str, str]] = []
        self.is_stopped = False

    @property
    def scratch(self) -> Path:
        return self.folder

    def path(self, blob: Blob) -> Path:
        return self.store.path(blob)

    def keep(self, path: Path) -> Blob:
        return self.store.keep(path)

    def progress(self, fraction: float, message: str = "") -> None:
        self.check()

    def check(self) -> None:
        if self.is_stopped:
            raise Cancelled("Stopped on request.")

    def meter(self, unit: str, amount: float) -> None:
        self.metered.append((unit, amount))

    def allow(self, lanes: int) -> None:
        self.lanes.append(lanes)

    def reference(self, name: str) -> None:
        self.references.append(name)

    def rent(self, identity: str, make: Callable[[str], str]) -> str:
        if identity not in self.rentals:
            self.rentals[identity] = make(f"autodub-{len(self.rentals)}-{identity}")
        return self.rentals[identity]

    def lost(self, identity: str, handle: str) -> None:
        self.dropped.append((identity, handle))
        self.rentals.pop(identity, None)


class Odd(ElevenLabsService):
    """The provider, but the next answers of a kind may be anything."""

    def __init__(self) -> None:
        super().__init__()
        self.replies: dict[str, list[Reply]] = {}

    def answer(self, request: Request) -> Reply:
        waiting = self.replies.get(self.kind(request))
        return waiting.pop(0) if waiting else super().answer(request)


class Scene:
    """A server, engines of one account, and a desk to ask them from."""

    def __init__(self, studio: Studio, server: Loopback, service: Odd) -> None:
        self.studio, self.server, self.service = studio, server, service
        self.desk = Desk(studio)

    def context(self, key: str = KEY) -> EngineContext:
        return EngineContext(
            {"ELEVENLABS_API_KEY": key} if key else {},
            self.studio.folder / "models",
            endpoints={"ELEVENLABS_BASE_URL": self.server.url("elevenlabs")},
        )

    def speaker(self, key: str = KEY, **options: str) -> ElevenLabs:
        engine: ElevenLabs = registry.build("synthesizer", "elevenlabs", options, self.context(key))
        return engine

    def cloner(self, key: str = KEY, **options: str) -> ElevenLabsCloner:
        engine: ElevenLabsCloner = registry.build("cloner", "elevenlabs", options, self.context(key))
        return engine

    def voice(self) -> Voice:
        return self.speaker().list_voices(ListVoices("es"), self.desk).voices[0]

    def sample(self, *, pitch: float = 120.0, seconds: int = 15) -> Audio:
        length = seconds * 1000
        return self.studio.audio(bursts((Span(0, length),), length=length, rate=24_000, pitch=pitch), 24_000)

    def clone(self, *, pitch: float = 120.0, is_clean: bool = True, name: str = "S1") -> Clone:
        sample = self.sample(pitch=pitch)
        base = Voice("elevenlabs", "LbStock", "es", "male")
        return Clone(base, sample, (), name, sample, is_clean=is_clean)

    def sent(self, kind: str = "speech") -> list[dict[str, Any]]:
        """JSON bodies of the requests of a kind."""
        return [json.loads(r.body or b"{}") for r in self.server.asked("elevenlabs", kind)]

    def reply(self, reply: Reply, *, kind: str = "speech") -> None:
        """The next answer of a kind."""
        self.service.replies.setdefault(kind, []).append(reply)


@contextmanager
def opened() -> Iterator[Scene]:
    """A fresh provider; every request that its own description forbids fails the test."""
    service = Odd()
    specs = SPECS if (SPECS / "elevenlabs").is_dir() else None
    with Studio() as studio, Loopback([service], specs=specs, bodies=True) as server:
        yield Scene(studio, server, service)
        assert server.crashes == ()
        assert server.violations == ()


def refused(problem: Callable[[], object]) -> AutodubError:
    """The error a call ends with."""
    with pytest.raises(AutodubError) as caught:
        problem()
    return caught.value
