"""Signatures of webhooks: who has the secret can tell that a body came from this server, and when.

The header reads ``t=1767225600,v1=5257a869...``: seconds since 1970, and the HMAC-SHA256, in hexadecimal, of
those digits, a full stop, and the body's bytes.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable
from hashlib import sha256

HEADER = "Autodub-Signature"
_PREFIX = "whsec_"


def new_secret() -> str:
    """A secret for signing."""
    return _PREFIX + secrets.token_urlsafe(32)


def sign(secret: str, body: bytes, *, at: float) -> str:
    """The header's value."""
    moment = int(at)
    return f"t={moment},v1={_digest(secret, moment, body)}"


def is_signed(
    secret: str, body: bytes, header: str, *, tolerance: float = 300.0, clock: Callable[[], float] = time.time
) -> bool:
    """Whether a body was signed with the secret, at most ``tolerance`` seconds ago (or ahead)."""
    moment, signatures = None, []
    for part in header.split(","):
        name, _, value = part.strip().partition("=")
        if name == "t" and value.isascii() and value.isdigit() and len(value) <= 12:
            moment = int(value)
        elif name == "v1":
            signatures.append(value.encode())
    if moment is None or abs(clock() - moment) > tolerance:
        return False
    wanted = _digest(secret, moment, body).encode()
    return any(hmac.compare_digest(wanted, found) for found in signatures)


def _digest(secret: str, moment: int, body: bytes) -> str:
    return hmac.new(secret.encode(), f"{moment}.".encode() + body, sha256).hexdigest()
