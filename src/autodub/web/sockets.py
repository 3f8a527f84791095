"""WebSockets: taken over from the server that serves this app, gunicorn or Werkzeug's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from socket import SHUT_RDWR, socket
from typing import Any, Self

from flask import Response
from simple_websocket import ConnectionClosed, Server
from simple_websocket.errors import SimpleWebsocketError
from wsproto.utilities import RemoteProtocolError

from autodub.model.errors import BadOption

_PING = 20.0
"""Seconds between two questions whether the other side is there."""
_GOODBYE = 1.0
"""Seconds the other side is given to hang up, too."""
_MESSAGE = 1024
"""Bytes of a message from the other side; what it says is not heeded."""


_PLACES = ("gunicorn.socket", "werkzeug.socket")
"""Where servers tell an app its connection."""
_OTHERWISE = "Ask for the events without one."


class Socket:
    """One open WebSocket, of which only we say something."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.answer = _Taken(server.mode)
        """What the view returns."""

    @classmethod
    @contextmanager
    def open(cls, environ: dict[str, Any]) -> Iterator[Self]:
        """Shake hands, and hang up at the end. Raises BadOption where that cannot be done."""
        place = next((place for place in _PLACES if place in environ), "")
        connection: socket | None = environ.get(place)
        if connection is None:
            raise BadOption("This server has no WebSockets.", hint=_OTHERWISE)
        theirs = connection.dup()  # closed by the thread that listens
        try:
            server = Server.accept({**environ, place: theirs}, ping_interval=_PING, max_message_size=_MESSAGE)
        except (RemoteProtocolError, SimpleWebsocketError) as error:
            theirs.close()
            raise BadOption(
                "No WebSocket can be opened: its headers are not right.", hint=_OTHERWISE
            ) from error
        opened = cls(server)
        try:
            yield opened
        finally:
            opened.close(1000, "")
            server.thread.join(_GOODBYE)
            with suppress(OSError):  # nobody waits for long for a goodbye
                connection.shutdown(SHUT_RDWR)
            server.thread.join()
            _drain(connection)

    @property
    def is_open(self) -> bool:
        """Whether the other side is there."""
        return bool(self._server.connected)

    def send(self, text: str) -> None:
        """Say something; nothing happens when the other side has gone."""
        with suppress(ConnectionClosed, OSError):
            self._server.send(text)

    def close(self, code: int, why: str) -> None:
        """Hang up; nothing happens when that is done already."""
        with suppress(ConnectionClosed, OSError):
            self._server.close(code, why)


def _drain(connection: socket) -> None:
    """Take what was said last, or the server would take it for the next request."""
    connection.setblocking(False)
    with suppress(OSError):
        while connection.recv(1 << 16):
            pass


class _Taken(Response):
    """Stands for an answer: its connection was taken over, and the server must not write to it."""

    def __init__(self, mode: str) -> None:
        super().__init__(status=101)
        self._mode = mode

    def __call__(self, environ: Any, start_response: Any) -> Any:  # noqa: ARG002 - as WSGI has it
        """Leave the server in the way it takes for a connection that is over."""
        if self._mode == "gunicorn":
            raise StopIteration
        raise ConnectionAbortedError
