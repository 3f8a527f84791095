"""Which engines exist, found by entry point; one is imported only when it is asked for.

An engine package registers under the group ``autodub.engines`` as ``role.name``; Autodub's own
engines come in through the same door.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from autodub.engines.roles import Engine, EngineContext, EngineOptions
from autodub.model.errors import BadOption, EngineCannot, UnknownEngine
from autodub.model.request import OPERATOR_ROLES, ROLES

GROUP = "autodub.engines"

_extra: dict[tuple[str, str], type[Engine]] = {}


@dataclass(frozen=True, slots=True)
class Option:
    """One option of an engine, for people."""

    name: str
    kind: str
    """What may be given: ``a number from 0.5 to 2``, ``one of fast, good``."""
    default: str
    """As it would be typed; empty when it must be given."""
    description: str


@cache
def _installed() -> dict[tuple[str, str], EntryPoint]:
    found: dict[tuple[str, str], EntryPoint] = {}
    for entry in entry_points(group=GROUP):
        role, _, name = entry.name.partition(".")
        found.setdefault((role, name), entry)
    return found


def names(role: str) -> tuple[str, ...]:
    """Engines registered for a role, sorted; imports none of them. Raises UnknownEngine for no role."""
    if role not in (*ROLES, *OPERATOR_ROLES):
        raise UnknownEngine(f"There is no engine role {role!r}.", hint=_suggest(role, ROLES))
    known = {name for found, name in (*_installed(), *_extra) if found == role}
    return tuple(sorted(known))


def load(role: str, name: str) -> type[Any]:
    """The engine's class. Raises UnknownEngine, or EngineCannot when its package cannot be imported."""
    known = names(role)
    if (role, name) in _extra:
        return _extra[role, name]
    if name not in known:
        raise UnknownEngine(f"There is no {role} called {name!r}.", hint=_suggest(name, known))
    try:
        engine: type[Any] = _installed()[role, name].load()
    except ImportError as error:
        missing = f"the Python package {error.name!r} is" if error.name else "something it needs is"
        raise EngineCannot(
            f"The {role} {name} cannot be loaded: {missing} missing.",
            hint=f"Install it with: pip install 'autodub[{name}]', or choose another {role}.",
        ) from error
    return engine


def build(role: str, name: str, options: Mapping[str, str], context: EngineContext) -> Any:
    """The engine, ready to be called, with options as the user typed them.

    Raises UnknownEngine, EngineCannot, and BadOption naming the option and what may be given; Unavailable
    where it lives elsewhere and nobody can be asked there.
    """
    engine = load(role, name)
    parsed = parse(engine, f"{role}.{name}", options)
    if context.elsewhere is not None and context.elsewhere.has(role, name):
        from autodub.engines import remote

        return remote.build(engine, parsed, options, context.elsewhere)
    return engine(parsed, context)


def parse(engine: type[Engine], title: str, options: Mapping[str, str]) -> EngineOptions:
    """The engine's options from text. Raises BadOption."""
    try:
        return engine.Options.model_validate(dict(options))
    except ValidationError as failure:
        error = failure.errors(include_url=False, include_context=False)[0]
        known = {option.name: option for option in describe_options(engine)}
        name = str(error["loc"][0]) if error["loc"] else ""
        if name not in known:
            raise BadOption(
                f"{title} has no option {name!r}." if name else f"{title}: {error['msg']}.",
                hint=_suggest(name, known) if known else "It has no options at all.",
            ) from None
        if name not in options:
            problem = f"{title} needs a value for its option {name}."
        else:
            problem = f"{title}: {name}={options[name]} is not possible."
        raise BadOption(problem, hint=f"{name} is {known[name].kind}: {known[name].description}") from None


def describe_options(engine: type[Engine]) -> tuple[Option, ...]:
    """The engine's options in order, with their ranges, for help texts and documentation."""
    return tuple(
        Option(name, _kind(field), _default(field), field.description or "")
        for name, field in engine.Options.model_fields.items()
    )


def is_reserved(engine: type[Engine], option: Option) -> bool:
    """Whether an option is for whoever owns the machine alone, whatever its value is."""
    return option.kind == "a path" or option.name in engine.Options.reserved


def beyond(engine: type[Engine], options: Mapping[str, str]) -> str | None:
    """The first option somebody else than the machine's owner may not give like this; None: all are good.

    Such are paths, also where a name would do: a folder of weights may hold programs.
    """
    for option in describe_options(engine):
        value = options.get(option.name)
        if value is None:
            continue
        is_folder = option.name in engine.Options.folders and not _is_plain(value)
        if is_folder or is_reserved(engine, option):
            return option.name
    return None


def _is_plain(value: str) -> bool:
    """Whether a value is a name and leads nowhere, not even to what lies in the current directory."""
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", value) is not None and not Path(value).exists()


@contextmanager
def registered(role: str, name: str, engine: type[Any]) -> Iterator[None]:
    """Have one more engine (or another one under a known name) for the length of a block."""
    before = _extra.get((role, name))
    _extra[role, name] = engine
    try:
        yield
    finally:
        if before is None:
            del _extra[role, name]
        else:
            _extra[role, name] = before


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return ""
    value = field.get_default(call_default_factory=True, validated_data={})
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _kind(field: FieldInfo) -> str:
    """A field's type and bounds in words."""
    parts = [part for part in (get_args(field.annotation) or (field.annotation,)) if part is not type(None)]
    if get_origin(field.annotation) is Literal:
        return f"one of {', '.join(map(str, parts))}"
    nested = next((part for part in parts if get_origin(part) is Literal), None)
    if nested is not None:
        return f"one of {', '.join(map(str, get_args(nested)))}"
    words = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
    base = words.get(parts[0], f"a {getattr(parts[0], '__name__', 'value').lower()}")
    least, above, most, below = (_bound(field, kind) for kind in ("ge", "gt", "le", "lt"))
    if least is not None and most is not None:
        return f"{base} from {least} to {most}"
    limits = ((least, "at least"), (above, "above"), (most, "at most"), (below, "below"))
    said = [f"{word} {limit}" for limit, word in limits if limit is not None]
    return " ".join((base, " and ".join(said))).strip()


def _bound(field: FieldInfo, kind: str) -> str | None:
    found = (getattr(item, kind, None) for item in field.metadata)
    value = next((item for item in found if item is not None), None)
    return None if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _suggest(name: str, known: Mapping[str, object] | tuple[str, ...]) -> str:
    near = get_close_matches(name, list(known), n=1)
    listed = f"There is: {', '.join(known)}." if known else "None is installed."
    return f"Did you mean {near[0]!r}? {listed}" if near else listed
