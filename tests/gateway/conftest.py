"""A store in a temporary folder, and a clock that only moves when told."""

from __future__ import annotations

import pytest

from autodub.gateway.store import Store
from autodub.model.calls import Synthesize
from autodub.model.speech import Voice


class Clock:
    """Seconds that pass by sleeping only."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock():
    """A clock at 1000 s."""
    return Clock()


@pytest.fixture
def store(tmp_path):
    """An empty store."""
    store = Store(tmp_path / "data")
    yield store
    store.close()


@pytest.fixture
def voice():
    """A voice of the fake synthesizer."""
    return Voice("fake", "fake-1", "es", pitch=120.0)


@pytest.fixture
def say(voice):
    """A request to speak some text."""

    def make(text="hola", **changes):
        return Synthesize(text, voice, **changes)

    return make
