"""Examples for the page of the interface: values that fit a schema, and the line of curl for an operation."""

from __future__ import annotations

import json
import shlex
from typing import Any

from autodub.web.document_schemas import PLACE

Json = dict[str, Any]
_ID = "7f0c3de2a54b49d09c1b5e0a8f6d2c31"
_DEPTH = 5
_KNOWN: dict[str, Any] = {
    "created": 1793059200.0, "started": 1793059201.2, "finished": 1793059260.5, "updated": 1793059260.5,
    "expires": 1793664060.5, "at": 1793059230.25, "progress": 0.42, "state": "processing",
    "title": "Talk.mp4", "target": "es", "name": "Talk.mp4", "message": "Speaking",
}  # fmt: skip
"""What fields of these names usually hold."""


def example(schema: Json, schemas: Json, *, name: str = "", asked: bool = False, depth: int = 0) -> Any:
    """A value that fits. ``asked``: of a request, where what may be left out is left out."""
    if "$ref" in schema:
        return example(
            schemas[schema["$ref"].removeprefix(PLACE)], schemas, name=name, asked=asked, depth=depth
        )
    for key in ("example", "const", "default"):
        if schema.get(key) not in (None, "", [], {}):
            return schema[key]
    if schema.get("examples"):
        return schema["examples"][0]
    if "enum" in schema:
        return _KNOWN[name] if _KNOWN.get(name) in schema["enum"] else schema["enum"][0]
    for several in ("anyOf", "oneOf", "allOf"):
        if schema.get(several):
            return example(schema[several][0], schemas, name=name, asked=asked, depth=depth)
    if schema.get("type") == "object" or "properties" in schema:
        return _object(schema, schemas, asked=asked, depth=depth)
    if schema.get("type") == "array":
        items = schema.get("items", {})
        return [] if depth >= _DEPTH else [example(items, schemas, name=name, asked=asked, depth=depth + 1)]
    return _plain(schema, name)


def _object(schema: Json, schemas: Json, *, asked: bool, depth: int) -> Json:
    if depth >= _DEPTH:
        return {}
    required = schema.get("required", ())
    return {
        name: example(field, schemas, name=name, asked=asked, depth=depth + 1)
        for name, field in schema.get("properties", {}).items()
        if not asked or name in required or field.get("examples")
    }


def _plain(schema: Json, name: str) -> Any:
    known = _KNOWN.get(name)
    match schema.get("type"):
        case "integer":
            return max(1, int(schema.get("minimum", 1)))
        case "number":
            return known if isinstance(known, float) else max(1.5, float(schema.get("minimum", 1.5)))
        case "boolean":
            return False
        case "string":
            if "32" in schema.get("pattern", "") or name in ("id", "job", "upload", "batch", "owner"):
                return _ID
            return known if isinstance(known, str) else "..."
        case _:
            return None


def written(value: Any) -> str:
    """A value as JSON for people."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def curl(server: str, path: str, method: str, operation: Json, schemas: Json) -> str:
    """The operation as a command; ``$KEY`` and names in braces are for whoever types it."""
    query = [
        f"{one['name']}={{{one['name']}}}" for one in operation.get("parameters", [])
        if one["in"] == "query" and one.get("required")
    ]  # fmt: skip
    address = server.rstrip("/") + path + ("?" + "&".join(query) if query else "")
    parts = ["curl" + ("" if method == "get" else f" -X {method.upper()}") + f" {shlex.quote(address)}"]
    if operation.get("security"):
        parts.append('-H "Authorization: Bearer $KEY"')
    parts += [
        f"-H '{one['name']}: {one['schema'].get('const', '...')}'" for one in operation.get("parameters", [])
        if one["in"] == "header" and one.get("required")
    ]  # fmt: skip
    for kind, body in operation.get("requestBody", {}).get("content", {}).items():
        schema = body.get("schema", {})
        if kind == "multipart/form-data":
            parts += [f"-F {name}={_form(field)}" for name, field in _fields(schema, schemas)]
        elif kind == "application/json":
            value = body.get("example", example(schema, schemas, asked=True))
            parts += [
                f"-H 'Content-Type: {kind}'",
                f"-d {shlex.quote(json.dumps(value, ensure_ascii=False))}",
            ]
        else:
            parts += [f"-H 'Content-Type: {kind}'", "--data-binary @file"]
        break
    return " \\\n  ".join(parts)


def _fields(schema: Json, schemas: Json) -> list[tuple[str, Json]]:
    whole = schemas.get(schema.get("$ref", "").removeprefix(PLACE), schema)
    required = whole.get("required", ())
    return [(name, field) for name, field in whole.get("properties", {}).items() if name in required]


def _form(field: Json) -> str:
    return "@talk.mp4" if field.get("format") == "binary" else "..."
