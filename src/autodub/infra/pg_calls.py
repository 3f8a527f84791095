"""Calls that are made on other machines, as rows of the shared store's database.

The row is the truth; ``pg_bell`` only wakes who waits. A call has the key of its answer, so the same call is
there once, whoever asks for it. It is free while nobody holds it: its holder is a session of the store, and
when that is struck the call is free again. It stays for as long as somebody waits for it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from sqlalchemy import (
    ColumnElement,
    Connection,
    Exists,
    Row,
    Update,
    and_,
    delete,
    exists,
    func,
    not_,
    select,
    update,
)

from autodub.infra.error_text import dump
from autodub.infra.pg_bell import Bell, call_topic, engine_topic, notify
from autodub.infra.pg_call_tables import are_there, calls, prepare, turns, waiters
from autodub.infra.pg_index import PgIndex, now
from autodub.infra.pg_offers import Offers, forget, options_text
from autodub.infra.sessions import Session
from autodub.model.errors import AutodubError, Rejected

TRIES = 3
"""How often a call is taken up that ends whoever makes it."""
_LATE = 3600.0
"""Seconds after which nobody remembers whose turn it was."""


@dataclass(frozen=True, slots=True)
class Order:
    """A call as it is handed on."""

    key: str
    """Of its answer in the store."""
    engine: str
    """``role.name``"""
    identity: str
    """Of engine, version and options, as the caller knows them."""
    options: Mapping[str, str]
    """As the user typed them."""
    verb: str
    request: str
    """As ``codec.dump`` wrote it."""
    owner: str | None
    """Whose the answer will be."""
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a call is."""

    is_done: bool
    error: str | None
    """As ``error_text.dump`` wrote it, where it is done and has no answer."""
    is_held: bool
    """Whether somebody makes it."""
    is_ours: bool
    """Whether it is known that we wait for it."""
    fraction: float
    message: str


@dataclass(frozen=True, slots=True)
class Load:
    """What there is to do for an engine."""

    queued: int = 0
    running: int = 0
    oldest: float = 0.0
    """Seconds for which the first has waited."""
    places: int = 0
    """Calls that its workers can make at once."""


def tidy(index: PgIndex) -> None:
    """Remove calls that nobody waits for and nobody makes, and what is known of workers that are gone.

    Workers do so all the time; this is for when there are none any more: calls have words of a dub.
    """
    if are_there(index):
        index.again(lambda connection: connection.execute(delete(calls).where(_left())))
        forget(index)


