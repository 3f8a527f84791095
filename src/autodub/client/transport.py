"""Requests to a server: who asks, what is tried again, and how failures are told."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

from autodub.client.errors import ApiError, refusal, unreachable

Json = dict[str, Any]
_SAFE = frozenset({"GET", "HEAD", "PUT", "DELETE"})
"""Methods that do the same when they are repeated."""
_PASSING = frozenset({502, 503, 504})
"""Answers that may be another one in a moment."""
_LONGEST, _USUAL = 60.0, 8.0
"""Seconds waited at most before a request is tried again: as the server says, and by ourselves."""


class Transport:
    """One server and who asks it. Safe for many threads."""

    def __init__(
        self, base_url: str, key: str | None, *, timeout: float, tries: int,
        transport: httpx.BaseTransport | None = None, sleep: Callable[[float], None] = time.sleep,
    ) -> None:  # fmt: skip
        """Raise ValueError for an address that is none."""
        address = httpx.URL(base_url.rstrip("/") or "/")
        if address.scheme not in ("http", "https") or not address.host:
            raise ValueError("the address of a server begins with http:// or https://")
        if address.userinfo or address.query or address.fragment:
            raise ValueError("the address of a server has no user name, query or fragment")
        self.address = str(address).rstrip("/")
        headers = {"User-Agent": "autodub-client", "Accept": "application/json"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        # Redirections are not followed: a key goes nowhere but where it was meant for.
        self._http = httpx.Client(
            headers=headers, timeout=httpx.Timeout(timeout, connect=min(timeout, 10.0)), transport=transport
        )
        self._tries, self._sleep = max(1, tries), sleep

    def ask(self, method: str, path: str, **given: Any) -> Any:
        """The JSON of an answer; None for an empty one. Raises ApiError."""
        response = self.send(method, path, **given)
        return response.json() if response.content else None

    def send(
        self, method: str, path: str, *, params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None, again: bool | None = None, **body: Any,
    ) -> httpx.Response:  # fmt: skip
        """An answer that is no refusal. Raises ApiError.

        ``again`` says whether the request may be repeated; by default its method says so. What is repeated:
        no answer, 502 to 504, and for every request 429, which says that nothing was done. What is asked for
        and still being made (202) is waited for.
        """
        repeatable = method in _SAFE or "Idempotency-Key" in (headers or {}) if again is None else again
        for attempt in range(1, self._tries + 1):
            try:
                while True:
                    response = self._http.request(
                        method, self.address + path, params=_given(params), headers=headers, **body
                    )
                    if method != "GET" or not self.is_unfinished(response):
                        break
            except httpx.TransportError as error:
                failure: ApiError = unreachable(self.address, error)
                may = repeatable
            else:
                if response.is_success or response.status_code == 304:
                    return response
                failure = refusal(response)
                may = (repeatable and failure.status in _PASSING) or failure.status == 429
            if attempt == self._tries or not may:
                raise failure from None
            self.pause(attempt, failure)
        raise AssertionError("unreachable")

    @contextmanager
    def open(
        self, path: str, *, params: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
    ) -> Iterator[httpx.Response]:
        """The answer to a GET, to be read bit by bit. Raises ApiError; is not repeated by itself."""
        try:
            with self._http.stream(
                "GET", self.address + path, params=_given(params), headers=headers
            ) as response:
                if not (response.is_success or response.status_code == 304):
                    response.read()
                    raise refusal(response)
                yield response
        except httpx.TransportError as error:
            raise unreachable(self.address, error) from None

    def pause(self, attempt: int, failure: ApiError) -> None:
        """Wait before the next try: as long as the server says, else longer each time."""
        wait = failure.retry_after
        if wait is None:
            wait = min(0.5 * 2 ** (attempt - 1), _USUAL) * random.uniform(0.75, 1.25)  # noqa: S311 - not a secret
        self._sleep(min(wait, _LONGEST))

    def is_unfinished(self, response: httpx.Response) -> bool:
        """Whether what was asked for is still being made; after as long as the server says then."""
        wait = response.headers.get("Retry-After", "")
        if response.status_code != 202 or not (wait.isascii() and wait.isdigit()):
            return False
        self._sleep(min(float(wait), _LONGEST))
        return True

    @property
    def tries(self) -> int:
        """How often a request is tried."""
        return self._tries

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


def _given(params: Mapping[str, Any] | None) -> dict[str, Any]:
    """Parameters that were given; what is None is left out."""
    return {name: value for name, value in (params or {}).items() if value is not None}
