"""Voices rented at a provider's account, so recorded that a crash leaves none that nobody knows of.

A rental is *pending* before the provider is asked (under a name that holds a random token), *ready*
once its handle is known, *leaving* when it should be deleted, and *stray* when it may have been made
without our hearing of it. Rows go only after the provider has confirmed that there is nothing left.

Two locks guard them: one per identity, held while a voice is made or deleted, and one per
rental, shared by all who use it; both are free again when their holder is killed.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal, Protocol

from sqlalchemy import delete, insert, select, update

from autodub.infra.database import rentals
from autodub.infra.locks import FileLock
from autodub.infra.storage import Index, Lock

PREFIX = "autodub-"
"""How the name of everything we rent begins."""
State = Literal["pending", "ready", "leaving", "stray"]
_FIRST_POLL, _SLOWEST_POLL = 0.01, 0.25  # seconds between tries for another's lock


@dataclass(frozen=True, slots=True)
class Rental:
    """One voice at a provider's account."""

    token: str
    account: str
    engine: str
    """``role.name`` of the engine that rented it."""
    identity: str
    """What the voice is made from; the same in every job."""
    name: str
    """As the provider knows it."""
    handle: str | None
    """The provider's id, once known."""
    state: State
    kept: bool
    """Left in the account on request."""
    created: float
    used: float
    """Epoch seconds."""
    trouble: str
    """Why it could not be given back."""
    released: bool = False
    """No kept answer names it any more, so it is to be given back; using it again takes that back."""


class Landlord(Protocol):
    """Whoever can look into the account."""

    def forget(self, handle: str) -> None:
        """Delete a voice; one that is gone already is no error."""
        ...

    def rented(self, prefix: str) -> Mapping[str, str]:
        """Handles by name, of voices whose name begins so."""
        ...


class User(Protocol):
    """A job that uses rentals."""

    def release(self) -> None:
        """Use nothing any more."""
        ...


class Rentals:
    """The rentals of one data directory. Safe for many threads and processes at once."""

    def __init__(
        self,
        database: Index,
        folder: Path,
        *,
        clock: Callable[[], float] = time.time,
        lock: Callable[[str], Lock] | None = None,
    ) -> None:
        """``lock`` gives a lock by its name; those of the kernel, in ``folder``, by default."""
        self._database = database
        self._named = lock or self._in_folder
        self._folder = folder
        self._clock = clock
        self.users: set[User] = set()
        """Jobs that use rentals through this object."""

    def close(self) -> None:
        """Say for every job that it uses nothing any more."""
        for user in tuple(self.users):
            user.release()

    def now(self) -> float:
        """Epoch seconds."""
        return self._clock()

    def all(self, account: str | None = None) -> tuple[Rental, ...]:
        """Every rental, or those of one account, least recently used first."""
        wanted = select(rentals).order_by(rentals.c.used, rentals.c.token)
        if account is not None:
            wanted = wanted.where(rentals.c.account == account)
        with self._database.reading() as connection:
            return tuple(Rental(*row) for row in connection.execute(wanted))

    def find(self, account: str, identity: str) -> Rental | None:
        """The rental that is ready or pending under this identity; a ready one before a pending one."""
        known = [r for r in self.all(account) if r.identity == identity and r.state in ("ready", "pending")]
        return max(known, key=lambda rental: (rental.state == "ready", rental.used), default=None)

    def begin(self, account: str, identity: str, *, engine: str) -> Rental:
        """Record that a voice is about to be made, under a new name."""
        token, now = secrets.token_hex(8), self._clock()
        rental = Rental(
            token, account, engine, identity, PREFIX + token, None, "pending", False, now, now, ""
        )
        columns = (column.name for column in rentals.columns)
        with self._database.writing() as connection:
            connection.execute(insert(rentals).values({name: getattr(rental, name) for name in columns}))
        return rental

    def change(
        self,
        token: str,
        *,
        state: State,
        handle: str | None = None,
        trouble: str = "",
        kept: bool | None = None,
    ) -> None:
        """Record what became of a rental."""
        values: dict[str, object] = {"state": state, "used": self._clock(), "trouble": trouble[:300]}
        if handle is not None:
            values["handle"] = handle
        if state == "ready":
            values["released"] = False
        if kept is not None:
            values["kept"] = kept
        with self._database.writing() as connection:
            connection.execute(update(rentals).where(rentals.c.token == token).values(values))

    def set_free(self, identities: Sequence[str]) -> None:
        """Have voices given back, whoever's answers name them; using one again takes that back."""
        these = rentals.c.identity.in_(identities) & (rentals.c.state == "ready")
        with self._database.writing() as connection:
            connection.execute(update(rentals).where(these).values(released=True))

    def drop(self, token: str) -> None:
        """Forget a rental that is not in the account, for certain."""
        with self._database.writing() as connection:
            connection.execute(delete(rentals).where(rentals.c.token == token))

    def lost(self, account: str, identity: str, handle: str) -> None:
        """The provider does not know this handle: never handed out again, and deleted to be sure."""
        same = (rentals.c.account == account) & (rentals.c.identity == identity)
        mine = same & (rentals.c.handle == handle) & (rentals.c.state == "ready")
        with self._database.writing() as connection:
            connection.execute(update(rentals).where(mine).values(state="leaving", trouble="lost"))

    @contextmanager
    def alone(self, account: str, identity: str, check: Callable[[], None] = lambda: None) -> Iterator[bool]:
        """Hold an identity against every other thread and process; ``check`` is called while waiting."""
        lock, pause = self._lock(account, identity), _FIRST_POLL
        while not lock.take():
            check()
            time.sleep(pause)
            pause = min(_SLOWEST_POLL, pause * 2)
        try:
            yield True
        finally:
            lock.free(remove=True)

    @contextmanager
    def alone_now(self, account: str, identity: str) -> Iterator[bool]:
        """As ``alone``, without waiting; False when somebody else is at it."""
        lock = self._lock(account, identity)
        is_mine = lock.take()
        try:
            yield is_mine
        finally:
            if is_mine:
                lock.free(remove=True)

    def use(self, token: str) -> Lock:
        """The lock that says who uses a rental; take it shared to use it, alone to delete it."""
        return self._named(f"{token}.use")

    def is_used(self, rental: Rental) -> bool:
        """Whether somebody, here or in another process, makes or uses a rental now."""
        # Under the identity's lock, as everybody who takes the other one alone: a job that begins to use
        # or to delete the voice at this moment waits, instead of finding it taken.
        with self.alone_now(rental.account, rental.identity) as is_mine:
            lock = self.use(rental.token)
            if not is_mine or not lock.take():
                return True
            lock.free(remove=True)
        return False

    def _lock(self, account: str, identity: str) -> Lock:
        name = sha256(f"{account}\n{identity}".encode()).hexdigest()[:32]
        return self._named(f"{name}.lock")

    def _in_folder(self, name: str) -> Lock:
        self._folder.mkdir(parents=True, exist_ok=True)
        return FileLock(self._folder / name)