class CallBoard:
    """The calls, as one session of the store sees them. Safe for many threads."""

    def __init__(self, index: PgIndex, session: Session, bell: Bell) -> None:
        self._index, self._session, self.bell = index, session, bell

    @contextmanager
    def waiting(self, order: Order) -> Iterator[None]:
        """Have a call made, by whoever serves it; it is withdrawn when the last one stops waiting."""
        self.ask(order)
        try:
            yield
        finally:
            self._leave(order.key)

    def ask(self, order: Order) -> None:
        """Have a call made, if it is not there already, and wait for it."""
        prepare(self._index)
        self._session.ours(lambda connection: self._ask(connection, order))

    def _ask(self, connection: Connection, order: Order) -> None:
        new = self._index.insert(calls).values(
            key=order.key, engine=order.engine, identity=order.identity, options=options_text(order.options),
            verb=order.verb, request=order.request, owner=order.owner,
            job=order.owner or self._session.id, queued=now, attempt=0, fraction=0.0, message="", done=False,
        )  # fmt: skip
        again = {name: new.excluded[name] for name in ("queued", "attempt", "fraction", "message", "done")}
        # One that is done was asked for by somebody else, and has failed, or its answer has gone since.
        added = new.on_conflict_do_update(
            index_elements=["key"], set_={**again, "error": None, "begun": None}, where=calls.c.done
        )
        connection.execute(added)
        mine = {"key": order.key, "session": self._session.id}
        connection.execute(self._index.insert(waiters).on_conflict_do_nothing(), mine)
        notify(connection, engine_topic(order.engine))

    def _leave(self, key: str) -> None:
        def work(connection: Connection) -> None:
            # The row first: of two who leave at once one is the last.
            connection.execute(select(calls.c.key).where(calls.c.key == key).with_for_update())
            connection.execute(delete(waiters).where(*self._waits(key)))
            connection.execute(delete(calls).where(calls.c.key == key, _left()))

        self._index.again(work)

    @property
    def offers(self) -> Offers:
        """What workers serve."""
        return Offers(self._index)

    @property
    def worker(self) -> str:
        """The name of this session, as a worker's."""
        return self._session.id

    def look(self, key: str) -> Progress | None:
        """How far a call is; None where it is not there any more."""
        with self._index.reading() as connection:
            row = connection.execute(
                select(calls, exists().where(*self._waits(key)).label("ours")).where(calls.c.key == key)
            ).one_or_none()
        if row is None:
            return None
        return Progress(row.done, row.error, row.holder is not None, row.ours, row.fraction, row.message)

    def claim(self, engines: Collection[str], *, without: Collection[str] = ()) -> Order | None:
        """Take up the call whose turn it is; jobs take turns. None where nothing is to be done.

        ``without`` are identities that this worker does not serve.
        """
        if not engines:
            return None
        prepare(self._index)
        found = self._session.ours(lambda connection: self._claim(connection, engines, without))
        if found is None:  # there is time to see who is gone, and has left something
            self._session.look()
        return found

    def _claim(
        self, connection: Connection, engines: Collection[str], without: Collection[str]
    ) -> Order | None:
        connection.execute(delete(calls).where(_left()))
        free = and_(calls.c.holder.is_(None), not_(calls.c.done), calls.c.engine.in_(engines))
        if without:
            free &= calls.c.identity.not_in(without)
        last = select(turns.c.served).where(turns.c.job == calls.c.job).scalar_subquery()
        turn = (func.coalesce(last, 0.0), calls.c.queued, calls.c.key)
        while True:
            first = select(calls).where(free).order_by(*turn).limit(1)
            row = connection.execute(first.with_for_update(skip_locked=True)).one_or_none()
            if row is None or row.attempt < TRIES:
                break
            connection.execute(_ended(row.key, _deadly(row)))
            notify(connection, call_topic(row.key))
        if row is None:
            return None
        taken = {"holder": self._session.id, "begun": now, "attempt": row.attempt + 1}
        connection.execute(update(calls).where(calls.c.key == row.key).values(**taken))
        served = self._index.insert(turns).values(job=row.job, served=now)
        connection.execute(served.on_conflict_do_update(index_elements=["job"], set_={"served": now}))
        connection.execute(delete(turns).where(turns.c.served < now - _LATE))
        return _order(row)

    def loads(self) -> Mapping[str, Load]:
        """Engine -> what there is to do for it, and who does it. Raises Unavailable."""
        prepare(self._index)
        is_free = calls.c.holder.is_(None)
        asked = select(
            calls.c.engine,
            func.count().filter(is_free),
            func.count().filter(not_(is_free)),
            func.coalesce(now - func.min(calls.c.queued).filter(is_free), 0.0),
        )
        with self._index.reading() as connection:
            rows = connection.execute(asked.where(not_(calls.c.done)).group_by(calls.c.engine)).all()
        there = self.offers.places()
        found = {engine: Load(free, held, max(0.0, wait)) for engine, free, held, wait in rows}
        return {
            engine: replace(found.get(engine, Load()), places=there.get(engine, 0))
            for engine in sorted(found.keys() | there.keys())
        }

    def tell(self, key: str, fraction: float, message: str) -> tuple[bool, bool]:
        """Say how far our call is; whether it is still ours, and whether anybody waits for it."""
        ours = update(calls).where(self._held(key)).values(fraction=fraction, message=message)
        with self._index.writing() as connection:
            row = connection.execute(ours.returning(_wanted().label("wanted"))).one_or_none()
        return row is not None, row is not None and bool(row.wanted)

    def finish(self, key: str, problem: AutodubError | None = None) -> bool:
        """Say that our call has its answer in the store, or none; False when it is another one's by now."""

        def work(connection: Connection) -> bool:
            ended = connection.execute(_ended(key, problem).where(self._held(key)))
            notify(connection, call_topic(key))
            return ended.rowcount == 1

        return self._index.again(work)

    def hand_back(self, key: str) -> None:
        """Leave our call to another worker, as if it had not been taken up."""

        def work(connection: Connection) -> None:
            mine = update(calls).where(self._held(key))
            back = mine.values(holder=None, attempt=calls.c.attempt - 1, fraction=0.0, message="")
            for engine in connection.execute(back.returning(calls.c.engine)).scalars():
                notify(connection, engine_topic(engine))

        self._index.again(work)

    def _waits(self, key: str) -> tuple[ColumnElement[bool], ...]:
        return waiters.c.key == key, waiters.c.session == self._session.id

    def _held(self, key: str) -> ColumnElement[bool]:
        return and_(calls.c.key == key, calls.c.holder == self._session.id)


def _wanted() -> Exists:
    return exists().where(waiters.c.key == calls.c.key)


def _left() -> ColumnElement[bool]:
    return and_(calls.c.holder.is_(None), ~_wanted())


def _ended(key: str, problem: AutodubError | None) -> Update:
    error = None if problem is None else dump(problem)
    return update(calls).where(calls.c.key == key).values(done=True, holder=None, error=error)


def _deadly(row: Row[tuple[object, ...]]) -> Rejected:
    return Rejected(
        f"{TRIES} workers ended while they did this for {row.engine}.",
        hint="The workers' logs say more. Is there enough memory where they run?",
        engine=str(row.engine),
    )


def _order(row: Row[tuple[object, ...]]) -> Order:
    return Order(
        row.key, row.engine, row.identity, json.loads(row.options), row.verb, row.request, row.owner,
        row.attempt + 1,
    )  # fmt: skip
