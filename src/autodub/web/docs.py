"""The page at ``/docs``: the OpenAPI document for people. It needs no script, and nothing from elsewhere."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Response, make_response, render_template, send_from_directory, url_for
from flask_openapi3 import APIBlueprint
from markupsafe import Markup, escape
from pydantic import BaseModel

from autodub.web import document as documents
from autodub.web.document_schemas import PLACE
from autodub.web.examples import curl, example, written
from autodub.web.identity import public

Json = dict[str, Any]
FILES = Path(__file__).with_name("static")
_DEPTH = 3

blueprint = APIBlueprint("docs", __name__, doc_ui=False, template_folder="templates", url_prefix="/docs")


@dataclass(frozen=True, slots=True)
class Row:
    """A parameter, or a field of a body or model."""

    name: str
    depth: int
    kind: Markup
    """Its type, with links to models."""
    place: str
    """``path``, ``query`` ...; empty for fields."""
    required: bool
    default: str
    text: Markup


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of an operation."""

    status: str
    text: Markup
    kinds: tuple[tuple[str, Markup], ...]
    """Type of content, and what is in it."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation as it is shown."""

    id: str
    method: str
    path: str
    title: str
    text: Markup
    guarded: bool
    """Whether a server with accounts wants to know who asks."""
    parameters: tuple[Row, ...]
    body: tuple[tuple[str, Markup, tuple[Row, ...]], ...]
    """Type of content, what it is, its fields."""
    answers: tuple[Answer, ...]
    command: str
    """The same as a line of curl."""
    sample: str
    """What a successful answer looks like; empty where it is no JSON."""

    @property
    def reasons(self) -> Markup:
        """What says why it was refused."""
        return next((what for one in self.answers if one.status >= "400" for _, what in one.kinds), Markup())


@blueprint.get("")
@public
def page() -> Response:
    """The interface, to read."""
    found = documents.document()
    answer = make_response(render_template("docs.html", **shown(found, server=_server(found))))
    answer.add_etag()
    answer.headers["Cache-Control"] = "no-cache"
    return answer


class FilePath(BaseModel):
    """Which file."""

    name: str


@blueprint.get("/<name>")
@public
def file(path: FilePath) -> Response:
    """Style and script of the page."""
    return send_from_directory(FILES, path.name, max_age=3600)


def _server(found: Json) -> str:
    address = found["servers"][0]["url"]
    return str(address) if address != "/" else url_for("docs.page", _external=True).removesuffix("/docs")


def shown(found: Json, *, server: str) -> Json:
    """What the template is given: operations by tag, models by name."""
    schemas = found["components"]["schemas"]
    groups = [
        (tag["name"], tag.get("description", ""), tuple(_operations(found, tag["name"], server)))
        for tag in found["tags"]
    ]
    models = [
        (name, text(schema.get("description", "")), tuple(rows(schema, schemas, most=0)), kind(schema))
        for name, schema in schemas.items()
    ]
    return {
        "info": found["info"], "about": paragraphs(found["info"]["description"]), "groups": groups,
        "models": models, "server": server,
    }  # fmt: skip


def _operations(found: Json, tag: str, server: str) -> Iterator[Operation]:
    schemas, shared = found["components"]["schemas"], found["components"]["responses"]
    for path, method, one in documents.operations(found):
        if tag not in one["tags"]:
            continue
        answers = {
            status: shared[answer["$ref"].rpartition("/")[2]] if "$ref" in answer else answer
            for status, answer in one["responses"].items()
        }
        yield Operation(
            id=one["operationId"], method=method, path=path, title=one.get("summary", path),
            text=paragraphs(one.get("description", "")), guarded=bool(one.get("security")),
            parameters=tuple(_parameter(parameter) for parameter in one.get("parameters", [])),
            body=tuple(_bodies(one, schemas)),
            answers=tuple(_answer(status, answer) for status, answer in answers.items()),
            command=curl(server, path, method, one, schemas), sample=_sample(answers, schemas),
        )  # fmt: skip


