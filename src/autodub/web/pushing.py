"""Streams without a thread of their own: one thread sends what is new to all of them.

A stream is a generator of texts that never waits: an empty text means that there is nothing new. Where the
server lets an app have its connection (gunicorn), the stream is handed over with it and the thread that
answered is free again; elsewhere the generator is asked again and again by the thread that answers.
Somebody who reads slowly holds up nobody: more is asked of a stream only when what it said has been sent.
"""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from flask import Response
from werkzeug.http import http_date

from autodub.web.serving import leaving

log = logging.getLogger("autodub.web")
SLICE = 0.5
"""Seconds of waiting at a time: so soon a stream ends when the process is told to."""
LOOK = 1.0
"""Seconds between two looks at a stream of which no news are known: it may have to show that it lives."""
STALLED = 60.0
"""Seconds that somebody may take nothing of what waits for them."""
_FAREWELL = 2.0
"""Seconds for the other side to hang up, too."""
_AT_ONCE = 20
"""Texts of one stream that are sent before it is the others' turn."""
_BLOCK = 1 << 16
_HEARD = 4 << 20
"""Bytes that somebody may send to a stream, such as a body that nobody asked for; more would keep us busy."""
_PLACE = "gunicorn.socket"
"""Where gunicorn lets an app have its connection."""


@dataclass(slots=True, eq=False)
class Stream:
    """What is told to one connection."""

    told: Iterator[str]
    has_news: Callable[[], bool]
    """Whether asking ``told`` is worth it now."""
    closed: Callable[[], None]
    """Called once, at the end."""
    waiting: bytearray = field(default_factory=bytearray)
    """Said, and not taken yet."""
    since: float = 0.0
    """When something of it was taken last."""
    heard: int = 0
    """Bytes the other side has sent."""
    is_blocked: bool = False
    """Whether the connection takes no more for now."""
    looked: float = float("-inf")
    until: float | None = None
    """All was said; when to hang up at last."""


