"""The bell: heard by everybody who listens, and no trouble where nobody does."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from autodub.jobs.doorbell import Doorbell, Listener

_LONG = 20.0


def test_everybody_who_listens_is_woken(tmp_path: Path) -> None:
    """Once for any number of rings before he looked; then he sleeps again."""
    bell = Doorbell(tmp_path / "bells")
    with Listener(tmp_path / "bells") as first, Listener(tmp_path / "bells") as second:
        for _ in range(3):
            bell.ring()
        assert first.wait(_LONG)
        assert second.wait(_LONG)
        assert not first.wait(0)
        assert not second.wait(0)
        bell.ring()
        assert first.wait(_LONG)


def test_a_ring_wakes_who_waits(tmp_path: Path) -> None:
    """While he waits."""
    with Listener(tmp_path) as listener:
        heard = threading.Event()

        def wait() -> None:
            if listener.wait(_LONG):
                heard.set()

        thread = threading.Thread(target=wait)
        thread.start()
        Doorbell(tmp_path).ring()
        assert heard.wait(_LONG)
        thread.join()


def test_one_may_wake_oneself(tmp_path: Path) -> None:
    """To see that it is time to stop."""
    with Listener(tmp_path) as listener:
        listener.wake()
        assert listener.wait(_LONG)


def test_nobody_need_listen(tmp_path: Path) -> None:
    """Not even a folder need be there."""
    Doorbell(tmp_path / "none").ring()


def test_the_bell_of_one_who_was_killed_is_taken_down(tmp_path: Path) -> None:
    """But not that of one who has made it and is about to listen; whoever lives is woken all the same."""
    dead, fresh = tmp_path / "1-dead.bell", tmp_path / "2-fresh.bell"
    for bell in (dead, fresh):
        os.mkfifo(bell)
    os.utime(dead, (1.0, 1.0))
    with Listener(tmp_path) as listener:
        Doorbell(tmp_path).ring()
        assert listener.wait(_LONG)
    assert list(tmp_path.iterdir()) == [fresh]


def test_a_bell_that_is_full_was_rung_often_enough(tmp_path: Path) -> None:
    """Ringing neither waits nor fails, and it is heard."""
    bell = Doorbell(tmp_path)
    with Listener(tmp_path) as listener:
        for _ in range(70_000):
            listener.wake()
        bell.ring()
        while listener.wait(0):
            pass
        bell.ring()
        assert listener.wait(_LONG)


def test_what_is_no_fifo_is_left_alone(tmp_path: Path) -> None:
    """Nothing is written into a file or through a link that happens to be called so."""
    (tmp_path / "file.bell").write_text("mine")
    (tmp_path / "elsewhere").write_text("theirs")
    (tmp_path / "link.bell").symlink_to(tmp_path / "elsewhere")
    Doorbell(tmp_path).ring()
    assert (tmp_path / "file.bell").read_text() == "mine"
    assert (tmp_path / "elsewhere").read_text() == "theirs"


def test_a_long_path_is_no_trouble(tmp_path: Path) -> None:
    """A FIFO has no limit as sockets have."""
    folder = tmp_path / ("a" * 120) / ("b" * 120)
    with Listener(folder) as listener:
        Doorbell(folder).ring()
        assert listener.wait(_LONG)


def test_listening_is_over_when_it_is_closed(tmp_path: Path) -> None:
    """Its FIFO is gone, and nobody else's."""
    listener, other = Listener(tmp_path), Listener(tmp_path)
    listener.close()
    assert len(list(tmp_path.iterdir())) == 1
    other.close()
    with pytest.raises((OSError, ValueError)):
        listener.wait(0)
