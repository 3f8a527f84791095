"""Tables of calls that are made on other machines, beside the shared store's own.

They are made when they are first needed, and are nobody's whose release does not know them. What lies in them
is passing: a call goes when its caller has the answer. A release that needs other columns takes other names.
"""

from __future__ import annotations

import threading
from weakref import WeakSet

from sqlalchemy import Boolean, Column, Float, ForeignKey, Integer, MetaData, String, Table, Text, inspect

from autodub.infra.pg_index import SCHEMA, PgIndex, sessions

_MAKING = 0x6175746F_64756243  # the number of the lock under which tables are made
_metadata = MetaData()
_lock = threading.Lock()
_made = WeakSet[PgIndex]()

calls = Table(
    "calls",
    _metadata,
    Column("key", String, primary_key=True),  # of its answer: the same call is there once
    Column("engine", String, nullable=False, index=True),  # role.name
    Column("identity", String, nullable=False),  # of engine, version and options, as the caller knows them
    Column("options", Text, nullable=False),
    Column("verb", String, nullable=False),
    Column("request", Text, nullable=False),
    Column("owner", String, nullable=True),  # whose the answer is, in the store
    Column("job", String, nullable=False),  # between whom workers take turns
    Column("queued", Float, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("begun", Float, nullable=True),
    # Nobody, or who makes it. A worker that is gone loses its session, and the call is there for the next.
    Column("holder", ForeignKey(sessions.c.id, ondelete="SET NULL"), nullable=True, index=True),
    Column("fraction", Float, nullable=False),
    Column("message", Text, nullable=False),
    Column("done", Boolean, nullable=False),
    Column("error", Text, nullable=True),  # done without an answer
)
"""Calls that somebody waits for."""

waiters = Table(
    "call_waiters",
    _metadata,
    Column("key", ForeignKey(calls.c.key, ondelete="CASCADE"), primary_key=True),
    Column("session", ForeignKey(sessions.c.id, ondelete="CASCADE"), primary_key=True, index=True),
)
"""Who waits for a call. A caller that is gone loses its session; a call without any is withdrawn."""

turns = Table(
    "call_turns",
    _metadata,
    Column("job", String, primary_key=True),
    Column("served", Float, nullable=False),
)
"""When a job's calls were last taken up."""

offers = Table(
    "call_offers",
    _metadata,
    Column("worker", String, primary_key=True),  # its session
    Column("engine", String, primary_key=True),
    Column("options", Text, primary_key=True),
    Column("identity", String, nullable=False, index=True),
    Column("facts", Text, nullable=False),
    Column("places", Integer, nullable=False),
    Column("seen", Float, nullable=False),
)
"""Which engines with which options workers serve, or why they cannot."""

asks = Table(
    "call_asks",
    _metadata,
    Column("id", String, primary_key=True),
    Column("engine", String, nullable=False),
    Column("options", Text, nullable=False),
    Column("question", String, nullable=False),
    Column("arguments", Text, nullable=False),
    Column("asked", Float, nullable=False),
    Column("answered", Float, nullable=True),
    Column("answer", Text, nullable=True),
    Column("error", Text, nullable=True),
)
"""Questions that only a worker's own engine can answer, and take no time: whether it knows a language."""


def are_there(index: PgIndex) -> bool:
    """Whether anybody has made them. Raises Unavailable."""
    with index.reading() as connection:
        return inspect(connection).has_table(calls.name, schema=SCHEMA)


def prepare(index: PgIndex) -> None:
    """Make the tables once, whoever comes first. Raises Unavailable."""
    with _lock:
        if index in _made:
            return
    with index.writing() as connection:
        index.alone(connection, _MAKING)
        if not inspect(connection).has_table(calls.name, schema=SCHEMA):
            _metadata.create_all(connection, checkfirst=False)
    with _lock:
        _made.add(index)
