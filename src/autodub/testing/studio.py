"""A place to call engines in tests: a store in a temporary folder, sounds made on the spot, a gateway."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from autodub.engines.roles import EngineContext
from autodub.gateway.gateway import Gateway
from autodub.gateway.retry import NO_RETRY
from autodub.gateway.store import Store
from autodub.media import sound
from autodub.model.job import Event
from autodub.model.media import Audio, Blob
from autodub.model.time import Span

Samples = npt.NDArray[np.float32]


class Studio:
    """Context manager; all it makes is gone afterwards. Nothing is retried, so calls can be counted."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="autodub-studio-", ignore_cleanup_errors=True)
        self.folder = Path(self._folder.name)
        self.store = Store(self.folder / "data")
        self.events: list[Event] = []
        self.gateway = Gateway(self.store, listener=self.events.append, retry=NO_RETRY)
        self.context = EngineContext(secrets={}, models=self.folder / "models", offline=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.store.close()
        self._folder.cleanup()

    def call(self, engine: Any, verb: str, request: object) -> Any:
        """Ask the engine through the gateway."""
        return self.gateway.call(engine, verb, request)

    def made(self, verb: str) -> int:
        """How many calls of a verb an engine really answered so far."""
        return sum(count.made for count in self.gateway.calls() if count.verb == verb)

    def audio(self, samples: Samples, rate: int, *, layout: str = "mono", subtype: str = "PCM_16") -> Audio:
        """Keep samples ``(n,)`` or ``(n, channels)`` as a sound of the store."""
        with self.store.blobs.scratch() as scratch:
            path = scratch / "sound.wav"
            sound.store(samples, rate, path, subtype="FLOAT" if subtype == "FLOAT" else "PCM_16")
            blob = self.store.blobs.keep(path)
        return sound.audio(blob, self.store.blobs.path(blob), layout)

    def file(self, content: bytes, suffix: str) -> Blob:
        """Keep bytes as a file of the store."""
        with self.store.blobs.scratch() as scratch:
            path = scratch / f"file{suffix}"
            path.write_bytes(content)
            return self.store.blobs.keep(path)

    def samples(self, audio: Audio) -> Samples:
        """A sound's samples, ``(n, channels)``."""
        return sound.load(self.store.blobs.path(audio.blob))[0]


def bursts(spans: Iterable[Span], *, length: int, rate: int = 16_000, pitch: float = 150.0) -> Samples:
    """Syllable-like bursts of a voiced sound inside the spans, silence elsewhere; ``length`` in ms, mono."""
    out = np.zeros(round(length * rate / 1000), dtype=np.float32)
    for span in spans:
        first, last = round(span.start * rate / 1000), min(len(out), round(span.end * rate / 1000))
        out[first:last] = voiced(last - first, rate=rate, pitch=pitch)
    return out


def voiced(frames: int, *, rate: int, pitch: float) -> Samples:
    """``frames`` samples of a sound like a voice: twelve falling harmonics, a syllable every 200 ms."""
    if frames <= 0:
        return np.zeros(0, dtype=np.float32)
    clock = np.arange(frames) / rate
    tone = np.zeros(frames)
    for harmonic in range(1, 13):
        if harmonic * pitch < 0.45 * rate:
            tone += np.sin(2 * np.pi * harmonic * pitch * clock) / harmonic
    syllables = max(1, round(frames / rate / 0.2))
    envelope = 0.15 + 0.85 * np.sin(np.pi * syllables * np.arange(frames) / frames) ** 2
    edge = min(frames // 2, round(0.005 * rate))
    if edge:
        ramp = np.linspace(0.0, 1.0, edge, endpoint=False)
        envelope[:edge] *= ramp
        envelope[frames - edge :] *= ramp[::-1]
    return np.asarray(0.2 * tone * envelope, dtype=np.float32)
