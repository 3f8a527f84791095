"""What an engine is handed for one call."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from autodub.engines.roles import Work
from autodub.gateway.cancel import Cancel
from autodub.infra.storage import BlobStore
from autodub.model.errors import Cancelled, Gone
from autodub.model.job import Event, Listener
from autodub.model.media import Blob

if TYPE_CHECKING:
    from autodub.engines.remote import Remote
    from autodub.gateway.remote import Caller


class Lease(Protocol):
    """A call's access to what its job rents at its account."""

    def rent(self, identity: str, make: Callable[[str], str], work: Work) -> str: ...

    def lost(self, identity: str, handle: str) -> None: ...


_PROGRESS_EVERY = 0.1  # seconds: engines may report as often as they like, views are told less often


class CallWork:
    """Files in, files out, progress, cancellation and metering of one attempt; implements ``Work``."""

    def __init__(
        self,
        blobs: BlobStore,
        *,
        cancel: Cancel,
        listener: Listener,
        stage: str,
        clock: Callable[[], float] = time.monotonic,
        lease: Lease | None = None,
        allow: Callable[[int], None] = lambda _lanes: None,
        elsewhere: Caller | None = None,
    ) -> None:
        self._blobs = blobs
        self._cancel = cancel
        self._listener = listener
        self._stage = stage
        self._clock = clock
        self._stack = ExitStack()
        self._scratch: Path | None = None
        self._lock = threading.Lock()
        self._abandoned = False
        self._told = float("-inf")
        self._usage: dict[str, float] = {}
        self._lease = lease
        self._allow = allow
        self._elsewhere = elsewhere
        self._references: list[str] = []
        self.has_lost = False
        """True once something rented turned out to be gone, so that asking again may go better."""

    @property
    def scratch(self) -> Path:
        """An empty folder of this call's own, made when first asked for."""
        with self._lock:
            self.check()
            if self._scratch is None:
                self._scratch = self._stack.enter_context(self._blobs.scratch())
            return self._scratch

    @property
    def usage(self) -> tuple[tuple[str, float], ...]:
        """(unit, amount) metered so far."""
        with self._lock:
            return tuple(sorted(self._usage.items()))

    def path(self, blob: Blob) -> Path:
        """Where a blob's file lies."""
        self.check()
        if not self._blobs.has(blob):
            raise Gone(
                f"A stored file this step needs ({blob.digest[:12]}{blob.suffix}) has vanished.",
                hint="Run the same command again: it is made anew.",
            )
        return self._blobs.path(blob)

    def keep(self, path: Path) -> Blob:
        """Move a finished file into the store; also after a request to stop: it may have been paid for."""
        if self._abandoned:
            self.check()
        return self._blobs.keep(path)

    def progress(self, fraction: float, message: str = "") -> None:
        """Tell the listener, at most ten times a second."""
        self.check()
        now = self._clock()
        with self._lock:
            if now - self._told < _PROGRESS_EVERY and fraction < 1:
                return
            self._told = now
        clipped = min(1.0, max(0.0, fraction))
        self._listener(Event("stage.progress", stage=self._stage, message=message, fraction=clipped))

    def check(self) -> None:
        """Raise Cancelled when somebody asked to stop, or nobody waits for this attempt any more."""
        self._cancel.check()
        if self._abandoned:
            raise Cancelled("This attempt took too long and was given up.")

    def meter(self, unit: str, amount: float) -> None:
        """Record what the call consumed."""
        with self._lock:
            self._usage[unit] = self._usage.get(unit, 0.0) + amount

    def allow(self, lanes: int) -> None:
        """Tell the gate how many calls the account serves at once."""
        self._allow(lanes)

    def reference(self, name: str) -> None:
        """Remember the provider's id of the request."""
        with self._lock:
            if name and name not in self._references:
                self._references.append(name)

    @property
    def references(self) -> tuple[str, ...]:
        """The provider's ids of this attempt's requests."""
        with self._lock:
            return tuple(self._references)

    def rent(self, identity: str, make: Callable[[str], str]) -> str:
        """The handle of something rented at the account, made now where there is none."""
        self.check()
        return self._at_account().rent(identity, make, self)

    def lost(self, identity: str, handle: str) -> None:
        """The provider does not know the handle any more."""
        self._at_account().lost(identity, handle)
        self.has_lost = True

    def elsewhere(self, engine: Remote, verb: str, request: object) -> Any:
        """The answer to a call that a worker on another machine makes."""
        self.check()
        if self._elsewhere is None:
            raise TypeError("this call is not made for a store, so nobody elsewhere can answer it")
        return self._elsewhere(engine, verb, request, self)

    def _at_account(self) -> Lease:
        if self._lease is None:
            raise TypeError("this call was made for no account, so there is nothing to rent")
        return self._lease

    def abandon(self) -> None:
        """Nobody waits any more: whatever the engine still tries to keep or report is refused."""
        self._abandoned = True

    def close(self) -> None:
        """Remove the scratch folder."""
        self._stack.close()
