"""What pydantic finds wrong in what somebody sent, in plain words; never the value, which may be a secret."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Any

from pydantic import BaseModel, ValidationError

Json = Mapping[str, Any]
_LONGEST = 60
"""Characters of a name that are repeated to whoever sent it."""
_MOST = 50
"""Faults that are told: a body may have a hundred thousand, and each one is looked into."""
_CLASS = re.compile(r"\^\(?\[([^\]]+)\]\{(\d+)(?:,(\d+))?\}")
"""So many characters out of a set, as patterns of ids and names say it."""
_PLAIN = {
    "missing": "is missing", "string_type": "must be text", "string_unicode": "must be text",
    "list_type": "must be a list", "tuple_type": "must be a list", "bool_type": "must be true or false",
    "bool_parsing": "must be true or false", "none_required": "must be null",
}  # fmt: skip
_SHOWN = ("example", "examples")
_OBJECTS = ("model_type", "model_attributes_type", "dict_type", "mapping_type")
_CHOICES = ("literal_error", "enum", "union_tag_invalid")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong."""

    where: str
    """Names of fields and numbers of entries with full stops between; empty: the whole."""
    why: str
    """What follows the name in a sentence: ``must be a number from 1 to 200``."""

    def __str__(self) -> str:
        return f"{self.where} {self.why}" if self.where else self.why


def faults(error: ValidationError, model: type[BaseModel] | None = None) -> list[Fault]:
    """What is wrong, fifty at most. With the ``model`` that was not met, bounds and names are told whole."""
    schema = _schema(model) if model is not None else {}
    found = []
    for one in islice(error.errors(include_url=False), _MOST):
        path, above, here = _place(schema, one["loc"])
        why = _why(one["type"], one["msg"], one.get("ctx", {}), here, above, one["loc"], one["input"])
        found.append(Fault(".".join(path), why))
    return found


def near(name: str, known: Iterable[str]) -> str:
    """``; did you mean X?`` for the known name that is nearest; empty where none is near."""
    names = {one.lower(): one for one in known}
    found = difflib.get_close_matches(name[:_LONGEST].lower(), names, n=1, cutoff=0.6)
    return f"; did you mean {names[found[0]]}?" if found else ""


@cache
def _schema(model: type[BaseModel]) -> Json:
    return model.model_json_schema()


def _place(schema: Json, loc: Sequence[str | int]) -> tuple[list[str], Json, Json]:
    """Names down to a place, the schema of what it is in, and its own; both are empty where unknown."""
    path: list[str] = []
    above: Json = {}
    here = _plain(schema, schema)
    for part in loc:
        if part == "[key]":  # the name before it is what is wrong
            here = _plain(above.get("propertyNames", {}), schema)
            continue
        above = here
        if "discriminator" in above:  # which of several models it is: no name of what was sent
            here = _plain({"$ref": above["discriminator"]["mapping"].get(part, "")}, schema)
            continue
        if isinstance(part, int):
            here = above.get("items", {})
        else:
            more = above.get("additionalProperties")
            here = above.get("properties", {}).get(part, more if isinstance(more, dict) else {})
        path.append(str(part)[:_LONGEST])
        here = _plain(here, schema)
    return path, above, here


def _plain(schema: Json, whole: Json) -> Json:
    """A schema without references, and without the null that it may be instead."""
    while True:
        if "$ref" in schema:
            found = whole.get("$defs", {}).get(str(schema["$ref"]).rpartition("/")[2], {})
        else:
            choices = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
            found = {key: schema[key] for key in _SHOWN if key in schema} | choices[0] if choices else None
        if found is None:
            return schema
        schema = found


def _why(
    kind: str, said: str, more: Json, here: Json, above: Json, loc: Sequence[str | int], sent: object
) -> str:
    if kind in _PLAIN:
        return _PLAIN[kind]
    if kind in _OBJECTS:
        return "must be an object" if loc else "the body must be a JSON object"
    if kind == "value_error":
        return said.removeprefix("Value error, ")
    if kind == "extra_forbidden":
        return "is not known here" + near(str(loc[-1]), above.get("properties", ()))
    if kind in _CHOICES:
        return _choice(more, here, sent, is_name=bool(loc) and loc[-1] == "[key]")
    if kind == "union_tag_not_found":
        return f"must say in {str(more['discriminator']).strip(chr(39))} what it is"
    if kind.startswith(("int_", "float_", "decimal_", "finite_", "greater_", "less_")):
        return _number(kind, more, here)
    return _length(kind, more, here) or said[:1].lower() + said[1:]


def _choice(more: Json, here: Json, sent: object, *, is_name: bool) -> str:
    if "discriminator" in more:
        known = re.findall(r"'([^']+)'", str(more.get("expected_tags", "")))
        sent, subject = more.get("tag", ""), f"must say in {str(more['discriminator']).strip(chr(39))} one of"
    else:
        known = [str(one) for one in here.get("enum", [here["const"]] if "const" in here else ())]
        known = known or re.findall(r"'([^']*)'", str(more.get("expected", "")))
        subject = "must be" if len(known) < 3 else "must be one of"
    names = [one or "empty" for one in known]
    told = (
        ", ".join(names[:-1]) + (" or " if len(names) > 1 else "") + names[-1] if names else "something else"
    )
    hint = near(sent, known) if isinstance(sent, str) and sent else ""
    return f"is not known here{hint or f': {subject} {told}'}" if is_name else f"{subject} {told}{hint}"


def _number(kind: str, more: Json, here: Json) -> str:
    """With both bounds, whichever of them was broken."""
    if kind == "decimal_max_places":
        return f"must have at most {more['decimal_places']} decimals"
    is_whole = here.get("type") == "integer" or kind.startswith("int_")
    low, above = here.get("minimum", more.get("ge")), here.get("exclusiveMinimum", more.get("gt"))
    high, below = here.get("maximum", more.get("le")), here.get("exclusiveMaximum", more.get("lt"))
    noun = "a whole number" if is_whole else "a number"
    if low is not None and high is not None:
        return f"must be {noun} from {_figure(low)} to {_figure(high)}"
    bounds = [
        f"{word} {_figure(bound)}"
        for word, bound in (("from", low), ("above", above), ("up to", high), ("below", below))
        if bound is not None
    ]
    return " ".join(["must be", noun, " and ".join(bounds)]).strip()


def _figure(bound: float) -> str:
    return f"{float(bound):.15g}"


def _length(kind: str, more: Json, here: Json) -> str:
    match kind:
        case "string_too_short":
            few = more["min_length"]
            return "must not be empty" if few == 1 else f"must have at least {few} characters"
        case "string_too_long":
            return f"must have at most {more['max_length']} characters"
        case "too_short":
            few = more["min_length"]
            return "must not be empty" if few == 1 else f"must have at least {few} entries"
        case "too_long":
            return f"must have at most {more['max_length']} entries"
        case "string_pattern_mismatch":
            return _form(str(more["pattern"]), here)
        case _:
            return ""


def _form(pattern: str, here: Json) -> str:
    if example := [*here.get("examples", ()), *filter(None, [here.get("example")])]:
        return f"must look like {example[0]}"
    if words := re.fullmatch(r"\^\(([a-z|]+)\)\$", pattern):
        return f"must be one of {words[1].replace('|', ', ')}"
    match = _CLASS.search(pattern)
    if match is None:
        return "does not have the form that is asked for"
    allowed, least, most = match.groups()
    names = [part.replace("-", " to ", len(part) // 3) for part in re.findall(r".-.|.", allowed)]
    count = f"{least} to {most}" if most else least
    return f"must have {count} characters: {', '.join(names)}"
