"""What goes wrong on the loopback server: at random with a seed, or the next calls on demand."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256

REFUSALS = (
    "400", "401", "402", "403", "404", "408", "413", "422", "429", "429_after", "500", "502", "503", "504",
    "invalid_key", "quota", "concurrency", "voice_gone", "voices_full", "no_cloning", "missing_permission",
    "model_gone",
)  # fmt: skip
"""Faults that are an answer of the provider's own (`Service.refusal`). Bare numbers are the provider's most
usual body for that status; ``429_after`` carries ``Retry-After``; a provider that does not know a word
(a transcriber and voices) answers as for the nearest status."""

TRANSPORT = ("timeout", "reset", "cut", "truncated", "empty")
"""Faults of the wire: no answer for ``hold`` seconds, then the connection is closed; the connection reset
before an answer; reset half-way through the answer's body; a body cut in half, in well-formed HTTP; a success
with no body. The last three happen after the service did its work, as in life."""

FAULTS = (*REFUSALS, *TRANSPORT)


@dataclass
class Faults:
    """Settings of what goes wrong; every field may be changed while the server runs.

    Random faults depend on the seed, the request and how often it was seen, not on the order in which
    threads happen to run.
    """

    rate: float = 0.0
    """Part of all requests that fail, 0..1."""
    kinds: tuple[str, ...] = ("429", "500", "timeout", "reset")
    """What happens to them, equally likely."""
    seed: int = 1
    hold: float = 3600.0
    """Seconds a request without an answer is held before the connection is closed."""
    spare: frozenset[str] = frozenset()
    """Kinds of requests that random faults leave alone."""
    after: float = 1.0
    """Seconds named in ``Retry-After`` where a fault has one."""
    credit: dict[str, dict[str, float]] = field(default_factory=dict)
    """Provider -> unit -> how much may be charged in all before the account is empty."""
    _next: dict[tuple[str, str], deque[str]] = field(default_factory=dict, repr=False)
    _seen: Counter[str] = field(default_factory=Counter, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def fail_next(self, provider: str, kind: str, fault: str | Iterable[str], *, times: int = 1) -> None:
        """Let the next requests of a kind (``*`` = any) fail: one fault so many times, or several in order.

        An empty fault lets one request pass.
        """
        wanted = [fault] * times if isinstance(fault, str) else list(fault)
        unknown = [name for name in wanted if name and name not in FAULTS]
        if unknown:
            raise ValueError(f"no such fault: {unknown[0]}")
        with self._lock:
            self._next.setdefault((provider, kind), deque()).extend(wanted)

    def clear(self) -> None:
        """Nothing goes wrong any more, but for the credit."""
        with self._lock:
            self._next.clear()
            self.rate = 0.0

    def draw(self, provider: str, kind: str, digest: str) -> str:
        """What happens to a request; empty = nothing."""
        with self._lock:
            for key in ((provider, kind), (provider, "*")):
                if self._next.get(key):
                    return self._next[key].popleft()
            self._seen[digest] += 1
            if not self.rate or not self.kinds or kind in self.spare:
                return ""
            seed = f"{self.seed}:{provider}:{digest}:{self._seen[digest]}".encode()
            number = int.from_bytes(sha256(seed).digest()[:8], "big") / 2**64
            if number >= self.rate:
                return ""
            return self.kinds[min(len(self.kinds) - 1, int(number / self.rate * len(self.kinds)))]

    def is_empty(self, provider: str, charged: Mapping[str, float], charges: Mapping[str, float]) -> bool:
        """True when an answer would cost more than the account still has."""
        limits = self.credit.get(provider, {})
        return any(
            charged.get(unit, 0.0) + amount > limits[unit]
            for unit, amount in charges.items()
            if unit in limits
        )
