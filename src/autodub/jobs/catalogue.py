"""What a server offers to choose from; looked at once a minute at most, since probes are slow."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from autodub.gateway import remote
from autodub.gateway.cancel import Cancel
from autodub.gateway.gateway import nobody
from autodub.gateway.store import Store
from autodub.gateway.work import CallWork
from autodub.infra.settings import Settings
from autodub.model.language import Language
from autodub.model.speech import Voice
from autodub.pipeline import catalogue
from autodub.pipeline.catalogue import EngineState, LanguageState

SECONDS = 60.0
"""How long an answer is good."""
_MOST = 200
_PATIENCE = 20.0
"""Seconds for which a page waits for the voices of an engine that workers elsewhere serve."""


class Catalogue:
    """Engines, languages and voices of one server; safe for many threads. Nothing is ever downloaded."""

    def __init__(
        self, settings: Settings, store: Store, *, clock: Callable[[], float] = time.monotonic,
        seconds: float = SECONDS,
    ) -> None:  # fmt: skip
        self._settings, self._store, self._clock, self._seconds = settings, store, clock, seconds
        self._lock = threading.Lock()
        self._locks: dict[object, threading.Lock] = {}
        self._known: dict[object, tuple[float, Any]] = {}

    def engines(self) -> tuple[EngineState, ...]:
        """Every engine and whether it can run here."""
        return self._remembered("engines", lambda: catalogue.engines(self._settings))  # type: ignore[no-any-return]

    def languages(self) -> tuple[LanguageState, ...]:
        """What the engines that are ready do with which languages."""
        return self._remembered(  # type: ignore[no-any-return]
            "languages", lambda: catalogue.languages_of(self._settings, self.engines())
        )

    def voices(
        self, target: Language, synthesizer: str | None = None, *, options: Mapping[str, str] = {}
    ) -> tuple[str, tuple[Voice, ...]]:
        """The synthesizer (the one named, else the first that speaks the language) and its stock voices.

        Raises UnknownEngine, EngineCannot, BadOption, and any EngineError.
        """
        key = ("voices", target.tag, synthesizer, tuple(sorted(options.items())))
        return self._remembered(key, lambda: self._voices(target, synthesizer, options))  # type: ignore[no-any-return]

    def _voices(
        self, target: Language, synthesizer: str | None, options: Mapping[str, str]
    ) -> tuple[str, tuple[Voice, ...]]:
        name = catalogue.speaker(self._settings, target, name=synthesizer)
        work = CallWork(
            self._store.blobs, cancel=Cancel(), listener=nobody, stage="voices",
            elsewhere=remote.caller(self._store, patience=_PATIENCE),
        )  # fmt: skip
        try:
            return name, catalogue.voices(self._settings, target, name, work, options=options)
        finally:
            work.close()

    def _remembered(self, key: object, make: Callable[[], Any]) -> Any:
        with self._lock:
            mine = self._locks.setdefault(key, threading.Lock())
        with mine:  # of many who ask at once one looks, and the others wait for it
            with self._lock:
                at, found = self._known.get(key, (float("-inf"), None))
            if self._clock() - at < self._seconds:
                return found
            found = make()
            with self._lock:
                if len(self._known) >= _MOST:
                    self._known.clear()
                    self._locks.clear()
                self._known[key] = (self._clock(), found)
            return found
