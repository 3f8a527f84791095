"""What is done beside lines that are being spoken."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from autodub.gateway.cancel import Cancel
from autodub.model.errors import Cancelled
from autodub.model.speech import Voice
from autodub.pipeline.booth import Ask, Booth


class Slow:
    """A synthesizer that takes as long to load as a test wants."""

    def __init__(self) -> None:
        self.begun, self.loaded = threading.Event(), threading.Event()

    def prepare(self) -> None:
        """Load it."""
        self.begun.set()
        assert self.loaded.wait(60)


class Scene:
    """A booth in a dub of which some lines were spoken before."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self.engine, self.cancel, self._pool = Slow(), Cancel(), pool
        self.kept: set[str] = set()
        run: Any = SimpleNamespace(
            pool=lambda _, name: pool, beside=self._beside, gateway=SimpleNamespace(cancel=self.cancel),
            is_kept=lambda engine, verb, request: (engine, verb) == (self.engine, "synthesize")
            and request.text in self.kept,
        )  # fmt: skip
        info = SimpleNamespace(rates=(0.5, 2.0), paid=True, joins=False, lanes=1)
        self.booth = Booth(run, SimpleNamespace(engine=self.engine, info=info))  # type: ignore[arg-type]

    def _beside(self, work: Any, *, name: str, is_left: bool) -> Future[Any]:
        return self._pool.submit(work)

    def meanwhile(self, *texts: str) -> Future[bool]:
        """Whether the synthesizer was loaded when the work beside these lines began."""
        asks = [Ask(text, Voice("slow", "v", "es"), 1.0) for text in texts]
        seen: list[bool] = []

        def done() -> bool:
            self.booth.meanwhile(asks, lambda: seen.append(self.engine.loaded.is_set()))
            return seen.pop()

        return self._pool.submit(done)


@pytest.fixture
def scene() -> Iterator[Scene]:
    """A booth."""
    with ThreadPoolExecutor(4) as pool:
        made = Scene(pool)
        yield made
        made.engine.loaded.set()


def test_work_beside_lines_waits_until_they_could_be_asked_for(scene: Scene) -> None:
    """It takes the processor, which loading the synthesizer needs."""
    scene.kept = {"Uno."}
    done = scene.meanwhile("Uno.", "Dos.")
    assert scene.engine.begun.wait(60)
    assert not done.done()
    scene.engine.loaded.set()
    assert done.result(60)


@pytest.mark.parametrize("texts", [(), ("Uno.", "Dos.")])
def test_no_synthesizer_is_loaded_for_lines_that_are_kept(scene: Scene, texts: tuple[str, ...]) -> None:
    """An edit that is taken back, or that speaks nothing, waits for no model."""
    scene.kept = {"Uno.", "Dos."}
    assert not scene.meanwhile(*texts).result(60)
    assert not scene.engine.begun.is_set()


def test_a_stop_is_noticed_while_the_synthesizer_is_loaded(scene: Scene) -> None:
    """A model may take a minute, and nobody waits for that any more."""
    done = scene.meanwhile("Uno.")
    assert scene.engine.begun.wait(60)
    scene.cancel.request()
    with pytest.raises(Cancelled):
        done.result(60)
