"""The socket a server listens at, and what its address means."""

from __future__ import annotations

import errno
import ipaddress
import socket

from autodub.infra.server_settings import ServerSettings
from autodub.model.errors import BadOption

_BACKLOG = 1024
"""Connections that may wait to be taken."""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes any that is free. Raises BadOption with the way out."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise BadOption(
            f"{host!r} is not an address.", hint="Use 127.0.0.1 for this machine only, 0.0.0.0 for all."
        ) from error
    family, _, _, _, address = min(found, key=lambda one: one[0] != socket.AF_INET)
    try:
        return socket.create_server(
            address[:2], family=family, backlog=_BACKLOG,
            dualstack_ipv6=host == "::" and socket.has_dualstack_ipv6(),
        )  # fmt: skip
    except OSError as error:
        raise _why(error, host, port) from error


def _why(error: OSError, host: str, port: int) -> BadOption:
    if error.errno == errno.EADDRINUSE:
        return BadOption(
            f"Port {port} of {host} is taken by another program.",
            hint=f"Stop that one, or choose another: autodub serve --port {port % 65535 + 1}",
        )
    if error.errno == errno.EACCES:
        return BadOption(f"Port {port} may not be used by this user.", hint="Use one above 1023.")
    return BadOption(
        f"The server cannot listen at {host}, port {port} ({error.strerror}).",
        hint="Use an address of this machine: 127.0.0.1 for itself only, 0.0.0.0 for all of them.",
    )


def address_of(listener: socket.socket) -> str:
    """Where to find it: ``http://127.0.0.1:5000``."""
    host, port = listener.getsockname()[:2]
    if ipaddress.ip_address(host).is_unspecified:
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def require_accounts(server: ServerSettings) -> None:
    """Refuse to be open to other machines without accounts, where that is wanted. Raises BadOption."""
    is_unwanted = "accounts" in server.model_fields_set and not server.accounts
    if is_unwanted and not is_loopback(server.host):
        raise BadOption(
            f"Without accounts whoever reaches {server.host} could use and delete everything.",
            hint="Leave out --no-accounts (AUTODUB_ACCOUNTS), or listen at 127.0.0.1 only.",
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
