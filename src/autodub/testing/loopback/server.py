"""The loopback server: HTTP on 127.0.0.1, one mount per provider, a record of everything."""

from __future__ import annotations

import contextlib
import gc
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from http.server import ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self

from autodub.testing.loopback.faults import Faults
from autodub.testing.loopback.handler import Handler
from autodub.testing.loopback.link import Link
from autodub.testing.loopback.messages import Recording, Service
from autodub.testing.loopback.profile import INSTANT, Profile
from autodub.testing.loopback.validate import Description


class Loopback:
    """Context manager: serves from entry to exit.

    ``keys``: provider -> keys it knows; a provider left out takes any key that is not empty.
    ``specs``: folder with ``<provider>/openapi.json`` of the providers' own descriptions; requests are
    checked against those that are there. ``bodies``: keep the bodies of requests in the recordings.
    """

    def __init__(
        self,
        services: Iterable[Service],
        *,
        profile: Profile = INSTANT,
        faults: Faults | None = None,
        keys: Mapping[str, Iterable[str]] | None = None,
        specs: Path | None = None,
        bodies: bool = False,
        port: int = 0,
    ) -> None:
        self.services = {service.name: service for service in services}
        self.profile = profile
        self.faults = faults or Faults()
        self.keys = {name: frozenset(known) for name, known in (keys or {}).items()}
        self.bodies = bodies
        self.link = Link(profile.uplink)
        self.descriptions = {
            name: Description.read(specs / name / "openapi.json")
            for name in self.services
            if specs is not None and (specs / name / "openapi.json").is_file()
        }
        self.stopping = threading.Event()
        self._began = time.monotonic()
        self._lock = threading.RLock()
        self._settled = threading.Condition(self._lock)
        self._speaking = 0
        self._recordings: list[Recording] = []
        self._violations: list[str] = []
        self._crashes: list[str] = []
        self._charged: dict[str, Counter[str]] = {name: Counter() for name in self.services}
        self._inside: Counter[tuple[str, str, str]] = Counter()
        self._busiest: Counter[tuple[str, str]] = Counter()
        self._received: Counter[tuple[str, str]] = Counter()
        self._sockets: set[socket.socket] = set()
        self._http = _Http(("127.0.0.1", port), Handler)
        self._http.loopback = self
        self._port = int(self._http.server_address[1])
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, name="loopback", daemon=True
        )
        self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Close every connection and the door; the port refuses from now on.

        The ends that clients of this process hold are closed, too: SDKs keep theirs for the next request
        to a server that will not come back.
        """
        self.stopping.set()
        self._http.shutdown()
        self._http.server_close()
        if self._thread is not None:
            self._thread.join()
        with self._lock:
            for connection in self._sockets:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        _close_ends(self.port)

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._port

    def url(self, provider: str) -> str:
        """Address a provider's client is pointed at, without a slash at the end."""
        if provider not in self.services:
            raise KeyError(provider)
        return f"http://127.0.0.1:{self.port}/{provider}"

    @property
    def requests(self) -> tuple[Recording, ...]:
        """Every request that ended, in the order they began."""
        with self._lock:
            self._settle()
            return tuple(sorted(self._recordings, key=lambda one: one.began))

    def asked(self, provider: str, kind: str | None = None) -> tuple[Recording, ...]:
        """The requests of one provider, and of one kind where that is given."""
        return tuple(r for r in self.requests if r.provider == provider and kind in (None, r.kind))

    @property
    def violations(self) -> tuple[str, ...]:
        """What was wrong with requests by the providers' own descriptions, in sentences."""
        with self._lock:
            return tuple(self._violations)

    @property
    def crashes(self) -> tuple[str, ...]:
        """Faults of the services themselves: each is a bug of this package."""
        with self._lock:
            return tuple(self._crashes)

    def received(self, provider: str, kind: str) -> int:
        """How many requests of a kind have arrived so far, those still in flight included."""
        with self._lock:
            return self._received[provider, kind]

    def busiest(self, provider: str, kind: str) -> int:
        """The most requests of a kind that were in flight at once (refused ones not counted)."""
        with self._lock:
            return self._busiest[provider, kind]

    def charged(self) -> dict[str, dict[str, float]]:
        """What a real provider would have billed: provider -> unit -> amount, for answers sent in full."""
        with self._lock:
            self._settle()
            return {name: dict(units) for name, units in self._charged.items() if units}

    def repeated(self) -> tuple[Recording, ...]:
        """Requests that were paid for although the very same one had been paid before."""
        paid: set[tuple[str, str]] = set()
        again = []
        for recording in self.requests:
            if recording.charges:
                if (recording.provider, recording.digest) in paid:
                    again.append(recording)
                paid.add((recording.provider, recording.digest))
        return tuple(again)

    def top_up(self, provider: str, unit: str, amount: float) -> None:
        """Add to the credit of an account that has a limit."""
        limits = self.faults.credit.setdefault(provider, {})
        limits[unit] = limits.get(unit, 0.0) + amount

    # What the handler reports.

    def clock(self) -> float:
        """Seconds since the server started."""
        return time.monotonic() - self._began

    def violated(self, sentences: Iterable[str]) -> None:
        """Record what a description does not allow."""
        with self._lock:
            self._violations.extend(sentences)

    def crashed(self, sentence: str) -> None:
        """Record a fault of a service."""
        with self._lock:
            self._crashes.append(sentence)

    def arrived(self, provider: str, kind: str) -> None:
        """Count a request that arrived."""
        with self._lock:
            self._received[provider, kind] += 1

    def enter(self, provider: str, kind: str, account: str, *, cap: int | None) -> tuple[int, bool]:
        """Begin a request: how many are in flight with it, and whether there was room for it."""
        with self._lock:
            inside = self._inside[provider, kind, account] + 1
            if cap is not None and inside > cap:
                return inside, False
            self._inside[provider, kind, account] = inside
            now = sum(n for (p, k, _), n in self._inside.items() if (p, k) == (provider, kind))
            self._busiest[provider, kind] = max(self._busiest[provider, kind], now)
            return inside, True

    def leave(self, provider: str, kind: str, account: str) -> None:
        """End a request that had entered."""
        with self._lock:
            self._inside[provider, kind, account] -= 1

    def is_empty(self, provider: str, charges: Mapping[str, float]) -> bool:
        """True when the account cannot pay for an answer."""
        with self._lock:
            if self.faults.credit.get(provider):
                self._settle()  # what was answered before counts, even if its record is still on its way
            return self.faults.is_empty(provider, self._charged[provider], charges)

    def speaking(self, change: int) -> None:
        """Count the requests whose outcome a client may know while it is not recorded yet."""
        with self._settled:
            self._speaking += change
            self._settled.notify_all()

    def _settle(self) -> None:
        """Wait until what clients know is recorded."""
        self._settled.wait_for(lambda: self._speaking == 0, timeout=5.0)

    def record(self, recording: Recording) -> None:
        """Remember a request that ended; what it charges is billed."""
        with self._lock:
            self._recordings.append(recording)
            self._charged[recording.provider].update(recording.charges)

    def knows(self, provider: str, key: str) -> bool:
        """True when the provider takes the key."""
        known = self.keys.get(provider)
        return bool(key) if known is None else key in known

    def opened(self, connection: socket.socket) -> None:
        """Remember a connection, to close it at the end."""
        with self._lock:
            self._sockets.add(connection)

    def closed(self, connection: socket.socket) -> None:
        """Forget a connection."""
        with self._lock:
            self._sockets.discard(connection)

    def state(self) -> dict[str, object]:
        """All figures as plain values, for a program that asks from outside."""
        recordings = self.requests
        return {
            "charged": self.charged(),
            "requests": [
                {name: getattr(r, name) for name in _TOLD} | {"charges": dict(r.charges)} for r in recordings
            ],
            "busiest": {f"{p}.{k}": n for (p, k), n in sorted(self._busiest.items())},
            "violations": list(self.violations),
            "crashes": list(self.crashes),
            "repeated": len(self.repeated()),
        }


def _close_ends(port: int) -> None:
    """Close the sockets of this process that are connected to the port."""
    for found in gc.get_objects():
        if issubclass(type(found), socket.socket):
            with contextlib.suppress(OSError):
                if found.getpeername()[:2] == ("127.0.0.1", port):
                    found.close()


_TOLD = ("provider", "kind", "method", "path", "size", "status", "fault", "began", "ended", "digest")


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    block_on_close = False
    loopback: Loopback

    def handle_error(self, request: object, client_address: object) -> None:
        """Connections broken by clients (or by a fault) are no news; services report their own."""