def _parameter(one: Json) -> Row:
    schema = one["schema"]
    return Row(
        one["name"], 0, kind(schema), one["in"], one.get("required", False), _default(schema),
        text(one.get("description", "")),
    )  # fmt: skip


def _bodies(one: Json, schemas: Json) -> Iterator[tuple[str, Markup, tuple[Row, ...]]]:
    for content, body in one.get("requestBody", {}).get("content", {}).items():
        schema = body.get("schema", {})
        yield content, kind(schema), tuple(rows(schema, schemas, most=_DEPTH))


def _answer(status: str, answer: Json) -> Answer:
    kinds = ((name, kind(one.get("schema", {}))) for name, one in answer.get("content", {}).items())
    return Answer(status, text(answer.get("description", "")), tuple(kinds))


def _sample(answers: Json, schemas: Json) -> str:
    for status, answer in answers.items():
        content = answer.get("content", {}).get("application/json")
        if status < "300" and content and content.get("schema"):
            return written(content.get("example", example(content["schema"], schemas)))
    return ""


def rows(schema: Json, schemas: Json, *, most: int, depth: int = 0) -> Iterator[Row]:
    """The fields of an object, and those of the objects in it down to ``most`` levels."""
    schema = schemas.get(schema.get("$ref", "").removeprefix(PLACE), schema)
    for name, field in schema.get("properties", {}).items():
        required = name in schema.get("required", ())
        yield Row(name, depth, kind(field), "", required, _default(field), text(field.get("description", "")))
        if depth < most and (inner := _inner(field)):
            yield from rows({"$ref": PLACE + inner}, schemas, most=most, depth=depth + 1)


def _inner(field: Json) -> str:
    """The one model a field holds, whether optional, listed or by itself."""
    for one in (field, field.get("items", {}), *field.get("anyOf", ())):
        if isinstance(one, dict) and "$ref" in one:
            return str(one["$ref"]).removeprefix(PLACE)
    return ""


def _default(schema: Json) -> str:
    value = schema.get("default")
    return "" if value in (None, "", [], {}) else json.dumps(value)


def kind(schema: Json) -> Markup:
    """A type in words, with its bounds."""
    if "$ref" in schema:
        name = str(schema["$ref"]).removeprefix(PLACE)
        return Markup('<a href="#model-{0}">{0}</a>').format(name)
    if "const" in schema:
        return Markup("<code>{}</code>").format(json.dumps(schema["const"]))
    if "enum" in schema:
        words = [Markup("<code>{}</code>").format(json.dumps(one)) for one in schema["enum"]]
        return Markup(" | ").join(words)
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return Markup(" or ").join(dict.fromkeys(kind(one) for one in schema[several]))
    if schema.get("type") == "array":
        return Markup("list of {}").format(kind(schema.get("items", {})))
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), dict):
        return Markup("object of {}").format(kind(schema["additionalProperties"]))
    found = schema.get("type", "anything")
    name = schema.get("format") or (" or ".join(found) if isinstance(found, list) else found)
    return escape(f"{name}{_bounds(schema)}")


def _bounds(schema: Json) -> str:
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    if low is not None and high is not None:
        return f" {low:g} to {high:g}"
    if low is not None:
        return f" from {low:g}" if "minimum" in schema else f" above {low:g}"
    if high is not None:
        return f" up to {high:g}"
    return f", up to {schema['maxLength']} characters" if "maxLength" in schema else ""


def text(words: str) -> Markup:
    """Words with ``code``, **strong**, [links](https://...) and no markup of their own."""
    safe = str(escape(words))
    safe = re.sub(r"`([^`]+)`", r"<code>\1</code>", safe)
    safe = re.sub(r"\[([^\]]+)\]\((https?://[^)\s]+)\)", r'<a href="\2">\1</a>', safe)
    return Markup(re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", safe))  # noqa: S704 - escaped above


def paragraphs(words: str) -> Markup:
    """Words as paragraphs."""
    return Markup("").join(
        Markup("<p>{}</p>").format(text(one)) for one in re.split(r"\n\s*\n", words.strip())
    )
