"""What is made of a job or an upload only when somebody asks: once, by few threads, and kept as its own.

Stems, waveforms and thumbnails may take minutes of a long film. They are made beside the requests, two at a
time; a request waits a little, and few do at once: the others are told to come back. What fails is told to
whoever asks next, and then tried anew.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as Late
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from autodub.gateway.cancel import Cancel
from autodub.gateway.opening import open_store
from autodub.gateway.store import Answer, Store
from autodub.infra.settings import Settings
from autodub.jobs.erasing import erased
from autodub.model.errors import Cancelled, NotFound, Unavailable
from autodub.model.media import Blob

Check = Callable[[], None]
"""Raises Unavailable when the process ends."""
Make = Callable[[Store, Path, Check], tuple[Path, Mapping[str, Any]]]
"""Makes a file in an empty folder, and says what people need to know of it."""
PATIENCE = 10.0
"""Seconds a request waits by default."""
_THREADS, _WAITING = 2, 8
_REMEMBERED = 1000
_OF_ONE = 20
"""Things of one user that are made or wait for it: those of others are not far behind."""
_PAUSE = 2
"""Seconds after which asking again makes sense."""
_VERSION = "1"


class Unfinished(Exception):
    """It is being made; asking again in ``retry_after`` seconds makes sense."""

    def __init__(self, what: str) -> None:
        super().__init__(f"The {what} is being made.")
        self.what, self.retry_after = what, _PAUSE


@dataclass(frozen=True, slots=True)
class Derived:
    """A file that was made of something, and what is known of it."""

    blob: Blob
    facts: Mapping[str, Any]


class Deriving:
    """Makes what is asked for in one process. Safe for many threads."""

    def __init__(
        self, settings: Settings, store: Store, is_there: Callable[[str], bool], *, waiting: int = _WAITING
    ) -> None:
        """``is_there`` says whether an owner, a job or ``upload:<id>``, has not been deleted meanwhile."""
        self._settings, self._store, self._is_there = settings, store, is_there
        self._lock = threading.Lock()
        self._under_way: dict[tuple[str, str], Future[Derived]] = {}
        self._known: OrderedDict[tuple[str, str], Derived] = OrderedDict()
        self._by: Counter[str] = Counter()
        """User -> what is made for them, or waits for it."""
        self._seats = threading.BoundedSemaphore(waiting)
        self._pool: ThreadPoolExecutor | None = None
        self.cancel = Cancel()
        """Asked to stop when the process ends; for gateways with which something is made."""

    def known(self, owner: str, what: str) -> Derived | None:
        """What this process has made or found before, where it is still there."""
        with self._lock:
            found = self._known.get((owner, what))
        return found if found is not None and self._store.blobs.has(found.blob) else None

    def of(
        self, owner: str, what: str, make: Callable[[Check], Derived], *, by: str, wait: float = PATIENCE
    ) -> Derived:
        """The ``what`` of an owner, made now if need be, for the user ``by``.

        Raises Unfinished, NotFound, and as ``make``.
        """
        found = self.known(owner, what)
        if found is not None:
            return found
        place = owner, what
        with self._lock:
            if len(self._under_way) > _REMEMBERED:  # failures nobody has asked for
                self._under_way = {at: one for at, one in self._under_way.items() if not one.done()}
            future = self._under_way.get(place)
            if future is None:
                if self._by[by] >= _OF_ONE:  # it begins when they ask again
                    raise Unfinished(what)
                future = self._under_way[place] = self._threads().submit(self._make, place, make, by)
                self._by[by] += 1
        if not future.done() and not self._waited(future, wait):
            raise Unfinished(what)
        with self._lock:
            if self._under_way.get(place) is future:
                del self._under_way[place]
        try:
            return future.result()
        except (CancelledError, Cancelled):
            raise _ending() from None

    def forget(self) -> None:
        """Look everything up in the store again, as after a restart."""
        with self._lock:
            self._known.clear()

    def close(self) -> None:
        """Stop what is being made; nobody uses the store afterwards."""
        self.cancel.request()
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(cancel_futures=True)

    def check(self) -> None:
        """Raise Unavailable when the process ends."""
        if self.cancel.requested:
            raise _ending()

    def kept(self, owner: str, name: str, make: Make) -> Derived:
        """What was made under a name before, by any process; else made now and kept as the owner's."""
        key = sha256(f"derived {_VERSION} {name}".encode()).hexdigest()
        with closing(open_store(self._settings, owner=owner)) as store:
            answer = store.get(key)
            if answer is None:
                began = time.monotonic()
                with store.blobs.scratch() as scratch:
                    file, facts = make(store, scratch, self.check)
                    blob = store.blobs.keep(file)
                seconds, told = time.monotonic() - began, json.dumps(dict(facts))
                made = Answer("jobs.deriving", _VERSION, name.partition(" ")[0], told, (blob,), (), seconds)
                answer = store.put(key, made)
            return Derived(answer.blobs[0], json.loads(answer.result))

    def _waited(self, future: Future[Derived], wait: float) -> bool:
        """Whether it was finished while somebody waited; at once where enough are waiting."""
        if wait <= 0 or not self._seats.acquire(blocking=False):
            return False
        try:
            future.exception(timeout=wait)
        except Late:
            return False
        except CancelledError:
            return True
        finally:
            self._seats.release()
        return True

    def _make(self, place: tuple[str, str], make: Callable[[Check], Derived], by: str) -> Derived:
        owner, _ = place
        try:
            self.check()
            done = make(self.check)
        finally:  # also what fails may have kept something, such as an answer of an engine
            with self._lock:
                self._by[by] -= 1
                if not self._by[by]:
                    del self._by[by]
            is_there = self._is_there(owner)
            if not is_there:  # deleted meanwhile: what was made belongs to nobody
                erased(self._settings.data_dir).touch()
                self._store.release(owner)
        if not is_there:
            raise NotFound("It was deleted meanwhile.", hint="There is nothing left of it.")
        with self._lock:
            self._known[place] = done
            self._under_way.pop(place, None)
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return done

    def _threads(self) -> ThreadPoolExecutor:
        if self._pool is None:
            self.check()
            self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="derive")
        return self._pool


def _ending() -> Unavailable:
    return Unavailable("The server ends.", hint="Ask again in a moment.")
