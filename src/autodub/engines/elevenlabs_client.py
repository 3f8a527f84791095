"""The connection to ElevenLabs: the official SDK, told everything, and its failures as our errors.

Requires ``elevenlabs``. Nothing is left to the SDK's own defaults: it reads the key from the
environment once, when it is imported; its retries lose the fields of a form; and it follows
redirects with the key in hand.
"""

from __future__ import annotations

import math
import re
import threading
import weakref
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any, TypeVar

from autodub.engines.roles import EngineContext, Readiness, Work
from autodub.infra import http
from autodub.infra.http import Kind, Provider
from autodub.infra.http_body import read
from autodub.model.errors import BadAnswer, BadOption, EngineError, Gone, Refused

T = TypeVar("T")

NAME = "elevenlabs"
KEY, ENDPOINT = "ELEVENLABS_API_KEY", "ELEVENLABS_BASE_URL"
HOME = "https://api.elevenlabs.io"
_CONNECT = 10.0
"""Seconds a connection may take to be made."""
_opening = threading.Lock()

NO_MODEL = "ElevenLabs does not have this model any more."
"""The sentence of Gone where it is not a voice that vanished."""
_NO_MODEL = frozenset({"model_not_found", "model_does_not_exist", "model_deprecated", "model_removed"})

WORDS: Mapping[str, Kind] = {
    "quota_exceeded": Kind.NO_CREDIT,
    "insufficient_credits": Kind.NO_CREDIT,
    "missing_permissions": Kind.REFUSED_CALL,
    "can_not_use_instant_voice_cloning": Kind.REFUSED_CALL,
    "only_for_creator+": Kind.REFUSED_CALL,
    "paid_plan_required": Kind.REFUSED_CALL,
    # The same word stands for an empty account and for voices that the plan does not cover.
    "library voices": Kind.REFUSED_CALL,
    "voice library": Kind.REFUSED_CALL,
    "payment_required": Kind.NO_CREDIT,
    "voice_limit_reached": Kind.FULL,
    "voice_not_found": Kind.GONE,
    "voice_does_not_exist": Kind.GONE,
    **dict.fromkeys(sorted(_NO_MODEL), Kind.GONE),
    "max_character_limit_exceeded": Kind.TOO_LONG,
    "text_too_long": Kind.TOO_LONG,
    "concurrent_limit_exceeded": Kind.BUSY,
    "too_many_concurrent_requests": Kind.BUSY,
    "rate_limit_exceeded": Kind.BUSY,
    "system_busy": Kind.BUSY,
    "invalid_api_key": Kind.REFUSED,
    "detected_unusual_activity": Kind.REFUSED,
    "internal_error": Kind.UNREACHABLE,
    "service_unavailable": Kind.UNREACHABLE,
    "maintenance": Kind.UNREACHABLE,
    "unsupported_model": Kind.REJECTED,
    "invalid_parameters": Kind.REJECTED,
    "invalid_uid": Kind.REJECTED,
}
"""What the words of its refusals mean: ``code`` and ``status`` say different things, and the older or
the more telling of the two is not always the same one."""

PROVIDER = Provider("ElevenLabs", KEY, WORDS, ENDPOINT, "https://elevenlabs.io")


