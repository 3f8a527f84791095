"""Waking who waits for a call, or for calls: PostgreSQL's LISTEN and NOTIFY, one connection per process.

A message names a topic and nothing else. One that is lost, or comes twice, costs a look: whoever waits looks
at the rows by himself now and then.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, text

from autodub.infra.pg_index import PgIndex

log = logging.getLogger("autodub.calls")
_CHANNEL = "autodub_calls"
_GLANCE = 0.5
"""Seconds between two looks whether it is over."""
_PAUSE = 2.0
"""Seconds before a connection that was lost is opened again."""


def notify(connection: Connection, topic: str) -> None:
    """Wake who hears of a topic, when this transaction has ended well."""
    connection.execute(text("SELECT pg_notify(:channel, :topic)"), {"channel": _CHANNEL, "topic": topic})


class Bell:
    """Those of a process who wait. Safe for many threads."""

    def __init__(self, index: PgIndex) -> None:
        self._index = index
        self._lock = threading.Lock()
        self._heard: dict[str, list[threading.Event]] = {}
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._is_deaf = False

    @contextmanager
    def hearing(self, *topics: str) -> Iterator[threading.Event]:
        """An event that is set when one of the topics was told, until the block ends."""
        event = threading.Event()
        with self._lock:
            for topic in topics:
                self._heard.setdefault(topic, []).append(event)
            if self._thread is None:
                self._thread = threading.Thread(target=self._listen, name="call-bell", daemon=True)
                self._thread.start()
        try:
            yield event
        finally:
            with self._lock:
                for topic in topics:
                    self._heard[topic].remove(event)
                    if not self._heard[topic]:
                        del self._heard[topic]

    def ring(self) -> None:
        """Wake everybody in this process who waits: something is over."""
        self._ring(None)

    def close(self) -> None:
        """Hear nothing any more."""
        self._over.set()
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join(_PAUSE * 2)

    def _listen(self) -> None:
        while not self._over.is_set():
            try:
                self._hear()
            except Exception:  # whoever waits looks by himself meanwhile
                if not self._is_deaf:  # said once, however long the database is away
                    log.warning("calls are looked for now and then only", exc_info=True)
                self._is_deaf = True
            self._over.wait(_PAUSE)

    def _hear(self) -> None:
        pooled = self._index.engine().raw_connection()
        connection: Any = pooled.driver_connection
        pooled.detach()  # it is ours, and no place of the pool's
        try:
            connection.autocommit = True
            connection.execute(f"LISTEN {_CHANNEL}")
            self._is_deaf = False
            self._ring(None)  # what was told before nobody heard
            while not self._over.is_set():
                for told in connection.notifies(timeout=_GLANCE):
                    self._ring(told.payload)
        finally:
            connection.close()

    def _ring(self, topic: str | None) -> None:
        with self._lock:
            for known, events in self._heard.items():
                if topic is None or known == topic:
                    for event in events:
                        event.set()


def engine_topic(engine: str) -> str:
    """What workers that serve an engine hear of."""
    return f"engine {engine}"


def call_topic(key: str) -> str:
    """What those hear of who wait for a call, or for the answer to a question."""
    return f"call {key}"
