"""From what a provider's server said, or from a connection that broke, to the error tree.

One mapper for all providers. What they differ in is data: the table of words that their refusals
carry. The body decides before the status does, since the same status means different things
(an empty account is 401, 402 or 429, depending on whom one asks).
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from hashlib import sha256

from autodub.infra.http_body import Saying, clean, read
from autodub.infra.http_wait import seconds
from autodub.model.errors import (
    BadAnswer,
    Busy,
    EngineError,
    Full,
    Gone,
    NoCredit,
    Refused,
    Rejected,
    TooLong,
    Unreachable,
)


class Kind(Enum):
    """What a refusal means for whoever called."""

    UNREACHABLE = "is not working at the moment"
    BUSY = "asks to slow down"
    BAD_ANSWER = "gave an answer that makes no sense"
    REJECTED = "rejected the request"
    TOO_LONG = "takes less than that at once"
    GONE = "does not know what was asked for"
    FULL = "has no free place left in this account"
    REFUSED = "refuses this key"
    """Key or account are bad for every call."""
    REFUSED_CALL = "does not allow this with this key"
    """The key is good; its permissions or plan do not cover this kind of call."""
    NO_CREDIT = "says that the account has no credit left"


_ERRORS: Mapping[Kind, type[EngineError]] = {
    Kind.UNREACHABLE: Unreachable,
    Kind.BUSY: Busy,
    Kind.BAD_ANSWER: BadAnswer,
    Kind.REJECTED: Rejected,
    Kind.TOO_LONG: TooLong,
    Kind.GONE: Gone,
    Kind.FULL: Full,
    Kind.NO_CREDIT: NoCredit,
}

_STATUSES: Mapping[int, Kind] = {
    401: Kind.REFUSED, 402: Kind.NO_CREDIT, 403: Kind.REFUSED_CALL, 404: Kind.GONE, 407: Kind.UNREACHABLE,
    408: Kind.BUSY, 410: Kind.GONE, 413: Kind.TOO_LONG, 414: Kind.TOO_LONG, 425: Kind.BUSY, 429: Kind.BUSY,
    451: Kind.REFUSED_CALL,
}  # fmt: skip
"""Where neither the body nor the provider's table says more: other 4xx are rejected, 5xx unreachable."""


@dataclass(frozen=True, slots=True)
class Provider:
    """Whose answers are read."""

    name: str
    """For people: ``ElevenLabs``."""
    key: str
    """Setting that holds the key: ``ELEVENLABS_API_KEY``."""
    words: Mapping[str, Kind] = field(default_factory=dict)
    """What the words of its refusals mean, **most specific first**: of several found in one body, the
    first of this table wins.

    - ``voice_not_found``: compared, without regard to case, with whatever stands under ``code``,
      ``status``, ``type``, ``err_code``, ``category`` and the like; words with an underscore are also
      found inside sentences;
    - ``library voices`` (anything with a space): sought in the provider's sentences;
    - ``504``: what a bare status means with this provider, when no word says more.
    """
    endpoint: str = ""
    """Setting that holds its address, such as ``ELEVENLABS_BASE_URL``."""
    credit: str = ""
    """Where accounts are topped up, for people."""


def failure(
    provider: Provider,
    *,
    status: int,
    headers: Mapping[str, str] | None,
    body: bytes | str | object,
    what: str = "",
    secret: str = "",
) -> EngineError:
    """The error an HTTP answer stands for; never raises.

    ``what`` says in a word or two what was asked (``cloning``); ``secret`` is the key that was sent,
    which is taken out of whatever came back. Raise the result ``from None``: what the SDKs' own
    errors carry along must not end up in a log.
    """
    saying = read(body)
    kind = _kind(provider, status, saying)
    details = ", ".join(part for part in (what, f"HTTP {status}") if part)
    sentence = f"{provider.name} {kind.value} ({details})"
    message = clean(f"{sentence}: {saying.sentence}" if saying.sentence else f"{sentence}.", secret=secret)
    message = message if message.endswith((".", "!", "?", "…")) else f"{message}."
    hint = _hint(provider, kind, status)
    if kind in (Kind.REFUSED, Kind.REFUSED_CALL):
        return Refused(message, hint=hint, whole_account=kind is Kind.REFUSED)
    wait = seconds(headers or {}) if kind in (Kind.BUSY, Kind.UNREACHABLE) else None
    return _ERRORS[kind](message, hint=hint, retry_after=wait)


def _kind(provider: Provider, status: int, saying: Saying) -> Kind:
    for word, kind in provider.words.items():
        if not word.isdigit() and saying.has(word):
            return kind
    told = provider.words.get(str(status))
    if told is not None:
        return told
    if status in _STATUSES:
        return _STATUSES[status]
    if 200 <= status < 300:
        return Kind.BAD_ANSWER
    return Kind.REJECTED if status < 500 else Kind.UNREACHABLE


