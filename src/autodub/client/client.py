"""A server, as Python sees it."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

import httpx

from autodub.client.account import Catalogue, Glossaries, Keys, usage
from autodub.client.batches import Batches, Estimates
from autodub.client.jobs import Jobs
from autodub.client.models import Usage
from autodub.client.people import Consents, Me, Users, me
from autodub.client.telling import Audit, Webhooks
from autodub.client.transcripts import Transcripts
from autodub.client.transport import Transport
from autodub.client.uploads import Uploads


class Client:
    """Talks to one Autodub server. Safe for many threads; to be closed, or used with ``with``.

    ::

        with Client("http://127.0.0.1:5000") as server:
            job = server.jobs.submit("talk.mp4", "es")
            server.jobs.wait(job.id)
            server.jobs.download(job.id, "talk.es.mp4")
    """

    def __init__(
        self, base_url: str, key: str | None = None, *, timeout: float = 30.0, tries: int = 4,
        transport: httpx.BaseTransport | None = None, sleep: Callable[[float], None] = time.sleep,
    ) -> None:  # fmt: skip
        """``timeout`` is seconds without any answer; ``tries`` how often what may be repeated is tried."""
        self._transport = Transport(
            base_url, key, timeout=timeout, tries=tries, transport=transport, sleep=sleep
        )
        self.uploads = Uploads(self._transport)
        self.jobs = Jobs(self._transport, self.uploads)
        self.transcripts = Transcripts(self._transport)
        self.batches = Batches(self._transport, self.uploads)
        self.estimates = Estimates(self._transport, self.uploads)
        self.catalogue = Catalogue(self._transport)
        self.glossaries = Glossaries(self._transport)
        self.keys = Keys(self._transport)
        self.users = Users(self._transport)
        self.consents = Consents(self._transport)
        self.webhooks = Webhooks(self._transport)
        self.audit = Audit(self._transport)

    def me(self) -> Me:
        """Who asks, what they may do, and what is left to them this month."""
        return me(self._transport)

    def usage(self, *, month: str | None = None, owner: str | None = None) -> Usage:
        """What you consumed in a month, ``2026-03`` (this one by default), and what is left."""
        return usage(self._transport, month=month, owner=owner)

    @property
    def address(self) -> str:
        """Where the server is."""
        return self._transport.address

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:  # never the key
        return f"Client({self.address!r})"
