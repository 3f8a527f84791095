"""What a server can do, and what is yours there: languages, voices, glossaries, usage, keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autodub.client.models import Engine, Glossary, Key, Languages, NewKey, Usage, Voice
from autodub.client.transport import Transport
from autodub.client.uploads import given


class Catalogue:
    """What a server can do."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def languages(self) -> Languages:
        """What can be recognised, translated and spoken."""
        return Languages.model_validate(self._transport.ask("GET", "/api/v1/languages"))

    def engines(self, role: str | None = None) -> tuple[Engine, ...]:
        """Every engine, or those of a role, with their state and options."""
        told = self._transport.ask("GET", "/api/v1/engines", params={"role": role})["engines"]
        return tuple(Engine.model_validate(one) for one in told)

    def voices(self, target: str, engine: str | None = None) -> tuple[Voice, ...]:
        """The stock voices of a language."""
        params = {"target": target, "engine": engine}
        told = self._transport.ask("GET", "/api/v1/voices", params=params)["voices"]
        return tuple(Voice.model_validate(one) for one in told)


class Glossaries:
    """Your glossaries."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> tuple[Glossary, ...]:
        """By name, without their text."""
        told = self._transport.ask("GET", "/api/v1/glossaries")["glossaries"]
        return tuple(Glossary.model_validate(one) for one in told)

    def get(self, glossary: str) -> Glossary:
        """One with its text. Raises NotFound."""
        return Glossary.model_validate(self._transport.ask("GET", f"/api/v1/glossaries/{glossary}"))

    def create(self, name: str, text: str) -> Glossary:
        """Keep a glossary in the format of docs/GLOSSARY.md. Raises Conflict for a name that is taken."""
        asked = {"name": name, "text": text}
        return Glossary.model_validate(self._transport.ask("POST", "/api/v1/glossaries", json=asked))

    def change(self, glossary: str, *, name: str | None = None, text: str | None = None) -> Glossary:
        """Give it another name or other terms."""
        asked = given({"name": name, "text": text})
        told = self._transport.ask("PATCH", f"/api/v1/glossaries/{glossary}", json=asked)
        return Glossary.model_validate(told)

    def delete(self, glossary: str) -> None:
        """Remove it. Raises Conflict while a job needs it."""
        self._transport.ask("DELETE", f"/api/v1/glossaries/{glossary}")


class Keys:
    """Your keys for programs."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> tuple[Key, ...]:
        """Also those that are over."""
        return tuple(Key.model_validate(one) for one in self._transport.ask("GET", "/api/v1/keys")["keys"])

    def create(
        self, name: str, scopes: Sequence[str] = ("read", "jobs"), *, expires: float | None = None
    ) -> NewKey:
        """A new key; ``expires`` is seconds since 1970. Its text is told this once."""
        asked: dict[str, Any] = {"name": name, "scopes": list(scopes), "expires": expires}
        return NewKey.model_validate(self._transport.ask("POST", "/api/v1/keys", json=asked))

    def revoke(self, key: str) -> Key:
        """From now on it opens nothing."""
        return Key.model_validate(self._transport.ask("DELETE", f"/api/v1/keys/{key}"))


def usage(transport: Transport, *, month: str | None = None, owner: str | None = None) -> Usage:
    """What was consumed in a month, ``2026-03`` (this one by default), and what is left of it."""
    params = {"month": month, "owner": owner}
    return Usage.model_validate(transport.ask("GET", "/api/v1/usage", params=params))
