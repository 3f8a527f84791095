"""The events of a job as they come, also across broken connections."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator

from autodub.client.errors import ApiError, NotFound, ServerError, TooMany, Unreachable
from autodub.client.models import Event
from autodub.client.streams import messages
from autodub.client.transport import Transport

_PASSING = (Unreachable, ServerError, TooMany)
PATIENCE = 10
"""Connections in a row without an event until it is given up: a minute in which a server may restart."""
_LASTING = 5.0
"""Seconds after which a connection that breaks was a good one: a job may wait in its queue for long."""


Told = Callable[["ApiError | None"], None]
"""Called once when the server is away, with why; and with None once it is back."""


def events_of(
    transport: Transport, job: str, after: int, *, follow: bool = False, away: Told = lambda _: None
) -> Iterator[Event]:
    """The events after a number, in order, none missing and none twice; ends when the job is over.

    A connection that breaks is opened again where it broke. Raises ApiError when ``PATIENCE`` connections in
    a row neither last nor bring anything, and NotFound when the job is deleted.
    """
    number, failed = after, 0
    is_away, opened = False, math.inf

    def there() -> None:
        nonlocal is_away, opened
        opened = time.monotonic()
        if is_away:
            is_away = False
            away(None)

    while True:
        failure: ApiError | None = None
        opened = math.inf
        try:
            for event in _streamed(transport, job, number, there, follow=follow):
                if event is None:
                    return
                if event.number > number:
                    number, failed = event.number, 0
                    yield event
        except _PASSING as error:
            failure = error
        # The server ended the stream in good order (it restarts, say), or the connection broke.
        failed = 1 if time.monotonic() - opened >= _LASTING else failed + 1
        failure = failure or Unreachable(0, "unreachable", "The stream of events ended early.")
        if failed >= PATIENCE:
            raise failure
        if failed > 1 and not is_away:  # one connection may break for many reasons
            is_away = True
            away(failure)
        transport.pause(failed, failure)


def _streamed(
    transport: Transport, job: str, number: int, there: Callable[[], None], *, follow: bool
) -> Iterator[Event | None]:
    """Events of one connection; None when there will be no more."""
    headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": str(number)} if number else {})
    params = {"follow": "true"} if follow else {}
    with transport.open(f"/api/v1/jobs/{job}/events", headers=headers, params=params) as response:
        there()
        if response.status_code == 204:
            yield None
            return
        for message in messages(response.iter_bytes()):
            if message.kind == "message":
                yield Event.model_validate(json.loads(message.data))
            elif message.kind == "end":
                yield None
                return
            elif message.kind == "gone":
                raise NotFound(404, "not_found", "The job was deleted.")