class Pusher:
    """Sends to connections that were handed over. ``take``, ``wake`` and ``close`` are for any thread."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._new: deque[tuple[socket.socket, Stream]] = deque()
        self._streams: dict[socket.socket, Stream] = {}
        self._thread: threading.Thread | None = None
        self._bell: socket.socket | None = None
        self._is_over = False

    def take(self, connection: socket.socket, stream: Stream) -> None:
        """Have everything of a stream sent to a connection; both are closed by this thread."""
        with self._lock:
            is_late = self._is_over
            if not is_late:
                self._new.append((connection, stream))
                if self._thread is None:
                    self._bell, rung = socket.socketpair()
                    self._bell.setblocking(False)
                    self._thread = threading.Thread(
                        target=self._run, args=(rung,), name="pushing", daemon=True
                    )
                    self._thread.start()
        if is_late:
            connection.close()
            stream.closed()
        self.wake()

    def wake(self) -> None:
        """There is something new."""
        with self._lock, contextlib.suppress(BlockingIOError):  # it is rung already
            if self._bell is not None:
                self._bell.send(b"\0")

    def close(self) -> None:
        """End all streams."""
        with self._lock:
            self._is_over, thread = True, self._thread
        self.wake()
        if thread is not None:
            thread.join()

    def _run(self, rung: socket.socket) -> None:
        rung.setblocking(False)
        has_more = False
        with selectors.DefaultSelector() as self._selector, rung:
            self._selector.register(rung, selectors.EVENT_READ)
            while not (self._is_over or leaving()):
                has_more = self._turn(rung, 0 if has_more else SLICE)
            with self._lock:
                self._is_over = True
                if self._bell is not None:
                    self._bell.close()
                self._bell = None
            self._begin()
            for connection in list(self._streams):
                self._end(connection)

    def _turn(self, rung: socket.socket, wait: float) -> bool:
        """Send what can be sent, once; whether there is more that could be sent at once."""
        for key, ready in self._selector.select(wait):
            if key.fileobj is rung:
                rung.recv(_BLOCK)
            elif isinstance(key.fileobj, socket.socket):
                if ready & selectors.EVENT_READ:
                    self._hear(key.fileobj)
                if ready & selectors.EVENT_WRITE and (stream := self._streams.get(key.fileobj)):
                    self._send(key.fileobj, stream)
        self._begin()
        now, has_more = self._clock(), False
        for connection, stream in list(self._streams.items()):
            if stream.until is not None:
                if now >= stream.until:
                    self._end(connection)
            elif stream.waiting:
                if now - stream.since >= STALLED:
                    self._end(connection)
            elif now - stream.looked >= LOOK or stream.has_news():
                stream.looked = now
                has_more |= self._ask(connection, stream)
        return has_more

    def _begin(self) -> None:
        """Take those that were handed over meanwhile."""
        while self._new:
            connection, stream = self._new.popleft()
            connection.setblocking(False)
            stream.since, stream.is_blocked = self._clock(), True
            self._streams[connection] = stream
            self._selector.register(connection, selectors.EVENT_READ | selectors.EVENT_WRITE)

    def _ask(self, connection: socket.socket, stream: Stream) -> bool:
        """Have a stream say what is new, and send it; whether it could say more at once."""
        for _ in range(_AT_ONCE):
            try:
                text = next(stream.told, None)
            except Exception:  # one stream that breaks is not the end of the others
                log.exception("a stream broke")
                self._end(connection)
                return False
            if text is None:
                stream.until = self._clock() + _FAREWELL
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_WR)
                return False
            if not text:
                return False
            stream.waiting += text.encode()
            self._send(connection, stream)
            if stream.waiting or connection not in self._streams:
                return False
        return True

    def _send(self, connection: socket.socket, stream: Stream) -> None:
        try:
            count = connection.send(stream.waiting)
        except BlockingIOError:
            count = 0
        except OSError:
            self._end(connection)
            return
        del stream.waiting[:count]
        if count:
            stream.since = self._clock()
        if bool(stream.waiting) != stream.is_blocked:
            stream.is_blocked = not stream.is_blocked
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if stream.is_blocked else 0)
            self._selector.modify(connection, wanted)

    def _hear(self, connection: socket.socket) -> None:
        """Notice that the other side hung up; whatever else it says is not heeded."""
        stream = self._streams[connection]
        try:
            count = len(connection.recv(_BLOCK))
        except BlockingIOError:
            return
        except OSError:
            count = 0  # as if it had hung up
        stream.heard += count
        if not count or stream.heard > _HEARD:
            self._end(connection)

    def _end(self, connection: socket.socket) -> None:
        stream = self._streams.pop(connection)
        with contextlib.suppress(OSError, KeyError, ValueError):
            self._selector.unregister(connection)
        connection.close()
        stream.closed()


class Pushed(Response):
    """A stream as an answer: handed over to the pusher where that can be done."""

    def __init__(
        self,
        told: Iterator[str],
        pusher: Pusher,
        *,
        has_news: Callable[[], bool],
        wait: Callable[[float], Any],
    ) -> None:
        """``wait`` lets a thread wait for news, so many seconds."""
        self._told, self._pusher, self._has_news, self._wait = told, pusher, has_news, wait
        super().__init__(self._here(), mimetype="text/event-stream")

    def __call__(self, environ: Any, start_response: Any) -> Any:
        """Hand the connection over, or send by the thread that answers."""
        theirs: socket.socket | None = environ.get(_PLACE)
        if theirs is None or environ["REQUEST_METHOD"] == "HEAD":
            return super().__call__(environ, start_response)
        self.headers["Date"] = http_date()  # as servers add it to what goes through them
        head = [f"HTTP/1.1 {self.status}", *(f"{k}: {v}" for k, v in self.get_wsgi_headers(environ))]
        stream = Stream(self._told, self._has_news, self.close)
        stream.waiting += "\r\n".join([*head, "Connection: close", "", ""]).encode("latin-1")
        self._pusher.take(socket.socket(fileno=theirs.detach()), stream)
        raise StopIteration  # what gunicorn takes for a connection that is over

    def _here(self) -> Iterator[str]:
        while (text := next(self._told, None)) is not None:
            if text:
                yield text
            elif not leaving():
                self._wait(SLICE)
