"""API keys: made once, shown once, kept as digests only."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sqlalchemy import Row, bindparam, insert, or_, select, update

from autodub.infra.sql import Sql
from autodub.jobs import audit
from autodub.jobs.accounts import Account, account_of
from autodub.jobs.records import SCOPES, Actor
from autodub.jobs.tables import keys, users
from autodub.model.errors import BadOption, Conflict, Forbidden, NotFound

PREFIX = "adk_"
"""Every key begins so: scanners for leaked secrets find it."""
_SECRET = 43
"""Characters of 256 random bits."""
_HINT = 10
_WRITTEN = 60.0
"""Seconds between two notes that a key is used."""
_LOCK = 4_217
_MOST = 100
"""Keys of one user that are good at the same time."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key as its owner sees it. Times are seconds since 1970."""

    id: str
    owner: str
    name: str
    hint: str
    """Its first characters."""
    scopes: tuple[str, ...]
    created: float
    used: float | None
    """To the minute; None = never."""
    expires: float | None
    """None = never."""
    revoked: float | None


class Keys:
    """The keys of a platform. Safe for many threads and processes."""

    def __init__(self, sql: Sql, *, clock: Callable[[], float] = time.time) -> None:
        self._sql, self._clock = sql, clock

    def create(
        self, actor: Actor, name: str, scopes: Iterable[str], *, expires: float | None = None,
        owner: str | None = None,
    ) -> tuple[str, Key]:  # fmt: skip
        """A new key for oneself, or as an admin for ``owner``: its text, kept nowhere, and what it is.

        Raises BadOption, Forbidden for scopes its maker or owner lacks, NotFound for an unknown owner.
        """
        _may(actor)
        wanted, now, owner = set(scopes), self._clock(), owner or actor.id
        if not 1 <= len(name.strip()) <= 100 or not name.isprintable():
            raise BadOption("A key's name has 1 to 100 characters on one line.", hint="Say what it is for.")
        if not wanted or wanted - set(SCOPES):
            raise BadOption("The scopes are not right.", hint=f"Choose among {', '.join(SCOPES)}.")
        if expires is not None and expires <= now:
            raise BadOption(
                "The key would have expired already.", hint="Give a time to come, in seconds since 1970."
            )
        if wanted - actor.scopes:
            raise Forbidden(_more(wanted - actor.scopes), hint="Leave them out.")
        text = PREFIX + secrets.token_urlsafe(32)
        key = Key(
            id=secrets.token_hex(16), owner=owner, name=name.strip(), hint=text[:_HINT],
            scopes=tuple(one for one in SCOPES if one in wanted), created=now, used=None, expires=expires,
            revoked=None,
        )  # fmt: skip

        def work(connection: Any) -> None:
            self._sql.alone(connection, _LOCK)  # of two who count at once the second sees the first one's
            row = connection.execute(select(users).where(users.c.id == owner)).one_or_none()
            if row is None or not (actor.is_admin or owner == actor.id):
                raise NotFound("There is no such user.", hint="Look at the list of users.")
            if not row.active:
                raise Conflict(f"The user {row.name} may not log in.", hint="An admin can allow it.")
            if wanted - account_of(row).scopes:
                raise Forbidden(_more(wanted - account_of(row).scopes), hint="Leave them out.")
            good = select(keys.c.id).where(keys.c.owner == owner, _is_good(now))
            if len(connection.execute(good.limit(_MOST)).all()) >= _MOST:
                raise Conflict(f"There are {_MOST} keys already.", hint="Revoke those nobody uses.")
            connection.execute(
                insert(keys).values(
                    id=key.id, owner=owner, name=key.name, digest=_digest(text), hint=key.hint,
                    scopes=" ".join(key.scopes), created=now, expires=expires,
                )
            )  # fmt: skip
            told = {"owner": owner, "scopes": list(key.scopes)}
            audit.record(self._sql, connection, actor, "key.created", f"key:{key.id}", at=now, data=told)

        self._sql.again(work)
        return text, key

    def list(self, actor: Actor, *, owner: str | None = None) -> list[Key]:
        """One's own keys, newest first; admins may see those of another ``owner``, or ``*`` for all."""
        wanted = select(keys).order_by(keys.c.created.desc(), keys.c.id)
        if not (actor.is_admin and owner == "*"):
            wanted = wanted.where(keys.c.owner == (owner if actor.is_admin and owner else actor.id))
        with self._sql.reading() as connection:
            return [_key(row) for row in connection.execute(wanted)]

    def get(self, actor: Actor, key: str) -> Key:
        """One key. Raises NotFound, also for one of somebody else."""
        with self._sql.reading() as connection:
            return self._own(connection, actor, key)

    def revoke(self, actor: Actor, key: str) -> Key:
        """Make a key good for nothing, at once. Raises NotFound."""

        def work(connection: Any) -> Key:
            found, now = self._own(connection, actor, key), self._clock()
            if actor.key != key:  # one that leaked may always be given up by whoever has it
                _may(actor)
            if found.revoked is None:
                connection.execute(update(keys).where(keys.c.id == key).values(revoked=now))
                audit.record(self._sql, connection, actor, "key.revoked", f"key:{key}", at=now)
            return self._own(connection, actor, key)

        return self._sql.again(work)

    def find(self, text: str) -> tuple[Key, Account] | None:
        """What a key stands for, and whose it is. None: it is not good, or not any more."""
        if not text.startswith(PREFIX) or len(text) != len(PREFIX) + _SECRET or not text.isascii():
            return None
        now = self._clock()
        with self._sql.reading() as connection:
            row = connection.execute(_WHOSE, {"digest": _digest(text), "now": now}).one_or_none()
        if row is None:
            return None
        if row.key_used is None or now - row.key_used >= _WRITTEN:
            stale = or_(keys.c.used.is_(None), keys.c.used <= now - _WRITTEN)
            with self._sql.writing() as connection:
                connection.execute(update(keys).where(keys.c.id == row.key_id, stale).values(used=now))
        account = account_of(row)
        scopes = tuple(one for one in row.key_scopes.split() if one in account.scopes)
        return Key(
            row.key_id, row.key_owner, row.key_name, row.key_hint, scopes, row.key_created, row.key_used,
            row.key_expires, row.key_revoked,
        ), account  # fmt: skip

    def _own(self, connection: Any, actor: Actor, key: str) -> Key:
        row = connection.execute(select(keys).where(keys.c.id == key)).one_or_none()
        if row is None or not (row.owner == actor.id or actor.is_admin):
            raise NotFound(f"There is no key {key[:40]}.", hint="Look at the list of keys.")
        return _key(row)


def _is_good(now: Any) -> Any:
    return keys.c.revoked.is_(None) & or_(keys.c.expires.is_(None), keys.c.expires > now)


def _may(actor: Actor) -> None:
    """A key that leaked must not be able to make others that outlive it."""
    if actor.key and not actor.is_admin:
        raise Forbidden("A key cannot make or revoke keys.", hint="Log in, or use an admin's key.")


def _more(scopes: set[str]) -> str:
    return f"A key may not do more than its owner: {', '.join(sorted(scopes))}."


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def _key(row: Row[Any]) -> Key:
    return Key(
        row.id, row.owner, row.name, row.hint, tuple(row.scopes.split()), row.created, row.used, row.expires,
        row.revoked,
    )  # fmt: skip


_WHOSE = (  # made once: every request with a key asks this
    select(users, *(column.label(f"key_{column.name}") for column in keys.c))
    .join(users, users.c.id == keys.c.owner)
    .where(keys.c.digest == bindparam("digest"), _is_good(bindparam("now")), users.c.active)
)
