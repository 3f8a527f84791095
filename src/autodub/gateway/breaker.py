"""Not asking an account that refuses, or an engine that fails every time."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field

from autodub.model.errors import AutodubError, Busy, CircuitOpen, EngineError, NoCredit, Refused, Unreachable

_GLANCE = 0.1  # seconds between looks at a request to stop
_TRIAL = 2  # calls under way at once before an account has answered anything


@dataclass(slots=True)
class _State:
    failures: int = 0
    opened: float | None = None
    probing: bool = False
    proven: bool = False
    trying: int = 0
    reason: str = ""
    refusal: NoCredit | Refused | None = None
    """What the account said, where it was a clear no: everybody is told the same."""
    jobs: weakref.WeakSet[object] = field(default_factory=weakref.WeakSet)
    """Jobs that know this state: one that comes later may look for itself, once."""


@dataclass(frozen=True, slots=True)
class Leave:
    """Permission for one request; handed back with what came of it."""

    account: str
    is_probe: bool = False
    is_trial: bool = False
    is_second: bool = False
    """True when another request is out already, and nobody knows yet whether the account is any good."""


def refusal(error: BaseException | None) -> bool:
    """Whether an error says that the whole account is of no use."""
    return isinstance(error, NoCredit) or (isinstance(error, Refused) and error.whole_account)


def silent(error: BaseException | None) -> bool:
    """Whether an error says nothing about the key: no answer, or one that anybody gets."""
    return isinstance(error, (Unreachable, Busy))


class Breaker:
    """Opens at once when an account refuses, and after ``threshold`` calls in a row without an answer.

    Until an account has answered for the first time, two requests are under way to it at most, so that
    a wrong key is noticed before everybody has used it. When open, after ``cooldown`` seconds one request
    is let through, and one of each job that came since (somebody may have paid, or mended the key); its
    outcome closes or reopens the circuit. Safe for many threads; shared between jobs they learn from each
    other.
    """

    def __init__(
        self, *, threshold: int = 3, cooldown: float = 60.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._threshold = threshold
        self._cooldown = cooldown
        self._clock = clock
        self._changed = threading.Condition()
        self._states: dict[str, _State] = {}

    def guard(
        self,
        account: str,
        *,
        job: object | None = None,
        check: Callable[[], None] = lambda: None,
        is_trial: bool = False,
    ) -> Leave:
        """Leave to send one request; waits for the first answer of an account (``is_trial``).

        ``check`` is called while waiting and may raise. When the account is not asked at the moment, raises
        what it refused with (NoCredit, Refused), or CircuitOpen where it only failed.
        """
        while True:
            with self._changed:
                state = self._states.setdefault(account, _State())
                if state.opened is None:
                    if job is not None:
                        state.jobs.add(job)
                    if not is_trial or state.proven or state.trying < _TRIAL:
                        is_second = is_trial and not state.proven and state.trying > 0
                        state.trying += is_trial
                        return Leave(account, is_trial=is_trial, is_second=is_second)
                else:
                    is_new = job is not None and job not in state.jobs
                    is_due = is_new or self._clock() - state.opened >= self._cooldown
                    if is_due and not state.probing:
                        state.probing = True
                        if job is not None:
                            state.jobs.add(job)
                        return Leave(account, is_probe=True)
                    # While somebody tries, his answer is waited for: the account may work again.
                    if not is_new and not state.probing:
                        raise refusing(account, state.reason, state.refusal)
                self._changed.wait(_GLANCE)
            check()

    def told(self, leave: Leave, error: BaseException | None) -> bool:
        """Learn from one request that was let through; True when that has opened the circuit.

        ``error`` is what it ended with, None for an answer.
        """
        with self._changed:
            state = self._states.setdefault(leave.account, _State())
            state.trying -= leave.is_trial
            state.probing = state.probing and not leave.is_probe
            was_open = state.opened is not None
            if refusal(error) or (leave.is_probe and silent(error)):
                assert isinstance(error, AutodubError)
                self._shut(state, error)
            elif error is None or (isinstance(error, EngineError) and not silent(error)):
                state.proven = True
                state.failures, state.opened, state.reason = 0, None, ""
            self._changed.notify_all()
            return state.opened is not None and not was_open

    def settle(self, account: str, error: BaseException | None) -> bool:
        """Learn how a call ended after all its retries; True when that has opened the circuit."""
        with self._changed:
            state = self._states.setdefault(account, _State())
            was_open = state.opened is not None
            if error is None:
                state.failures = 0
            elif silent(error):
                assert isinstance(error, AutodubError)
                state.failures += 1
                if state.failures >= self._threshold:
                    self._shut(state, error)
            self._changed.notify_all()
            return state.opened is not None and not was_open

    def prove(self, account: str) -> None:
        """The account has answered in some other way: whoever waits for that may go."""
        with self._changed:
            self._states.setdefault(account, _State()).proven = True
            self._changed.notify_all()

    def is_proven(self, account: str) -> bool:
        """Whether the account has answered since it last refused."""
        with self._changed:
            state = self._states.get(account)
            return state is not None and state.proven

    def _shut(self, state: _State, error: AutodubError) -> None:
        state.opened = self._clock()
        state.proven = False
        state.reason = error.message
        state.refusal = error if isinstance(error, (NoCredit, Refused)) else None


def refusing(account: str, reason: str, known: NoCredit | Refused | None) -> AutodubError:
    """What to tell who comes to a closed door: an error of its own, for each has its own traceback."""
    if known is not None:
        return type(known)(known.message, hint=known.hint, engine=known.engine)
    provider = account.partition(":")[0]
    return CircuitOpen(
        f"{provider} is not asked any more, because it kept failing: {reason}",
        hint="Choose another engine, or run the same command again later: finished work is kept.",
    )
