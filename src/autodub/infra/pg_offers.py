"""Which engines workers on other machines serve, and short questions to those engines.

A worker says it again every few seconds. What was not said for ``PATIENCE`` seconds is not there.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import delete, func, or_, select, update

from autodub.infra import error_text
from autodub.infra.pg_bell import call_topic, engine_topic, notify
from autodub.infra.pg_call_tables import asks, offers, prepare
from autodub.infra.pg_index import PgIndex, now
from autodub.model.errors import AutodubError, Unavailable

PATIENCE = 300.0
"""Seconds for which an engine counts as served whose last worker has gone: it may only be started anew."""
HEARTBEAT = 10.0
"""Seconds between two times that a worker says what it serves."""
SILENT = 3 * HEARTBEAT
"""Seconds after which a worker counts as away."""
_FRESH = 60.0
"""Seconds for which an answer to a question is good."""
_TAKE_UP = 20.0
"""Seconds after which nobody waits for the answer to a question any more."""
_GLANCE = 0.05
"""Seconds between two looks for an answer, which is there in no time."""
_OLD = 3600.0
"""Seconds after which a question is forgotten."""


class WorkersAway(Unavailable):
    """No worker serves what was asked for, or has said so for a while."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What a worker serves."""

    worker: str
    engine: str
    """``role.name``"""
    options: Mapping[str, str]
    """As typed; without any what the engine is by itself."""
    identity: str
    facts: str
    """As ``codec.dump`` wrote them."""
    places: int
    """Calls that the worker makes at once."""
    silent: float = 0.0
    """Seconds since it was last said."""

    @property
    def is_there(self) -> bool:
        """Whether the worker is at work."""
        return self.silent < SILENT


@dataclass(frozen=True, slots=True)
class Question:
    """What only a worker's engine knows, and says in no time."""

    id: str
    engine: str
    options: Mapping[str, str]
    question: str
    arguments: tuple[str, ...]

    @classmethod
    def of(cls, engine: str, options: Mapping[str, str], question: str, arguments: Sequence[str]) -> Question:
        """A question; the same one is the same row."""
        known = json.dumps([engine, options_text(options), question, list(arguments)])
        return cls(sha256(known.encode()).hexdigest(), engine, options, question, tuple(arguments))


