"""How often somebody may ask: requests are counted by user, or by address where nobody is logged in.

Looking is free: a page that watches ten jobs, a player that seeks, a monitor. What is counted are changes,
submissions, edits, logins, the few looks that make the server work, and what somebody asks who may not.
Without accounts only those limits hold that the settings name: the one user there is sits at the machine,
and the jobs' own limits (slots, queue, disk) protect it.
"""

from __future__ import annotations

import ipaddress
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from hashlib import sha256
from typing import Any

from flask import Flask, Response, current_app, request
from flask_limiter import ApplicationLimit, Limiter, RateLimitExceeded, RequestLimit
from limits import RateLimitItem, WindowStats, parse_many
from limits.errors import ConfigurationError

from autodub.infra.server_settings import ServerSettings
from autodub.model.errors import BadOption, TooMany, Unavailable
from autodub.web.identity import accounts_needed, is_open, known

log = logging.getLogger("autodub.web")
_EXTENSION = "autodub.limits"
_CREATE = ("/api/dub", "/api/v1/jobs", "/api/v1/batches", "/api/v1/estimates")
_LOGIN = ("/api/v1/auth/login", "/api/v1/auth/password")
_EDIT = ("transcript", "lines", "speakers", "project", "revisions")
"""Parts of a job that a person edits, one change after another."""
_STEADY = ("/api/v1/uploads/<", "/api/v1/auth/logout")
"""Changes that come in a row and have limits of their own, or must always be possible."""
_TRIED = ("fit",)
"""What is asked while somebody types, and changes nothing: the last part of the path."""
_COSTLY = ("export", "verify")
"""Looks that read much: the last part of their path."""


@lru_cache(1000)
def kind_of(method: str, rule: str) -> str:
    """Which setting counts a request: ``create``, ``edit``, ``login``, ``""`` for the rest, ``free``."""
    parts = rule.strip("/").split("/")
    if method in ("GET", "HEAD", "OPTIONS"):
        return "" if method != "OPTIONS" and parts[-1] in _COSTLY else "free"
    if method == "POST" and rule in _CREATE:
        return "create"
    if method == "POST" and rule in _LOGIN:
        return "login"
    if rule.startswith(_STEADY) or parts[-1] in _TRIED:
        return "free"
    if rule.startswith("/api/v1/jobs/<") and any(part in _EDIT for part in parts[4:]):
        return "edit"
    return ""


