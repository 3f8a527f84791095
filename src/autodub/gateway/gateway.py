"""The one door: every slow, paid or fallible effect is ``gateway.call(engine, verb, request)``."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from autodub.gateway import keys
from autodub.gateway.cancel import Cancel
from autodub.gateway.store import Answer, Store
from autodub.gateway.work import CallWork
from autodub.infra import codec
from autodub.model.job import Event, Listener


def _nobody(_event: Event) -> None:
    """Nobody listens."""


class Gateway:
    """Calls engines for one job. Safe for many threads."""

    def __init__(
        self,
        store: Store,
        *,
        listener: Listener = _nobody,
        cancel: Cancel | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.store = store
        self.cancel = cancel or Cancel()
        self._listener = listener
        self._clock = clock

    def call(self, engine: Any, verb: str, request: object, *, stage: str = "") -> Any:
        """The engine's answer to the request: the kept one where there is one, made now otherwise."""
        self.cancel.check()
        key = keys.key(engine, verb, request)
        kind = keys.answer_type(engine, verb)
        kept = self.store.get(key)
        if kept is not None:
            return codec.load(kind, kept.result)
        info = engine.describe()
        work = CallWork(self.store.blobs, cancel=self.cancel, listener=self._listener, stage=stage)
        try:
            started = self._clock()
            result = getattr(engine, verb)(request, work)
            seconds = self._clock() - started
            text = codec.dump(result)
            result = codec.load(kind, text)
            answer = Answer(
                f"{info.role}.{info.name}", info.version, verb, text, keys.blobs(result), work.usage, seconds
            )
            return codec.load(kind, self.store.put(key, answer).result)
        finally:
            work.close()
