"""Which web pages may use the interface: checks of Host and Origin, and CORS.

A browser sends requests to the server for every page its user looks at. What a page of somebody else can
do with that is decided here: nothing, unless its origin is in the settings. Without accounts this is all that
stands between a page and the server, so there the name it was asked by is checked, too: a foreign name that
was made to lead to 127.0.0.1 is refused.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

from flask import Flask, Response, request

from autodub.infra.server_settings import ServerSettings
from autodub.model.errors import BadOption, Forbidden
from autodub.web.identity import accounts_needed, shows_key

SAFE = ("GET", "HEAD", "OPTIONS")
_ALLOWED = (
    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, Range, "
    "Tus-Resumable, Upload-Checksum, Upload-Defer-Length, Upload-Length, Upload-Metadata, Upload-Offset, "
    "X-API-Key, X-CSRF-Token, X-HTTP-Method-Override, X-Request-Id"
)
_EXPOSED = (
    "Accept-Ranges, Content-Disposition, Content-Range, ETag, Location, RateLimit-Limit, "
    "RateLimit-Remaining, RateLimit-Reset, Retry-After, Tus-Extension, Tus-Max-Size, Tus-Resumable, "
    "Tus-Version, Upload-Expires, Upload-Length, Upload-Offset, WWW-Authenticate, X-Request-Id"
)
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data", "text/plain")
"""What a page can send elsewhere without being asked first."""


class Origins:
    """The origins whose pages may use one server."""

    def __init__(self, server: ServerSettings) -> None:
        """Raise BadOption for what is no origin, and for pages of anybody on a server without accounts."""
        self._local = not accounts_needed(server)
        self._public = urlsplit(server.public_url) if server.public_url else None
        self._any = "*" in server.origins
        self._named = {origin(one) for one in server.origins if one != "*"}
        if self._any and self._local:
            raise BadOption(
                "Without accounts, origins may not be *: any web page you look at could use the server.",
                hint="Name the origins, such as http://localhost:3000, or turn accounts on.",
            )

    def check(self) -> Response | None:
        """Refuse what a page of somebody else sent, and answer browsers that ask what they may."""
        if self._local:
            self._check_host()
        sent = request.headers.get("Origin")
        if request.method == "OPTIONS" and sent and "Access-Control-Request-Method" in request.headers:
            return self._preflight(sent)
        if not self._local and shows_key():
            return None  # a page of somebody else cannot know a key
        if not self._is_ours(sent):
            raise Forbidden(
                "This was sent by a page of another site.",
                hint="If the page is yours, add its origin to the setting origins (AUTODUB_ORIGINS).",
            )
        return None

    def told(self, answer: Response) -> Response:
        """Say which pages may read an answer."""
        if self._any or self._named:
            answer.vary.add("Origin")
        sent = request.headers.get("Origin")
        if sent and self._is_named(sent):
            answer.headers["Access-Control-Allow-Origin"] = sent
            answer.headers["Access-Control-Allow-Credentials"] = "true"
            answer.headers["Access-Control-Expose-Headers"] = _EXPOSED
        elif sent and self._any:
            answer.headers["Access-Control-Allow-Origin"] = "*"
            answer.headers["Access-Control-Expose-Headers"] = _EXPOSED
        return answer

    def _is_ours(self, sent: str | None) -> bool:
        changes = request.method not in SAFE or "websocket" in request.headers.get("Upgrade", "").lower()
        if sent is not None and (changes or self._is_named(sent)):
            return self._is_own(sent) or self._is_named(sent)
        site = request.headers.get("Sec-Fetch-Site", "")
        if changes:
            return site in ("same-origin", "none") or (not site and not self._may_be_a_form())
        if site in ("", "same-origin", "none") or self._any:
            return True
        # A link that leads here from elsewhere is no harm; a picture, a frame or a script taken from here is.
        frame = request.headers.get("Sec-Fetch-Dest", "") in ("iframe", "frame", "embed", "object")
        return request.headers.get("Sec-Fetch-Mode") == "navigate" and not frame

    def _may_be_a_form(self) -> bool:
        """Whether an old browser may have sent this for a page: it names no origin with forms."""
        return (
            request.mimetype in ("", *_FORMS) and "mozilla/" in request.headers.get("User-Agent", "").lower()
        )

    def _is_own(self, sent: str) -> bool:
        try:
            page = urlsplit(sent)
            if self._public is not None and _place(page) == _place(self._public):
                return True
            secure = page.scheme == "https"  # perhaps a proxy in front does TLS
            here = urlsplit(f"{page.scheme if secure else request.scheme}://{request.host}")
            return bool(request.host) and _place(page) == _place(here)
        except ValueError:
            return False

    def _is_named(self, sent: str) -> bool:
        return sent.lower() in self._named

    def _check_host(self) -> None:
        if "HTTP_HOST" not in request.environ:  # no browser leaves it out
            return
        name = urlsplit(f"//{request.host}").hostname or ""
        if is_loopback_name(name) or (self._public is not None and name == self._public.hostname):
            return
        raise Forbidden(
            "This server was asked by a name that is not its own.",
            hint="Use http://127.0.0.1 or http://localhost with its port, or set public_url.",
        )

    def _preflight(self, sent: str) -> Response:
        if not (self._any or self._is_named(sent) or self._is_own(sent)):
            raise Forbidden(
                "Pages of this origin may not use the server.",
                hint="If it is yours, add it to the setting origins (AUTODUB_ORIGINS).",
            )
        answer = Response(status=204)
        answer.headers["Access-Control-Allow-Methods"] = "GET, HEAD, POST, PUT, PATCH, DELETE"
        answer.headers["Access-Control-Allow-Headers"] = _ALLOWED
        answer.headers["Access-Control-Max-Age"] = "600"
        if request.headers.get("Access-Control-Request-Private-Network") == "true" and self._is_named(sent):
            answer.headers["Access-Control-Allow-Private-Network"] = "true"
        return answer


def origin(text: str) -> str:
    """An origin of the settings as browsers write it. Raises BadOption for anything else."""
    try:
        parts = urlsplit(text.strip().lower())
        scheme, host, port = _place(parts)
    except ValueError:
        scheme, host, port, parts = "", "", 0, urlsplit("")
    more = parts.path not in ("", "/") or parts.query or parts.fragment or parts.username
    if scheme in _PORTS and _NAME.fullmatch(host) and not more:
        host = f"[{host}]" if ":" in host else host
        return f"{scheme}://{host}" + ("" if port == _PORTS[scheme] else f":{port}")
    raise BadOption(
        "The setting origins has something that is no origin.",
        hint="An origin is http:// or https://, a name, and perhaps a port: https://dub.example.org",
    )


_PORTS = {"http": 80, "https": 443}
_NAME = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+")


def _place(parts: SplitResult) -> tuple[str, str, int]:
    """Scheme, host and port. Raises ValueError for a port that is none."""
    port = parts.port or _PORTS.get(parts.scheme, 0)
    return parts.scheme, parts.hostname or "", port


def is_loopback_name(name: str) -> bool:
    """Whether a name in an address always means the same machine."""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def install(app: Flask, server: ServerSettings) -> None:
    """Have every request checked before anything else looks at it. Raises BadOption."""
    origins = Origins(server)
    app.before_request(origins.check)
    app.after_request(origins.told)
