"""A program that is kept running."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from autodub.infra import process
from autodub.infra.keeping import Kept

FOREVER = "import sys; sys.stdin.read(); import threading; threading.Event().wait()"


class Clock:
    """Seconds, as a test wants them."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Scene:
    """A kept program whose starts are counted."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.started: list[subprocess.Popen[bytes]] = []
        self.code = FOREVER
        self.kept = Kept(self.start, name="the worker", clock=self.clock)

    def start(self) -> subprocess.Popen[bytes]:
        """Start it."""
        self.started.append(process.start([sys.executable, "-c", self.code], env={}))
        return self.started[-1]

    def die(self, caplog: pytest.LogCaptureFixture) -> None:
        """Have it end, and be seen to: that is told."""
        self.started[-1].kill()
        self.started[-1].wait()
        self.kept.look()
        assert [record.getMessage() for record in caplog.records] == [
            "the worker has ended and is started again"
        ]
        caplog.clear()


@pytest.fixture
def scene() -> Iterator[Scene]:
    """One, ended afterwards."""
    found = Scene()
    yield found
    found.kept.kill()


def test_it_is_started_once_and_left_alone(scene: Scene) -> None:
    """Looking again and again starts nothing while it runs."""
    for _ in range(3):
        scene.kept.look()
    assert len(scene.started) == 1
    assert scene.kept.is_running


def test_it_is_started_again_at_once_and_then_more_slowly(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    """The first end costs no time; a program that ends over and over is not started in a loop."""
    scene.kept.look()
    scene.die(caplog)
    assert len(scene.started) == 2
    scene.die(caplog)
    assert len(scene.started) == 2
    scene.clock.now += 1.0
    scene.kept.look()
    assert len(scene.started) == 3


def test_an_end_after_a_long_time_is_the_first_again(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """What ran for long is started at once, whatever happened before."""
    scene.kept.look()
    scene.die(caplog)
    scene.clock.now += 3600.0
    scene.die(caplog)
    assert len(scene.started) == 3


def test_it_ends_when_it_is_asked(scene: Scene) -> None:
    """It is told by SIGTERM, and is not there any more."""
    scene.code = "import signal, time\nsignal.pause()"
    scene.kept.look()
    scene.kept.ask()
    scene.started[-1].wait(20)
    assert not scene.kept.is_running


def test_it_has_a_group_of_its_own_and_our_environment() -> None:
    """Ctrl-C in a terminal reaches it only through us; what we add to the environment arrives."""
    code = """
import os, sys
is_right = os.getpgid(0) == os.getpid() and os.environ["AUTODUB_X"] == "1" and "PATH" in os.environ
sys.exit(0 if is_right else 7)
"""
    with process.start([sys.executable, "-c", code], env={"AUTODUB_X": "1"}) as started:
        assert started.wait(20) == 0
