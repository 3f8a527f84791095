"""JSON Schemas of our models as the OpenAPI document has them: whole, and without noise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode

Json = dict[str, Any]
PLACE = "#/components/schemas/"
_NAMED = ("properties", "patternProperties", "$defs")
_LISTED = ("anyOf", "oneOf", "allOf", "prefixItems")
_SINGLE = ("items", "additionalProperties", "propertyNames", "not", "contains")


def schema_of(model: type[BaseModel], mode: JsonSchemaMode) -> Json:
    """A model's schema; what it refers to is under ``$defs``, and is referred to as a component."""
    return tidied(model.model_json_schema(ref_template=PLACE + "{model}", mode=mode))


def tidied(schema: Json) -> Json:
    """The schema without the titles that only repeat names."""
    kept: Json = {}
    for key, value in schema.items():
        if key == "title" and isinstance(value, str):
            continue
        if key in _NAMED:
            kept[key] = {name: tidied(one) for name, one in value.items()}
        elif key in _LISTED:
            kept[key] = [tidied(one) for one in value]
        elif key in _SINGLE and isinstance(value, dict):
            kept[key] = tidied(value)
        else:
            kept[key] = value
    return kept


def references(value: Any) -> set[str]:
    """Names of the components that a part of the document refers to."""
    return set(_references(value))


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, one in value.items():
            if key == "$ref" and isinstance(one, str) and one.startswith(PLACE):
                yield one.removeprefix(PLACE)
            else:
                yield from _references(one)
    elif isinstance(value, list):
        for one in value:
            yield from _references(one)


def model_of(name: str) -> type[BaseModel]:
    """Our model of this name. Raises LookupError when two have it: a document can hold only one."""
    found = list(dict.fromkeys(model for model in _models(BaseModel) if model.__name__ == name))
    if len(found) != 1:
        where = ", ".join(sorted(model.__module__ for model in found)) or "nowhere"
        raise LookupError(f"a component of the document must be one model: {name} is in {where}")
    return found[0]


def _models(above: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for model in above.__subclasses__():
        if model.__module__.startswith(("autodub.web.", "autodub.jobs.")):
            yield model
        yield from _models(model)
