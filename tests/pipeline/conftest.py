"""A small film, and a dub of it by scripted engines: no model, no key, no speech program."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autodub.engines import registry
from autodub.gateway.cancel import Cancel
from autodub.infra import settings
from autodub.media import sound
from autodub.model.job import Event
from autodub.model.request import DubRequest
from autodub.pipeline.dub import Dubbed, dub
from autodub.testing.fakes import FAKES
from autodub.testing.script import Script

RATE = 24_000
SECONDS = 17


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """17 seconds of picture with faint noise and louder bursts where the fake detector hears speech."""
    folder = tmp_path_factory.mktemp("film")
    samples = 0.004 * np.random.default_rng(7).standard_normal(SECONDS * RATE)
    for start in (0.5, 5.5, 10.5):
        at = round(start * RATE)
        samples[at : at + 4 * RATE] += 0.1 * np.sin(np.arange(4 * RATE) * 2 * np.pi * 180 / RATE)
    sound.store(samples.astype(np.float32), RATE, folder / "sound.wav")
    film = folder / "film.mp4"
    subprocess.run(
        [
            "ffmpeg", "-v", "error", "-f", "lavfi", "-i", f"testsrc2=size=160x90:rate=10:duration={SECONDS}",
            "-i", str(folder / "sound.wav"), "-c:v", "mpeg4", "-c:a", "aac", "-b:a", "96k", str(film),
        ],
        check=True,
    )  # fmt: skip
    return film


class Stage:
    """A place to dub the film in, with fakes whose scripts a test may change."""

    def __init__(self, folder: Path, film: Path) -> None:
        self.folder, self.film = folder, film
        self.data = folder / "data"
        self.scripts = {role: Script() for role in FAKES}
        self.events: list[Event] = []
        self.engines = dict.fromkeys(FAKES, "fake")

    @contextlib.contextmanager
    def engines_registered(self) -> Iterator[None]:
        """The scripted fakes under the name ``fake``."""
        with contextlib.ExitStack() as stack:
            for role, kind in FAKES.items():
                stack.enter_context(registry.registered(role, "fake", self._scripted(role, kind)))
            yield

    def _scripted(self, role: str, kind: type[Any]) -> type[Any]:
        scripts = self.scripts

        class Scripted(kind):  # type: ignore[misc,valid-type]
            def __init__(self, options: Any, context: Any) -> None:
                super().__init__(options, context, script=scripts[role])

        return Scripted

    def dub(self, *, cancel: Cancel | None = None, **wishes: Any) -> Dubbed:
        """Dub the film into Spanish."""
        asked: dict[str, Any] = {
            "source": str(self.film), "target": "es", "spoken": "en", "engines": self.engines,
            "output": str(self.folder / "film.es.mp4"),
        }  # fmt: skip
        with self.engines_registered():
            return dub(
                DubRequest(**(asked | wishes)),
                settings=settings.load(environ={}, data_dir=self.data),
                listener=self.events.append,
                cancel=cancel,
            )

    def asked(self, role: str) -> list[Any]:
        """Every request that reached the engine of a role."""
        return self.scripts[role].requests


@pytest.fixture
def stage(tmp_path: Path, film: Path) -> Stage:
    """A fresh place to dub the film in."""
    return Stage(tmp_path, film)


@pytest.fixture
def counting(stage: Stage) -> Callable[[], dict[str, int]]:
    """How many requests reached each engine since the last look."""
    seen = dict.fromkeys(FAKES, 0)

    def look() -> dict[str, int]:
        now = {role: len(stage.asked(role)) for role in FAKES}
        new = {role: now[role] - seen[role] for role in FAKES if now[role] > seen[role]}
        seen.update(now)
        return new

    return look
