"""Requests checked against a provider's own description (OpenAPI 3.1).

A small validator for the part of JSON Schema that these descriptions use. Stricter than most in one
thing: a field or parameter that is not described is a violation, since providers ignore those silently.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autodub.testing.loopback.forms import Part, parts
from autodub.testing.loopback.messages import Request
from autodub.testing.loopback.rules import RULES

Schema = Mapping[str, Any]

_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str, bytes), "boolean": (bool,), "integer": (int,), "number": (int, float),
    "object": (dict,), "array": (list, tuple), "null": (type(None),),
}  # fmt: skip


@dataclass(frozen=True)
class Description:
    """What one provider says about its own requests."""

    provider: str
    document: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path) -> Description:
        """From ``<provider>/openapi.json``."""
        return cls(path.parent.name, json.loads(path.read_text("utf-8")))

    def check(self, request: Request) -> list[str]:
        """What is wrong with a request, in sentences; empty = nothing."""
        what = f"{request.method} {request.path}"
        operation = self._operation(request)
        if operation is None:
            return [f"{what}: there is no such operation"]
        found = [
            *self._parameters(operation, request),
            *self._body(operation, request),
            *RULES.get(self.provider, lambda _request: ())(request),
        ]
        return [f"{what}: {sentence}" for sentence in found]

    def _operation(self, request: Request) -> Schema | None:
        # OpenAI's paths are written without the version that its usual base address ends in.
        wanted = (request.path, request.path.removeprefix("/v1"))
        for template, item in self.document["paths"].items():
            pattern = re.sub(r"\\\{[^/]+?\\\}", "[^/]+", re.escape(template))
            if request.method.lower() in item and any(re.fullmatch(pattern, path) for path in wanted):
                found: Schema = item[request.method.lower()]
                return found
        return None

    def _parameters(self, operation: Schema, request: Request) -> Iterator[str]:
        described = [self._resolved(p) for p in operation.get("parameters", ())]
        by_name = {p["name"]: p for p in described if p["in"] == "query"}
        sent: dict[str, list[str]] = {}
        for name, value in request.query:
            sent.setdefault(name.removesuffix("[]"), []).append(value)
        for name, values in sent.items():
            if name not in by_name:
                yield f"query parameter {name} is not described"
                continue
            schema = by_name[name].get("schema", {})
            if not any(not [*self._wrong(value, schema, name)] for value in _readings(values)):
                yield f"query parameter {name} may not be {', '.join(values)!r}"
        for parameter in described:
            if parameter.get("required") and parameter["in"] == "query" and parameter["name"] not in sent:
                yield f"query parameter {parameter['name']} is missing"
            if (
                parameter.get("required")
                and parameter["in"] == "header"
                and parameter["name"].lower() not in request.headers
            ):
                yield f"header {parameter['name']} is missing"

    def _body(self, operation: Schema, request: Request) -> Iterator[str]:
        body = self._resolved(operation.get("requestBody", {}))
        content = body.get("content", {})
        kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
        if not content:
            if request.body:
                yield "a body is sent where none is described"
            return
        if not request.body:
            if body.get("required", True):
                yield "the body is missing"
            return
        described = content.get(kind) or content.get(f"{kind.partition('/')[0]}/*")
        if described is None:
            yield f"a body of type {kind or 'nothing'} is not described, only {', '.join(content)}"
            return
        schema = described.get("schema", {})
        if kind == "application/json":
            try:
                value = request.json()
            except ValueError as error:
                yield f"the body is no JSON: {error}"
                return
            yield from self._wrong(value, schema, "body")
        elif kind == "multipart/form-data":
            yield from self._form(parts(request), self._flat(schema))

    def _form(self, sent: list[Part], schema: Schema) -> Iterator[str]:
        fields: dict[str, list[Part]] = {}
        for part in sent:
            fields.setdefault(part.name.removesuffix("[]"), []).append(part)
        for name in schema.get("required", ()):
            if name not in fields:
                yield f"form field {name} is missing"
        for name, found in fields.items():
            described = schema.get("properties", {}).get(name)
            if described is None:
                yield f"form field {name} is not described"
            elif not any(p.filename for p in found):
                values = [p.content.decode("utf-8", "replace") for p in found]
                if not any(not [*self._wrong(value, described, name)] for value in _readings(values)):
                    yield f"form field {name} may not be {', '.join(values)[:80]!r}"

    def _resolved(self, schema: Any) -> Any:
        while isinstance(schema, dict) and "$ref" in schema:
            target: Any = self.document
            for step in schema["$ref"].removeprefix("#/").split("/"):
                target = target[step.replace("~1", "/").replace("~0", "~")]
            schema = target
        return schema

    def _flat(self, schema: Any) -> dict[str, Any]:
        """A schema with its ``allOf`` parts taken into it, as far as properties go."""
        schema = self._resolved(schema)
        flat: dict[str, Any] = dict(schema)
        for part in schema.get("allOf", ()):
            inner = self._flat(part)
            flat["properties"] = {**inner.get("properties", {}), **flat.get("properties", {})}
            flat["required"] = [*flat.get("required", ()), *inner.get("required", ())]
        return flat

    def _wrong(self, value: object, schema: Any, where: str, *, is_part: bool = False) -> Iterator[str]:
        """What is wrong with a value; ``is_part`` = the schema is one of several that hold together."""
        schema = self._resolved(schema)
        if schema is True or not isinstance(schema, dict):
            return
        kinds = schema.get("type")
        if kinds is not None:
            kinds = [kinds] if isinstance(kinds, str) else kinds
            if not any(_is(value, kind) for kind in kinds):
                yield f"{where} is {type(value).__name__}, not {' or '.join(kinds)}"
                return
        if "enum" in schema and value not in schema["enum"]:
            yield f"{where} is {value!r}, not one of {', '.join(map(str, schema['enum']))[:200]}"
        if "const" in schema and value != schema["const"]:
            yield f"{where} is {value!r}, not {schema['const']!r}"
        for part in schema.get("allOf", ()):
            yield from self._wrong(value, part, where, is_part=True)
        for joined in ("anyOf", "oneOf"):
            if joined in schema:
                yield from self._branches(value, schema[joined], where)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            yield from _out_of_bounds(value, schema, where)
        elif isinstance(value, str):
            yield from _ill_formed(value, schema, where)
        elif isinstance(value, dict):
            yield from self._fields(value, schema, where, is_part=is_part)
        elif isinstance(value, (list, tuple)):
            yield from _out_of_count(len(value), schema, where)
            for index, item in enumerate(value):
                yield from self._wrong(item, schema.get("items", True), f"{where}[{index}]")

    def _branches(self, value: object, branches: list[Any], where: str) -> Iterator[str]:
        tried = [[*self._wrong(value, branch, where)] for branch in branches]
        if all(tried):
            yield min(tried, key=len)[0] if len(tried) > 1 else "; ".join(tried[0])

    def _fields(self, value: dict[str, Any], schema: Schema, where: str, *, is_part: bool) -> Iterator[str]:
        flat = self._flat(schema)
        described = flat.get("properties", {})
        for name in schema.get("required", ()):
            if name not in value:
                yield f"{where}.{name} is missing"
        for name, item in value.items():
            if name in schema.get("properties", {}):
                yield from self._wrong(item, described[name], f"{where}.{name}")
            elif name not in described:
                more = schema.get("additionalProperties")
                if isinstance(more, dict) and more:
                    yield from self._wrong(item, more, f"{where}.{name}")
                elif described and more in (None, False) and not is_part and "anyOf" not in schema:
                    yield f"{where}.{name} is not described"


def _is(value: object, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES[kind])


def _readings(values: list[str]) -> Iterator[object]:
    """What texts sent as parameters may mean."""
    if len(values) == 1:
        text = values[0]
        yield text
        if text in ("true", "false"):
            yield text == "true"
        for read in (int, float):
            try:
                yield read(text)
            except ValueError:
                continue
        if text[:1] in "{[":
            try:
                yield json.loads(text)
            except ValueError:
                return
    yield list(values)


def _out_of_bounds(value: float, schema: Schema, where: str) -> Iterator[str]:
    if "minimum" in schema and value < schema["minimum"]:
        yield f"{where} is {value:g}, below {schema['minimum']:g}"
    if "maximum" in schema and value > schema["maximum"]:
        yield f"{where} is {value:g}, above {schema['maximum']:g}"


def _ill_formed(value: str, schema: Schema, where: str) -> Iterator[str]:
    if len(value) < schema.get("minLength", 0):
        yield f"{where} is shorter than {schema['minLength']} characters"
    if len(value) > schema.get("maxLength", len(value)):
        yield f"{where} is longer than {schema['maxLength']} characters"
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield f"{where} does not look like {schema['pattern']}"


def _out_of_count(count: int, schema: Schema, where: str) -> Iterator[str]:
    if count < schema.get("minItems", 0):
        yield f"{where} has {count} items, fewer than {schema['minItems']}"
    if count > schema.get("maxItems", count):
        yield f"{where} has {count} items, more than {schema['maxItems']}"
