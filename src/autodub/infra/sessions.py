"""Who uses a shared store, what they rely on, and the locks they have: rows that go with their session.

A session is renewed by a thread of its process. It is struck when it was silent for longer than its lease by
the database's clock *and* somebody alive has watched it stay silent for half as long by his own; so a clock
that was set or a database that was away makes nobody dead. Of processes that share a data directory the
kernel says at once that they are gone.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, delete, literal, or_, select, update

from autodub.infra.locks import FileLock
from autodub.infra.pg_index import PgIndex, holds, locks, now, sessions
from autodub.infra.storage import NotThere
from autodub.model.errors import AutodubError

log = logging.getLogger("autodub.store")
T = TypeVar("T")
LEASE = 30.0
"""Seconds a silent session is believed in."""
_GLANCE = 0.5
"""Seconds between two looks for who is gone, while somebody waits for a lock."""


class Sessions:
    """The sessions of one process. Safe for many threads."""

    def __init__(self, index: PgIndex, home: str, tmp: Path, *, lease: float | None = None) -> None:
        """``tmp`` has the marks of who lives here, by the names of sessions after the ``home``."""
        self._index, self._home, self._tmp = index, home, tmp
        self.lease = LEASE if lease is None else lease
        self._lock = threading.Lock()
        self._ours: dict[str, Session] = {}
        self._silent: dict[str, tuple[float, float]] = {}
        """Session -> when the database saw it last, and since when we know it to be late."""
        self._looked = self._asked = float("-inf")
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self, name: str) -> Session:
        """A session of this process; ``name`` is that of its mark."""
        session = Session(self._index, self, f"{self._home}-{name}", self._home)
        session.revive()
        with self._lock:
            self._ours[session.id] = session
            if self._thread is None:
                self._over.clear()
                self._thread = threading.Thread(target=self._run, name="store-lease", daemon=True)
                self._thread.start()
        return session

    def end(self, session: Session) -> None:
        """It relies on nothing any more."""
        with self._lock:
            self._ours.pop(session.id, None)
        with self._index.writing() as connection:
            connection.execute(delete(sessions).where(sessions.c.id == session.id))

    def close(self) -> None:
        """Renew nothing any more."""
        self._over.set()
        thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join(self.lease)

    def look(self, *, eager: bool = False) -> None:
        """Strike who is gone. ``eager``: whoever calls waits for somebody; done now and then only."""
        began = time.monotonic()
        if eager and began - self._looked < min(_GLANCE, self.lease / 3):
            return
        self._looked = began
        if began - self._asked > self.lease / 2:  # we were away ourselves: nobody was watched meanwhile
            self._silent = {}
        is_late = sessions.c.seen < now - self.lease
        wanted = select(sessions.c.id, sessions.c.home, sessions.c.seen, is_late.label("late"))
        with self._index.reading() as connection:
            found = connection.execute(wanted.where(or_(is_late, sessions.c.home == self._home))).all()
        self._asked = began
        late, dead = {}, []
        for name, home, seen, is_past in found:
            if name in self._ours:
                continue
            if home == self._home and not self._lives(name):
                dead.append((name, seen))
            elif is_past:
                known = self._silent.get(name)
                late[name] = known if known is not None and known[0] == seen else (seen, began)
        self._silent = late
        dead += [(name, seen) for name, (seen, since) in late.items() if began - since >= self.lease / 2]
        for name, seen in dead:
            gone = (sessions.c.id == name) & (sessions.c.seen == seen)
            with self._index.writing() as connection:
                if connection.execute(delete(sessions).where(gone)).rowcount:
                    log.warning("a session of the store is gone")

    def _lives(self, name: str) -> bool:
        mark = self._tmp / f"{name.removeprefix(f'{self._home}-')}.alive"
        if not mark.exists():
            return False
        lock = FileLock(mark)
        if not lock.take():
            return True
        lock.free()
        return False

    def _run(self) -> None:
        while not self._over.wait(self.lease / 3):
            try:
                self._renew()
                self.look()
            except AutodubError as problem:  # it is tried again; nobody is struck meanwhile
                log.warning("the lease of the store could not be renewed: %s", problem.message)
            except Exception:  # the thread goes on
                log.exception("the lease of the store could not be renewed")

    def _renew(self) -> None:
        with self._lock:
            ours = dict(self._ours)
        mine = sessions.c.id.in_(sorted(ours))
        with self._index.writing() as connection:
            renewed = update(sessions).where(mine).values(seen=now).returning(sessions.c.id)
            alive = set(connection.execute(renewed).scalars())
        for name in ours.keys() - alive:
            with self._lock:
                is_open = name in self._ours
            if is_open:
                log.warning("this process was taken for dead: it says again what it relies on")
                ours[name].revive()


class Session:
    """One user of the store: what it relies on, and its locks. Safe for many threads."""

    def __init__(self, index: PgIndex, all_: Sessions, name: str, home: str) -> None:
        self.id = name
        self._index, self._all, self._home = index, all_, home
        self._lock = threading.Lock()
        self._lines: set[str] = set()
        self._is_over = False

    def revive(self) -> None:
        """Be there, and rely on what we do, whatever others thought."""
        with self._lock:
            lines = sorted(self._lines)

        def work(connection: Connection) -> None:
            row = {"id": self.id, "home": self._home, "begun": now, "seen": now}
            insert = self._index.insert(sessions).values(**row)
            connection.execute(insert.on_conflict_do_nothing())
            if lines:
                rows = [{"session": self.id, "line": line} for line in lines]
                connection.execute(self._index.insert(holds).on_conflict_do_nothing(), rows)

        self._index.again(work)

    def add(self, line: str) -> None:
        """Rely on something from now on."""
        with self._lock:
            if line in self._lines or self._is_over:  # over: work that nobody waits for any more
                return
            self._lines.add(line)
        row = {"session": self.id, "line": line}
        try:
            self.ours(
                lambda connection: connection.execute(self._index.insert(holds).on_conflict_do_nothing(), row)
            )
        except BaseException:  # not said, so not relied on
            with self._lock:
                self._lines.discard(line)
            raise

    def drop(self, lines: Iterable[str]) -> None:
        """Rely on these no more."""
        with self._lock:
            gone = sorted(self._lines.intersection(lines))
            self._lines.difference_update(gone)
        if gone:
            mine = (holds.c.session == self.id, holds.c.line.in_(gone))
            with self._index.writing() as connection:
                connection.execute(delete(holds).where(*mine))

    def close(self) -> None:
        """Rely on nothing any more."""
        with self._lock:
            self._is_over = True
            self._lines.clear()
        self._all.end(self)

    def ours(self, work: Callable[[Connection], T]) -> T:
        """Do ``work``, which names the session, in a transaction; anew when we were taken for dead."""
        try:
            return self._index.again(work)
        except NotThere:
            self.revive()
            return self._index.again(work)

    def lock(self, name: str) -> RowLock:
        """A lock against every other handle, here and anywhere."""
        return RowLock(self._index, self, name)

    def look(self) -> None:
        """Strike who is gone, where somebody waits."""
        self._all.look(eager=True)


class RowLock:
    """One handle on a lock, as ``FileLock``; free again when its session is gone."""

    def __init__(self, index: PgIndex, session: Session, name: str) -> None:
        self._index, self._session, self._name = index, session, name
        self._token: str | None = None

    def take(self, *, shared: bool = False) -> bool:
        """Try once, without waiting for who has it; True when the lock is held now."""
        token = secrets.token_hex(8)
        against = locks.c.name == self._name
        if shared:
            against &= ~locks.c.shared

        def work(connection: Connection) -> bool:
            self._index.alone(connection, f"lock {self._name}")
            if connection.execute(select(literal(1)).where(against).limit(1)).first():
                return False
            row = {"name": self._name, "token": token, "session": self._session.id, "shared": shared}
            connection.execute(self._index.insert(locks).values(**row))
            return True

        if not self._session.ours(work):
            self._session.look()
            return False
        self._token = token
        return True

    def free(self, *, remove: bool = False) -> None:  # noqa: ARG002 - what marks it is what holds it
        """Let go."""
        if self._token is None:
            return
        mine = (locks.c.name == self._name, locks.c.token == self._token)
        self._token = None
        with self._index.writing() as connection:
            connection.execute(delete(locks).where(*mine))
