"""The threads that answer: as few as will do, and those that worked last before all others.

Answers are short work for the processor, which threads only take from each other: a hundred requests at one
moment are answered sooner by four threads one after another than by a hundred at once, and whoever comes next
does not wait for all of them. But a thread may also be held up, by somebody who sends or reads slowly, or for
hours by a web socket. So others begin when work has waited for a moment: one where the threads get on, and
many where they do not.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
log = logging.getLogger("autodub.serve")
FEW = 4
"""Threads that begin as soon as there is work for them."""
MOMENT = 0.05
"""Seconds that work waits before one more begins."""

_Work = tuple[Future[Any], Callable[[], Any]]


class Crew(Executor):
    """Threads that take work in the order it came. Safe for many threads; none of them holds up an exit."""

    def __init__(self, most: int, *, few: int = FEW, moment: float = MOMENT) -> None:
        """At most ``most`` threads, of which ``few`` do not wait ``moment`` seconds before they begin."""
        self._most, self._few, self._moment = most, min(few, most), moment
        self._lock = threading.Lock()
        self._late = threading.Condition(self._lock)
        self._work: deque[tuple[float, _Work]] = deque()
        self._free: list[_Hand] = []
        self._threads: list[threading.Thread] = []
        self._watch: threading.Thread | None = None
        self._is_idle = False
        """Whether whoever watches waits to be told of work that waits."""
        self._taken = 0
        """Work taken up since somebody last looked."""
        self._is_over = False

    @property
    def size(self) -> int:
        """How many threads have begun."""
        return len(self._threads)

    @property
    def idle(self) -> int:
        """How many of them have nothing to do."""
        return len(self._free)

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have something done. Raises RuntimeError after ``shutdown``, and where not one thread can begin."""
        future: Future[T] = Future()
        with self._lock:
            if self._is_over:
                raise RuntimeError("the crew has been dismissed")
            self._work.append((time.monotonic(), (future, lambda: fn(*args, **kwargs))))
            if self._free:
                self._free.pop().wake()
            elif len(self._threads) >= self._few or not self._begin():
                self._look_after()
            if not self._threads and self._watch is None:
                self._work.pop()
                raise RuntimeError("no thread can be started")
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take nothing new; what was taken is done."""
        with self._lock:
            self._is_over = True
            while cancel_futures and self._work:
                self._work.popleft()[1][0].cancel()
            for hand in self._free:
                hand.wake()
            self._free.clear()
            self._late.notify_all()
            threads = list(self._threads) if wait else []
        for thread in threads:
            thread.join()

    def _begin(self) -> bool:
        """Start one more thread; False where the system has no room for it now."""
        name = f"answers-{len(self._threads)}"
        thread = threading.Thread(target=self._run, args=(_Hand(),), name=name, daemon=True)
        if not _started(thread):
            return False
        self._threads.append(thread)
        return True

    def _run(self, hand: _Hand) -> None:
        while True:
            with self._lock:
                if not self._work:
                    if self._is_over:
                        return
                    self._free.append(hand)
                    work = None
                else:
                    work = self._work.popleft()[1]
                    self._taken += 1
            if work is None:
                hand.wait()
                continue
            _do(work)
            del work  # an idle thread holds nobody's connection

    def _look_after(self) -> None:
        if len(self._threads) >= self._most:
            return
        if self._watch is None:
            watch = threading.Thread(target=self._watching, name="answers-late", daemon=True)
            self._watch = watch if _started(watch) else None  # the next work asks for it again
        elif self._is_idle:
            self._is_idle = False
            self._late.notify_all()

    def _watching(self) -> None:
        """Let others begin whenever the oldest work has waited for too long."""
        with self._lock:
            while not self._is_over and len(self._threads) < self._most:
                if not self._work:
                    self._is_idle = True
                    self._late.wait()
                    self._taken = 0
                    continue
                left = self._work[0][0] + self._moment - time.monotonic()
                if left <= 0:
                    all(self._begin() for _ in range(self._wanted()))  # until one cannot: later again
                    left, self._taken = self._moment, 0  # which those have to show what they can do
                self._late.wait(left)

    def _wanted(self) -> int:
        """How many more threads."""
        they_get_on = self._taken >= len(self._threads)
        wanted = 1 if they_get_on else -(-len(self._work) // 2)
        return min(wanted, self._most - len(self._threads))


class _Hand:
    """What a thread without work waits at."""

    def __init__(self) -> None:
        self._bell = threading.Lock()
        self._bell.acquire()

    def wake(self) -> None:
        self._bell.release()

    def wait(self) -> None:
        self._bell.acquire()


def _started(thread: threading.Thread) -> bool:
    try:
        thread.start()
    except RuntimeError:
        log.warning("the system has no room for one more thread that answers")
        return False
    return True


def _do(work: _Work) -> None:
    future, call = work
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = call()
    except BaseException as problem:  # noqa: BLE001 - whoever asked is told, as by every executor
        future.set_exception(problem)
    else:
        future.set_result(result)
