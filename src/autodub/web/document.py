"""The OpenAPI document, generated from the routes and their models, and mended.

``flask_openapi3`` collects the operations. What it is rough about is put right here and nowhere else: it
loses keywords of JSON Schema, forgets operations when two blueprints share a path, calls every answer
``application/json``, and shows what is wrong in a request as an array.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from typing import Any, cast, get_type_hints

from flask import Flask, Response, current_app, jsonify, request
from flask_openapi3 import APIBlueprint, OpenAPI, Tag
from pydantic.json_schema import JsonSchemaMode

from autodub.web.document_headers import HEADERS
from autodub.web.document_schemas import model_of, references, schema_of, tidied
from autodub.web.identity import platform, public, scope_of
from autodub.web.problems import Problem
from autodub.web.queries import STRICT

Json = dict[str, Any]
METHODS = ("get", "put", "post", "delete", "patch")
PROBLEM = "application/problem+json"
TAGS = (
    "Jobs", "Batches", "Estimates", "Uploads", "Events", "Transcript", "Results", "Languages", "Engines",
    "Voices", "Glossaries", "Usage", "Account", "Keys", "Webhooks", "Consents", "Privacy", "Users", "Audit",
    "Operations", "Server",
)  # fmt: skip
"""The order in which people read about the interface; others follow, the simple interface is the last."""
_ABOUT = """\
Dub videos into other languages: submit, watch, edit, download.

**Who asks.** A server with accounts wants a key with every request, `Authorization: Bearer adk_...`, or the
session of a browser. A server without accounts (the default on a laptop) wants neither.

**What goes wrong** is told as `application/problem+json`: `code` is a stable word for programs, `title` a
sentence for people, `hint` says how to fix it, and `request_id` is what the server's log calls the request.
The simple interface under `/api` answers `{"error": ...}` instead.

**Units.** Times are seconds since 1970 (UTC) or seconds of programme, money is US dollars, languages are
BCP-47 tags or English names.

