"""Who uses which answer: relied on at once, put on record now and then."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable

from sqlalchemy import Connection, bindparam, update

from autodub.infra.blobs import writing
from autodub.infra.database import answers, uses
from autodub.infra.storage import Holds, Index

EVERY = 2.0  # seconds: a run answered from kept answers writes its uses this often
_free = update(answers).where(answers.c.key == bindparam("wanted"), ~answers.c.unowned).values(unowned=True)


def line(key: str) -> str:
    """How an answer is held."""
    return f"answer {key}"


class Ledger:
    """The answers that one store uses, for an owner or for nobody. Safe for many threads.

    An answer is held before it is looked up, so that nobody removes it from then on; once its use is on
    record, it is let go.
    """

    def __init__(
        self,
        database: Index,
        holding: Holds,
        owner: str | None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.owner = owner
        self._database = database
        self._holding = holding
        self._use = database.insert(uses).on_conflict_do_nothing()
        self._clock = clock
        self._lock = threading.Lock()
        self._known: set[str] = set()
        """Need no line: their use is on record, or they are nobody's."""
        self._new: set[str] = set()
        self._idle: set[str] = set()
        """Held without need, until the next time that uses are written."""
        self._looking = Counter[str]()
        """Being looked up at this moment, by how many threads."""
        self._written = clock()

    def rely(self, key: str) -> None:
        """Hold an answer; to be called before it is looked up. Raises OutputProblem without room."""
        with self._lock:
            self._looking[key] += 1
            if key in self._known:
                return
            with writing(self._database.folder):
                self._holding.add(line(key))

    def found(self, key: str, *, unowned: bool) -> None:
        """It was there, and is used from now on."""
        with self._lock:
            self._seen(key)
            if key in self._known:
                return
            if self.owner is None and unowned:
                self._known.add(key)
                self._idle.add(key)
            else:
                self._new.add(key)
            is_due = bool(self._new) and self._clock() - self._written >= EVERY
        if is_due:
            self.flush()

    def missed(self, key: str) -> None:
        """It was not there: nothing is relied on."""
        with self._lock:
            if self._seen(key) and key not in self._new:
                self._holding.drop([line(key)])

    def _seen(self, key: str) -> bool:
        """Whether nobody looks it up any more."""
        self._looking[key] -= 1
        if self._looking[key]:
            return False
        del self._looking[key]
        return True

    def write(self, connection: Connection, made: Iterable[str] = ()) -> set[str]:
        """Put what is used, and what was ``made`` now, on record; to be told to ``written`` afterwards."""
        with self._lock:
            keys = self._new.union(made)
        if not keys:
            return keys
        if self.owner is None:
            connection.execute(_free, [{"wanted": key} for key in sorted(keys)])
        else:
            connection.execute(self._use, [{"owner": self.owner, "key": key} for key in sorted(keys)])
        return keys

    def written(self, keys: Iterable[str]) -> None:
        """The transaction has ended well."""
        keys = set(keys)
        with self._lock:
            self._written = self._clock()
            self._known |= keys
            self._new -= keys
            self._holding.drop(line(key) for key in keys | self._idle)
            self._idle.clear()

    def flush(self) -> None:
        """Put everything used on record."""
        with self._lock:
            is_idle = not self._new
        if is_idle:
            return
        self.written(self._database.again(self.write))
