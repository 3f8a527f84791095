"""Streams that share one thread: who reads slowly, hangs up or comes late costs nobody else anything."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest
from flask import Flask
from werkzeug.test import EnvironBuilder

from autodub.web import pushing, serving
from autodub.web.pushing import Pushed, Pusher, Stream

PATIENCE = 10.0


class Told:
    """A stream whose texts a test puts in."""

    def __init__(self) -> None:
        self.texts: list[str | None] = []
        self.closed = threading.Event()
        self.asked = threading.Event()

    def __iter__(self) -> Iterator[str]:
        while True:
            self.asked.set()
            if not self.texts:
                yield ""
                continue
            text = self.texts.pop(0)
            if text is None:
                return
            yield text

    def stream(self) -> Stream:
        return Stream(iter(self), lambda: bool(self.texts), self.closed.set)


@pytest.fixture
def pusher() -> Iterator[Pusher]:
    """A pusher, closed at the end."""
    with closing(Pusher()) as made:
        yield made


@pytest.fixture
def pair() -> Iterator[Callable[[], tuple[socket.socket, socket.socket]]]:
    """Two ends of a connection: the server's and somebody's."""
    with ExitStack() as stack:

        def made() -> tuple[socket.socket, socket.socket]:
            ours, theirs = socket.socketpair()
            theirs.settimeout(PATIENCE)
            stack.callback(theirs.close)
            return ours, theirs

        yield made


def _all(theirs: socket.socket) -> bytes:
    taken = b""
    while block := theirs.recv(1 << 16):
        taken += block
    return taken


def test_what_is_new_is_sent_to_everybody(
    pusher: Pusher, pair: Callable[[], tuple[socket.socket, ...]]
) -> None:
    """Each stream says what it has when somebody wakes the thread, and is closed when it is over."""
    many = [(Told(), *pair()) for _ in range(20)]
    for told, ours, _ in many:
        pusher.take(ours, told.stream())
    for told, _, theirs in many:
        told.texts += ["one ", "two"]
        pusher.wake()
        assert theirs.recv(4) == b"one "
        assert theirs.recv(3) == b"two"
    for told, _, theirs in many:
        told.texts.append(None)
        pusher.wake()
        assert theirs.recv(1) == b""
        theirs.close()
        assert told.closed.wait(PATIENCE)


def test_a_slow_reader_gets_everything_and_holds_up_nobody(
    pusher: Pusher, pair: Callable[[], tuple[socket.socket, ...]]
) -> None:
    """Nothing more is asked of a stream while what it said has not been taken; the others go on."""
    slow, quick = Told(), Told()
    ours, lazy = pair()
    pusher.take(ours, slow.stream())
    slow.texts += ["x" * 1_000_000, "y" * 1_000_000, None]
    other, theirs = pair()
    pusher.take(other, quick.stream())
    for number in range(50):
        quick.texts.append(f"{number:02}")
        pusher.wake()
        assert theirs.recv(2) == f"{number:02}".encode()
    assert slow.texts  # the second text is still to be asked for
    assert _all(lazy) == b"x" * 1_000_000 + b"y" * 1_000_000


def test_more_texts_than_one_turn_has_are_sent_without_being_woken(
    pusher: Pusher, pair: Callable[[], tuple[socket.socket, ...]]
) -> None:
    """A stream that has much to say comes round again and again."""
    told = Told()
    told.texts += [*["a"] * 500, None]
    ours, theirs = pair()
    pusher.take(ours, told.stream())
    assert _all(theirs) == b"a" * 500


def test_who_hangs_up_is_noticed(pusher: Pusher, pair: Callable[[], tuple[socket.socket, ...]]) -> None:
    """What was kept for a stream is let go of as soon as its reader has gone, though nothing is said."""
    told = Told()
    ours, theirs = pair()
    pusher.take(ours, told.stream())
    assert told.asked.wait(PATIENCE)
    theirs.close()
    assert told.closed.wait(PATIENCE)


def test_who_talks_without_end_is_let_go(
    pusher: Pusher, pair: Callable[[], tuple[socket.socket, ...]]
) -> None:
    """A body that was not asked for is passed over; one that never ends keeps nobody busy."""
    told = Told()
    ours, theirs = pair()
    pusher.take(ours, told.stream())
    theirs.sendall(b"x" * 1_000_000)
    told.texts.append("on")
    pusher.wake()
    assert theirs.recv(2) == b"on"
    with pytest.raises(OSError, match=r"pipe|reset"):
        theirs.sendall(b"x" * 100_000_000)
    assert told.closed.wait(PATIENCE)


def test_who_takes_nothing_for_long_is_let_go(
    pusher: Pusher, pair: Callable[[], tuple[socket.socket, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader that stands still does not keep its stream for ever."""
    monkeypatch.setattr(pushing, "STALLED", 0.0)
    told = Told()
    told.texts.append("x" * 4_000_000)
    ours, _ = pair()
    pusher.take(ours, told.stream())
    assert told.closed.wait(PATIENCE)


