"""How many calls an account, or an engine of this machine, serves at once, and how fast."""

from __future__ import annotations

import secrets
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

_GLANCE = 0.1  # seconds between looks at a request to stop
_WIDEN_AFTER = 10  # answers in a row before one lane taken away is given back
_WIDEN_SLOWEST = 160  # the same, after giving it back has gone wrong several times
_SHARE = 0.7  # of the lanes that stay after one burst of refusals
_SPACED = 4  # starts that must be known before a distance between them can be learnt
_WINDOW = 60.0  # seconds that such starts may lie back
_WIDER, _CLOSER = 1.25, 0.97  # what a refusal and an answer do to the distance
_CLOSEST, _FARTHEST = 0.005, 10.0  # seconds between two starts


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Turn:
    """Whose call it is: users take turns, and of each user the jobs. The same object all through a job."""

    user: str = ""
    """Empty where nobody is known: then a job is its own user."""
    job: str = field(default_factory=lambda: secrets.token_hex(8))
    """A name that no other job has, here or on another machine."""

    @property
    def who(self) -> str:
        """What stands for the user."""
        return self.user or self.job


NOBODY = Turn()
"""Where there is no job."""


@dataclass(slots=True, eq=False)
class Ticket:
    """One call's place in a gate."""

    pool: str
    job: Turn
    order: int
    epoch: int = 0
    """How often the gate had been narrowed when the call began: those of one burst share it."""
    apart: str = ""
    """Why the gate is this process's share of what many should share; empty where it is not."""


@dataclass(slots=True)
class _Pool:
    ceiling: int
    width: int
    is_told: bool = False
    busy: int = 0
    peak: int = 0
    epoch: int = 0
    streak: int = 0
    patience: int = _WIDEN_AFTER
    is_widened: bool = False
    resumes: float = float("-inf")
    interval: float = 0.0
    starts: deque[float] = field(default_factory=lambda: deque(maxlen=20))
    users: Counter[str] = field(default_factory=Counter)
    jobs: Counter[str] = field(default_factory=Counter)
    queue: list[Ticket] = field(default_factory=list)

    def first(self) -> Ticket:
        """Whose turn it is: of the user, then the job with the fewest calls under way, who waited longest."""
        return min(
            self.queue, key=lambda one: (self.users[one.job.who], self.jobs[one.job.job], one.order)
        )  # fmt: skip

    def count(self, turn: Turn, change: int) -> None:
        """A call of a job begins, or ends."""
        self.busy += change
        self.peak = max(self.peak, self.busy)
        for counted, name in ((self.users, turn.who), (self.jobs, turn.job)):
            counted[name] += change
            if not counted[name]:
                del counted[name]

    def pause(self, now: float) -> float:
        """Seconds before another call may begin."""
        last = self.starts[-1] if self.starts else float("-inf")
        return max(self.resumes, last + self.interval) - now


@dataclass(frozen=True, slots=True)
class Change:
    """What a gate has learnt."""

    pool: str
    lanes: int
    ceiling: int
    pause: float = 0.0
    """Seconds for which nobody begins."""


