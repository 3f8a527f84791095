"""Where work waits: stations with servers, and flows with a rate. One event of SimPy per piece of work."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable

import simpy

Then = Callable[[], object]


class Station:
    """So many servers; jobs that wait take turns, and each job's own requests are served in order.

    That is how the product's lanes choose (``gateway.lanes``): whoever has fewest calls under way goes first.
    """

    def __init__(self, env: simpy.Environment, servers: int, *, crowding: float = 0.0) -> None:
        """``crowding``: a request takes longer by this fraction for each other one that is being served."""
        if servers < 1:
            raise ValueError(f"a station needs a server, not {servers}")
        self._env, self.servers, self.crowding = env, servers, crowding
        self.busy = 0
        self.waiting = 0
        self._turns: OrderedDict[Hashable, deque[tuple[float, float, Then]]] = OrderedDict()
        self._since = env.now
        self.clear()

    def clear(self) -> None:
        """Forget what was counted: the window that is measured begins."""
        self._count()
        self.busy_area = self.waiting_area = self.waited = self.worked = 0.0
        self.begun = self.ended = 0

    def serve(self, job: Hashable, seconds: float, then: Then) -> None:
        """Have something done that takes ``seconds`` of a server, and ``then`` be called."""
        if self.busy < self.servers:
            self._begin(seconds, self._env.now, then)
            return
        self._count()
        self.waiting += 1
        self._turns.setdefault(job, deque()).append((seconds, self._env.now, then))

    def take(self, job: Hashable, seconds: float) -> simpy.Event:
        """The same as an event for processes."""
        done = self._env.event()
        self.serve(job, seconds, done.succeed)
        return done

    def utilisation(self, seconds: float) -> float:
        """Share of the servers that were busy in a window of so many seconds that ends now."""
        self._count()
        return self.busy_area / (self.servers * seconds)

    def _begin(self, seconds: float, asked: float, then: Then) -> None:
        self._count()
        seconds *= 1 + self.crowding * self.busy
        self.busy += 1
        self.begun += 1
        self.waited += self._env.now - asked
        self.worked += seconds

        def over(_: simpy.Event) -> None:
            self._count()
            self.busy -= 1
            self.ended += 1
            self._next()
            then()

        self._env.timeout(seconds).callbacks.append(over)

    def _next(self) -> None:
        if not self._turns:
            return
        job, queue = self._turns.popitem(last=False)
        seconds, asked, then = queue.popleft()
        self.waiting -= 1
        if queue:
            self._turns[job] = queue  # at the end: the others come first
        self._begin(seconds, asked, then)

    def _count(self) -> None:
        now = self._env.now
        past = now - self._since
        if past:
            self._since = now
            self.busy_area += past * self.busy
            self.waiting_area += past * self.waiting


class Flow:
    """Something that passes at a rate, first come first served: a link, tokens a minute, transactions."""

    def __init__(self, env: simpy.Environment, rate: float) -> None:
        """``rate``: units per second; infinite where nothing limits it."""
        if not rate > 0:
            raise ValueError(f"nothing passes at a rate of {rate}")
        self._env, self.rate = env, rate
        self._free = env.now
        self.clear()

    def clear(self) -> None:
        """Forget what was counted."""
        self.units = self.waited = 0.0

    def delay(self, units: float) -> float:
        """Let units pass; the seconds until the last one has, those in front included."""
        now = self._env.now
        begins = max(now, self._free)
        self._free = begins + units / self.rate
        self.units += units
        self.waited += begins - now
        return self._free - now

    def backlog(self) -> float:
        """Seconds of work that is in front of whoever comes now."""
        return max(0.0, self._free - self._env.now)

    def utilisation(self, seconds: float) -> float:
        """Share of the rate that was asked for in a window; above 1 where more is asked for than can pass."""
        return self.units / (self.rate * seconds)


class Places:
    """Places at workers: whoever has waited longest gets the next one that is free."""

    def __init__(self, env: simpy.Environment, workers: int, each: int) -> None:
        self._env, self.count = env, workers * each
        self._free = deque(worker for _ in range(each) for worker in range(workers))
        self._queue: deque[simpy.Event] = deque()
        self.clear()
        self._since = env.now

    def clear(self) -> None:
        """Forget what was counted."""
        self._since = self._env.now
        self.area = 0.0

    @property
    def busy(self) -> int:
        """Places with a job."""
        return self.count - len(self._free)

    @property
    def waiting(self) -> int:
        """Jobs without a place."""
        return len(self._queue)

    def enter(self) -> simpy.Event:
        """An event whose value is the worker."""
        asked = self._env.event()
        if self._free:
            self._count()
            asked.succeed(self._free.popleft())
        else:
            self._queue.append(asked)
        return asked

    def leave(self, worker: int) -> None:
        """The place is free for the next one."""
        if self._queue:
            self._queue.popleft().succeed(worker)
            return
        self._count()
        self._free.append(worker)

    def utilisation(self, seconds: float) -> float:
        """Share of the places that had a job in a window that ends now."""
        self._count()
        return self.area / (self.count * seconds)

    def _count(self) -> None:
        self.area += (self._env.now - self._since) * self.busy
        self._since = self._env.now
