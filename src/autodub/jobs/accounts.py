"""Accounts: who may use the platform, with what role, password and limits."""

from __future__ import annotations

import secrets
import time
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from sqlalchemy import Connection, Row, and_, delete, func, or_, select, update

from autodub.infra.sql import Sql
from autodub.jobs import audit, passwords
from autodub.jobs.passwords import Passwords
from autodub.jobs.records import LOCAL, SCOPES, Actor
from autodub.jobs.tables import keys, sessions, users
from autodub.model.errors import BadOption, Conflict, Forbidden, NotFound, Unauthenticated

Role = Literal["user", "admin"]
LIMITS = ("minutes", "dollars", "running")
"""What an admin may set for one user; None means as the server's settings say."""
_LOCK = 4_210


@dataclass(frozen=True, slots=True)
class Account:
    """A user as an admin sees them."""

    id: str
    name: str
    role: Role
    active: bool
    created: float
    minutes: float | None
    """Of programme in a month; None = the server's setting, 0 = no limit."""
    dollars: Decimal | None
    """In a month; likewise."""
    running: int | None
    """Jobs at once; None = the server's setting."""
    has_password: bool
    leaving: float | None
    """Since when everything of this user is being erased."""

    @property
    def scopes(self) -> frozenset[str]:
        """What this user may do."""
        return frozenset(SCOPES if self.role == "admin" else SCOPES[:-1])


def account_of(row: Row[Any]) -> Account:
    """A row of ``users``."""
    return Account(
        id=row.id, name=row.name, role=row.role, active=row.active, created=row.created, minutes=row.minutes,
        dollars=None if row.dollars is None else Decimal(row.dollars), running=row.running,
        has_password=row.password is not None, leaving=row.leaving,
    )  # fmt: skip


