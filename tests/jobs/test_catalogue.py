"""The catalogue: what is looked at once a minute, and how many look at a time."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from autodub.engines import registry
from autodub.engines.roles import Readiness, Work
from autodub.gateway.store import Store
from autodub.infra.settings import load
from autodub.jobs.catalogue import Catalogue
from autodub.model.calls import ListVoices
from autodub.model.errors import EngineCannot, Unreachable
from autodub.model.language import Language
from autodub.model.speech import Voices
from autodub.testing.fakes import FakeSynthesizer

ES = Language("es")


class Counted(FakeSynthesizer):
    """A synthesizer that counts who asks for its voices."""

    asked = 0
    fails = False
    ready = "ready"

    def readiness(self) -> Readiness:
        return Readiness(type(self).ready, "as the test wants it")  # type: ignore[arg-type]

    def list_voices(self, request: ListVoices, work: Work) -> Voices:
        type(self).asked += 1
        if type(self).fails:
            raise Unreachable("No answer.")
        return super().list_voices(request, work)


class Scene:
    """A catalogue whose clock a test turns."""

    def __init__(self, folder: Path) -> None:
        self.now = 0.0
        self.store = Store(folder / "data")
        settings = load(environ={"HOME": str(folder)}, data_dir=folder / "data")
        self.catalogue = Catalogue(settings, self.store, clock=lambda: self.now)


@pytest.fixture
def scene(tmp_path: Path) -> Any:
    """A catalogue with one synthesizer that is counted."""

    class Fresh(Counted):
        """With a count of its own."""

    found = Scene(tmp_path)
    with registry.registered("synthesizer", "counted", Fresh):
        found.engine = Fresh  # type: ignore[attr-defined]
        yield found
    found.store.close()


def test_voices_are_asked_for_once_a_minute(scene: Any) -> None:
    """Within a minute everybody gets the same answer, after it a new one."""
    first = scene.catalogue.voices(ES, "counted")
    assert first == scene.catalogue.voices(ES, "counted")
    assert [voice.id for voice in first[1]] == ["fake-1", "fake-2", "fake-3", "fake-4"]
    scene.now = 59.0
    scene.catalogue.voices(ES, "counted")
    assert scene.engine.asked == 1
    scene.now = 60.0
    scene.catalogue.voices(ES, "counted")
    assert scene.engine.asked == 2


def test_of_many_who_ask_at_once_one_looks(scene: Any) -> None:
    """The others wait for its answer."""
    ready = threading.Barrier(6)

    def ask() -> None:
        ready.wait()
        scene.catalogue.voices(ES, "counted")

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert scene.engine.asked == 1


def test_a_failure_is_not_remembered(scene: Any) -> None:
    """Whoever asks next may find the provider there again."""
    scene.engine.fails = True
    with pytest.raises(Unreachable):
        scene.catalogue.voices(ES, "counted")
    scene.engine.fails = False
    assert scene.catalogue.voices(ES, "counted")[0] == "counted"


def test_an_engine_that_is_not_ready_is_not_asked(scene: Any) -> None:
    """Nothing is downloaded to list voices."""
    scene.engine.ready = "needs download"
    with pytest.raises(EngineCannot, match="cannot run here"):
        scene.catalogue.voices(ES, "counted")
    assert scene.engine.asked == 0


def test_engines_are_looked_at_once_for_states_and_languages(scene: Any) -> None:
    """The list of languages uses what the list of engines has found."""
    states = scene.catalogue.engines()
    assert scene.catalogue.engines() is states
    assert any(one.name == "counted" for one in scene.catalogue.languages())
    assert scene.catalogue.languages() is scene.catalogue.languages()
