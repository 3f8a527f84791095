"""This process among those that share limits: it renews itself, says what it holds, knows if it is alone.

What a process holds is as good as the process: killed, it is given up after ``lease`` seconds, with all it
held. A memory that was emptied is told again what is under way. While the memory does not answer, the process
is *apart*: it keeps to its share of each limit, until a thread of its own finds the memory there again.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from autodub.infra.redis_limits import Memory, Question, Reply
from autodub.model.errors import Unavailable

log = logging.getLogger("autodub.limits")
LEASE = 15.0
"""Seconds for which a silent process is believed in."""
_RETRY = 0.5
"""Seconds between two looks for a memory that is away; well below the three that a new one waits for all."""


class Apart(Exception):
    """The memory went away meanwhile, or is there again: what was begun one way is begun anew the other."""


class Holder(Protocol):
    """Who holds something in the memory in the name of the process."""

    def holds(self, *, restores: bool) -> Sequence[Question]:
        """Everything, as questions that say so. ``restores``: the memory may have lost it."""
        ...

    def heard(self, told: Sequence[str]) -> None:
        """Something was told to all, or to this process."""
        ...


@dataclass(slots=True, eq=False)
class Outage:
    """A time without the memory."""

    reason: str
    members: int
    """Processes there were when last seen; 0: none ever were, and how many there are is not known."""
    over: threading.Event = field(default_factory=threading.Event)

    def share(self, lanes: int) -> int:
        """What of a limit this process may use: at least 1, and no more where it does not know the others."""
        return max(1, lanes // self.members) if self.members else 1


class Membership:
    """One process's membership. Safe for many threads; its own begin when something is first asked."""

    def __init__(self, memory: Memory, *, lease: float = LEASE) -> None:
        self._memory, self._lease = memory, lease
        self.id = secrets.token_hex(8)
        self.holders: list[Holder] = []
        self._lock = threading.Lock()
        self._joining = threading.Lock()
        self._number = self._joins = self._known = 0
        self._outage: Outage | None = None
        self._over = threading.Event()
        self._wake = threading.Event()
        self._threads: list[threading.Thread] = []

    @property
    def outage(self) -> Outage | None:
        """The time without the memory that this is; None while it answers."""
        return self._outage

    @property
    def members(self) -> int:
        """Processes that share, as last seen; 0 before that."""
        return self._known

    def number(self) -> int:
        """A number that this process has not used yet."""
        with self._lock:
            self._number += 1
            return self._number

    @property
    def last(self) -> int:
        """The last number given out."""
        return self._number

    def name(self, number: int) -> str:
        """What others know something of this process by."""
        return f"{self.id}:{number}"

    def ask(self, verb: str, *what: str | int) -> Reply:
        """The memory's answer. Raises Apart when it does not answer, also when that is known."""
        self._begin()
        if self._outage is not None:
            raise Apart
        try:
            while True:
                joins = self._joins
                found = self._memory.ask(verb, self.id, *what)
                if not found or found[0] != "unknown":
                    break
                self._join(joins)
        except Unavailable as problem:
            self._lose(problem)
            raise Apart from None
        return found

    def close(self) -> None:
        """Be no member any more."""
        self._over.set()
        self._wake.set()
        for thread in self._threads[:1]:  # which might say otherwise afterwards
            thread.join(self._lease)
        if self._threads and self._outage is None:
            try:
                self._memory.ask("leave", self.id)
            except Unavailable:  # it is given up when its lease has run out
                log.info("the shared limits could not be told that this process leaves")
        for thread in self._threads:
            thread.join(self._lease)
        self._memory.close()

    def _begin(self) -> None:
        if self._threads:
            return
        with self._lock:
            if not self._threads and not self._over.is_set():
                self._threads = [
                    threading.Thread(target=work, name=name, daemon=True)
                    for name, work in (("limits-lease", self._renew), ("limits-ear", self._listen))
                ]
                for thread in self._threads:
                    thread.start()

    def _join(self, joins: int) -> None:
        """Be a member, and say everything that this process holds. Raises Unavailable.

        ``joins``: how often it had joined when that proved to be due; somebody else may have done it since.
        """
        with self._joining:
            if self._joins == joins:
                self._known = self._memory.ask("join", self.id, self._micros, self._known)[0]
                self._say(restores=True)
                self._memory.ask("ready", self.id)
                self._joins += 1

    def _say(self, *, restores: bool) -> None:
        questions = [one for holder in self.holders for one in holder.holds(restores=restores)]
        if questions:
            self._memory.ask_all(questions)

    @property
    def _micros(self) -> int:
        return int(self._lease * 1e6)

    def _renew(self) -> None:
        while not self._over.is_set():
            self._wake.wait(self._lease / 4 if self._outage is None else _RETRY)
            self._wake.clear()
            if self._over.is_set():
                return
            try:
                if self._outage is None:
                    self.beat()
                else:
                    self._come_back()
            except Unavailable as problem:
                self._lose(problem)
            except Exception:  # without this thread everything would be taken from us
                log.exception("the lease of the shared limits could not be renewed")

    def beat(self) -> None:
        """Stay a member, and have the memory know what this process holds. Raises Unavailable."""
        joins = self._joins
        found = self._memory.ask("beat", self.id, self._micros)
        if found[0] == "unknown":
            self._join(joins)
        else:
            self._known = found[0]
            self._say(restores=False)

    def _come_back(self) -> None:
        self._join(self._joins)
        with self._lock:
            outage, self._outage = self._outage, None
        assert outage is not None
        outage.over.set()
        self._say(restores=True)  # what began apart since we said it
        log.warning("Redis answers again: limits of providers' accounts are shared with the others")

    def _lose(self, problem: Unavailable) -> None:
        with self._lock:
            if self._outage is not None:
                return
            self._outage = outage = Outage(problem.message, self._known)
        self._wake.set()
        if not self._over.is_set():
            share = f"1/{outage.members}" if outage.members > 1 else "one call at a time"
            share = "the whole" if outage.members == 1 else share
            log.warning("%s This process keeps to a share of each: %s.", problem.message, share)

    def _listen(self) -> None:
        while not self._over.is_set():
            if self._outage is not None:
                self._over.wait(_RETRY)
                continue
            try:
                self._memory.listen(self.id, self._heard, self._is_deaf)
            except Unavailable as problem:
                self._lose(problem)
            except Exception:  # who waits looks now and then all the same
                log.exception("what others tell of the shared limits could not be heard")
                self._over.wait(_RETRY)

    def _is_deaf(self) -> bool:
        """Whether nothing is to be heard: a connection from before an outage may be dead without a word."""
        return self._over.is_set() or self._outage is not None

    def _heard(self, told: Sequence[str]) -> None:
        if told[0] in ("join", "listening"):  # the memory was emptied; somebody may have joined unheard
            self._wake.set()
        elif told[0] == "members":
            self._known = max(self._known, int(told[1]))
        for holder in self.holders:
            holder.heard(told)


def micros(seconds: float) -> int:
    """As the memory counts."""
    return int(max(0.0, seconds) * 1e6)
