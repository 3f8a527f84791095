"""A voice elsewhere whose calls go as a test says, and calls of it that are under way."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from remote_scene import Driver, Scene, until

from autodub.engines import registry
from autodub.engines.roles import EngineContext, Info
from autodub.gateway import keys, remote
from autodub.model.calls import Synthesize
from autodub.model.speech import Speech, Voice
from autodub.testing.fakes import FakeSynthesizer, FakeTranslator
from autodub.testing.script import Script

VOICE = Voice("fake", "fake-1", "es", gender="female", pitch=210.0)


class Scripted(FakeSynthesizer):
    """A voice whose calls go as a test says."""

    steps: ClassVar[Script]
    release: ClassVar[str] = "1"

    def __init__(self, options: Any = None, context: EngineContext | None = None) -> None:
        super().__init__(options, context, script=self.steps)

    @classmethod
    def describe(cls) -> Info:
        return Info("fake", "synthesizer", cls.release, "For tests.", resource="gpu", lanes=4)


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Iterator[Script]:
    """How the voice's calls go; whatever hangs is let go at the end."""
    made = Script()
    monkeypatch.setattr(Scripted, "steps", made, raising=False)
    monkeypatch.setattr(remote, "_AWAY", 1)
    with registry.registered("synthesizer", "fake", Scripted), registry.registered(
        "translator", "fake", FakeTranslator
    ):  # fmt: skip
        yield made
        made.release()


def says(text: str) -> Synthesize:
    """A line to be spoken."""
    return Synthesize(text, VOICE)


class Calling(threading.Thread):
    """A call on a thread of its own."""

    def __init__(self, driver: Driver, text: str, engine: Any = None) -> None:
        super().__init__(daemon=True)
        self.driver, self.text = driver, text
        self.engine = engine or driver.engine("synthesizer")
        self.answer: Speech | None = None
        self.problem: BaseException | None = None
        self.start()

    @property
    def key(self) -> str:
        """The row that it waits for."""
        return keys.key(self.engine, "synthesize", says(self.text))

    def run(self) -> None:
        try:
            self.answer = self.driver.call(self.engine, "synthesize", says(self.text))
        except BaseException as problem:  # noqa: BLE001 - the test looks at it
            self.problem = problem

    def ended(self) -> Calling:
        """When it has."""
        until(lambda: not self.is_alive())
        return self


def queued(place: Scene) -> int:
    """Calls that there are."""
    return int(place.rows("SELECT count(*) FROM calls")[0][0])
