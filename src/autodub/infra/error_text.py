"""Errors of the tree to text and back, for those that another machine is to raise: nothing is lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from autodub.model import errors
from autodub.model.errors import AutodubError, CircuitOpen, EngineError

_FACTS = ("engine", "retry_after", "whole_account", "log", "present")
"""What errors carry besides their message and hint."""


def dump(problem: AutodubError) -> str:
    """An error as text. One of a kind that the tree does not have is taken for the nearest that it has."""
    kind = next(kind for kind in type(problem).__mro__ if kind.__name__ in _kinds())
    facts = {name: value for name in _FACTS if (value := getattr(problem, name, None)) is not None}
    command = list(getattr(problem, "command", ()))
    return json.dumps(
        {"kind": kind.__name__, "message": problem.message, "hint": problem.hint, "command": command} | facts
    )


def load(text: str) -> AutodubError:
    """The error again, of the same kind and with the same facts. Raises ValueError for no error."""
    try:
        found: dict[str, Any] = json.loads(text)
        kind = _kinds().get(found["kind"])
        message, hint = str(found["message"]), str(found["hint"])
    except (KeyError, TypeError) as problem:
        raise ValueError("this is no error") from problem
    if kind is None:  # of a newer release
        return AutodubError(message, hint=hint)
    # Their constructors differ; what they set is the same.
    error = kind.__new__(kind)
    AutodubError.__init__(error, message, hint=hint)
    for name, value in _DEFAULTS.items():
        if isinstance(error, name):
            vars(error).update(value)
    vars(error).update({name: found[name] for name in _FACTS if name in found})
    if "command" in vars(error):
        vars(error)["command"] = tuple(found.get("command", ()))
    return error


_DEFAULTS: dict[type[AutodubError], dict[str, Any]] = {
    EngineError: {"engine": "", "retry_after": None},
    CircuitOpen: {"engine": ""},
    errors.TooMany: {"retry_after": None},
    errors.Refused: {"whole_account": True},
    errors.MediaError: {"command": (), "log": ""},
}


def _kinds() -> dict[str, type[AutodubError]]:
    return {kind.__name__: kind for kind in _tree(AutodubError) if kind.__module__ == errors.__name__}


def _tree(kind: type[AutodubError]) -> Iterator[type[AutodubError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _tree(below)
