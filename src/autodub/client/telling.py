"""What a server tells others and keeps of what was done: webhooks, and the audit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import SecretStr

from autodub.client.models import Told
from autodub.client.transport import Transport

_HOOKS, _AUDIT = "/api/v1/webhooks", "/api/v1/admin/audit"

ENDS = ("job.completed", "job.failed", "job.cancelled")
"""Kinds of events: a job is over."""


class Hook(Told):
    """A webhook. Times are seconds since 1970 (UTC)."""

    id: str
    url: str
    kinds: tuple[str, ...] = ()
    active: bool = True
    failing: float | None = None
    """Since when nothing has arrived; None: the last one did."""
    why: str = ""
    """Why the server switched it off."""
    created: float = 0.0
    owner: str = ""


class NewHook(Hook):
    """A webhook with the secret that signs what is sent, the only time it is shown."""

    secret: SecretStr


class Delivery(Told):
    """Something a webhook was told, or is to be told."""

    id: str
    kind: str
    job: str = ""
    state: str = "waiting"
    """``waiting``, ``sent``, ``failed``."""
    tries: int = 0
    due: float | None = None
    status: int | None = None
    """HTTP status of the last answer."""
    trouble: str = ""
    created: float = 0.0
    body: Mapping[str, Any] = {}


class Entry(Told):
    """One row of the audit; its digest covers it and the digest of the row before."""

    number: int
    at: float
    actor: str
    action: str
    subject: str = ""
    address: str = ""
    data: Mapping[str, Any] = {}
    previous: str = ""
    digest: str = ""


class Verified(Told):
    """Whether the audit is whole."""

    holds: bool
    count: int = 0
    """Rows found whole, from the first."""
    first_bad: int | None = None
    why: str = ""
    head: Mapping[str, Any] = {}
    """Number and digest of the last row, to be kept elsewhere."""


class Webhooks:
    """Addresses of yours that are told when a job is over."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> tuple[Hook, ...]:
        """The oldest first."""
        return tuple(Hook.model_validate(one) for one in self._transport.ask("GET", _HOOKS)["hooks"])

    def get(self, hook: str) -> Hook:
        """One, and whether it works. Raises NotFound."""
        return Hook.model_validate(self._transport.ask("GET", f"{_HOOKS}/{hook}"))

    def create(self, url: str, kinds: Sequence[str] = ENDS) -> NewHook:
        """Have an address told of events of these kinds."""
        asked = {"url": url, "kinds": list(kinds)}
        return NewHook.model_validate(self._transport.ask("POST", _HOOKS, json=asked))

    def change(self, hook: str, **values: Any) -> Hook:
        """Change ``url``, ``kinds`` or ``active``."""
        return Hook.model_validate(self._transport.ask("PATCH", f"{_HOOKS}/{hook}", json=values))

    def delete(self, hook: str) -> None:
        """Remove it; what it is still owed is not sent."""
        self._transport.ask("DELETE", f"{_HOOKS}/{hook}")

    def renew(self, hook: str) -> NewHook:
        """Give it a new secret."""
        return NewHook.model_validate(self._transport.ask("POST", f"{_HOOKS}/{hook}/secret"))

    def ping(self, hook: str) -> Delivery:
        """Send it an event of kind ``ping``."""
        return Delivery.model_validate(self._transport.ask("POST", f"{_HOOKS}/{hook}/ping"))

    def deliveries(self, hook: str) -> Iterator[Delivery]:
        """What it was told in the last week, the newest first, page after page as they are wanted."""
        after: str | None = None
        while True:
            params = {"after": after, "limit": 200}
            page = self._transport.ask("GET", f"{_HOOKS}/{hook}/deliveries", params=params)
            for one in page["deliveries"]:
                yield Delivery.model_validate(one)
            after = page["after"]
            if after is None:
                return

    def redeliver(self, hook: str, delivery: str) -> Delivery:
        """Send the same again, under the same id."""
        told = self._transport.ask("POST", f"{_HOOKS}/{hook}/deliveries/{delivery}/redeliver")
        return Delivery.model_validate(told)


class Audit:
    """Who did what; for admins."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def entries(
        self, *, actor: str | None = None, action: str | None = None, subject: str | None = None,
        since: float | None = None, until: float | None = None,
    ) -> Iterator[Entry]:  # fmt: skip
        """Rows, the oldest first, page after page as they are wanted; ``job.`` are all actions of jobs."""
        wanted = {"actor": actor, "action": action, "subject": subject, "since": since, "until": until}
        after: int | None = 0
        while after is not None:
            page = self._transport.ask("GET", _AUDIT, params=wanted | {"after": after, "limit": 1000})
            for one in page["entries"]:
                yield Entry.model_validate(one)
            after = page["after"]

    def verify(self) -> Verified:
        """Whether every row is there and as it was written."""
        return Verified.model_validate(self._transport.ask("GET", f"{_AUDIT}/verify"))