class Limits:
    """The limits of one server."""

    def __init__(self, server: ServerSettings) -> None:
        """Raise BadOption for a limit or a storage that has no meaning."""
        self._server, self._local = server, not accounts_needed(server)
        self._account_rates = _parsed("account_rates", server.account_rates)
        kinds = {"": "rates", "create": "create_rates", "edit": "edit_rates", "login": "login_rates"}
        self._limiter = Limiter(
            _who, strategy="moving-window", storage_uri=server.limits, in_memory_fallback_enabled=True,
            application_limits=[self._limit(kind, name) for kind, name in kinds.items()],
        )  # fmt: skip
        counted = {kind for kind, name in kinds.items() if self._is_on(name)}
        self._limiter.request_filter(lambda: _kind() not in counted)  # most are looks: nothing is weighed

    def _is_on(self, name: str) -> bool:
        return not self._local or name in self._server.model_fields_set

    def _limit(self, kind: str, name: str) -> ApplicationLimit:
        rates = getattr(self._server, name)
        _parsed(name, rates)
        is_on = self._is_on(name)
        return ApplicationLimit(
            limit_provider=rates, scope=name, key_function=_address if kind == "login" else None,
            exempt_when=lambda: not is_on or _kind() != kind,
        )  # fmt: skip

    def install(self, app: Flask) -> None:
        """Have every request of the app counted. Raises BadOption for a storage that cannot be used."""
        try:
            self._limiter.init_app(app)
        except (ConfigurationError, ImportError, ValueError, TypeError, AttributeError) as error:
            raise BadOption(  # never the value: it may hold a password
                "The setting limits (AUTODUB_LIMITS) is no place where requests can be counted.",
                hint="memory:// for one server, redis://host:6379 for several (pip install redis).",
            ) from error
        app.extensions[_EXTENSION] = self
        app.register_error_handler(RateLimitExceeded, self._refused)
        app.after_request(self._told)

    def try_account(self, name: str) -> None:
        """Count a try to log in to an account, there or not. Raises TooMany."""
        counting = self._limiter.limiter
        with self._counted():
            for item, who in self._of_account(name):
                if not counting.hit(item, *who):
                    raise _too_many(item, counting.get_window_stats(item, *who).reset_time)

    def forgive(self, name: str) -> None:
        """Forget the tries of an account whose password was right."""
        with self._counted():
            for item, who in self._of_account(name):
                self._limiter.limiter.clear(item, *who)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """Requests go on only where they can be counted; the next one finds another way to count."""
        try:
            yield
        except self._limiter.storage.base_exceptions as error:
            raise Unavailable("Tries to log in cannot be counted now.", hint="Try again.") from error

    def _of_account(self, name: str) -> list[tuple[RateLimitItem, tuple[str, str]]]:
        digest = sha256(name.strip().casefold().encode("utf-8", "surrogatepass")).hexdigest()
        return [(item, ("account", digest)) for item in self._account_rates]

    def _refused(self, error: RateLimitExceeded) -> Any:
        item = error.limit.limit
        window = self._window(self._limiter.current_limit)
        resets = window.reset_time if window is not None else time.time() + item.get_expiry()
        return current_app.handle_user_exception(_too_many(item, resets))

    def _told(self, answer: Response) -> Response:
        over = self._limiter.current_limit
        if over is not None and (window := self._window(over)) is not None:
            answer.headers["RateLimit-Limit"] = str(over.limit.amount)
            answer.headers["RateLimit-Remaining"] = str(max(0, window.remaining))
            answer.headers["RateLimit-Reset"] = str(_seconds(window.reset_time))
        return answer

    def _window(self, over: RequestLimit | None) -> WindowStats | None:
        """What is left of the limit that counted a request, where one did and that can be told."""
        try:
            return None if over is None else over.window
        except self._limiter.storage.base_exceptions as error:  # it was there a moment ago
            log.warning("what is left of a limit cannot be told: %s", type(error).__name__)
            return None


def limits() -> Limits:
    """The limits of the running app."""
    found: Limits = current_app.extensions[_EXTENSION]
    return found


def _kind() -> str:
    """Which setting counts this request; whoever may not is counted in any case."""
    rule = request.url_rule.rule if request.url_rule is not None else ""
    kind = kind_of(request.method, rule)
    return "" if kind == "free" and not is_open() and known() is None else kind


def _who() -> str:
    asking = known()
    return f"user:{asking.id}" if asking is not None else _address()


def _address() -> str:
    """The address that asks; of IPv6 its network, since whoever has one address there has 2^64."""
    text = request.remote_addr or ""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return "address:unknown"
    if isinstance(address, ipaddress.IPv6Address) and (inner := address.ipv4_mapped) is None:
        return f"address:{ipaddress.ip_network((int(address) >> 64 << 64, 64))}"
    return f"address:{inner if address.version == 6 else address}"


def _parsed(name: str, rates: str) -> list[RateLimitItem]:
    try:
        found = parse_many(rates)
    except ValueError:
        found = []
    if not found or min(item.amount for item in found) < 1:
        raise BadOption(
            f"The setting {name} (AUTODUB_{name.upper()}) is no limit: {rates[:60]!r}.",
            hint="A limit is '10 per minute'; several have ; between them: '100 per hour; 10 per minute'.",
        )
    return found


def _too_many(item: RateLimitItem, resets: float) -> TooMany:
    wait = _seconds(resets)
    unit = item.GRANULARITY.name if item.multiples == 1 else f"{item.multiples} {item.GRANULARITY.name}s"
    return TooMany(
        f"That was too often: {item.amount} in one {unit} are allowed."
        if item.multiples == 1 else f"That was too often: {item.amount} in {unit} are allowed.",
        hint=f"Ask again in {wait} seconds.", retry_after=float(wait),
    )  # fmt: skip


def _seconds(moment: float) -> int:
    return max(1, int(moment - time.time() + 0.999))


def install(app: Flask, server: ServerSettings) -> None:
    """Have every request of the app counted. Raises BadOption."""
    Limits(server).install(app)
