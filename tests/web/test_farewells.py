"""Hanging up holds up nobody."""

from __future__ import annotations

import contextlib
import selectors
import socket
from collections.abc import Iterator

import pytest

from autodub.web.farewells import SECONDS, Farewells


class Scene:
    """A poller, a time that is set by hand, and connections."""

    def __init__(self) -> None:
        self.now = 100.0
        self.poller = selectors.DefaultSelector()
        self.farewells = Farewells(self.poller, clock=lambda: self.now)
        self._open: list[socket.socket] = []

    def connection(self) -> tuple[socket.socket, socket.socket]:
        """Ours and theirs."""
        here, there = socket.socketpair()
        there.settimeout(10)
        self._open += [here, there]
        return here, there

    def turn(self) -> None:
        """What is there to be heard is heard."""
        for key, _ in self.poller.select(0):
            key.data(key.fileobj)

    def end(self) -> None:
        """Close everything."""
        self.farewells.close()
        self.poller.close()
        for one in self._open:
            one.close()


@pytest.fixture
def scene() -> Iterator[Scene]:
    """One, closed at its end."""
    scene = Scene()
    yield scene
    scene.end()


def test_the_other_side_gets_everything_and_is_not_waited_for(scene: Scene) -> None:
    """Its end of the connection may stay open for a moment, and be closed by the clock."""
    here, there = scene.connection()
    here.sendall(b"answer")
    scene.farewells.begin(here)
    assert there.recv(100) == b"answer"
    assert there.recv(100) == b""
    scene.farewells.look()
    assert len(scene.farewells) == 1
    scene.now += SECONDS
    scene.farewells.look()
    assert len(scene.farewells) == 0
    assert here.fileno() == -1


def test_a_side_that_hangs_up_is_let_go(scene: Scene) -> None:
    """What it sent last is of no interest."""
    here, there = scene.connection()
    scene.farewells.begin(here)
    there.sendall(b"more")
    scene.turn()
    assert len(scene.farewells) == 1
    there.close()
    scene.turn()
    assert len(scene.farewells) == 0


def test_one_that_sends_on_and_on_is_cut_off(scene: Scene) -> None:
    """Nobody listens for ever."""
    here, there = scene.connection()
    scene.farewells.begin(here)
    there.setblocking(False)
    for _ in range(1000):
        if here.fileno() == -1:
            break
        with contextlib.suppress(BlockingIOError):
            there.send(b"x" * 65536)
        scene.turn()
    assert here.fileno() == -1


def test_one_that_is_over_already_is_closed(scene: Scene) -> None:
    """Without an error."""
    lonely = socket.socket()
    scene.farewells.begin(lonely)
    assert lonely.fileno() == -1
    assert len(scene.farewells) == 0
