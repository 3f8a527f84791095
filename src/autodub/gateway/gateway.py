"""The one door: every slow, paid or fallible effect is ``gateway.call(engine, verb, request)``.

In order: stop asked for? - kept answer? - single flight - budget - breaker - [retry: lane - deadline -
verb - check] - keep - meter - event. Each part is a module of its own beside this one; an engine
contains none of them.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

from autodub.engines.roles import Info
from autodub.gateway import keys
from autodub.gateway.attempt import Call, Known, examined, settled
from autodub.gateway.breaker import Breaker
from autodub.gateway.cancel import Cancel
from autodub.gateway.deadline import Run, deadline, within
from autodub.gateway.flight import Flights
from autodub.gateway.lanes import Lanes
from autodub.gateway.meter import CallCount, Meter
from autodub.gateway.retry import RetryPolicy, retrying
from autodub.gateway.store import Store
from autodub.gateway.work import CallWork
from autodub.infra import codec
from autodub.infra.settings import scrub
from autodub.model.errors import Busy, EngineError
from autodub.model.job import Event, Listener
from autodub.model.usage import Usage

Budget = Callable[[Info, str, object], None]
"""Asked before anything is made; raises BudgetExceeded to forbid it."""


def nobody(_event: Event) -> None:
    """A listener that does not."""


class Gateway:
    """Calls engines for one job. Safe for many threads.

    ``lanes`` and ``breaker`` may be shared between the jobs of a process. ``redact`` takes keys out of
    whatever an engine says when it fails; ``deadline`` gives the seconds a call may take.
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
        breaker: Breaker | None = None,
        lanes: Lanes | None = None,
        budget: Budget | None = None,
        deadline: Callable[[str, object], float] = deadline,
        grace: float = 5.0,
        redact: Callable[[str], str] = scrub,
    ) -> None:
        self.store = store
        self.cancel = cancel or Cancel()
        self._listener = listener
        self._clock = clock
        self._sleep = sleep or self.cancel.wait
        self._chance = chance
        self._retry = retry or RetryPolicy()
        self._breaker = breaker or Breaker(clock=clock)
        self._lanes = lanes or Lanes()
        self._budget = budget
        self._deadline = deadline
        self._grace = grace
        self._redact = redact
        self._flights: Flights[Known] = Flights(store.flights)
        self._meter = Meter()

    def call(self, engine: Any, verb: str, request: object, *, stage: str = "") -> Any:
        """The engine's answer to the request: the kept one where there is one, else made now.

        Raises whatever of the error tree the engine reports, Unreachable when it crashes or hangs,
        BadAnswer when it answers nonsense twice, CircuitOpen, BudgetExceeded and Cancelled.
        """
        self.cancel.check()
        info = engine.describe()
        call = Call(
            engine,
            info,
            verb,
            request,
            stage,
            keys.answer_type(engine, verb),
            keys.key(engine, verb, request),
        )
        self._meter.count(call.name, info.version, verb, asked=1)
        known = self._kept(call)
        made = False
        if known is None:
            known, made = self._flights.once(
                call.key,
                kept=lambda: self._kept(call),
                make=lambda: self._make(call),
                cancel=self.cancel,
                waiting=lambda: self._tell(
                    call, "stage.progress", "Waiting for another run that does the same."
                ),
            )
        answer = known.answer
        if not made:
            self._meter.count(call.name, info.version, verb, kept=1, saved=answer.seconds)
        self._meter.consume(call.name, verb, answer.usage, cached=not made)
        self._tell(call, "call.finished", "", kept=not made, seconds=answer.seconds if made else 0.0)
        return known.value

    def usage(self) -> tuple[Usage, ...]:
        """What this job's calls consumed, those paid for earlier apart."""
        return self._meter.usage()

    def calls(self) -> tuple[CallCount, ...]:
        """How often each engine was asked in this job, and for how long it worked."""
        return self._meter.calls()

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

    def _make(self, call: Call) -> Known:
        if self._budget is not None:
            self._budget(call.info, call.verb, call.request)
        self._breaker.guard(call.name)
        policy = self._retry if call.info.resource == "net" else self._retry.local()
        failure: BaseException | None = None
        try:
            known = retrying(
                lambda: self._attempt(call),
                policy,
                wait=self._sleep,
                chance=self._chance,
                told=lambda error, number, pause: self._retried(call, error, number, pause),
            )
        except BaseException as error:  # counted and raised on, a request to stop included
            failure = error
            self._meter.count(call.name, call.info.version, call.verb, failed=1)
            raise
        finally:
            self._breaker.settle(call.name, failure)
        first = self.store.put(call.key, known.answer)
        self._meter.count(call.name, call.info.version, call.verb, made=1)
        return known if first is known.answer else Known(first, codec.load(call.kind, first.result))

    def _attempt(self, call: Call) -> Known:
        """Ask once, and look at the answer."""
        self.cancel.check()
        work = CallWork(self.store.blobs, cancel=self.cancel, listener=self._listener, stage=call.stage)
        with self._lanes.enter(call.name, call.info.lanes, self.cancel.check):
            started = self._clock()
            run = Run()
            try:
                run = within(
                    getattr(call.engine, call.verb),
                    call.request,
                    work,
                    seconds=self._deadline(call.verb, call.request),
                    check=self.cancel.check,
                    clock=self._clock,
                    grace=self._grace,
                    engine=call.name,
                )
                result = settled(call, run, data_dir=self.store.data_dir, redact=self._redact)
                known = examined(call, result, work, blobs=self.store.blobs, seconds=self._clock() - started)
            finally:
                work.close()
                seconds = self._clock() - started
                self._meter.count(call.name, call.info.version, call.verb, seconds=seconds, cpu=run.cpu)
        self._lanes.answered(call.name, call.info.lanes)
        return known

    def _retried(self, call: Call, error: EngineError, number: int, pause: float) -> None:
        if isinstance(error, Busy):
            self._lanes.narrow(call.name)
        self._meter.count(call.name, call.info.version, call.verb, retried=1)
        self._tell(call, "call.retried", error.message, attempt=number, pause=pause, code=error.code)

    def _tell(self, call: Call, kind: str, message: str, **data: str | float | bool) -> None:
        facts = {"role": call.info.role, "engine": call.info.name, "verb": call.verb} | data
        self._listener(Event(kind, stage=call.stage, message=message, data=facts))
