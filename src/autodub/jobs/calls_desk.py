"""What a worker for calls serves: its engines, what it says of them, and short questions to them."""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from autodub.engines import registry
from autodub.engines.remote import QUESTIONS, facts_of
from autodub.engines.roles import EngineContext, Forgetful, Info, Readiness
from autodub.infra import codec
from autodub.infra.pg_offers import Offer, Offers, Question
from autodub.model.errors import AutodubError, BadOption, EngineCannot

log = logging.getLogger("autodub.calls")
_AGAIN = 60.0
"""Seconds between two looks at an engine: its weights may be there by now."""
_MOST = 16
"""Engines with options of their own that are remembered, and may hold a model in memory."""

Key = tuple[str, tuple[tuple[str, str], ...]]


class Desk:
    """The engines of one worker. Safe for many threads."""

    def __init__(
        self, engines: tuple[tuple[str, str], ...], context: EngineContext, *, offers: Offers, worker: str,
        places: int, clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        """Raises EngineCannot for an engine that cannot be served, UnknownEngine, Unavailable."""
        self._context, self._offers, self._clock = context, offers, clock
        self._worker, self._places = worker, places
        self._lock = threading.Lock()
        self._built: OrderedDict[Key, Any] = OrderedDict()
        self._said: dict[Key, tuple[float, Offer]] = {}
        self.lanes = {f"{role}.{name}": self._checked(role, name) for role, name in engines}
        """``role.name`` -> calls that the engine can usefully have at once here."""

    def _checked(self, role: str, name: str) -> int:
        engine = registry.build(role, name, {}, self._context)
        info: Info = engine.describe()
        ready: Readiness = engine.readiness()
        if info.resource == "net" or isinstance(engine, Forgetful):
            raise EngineCannot(
                f"{name} is an account elsewhere already, so there is no work for a worker here.",
                hint="Leave it out of --calls and of remote_engines.",
            )
        if ready.state != "ready":
            raise EngineCannot(f"This worker cannot serve {name}: {ready.detail}.", hint=ready.fix)
        return max(1, info.lanes)

    def engine(self, title: str, options: Mapping[str, str]) -> Any:
        """An engine with options as they were typed. Raises BadOption, EngineCannot."""
        key = _key(title, options)
        with self._lock:
            if key in self._built:
                self._built.move_to_end(key)
                return self._built[key]
        role, _, name = title.partition(".")
        folders = registry.load(role, name).Options.folders
        for option in folders & options.keys():
            # Who sent it has seen to it that it is a name, of what is there; here it would be a folder.
            if os.sep not in options[option] and Path(options[option]).exists():
                raise BadOption(
                    f"{option}={options[option]} is a folder where the worker runs.",
                    hint="Start the worker in a folder of its own.",
                )
        engine = registry.build(role, name, options, self._context)
        with self._lock:
            self._built[key] = engine
            while len(self._built) > _MOST:
                gone, _ = self._built.popitem(last=False)
                self._said.pop(gone, None)
        return engine

    def announce(self) -> None:
        """Say what is served. Raises Unavailable."""
        for title in self.lanes:
            self._look(title, {})
        with self._lock:
            known = list(self._said.items())
        for (title, options), (looked, _) in known:
            if self._clock() - looked > _AGAIN:
                self._look(title, dict(options), anew=True)
        with self._lock:
            self._offers.announce([offer for _, offer in self._said.values()])

    def _look(self, title: str, options: Mapping[str, str], *, anew: bool = False) -> Offer:
        """What there is to say of an engine; ``anew`` where something may have changed on this machine."""
        key = _key(title, options)
        with self._lock:
            known = self._said.get(key)
        if known is not None and not anew:
            return known[1]
        if anew:
            role, _, name = title.partition(".")
            facts = facts_of(registry.build(role, name, options, self._context))
            with self._lock:
                if known is not None and facts.identity != known[1].identity:  # other weights, for example
                    self._built.pop(key, None)
        else:
            facts = facts_of(self.engine(title, options))
        offer = Offer(
            self._worker, title, dict(options), facts.identity, codec.dump(facts), self._places
        )  # fmt: skip
        with self._lock:
            self._said[key] = (self._clock(), offer)
        return offer

    def reply(self, asked: Question) -> str:
        """The answer to a question, as JSON. Raises what the engine raises."""
        try:
            if asked.question == "describe":
                self._offers.announce([self._look(asked.engine, asked.options)])
                return "true"
            engine = self.engine(asked.engine, asked.options)
            return json.dumps(_asked(engine, asked.question)(*asked.arguments))
        except AutodubError:
            raise
        except Exception as problem:  # whoever asks must hear of it
            log.exception("a question could not be answered", extra={"engine": asked.engine})
            raise EngineCannot(
                f"The worker that serves {asked.engine} made a mistake ({type(problem).__name__}).",
                hint="Its log says more.",
            ) from problem


def _asked(engine: Any, question: str) -> Any:
    if question not in QUESTIONS:
        raise EngineCannot(
            f"A worker is asked for {question!r}, which it does not know.",
            hint="Does the same release run everywhere?",
        )
    return getattr(engine, question)


def _key(title: str, options: Mapping[str, str]) -> Key:
    return title, tuple(sorted(options.items()))
