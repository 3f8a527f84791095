"""An engine that lives on another machine: the same Protocol, and its calls are made by a worker there.

What can change an answer is what the worker says of itself: the engine's version, and its options once they
are settled there (which weights, which device). So both sides know an answer by the same key. The class is
made for each engine: it has the verbs and questions that the engine has, and nothing more.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from typing import Any, ClassVar, Protocol, cast

from pydantic import ConfigDict

from autodub.engines.roles import EngineOptions, Info, Readiness, Work
from autodub.infra import codec

VERBS = (
    "detect", "separate", "transcribe", "diarize", "translate", "summarize", "list_voices", "synthesize",
    "clone",
)  # fmt: skip
"""What a worker elsewhere may be asked to do. A download is none of it: it leads to files of one machine."""
QUESTIONS = ("pairs", "route", "speaks")
"""What an engine says in no time, from what lies on its machine."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a worker says of an engine that it serves."""

    info: Info
    options: str
    """The options as they are settled there, as JSON."""
    readiness: Readiness

    @property
    def identity(self) -> str:
        """Of everything that can change an answer, but for the request."""
        known = (self.info.role, self.info.name, self.info.version, json.loads(self.options))
        return sha256(codec.canonical(known)).hexdigest()[:32]


def facts_of(engine: Any) -> Facts:
    """What there is to say of an engine of this machine."""
    options = engine.options
    settled = options.model_dump() if isinstance(options, EngineOptions) else options
    return Facts(engine.describe(), codec.dump(settled), engine.readiness())


class Elsewhere(Protocol):
    """What is known of engines that live on other machines."""

    def has(self, role: str, name: str) -> bool:
        """Whether the operator has workers elsewhere serve an engine."""
        ...

    def facts(self, engine: str, options: Mapping[str, str]) -> Facts | None:
        """What the workers say who serve it with these options; None where there is none.

        Raises what the engine says to the options, and Unavailable.
        """
        ...

    def ask(self, engine: str, options: Mapping[str, str], question: str, arguments: tuple[str, ...]) -> Any:
        """A worker's answer to a short question. Raises what the engine raises, and Unavailable."""
        ...


class _Settled(EngineOptions):
    """Options as a worker has settled them."""

    model_config = ConfigDict(frozen=True, extra="allow")


class Remote:
    """An engine that workers on other machines serve."""

    Options: ClassVar[type[EngineOptions]] = EngineOptions
    local: ClassVar[type[Any]]
    """The engine as this machine has it: its options and its facts where no worker says any."""

    def __init__(self, options: EngineOptions, typed: Mapping[str, str], elsewhere: Elsewhere) -> None:
        """``typed`` are the options as the user typed them, ``options`` the same as this machine reads them.

        Raises Unavailable, and what a worker's engine says to the options.
        """
        own: Info = self.local.describe()
        self.engine = f"{own.role}.{own.name}"
        """``role.name``"""
        self.typed = dict(typed)
        self._elsewhere = elsewhere
        found = elsewhere.facts(self.engine, self.typed)
        self.identity = "" if found is None else found.identity
        self.options = options
        if found is not None:
            self.options = _settled(type(options))(**json.loads(found.options))
        self._readiness = _missing(own) if found is None else found.readiness
        info = replace(own if found is None else found.info, elsewhere=True)
        vars(self)["describe"] = lambda: info  # an instance knows more than its class

    @classmethod
    def describe(cls) -> Info:
        info: Info = cls.local.describe()
        return replace(info, elsewhere=True)

    def readiness(self) -> Readiness:
        return self._readiness

    def ask(self, question: str, *arguments: str) -> Any:
        """What a worker's engine says. Raises what it raises, and Unavailable."""
        return self._elsewhere.ask(self.engine, self.typed, question, arguments)


def build(local: type[Any], options: EngineOptions, typed: Mapping[str, str], elsewhere: Elsewhere) -> Remote:
    """The engine that stands for ``local`` where workers elsewhere do its work. Raises as ``Remote``."""
    return remote_class(cast("Hashable", local))(options, typed, elsewhere)


@cache
def remote_class(local: Any) -> type[Remote]:
    """The class that stands for an engine's."""
    body: dict[str, Any] = {"Options": local.Options, "local": local, "__doc__": local.__doc__}
    body |= {name: _verb(name) for name in VERBS if hasattr(local, name)}
    body |= {name: _question(name) for name in QUESTIONS if hasattr(local, name)}
    return type(f"Remote{local.__name__}", (Remote,), body)


def _verb(name: str) -> Callable[..., Any]:
    def verb(self: Remote, request: object, work: Work) -> Any:
        return work.elsewhere(self, name, request)

    verb.__name__ = name
    return verb


def _question(name: str) -> Callable[..., Any]:
    def question(self: Remote, *arguments: str) -> Any:
        found = self.ask(name, *arguments)
        return {key: tuple(some) for key, some in found.items()} if isinstance(found, dict) else found

    question.__name__ = name
    return question


@cache
def _settled(options: type[EngineOptions]) -> type[EngineOptions]:
    return type("Settled", (_Settled,), {"serving": options.serving, "__doc__": _Settled.__doc__})


def _missing(info: Info) -> Readiness:
    return Readiness(
        "needs worker",
        f"no worker serves {info.name}",
        f"autodub worker --calls {info.name}",
    )