def _hint(provider: Provider, kind: Kind, status: int) -> str:
    where = f" and the address in {provider.endpoint}, if it is set" if provider.endpoint else ""
    if kind is Kind.REFUSED:
        return f"Set {provider.key} to a valid key, in the environment or under [secrets] in the config file."
    if kind is Kind.REFUSED_CALL:
        return (
            f"Give the key in {provider.key} the permission, choose a plan that has it, or use another "
            "model or engine."
        )
    if kind is Kind.NO_CREDIT:
        place = f" at {provider.credit}" if provider.credit else ""
        return f"Top up the {provider.name} account{place}, then run again: what is finished is kept."
    if kind is Kind.GONE:
        return f"Check the name of the model or voice{where}."
    if kind is Kind.FULL:
        return f"Delete voices you no longer need in the {provider.name} account."
    if kind is Kind.TOO_LONG:
        return "Dub a shorter range (--start, --end), or use another engine for this."
    if kind is Kind.REJECTED and 300 <= status < 400:
        return f"The address leads elsewhere: correct {provider.endpoint or 'the address'}."
    if kind is Kind.REJECTED:
        return "Correct the engine's options, or use another engine."
    if kind is Kind.BUSY:
        return "Run again later: what is finished is kept."
    return f"Run again: what is finished is kept. If it happens again, check the network{where}."


_SENTENCES: tuple[tuple[tuple[type[BaseException], ...], tuple[str, ...], str], ...] = (
    ((ssl.SSLError,), ("SSLError",), "no secure connection could be made (TLS)"),
    ((socket.gaierror,), ("NameResolutionError",), "its address could not be looked up (DNS)"),
    ((ConnectionRefusedError,), (), "the connection was refused"),
    (
        (TimeoutError,),
        ("TimeoutException", "APITimeoutError", "Timeout", "TimeoutError", "PoolTimeout"),
        "no answer came in time",
    ),
    (
        (http.client.IncompleteRead,),
        ("ChunkedEncodingError", "DecodingError", "ContentDecodingError", "IncompleteRead"),
        "the answer broke off",
    ),
    (
        (ConnectionResetError, ConnectionAbortedError, BrokenPipeError, http.client.RemoteDisconnected),
        ("ReadError", "WriteError", "CloseError"),
        "the connection broke",
    ),
    ((), ("RemoteProtocolError", "ProtocolError"), "the connection broke before the answer was complete"),
    ((), ("ProxyError",), "the proxy could not be used"),
    ((), ("ConnectError", "ConnectionError", "NewConnectionError"), "no connection could be made"),
)
"""Classes of the standard library, names of those of httpx, httpx2, requests and urllib3, and what to say.

By name, since this module must not import any of them; in this order over the whole chain of causes."""

_UNSENDABLE = frozenset({"LocalProtocolError", "InvalidHeader", "UnicodeEncodeError"})
_NO_ADDRESS = frozenset({
    "InvalidURL", "UnsupportedProtocol", "MissingSchema", "InvalidSchema", "TooManyRedirects",
    "LocationParseError",
})  # fmt: skip


def unreachable(provider: Provider, error: BaseException, *, what: str = "") -> EngineError:
    """The error a broken connection stands for: Unreachable, saying how it broke.

    Rejected for an address that is none and Refused for a key that cannot be sent, since neither gets
    better by waiting. The exception's own text is never repeated: it may hold addresses or keys.
    """
    chain = tuple(_chain(error))
    names = {kind.__name__ for link in chain for kind in type(link).__mro__}
    asked = f" ({what})" if what else ""
    if names & _NO_ADDRESS:
        return Rejected(
            f"{provider.name} cannot be called{asked}: its address is not a usable one.",
            hint=f"Correct {provider.endpoint or 'the address'}.",
        )
    if names & _UNSENDABLE:
        return Refused(
            f"{provider.name} cannot be called{asked}: the key holds characters that no key has.",
            hint=_hint(provider, Kind.REFUSED, 401),
        )
    said = "the connection failed"
    for classes, known, sentence in _SENTENCES:
        if any(isinstance(link, classes) for link in chain) or not names.isdisjoint(known):
            said = sentence
            break
    return Unreachable(
        f"{provider.name} could not be reached{asked}: {said}.",
        hint=_hint(provider, Kind.UNREACHABLE, 0),
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what caused it, each once."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__


_importing = threading.RLock()


@contextlib.contextmanager
def importing() -> Iterator[None]:
    """Import one SDK at a time, httpx whole before any of them.

    SDKs look whether httpx is loaded, and stumble over one that another thread has only begun to load.
    """
    with _importing:
        import httpx  # noqa: F401 - loading it is the point

        yield


def account(provider: str, *, endpoint: str, key: str) -> str:
    """Who is paid, without saying the key: ``elevenlabs:1f0c9a22``."""
    told = f"{endpoint.strip().rstrip('/').lower()}\0{key}"
    return f"{provider}:{sha256(told.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