class Client:
    """An account, opened when it is first asked. May be used by many threads."""

    def __init__(self, context: EngineContext, *, timeout: float) -> None:
        self._key = context.secrets.get(KEY, "").strip()
        self.endpoint = (context.endpoints.get(ENDPOINT) or HOME).rstrip("/")
        self._timeout = timeout
        self._connections: _Connections | None = None

    @property
    def account(self) -> str:
        """Provider, endpoint and a digest of the key."""
        return http.account(NAME, endpoint=self.endpoint, key=self._key)

    def readiness(self, detail: str) -> Readiness:
        """Whether package and key are there; nothing is asked of the provider."""
        if find_spec("elevenlabs") is None or find_spec("httpx") is None:
            fix = "pip install 'autodub[elevenlabs]'"
            return Readiness("not installed", "the elevenlabs package is not installed", fix)
        if not self._key:
            return Readiness("needs key", f"{KEY} is not set", f"export {KEY}=...")
        return Readiness("ready", detail)

    def open(self) -> Any:
        """The SDK's client. Raises Refused for a key that cannot be one, BadOption for a bad address."""
        if not re.fullmatch(r"[!-~]+", self._key):
            what = "holds characters no key has" if self._key else "is not set"
            raise Refused(f"{KEY} {what}.", hint=f"Set {KEY} to a key of your account.", engine=NAME)
        if not re.match(r"https?://[^/\s]+", self.endpoint):
            raise BadOption(
                f"{ENDPOINT} is no address of a server.", hint=f"Give one like {HOME}, or leave it out."
            )
        with _opening:
            if self._connections is None:
                account = (self.endpoint, self._key)
                self._connections = _open.get(account) or _Connections(*account)
                _open[account] = self._connections
            return self._connections.sdk

    def prepare(self) -> None:
        """Import the SDK and open its connections, as far as there is a key; nothing is sent."""
        with http.importing():
            import elevenlabs.text_to_speech.client
            import elevenlabs.voices.client  # noqa: F401

        if re.fullmatch(r"[!-~]+", self._key):
            self.open()

    def options(self, **more: object) -> dict[str, object]:
        """How every request is sent: no retry, and a timeout that follows the work."""
        import httpx

        return {
            "max_retries": 0,
            "timeout_in_seconds": httpx.Timeout(self._timeout, connect=_CONNECT),
            **more,
        }

    def ask(self, call: Callable[[Any], T], *, what: str, work: Work | None = None) -> T:
        """The answer of one call of the SDK. Raises an EngineError for whatever went wrong."""
        sdk = self.open()
        import httpx
        from elevenlabs.core.api_error import ApiError
        from elevenlabs.core.parse_error import ParsingError

        try:
            return call(sdk)
        except (ApiError, ParsingError) as problem:
            headers = problem.headers or {}
            if work is not None:
                heed(headers, work)
            raise self._failure(problem.status_code or 0, headers, problem.body, what) from None
        except (httpx.HTTPError, httpx.InvalidURL) as problem:
            raise http.unreachable(PROVIDER, problem, what=what) from None
        except (TypeError, ValueError, AttributeError) as problem:
            if not _of_the_sdk(problem):
                raise
            # The SDK takes a reply of another shape than it expects for granted, and stumbles.
            raise BadAnswer(
                f"ElevenLabs' answer to {what} cannot be read.", hint="It is asked once more.", engine=NAME
            ) from None

    def _failure(self, status: int, headers: Mapping[str, str], body: object, what: str) -> EngineError:
        error = http.failure(PROVIDER, status=status, headers=headers, body=body, what=what, secret=self._key)
        if isinstance(error, Gone) and not read(body).words.isdisjoint(_NO_MODEL):
            return Gone(
                NO_MODEL, hint="Set synthesizer.model_id to one that `autodub doctor` lists.", engine=NAME
            )
        return error


class _Connections:
    """One SDK client of an account; closed when the last engine that uses it is gone."""

    def __init__(self, endpoint: str, key: str) -> None:
        with http.importing():
            import httpx

            # The plain client: the one of `elevenlabs.client` adds live conversations and twice the imports.
            from elevenlabs.base_client import BaseElevenLabs

        client = httpx.Client(
            follow_redirects=False,
            timeout=60,
            limits=httpx.Limits(max_connections=64, max_keepalive_connections=32, keepalive_expiry=30),
        )
        self.sdk = BaseElevenLabs(base_url=endpoint, api_key=key, httpx_client=client, follow_redirects=False)
        weakref.finalize(self, client.close)


_open: weakref.WeakValueDictionary[tuple[str, str], _Connections] = weakref.WeakValueDictionary()
"""Synthesizer and cloner of an account share their connections."""


def heed(headers: Mapping[str, str], work: Work) -> None:
    """Pass on what a reply says of itself: its id, and how many requests the account may have in flight."""
    lowered = {name.lower(): value for name, value in headers.items()}
    reference = lowered.get("request-id", "")
    if re.fullmatch(r"[\w.:-]{1,128}", reference):
        work.reference(reference)
    lanes = lowered.get("maximum-concurrent-requests", "")
    if re.fullmatch(r"[1-9]\d{0,3}", lanes.strip()):
        work.allow(int(lanes))


def cost(headers: Mapping[str, str], *, characters: int, each: float) -> float:
    """Characters a reply was billed at; our own count where it does not say.

    ``character-cost`` counts credits, of which a character of some models costs less than one (``each``);
    ``x-character-count`` counts characters.
    """
    lowered = {name.lower(): value for name, value in headers.items()}
    told = _number(lowered.get("character-cost", ""))
    if told is not None:
        return min((told / each, told), key=lambda amount: abs(amount - characters))
    counted = _number(lowered.get("x-character-count", ""))
    return float(characters) if counted is None else counted


def _of_the_sdk(problem: BaseException) -> bool:
    """Whether an error came up while the SDK read a reply, and not in a call of ours."""
    trace = problem.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = str(trace.tb_frame.f_globals.get("__name__", "")) if trace is not None else ""
    return where.startswith(("elevenlabs.", "pydantic", "httpx", "json"))


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None
