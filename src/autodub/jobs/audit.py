"""The audit: who did what to what, from where. Rows are only ever added, each covering the one before it.

The database refuses to change or remove a row (see the first migration), and whoever gets around that
breaks the chain of digests. What a chain cannot show is that its end was cut off: keep ``head`` somewhere
else, and give it to ``verify``. Where somebody asked from is kept beside the chain, which covers it by a
salted digest only, so that the addresses of a user who is erased can go and the chain still holds.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from autodub.infra.sql import Sql
from autodub.jobs.records import Actor
from autodub.jobs.tables import audit, audit_addresses

_LOCK = 4_202
_FIRST = "0" * 64
_TOGETHER = 500


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the audit."""

    number: int
    at: float
    """Seconds since 1970."""
    actor: str
    """Id of a user, or ``system``."""
    action: str
    """Such as ``job.submitted``."""
    subject: str
    """Such as ``job:4f2a...``."""
    address: str
    """Where from; empty where nobody asked over a network, or once it was forgotten."""
    data: Mapping[str, Any]
    previous: str
    digest: str

    def as_json(self) -> dict[str, Any]:
        """Everything, as it is exported."""
        return {
            "number": self.number, "at": self.at, "actor": self.actor, "action": self.action,
            "subject": self.subject, "address": self.address, "data": dict(self.data),
            "previous": self.previous, "digest": self.digest,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Deed:
    """What is to be recorded."""

    action: str
    """Such as ``job.submitted``."""
    subject: str
    data: Mapping[str, Any]
    """No words of a dub, no name of a person, no secret."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows are wanted; what is None is not asked for."""

    actor: str | None = None
    action: str | None = None
    """A whole action, or its beginning with a dot at the end: ``job.``"""
    subject: str | None = None
    since: float | None = None
    """Seconds since 1970, the first that counts."""
    until: float | None = None
    """The first that does not count any more."""


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the chain: number and digest of its last row, 0 and zeros before there is one."""

    number: int
    digest: str

    def __str__(self) -> str:
        return f"{self.number}:{self.digest}"


@dataclass(frozen=True, slots=True)
class Verified:
    """What checking the chain came to."""

    count: int
    """Rows that were found whole, in order from the first."""
    first_bad: int | None
    """Number of the first row that is missing, changed or out of order."""
    why: str
    head: Head


def record(
    sql: Sql, connection: Connection, actor: Actor, action: str, subject: str, *, at: float,
    data: Mapping[str, Any] | None = None,
) -> None:  # fmt: skip
    """Add a row to the chain, in the transaction of what it tells of.

    ``action`` is a word such as ``job.submitted``; ``data`` holds no words of a dub, no name of a person and
    no secret: it stays when everything else is deleted.
    """
    record_all(sql, connection, actor, [Deed(action, subject, data or {})], at=at)


def record_all(sql: Sql, connection: Connection, actor: Actor, deeds: Sequence[Deed], *, at: float) -> None:
    """Add rows to the chain, as ``record``.

    Whoever else has something to record waits until this transaction ends: let it be the last that it does.
    """
    sql.alone(connection, _LOCK)
    last = _head(connection)
    rows, addresses = [], []
    for deed in deeds:
        address, salt = actor.address[:64], secrets.token_hex(16) if actor.address else ""
        row = {
            "number": last.number + 1, "at": float(at), "actor": actor.id, "action": deed.action,
            "subject": deed.subject, "address": _covered(address, salt),
            "data": json.dumps(deed.data, sort_keys=True, ensure_ascii=False), "previous": last.digest,
        }  # fmt: skip
        last = Head(last.number + 1, digest(row))
        rows.append(row | {"digest": last.digest})
        addresses.append({"number": last.number, "address": address, "salt": salt})
    if rows:
        connection.execute(insert(audit), rows)
    if rows and actor.address:
        connection.execute(insert(audit_addresses), addresses)


def digest(row: Mapping[str, Any]) -> str:
    """sha256 of everything in a row, the digest of the one before it included."""
    names = ("number", "at", "actor", "action", "subject", "address", "data", "previous")
    told = json.dumps([row[name] for name in names], ensure_ascii=False)
    return sha256(told.encode()).hexdigest()


def head(sql: Sql) -> Head:
    """The end of the chain, to be kept elsewhere."""
    with sql.reading() as connection:
        return _head(connection)


def verify(sql: Sql, *, expect: Head | None = None) -> Verified:
    """Check every row from the first to the last; ``expect`` is a head that was kept elsewhere.

    With it also that is noticed which no chain can show: an end that was cut off, or all of it made anew.
    """
    last, count = Head(0, _FIRST), 0
    for row in _rows(sql, Filter()):
        why = _wrong(row, last)
        if why:
            return Verified(count, last.number + 1, why, last)
        last, count = Head(row.number, row.digest), count + 1
        if expect is not None and expect.number == row.number and expect.digest != row.digest:
            return Verified(count - 1, row.number, "it is not the row that was there", last)
    if expect is not None and expect.number > last.number:
        return Verified(count, last.number + 1, "the end was cut off", last)
    return Verified(count, None, "", last)


def _wrong(row: Row[Any], last: Head) -> str:
    """Why a row cannot follow another; empty when it can."""
    if row.number != last.number + 1:
        return "it is missing"
    if row.previous != last.digest:
        return "it does not follow the row before it"
    if row.digest != digest(row._asdict()):
        return "it was changed"
    if row.origin is not None and _covered(row.origin, row.salt) != row.address:
        return "its address was changed"
    return ""


def entries(
    sql: Sql, wanted: Filter | None = None, *, after: int = 0, limit: int | None = None
) -> Iterator[Entry]:
    """Rows after a number, oldest first, read in portions."""
    for row in _rows(sql, wanted or Filter(), after=after, limit=limit):
        yield Entry(
            row.number, row.at, row.actor, row.action, row.subject, row.origin or "", json.loads(row.data),
            row.previous, row.digest,
        )  # fmt: skip


def export(sql: Sql, wanted: Filter | None = None) -> Iterator[str]:
    """Rows as lines of JSON, oldest first."""
    for entry in entries(sql, wanted):
        yield json.dumps(entry.as_json(), ensure_ascii=False) + "\n"


def about(sql: Sql, user: str) -> Iterator[Entry]:
    """What a user did, and what was done to the user's account."""
    mine = (audit.c.actor == user) | (audit.c.subject == f"user:{user}")
    for row in _rows(sql, Filter(), also=[mine]):
        yield Entry(
            row.number, row.at, row.actor, row.action, row.subject,
            (row.origin or "") if row.actor == user else "", json.loads(row.data), row.previous, row.digest,
        )  # fmt: skip


def forget_addresses(connection: Connection, user: str) -> None:
    """Remove where a user asked from; everything else of the rows stays, with the user's id."""
    of_user = (audit.c.actor == user) | (audit.c.subject == f"user:{user}")
    numbers = select(audit.c.number).where(of_user)
    connection.execute(delete(audit_addresses).where(audit_addresses.c.number.in_(numbers)))


def _rows(
    sql: Sql, wanted: Filter, *, after: int = 0, limit: int | None = None, also: Sequence[Any] = ()
) -> Iterator[Row[Any]]:
    chosen = (
        select(audit, audit_addresses.c.address.label("origin"), audit_addresses.c.salt)
        .join_from(audit, audit_addresses, audit.c.number == audit_addresses.c.number, isouter=True)
        .where(*also)
        .order_by(audit.c.number)
    )
    for column, value in ((audit.c.actor, wanted.actor), (audit.c.subject, wanted.subject)):
        if value is not None:
            chosen = chosen.where(column == value)
    if wanted.action is not None:
        is_group = wanted.action.endswith(".")
        chosen = chosen.where(
            audit.c.action.startswith(wanted.action, autoescape=True)
            if is_group
            else audit.c.action == wanted.action
        )
    if wanted.since is not None:
        chosen = chosen.where(audit.c.at >= wanted.since)
    if wanted.until is not None:
        chosen = chosen.where(audit.c.at < wanted.until)
    left = limit
    while left is None or left > 0:
        portion = _TOGETHER if left is None else min(_TOGETHER, left)
        with sql.reading() as connection:  # not one long look: an export must not hold back the log
            rows = connection.execute(chosen.where(audit.c.number > after).limit(portion)).all()
        yield from rows
        if len(rows) < portion:
            return
        after = rows[-1].number
        left = None if left is None else left - len(rows)


def _head(connection: Connection) -> Head:
    last = connection.execute(
        select(audit.c.number, audit.c.digest).order_by(audit.c.number.desc()).limit(1)
    ).one_or_none()
    return Head(last.number, last.digest) if last else Head(0, _FIRST)


def _covered(address: str, salt: str) -> str:
    """What the chain holds of an address; nothing of none."""
    return sha256(f"{salt}{address}".encode()).hexdigest() if address else ""
