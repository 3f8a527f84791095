"""A worker for calls: engines of this machine, asked by dubs that run on others.

It needs the shared store and nothing of a platform: no database of jobs, no broker. It takes up calls one by
one, as many at once as it has places, and none of them waits for another: whoever waits for a call is a
driver, and runs elsewhere. An answer goes into the store, an error into the call's row.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from autodub.engines.context import engine_context
from autodub.engines.remote_directory import named
from autodub.gateway import keys
from autodub.gateway.accounts import Accounts
from autodub.gateway.cancel import Cancel
from autodub.gateway.gateway import Gateway
from autodub.gateway.opening import open_store
from autodub.gateway.retry import NO_RETRY
from autodub.gateway.store import Store
from autodub.infra import codec
from autodub.infra.pg_bell import engine_topic
from autodub.infra.pg_calls import CallBoard, Order
from autodub.infra.pg_offers import HEARTBEAT
from autodub.infra.settings import Settings
from autodub.jobs.calls_desk import Desk
from autodub.model import calls
from autodub.model.errors import AutodubError, BadOption, Cancelled, Unavailable, Unreachable
from autodub.model.job import Event

log = logging.getLogger("autodub.calls")
REQUESTS: dict[str, type] = {
    "detect": calls.Detect, "separate": calls.Separate, "transcribe": calls.Transcribe,
    "diarize": calls.Diarize, "translate": calls.Translate, "summarize": calls.Summarize,
    "list_voices": calls.ListVoices, "synthesize": calls.Synthesize, "clone": calls.Clone,
}  # fmt: skip
"""What each verb is asked with."""
_GLANCE = 1.0
"""Seconds between two looks at what is under way, and at what waits where nobody rings."""
_UNWANTED = 20.0
"""Seconds for which a call goes on that nobody waits for: its job may be on its way to another driver, and
of a driver that was killed the job and the session end within some seconds of each other."""
_BROKEN = 3
"""Calls in a row that an engine did not answer, after which it is left alone here for a while."""
_RECOVERY = 30.0
"""Seconds."""
_DETAILS = 7 * 86_400.0
"""Seconds for which the details of an engine that crashed are kept: they may have words of a dub."""
_SELDOM = 3600.0
"""Seconds between two looks for such."""


@dataclass(slots=True)
class _Running:
    """A call under way."""

    order: Order
    cancel: Cancel = field(default_factory=Cancel)
    fraction: float = 0.0
    message: str = ""
    unwanted: float | None = None
    """Since when nobody waits for it."""
    is_over: bool = False
    """Whether it has come to its end, which is only still to be told."""

    def listen(self, event: Event) -> None:
        if event.kind == "stage.progress":
            self.fraction, self.message = event.fraction or 0.0, event.message


class CallWorker:
    """Makes calls until it is told to stop."""

    def __init__(
        self, settings: Settings, engines: tuple[str, ...], *, slots: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        """``engines`` by name or ``role.name``.

        Raises BadOption without a shared store, UnknownEngine, EngineCannot for what cannot be served here,
        and what opening the store raises.
        """
        # They may have the same settings as the machines that send calls here.
        self._settings = settings.model_copy(update={"remote_engines": ()})
        self._slots, self._clock = slots, clock
        self._accounts = Accounts()
        self._store = open_store(self._settings)
        try:
            self._board = _board(self._store)
            self.desk = Desk(
                named(engines), engine_context(self._settings), offers=self._board.offers,
                worker=self._board.worker,
                places=slots,
            )  # fmt: skip
        except BaseException:  # it is nobody's yet
            self._store.close()
            raise
        self._lock, self._claiming = threading.Lock(), threading.Lock()
        self._running: dict[str, _Running] = {}
        self._busy = Counter[str]()
        self._failures = Counter[str]()
        self._resting: dict[str, float] = {}
        self._strange: set[str] = set()
        """Identities of engines that are other ones here."""
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []

    @property
    def running(self) -> tuple[str, ...]:
        """Keys of the calls under way."""
        with self._lock:
            return tuple(self._running)

    def is_ours(self) -> bool:
        """Whether no newer release has changed the store so that this one must end. Raises Unavailable."""
        return self._store.is_ours()

    def start(self) -> None:
        """Say what is served, and begin. Raises Unavailable."""
        self.desk.announce()
        work = [self._attend, self._watch, *[self._serve] * self._slots]
        self._threads = [
            threading.Thread(target=one, name=f"calls{one.__name__}", daemon=True) for one in work
        ]
        for thread in self._threads:
            thread.start()

    def stop(self, *, patience: float) -> bool:
        """Take up no more, and leave to others what is not done in time; whether everything has ended.

        Where not, something is still computing, and the process is to end. A second time does nothing.
        """
        if self._over.is_set():
            return True
        self._over.set()
        self._board.bell.ring()
        with self._lock:
            running = list(self._running.values())
        for one in running:
            one.cancel.request()
        end = self._clock() + patience
        for thread in self._threads:
            thread.join(max(0.0, end - self._clock()))
        has_ended = not any(thread.is_alive() for thread in self._threads)
        try:
            for key in self.running:
                self._board.hand_back(key)
            self._board.offers.leave(self._board.worker)
        except Unavailable as problem:  # its session ends with it, and that says the same
            log.warning("the worker could not say that it leaves: %s", problem.message)
        if has_ended:
            self._store.close()
        return has_ended

    def _attend(self) -> None:
        """Say what is served, and answer questions about it."""
        said, tidied = self._clock(), float("-inf")
        with self._board.bell.hearing(*map(engine_topic, self.desk.lanes)) as rung:
            while not self._over.is_set():
                try:
                    if self._clock() - said >= HEARTBEAT:
                        self.desk.announce()
                        said = self._clock()
                    if self._clock() - tidied >= _SELDOM:
                        tidied = self._clock()
                        forget(self._settings.data_dir / "logs", older=_DETAILS)
                    self._board.offers.answer(tuple(self.desk.lanes), self.desk.reply)
                except AutodubError as problem:  # it is tried again
                    log.warning("the worker could not say what it serves: %s", problem.message)
                except Exception:  # the thread goes on
                    log.exception("the worker could not say what it serves")
                rung.wait(_GLANCE)
                rung.clear()

    def _watch(self) -> None:
        """Say how far calls are, and stop those that nobody waits for."""
        while not self._over.wait(_GLANCE):
            with self._lock:
                running = list(self._running.values())
            for one in running:
                try:
                    self._look_at(one)
                except AutodubError as problem:  # it is told again
                    log.warning("how far a call is could not be told: %s", problem.message)
                except Exception:  # the thread goes on
                    log.exception("how far a call is could not be told")

    def _look_at(self, one: _Running) -> None:
        is_ours, is_wanted = self._board.tell(one.order.key, one.fraction, one.message)
        if one.is_over:
            return
        now = self._clock()
        one.unwanted = None if is_wanted else one.unwanted or now
        if not is_ours:
            log.warning("a call is another worker's by now", extra=_named(one.order))
            one.cancel.request()
        elif one.unwanted is not None and now - one.unwanted > _UNWANTED:
            one.cancel.request()

    def _serve(self) -> None:
        """One place: one call after another."""
        with self._board.bell.hearing(*map(engine_topic, self.desk.lanes)) as rung:
            while not self._over.is_set():
                rung.clear()
                try:
                    one = self._claim()
                    if one is not None:
                        self._carry_out(one)
                        continue
                except AutodubError as problem:  # it is tried again
                    log.warning("the worker cannot take up calls: %s", problem.message)
                except Exception:  # the place stays
                    log.exception("a call could not be carried out")
                rung.wait(_GLANCE)

    def _claim(self) -> _Running | None:
        # One place after the other: what one takes up counts for the next.
        with self._claiming:
            now = self._clock()
            with self._lock:
                free = [
                    title
                    for title, lanes in self.desk.lanes.items()
                    if self._busy[title] < lanes and self._resting.get(title, now) <= now
                ]
            order = None if self._over.is_set() else self._board.claim(free, without=self._strange)
            if order is None:
                return None
            one = _Running(order)
            with self._lock:
                self._running[order.key] = one
                self._busy[order.engine] += 1
        if self._over.is_set():  # told to stop meanwhile
            one.cancel.request()
        return one

    def _carry_out(self, one: _Running) -> None:
        order, began = one.order, self._clock()
        log.info("call begins", extra=_named(order))
        try:
            problem = self._make(one)
            one.is_over = True
            if problem is None or not isinstance(problem, Cancelled):
                self._insist(lambda: self._board.finish(order.key, problem))
                self._learn(order.engine, problem)
            else:  # nobody wants it, or this worker leaves
                self._insist(lambda: self._board.hand_back(order.key))
        finally:
            with self._lock:
                if self._running.get(order.key) is one:  # else it was lost meanwhile, and taken up once more
                    del self._running[order.key]
                self._busy[order.engine] -= 1
        ended = "done" if problem is None else problem.code
        log.info(
            "call ends", extra=_named(order) | {"outcome": ended, "seconds": round(self._clock() - began, 2)}
        )

    def _make(self, one: _Running) -> AutodubError | None:
        """Have the answer in the store; why there is none otherwise."""
        order = one.order
        try:
            engine = self.desk.engine(order.engine, order.options)
            request: object = codec.load(REQUESTS[order.verb], order.request)
            if keys.key(engine, order.verb, request) != order.key:
                with self._lock:
                    self._strange.add(order.identity)
                log.warning("a call is for another version or other weights", extra=_named(order))
                return Cancelled("This worker has another version.")
            store = open_store(self._settings, owner=order.owner)
            try:
                gateway = Gateway(
                    store, listener=one.listen, cancel=one.cancel, retry=NO_RETRY, accounts=self._accounts,
                    redact=self._settings.redact,
                )  # fmt: skip
                gateway.make(engine, order.verb, request)
            finally:
                store.close()
        except AutodubError as problem:
            return problem
        except Exception as problem:
            log.exception("a call failed by a fault", extra=_named(order))
            return Unreachable(
                f"The worker that serves {order.engine} made a mistake ({type(problem).__name__}).",
                hint="Its log says more.", engine=order.engine,
            )  # fmt: skip
        return None

    def _learn(self, engine: str, problem: AutodubError | None) -> None:
        """Leave an engine alone for a while that does not answer here: it may do so on other machines."""
        with self._lock:
            self._failures[engine] = self._failures[engine] + 1 if isinstance(problem, Unreachable) else 0
            if self._failures[engine] < _BROKEN:
                return
            self._failures[engine] = 0
            self._resting[engine] = self._clock() + _RECOVERY
        log.error("an engine does not answer, and is left alone for a while", extra={"engine": engine})

    def _insist(self, say: Callable[[], object]) -> None:
        """Say it, again and again while the database is away: nobody else can."""
        while True:
            try:
                say()
            except Unavailable as problem:
                log.warning("how a call ended could not be told yet: %s", problem.message)
                if self._over.wait(_GLANCE):
                    return
            else:
                return


def forget(logs: Path, *, older: float) -> None:
    """Remove what has lain in a folder for longer, seconds; no job's end is heard of here."""
    before = time.time() - older
    for path in sorted(logs.rglob("*"), reverse=True):  # what is in a folder before the folder
        with suppress(OSError):  # somebody else removes it, or it is not empty
            if path.is_dir():
                path.rmdir()
            elif path.lstat().st_mtime < before:
                path.unlink()


def _board(store: Store) -> CallBoard:
    if store.calls is None:
        raise BadOption(
            "A worker for calls needs a store that it shares with whoever sends them.",
            hint="Set store_database (docs/SCALING.md).",
        )
    return store.calls


def _named(order: Order) -> dict[str, object]:
    return {"call": order.key[:12], "engine": order.engine, "verb": order.verb, "attempt": order.attempt}
