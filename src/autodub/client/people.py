"""People at a server: who one is, its users, and statements that voices may be cloned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from autodub.client.models import Told
from autodub.client.transport import Transport

_USERS, _CONSENTS = "/api/v1/users", "/api/v1/consents"
_PAGE = 500


class Me(Told):
    """Who asks, and what they may."""

    id: str
    name: str
    role: str
    scopes: tuple[str, ...] = ()
    accounts: bool = False
    """Whether people log in at this server."""
    by: str = ""
    """How the server knows: ``local``, ``session``, ``key``."""
    quota: Mapping[str, float | None] = {}


class User(Told):
    """Somebody with an account."""

    id: str
    name: str
    role: str = "user"
    active: bool = True
    created: float = 0.0
    minutes: float | None = None
    """Of programme in a month; None: as the server's settings say, as for the two below."""
    dollars: float | None = None
    running: int | None = None
    has_password: bool = False
    leaving: float | None = None
    """Since when everything of this user is being erased."""


class Cloned(Told):
    """A voice that was cloned on a statement."""

    job: str
    speaker: str = ""
    voice: str = ""
    sample: str = ""
    """sha256 of the sound it was made of."""
    engine: str = ""
    created: float = 0.0


class Consent(Told):
    """A statement that voices may be cloned, and what was cloned on it."""

    id: str
    owner: str = ""
    job: str | None = None
    """The job it was given with; None: given ahead."""
    who: str = ""
    statement: str = ""
    address: str = ""
    created: float = 0.0
    withdrawn: float | None = None
    voices: tuple[Cloned, ...] = ()


class Users:
    """The users of a server; for admins."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> tuple[User, ...]:
        """Everybody, by name."""
        return tuple(User.model_validate(one) for one in self._transport.ask("GET", _USERS)["users"])

    def get(self, user: str) -> User:
        """One user. Raises NotFound."""
        return User.model_validate(self._transport.ask("GET", f"{_USERS}/{user}"))

    def create(self, name: str, password: str | None = None, *, role: str = "user", **limits: Any) -> User:
        """Add a user, without a password one who uses keys only.

        ``limits``: ``minutes``, ``dollars``, ``running``. Raises Conflict for a name that is taken.
        """
        asked = {"name": name, "password": password, "role": role} | limits
        return User.model_validate(self._transport.ask("POST", _USERS, json=asked))

    def change(self, user: str, **values: Any) -> User:
        """Change ``role``, ``active`` or a limit; a limit of None is the server's again."""
        return User.model_validate(self._transport.ask("PATCH", f"{_USERS}/{user}", json=values))

    def password(self, user: str, password: str | None) -> None:
        """Set a user's password, which ends their sessions; None: they use keys only."""
        self._transport.ask("PUT", f"{_USERS}/{user}/password", json={"password": password})

    def delete(self, user: str) -> None:
        """Remove a user with everything of theirs, as soon as what runs is stopped."""
        self._transport.ask("DELETE", f"{_USERS}/{user}")


class Consents:
    """Your statements that voices may be cloned."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def give(self, who: str, statement: str) -> Consent:
        """State that the voices of ``who`` may be cloned; jobs refer to it by ``consent_id``."""
        asked = {"who": who, "statement": statement}
        return Consent.model_validate(self._transport.ask("POST", _CONSENTS, json=asked))

    def list(self, *, owner: str | None = None) -> Iterator[Consent]:
        """The newest first, page after page as they are wanted; ``owner`` is for admins, ``*`` = all."""
        after: str | None = None
        while True:
            params = {"owner": owner, "after": after, "limit": _PAGE}
            page = self._transport.ask("GET", _CONSENTS, params=params)["consents"]
            for one in page:
                yield Consent.model_validate(one)
            if len(page) < _PAGE:
                return
            after = page[-1]["id"]

    def get(self, consent: str) -> Consent:
        """One with the voices cloned on it. Raises NotFound."""
        return Consent.model_validate(self._transport.ask("GET", f"{_CONSENTS}/{consent}"))

    def withdraw(self, consent: str) -> Consent:
        """From now on nothing is cloned on it, and voices that were are deleted at their provider."""
        return Consent.model_validate(self._transport.ask("DELETE", f"{_CONSENTS}/{consent}"))


def me(transport: Transport) -> Me:
    """Who asks."""
    return Me.model_validate(transport.ask("GET", "/api/v1/auth/me"))