**Again.** With an `Idempotency-Key` a job can be submitted twice and is made once. A request too many is
answered 429 with `Retry-After`.
"""

blueprint = APIBlueprint(
    "document", __name__, abp_tags=[Tag(name="Server", description="The server itself.")]
)
_ANSWER = {
    "description": "The document",
    "content": {"application/json": {"schema": {"type": "object", "required": ["openapi", "paths"]}}},
}


@blueprint.get("/openapi.json", summary="This document", responses={200: _ANSWER, 304: None})
@public
def served() -> Response:
    """The OpenAPI 3.1 document of this server; `/docs` shows it to people."""
    answer = jsonify(document())
    answer.add_etag()
    answer.headers["Cache-Control"] = "no-cache"
    return cast("Response", answer.make_conditional(request))


blueprint.get("/api/v1/openapi.json", doc_ui=False)(served)


def document() -> Json:
    """The document of the running app, made when it is first asked for."""
    known = current_app.extensions
    if "autodub.document" not in known:
        known["autodub.document"] = made(cast("OpenAPI", current_app), server=platform().server.public_url)
    return cast("Json", known["autodub.document"])


def made(app: OpenAPI, *, server: str = "") -> Json:
    """The document of an app whose routes are all registered."""
    app.paths = _paths(app)
    app.generate_spec_json()  # type: ignore[no-untyped-call]
    found: Json = copy.deepcopy(app.spec_json)
    views = _views(app)
    for path, method, operation in operations(found):
        endpoint, view = views[path, method]
        operation["operationId"] = endpoint.replace(".", "_")
        if "description" in operation:
            operation["description"] = operation["description"].replace("<br/>", "\n")
        _parameters(operation, view)
        if headers := HEADERS.get(operation["operationId"]):
            operation["parameters"] = [*operation.get("parameters", []), *copy.deepcopy(headers)]
        _guard(operation, scope_of(view))
    schemas = _schemas(found)
    answers: Json = {}
    for path, _, operation in operations(found):
        if path.startswith(STRICT):
            operation["responses"].setdefault("422", {})
        _answers(operation, schemas, answers)
    found["info"] |= {"description": _ABOUT, "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}}
    found["servers"] = [{"url": server.rstrip("/") or "/"}]
    found["tags"] = _tags(found)
    found["components"] = {
        "schemas": dict(sorted(schemas.items())),
        "responses": dict(sorted(answers.items())),
        "securitySchemes": found["components"].get("securitySchemes", {}),
    }
    return {name: found[name] for name in ("openapi", "info", "servers", "tags", "paths", "components")}


def operations(found: Json) -> Iterator[tuple[str, str, Json]]:
    """Every operation with its path and method."""
    for path, item in found["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, method, item[method]


def _paths(app: Flask) -> Json:
    """Operations of all blueprints by path, those of one path together."""
    found: Json = {}
    for api in app.blueprints.values():
        for path, item in api.paths.items() if isinstance(api, APIBlueprint) else ():
            place = found.setdefault(path, item.model_copy())
            for method in METHODS:
                if (operation := getattr(item, method)) is not None:
                    setattr(place, method, operation)
    return found


def _views(app: Flask) -> Mapping[tuple[str, str], tuple[str, Callable[..., Any]]]:
    """Path and method -> endpoint and view."""
    return {
        (re.sub(r"<(?:[^<:]+:)?([^<>]+)>", r"{\1}", rule.rule), method.lower()): (
            rule.endpoint,
            app.view_functions[rule.endpoint],
        )
        for rule in app.url_map.iter_rules()
        for method in rule.methods or ()
    }


def _guard(operation: Json, scope: str) -> None:
    """Tell who may use an operation, as its route says."""
    if not scope:
        operation.pop("security", None)
        return
    operation["security"] = [{"key": []}, {"session": []}]
    needed = f"Needs the scope `{scope}`."
    operation["description"] = "\n\n".join(filter(None, (operation.get("description"), needed)))


def _parameters(operation: Json, view: Callable[..., Any]) -> None:
    """Give parameters the whole schema of their model; what is left out is absent, never null."""
    hints = get_type_hints(view)
    for parameter in operation.get("parameters", []):
        model = hints[parameter["in"]]
        whole = schema_of(model, "validation")
        schema = dict(whole["properties"][parameter["name"]])
        if schema.get("default", "") is None:
            del schema["default"]
        choices = [one for one in schema.get("anyOf", []) if one != {"type": "null"}]
        if len(choices) == 1:
            schema = {k: v for k, v in schema.items() if k != "anyOf"} | choices[0]
        elif choices:
            schema["anyOf"] = choices
        description = schema.pop("description", "")
        parameter.pop("description", None)
        if description:
            parameter["description"] = description
        parameter["schema"] = schema


def _schemas(found: Json) -> Json:
    """Every schema that the operations name, as pydantic tells it."""
    wanted: dict[str, JsonSchemaMode] = {}
    for _, _, operation in operations(found):
        for name in references(operation.get("requestBody", {})):
            wanted[name] = "validation"
    for _, _, operation in operations(found):
        for name in references(operation.get("responses", {})):
            wanted.setdefault(name, "serialization")
    wanted.setdefault(Problem.__name__, "serialization")
    schemas: Json = {}
    for name, mode in sorted(wanted.items(), key=lambda one: (one[1] != "validation", one[0])):
        whole = schema_of(model_of(name), mode)
        for inner, schema in whole.pop("$defs", {}).items():
            schemas.setdefault(inner, schema)
        schemas.setdefault(name, whole)
    return schemas


def _answers(operation: Json, schemas: Json, shared: Json) -> None:
    """Type the answers, and have those that all operations share stand in one place."""
    given: Json = operation["responses"]
    simple = any(reference == "SimpleError" for reference in references(given))
    if simple:
        given.pop("422", None)
    everywhere = ["503"]
    everywhere += ["401", "403"] if operation.get("security") else []
    everywhere += ["413"] if operation.get("requestBody") else []
    for status in everywhere:
        given.setdefault(status, {})
    for status, answer in given.items():
        phrase = _phrase(status)
        if int(status) >= 400 and (not answer.get("content") or _is_problem(answer)):
            name = f"{'Simple' if simple else 'Problem'}{status}"
            told = answer.get("description") or phrase
            refusal = _refusal(status, told, "SimpleError" if simple else "Problem")
            given[status] = refusal if told != phrase else {"$ref": f"#/components/responses/{name}"}
            if told == phrase:
                shared[name] = refusal
            continue
        for kind in answer.get("content", {}).values():
            kind["schema"] = tidied(kind.get("schema", {}))
        told = next((schemas[name].get("description") for name in references(answer)), None)
        if told and answer.get("description") in ("", phrase):
            answer["description"] = told
    operation["responses"] = dict(sorted(given.items()))


def _phrase(status: str) -> str:
    known = HTTPStatus._value2member_map_.get(int(status))
    return known.phrase if isinstance(known, HTTPStatus) else f"Status {status}"  # tus has some of its own


def _is_problem(answer: Json) -> bool:
    return not references(answer) - {"Problem", "SimpleError"}


def _refusal(status: str, told: str, model: str) -> Json:
    """The answer to what is refused or fails."""
    kind = PROBLEM if model == "Problem" else "application/json"
    answer: Json = {
        "description": told,
        "content": {kind: {"schema": {"$ref": f"#/components/schemas/{model}"}}},
    }
    if status in ("429", "503"):
        wait = {"description": "Seconds to wait before asking again.", "schema": {"type": "string"}}
        answer["headers"] = {"Retry-After": wait}
    return answer


def _tags(found: Json) -> list[Json]:
    """Tags that are used, in reading order."""
    used = dict.fromkeys(tag for _, _, operation in operations(found) for tag in operation["tags"])
    order = {name: place for place, name in enumerate(TAGS)} | {"Simple": len(TAGS) + 1}
    told = {tag["name"]: tag for tag in found.get("tags", [])}
    return [
        told.get(name, {"name": name}) for name in sorted(used, key=lambda one: order.get(one, len(TAGS)))
    ]
