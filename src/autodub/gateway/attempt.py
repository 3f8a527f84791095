"""A call, and what the outcome of an attempt at it means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autodub.engines.roles import Info
from autodub.gateway import keys
from autodub.gateway.check import Nonsense, check
from autodub.gateway.crash import crashed
from autodub.gateway.deadline import Run
from autodub.gateway.store import Answer
from autodub.gateway.work import CallWork
from autodub.infra import codec
from autodub.infra.storage import BlobStore
from autodub.model.errors import AutodubError, BadAnswer, EngineError


@dataclass(frozen=True, slots=True)
class Call:
    """One call, worked out once."""

    engine: Any
    info: Info
    verb: str
    request: object
    stage: str
    kind: type[Any]
    """What the verb answers."""
    key: str
    account: str = ""
    """The account it is made for; empty where there is none."""
    pool: str = ""
    """The limit it counts against."""
    model: str = ""
    """What is paid for, as the price table names it."""

    @property
    def place(self) -> str:
        """What a failure says something about: the account, or the engine where there is none."""
        return self.account or self.name

    @property
    def name(self) -> str:
        """``role.name`` of the engine."""
        return f"{self.info.role}.{self.info.name}"


@dataclass(frozen=True, slots=True)
class Known:
    """An answer and the value it reads as."""

    answer: Answer
    value: Any


def settled(
    call: Call, run: Run, *, data_dir: Path, logs: Path, redact: Callable[[str], str]
) -> object:  # fmt: skip
    """The verb's result, or its error: redacted, and a crash where it is none of the error tree."""
    error = run.error
    if error is None:
        return run.result
    if isinstance(error, AutodubError):
        error.message, error.hint = redact(error.message), redact(error.hint)
        error.args = (error.message,)
        if isinstance(error, EngineError):
            error.engine = error.engine or call.name
        raise error
    if isinstance(error, Exception):
        raise crashed(
            error, engine=call.name, verb=call.verb, data_dir=data_dir, logs=logs, redact=redact
        ) from error  # fmt: skip
    raise error


def examined(call: Call, result: object, work: CallWork, *, blobs: BlobStore, seconds: float) -> Known:
    """The result as it will be kept. Raises BadAnswer for nonsense.

    It goes through text and back, so that this run sees exactly what a later one will read.
    """
    try:
        text = codec.dump(result)
        value = codec.load(call.kind, text)
    except (TypeError, ValueError) as error:
        raise _nonsense(call, f"not a {call.kind.__name__}") from error
    try:
        check(call.verb, call.request, value, blobs)
    except Nonsense as error:
        raise _nonsense(call, str(error)) from error
    answer = Answer(
        engine=call.name,
        version=call.info.version,
        verb=call.verb,
        result=text,
        blobs=keys.blobs(value),
        usage=work.usage,
        seconds=seconds,
    )
    return Known(answer, value)


def _nonsense(call: Call, problem: str) -> BadAnswer:
    return BadAnswer(
        f"{call.name} answered {call.verb} with nonsense: {problem}.",
        hint=f"Choose another {call.info.role} if this happens again.",
        engine=call.name,
    )
