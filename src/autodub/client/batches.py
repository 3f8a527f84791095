"""Batches: many sources in many languages. Estimates: what a dub would cost."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from os import PathLike
from typing import Any

from autodub.client.models import Batch, Estimate
from autodub.client.transport import Transport
from autodub.client.uploads import Uploads, is_address

_BATCHES = "/api/v1/batches"
_WAIT = 20.0
"""Seconds the server is asked to hold an answer; less than a client waits for one."""


class Batches:
    """The batches of a server."""

    def __init__(self, transport: Transport, uploads: Uploads) -> None:
        self._transport, self._uploads = transport, uploads

    def submit(
        self, name: str, sources: Sequence[str | PathLike[str]], targets: Sequence[str], *,
        idempotency: str | None = None, **wishes: Any,
    ) -> Batch:  # fmt: skip
        """Queue every source (an address, or a file that is uploaded first) in every language.

        Before files are sent the server is asked whether it would take the dubs.
        """
        if not all(is_address(one) for one in sources):
            self.check(sources, targets, **wishes)
        told = self._uploads.submitted(wishes)
        asked = {
            "name": name, "sources": [self._uploads.source(one) for one in sources],
            "targets": list(targets), "wishes": told,
        }  # fmt: skip
        headers = {"Idempotency-Key": idempotency or uuid.uuid4().hex}
        return Batch.model_validate(self._transport.ask("POST", _BATCHES, json=asked, headers=headers))

    def check(self, sources: Sequence[str | PathLike[str]], targets: Sequence[str], **wishes: Any) -> None:
        """Ask whether a batch would be taken; nothing is sent. Raises what ``submit`` would."""
        self._uploads.check(sources, targets, wishes)

    def get(self, batch: str) -> Batch:
        """A batch with its jobs. Raises NotFound."""
        return Batch.model_validate(self._transport.ask("GET", f"{_BATCHES}/{batch}"))

    def list(self) -> Iterator[Batch]:
        """Your batches, the newest first, page after page as they are wanted."""
        before: float | None = None
        while True:
            page = self._transport.ask("GET", _BATCHES, params={"before": before, "limit": 100})["batches"]
            for one in page:
                yield Batch.model_validate(one)
            if len(page) < 100:
                return
            before = page[-1]["created"]

    def cancel(self, batch: str) -> Batch:
        """Stop all of its jobs that are not over."""
        return Batch.model_validate(self._transport.ask("POST", f"{_BATCHES}/{batch}/cancel"))

    def retry(self, batch: str) -> Batch:
        """Queue those of its jobs again that failed or were cancelled."""
        return Batch.model_validate(self._transport.ask("POST", f"{_BATCHES}/{batch}/retry"))

    def delete(self, batch: str) -> None:
        """Remove it with all of its jobs."""
        self._transport.ask("DELETE", f"{_BATCHES}/{batch}")


class Estimates:
    """What dubs would cost at a server."""

    def __init__(self, transport: Transport, uploads: Uploads) -> None:
        self._transport, self._uploads = transport, uploads

    def ask(self, source: str | PathLike[str], target: str, **wishes: Any) -> Estimate:
        """What a dub would cost; waits for the figures, and asks nobody who is paid. Raises ApiError."""
        if not is_address(source):
            self._uploads.check([source], [target], wishes)
        sent = self._uploads.submitted(wishes)
        asked = self._uploads.source(source) | {"target": target} | sent
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        while True:  # the same key is the same question: the server goes on with it
            response = self._transport.send(
                "POST", "/api/v1/estimates", json=asked, headers=headers, params={"wait": _WAIT}
            )
            if response.status_code == 200:
                return Estimate.model_validate(response.json())
