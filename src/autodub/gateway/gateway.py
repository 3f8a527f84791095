"""The one door: every slow, paid or fallible effect is ``gateway.call(engine, verb, request)``.

In order: stop asked for? - kept answer? - single flight - budget - [retry: lane - breaker - deadline -
verb - check] - keep - meter - event. Each part is a module of its own beside this one; an engine
contains none of them.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, TypeVar

from autodub.dubbing.cost import bill
from autodub.dubbing.prices import PriceTable
from autodub.engines.roles import Forgetful, Quoting
from autodub.gateway import deadline as deadlines
from autodub.gateway import keys, remote
from autodub.gateway.accounts import Accounts, account_of, pool_of
from autodub.gateway.attempt import Call, Known, examined
from autodub.gateway.budget import Budget
from autodub.gateway.cancel import Cancel
from autodub.gateway.door import Door, Tries
from autodub.gateway.flight import Flights
from autodub.gateway.lanes import Turn
from autodub.gateway.meter import CallCount, Meter
from autodub.gateway.purchase import Purchase
from autodub.gateway.rentals import Rental
from autodub.gateway.retry import RetryPolicy, retrying
from autodub.gateway.store import Store
from autodub.gateway.tenant import Returned, Tenant, sweep
from autodub.gateway.work import CallWork
from autodub.infra import codec
from autodub.infra.price_list import builtin
from autodub.infra.settings import scrub
from autodub.model.calls import Forget
from autodub.model.errors import EngineError, Gone
from autodub.model.job import Event, Listener
from autodub.model.speech import Voice
from autodub.model.usage import Bill, Usage

T = TypeVar("T")
_DOWNLOADS = 3  # attempts at a download, which resumes broken connections by itself


def nobody(_event: Event) -> None:
    """A listener that does not."""


class Gateway:
    """Calls engines for one job. Safe for many threads.

    ``accounts`` is what is known about accounts and their limits; by default the store's, so that jobs
    side by side share it (engines without an account are each job's own affair). At them users take turns;
    ``user`` is whose the job is. ``redact`` takes
    keys out of whatever an engine says when it fails; ``deadline`` gives the seconds a call may take.
    After a request to stop, an engine of this machine has ``grace`` seconds to tidy up, one elsewhere
    ``net_grace``. ``cap`` is what the job may spend, US dollars, by ``prices``.
    """

    def __init__(
        self,
        store: Store,
        *,
        listener: Listener = nobody,
        cancel: Cancel | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] | None = None,
        chance: Callable[[], float] = random.random,
        retry: RetryPolicy | None = None,
        accounts: Accounts | None = None,
        deadline: Callable[[str, object], float] | None = None,
        grace: float = 5.0,
        net_grace: float = 0.3,
        redact: Callable[[str], str] = scrub,
        prices: PriceTable | None = None,
        cap: Decimal | None = None,
        user: str = "",
    ) -> None:
        self.store = store
        self.cancel = cancel or Cancel()
        self._listener = listener
        self._sleep = sleep or self.cancel.wait
        self._chance = chance
        self._retry = retry or RetryPolicy()
        self._accounts = accounts or store.accounts
        self._own = accounts or Accounts(clock=clock)
        self._deadline = deadline
        self._redact = redact
        self._flights: Flights[Known] = Flights(store.flight)
        self._meter = Meter()
        self.prices = prices if prices is not None else builtin()
        self._budget = None if cap is None else Budget(cap, self.prices, told=self._spent)
        self._tenant = Tenant(store.rentals, told=self._rented)
        self._door = Door(
            store.blobs,
            data_dir=store.data_dir,
            logs=store.logs,
            turn=Turn(user),
            tenant=self._tenant,
            meter=self._meter,
            listener=listener,
            tell=self._tell,
            cancel=self.cancel,
            clock=clock,
            sleep=self._sleep,
            graces=(grace, net_grace),
            redact=redact,
            elsewhere=remote.caller(store),
        )

    def call(self, engine: Any, verb: str, request: object, *, stage: str = "") -> Any:
        """The engine's answer to the request: the kept one where there is one, else made now.

        Raises whatever of the error tree the engine reports, Unreachable when it crashes or hangs,
        BadAnswer when it answers nonsense twice, CircuitOpen, BudgetExceeded and Cancelled.
        """
        self.cancel.check()
        call = self._call(
            engine,
            verb,
            request,
            stage=stage,
            kind=keys.answer_type(engine, verb),
            key=keys.key(engine, verb, request),
        )
        version = call.info.version
        self._meter.count(call.name, version, verb, asked=1)
        if call.info.paid:
            self._meter.paid(call.name, call.model)
        tries = self._tries(call)
        known = self._kept(call)
        made = False
        if known is None:
            known, made = self._flights.once(
                call.key,
                kept=lambda: self._kept(call),
                make=lambda: self._make(call, tries),
                cancel=self.cancel,
                waiting=lambda: self._tell(
                    call, "stage.progress", "Waiting for another run that does the same."
                ),
            )
        answer = known.answer
        if not made and isinstance(engine, Forgetful) and isinstance(known.value, Voice):
            self._tenant.claim(call.place, known.value.id, check=self.cancel.check)
        if not made:
            self._meter.count(call.name, version, verb, kept=1, saved=answer.seconds)
        self._meter.consume(call.name, verb, answer.usage, cached=not made)
        seconds = answer.seconds if made else 0.0
        paid = {"dollars": float(self._cost(call, dict(answer.usage)))} if made and call.info.paid else {}
        self._tell(call, "call.finished", "", kept=not made, seconds=seconds, **paid, **_references(tries))
        return known.value

    def make(self, engine: Any, verb: str, request: object, *, stage: str = "") -> None:
        """Have the answer in the store, for somebody elsewhere who holds the flight of its key."""
        self.cancel.check()
        kind, key = keys.answer_type(engine, verb), keys.key(engine, verb, request)
        call = self._call(engine, verb, request, stage=stage, kind=kind, key=key)
        if self._kept(call) is None:
            self._make(call, self._tries(call))

    def afford(self, dollars: Decimal) -> None:
        """Spend no more than this from now on; what was spent counts, and a lower cap stays."""
        if self._budget is None:
            self._budget = Budget(dollars, self.prices, told=self._spent)
        self._budget.cap = min(self._budget.cap, dollars)

    def give_back(self, engine: Any, *, keep: bool = False) -> Returned:
        """Delete the voices this job rented or used at the engine's account.

        Those that another job uses stay, and so do those to be kept (``keep`` now, or in an earlier job).
        Never raises for a voice that could not be deleted: it is recorded and tried again another day.
        """
        self.cancel.check()
        landlord = _Outside(self, engine)
        return self._tenant.give_back(self._place(engine), landlord, keep=keep, check=self.cancel.check)

    def sweep(
        self,
        engine: Any,
        *,
        kept: bool = False,
        unused: float = 0.0,
        only: Callable[[Rental], bool] = lambda _: True,
    ) -> Returned:
        """Delete voices at the engine's account that no running job uses; ``kept`` ones only if asked.

        Only those that nobody has used for ``unused`` seconds and that ``only`` says yes to.
        """
        before = time.time() - unused if unused else float("inf")
        return sweep(
            self.store.rentals,
            self._place(engine),
            _Outside(self, engine),
            kept=kept,
            before=before,
            only=only,
            told=self._rented,
        )

    def close(self) -> None:
        """Say that this job uses nothing any more; what was not given back is there for a later run.

        Closing the store does the same.
        """
        self._tenant.release()

    def rented(self) -> tuple[str, ...]:
        """Names, as providers know them, of the voices this job uses now."""
        return self._tenant.names()

    def usage(self) -> tuple[Usage, ...]:
        """What this job's calls consumed, those paid for earlier apart."""
        return self._meter.usage()

    def bill(self) -> Bill:
        """What this job's paid calls cost so far, item by item; kept answers cost nothing."""
        return bill(self._meter.usage(), self.prices, models=self._meter.models())

    def calls(self) -> tuple[CallCount, ...]:
        """How often each engine was asked in this job, and for how long it worked."""
        return self._meter.calls()

    def look(self, engine: Any) -> None:
        """Have the engine's account looked at, where that can be done and was not done yet.

        Raises Refused or NoCredit where the account is of no use; whatever else is wrong is for the calls.
        """
        call = self._call(engine, "examine", None, stage="")
        if call.account:
            self._door.look(call, self._accounts)

    def effect(self, engine: Any, verb: str, request: object, *, stage: str = "") -> Any:
        """Ask for something that is not kept, such as a deletion: through the same gates, retried briefly."""
        call = self._call(engine, verb, request, stage=stage)
        return self._through(call, self._tries(call), lambda result, *_: result, self._retry.brief())

    def _call(
        self, engine: Any, verb: str, request: object, *, stage: str, kind: type[Any] = object, key: str = ""
    ) -> Call:
        info = engine.describe()
        call = Call(
            engine, info, verb, request, stage, kind, key,
            account=account_of(engine),
            pool=pool_of(engine, verb, name=f"{info.role}.{info.name}"),
            model=engine.model if isinstance(engine, Quoting) else "",
        )  # fmt: skip
        self._door.landlord(call)
        return call

    def _place(self, engine: Any) -> str:
        if not isinstance(engine, Forgetful):
            raise TypeError(f"{type(engine).__name__} rents nothing")
        return self._call(engine, "forget", None, stage="").place

    def _tries(self, call: Call) -> Tries:
        if self._deadline is not None:
            return Tries(self._deadline(call.verb, call.request))
        return Tries(deadlines.of(call.info)(call.verb, call.request))

    def _kept(self, call: Call) -> Known | None:
        """The kept answer, if it still reads as what the verb answers today."""
        answer = self.store.get(call.key)
        if answer is None:
            return None
        try:
            return Known(answer, codec.load(call.kind, answer.result))
        except ValueError:
            self.store.forget(call.key)
            return None

    def _make(self, call: Call, tries: Tries) -> Known:
        policy = self._retry if call.info.resource == "net" else self._retry.local()
        if call.verb == "download":  # each attempt begins at the first byte
            policy = replace(policy, attempts=min(_DOWNLOADS, policy.attempts))
        self._tell(call, "call.started", "")

        def finish(result: object, work: CallWork, seconds: float) -> Known:
            return examined(call, result, work, blobs=self.store.blobs, seconds=seconds)

        with Purchase(
            call, tries,
            budget=self._budget if call.info.paid else None,
            meter=self._meter,
            quote=lambda: self._quote(call),
            check=self.cancel.check,
            told=lambda wasted: self._charged(call, wasted),
        ) as purchase:  # fmt: skip
            known = self._through(call, tries, finish, policy, before=purchase.again)
            purchase.paid(known.answer.usage)
        first = self.store.put(call.key, known.answer)
        self._meter.count(call.name, call.info.version, call.verb, made=1)
        return known if first is known.answer else Known(first, codec.load(call.kind, first.result))

    def _quote(self, call: Call) -> Mapping[str, float] | None:
        """What a call will be metered at; nothing for verbs that are free, None where nobody can say."""
        if isinstance(call.engine, Quoting):
            return call.engine.quote(call.verb, call.request)
        return {} if self.prices.knows(call.name, call.model) else None

    def _cost(self, call: Call, usage: Mapping[str, float]) -> Decimal:
        return self.prices.cost(call.name, call.model, usage) or Decimal(0)

    def _charged(self, call: Call, wasted: Mapping[str, float]) -> None:
        if dollars := self._cost(call, wasted) if call.info.paid else 0:
            self._tell(call, "call.charged", "", dollars=float(dollars))

    def _spent(self, spent: Decimal, cap: Decimal, *, is_all: bool) -> None:
        facts = {"spent": float(spent), "cap": float(cap)}
        self._listener(Event("budget.exhausted", data=facts) if is_all else Event("budget.spent", data=facts))

    def _through(
        self,
        call: Call,
        tries: Tries,
        finish: Callable[[object, CallWork, float], T],
        policy: RetryPolicy,
        *,
        before: Callable[[], None] = lambda: None,
    ) -> T:
        """Ask until there is an answer, or no hope of one; ``before`` goes before each attempt."""
        accounts = self._accounts if call.account else self._own
        failure: BaseException | None = None

        def attempt() -> T:
            before()
            return self._door.ask(call, accounts, tries, finish)

        try:
            return retrying(
                attempt,
                policy,
                wait=self._sleep,
                chance=self._chance,
                told=lambda error, number, pause: self._retried(call, error, number, pause),
                worked=lambda: tries.worked,
                limit=tries.limit,
                again=lambda error: isinstance(error, Gone) and self._is_mended(tries),
            )
        except BaseException as error:  # counted and raised on, a request to stop included
            failure = error
            self._meter.count(call.name, call.info.version, call.verb, failed=1)
            code = getattr(error, "code", type(error).__name__)
            self._tell(call, "call.failed", "", code=code, **_references(tries))
            if isinstance(error, Gone):  # else every later run would cast the same missing voice
                for key in keys.disproved(call.engine, call.request):
                    self.store.forget(key)
            raise
        finally:
            if accounts.breaker.settle(call.place, failure):
                self._door.blocked(call, failure)

    @staticmethod
    def _is_mended(tries: Tries) -> bool:
        """Whether what was gone is made anew by asking again; only once in a call."""
        is_first = tries.has_lost and not tries.has_mended
        tries.has_mended = tries.has_mended or is_first
        return is_first

    def _retried(self, call: Call, error: EngineError, number: int, pause: float) -> None:
        self._meter.count(call.name, call.info.version, call.verb, retried=1)
        self._tell(call, "call.retried", error.message, attempt=number, pause=pause, code=error.code)

    def _rented(self, rental: Rental, *, is_back: bool) -> None:
        role, _, name = rental.engine.partition(".")
        facts = {"role": role, "engine": name, "name": rental.name}
        self._listener(Event("voice.returned", data=facts) if is_back else Event("voice.rented", data=facts))

    def _tell(self, call: Call, kind: str, message: str, **data: str | float | bool | None) -> None:
        facts = {"role": call.info.role, "engine": call.info.name, "verb": call.verb} | data
        self._listener(Event(kind, stage=call.stage, message=message, data=facts))


class _Outside:
    """An account looked into by calls of their own."""

    def __init__(self, gateway: Gateway, engine: Any) -> None:
        self._gateway = gateway
        self._engine = engine

    def forget(self, handle: str) -> None:
        self._gateway.effect(self._engine, "forget", Forget(handle))

    def rented(self, prefix: str) -> Mapping[str, str]:
        found: Mapping[str, str] = self._gateway.effect(self._engine, "rented", prefix)
        return found


def _references(tries: Tries) -> dict[str, str]:
    """The provider's request ids as data of an event."""
    return {"request": " ".join(tries.references[-3:])} if tries.references else {}
