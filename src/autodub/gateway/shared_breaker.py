"""A circuit breaker that many processes share: what ``Breaker`` does, decided in one memory for all."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from autodub.gateway.breaker import Breaker, Leave, refusal, refusing, silent
from autodub.gateway.lanes import Turn
from autodub.gateway.membership import Apart, Membership, micros
from autodub.infra.redis_limits import Question
from autodub.model.errors import AutodubError, EngineError, NoCredit, Refused

_GLANCE = 0.1  # seconds between looks at a request to stop
_SAFETY = 1.0  # seconds after which somebody who waits asks again, although nothing was told
_KINDS: dict[str, type[NoCredit | Refused]] = {"no_credit": NoCredit, "refused": Refused}


@dataclass(frozen=True, slots=True)
class _Leave(Leave):
    """A leave that the memory gave."""

    permit: str = ""
    """What it knows the request by; empty where it does not count it."""


class SharedBreaker:
    """A breaker over a memory. Without it, this process goes by what it has seen itself.

    A call that was let in and answered asks nothing more here: its gate has brought word of the circuit, and
    takes word of the answer.
    """

    def __init__(
        self,
        membership: Membership,
        passed: Callable[[str], str],
        *,
        threshold: int = 3,
        cooldown: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``passed``: what a thread has just heard of an account's circuit at its gate."""
        self._membership, self._passed = membership, passed
        self._threshold, self._cooldown = threshold, cooldown
        self._own = Breaker(threshold=threshold, cooldown=cooldown, clock=clock)
        self._changed = threading.Condition()
        self._changes: dict[str, int] = {}
        self._permits: dict[str, str] = {}
        membership.holders.append(self)

    def guard(
        self,
        account: str,
        *,
        job: Turn | None = None,
        check: Callable[[], None] = lambda: None,
        is_trial: bool = False,
    ) -> Leave:
        """Leave to send one request: as ``Breaker.guard``."""
        if self._passed(account) == "good":
            return Leave(account)
        name = "" if job is None else job.job
        while True:
            with self._changed:
                seen = self._changes.setdefault(account, 0)
            try:
                found = self._ask_leave(account, name, is_trial=is_trial)
            except Apart:
                return self._own.guard(account, job=job, check=check, is_trial=is_trial)
            if isinstance(found, Leave):
                return found
            self._wait(account, seen, check)

    def _ask_leave(self, account: str, job: str, *, is_trial: bool) -> Leave | None:
        """Leave, None when somebody's answer is to be waited for; raises what the account refuses with."""
        with self._changed:
            permit = self._membership.name(self._membership.number())
            self._permits[permit] = account
        leave = None
        try:
            answer, *rest = self._membership.ask(
                "guard", account, permit, job, int(is_trial), micros(self._cooldown)
            )
            if answer == "shut":
                kind, reason, hint, engine = rest
                known = _KINDS[kind](reason, hint=hint, engine=engine) if kind else None
                raise refusing(account, reason, known)
            if answer in ("trial", "probe"):
                is_probe = answer == "probe"
                leave = _Leave(account, is_probe, not is_probe, not is_probe and rest[0] > 0, permit)
            elif answer == "go":
                return Leave(account)
        finally:
            if leave is None:
                with self._changed:
                    del self._permits[permit]
        return leave

    def _wait(self, account: str, seen: int, check: Callable[[], None]) -> None:
        """Wait until something is told of an account."""
        until = time.monotonic() + _SAFETY
        while time.monotonic() < until and self._membership.outage is None:
            check()
            with self._changed:
                if self._changes[account] != seen or self._changed.wait_for(
                    lambda: self._changes[account] != seen, _GLANCE
                ):
                    return

    def told(self, leave: Leave, error: BaseException | None) -> bool:
        """Learn from one request that was let through; True when that has opened the circuit."""
        permit = leave.permit if isinstance(leave, _Leave) else ""
        with self._changed:
            self._permits.pop(permit, None)
        # What this process sees itself it knows without the memory, too.
        opened = self._own.told(Leave(leave.account) if permit else leave, error)
        verdict, facts = "", ("", "", "", "")
        if refusal(error) or (leave.is_probe and silent(error)):
            assert isinstance(error, AutodubError)
            verdict, facts = "shut", _facts(error)
        elif (permit and error is None) or (isinstance(error, EngineError) and not silent(error)):
            verdict = "good"
        if not verdict and not permit:
            return False
        try:
            return bool(self._membership.ask("told", leave.account, permit, verdict, *facts)[0])
        except Apart:
            return opened

    def settle(self, account: str, error: BaseException | None) -> bool:
        """Learn how a call ended after all its retries; True when that has opened the circuit."""
        opened = self._own.settle(account, error)
        if not silent(error):
            return False  # an answer was told of by its gate
        assert isinstance(error, AutodubError)
        try:
            return bool(self._membership.ask("failed", account, self._threshold, error.message)[0])
        except Apart:
            return opened

    def prove(self, account: str) -> None:
        """The account has answered in some other way: whoever waits for that may go."""
        self._own.prove(account)
        try:
            self._membership.ask("prove", account)
        except Apart:
            return

    def is_proven(self, account: str) -> bool:
        """Whether the account has answered since it last refused."""
        try:
            return bool(self._membership.ask("condition", account)[0] == "good")
        except Apart:
            return self._own.is_proven(account)

    # What the membership asks for.

    def heard(self, told: Sequence[str]) -> None:
        """Something was told to all, or to this process."""
        if told[0] in ("circuit", "listening"):
            with self._changed:
                for account in told[1:] or list(self._changes):
                    self._changes[account] = self._changes.get(account, 0) + 1
                self._changed.notify_all()

    def holds(self, *, restores: bool) -> Sequence[Question]:  # noqa: ARG002 - what was lost is asked for anew
        """The requests under way that others wait for, by account."""
        with self._changed:
            last = self._membership.last
            mine: dict[str, list[str]] = {account: [] for account in self._changes}
            for permit, account in self._permits.items():
                mine.setdefault(account, []).append(permit)
        return [
            ("permits", self._membership.id, account, last, *permits) for account, permits in mine.items()
        ]  # fmt: skip


def _facts(error: AutodubError) -> tuple[str, str, str, str]:
    """Kind, reason, hint and engine of what opened a circuit."""
    if isinstance(error, (NoCredit, Refused)):
        kind = "no_credit" if isinstance(error, NoCredit) else "refused"
        return kind, error.message, error.hint, error.engine
    return "", error.message, "", ""