class Offers:
    """What is offered, in one database. Safe for many threads."""

    def __init__(self, index: PgIndex) -> None:
        self._index = index

    def announce(self, found: Sequence[Offer]) -> None:
        """Say what is served, by a worker of this process. Raises Unavailable."""
        prepare(self._index)
        rows = [
            {
                "worker": one.worker, "engine": one.engine, "options": options_text(one.options),
                "identity": one.identity, "facts": one.facts, "places": one.places,
            }
            for one in found
        ]  # fmt: skip
        with self._index.writing() as connection:
            for row in rows:
                new = self._index.insert(offers).values(**row, seen=now)
                changed = {name: new.excluded[name] for name in ("identity", "facts", "places", "seen")}
                key = ["worker", "engine", "options"]
                connection.execute(new.on_conflict_do_update(index_elements=key, set_=changed))
        forget(self._index)

    def leave(self, worker: str) -> None:
        """A worker goes: what it served is not there any more, unless it is started anew soon."""
        with self._index.writing() as connection:
            mine = update(offers).where(offers.c.worker == worker)
            connection.execute(mine.values(seen=func.least(offers.c.seen, now - SILENT)))

    def of(self, engine: str) -> tuple[Offer, ...]:
        """Who serves an engine, or has until lately: those who are there first. Raises Unavailable."""
        prepare(self._index)
        wanted = select(offers, (now - offers.c.seen).label("silent"))
        lately = (offers.c.engine == engine, offers.c.seen > now - PATIENCE)
        with self._index.reading() as connection:
            rows = connection.execute(wanted.where(*lately)).all()
        found = [
            Offer(
                row.worker,
                row.engine,
                json.loads(row.options),
                row.identity,
                row.facts,
                row.places,
                row.silent,
            )
            for row in rows
        ]
        return tuple(sorted(found, key=lambda one: (not one.is_there, one.worker)))

    def places(self) -> Mapping[str, int]:
        """Engine -> calls that the workers which are there can make at once. Raises Unavailable."""
        prepare(self._index)
        asked = select(offers.c.engine, func.sum(offers.c.places)).where(
            offers.c.seen > now - SILENT, offers.c.options == options_text({})
        )
        with self._index.reading() as connection:
            rows = connection.execute(asked.group_by(offers.c.engine)).all()
        return {engine: int(count) for engine, count in rows}

    def has(self, engine: str, identity: str) -> bool:
        """Whether somebody serves just this engine, or has until lately. Raises Unavailable."""
        same = (offers.c.engine == engine, offers.c.identity == identity)
        lately = offers.c.seen > now - PATIENCE
        with self._index.reading() as connection:
            return (
                connection.execute(select(offers.c.worker).where(*same, lately).limit(1)).first() is not None
            )

    def ask(self, question: Question, *, patience: float = 10.0) -> str:
        """What a worker's engine answers, as JSON.

        Raises what the engine raises, WorkersAway where no worker answers in time, Unavailable.
        """
        prepare(self._index)
        new = self._index.insert(asks).values(
            id=question.id, engine=question.engine, options=options_text(question.options),
            question=question.question, arguments=json.dumps(question.arguments), asked=now,
        )  # fmt: skip
        again = {"asked": now, "answered": None, "answer": None, "error": None}
        # One that is on its way is waited for; an answer is good for a while.
        stale = or_(
            asks.c.answered < now - _FRESH, asks.c.answered.is_(None) & (asks.c.asked < now - _TAKE_UP)
        )
        with self._index.writing() as connection:
            connection.execute(new.on_conflict_do_update(index_elements=["id"], set_=again, where=stale))
            notify(connection, engine_topic(question.engine))
        end = time.monotonic() + patience
        while True:
            with self._index.reading() as connection:
                row = connection.execute(select(asks).where(asks.c.id == question.id)).one_or_none()
            if row is not None and row.error is not None:
                raise error_text.load(row.error)
            if row is not None and row.answer is not None:
                return str(row.answer)
            if row is None or time.monotonic() > end:
                raise WorkersAway(
                    f"No worker that serves {question.engine.partition('.')[2]} has answered.",
                    hint="Is it very busy, or has it just gone? Try again in a moment.",
                )
            time.sleep(_GLANCE)

    def answer(self, engines: Collection[str], reply: Callable[[Question], str]) -> int:
        """Answer what is asked of some engines; how many questions there were. Raises Unavailable."""
        prepare(self._index)
        due = (asks.c.answered.is_(None), asks.c.asked > now - _TAKE_UP, asks.c.engine.in_(engines))
        with self._index.reading() as connection:
            rows = connection.execute(select(asks).where(*due).order_by(asks.c.asked)).all()
        for row in rows:
            asked = Question(
                row.id, row.engine, json.loads(row.options), row.question, tuple(json.loads(row.arguments))
            )
            told: dict[str, str] = {}
            try:
                told["answer"] = reply(asked)
            except Unavailable:  # the database, just now; it is asked again in a moment
                continue
            except AutodubError as problem:
                told["error"] = error_text.dump(problem)
            with self._index.writing() as connection:
                mine = (asks.c.id == row.id, asks.c.answered.is_(None))
                connection.execute(update(asks).where(*mine).values(answered=now, **told))
                notify(connection, call_topic(row.id))
        return len(rows)


def forget(index: PgIndex) -> None:
    """Remove what is offered no more, and old questions. Raises Unavailable."""
    with index.writing() as connection:
        connection.execute(delete(offers).where(offers.c.seen < now - PATIENCE))
        connection.execute(delete(asks).where(asks.c.asked < now - _OLD))


def options_text(options: Mapping[str, str]) -> str:
    """The one spelling of options as they were typed."""
    return json.dumps(dict(options), sort_keys=True)
