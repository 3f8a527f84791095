"""Load for a server, from a process of its own that takes little from it: ``ORDER`` (JSON).

Requests are sent at the moments they are due, whether or not earlier ones were answered, and each is timed
from when it was due: a server that stands still for a second is charged for everything it kept waiting.
Streams of events are opened again when they end. It ends when somebody writes to its standard input.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import sys
import time
from abc import ABC, abstractmethod
from collections import deque
from pathlib import Path
from typing import Any

_CONNECTIONS = 32
_SETTLED = 3.0
"""Seconds after which all streams should be open."""
_LAST = 30.0
"""Seconds that the last answers have."""
_END = b"\r\n\r\n"


class _Connection(ABC):
    """One connection, opened when it is needed."""

    def __init__(self, load: Load, path: str, accept: str) -> None:
        self.load, self.buffer = load, b""
        self.request = (
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{load.port}\r\nAccept: {accept}\r\n\r\n".encode()
        )
        self.socket: socket.socket | None = None

    def send(self) -> None:
        """Send the request; it fits into any buffer."""
        if self.socket is None:
            self.socket = socket.create_connection(("127.0.0.1", self.load.port))
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.load.selector.register(self.socket, selectors.EVENT_READ, self)
        self.socket.sendall(self.request)

    def close(self) -> None:
        """Let go of it."""
        if self.socket is not None:
            self.load.selector.unregister(self.socket)
            self.socket.close()
        self.socket, self.buffer = None, b""

    def readable(self) -> None:
        """Take what has come."""
        assert self.socket is not None
        try:
            data = self.socket.recv(65536)
        except OSError:
            data = b""
        if data:
            self.take(data)
        else:
            self.lost()

    @abstractmethod
    def take(self, data: bytes) -> None:
        """What has come."""

    @abstractmethod
    def lost(self) -> None:
        """It was closed by the server."""


class _Asker(_Connection):
    """Asks for one thing after another."""

    def ask(self, moment: float) -> None:
        self.moment = moment
        try:
            self.send()
        except OSError as problem:
            self._over(repr(problem))

    def take(self, data: bytes) -> None:
        self.buffer += data
        end = self.buffer.find(_END)
        if end < 0:
            return
        head = self.buffer[:end].lower()
        at = head.find(b"content-length:")
        size = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self.buffer) - end - 4 < size:
            return
        failure = "" if b" 200 " in head[:20] else head[:40].decode("latin-1")
        self.buffer = b""
        if b"connection: close" in head:
            self.close()
        self._over(failure)

    def lost(self) -> None:
        self._over("the connection was closed before the answer")

    def _over(self, failure: str) -> None:
        if failure:
            self.load.failed.append(failure[:100])
            self.close()
        else:
            self.load.took.append(time.monotonic() - self.moment)
        self.load.free.append(self)


class _Follower(_Connection):
    """Reads a stream of events, and opens it again when it ends."""

    is_open = False

    def follow(self) -> None:
        try:
            self.send()
        except OSError:
            self.lost()

    def take(self, data: bytes) -> None:
        if not self.is_open:
            self.buffer += data
            if _END not in self.buffer:
                return
            data, self.buffer, self.is_open = self.buffer.split(_END, 1)[1], b"\n", True
            self.load.open += 1
        whole = self.buffer + data  # a line may come in two pieces
        self.load.events += whole.count(b"\ndata:")
        self.buffer = whole[-5:]

    def lost(self) -> None:
        self.load.open -= self.is_open
        self.is_open = False
        self.close()
        self.load.again.append((time.monotonic() + 0.5, self))


class Load:
    """What is sent, and what came of it."""

    def __init__(self, order: dict[str, Any]) -> None:
        self.port, self.rate, path = order["port"], order["rate"], f"/api/v1/jobs/{order['job']}"
        self.selector = selectors.DefaultSelector()
        self.took: list[float] = []
        self.failed: list[str] = []
        self.events = self.open = 0
        self.free = deque(_Asker(self, path, "application/json") for _ in range(_CONNECTIONS))
        self.again: deque[tuple[float, _Follower]] = deque()
        self._streams = order["streams"]
        places = ("/api/v1/events", f"{path}/events?follow=true")
        self._following = [_Follower(self, places[n % 2], "text/event-stream") for n in range(self._streams)]

    def run(self) -> dict[str, Any]:
        """Send until told to stop."""
        self.selector.register(sys.stdin, selectors.EVENT_READ, None)
        began, number, is_over = time.monotonic(), 0, False
        least, due = self._streams, deque[float]()
        for one in self._following:
            one.follow()
        last = float("inf")
        while (not is_over or len(self.free) < _CONNECTIONS or due) and time.monotonic() < last:
            now = time.monotonic()
            while not is_over and (moment := began + number / self.rate) <= now:
                due.append(moment)
                number += 1
            while due and self.free:
                self.free.popleft().ask(due.popleft())
            while self.again and self.again[0][0] <= now:
                self.again.popleft()[1].follow()
            if now - began > _SETTLED:
                least = min(least, self.open)
            for key, _ in self.selector.select(0.02 if is_over else max(0.0, moment - time.monotonic())):
                if key.data is None:
                    self.selector.unregister(sys.stdin)
                    is_over, last = True, time.monotonic() + _LAST
                else:
                    key.data.readable()
        unanswered = len(due) + _CONNECTIONS - len(self.free)
        self.failed += ["no answer"] * unanswered
        return self._report(number, time.monotonic() - began, least)

    def _report(self, number: int, seconds: float, least: int) -> dict[str, Any]:
        took, used = sorted(self.took), os.times()
        return {
            "requests": number, "requests per second": round(number / seconds, 1),
            "p50, ms": _at(took, 0.5), "p95, ms": _at(took, 0.95), "p99, ms": _at(took, 0.99),
            "most, ms": _at(took, 1.0), "failed requests": len(self.failed),
            "first failures": self.failed[:3],
            "streams open, least": least, "events on streams": self.events,
            "generator's share of a core": round((used.user + used.system) / seconds, 2),
        }  # fmt: skip


def _at(ordered: list[float], share: float) -> float:
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000, 1) if ordered else 0.0


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    Path(given["result"]).write_text(json.dumps(Load(given).run()))
