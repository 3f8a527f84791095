"""One attempt at a call: lane - breaker - deadline - verb, and what each learns from how it ended."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from autodub.engines.roles import Examined, Forgetful, Work
from autodub.gateway.accounts import Accounts
from autodub.gateway.attempt import Call, settled
from autodub.gateway.breaker import refusal
from autodub.gateway.cancel import Cancel
from autodub.gateway.deadline import Run, within
from autodub.gateway.lanes import Change, Ticket, Turn
from autodub.gateway.meter import Meter
from autodub.gateway.remote import Caller
from autodub.gateway.tenant import Tenant
from autodub.gateway.work import CallWork
from autodub.infra.storage import BlobStore
from autodub.model.calls import Forget
from autodub.model.errors import Busy, CircuitOpen, EngineCannot, EngineError, Unreachable
from autodub.model.job import Event, Listener

T = TypeVar("T")

_EXAMINATION = 20.0  # seconds


class Tell(Protocol):
    """Announces something about a call."""

    def __call__(self, call: Call, kind: str, message: str, **data: str | float | bool | None) -> None: ...


@dataclass(slots=True)
class Tries:
    """What the attempts at one call have in common."""

    limit: float
    """Seconds one attempt may take."""
    worked: float = 0.0
    """Seconds the attempts have taken so far."""
    has_lost: bool = False
    """Whether the last attempt found something rented to be gone."""
    has_mended: bool = False
    """Whether the call was asked again for that reason."""
    wasted: dict[str, float] = field(default_factory=dict)
    """What attempts that failed were metered at and nobody has counted yet: it is paid for all the same."""
    references: list[str] = field(default_factory=list)
    """The provider's ids of the requests."""


