"""Hanging up without waiting: our side is closed at once, and the other side's end is looked for beside.

Closing at once could lose the end of an answer (RFC 9112, section 9.6); waiting for the other side would hold
up everybody, since one thread takes all connections.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress

SECONDS = 2.0
"""For the other side to hang up, too."""
_MOST = 500
"""Connections waited for; more are closed at once."""
_BLOCK, _LAST = 1 << 16, 1 << 18
"""Bytes taken at a time, and in all, of what the other side still sends."""


class Farewells:
    """Connections that are over. For one thread, that of the poller."""

    def __init__(
        self, poller: selectors.BaseSelector, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._poller, self._clock = poller, clock
        self._going: OrderedDict[socket.socket, tuple[float, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._going)

    def begin(self, connection: socket.socket) -> None:
        """Hang up."""
        try:
            connection.setblocking(False)
            connection.shutdown(socket.SHUT_WR)
        except OSError:  # it is over already
            connection.close()
            return
        if len(self._going) >= _MOST:
            connection.close()
            return
        self._going[connection] = self._clock() + SECONDS, 0
        self._poller.register(connection, selectors.EVENT_READ, self._heard)

    def look(self) -> None:
        """Close those that were waited for long enough."""
        now = self._clock()
        while self._going:
            connection, (until, _) = next(iter(self._going.items()))
            if until > now:
                break
            self._end(connection)

    def close(self) -> None:
        """Close all."""
        for connection in list(self._going):
            self._end(connection)

    def _heard(self, connection: socket.socket) -> None:
        until, taken = self._going[connection]
        try:
            data = connection.recv(_BLOCK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        taken += len(data)
        if data and taken < _LAST:
            self._going[connection] = until, taken
        else:
            self._end(connection)

    def _end(self, connection: socket.socket) -> None:
        del self._going[connection]
        with suppress(OSError, KeyError, ValueError):
            self._poller.unregister(connection)
        connection.close()
