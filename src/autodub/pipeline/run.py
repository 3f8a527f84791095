"""What one dub carries along: the gateway, the stages with their times, and the decisions to do less."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from autodub.dubbing.cost import Estimate, Expected
from autodub.engines.roles import Ahead, Forgetful
from autodub.gateway import keys
from autodub.gateway.gateway import Gateway
from autodub.model.errors import CircuitOpen, EngineError, UnsupportedSource
from autodub.model.job import Degradation, Event, Listener
from autodub.model.media import Source
from autodub.pipeline.policy import Anything, Policy
from autodub.pipeline.studio import Studio

T = TypeVar("T")
_ABANDONED = 24 * 3600.0
"""Seconds after which a rented voice that nobody has used is given back by the next dub that rents one."""
_LEAVING = 5.0
"""Seconds that work beside a stopped dub is waited for."""


class _Built(Protocol):
    @property
    def engine(self) -> Any: ...


class Hearing(Protocol):
    """As much of a plan as is needed here."""

    @property
    def engines(self) -> Mapping[str, _Built]: ...


@dataclass(frozen=True, slots=True)
class StageTime:
    """How long a stage took, wall seconds."""

    stage: str
    seconds: float


class Run:
    """One dub under way. Thread-safe: stages may run side by side."""

    def __init__(self, gateway: Gateway, listener: Listener, *, policy: Policy | None = None) -> None:
        self.gateway = gateway
        self.policy: Policy = policy or Anything()
        self._listener = listener
        self._lock = threading.Lock()
        self.degradations: list[Degradation] = []
        self.stages: list[StageTime] = []
        self.studio = Studio(self.unchanged)
        self._beside: list[tuple[threading.Thread, bool]] = []
        self._pools: list[ThreadPoolExecutor] = []
        self._paying = 0  # paid calls under way
        self.estimate: Estimate | None = None
        """What the dub was expected to cost; None as long as nothing of it costs money."""
        self.expected: Expected | None = None
        """What it will need of engines, once that is known."""
        self.failure: BaseException | None = None
        """Why work beside the dub's main thread stopped it."""
        self.is_settled = True
        """False once something was done less well for a reason that may pass."""

    def call(self, engine: Any, verb: str, request: Any, *, stage: str) -> Any:
        """Ask an engine through the gateway; after a failure beside nobody is asked any more."""
        info = engine.describe()
        with self._going_on(is_paid=info.paid):
            try:
                return self.gateway.call(engine, verb, request, stage=stage)
            except (CircuitOpen, EngineError) as problem:
                if not problem.engine:  # whoever looks for a stand-in must know for whom
                    problem.engine = f"{info.role}.{info.name}"
                raise

    @contextlib.contextmanager
    def _going_on(self, *, is_paid: bool) -> Iterator[None]:
        with self._lock:
            is_over = self.failure is not None
            self._paying += is_paid and not is_over
        while is_over:  # until what others have paid for is there; then Cancelled is raised
            self.gateway.cancel.wait(1.0)
        try:
            yield
        finally:
            with self._lock:
                self._paying -= is_paid
                is_last = self.failure is not None and not self._paying
            if is_last:
                self.gateway.cancel.request()

    def is_kept(self, engine: Any, verb: str, request: Any) -> bool:
        """Whether the answer is there already."""
        return self.gateway.store.get(keys.key(engine, verb, request)) is not None

    @contextlib.contextmanager
    def stage(self, name: str, message: str) -> Iterator[None]:
        """Announce a stage and take its time."""
        self._listener(Event("stage.started", name, message))
        began = time.monotonic()
        try:
            yield
        finally:
            seconds = time.monotonic() - began
            with self._lock:
                self.stages.append(StageTime(name, seconds))
        self._listener(Event("stage.finished", name, message, 1.0, {"seconds": round(seconds, 3)}))

    def tell(self, event: Event) -> None:
        """Tell whoever listens."""
        self._listener(event)

    def progress(self, stage: str, fraction: float, message: str) -> None:
        """Say how far a stage is that consists of many calls."""
        self._listener(Event("stage.progress", stage, message, fraction))

    def degrade(self, what: str, message: str, reason: str, *, passing: bool = False) -> None:
        """Decide to do less than asked: announced now, and written on the receipt.

        ``passing`` says that trying again later may go better; such a dub is delivered, but made anew
        (from the calls that were answered) when it is asked for again.
        """
        message = message.rstrip(".")  # the reason follows in the same sentence
        with self._lock:
            self.degradations.append(Degradation(what, message, reason))
            self.is_settled = self.is_settled and not passing
        self._listener(Event("degraded", "", f"{message} ({reason})", data={"what": what}))

    def withdraw(self, kinds: Collection[str], *, since: int) -> None:
        """Take back decisions about what is done anew; ``since`` is how many there were before."""
        with self._lock:
            later = [one for one in self.degradations[since:] if one.what not in kinds]
            self.degradations[since:] = later

    def unchanged(self, source: Source) -> None:
        """Raise UnsupportedSource when the file is not what it was when the dub began."""
        if source.files:
            return  # it lies in the store, under the name of its content
        if self.gateway.store.digest(Path(source.path)) != source.digest:
            raise UnsupportedSource(
                f"{source.title} was changed while it was being dubbed.",
                hint="Leave the file alone and run the same command again.",
            )

    def beside(self, work: Callable[..., T], *arguments: Any, name: str, is_left: bool = False) -> Future[T]:
        """Do something beside the dub's main thread; ``close`` waits for it.

        What ``is_left`` touches nothing of the dub's, cannot be stopped, and is left behind by a stop.
        """
        done: Future[T] = Future()

        def body() -> None:
            try:
                done.set_result(work(*arguments))
            except BaseException as problem:  # noqa: BLE001 - raised where the result is asked for
                done.set_exception(problem)

        thread = threading.Thread(target=body, name=name, daemon=True)
        with self._lock:
            self._beside.append((thread, is_left))
        thread.start()
        return done

    def pool(self, workers: int, *, name: str) -> ThreadPoolExecutor:
        """Threads for calls side by side; ``close`` waits for those under way."""
        pool = ThreadPoolExecutor(max_workers=max(1, workers), thread_name_prefix=name)
        with self._lock:
            self._pools.append(pool)
        return pool

    def close(self) -> None:
        """Wait for what is still done beside; after a stop, only as long as it takes to notice.

        Nothing uses the store, and nobody is told anything, afterwards.
        """
        for pool in self._pools:
            pool.shutdown(cancel_futures=True)  # a call notices a stop by itself
        for thread, is_left in self._beside:
            is_stopped = self.gateway.cancel.requested
            if not (is_stopped and is_left):
                thread.join(_LEAVING if is_stopped else None)

    def load_ahead(self, engines: Callable[[], Iterable[Any]]) -> None:
        """Have slow engines load while other work goes on."""

        def load() -> None:
            for engine in engines():
                if isinstance(engine, Ahead):
                    engine.prepare()

        self.beside(load, name="load", is_left=True)

    def return_voices(self, plan: Hearing, *, keep: bool) -> None:
        """Give back what was rented for this dub, once every line is spoken."""
        cloner = plan.engines.get("cloner")
        if cloner is None or not isinstance(cloner.engine, Forgetful):
            return
        returned = self.gateway.give_back(cloner.engine, keep=keep)
        if returned.failed:
            self.degrade(
                "voice",
                f"{_voices(len(returned.failed))} could not be deleted from the account",
                "`autodub voices --forget` tries again",
            )
        # Voices of jobs that failed stay for whoever goes on with them, but not for ever.
        self.gateway.sweep(cloner.engine, unused=_ABANDONED)

    def tell_rented(self) -> None:
        """Say what a dub that ended early leaves in an account."""
        left = len(self.gateway.rented())
        if left:
            self._listener(
                Event(
                    "voices.left",
                    message=f"{_voices(left)} left in the account for when you go on; "
                    "`autodub voices --forget` deletes what you do not need",
                )
            )

    def fail(self, problem: BaseException) -> None:
        """Stop the dub from a thread beside it, and this is why: nothing is begun any more.

        What is being paid for at this moment is waited for, so that it is kept; then everything ends.
        """
        with self._lock:
            self.failure = self.failure or problem
            is_idle = not self._paying
        if is_idle:
            self.gateway.cancel.request()

    def chosen(self, role: str, name: str, why: str) -> None:
        """Announce which engine serves a role, and why."""
        self._listener(
            Event(
                "engine.chosen",
                "",
                f"{role}: {name}" + (f" ({why})" if why else ""),
                data={"role": role, "engine": name},
            )
        )


def _voices(count: int) -> str:
    return f"{count} cloned voice{'s' if count > 1 else ''}"
