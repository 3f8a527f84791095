"""A WebSocket's other end for tests.

simple_websocket's own forgets what comes together with the handshake, until something else comes.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    CloseConnection,
    Ping,
    RejectConnection,
    Request,
    TextMessage,
)


class WebSocket:
    """One connection: messages are taken one by one, and the code it is closed with stays known."""

    def __init__(self, url: str, *, headers: Mapping[str, str] | None = None) -> None:
        place = urlsplit(url)
        self._socket = socket.create_connection((place.hostname, place.port), timeout=30)
        self._ws = WSConnection(ConnectionType.CLIENT)
        self.status = 0
        """101, or what the handshake was refused with."""
        self.code: int | None = None
        """What it was closed with; None while it is open, or when it just broke off."""
        extra = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
        target = f"{place.path}?{place.query}" if place.query else place.path
        asked = Request(host=place.netloc, target=target, extra_headers=extra)
        self._socket.sendall(self._ws.send(asked))
        self._waiting: list[str] = []
        self._begun = ""
        self._is_over = False
        while not self.status and not self._is_over:
            self._receive()

    def _receive(self) -> None:
        data = self._socket.recv(1 << 16)
        self._ws.receive_data(data or None)
        for event in self._ws.events():
            if isinstance(event, AcceptConnection):
                self.status = 101
            elif isinstance(event, RejectConnection):
                self.status = event.status_code
            elif isinstance(event, TextMessage):
                self._begun += event.data
                if event.message_finished:
                    self._waiting.append(self._begun)
                    self._begun = ""
            elif isinstance(event, Ping):
                self._socket.sendall(self._ws.send(event.response()))
            elif isinstance(event, CloseConnection):
                self.code, self._is_over = int(event.code), True
                if data:
                    self._socket.sendall(self._ws.send(event.response()))
        self._is_over = self._is_over or not data

    def messages(self) -> Iterator[str]:
        """What is said, as it comes, until it is closed."""
        while True:
            while self._waiting:
                yield self._waiting.pop(0)
            if self._is_over:
                return
            self._receive()

    def say(self, text: str) -> None:
        """Send a message."""
        self._socket.sendall(self._ws.send(TextMessage(data=text)))

    def close(self) -> None:
        """Hang up."""
        if self.status == 101 and not self._is_over:
            self._socket.sendall(self._ws.send(CloseConnection(code=1000)))
        self._is_over = True
        self._socket.close()
