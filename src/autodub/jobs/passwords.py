"""Passwords: what one must be, and how it is kept (Argon2id)."""

from __future__ import annotations

import re
import secrets
import threading
import unicodedata
from base64 import b64encode

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from autodub.model.errors import BadOption

SHORTEST, LONGEST = 12, 1024
"""Characters."""
_WORTH = 8
"""Characters that must be left when what can be guessed at once counts as one."""
_ROWS = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "qwertzuiop",
    "azerty",
)
_WORDS = (
    "password", "passwort", "contrasena", "motdepasse", "autodub", "dubbing", "video", "admin",
    "administrator", "welcome", "letmein", "changeme", "secret", "iloveyou", "dragon", "monkey", "football",
    "baseball", "princess", "sunshine", "master", "login", "default", "server", "test", "user", "root",
    "hello", "correct", "horse", "battery", "staple",
)  # fmt: skip
_AT_ONCE = 4
"""Hashes computed at the same time: each takes 64 MiB."""


def check(password: str, *, name: str = "") -> None:
    """Raise BadOption for a password that would be guessed. No mixture of characters is asked."""
    if len(password) < SHORTEST:
        raise BadOption(
            f"The password is too short: it has {len(password)} characters.",
            hint=f"Use at least {SHORTEST}; a few words after one another will do.",
        )
    if len(password) > LONGEST:
        raise BadOption(f"The password is longer than {LONGEST} characters.", hint="Use a shorter one.")
    if worth(password, name=name) < _WORTH:
        raise BadOption(
            "The password would be guessed soon: it is made of repetitions, rows of keys, common words "
            "or the user's name.",
            hint="Use a few words that have nothing to do with each other, or a password manager.",
        )


def worth(password: str, *, name: str = "") -> int:
    """Characters of a password, with everything that is guessed at once counted as one."""
    text = unicodedata.normalize("NFKC", password).casefold()[:LONGEST]  # one sign may become eighteen
    known = sorted(
        {*_WORDS, *(part for part in re.split(r"\W+", name.casefold()) if len(part) >= 3)}, key=len
    )
    for word in reversed(known):
        text = text.replace(word, "\0")
    text = re.sub(r"(.+?)\1+", r"\1", text)
    count, at = 0, 0
    while at < len(text):
        at += _row(text[at:])
        count += 1
    return count


def _row(text: str) -> int:
    """How many characters at the beginning follow one another on a keyboard or in an alphabet, at least 1."""
    best = 1
    for row in (*_ROWS, *(row[::-1] for row in _ROWS)):
        length = 1
        while length < len(text) and text[: length + 1] in row:
            length += 1
        best = max(best, length)
    return best if best >= 3 else 1


class Passwords:
    """Makes and checks the digests of passwords. Safe for many threads."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        """``hasher`` sets the cost; by default the second recommendation of RFC 9106 (3 rounds, 64 MiB)."""
        self._hasher = hasher or PasswordHasher()
        self._turns = threading.BoundedSemaphore(_AT_ONCE)
        self._nobody = _decoy(self._hasher)

    def digest(self, password: str) -> str:
        """What is kept of a password: parameters, salt and digest."""
        with self._turns:
            return self._hasher.hash(_bytes(password))

    def matches(self, digest: str | None, password: str) -> bool:
        """Whether it is the password. Without a digest it takes as long, and is not."""
        kept = digest or self._nobody
        with self._turns:
            try:
                same = self._hasher.verify(kept, _bytes(password))
            except (VerificationError, InvalidHashError):
                return False
        return same and digest is not None

    def is_outdated(self, digest: str) -> bool:
        """Whether a digest was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(digest)


def _decoy(hasher: PasswordHasher) -> str:
    """The digest of nobody's password: checking one against it costs what any other check does."""
    salt, digest = (
        b64encode(secrets.token_bytes(length)).decode().rstrip("=")
        for length in (hasher.salt_len, hasher.hash_len)
    )
    cost = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    return f"$argon2id$v=19${cost}${salt}${digest}"


def _bytes(password: str) -> bytes:
    """The same for every way a keyboard composes the characters; what cannot be encoded is kept apart."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")