class Accounts:
    """The accounts of a platform."""

    def __init__(
        self, sql: Sql, passwords: Passwords | None = None, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._sql, self._passwords, self._clock = sql, passwords or Passwords(), clock

    def create(
        self, actor: Actor, name: str, password: str | None, *, role: Role = "user",
        limits: Mapping[str, Any] | None = None,
    ) -> Account:  # fmt: skip
        """Add a user; without a password they can use keys only. Raises Conflict when the name is taken."""
        _admin(actor)
        name = cleaned(name)
        digest = self._digest(password, name)
        user = secrets.token_hex(16)
        row = {
            "id": user, "name": name, "password": digest, "role": role, "active": True,
            "created": self._clock(),
        }  # fmt: skip

        def work(connection: Connection) -> Account:
            values = row | _limits(limits or {})
            added = self._sql.insert(users).values(**values).on_conflict_do_nothing(index_elements=["name"])
            if connection.execute(added.returning(users.c.id)).first() is None:
                raise Conflict(f"There is a user {name} already.", hint="Choose another name.")
            self._tell(connection, actor, "user.created", user, {"role": role})
            return self._row(connection, user)

        return self._sql.again(work)

    def list(self, actor: Actor) -> list[Account]:
        """Everybody, by name."""
        _admin(actor)
        with self._sql.reading() as connection:
            return [account_of(row) for row in connection.execute(select(users).order_by(users.c.name))]

    def get(self, actor: Actor, user: str) -> Account:
        """One user. Raises NotFound, also for somebody else unless an admin asks."""
        with self._sql.reading() as connection:
            return self._own(connection, actor, user)

    def named(self, actor: Actor, name: str) -> Account:
        """The user of a name."""
        _admin(actor)
        with self._sql.reading() as connection:
            wanted = select(users).where(users.c.name == cleaned(name))
            row = connection.execute(wanted).one_or_none()
        if row is None:
            raise NotFound(f"There is no user {name[:200]}.", hint="Look at the list of users.")
        return account_of(row)

    def update(
        self, actor: Actor, user: str, *, role: Role | None = None, active: bool | None = None,
        limits: Mapping[str, Any] | None = None,
    ) -> Account:  # fmt: skip
        """Change what is named. Raises Conflict where no admin would be left who can log in."""
        _admin(actor)
        values: dict[str, Any] = _limits(limits or {})
        values |= {} if role is None else {"role": role}
        values |= {} if active is None else {"active": active}

        def work(connection: Connection) -> Account:
            self._sql.alone(connection, _LOCK)
            found = self._own(connection, actor, user)
            if user == LOCAL and values.keys() & {"role", "active"}:
                raise Conflict(
                    "The user local is who works at the server itself.", hint="Make another user for people."
                )
            if active and found.leaving is not None:
                raise Conflict(f"The user {found.name} is being erased.", hint="Make a new one.")
            if values:
                connection.execute(update(users).where(users.c.id == user).values(**values))
                told = {
                    name: float(value) if isinstance(value, Decimal) else value
                    for name, value in values.items()
                }
                self._tell(connection, actor, "user.changed", user, told)
            if active is False:
                connection.execute(delete(sessions).where(sessions.c.owner == user))
            if found.role == "admin" and found.active and (role == "user" or active is False):
                _require_admin(connection)
            return self._row(connection, user)

        return self._sql.again(work)

    def closed(self, actor: Actor, user: str) -> Account:
        """Let a user who is to be erased do nothing any more: no login, no session, no key.

        Raises Conflict for the last admin, and for the user there must be without accounts.
        """
        if actor.id != user:
            _admin(actor)

        def work(connection: Connection) -> Account:
            self._sql.alone(connection, _LOCK)
            found = self._own(connection, actor, user)
            if user == LOCAL:
                raise Conflict("The user local is who works at the server itself.", hint="Delete its jobs.")
            connection.execute(update(users).where(users.c.id == user).values(active=False, password=None))
            connection.execute(delete(sessions).where(sessions.c.owner == user))
            connection.execute(
                update(keys)
                .where(keys.c.owner == user, keys.c.revoked.is_(None))
                .values(revoked=self._clock())
            )
            if found.role == "admin" and found.active:
                _require_admin(connection)
            self._tell(connection, actor, "user.closed", user, {})
            return self._row(connection, user)

        return self._sql.again(work)

    def set_password(self, actor: Actor, user: str, password: str | None) -> None:
        """Give a user another password (None: keys only), and end every session of theirs."""
        _admin(actor)
        self._keep(actor, self.get(actor, user), password)

    def change_password(self, actor: Actor, current: str, password: str) -> None:
        """Change one's own password, and end every session. Raises Forbidden for a wrong one."""
        if actor.key:
            raise Forbidden("A key cannot change a password.", hint="Log in with the password.")
        with self._sql.reading() as connection:
            row = connection.execute(select(users).where(users.c.id == actor.id)).one_or_none()
        if row is None or not self._passwords.matches(row.password, current):
            raise Forbidden("The current password is not right.", hint="Type it again.")
        self._keep(actor, account_of(row), password)

    def _keep(self, actor: Actor, account: Account, password: str | None) -> None:
        digest = self._digest(password, account.name)

        def work(connection: Connection) -> None:
            self._sql.alone(connection, _LOCK)
            connection.execute(update(users).where(users.c.id == account.id).values(password=digest))
            connection.execute(delete(sessions).where(sessions.c.owner == account.id))
            self._tell(connection, actor, "user.password_changed", account.id, {})

        self._sql.again(work)

    def authenticated(self, name: str, password: str, *, address: str = "") -> Account:
        """Who has this name and password.

        Raises Unauthenticated, in the same words and after as long a time for an unknown name, a wrong
        password and a user who may not log in.
        """
        wanted = select(users).where(users.c.name == _folded(name), users.c.active)
        with self._sql.reading() as connection:
            row = connection.execute(wanted).one_or_none() if _can_be_a_name(_folded(name)) else None
        digest = row.password if row else None
        if not self._passwords.matches(digest, password[: passwords.LONGEST + 1]) or row is None:
            told = Actor(row.id if row else "", address=address)
            with self._sql.writing() as connection:
                audit.record(self._sql, connection, told, "login.failed", f"user:{told.id}", at=self._clock())
            raise Unauthenticated("Name or password is not right.", hint="Type both again.")
        if self._passwords.is_outdated(row.password):
            same = and_(users.c.id == row.id, users.c.password == row.password)
            renewed = self._passwords.digest(password)
            with self._sql.writing() as connection:
                connection.execute(update(users).where(same).values(password=renewed))
        return account_of(row)

    def has_admin(self) -> bool:
        """Whether there is an admin who can log in or use a key."""
        with self._sql.reading() as connection:
            return _admins(connection) > 0

    def _digest(self, password: str | None, name: str) -> str | None:
        if password is None:
            return None
        passwords.check(password, name=name)
        return self._passwords.digest(password)

    def _own(self, connection: Connection, actor: Actor, user: str) -> Account:
        row = connection.execute(select(users).where(users.c.id == user)).one_or_none()
        if row is None or not (actor.id == user or actor.is_admin):
            raise NotFound(f"There is no user {user[:40]}.", hint="Look at the list of users.")
        return account_of(row)

    def _row(self, connection: Connection, user: str) -> Account:
        return account_of(connection.execute(select(users).where(users.c.id == user)).one())

    def _tell(
        self, connection: Connection, actor: Actor, action: str, user: str, data: Mapping[str, Any]
    ) -> None:
        audit.record(self._sql, connection, actor, action, f"user:{user}", at=self._clock(), data=data)


def cleaned(name: str) -> str:
    """A user's name as it is kept: lower case, no blanks. Raises BadOption for what cannot be one."""
    kept = _folded(name)
    if not _can_be_a_name(kept):
        raise BadOption(
            "A user's name has 1 to 200 characters and no blanks.",
            hint="An e-mail address or a word will do.",
        )
    return kept


def _can_be_a_name(kept: str) -> bool:
    return 1 <= len(kept) <= 200 and not any(unicodedata.category(one)[0] in "CZ" for one in kept)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).strip().casefold()


def _admin(actor: Actor) -> None:
    if not actor.is_admin:
        raise Forbidden("Only an admin may do this.", hint="Ask an admin of the server.")


def _limits(limits: Mapping[str, Any]) -> dict[str, Any]:
    for name, value in limits.items():
        if name not in LIMITS:
            raise BadOption(f"There is no limit {name!r}.", hint=f"There are: {', '.join(LIMITS)}.")
        if value is not None and value < (1 if name == "running" else 0):
            raise BadOption(f"The limit {name} is too small.", hint="0 minutes or dollars: no limit.")
    return dict(limits)


def _admins(connection: Connection) -> int:
    can = or_(users.c.id != LOCAL, users.c.password.is_not(None))
    wanted = select(func.count()).where(users.c.role == "admin", users.c.active, can)
    return int(connection.execute(wanted).scalar_one())


def _require_admin(connection: Connection) -> None:
    if not _admins(connection):
        raise Conflict("This is the only admin.", hint="Make somebody else an admin first.")