class Lanes:
    """A gate per pool of calls. It learns a lower limit from refusals and creeps back as calls are answered.

    A pool starts as wide as its engine says, and may be told the account's true limit (``allow``), which
    it never exceeds. Refusals of calls that were under way together count once. When the account says for
    how long to wait, nobody begins meanwhile, and calls keep a distance that is learnt. Users take turns,
    and so do their jobs. Share one between the jobs of a process: the limit belongs to the machine or the
    account.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._pools: dict[str, _Pool] = {}
        self._order = 0

    @contextmanager
    def enter(
        self,
        pool: str,
        lanes: int,
        check: Callable[[], None],
        *,
        job: Turn = NOBODY,
        wait: Callable[[float], None] = time.sleep,
    ) -> Iterator[Ticket]:
        """Hold a lane for a block; ``check`` is called while waiting and may raise, and so may ``wait``."""
        ticket = self.take(pool, lanes, check, job=job, wait=wait)
        try:
            yield ticket
        finally:
            self.free(ticket)

    def take(
        self,
        pool: str,
        lanes: int,
        check: Callable[[], None],
        *,
        job: Turn = NOBODY,
        wait: Callable[[float], None] = time.sleep,
    ) -> Ticket:
        """A lane, to be freed; as ``enter``."""
        state, ticket = self._come(pool, lanes, job)
        with self._changed:
            state.queue.append(ticket)
        try:
            while (pause := self._try(state, ticket)) is not None:
                check()
                if pause > 0:
                    wait(pause)
        except BaseException:  # also Ctrl-C: who waits no more must not stand in the queue
            with self._changed:
                state.queue.remove(ticket)
                self._changed.notify_all()
            raise
        return ticket

    def hold(self, pool: str, lanes: int, *, job: Turn) -> Ticket:
        """A lane for a call that is under way already, whether or not there is room; to be freed."""
        state, ticket = self._come(pool, lanes, job)
        with self._changed:
            state.count(job, 1)
            ticket.epoch = state.epoch
        return ticket

    def free(self, ticket: Ticket) -> None:
        """The call is over."""
        with self._changed:
            self._pools[ticket.pool].count(ticket.job, -1)
            self._changed.notify_all()

    def _come(self, pool: str, lanes: int, job: Turn) -> tuple[_Pool, Ticket]:
        with self._changed:
            state = self._pools.setdefault(pool, _Pool(max(1, lanes), max(1, lanes)))
            if not state.is_told and lanes > state.ceiling:
                self._raise(state, lanes)
            self._order += 1
            return state, Ticket(pool, job, self._order)

    def _try(self, state: _Pool, ticket: Ticket) -> float | None:
        """None when the call may begin now, otherwise the seconds to wait (0: look again)."""
        with self._changed:
            if state.busy >= state.width or state.first() is not ticket:
                self._changed.wait(_GLANCE)
                if state.busy >= state.width or state.first() is not ticket:
                    return 0.0
            now = self._clock()
            pause = state.pause(now)
            if pause > 0:
                return pause
            state.queue.remove(ticket)
            state.count(ticket.job, 1)
            state.starts.append(now)
            ticket.epoch = state.epoch
            self._changed.notify_all()
            return None

    def refused(self, ticket: Ticket, retry_after: float | None = None) -> Change | None:
        """The account was busy: let fewer calls through, and none for ``retry_after`` seconds.

        None when nothing was learnt that is not known already.
        """
        with self._changed:
            state = self._pools[ticket.pool]
            now, pause = self._clock(), max(0.0, retry_after or 0.0)
            is_later = now + pause > state.resumes and pause > 0
            if is_later:
                state.resumes = now + pause
            state.streak = 0
            if ticket.epoch < state.epoch:
                return None  # one of a burst that was heard of already
            state.epoch += 1
            before = state.width
            state.width = max(1, min(state.peak, before - 1) if state.peak < before else int(before * _SHARE))
            state.patience = min(_WIDEN_SLOWEST, state.patience * 2) if state.is_widened else _WIDEN_AFTER
            state.is_widened, state.peak = False, state.busy
            if pause:
                state.interval = self._farther(state, now)
            if state.width == before and not is_later:
                return None
            return Change(ticket.pool, state.width, state.ceiling, pause)

    @staticmethod
    def _farther(state: _Pool, now: float) -> float:
        """Seconds between two starts after being told that they come too fast."""
        known = [start for start in state.starts if start > now - _WINDOW]
        if len(known) < _SPACED:
            return state.interval
        mean = (known[-1] - known[0]) / (len(known) - 1)
        return min(_FARTHEST, max(_CLOSEST, _WIDER * max(mean, state.interval)))

    def answered(self, ticket: Ticket) -> Change | None:
        """The account answered: after a while, let one more call through, up to the ceiling."""
        with self._changed:
            state = self._pools[ticket.pool]
            state.interval *= _CLOSER
            if state.interval < _CLOSEST:
                state.interval = 0.0
            state.streak += 1
            if state.width >= state.ceiling or state.streak < state.patience:
                return None
            state.width, state.streak, state.is_widened = state.width + 1, 0, True
            self._changed.notify_all()
            return Change(ticket.pool, state.width, state.ceiling)

    def allow(self, ticket: Ticket, lanes: int) -> Change | None:
        """The account said how many calls it serves at once."""
        with self._changed:
            state = self._pools[ticket.pool]
            state.is_told = True
            before = state.width
            self._raise(state, max(1, lanes))
            self._changed.notify_all()
            changed = state.width != before
            return Change(ticket.pool, state.width, state.ceiling) if changed else None

    @staticmethod
    def _raise(state: _Pool, ceiling: int) -> None:
        is_full = state.width == state.ceiling  # nothing was learnt that speaks against the new one
        state.ceiling = ceiling
        state.width = ceiling if is_full else min(state.width, ceiling)

    def width(self, pool: str) -> int | None:
        """Lanes open at the moment; None when the pool was never asked."""
        with self._changed:
            state = self._pools.get(pool)
            return None if state is None else state.width

    def ceiling(self, pool: str) -> int | None:
        """Lanes open at most; None when the pool was never asked."""
        with self._changed:
            state = self._pools.get(pool)
            return None if state is None else state.ceiling