def test_a_stream_that_breaks_is_not_the_end_of_the_others(
    pusher: Pusher, pair: Callable[[], tuple[socket.socket, ...]], caplog: pytest.LogCaptureFixture
) -> None:
    """It is closed and the log says so; the others go on."""

    def breaks() -> Iterator[str]:
        yield "first"
        raise KeyError

    closed, told = threading.Event(), Told()
    ours, theirs = pair()
    pusher.take(ours, Stream(breaks(), lambda: True, closed.set))
    assert _all(theirs) == b"first"
    assert closed.wait(PATIENCE)
    assert "a stream broke" in caplog.text
    caplog.clear()
    other, there = pair()
    pusher.take(other, told.stream())
    told.texts.append("on")
    pusher.wake()
    assert there.recv(2) == b"on"


def test_all_ends_when_the_process_leaves(pair: Callable[[], tuple[socket.socket, ...]]) -> None:
    """Streams under way are closed, and one that comes too late is closed at once."""
    pusher, early, late = Pusher(), Told(), Told()
    ours, theirs = pair()
    pusher.take(ours, early.stream())
    assert early.asked.wait(PATIENCE)
    serving.leave()
    try:
        pusher.wake()
        assert _all(theirs) == b""
        pusher.close()
    finally:
        serving.stay()
    other, there = pair()
    pusher.take(other, late.stream())
    assert _all(there) == b""
    assert early.closed.is_set()
    assert late.closed.is_set()


def test_an_answer_takes_the_connection_with_it(
    pusher: Pusher, pair: Callable[[], tuple[socket.socket, ...]]
) -> None:
    """Head and texts are sent over the connection, and whoever answered is told to leave it alone."""
    app, told, ours_theirs = Flask(__name__), Told(), pair()
    ours, theirs = ours_theirs
    told.texts += ["data: 1\n\n", None]
    environ = {"REQUEST_METHOD": "GET", "gunicorn.socket": ours, "SERVER_NAME": "x", "SERVER_PORT": "80",
               "wsgi.url_scheme": "http"}  # fmt: skip
    with app.app_context():
        answer = Pushed(iter(told), pusher, has_news=lambda: True, wait=lambda _: None)
    answer.call_on_close(told.closed.set)
    with pytest.raises(StopIteration):
        answer(environ, lambda *_: None)
    assert ours.fileno() == -1
    head, _, body = _all(theirs).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream")
    assert head.endswith(b"Connection: close")
    assert b"\r\nDate: " in head
    assert body == b"data: 1\n\n"
    theirs.close()
    assert told.closed.wait(PATIENCE)


def test_a_question_for_the_head_alone_takes_nothing(
    pusher: Pusher, pair: Callable[[], tuple[socket.socket, ...]]
) -> None:
    """HEAD is answered as any other, and the connection goes on."""
    ours, _ = pair()
    answer = Pushed(iter(["text"]), pusher, has_news=lambda: True, wait=lambda _: None)
    environ = EnvironBuilder(method="HEAD").get_environ() | {"gunicorn.socket": ours}
    assert list(answer(environ, lambda *_: None)) == []
    assert ours.fileno() != -1
    ours.close()
