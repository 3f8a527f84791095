"""Sessions of browsers: a random secret in a cookie, of which the database knows only the digest."""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sqlalchemy import Row, bindparam, delete, insert, select, update

from autodub.infra.server_settings import ServerSettings
from autodub.infra.sql import Sql
from autodub.jobs import audit
from autodub.jobs.accounts import Account, account_of
from autodub.jobs.records import Actor
from autodub.jobs.tables import sessions, users
from autodub.model.errors import Forbidden, NotFound

_DAY = 86_400.0
_WRITTEN = 60.0
"""Seconds between two notes that a session is used."""
_ID = 32
_WHOSE = (  # made once: every request of a browser asks this
    select(
        sessions.c.digest, sessions.c.created.label("opened"), sessions.c.used, sessions.c.expires,
        sessions.c.agent, users,
    )
    .join(users, users.c.id == sessions.c.owner)
    .where(sessions.c.digest == bindparam("digest"), sessions.c.expires > bindparam("now"), users.c.active)
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Session:
    """A login, as its owner sees it. Times are seconds since 1970."""

    id: str
    """Names the session; lets nobody in."""
    created: float
    used: float
    expires: float
    agent: str
    """What the browser calls itself."""


@dataclass(frozen=True, slots=True)
class Login:
    """A session that was shown, and whose it is."""

    session: Session
    account: Account
    was_renewed: bool
    """Whether it now lasts longer, so that the browser's cookie must, too."""


class Sessions:
    """The sessions of a platform. Safe for many threads and processes."""

    def __init__(self, sql: Sql, settings: ServerSettings, *, clock: Callable[[], float] = time.time) -> None:
        self._sql, self._settings, self._clock = sql, settings, clock

    @property
    def lasts(self) -> float:
        """Seconds a session lasts without use."""
        return self._settings.session_days * _DAY

    def open(self, account: Account, *, agent: str = "", address: str = "") -> tuple[str, Session]:
        """A new session: the secret for the cookie, which is kept nowhere, and what is known of it."""
        secret, now = secrets.token_urlsafe(32), self._clock()
        session = Session(_digest(secret)[:_ID], now, now, now + self.lasts, _printable(agent)[:200])
        row = {
            "digest": _digest(secret), "owner": account.id, "created": now, "used": now,
            "expires": session.expires, "agent": session.agent,
        }  # fmt: skip
        with self._sql.writing() as connection:
            connection.execute(insert(sessions).values(**row))
            actor = Actor(account.id, address=address)
            audit.record(self._sql, connection, actor, "session.opened", f"user:{account.id}", at=now)
        return secret, session

    def find(self, secret: str) -> Login | None:
        """Whose session a cookie stands for; it lasts longer by use. None: not good, or not any more."""
        now = self._clock()
        with self._sql.reading() as connection:
            row = connection.execute(_WHOSE, {"digest": _digest(secret), "now": now}).one_or_none()
        if row is None:
            return None
        used, expires = row.used, row.expires
        renewed = now - used >= _WRITTEN
        if renewed:
            used, expires = now, now + self.lasts
            same = sessions.c.digest == row.digest
            with self._sql.writing() as connection:
                connection.execute(update(sessions).where(same).values(used=used, expires=expires))
        session = Session(row.digest[:_ID], row.opened, used, expires, row.agent)
        return Login(session, account_of(row), renewed)

    def list(self, actor: Actor) -> list[Session]:
        """One's own sessions, the last used first."""
        wanted = select(sessions).where(sessions.c.owner == actor.id, sessions.c.expires > self._clock())
        with self._sql.reading() as connection:
            return [_session(row) for row in connection.execute(wanted.order_by(sessions.c.used.desc()))]

    def close(self, actor: Actor, session: str) -> None:
        """End one of one's own sessions. Raises NotFound."""
        _no_key(actor)
        with self._sql.writing() as connection:
            mine = sessions.c.owner == actor.id
            gone = delete(sessions).where(mine, sessions.c.digest.startswith(session, autoescape=True))
            if len(session) != _ID or connection.execute(gone).rowcount != 1:
                raise NotFound("There is no such session.", hint="It may be over already.")
            self._told(connection, actor)

    def close_all(self, actor: Actor, *, but: str = "") -> int:
        """End one's sessions, all ``but`` one; how many there were."""
        _no_key(actor)
        with self._sql.writing() as connection:
            gone = delete(sessions).where(sessions.c.owner == actor.id)
            if but:
                gone = gone.where(~sessions.c.digest.startswith(but, autoescape=True))
            count = connection.execute(gone).rowcount
            if count:
                self._told(connection, actor)
        return count

    def forget(self, secret: str) -> None:
        """End the session of a cookie, whoever it is."""
        with self._sql.writing() as connection:
            connection.execute(delete(sessions).where(sessions.c.digest == _digest(secret)))

    def sweep(self, now: float) -> None:
        """Take out the sessions that are over."""
        with self._sql.writing() as connection:
            connection.execute(delete(sessions).where(sessions.c.expires <= now))

    def _told(self, connection: Any, actor: Actor) -> None:
        audit.record(self._sql, connection, actor, "session.closed", f"user:{actor.id}", at=self._clock())


def guard(secret: str) -> str:
    """What a page must send with every change beside the cookie: only who can read the interface knows it."""
    return hmac.new(secret.encode(), b"autodub csrf", sha256).hexdigest()


def _digest(secret: str) -> str:
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _session(row: Row[Any]) -> Session:
    return Session(row.digest[:_ID], row.created, row.used, row.expires, row.agent)


def _printable(text: str) -> str:
    return "".join(one if one.isprintable() else " " for one in text)


def _no_key(actor: Actor) -> None:
    if actor.key:
        raise Forbidden("A key cannot end sessions.", hint="Log in with the password.")
