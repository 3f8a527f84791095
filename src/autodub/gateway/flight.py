"""The same work is done once, however many threads and processes want it at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from autodub.gateway.cancel import Cancel
from autodub.infra.storage import Lock
from autodub.model.errors import AutodubError, Cancelled

T = TypeVar("T")
_GLANCE = 0.1  # seconds between looks at a request to stop
_FIRST_POLL, _SLOWEST_POLL = 0.01, 0.25  # seconds between tries for another process's lock


class _Flight(Generic[T]):
    """One call under way and whoever else waits for it."""

    def __init__(self) -> None:
        self.landed = threading.Event()
        self.value: T | None = None
        self.error: BaseException | None = None


class Flights(Generic[T]):
    """Calls under way, by key."""

    def __init__(self, lock: Callable[[str], Lock]) -> None:
        """``lock`` gives the lock of a key, which every process that might make its value knows."""
        self._lock_of = lock
        self._lock = threading.Lock()
        self._flying: dict[str, _Flight[T]] = {}

    def once(
        self,
        key: str,
        *,
        kept: Callable[[], T | None],
        make: Callable[[], T],
        cancel: Cancel,
        waiting: Callable[[], None] = lambda: None,
    ) -> tuple[T, bool]:
        """The value, and whether this caller made it.

        Threads that come second share the first one's outcome, its error included, unless it was
        only told to stop. Processes that come second wait and look again (``kept``) before they make
        anything; ``waiting`` is told when that begins.
        """
        while True:
            with self._lock:
                flight = self._flying.get(key)
                first = flight is None
                if flight is None:
                    flight = self._flying[key] = _Flight()
            if first:
                return self._lead(key, flight, kept=kept, make=make, cancel=cancel, waiting=waiting)
            while not flight.landed.wait(_GLANCE):
                cancel.check()
            if flight.error is None:
                assert flight.value is not None
                return flight.value, False
            if isinstance(flight.error, AutodubError) and not isinstance(flight.error, Cancelled):
                raise flight.error

    def _lead(
        self,
        key: str,
        flight: _Flight[T],
        *,
        kept: Callable[[], T | None],
        make: Callable[[], T],
        cancel: Cancel,
        waiting: Callable[[], None],
    ) -> tuple[T, bool]:
        try:
            with self._alone(key, cancel, waiting):
                found = kept()
                made = found is None
                flight.value = make() if found is None else found
        except BaseException as error:  # whoever waits for this call must hear of any end
            flight.error = error
            raise
        else:
            return flight.value, made
        finally:
            with self._lock:
                del self._flying[key]
            flight.landed.set()

    @contextmanager
    def _alone(self, key: str, cancel: Cancel, waiting: Callable[[], None]) -> Iterator[None]:
        """Hold the key against every other process; it is free again when its holder is killed."""
        lock = self._lock_of(key)
        pause = _FIRST_POLL
        told = False
        while not lock.take():
            if not told:
                waiting()
                told = True
            cancel.wait(pause)
            pause = min(_SLOWEST_POLL, pause * 2)
        try:
            yield
        finally:
            lock.free(remove=True)
