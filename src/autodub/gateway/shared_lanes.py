"""Gates that many processes share: what ``Lanes`` does, decided in one memory for all of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from autodub.gateway.lanes import NOBODY, Change, Lanes, Ticket, Turn
from autodub.gateway.membership import Apart, Membership, Outage, micros
from autodub.infra.redis_limits import Question, Reply

_GLANCE = 0.1  # seconds between looks at a request to stop
_SAFETY = 1.0  # seconds after which somebody who waits looks, although nothing was told
_SLICE = 1.0  # seconds of a pause after which it is seen whether the memory is there again


@dataclass(slots=True, eq=False)
class _Ticket(Ticket):
    """A call's place, as others know it."""

    name: str = ""
    condition: str = ""
    """Of the circuit, when the call was let in; used once."""
    since: str = ""
    """When it came, by the memory's clock."""
    is_in: threading.Event = field(default_factory=threading.Event)
    is_over: bool = False
    local: tuple[Lanes, Ticket] | None = None
    """Its place in this process's share, in an outage."""

    @property
    def party(self) -> str:
        return f"{self.job.who}\t{self.job.job}"


@dataclass(slots=True)
class _Seen:
    """What was last heard of a pool."""

    width: int
    ceiling: int
    told: int
    due: float = float("inf")
    """When somebody should look who may begin."""


