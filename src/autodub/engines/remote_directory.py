"""Engines on other machines, as the shared store's database has them."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from autodub.engines import registry
from autodub.engines.remote import Facts
from autodub.engines.roles import Readiness
from autodub.infra import codec
from autodub.infra.settings import Settings
from autodub.model.errors import BadOption, UnknownEngine
from autodub.model.request import ROLES

_FRESH = 3.0
"""Seconds for which what was found is good."""
_HERE = "downloader"
"""The one role that is always done here: what it hands over are files of its machine."""


def named(wanted: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """(role, name) of every engine that is meant: by its name, or by ``role.name``.

    Raises UnknownEngine, and BadOption for one that cannot be elsewhere.
    """
    known = [(role, name) for role in ROLES for name in registry.names(role)]
    found: list[tuple[str, str]] = []
    for one in wanted:
        meant = [(role, name) for role, name in known if one in (name, f"{role}.{name}")]
        if not meant:
            near = get_close_matches(one, [name for _, name in known], n=1)
            raise UnknownEngine(
                f"There is no engine {one!r}.",
                hint=f"Did you mean {near[0]!r}?" if near else "See: autodub engines",
            )
        if all(role == _HERE for role, _ in meant):
            raise BadOption(
                f"{one} cannot be on another machine: what it hands over are files of its own.",
                hint="Leave it out.",
            )
        found += [pair for pair in meant if pair[0] != _HERE]
    return tuple(dict.fromkeys(found))


class Directory:
    """Implements ``Elsewhere``. Safe for many threads."""

    def __init__(self, settings: Settings, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Raises UnknownEngine and BadOption for engines that cannot be elsewhere."""
        self._settings, self._clock = settings, clock
        self._named = frozenset(named(settings.remote_engines))
        self._lock = threading.Lock()
        self._known: dict[object, tuple[float, Any]] = {}

    def has(self, role: str, name: str) -> bool:
        """Whether the operator has workers elsewhere serve an engine."""
        return (role, name) in self._named

    def facts(self, engine: str, options: Mapping[str, str]) -> Facts | None:
        """What most workers say who serve it with these options; None where there is none."""

        def find() -> Facts | None:
            with self._offers() as offers:
                found = offers.of(engine)
                is_new = not any(one.options == options for one in found)
                if is_new and any(one.is_there for one in found):
                    # Nobody was asked for these yet; whoever answers offers them from now on.
                    offers.ask(_question(engine, options, "describe", ()))
                    found = offers.of(engine)
            return _facts([one for one in found if one.options == options])

        return self._remembered((engine, tuple(sorted(options.items()))), find)  # type: ignore[no-any-return]

    def ask(self, engine: str, options: Mapping[str, str], question: str, arguments: tuple[str, ...]) -> Any:
        """A worker's answer to a short question."""

        def find() -> Any:
            with self._offers() as offers:
                return json.loads(offers.ask(_question(engine, options, question, arguments)))

        return self._remembered((engine, tuple(sorted(options.items())), question, arguments), find)

    def _remembered(self, key: object, find: Callable[[], Any]) -> Any:
        with self._lock:
            until, value = self._known.get(key, (float("-inf"), None))
        if self._clock() < until:
            return value
        value = find()
        with self._lock:
            self._known = {name: known for name, known in self._known.items() if known[0] > self._clock()}
            self._known[key] = (self._clock() + _FRESH, value)
        return value

    @contextmanager
    def _offers(self) -> Iterator[Any]:
        # Opened for a moment: a directory lives as long as whoever looks into it, and nobody closes it.
        from autodub.infra.pg_index import PgIndex
        from autodub.infra.pg_offers import Offers

        index = PgIndex(self._settings.store_database.get_secret_value(), self._settings.data_dir, "nowhere")
        try:
            yield Offers(index)
        finally:
            index.close()


def _question(engine: str, options: Mapping[str, str], question: str, arguments: tuple[str, ...]) -> Any:
    from autodub.infra.pg_offers import Question

    return Question.of(engine, options, question, arguments)


def _facts(offers: list[Any]) -> Facts | None:
    """What most of them say: those who can, and who are there, before the others."""
    if not offers:
        return None
    read = [(one, codec.load(Facts, one.facts)) for one in offers]
    votes = Counter[str]()
    for one, facts in read:
        votes[one.identity] += one.places if facts.readiness.state == "ready" and one.is_there else 0
    best = max(votes, key=lambda identity: (votes[identity], identity))
    same = [(one, facts) for one, facts in read if one.identity == best]
    _, chosen = next((pair for pair in same if pair[1].readiness.state == "ready"), same[0])
    if chosen.readiness.state != "ready":
        return chosen
    there = sum(one.is_there for one, _ in same)
    silent = min(one.silent for one, _ in same)
    said = f"on {there} worker{'s' * (there != 1)}" if there else (
        f"its worker has gone {silent:.0f} seconds ago; calls wait for the next one"
    )  # fmt: skip
    # Where it lies there is nobody's business here.
    return replace(chosen, readiness=Readiness("ready", said))