class Door:
    """Lets the attempts of one job out. Safe for many threads."""

    def __init__(
        self,
        blobs: BlobStore,
        *,
        data_dir: Path,
        logs: Path,
        turn: Turn,
        tenant: Tenant,
        meter: Meter,
        listener: Listener,
        tell: Tell,
        cancel: Cancel,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        graces: tuple[float, float],
        redact: Callable[[str], str],
        elsewhere: Caller,
    ) -> None:
        self._blobs = blobs
        self._data_dir, self._logs = data_dir, logs
        self._turn = turn
        self._sharing, self._is_apart = threading.Lock(), False
        self._tenant = tenant
        self._meter = meter
        self._listener = listener
        self._tell = tell
        self._cancel = cancel
        self._clock = clock
        self._sleep = sleep
        self._graces = graces
        self._redact = redact
        self._elsewhere = elsewhere
        self._landlords: dict[str, Any] = {}

    def ask(
        self,
        call: Call,
        accounts: Accounts,
        tries: Tries,
        finish: Callable[[object, CallWork, float], T],
    ) -> T:
        """Ask once; ``finish`` looks at the result, and what it raises is the attempt's failure."""
        self._cancel.check()
        tries.has_lost = False
        with accounts.lanes.enter(
            call.pool, call.info.lanes, self._cancel.check, job=self._turn, wait=self._sleep
        ) as ticket:
            self._share(ticket)
            leave = accounts.breaker.guard(
                call.place, job=self._turn, check=self._cancel.check, is_trial=bool(call.account)
            )
            failure: BaseException | None = None
            try:
                if leave.is_second and isinstance(call.engine, Examined):
                    self._examine(call, accounts)
                result = self._send(call, accounts, ticket, tries, finish)
            except BaseException as error:  # raised on; breaker and lanes are told of it first
                failure = error
                raise
            finally:
                if accounts.breaker.told(leave, failure):
                    self.blocked(call, failure)
                change = None
                if failure is None:
                    change = accounts.lanes.answered(ticket)
                elif isinstance(failure, Busy):
                    change = accounts.lanes.refused(ticket, failure.retry_after)
                self._gate(call, change, is_wider=failure is None)
        return result

    def _share(self, ticket: Ticket) -> None:
        """Say when limits that many should share are a share of them only, and when that is over."""
        with self._sharing:
            if bool(ticket.apart) == self._is_apart:
                return
            self._is_apart = bool(ticket.apart)
        if ticket.apart:
            message = f"Fewer calls go out at once ({ticket.apart})"
            self._listener(
                Event("degraded", message=message, data={"what": "limits", "reason": ticket.apart})
            )
        else:
            self._listener(
                Event("limits.shared", message="Limits of accounts are shared with other machines again.")
            )

    def look(self, call: Call, accounts: Accounts) -> None:
        """Have an account looked at before anything is asked of it. Raises what it is refused with."""
        if not isinstance(call.engine, Examined) or accounts.breaker.is_proven(call.place):
            return
        try:
            leave = accounts.breaker.guard(
                call.place, job=self._turn, check=self._cancel.check, is_trial=True
            )  # fmt: skip
        except CircuitOpen:
            return  # it only failed lately: the call that needs it sees for itself
        failure: BaseException | None = None
        try:
            failure = self._examine(call, accounts)
        except BaseException as error:  # raised on; the breaker is told of it first
            failure = error
            raise
        finally:
            if accounts.breaker.told(leave, failure):
                self.blocked(call, failure)

    def landlord(self, call: Call) -> None:
        """Remember whoever can look into an account, for the engines of it that cannot."""
        if isinstance(call.engine, Forgetful):
            self._landlords[call.place] = call.engine

    def blocked(self, call: Call, failure: BaseException | None) -> None:
        """Announce that an account is not asked any more."""
        reason = getattr(failure, "message", "")
        self._tell(
            call, "account.blocked", reason, code=getattr(failure, "code", ""), is_refusal=refusal(failure)
        )

    def _examine(self, call: Call, accounts: Accounts) -> EngineError | None:
        """Have the account looked at, so that many calls need not wait for the first answer to one.

        Raises what it is refused with. Another failure is for the call itself to meet; it is returned where
        it says nothing about the account.
        """
        work = CallWork(self._blobs, cancel=self._cancel, listener=self._listener, stage=call.stage)
        try:
            run = within(
                lambda _request, _work: call.engine.examine(),
                None,
                work,
                seconds=_EXAMINATION,
                check=self._cancel.check,
                clock=self._clock,
                grace=self._graces[1],
                engine=call.name,
            )
            settled(call, run, data_dir=self._data_dir, logs=self._logs, redact=self._redact)
        except EngineError as error:
            if refusal(error):
                raise
            if isinstance(error, (Unreachable, Busy)):
                return error
        except EngineCannot:
            pass  # it answered, if only to say that something else is wrong
        finally:
            self._meter.count(call.name, call.info.version, "examine", sent=1)
        accounts.breaker.prove(call.place)
        return None

    def _send(
        self,
        call: Call,
        accounts: Accounts,
        ticket: Ticket,
        tries: Tries,
        finish: Callable[[object, CallWork, float], T],
    ) -> T:
        work = CallWork(
            self._blobs,
            cancel=self._cancel,
            listener=self._listener,
            stage=call.stage,
            lease=_Lease(call, self._tenant, self._landlords.get(call.place)),
            allow=lambda lanes: self._allow(call, accounts, ticket, lanes),
            elsewhere=self._elsewhere,
        )
        started, run = self._clock(), Run()
        try:
            run = within(
                getattr(call.engine, call.verb),
                call.request,
                work,
                seconds=tries.limit,
                check=self._cancel.check,
                clock=self._clock,
                grace=self._graces[call.info.resource == "net"],
                engine=call.name,
            )
            result = settled(call, run, data_dir=self._data_dir, logs=self._logs, redact=self._redact)
            return finish(result, work, self._clock() - started)
        except BaseException:  # whatever it was, what the provider has counted is counted
            for unit, amount in work.usage:
                tries.wasted[unit] = tries.wasted.get(unit, 0.0) + amount
            raise
        finally:
            work.close()
            seconds = self._clock() - started
            tries.worked += seconds
            tries.has_lost = work.has_lost
            tries.references.extend(work.references)
            self._meter.count(call.name, call.info.version, call.verb, sent=1, seconds=seconds, cpu=run.cpu)

    def _allow(self, call: Call, accounts: Accounts, ticket: Ticket, lanes: int) -> None:
        before = accounts.lanes.width(call.pool) or 0
        change = accounts.lanes.allow(ticket, lanes)
        self._gate(call, change, is_wider=change is not None and change.lanes > before)

    def _gate(self, call: Call, change: Change | None, *, is_wider: bool) -> None:
        if change is None:
            return
        facts: dict[str, str | int | float] = {
            "pool": change.pool.rpartition("/")[2],
            "lanes": change.lanes,
            "ceiling": change.ceiling,
            "pause": change.pause,
        }
        if is_wider:
            self._tell(call, "gate.widened", "", **facts)
        else:
            self._tell(call, "gate.narrowed", "", **facts)


@dataclass(frozen=True, slots=True)
class _Lease:
    """What a call rents at its account, for its job."""

    call: Call
    tenant: Tenant
    owner: Any

    def rent(self, identity: str, make: Callable[[str], str], work: Work) -> str:
        landlord = _Inside(self.owner, work) if self.owner is not None else None
        return self.tenant.rent(
            self.call.place, identity, make, engine=self.call.name, landlord=landlord, check=work.check
        )

    def lost(self, identity: str, handle: str) -> None:
        self.tenant.lost(self.call.place, identity, handle)


@dataclass(frozen=True, slots=True)
class _Inside:
    """An account looked into from within a call: by its engine, as part of the same attempt."""

    engine: Any
    work: Work

    def forget(self, handle: str) -> None:
        self.engine.forget(Forget(handle), self.work)

    def rented(self, prefix: str) -> Mapping[str, str]:
        found: Mapping[str, str] = self.engine.rented(prefix, self.work)
        return found
