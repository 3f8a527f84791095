"""Sending one HTTP request to an address that a user gave, without becoming a way into the server's network.

The name is looked up here and every address it means is judged; the connection is made to a judged address
itself, so a name that changes its meaning between two looks leads nowhere. Redirections are not followed,
proxies of the environment are not used, and of the answer only the status is read. Everything together has
one deadline, however slowly the other side drips.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpcore

from autodub.infra.addresses import Address, Networks


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request."""

    status: int | None = None
    """Of the answer; None where there was none."""
    trouble: str = ""
    """Why there was none: a few words without anything that the other side said."""


def post(
    address: Address, body: bytes, headers: Mapping[str, str], *, networks: Networks, seconds: float
) -> Outcome:
    """Send a body; never raises for what the other side does. ``seconds``: for everything together."""
    road = _Road(networks, time.monotonic() + seconds)
    waits = dict.fromkeys(("connect", "read", "write", "pool"), seconds)
    try:
        with (
            httpcore.ConnectionPool(ssl_context=_trust(), network_backend=road) as pool,
            pool.stream(
                "POST", address.url, content=body, extensions={"timeout": waits},
                headers=[("Host", _host(address)), ("Content-Length", str(len(body))), *headers.items()],
            ) as answer,
        ):  # fmt: skip
            return Outcome(answer.status)
    except _NotPublic as problem:
        return Outcome(trouble=str(problem))
    except httpcore.TimeoutException:
        return Outcome(trouble=f"no answer within {seconds:g} s")
    except httpcore.ProtocolError:
        return Outcome(trouble="the answer is not HTTP")
    except httpcore.ConnectError as problem:
        kind = "the TLS certificate is not good" if _is_about_tls(problem) else "no connection"
        return Outcome(trouble=kind)
    except (httpcore.NetworkError, OSError):
        return Outcome(trouble="the connection broke")


class _NotPublic(Exception):
    """Everything a name means is inside."""


class _Road(httpcore.NetworkBackend):
    """Connects to judged addresses only, and to nothing after the deadline."""

    def __init__(self, networks: Networks, deadline: float) -> None:
        self._networks, self._deadline = networks, deadline

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, local_address: str | None = None,  # noqa: ARG002
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:  # fmt: skip
        try:
            known = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as problem:
            raise httpcore.ConnectError("unknown name") from problem
        found = list(dict.fromkeys(str(entry[4][0]) for entry in known))
        judged = [literal for literal in found if self._networks.is_open(literal)]
        if not judged:
            raise _NotPublic("its address is not a public one of the internet")
        failure: Exception | None = None
        for literal in judged:
            try:
                stream = httpcore.SyncBackend().connect_tcp(
                    literal, port, timeout=_left(self._deadline, httpcore.ConnectTimeout),
                    socket_options=socket_options,
                )  # fmt: skip
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as problem:
                failure = problem
                continue
            return _Stream(stream, self._deadline)
        raise failure or httpcore.ConnectError("no connection")


class _Stream(httpcore.NetworkStream):
    """A connection that is over at the deadline."""

    def __init__(self, inner: httpcore.NetworkStream, deadline: float) -> None:
        self._inner, self._deadline = inner, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        return self._inner.read(max_bytes, _left(self._deadline, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        self._inner.write(buffer, _left(self._deadline, httpcore.WriteTimeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None  # noqa: ARG002
    ) -> httpcore.NetworkStream:  # fmt: skip
        try:
            wait = _left(self._deadline, httpcore.ConnectTimeout)
            return _Stream(self._inner.start_tls(ssl_context, server_hostname, wait), self._deadline)
        except BaseException:  # also Ctrl-C: the connection is nobody's yet
            self._inner.close()
            raise

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def _left(deadline: float, late: Callable[[str], Exception]) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise late("too late")
    return left


@cache
def _trust() -> ssl.SSLContext:
    import httpx

    return httpx.create_ssl_context()


def _host(address: Address) -> str:
    return address.url.partition("://")[2].partition("/")[0]


def _is_about_tls(problem: BaseException) -> bool:
    cause: BaseException | None = problem
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
