"""Looking at accounts beside a dub: what is waited for, and what stops it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as Late
from types import SimpleNamespace
from typing import Any

import pytest

from autodub.gateway.cancel import Cancel
from autodub.model.errors import Cancelled, Refused
from autodub.pipeline import accounts
from autodub.pipeline.accounts import Looks


class Engine:
    """An engine whose library and whose provider take as long as a test wants."""

    def __init__(self, name: str) -> None:
        self.account, self.loaded, self.answered = name, threading.Event(), threading.Event()
        self.failure: Exception | None = None

    def pool(self, verb: str) -> str:
        """One limit for all."""
        return verb

    def prepare(self) -> None:
        """Import the library."""
        assert self.loaded.wait(60)

    def examine(self) -> Any:
        """Ask the provider."""
        assert self.loaded.is_set()
        assert self.answered.wait(60)
        if self.failure is not None:
            raise self.failure


class Scene:
    """Two accounts, and what looks at them as a dub would."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self.one, self.other = Engine("one"), Engine("other")
        self.cancel, self.failures, self._pool = Cancel(), [], pool
        self.failed = threading.Event()
        engines = {role: SimpleNamespace(engine=each) for role, each in (("a", self.one), ("b", self.other))}
        gateway = SimpleNamespace(look=lambda engine: engine.examine(), cancel=self.cancel)
        run: Any = SimpleNamespace(beside=self._beside, fail=self._fail, gateway=gateway)
        self.looks = Looks(run, SimpleNamespace(engines=engines))  # type: ignore[arg-type]

    def _beside(self, work: Any, *given: Any, name: str, is_left: bool = False) -> Future[Any]:
        return self._pool.submit(work, *given)

    def _fail(self, problem: BaseException) -> None:
        self.failures.append(problem)
        self.cancel.request()
        self.failed.set()

    def settling(self) -> Future[None]:
        """What settles it, beside."""
        return self._pool.submit(self.looks.settle)

    def end(self) -> None:
        """Let everybody go."""
        for engine in (self.one, self.other):
            engine.loaded.set()
            engine.answered.set()


@pytest.fixture
def scene() -> Iterator[Scene]:
    """Looks under way."""
    with ThreadPoolExecutor(8) as pool:
        made = Scene(pool)
        yield made
        made.end()


def test_what_a_library_takes_to_load_is_no_patience_lost(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However busy the machine is, nothing is spent before the question about the key could be sent."""
    monkeypatch.setattr(accounts, "_PATIENCE", 0.0)
    settling = scene.settling()
    scene.one.loaded.set()
    with pytest.raises(Late):
        settling.result(0.3)
    scene.other.loaded.set()
    settling.result(60)  # the answers may be late: they stop the dub when they come


def test_a_refusal_ends_the_wait_for_the_others(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is refused need not know what else would be."""
    monkeypatch.setattr(accounts, "_PATIENCE", 60.0)
    scene.one.failure = Refused("Set THE_KEY.")
    for engine in (scene.one, scene.other):
        engine.loaded.set()
    settling = scene.settling()
    scene.one.answered.set()
    with pytest.raises((Refused, Cancelled)):  # whichever it sees first
        settling.result(30)
    assert scene.failed.wait(60)
    assert scene.failures == [scene.one.failure]


def test_a_refusal_stops_the_dub_before_anybody_asks_for_it(scene: Scene) -> None:
    """While the sound is decoded, and while libraries of other accounts are still loaded."""
    scene.one.failure = Refused("Set THE_KEY.")
    scene.one.loaded.set()
    scene.one.answered.set()
    assert scene.failed.wait(60)
    assert scene.failures == [scene.one.failure]
    with pytest.raises((Refused, Cancelled)):
        scene.settling().result(60)
