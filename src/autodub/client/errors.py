"""What can go wrong between this client and a server.

::

    ApiError              a request was refused or failed: status, code, title, hint
      BadRequest          400, 413, 415, 422: the request is not right
      Unauthenticated     401: nobody is logged in, or the key is not good
      Forbidden           403: this key may not; consent or quota is missing
      NotFound            404: no such job, file ... or none that this key may see
      Conflict            409, 412, 423: the state of things does not allow it
      TooMany             429: asked too often; ``retry_after`` seconds
      ServerError         5xx: the server or something behind it failed
      Unreachable         no answer at all; status 0
      BadFile             a file of this machine cannot be sent; status 0, nothing was asked
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import httpx


class ApiError(Exception):
    """A request was refused or failed."""

    def __init__(
        self, status: int, code: str, title: str, hint: str = "", *, request_id: str = "",
        errors: tuple[dict[str, Any], ...] = (), retry_after: float | None = None,
    ) -> None:  # fmt: skip
        super().__init__(f"{title} {hint}".strip())
        self.status = status
        """Of HTTP; 0 where there was no answer, or no question."""
        self.code = code
        """A stable word, such as ``not_found``."""
        self.title = title
        """A sentence for people."""
        self.hint = hint
        """How to fix it."""
        self.request_id = request_id
        """What the server's log calls the request."""
        self.errors = errors
        """Where a body or query is wrong: ``where`` and ``why``."""
        self.retry_after = retry_after
        """Seconds after which asking again makes sense."""


class BadRequest(ApiError):
    """The request is not right."""


class Unauthenticated(ApiError):
    """Nobody is logged in, or the key is not good."""


class Forbidden(ApiError):
    """This key may not."""


class NotFound(ApiError):
    """Nothing of that name, or nothing that this key may see."""


class Conflict(ApiError):
    """The state of things does not allow it."""


class TooMany(ApiError):
    """Asked too often."""


class ServerError(ApiError):
    """The server, or something behind it, failed."""


class Unreachable(ApiError):
    """No answer at all."""


class BadFile(ApiError):
    """A file of this machine that cannot be sent: there is none, it is a folder, empty, or cannot be read."""

    def __init__(self, title: str, hint: str) -> None:
        super().__init__(0, "bad_file", title, hint)


_CLASSES: dict[int, type[ApiError]] = {
    401: Unauthenticated, 403: Forbidden, 404: NotFound, 409: Conflict, 412: Conflict, 423: Conflict,
    429: TooMany,
}  # fmt: skip


def refusal(response: httpx.Response) -> ApiError:
    """The error that an answer tells; its body must have been read."""
    status = response.status_code
    try:
        said = response.json()
    except ValueError:  # not our server's word: a proxy in front of it
        said = {}
    if not isinstance(said, dict):
        said = {}
    kind = _CLASSES.get(status, BadRequest if status < 500 else ServerError)
    return kind(
        status, str(said.get("code") or f"http_{status}"),
        str(said.get("title") or said.get("error") or f"The server answered {status} {_phrase(status)}."),
        str(said.get("hint") or ""),
        request_id=str(said.get("request_id") or response.headers.get("X-Request-Id", "")),
        errors=tuple(one for one in said.get("errors") or () if isinstance(one, dict)),
        retry_after=_seconds(response.headers.get("Retry-After")),
    )  # fmt: skip


def unreachable(server: str, why: Exception) -> Unreachable:
    """No answer came."""
    what = "did not answer in time" if isinstance(why, httpx.TimeoutException) else "cannot be reached"
    return Unreachable(
        0, "unreachable", f"The server {server} {what} ({type(why).__name__}).",
        "Is it running, and is this its address? autodub serve starts one.",
    )  # fmt: skip


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else ""


def _seconds(text: str | None) -> float | None:
    return float(text) if text and text.isascii() and text.isdigit() else None
