"""How long the server listens to somebody who sends slowly: each listening thread is one fewer for others.

A request's head must be there soon, its body must keep a pace. From one address only a share of the threads
waits for requests at the same moment; where proxies stand in front, all requests come from theirs, and what
is slow is theirs to keep away. Nor are all threads ever busy with one address, however slowly it reads.
"""

from __future__ import annotations

import errno
import socket
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from gunicorn.http.unreader import SocketUnreader

T = TypeVar("T")
HEAD = 15.0
"""Seconds for the head of a request, from its first byte."""
GRACE, PACE = 30.0, 1000
"""Seconds of waiting for a body that nobody counts, and the bytes that must come in each one after that."""
_MOVING = 2_000_000
"""Bytes of a request after which it is an upload, of somebody who is logged in."""


class Turns:
    """Who is waited for, by address. Safe for many threads."""

    def __init__(self, most: int | None) -> None:
        """``most`` threads wait for one address; None: as many as there are."""
        self._most = most
        self._lock = threading.Lock()
        self._waiting: Counter[str] = Counter()

    @contextmanager
    def waiting(self, address: str, *, is_new: bool) -> Iterator[None]:
        """Wait for an address. Raises ConnectionResetError where ``is_new`` and its share is used up."""
        with self._lock:
            if is_new and self._most is not None and self._waiting[address] >= self._most:
                raise ConnectionResetError(errno.ECONNRESET, "this address sends too much too slowly")
            self._waiting[address] += 1
        try:
            yield
        finally:
            with self._lock:
                self._waiting[address] -= 1
                if not self._waiting[address]:
                    del self._waiting[address]


class Line(Generic[T]):
    """Who must wait since so many requests of the same address are being answered. For one thread."""

    def __init__(self, most: int | None) -> None:
        """``most`` of one address are answered at once; None: all."""
        self._most = most
        self._busy: Counter[str] = Counter()
        self._held: defaultdict[str, deque[T]] = defaultdict(deque)

    def enters(self, address: str, who: T) -> bool:
        """Whether somebody is answered at once; else ``leaves`` tells when."""
        if self._most is not None and self._busy[address] >= self._most:
            self._held[address].append(who)
            return False
        self._busy[address] += 1
        return True

    def leaves(self, address: str) -> T | None:
        """One of an address was answered; who is the next."""
        if held := self._held.get(address):
            following = held.popleft()
            if not held:
                del self._held[address]
            return following
        self._busy[address] -= 1
        if not self._busy[address]:
            del self._busy[address]
        return None


class Patient(SocketUnreader):  # type: ignore[misc]
    """Takes what comes from a connection, for as long as it comes fast enough."""

    def __init__(
        self, connection: socket.socket, address: str, turns: Turns, *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        super().__init__(connection)
        self._address, self._turns, self._clock = address, turns, clock
        self.begin()

    def begin(self) -> None:
        """A request is about to come."""
        self._began: float | None = None
        self._is_head, self._waited, self._bytes = True, 0.0, 0

    def headed(self) -> None:
        """Its head is there."""
        self._is_head = False

    def chunk(self, size_hint: int | None = None) -> bytes:
        """What has come. Raises ConnectionResetError in the head, TimeoutError in the body, when too slow."""
        began = self._clock()
        if self._began is None:
            self._began = began
        left = self._left(began)
        if left <= 0:
            raise self._late()
        before = self.sock.gettimeout()
        self.sock.settimeout(left if before is None else min(before, left))
        try:
            with self._turns.waiting(self._address, is_new=self._bytes < _MOVING):
                data: bytes = super().chunk(size_hint)
        except TimeoutError:
            raise self._late() from None
        finally:
            self.sock.settimeout(before)
        self._waited += self._clock() - began
        self._bytes += len(data)
        return data

    def _left(self, now: float) -> float:
        if self._is_head and self._began is not None:
            return self._began + HEAD - now
        return GRACE + self._bytes / PACE - self._waited

    def _late(self) -> OSError:
        if self._is_head:
            return ConnectionResetError(errno.ECONNRESET, "the head of a request did not come")
        return TimeoutError("the client stalled")
