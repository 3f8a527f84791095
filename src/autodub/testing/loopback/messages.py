"""What goes over the wire of the loopback server, and what a provider's module must offer."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from autodub.testing.loopback.profile import Profile


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it arrived, whole."""

    method: str
    path: str
    """Below the provider's mount, such as ``/v1/listen``; percent-decoded."""
    query: tuple[tuple[str, str], ...]
    """In order, repeats kept."""
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    account: str = ""
    """Digest of the key it came with: services keep their state (voices ...) by account."""
    in_flight: int = 1
    """Requests of its kind that this account has in flight, this one included."""
    cap: int | None = None
    """The most the account may have in flight; None = no limit."""

    def json(self) -> object:
        """The body as JSON. Raises ValueError."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Iterable[bytes] = b""
    """Bytes are sent with their length, pieces in chunks."""
    charges: Mapping[str, float] = field(default_factory=dict)
    """Unit -> amount a real provider bills for this answer, such as ``{"characters": 41}``."""


def reply_json(
    value: object,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    charges: Mapping[str, float] | None = None,
) -> Reply:
    """An answer in JSON."""
    body = json.dumps(value, ensure_ascii=False).encode()
    return Reply(status, {"content-type": "application/json", **(headers or {})}, body, charges or {})


class Service(Protocol):
    """One provider, mounted at ``http://127.0.0.1:PORT/<name>/...``; called from many threads at once."""

    name: str
    """Such as ``deepgram``."""
    caps: Mapping[str, int]
    """Kind of request -> how many an account may have in flight; kinds left out have no limit."""

    def key_of(self, request: Request) -> str:
        """The key the request carries; empty = none."""
        ...

    def kind(self, request: Request) -> str:
        """What the request is about: ``transcription``, ``translation``, ``speech``, ``clone``, ``voices``...

        Latency, caps, faults and statistics go by it.
        """
        ...

    def answer(self, request: Request) -> Reply:
        """The normal behaviour: real speech, a real translation, or the refusal a bad request deserves."""
        ...

    def seconds(self, request: Request, profile: Profile, *, others: int) -> float:
        """Simulated latency, from the last byte of the request to the answer.

        ``others`` = other requests of this kind that the account has in flight.
        """
        ...

    def refusal(self, fault: str) -> Reply:
        """The provider's own status, headers and body for a fault.

        ``fault`` is one of ``REFUSALS`` in faults.py.
        """
        ...


@dataclass(frozen=True, slots=True)
class Recording:
    """One request as the server remembers it; keys are removed."""

    provider: str
    kind: str
    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    """The few that matter and never carry a key: content type, user agent, transfer encoding."""
    size: int
    """Bytes of the body."""
    digest: str
    """sha256 over method, path, query and body (a multipart boundary left out): equal = the same request."""
    account: str
    status: int
    """What was answered; 0 when nothing was."""
    fault: str
    """What was made to go wrong; empty = nothing."""
    charges: Mapping[str, float]
    """What was billed: empty unless the answer went out in full."""
    began: float
    """Seconds since the server started, when the request's head had arrived."""
    ended: float
    body: bytes | None = None
    """Only when the server was told to keep bodies."""