class SharedLanes:
    """Gates over a memory. Without it, this process's share of them.

    One round trip lets a call in where there is room; another one ends it and says what was learnt. Whoever
    has to wait is told by the memory, which lets the next one in itself: users take turns, then their jobs,
    then whoever came first.
    """

    def __init__(self, membership: Membership, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._membership, self._clock = membership, clock
        self._lock = threading.RLock()
        self._tickets: dict[str, _Ticket] = {}
        self._seen: dict[str, _Seen] = {}
        self._alone: tuple[Outage, Lanes] | None = None
        self._let_in = threading.local()
        membership.holders.append(self)

    @contextmanager
    def enter(
        self, pool: str, lanes: int, check: Callable[[], None], *, job: Turn = NOBODY,
        wait: Callable[[float], None] = time.sleep,
    ) -> Iterator[Ticket]:  # fmt: skip
        """Hold a lane for a block; ``check`` is called while waiting and may raise, and so may ``wait``."""
        ticket = _Ticket(pool, job, 0)
        while True:
            outage = self._membership.outage
            with suppress(Apart):
                if outage is None:
                    self._take(ticket, lanes, check)
                else:
                    self._take_alone(outage, ticket, lanes, check, wait)
                break
        try:
            yield ticket
        finally:
            self._end(ticket, "")

    def passed(self, account: str) -> str:
        """The state of an account's circuit when this thread was let in just now; empty: not known."""
        ticket: _Ticket | None = getattr(self._let_in, "ticket", None)
        self._let_in.ticket = None
        return ticket.condition if ticket is not None and _account(ticket.pool) == account else ""

    def _take(self, ticket: _Ticket, lanes: int, check: Callable[[], None]) -> None:
        """Be let in by the memory. Raises Apart when it goes away meanwhile."""
        pool = ticket.pool
        with self._lock:
            seen = self._seen.setdefault(pool, _Seen(max(1, lanes), max(1, lanes), 0))
            self._enlist(ticket)
        try:
            found = self._membership.ask(
                "acquire", pool, _account(pool), ticket.name, ticket.party, ticket.job.job, lanes
            )
            self._learn(pool, found)
            if found[0] == "granted":
                ticket.epoch, ticket.condition = found[1], found[5]
                ticket.is_in.set()
                self._let_in.ticket = ticket
                return
            ticket.since = found[1]
            self._due(pool, found[5])
            while not ticket.is_in.wait(max(0.0, min(_GLANCE, seen.due - self._clock()))):
                check()
                if self._membership.outage is not None:
                    raise Apart  # noqa: TRY301 - as if it had been asked
                if self._is_due(pool):
                    self._look(pool)
        except BaseException as problem:  # also Ctrl-C: who waits no more must not stand in the queue
            with self._lock:
                self._tickets.pop(ticket.name, None)
            ticket.is_in.clear()
            if not isinstance(problem, Apart):
                self._cancel(ticket.pool, ticket.name, ticket.party)
            raise

    def _take_alone(
        self, outage: Outage, ticket: _Ticket, lanes: int, check: Callable[[], None],
        wait: Callable[[float], None],
    ) -> None:  # fmt: skip
        """Be let in by this process's share. Raises Apart when the memory is there again."""
        own, share = self._own(outage), self._share(outage, ticket.pool, lanes)

        def look() -> None:
            check()
            if outage.over.is_set():
                raise Apart

        place = own.take(
            ticket.pool, share, look, job=ticket.job, wait=lambda pause: wait(min(_SLICE, pause))
        )
        with self._lock:
            ticket.local, ticket.apart = (own, place), outage.reason
            self._enlist(ticket)
            ticket.is_in.set()

    def _enlist(self, ticket: _Ticket) -> None:
        """Know a ticket, by a new name; under the lock, so that a list of all up to a number has all."""
        ticket.order = self._membership.number()
        ticket.name, ticket.since = self._membership.name(ticket.order), ""
        self._tickets[ticket.name] = ticket

    def _own(self, outage: Outage) -> Lanes:
        """This process's share, in which what is under way already has its place."""
        with self._lock:
            if self._alone is None or self._alone[0] is not outage:
                own = Lanes(clock=self._clock)
                for ticket in self._tickets.values():
                    if ticket.is_in.is_set():
                        share = self._share(outage, ticket.pool, 1)
                        ticket.local = (own, own.hold(ticket.pool, share, job=ticket.job))
                self._alone = (outage, own)
            return self._alone[1]

    def _share(self, outage: Outage, pool: str, lanes: int) -> int:
        seen = self._seen.get(pool)
        return outage.share(lanes if seen is None else seen.width)

    def refused(self, ticket: Ticket, retry_after: float | None = None) -> Change | None:
        """The account was busy: the call is over, and fewer go out, none for ``retry_after`` seconds."""
        return self._end(ticket, "refused", retry_after or 0.0)

    def answered(self, ticket: Ticket) -> Change | None:
        """The account answered: the call is over, and after a while one more goes out, up to the ceiling."""
        return self._end(ticket, "answered")

    def allow(self, ticket: Ticket, lanes: int) -> Change | None:
        """The account said how many calls it serves at once."""
        assert isinstance(ticket, _Ticket)
        seen = self._seen.get(ticket.pool)
        outage = self._membership.outage
        if ticket.local is not None and outage is not None:
            own, place = ticket.local
            return own.allow(place, outage.share(lanes))
        if seen is not None and seen.told and seen.ceiling == lanes:
            return None
        try:
            found = self._membership.ask("allow", ticket.pool, lanes)
        except Apart:
            return None
        self._learn(ticket.pool, found)
        return Change(ticket.pool, found[1], found[2]) if found[0] else None

    def width(self, pool: str) -> int | None:
        """Lanes open at the moment, as last heard; None when the pool was never asked."""
        seen = self._seen.get(pool)
        return None if seen is None else seen.width

    def ceiling(self, pool: str) -> int | None:
        """Lanes open at most, as last heard; None when the pool was never asked."""
        seen = self._seen.get(pool)
        return None if seen is None else seen.ceiling

    def _end(self, ticket: Ticket, outcome: str, after: float = 0.0) -> Change | None:
        """End a call and learn from it; only the first time."""
        assert isinstance(ticket, _Ticket)
        with self._lock:
            if ticket.is_over:
                return None
            ticket.is_over = True
            self._tickets.pop(ticket.name, None)
            self._let_in.ticket = None
            local = ticket.local
        change = None
        if local is not None:
            own, place = local
            if outcome:
                change = own.answered(place) if outcome == "answered" else own.refused(place, after)
            own.free(place)
        try:
            found = self._membership.ask(
                "release", ticket.pool, _account(ticket.pool), ticket.name, outcome, micros(after)
            )
        except Apart:  # the memory hears that it is over when it is there again
            return change
        self._learn(ticket.pool, found)
        return Change(ticket.pool, found[1], found[2], after) if found[0] else None

    def _cancel(self, pool: str, name: str, party: str) -> None:
        with suppress(Apart):
            self._membership.ask("cancel", pool, name, party)

    def _learn(self, pool: str, found: Reply) -> None:
        at = 2 if isinstance(found[0], str) else 1
        with self._lock:
            seen = self._seen.setdefault(pool, _Seen(1, 1, 0))
            seen.width, seen.ceiling, seen.told = found[at], found[at + 1], found[at + 2]

    def _due(self, pool: str, wait: int) -> None:
        """Have somebody look in so many microseconds; below 0: when there is nothing else to go by."""
        with self._lock:
            seen = self._seen[pool]
            seen.due = min(seen.due, self._clock() + (wait / 1e6 if wait >= 0 else _SAFETY))

    def _is_due(self, pool: str) -> bool:
        """Whether this thread should look."""
        with self._lock:
            seen = self._seen[pool]
            if self._clock() < seen.due:
                return False
            seen.due = self._clock() + _SAFETY
            return True

    def _look(self, pool: str) -> None:
        """Have those let in who can be, and see which of ours are: whoever was told may not have heard it."""
        with self._lock:
            waiting = [
                one.name
                for one in self._tickets.values()
                if one.pool == pool and one.since and not one.is_in.is_set()
            ]
        found = self._membership.ask("look", pool, *waiting)
        self._learn(pool, found)
        self._due(pool, found[0])
        for name in found[5:]:
            self._granted(pool, name, found[4])

    def _granted(self, pool: str, name: str, epoch: int) -> None:
        with self._lock:
            ticket = self._tickets.get(name)
            if ticket is not None and not ticket.is_in.is_set():
                ticket.epoch = epoch
                ticket.is_in.set()
                return
        if ticket is None:  # nobody waits for it any more
            self._cancel(pool, name, "")

    # What the membership asks for.

    def heard(self, told: Sequence[str]) -> None:
        """Something was told to all, or to this process."""
        if told[0] == "granted":
            self._granted(told[1], told[2], int(told[3]))
        elif told[0] == "due" and told[1] in self._seen:
            self._due(told[1], int(told[2]))
        elif told[0] in ("settled", "listening"):
            for pool in list(self._seen):
                self._due(pool, 0)

    def holds(self, *, restores: bool) -> Sequence[Question]:
        """Every call under way and everyone who waits, by pool."""
        with self._lock:
            last = self._membership.last
            rows: dict[str, list[str | int]] = {pool: [] for pool in self._seen}
            for one in self._tickets.values():
                rows[one.pool] += (one.name, one.party, "0" if one.is_in.is_set() else one.since)
            return [
                ("sync", self._membership.id, str(int(restores)), pool, last, seen.width, seen.ceiling,
                 seen.told, *rows[pool])
                for pool, seen in self._seen.items()
            ]  # fmt: skip


def _account(pool: str) -> str:
    return pool.rpartition("/")[0]
