"""The OpenAPI document and the page made of it."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import jsonschema_rs
import pytest
from flask import Flask
from flask.testing import FlaskClient

from autodub.web.docs import kind, shown, text
from autodub.web.document import METHODS, TAGS, operations
from autodub.web.document_headers import HEADERS
from autodub.web.document_schemas import PLACE, references, tidied
from autodub.web.examples import curl, example


@pytest.fixture
def found(client: FlaskClient) -> dict[str, Any]:
    """The document as it is served."""
    answer = client.get("/openapi.json")
    assert answer.status_code == 200
    return dict(answer.get_json())


def test_every_route_of_the_interface_is_in_the_document(app: Flask, found: dict[str, Any]) -> None:
    """No route is forgotten, also where two blueprints share a path; and nothing else is listed."""
    routes = {
        (re.sub(r"<(?:[^<:]+:)?([^<>]+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        for method in rule.methods or ()
        if method.lower() in METHODS
    }
    listed = {(path, method) for path, method, _ in operations(found)}
    assert listed <= routes
    interface = {route for route in routes if route[0].startswith("/api/")}
    assert interface - listed == {
        ("/api/v1/openapi.json", "get"),  # the second place of the document
        ("/api/v1/uploads/{upload}", "post"),  # PATCH, for those whose network knows none
    }


def test_the_document_is_openapi_3_1_with_everything_it_refers_to(found: dict[str, Any]) -> None:
    """References end somewhere, ids are unique, parameters of paths are declared, tags are described."""
    assert found["openapi"].startswith("3.1.")
    assert references(found) <= set(found["components"]["schemas"])
    ids = [one["operationId"] for _, _, one in operations(found)]
    assert len(ids) == len(set(ids))
    described = {tag["name"] for tag in found["tags"] if tag.get("description")}
    for path, method, one in operations(found):
        where = f"{method} {path}"
        declared = {p["name"] for p in one.get("parameters", []) if p["in"] == "path"}
        assert set(re.findall(r"{([^}]+)}", path)) == declared, where
        assert one["summary"], where
        assert one.get("description"), where
        assert set(one["tags"]) <= described, where
        assert any(status < "400" for status in one["responses"]), where
        for answer in one["responses"].values():
            name = answer.get("$ref", "").rpartition("/")[2]
            assert not name or name in found["components"]["responses"], where


def test_every_schema_is_one_of_json_schema_2020_12(found: dict[str, Any]) -> None:
    """The schemas themselves are valid."""
    for name, schema in found["components"]["schemas"].items():
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema)
        assert "$defs" not in schema, name


def test_refusals_are_typed_as_problems(found: dict[str, Any]) -> None:
    """Every refusal is problem+json, those of the simple interface JSON with an ``error``."""
    for name, answer in found["components"]["responses"].items():
        (content,) = answer["content"]
        assert content == ("application/json" if name.startswith("Simple") else "application/problem+json")
    for path, method, one in operations(found):
        for status, answer in one["responses"].items():
            if status >= "400":
                simple = path.startswith("/api/") and not path.startswith("/api/v1/")
                word = "Simple" if simple else "Problem"
                content = "application/json" if simple else "application/problem+json"
                is_shared = answer.get("$ref", "").endswith(word + status)
                assert is_shared or list(answer["content"]) == [content], f"{method} {path} {status}"


def test_who_may_use_a_route_is_told(found: dict[str, Any]) -> None:
    """Submitting needs a key or a session and may be refused with 401 and 403; the document is open."""
    submit = found["paths"]["/api/v1/jobs"]["post"]
    assert submit["security"] == [{"key": []}, {"session": []}]
    assert {"401", "403", "422", "429", "503"} <= set(submit["responses"])
    assert "security" not in found["paths"]["/openapi.json"]["get"]


def test_what_is_safe_to_repeat_says_how(found: dict[str, Any]) -> None:
    """Submitting takes an ``Idempotency-Key``, and the operations that do exist."""
    for path in ("/api/v1/jobs", "/api/v1/batches", "/api/v1/estimates"):
        names = [parameter["name"] for parameter in found["paths"][path]["post"]["parameters"]]
        assert "Idempotency-Key" in names, path
    assert set(HEADERS) <= {one["operationId"] for _, _, one in operations(found)}


def test_no_keyword_of_a_model_is_lost(found: dict[str, Any]) -> None:
    """Names of roles, patterns and examples arrive; parameters that may be left out are not null."""
    spec = found["components"]["schemas"]["JobSpec"]
    assert "synthesizer" in spec["properties"]["engines"]["propertyNames"]["enum"]
    assert spec["additionalProperties"] is False
    assert found["components"]["schemas"]["SimpleError"]["properties"]["code"]["examples"]
    for _, _, one in operations(found):
        for parameter in one.get("parameters", []):
            assert {"type": "null"} not in parameter["schema"].get("anyOf", [])
            assert "title" not in parameter["schema"]


def test_the_document_is_served_twice_and_not_sent_again(client: FlaskClient) -> None:
    """Both places have the same; who has it already is told so."""
    first, second = client.get("/openapi.json"), client.get("/api/v1/openapi.json")
    assert first.get_json() == second.get_json()
    again = client.get("/openapi.json", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


class _Page(HTMLParser):
    """What a page loads, links to and names."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.inline: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.inline += [name for name in given if name.startswith("on") or name == "style"]
        if tag == "style" or (tag == "script" and "src" not in given):
            self.inline.append(tag)
        if tag in ("script", "img", "iframe"):
            self.loads.append(given.get("src") or "")
        elif tag == "link":
            self.loads.append(given.get("href") or "")
        elif tag == "a":
            self.links.append(given.get("href") or "")
        if "id" in given:
            self.ids.add(given["id"] or "")


def test_the_page_works_under_the_strictest_policy(client: FlaskClient) -> None:
    """Nothing inline, nothing from elsewhere; what it loads is there with the right type."""
    page = _Page(client.get("/docs").get_data(as_text=True))
    assert page.inline == []
    own = [address for address in page.loads if address != "data:,"]
    assert sorted(own) == ["/docs/docs.css", "/docs/docs.js"]
    for address, kind_ in (("/docs/docs.css", "text/css"), ("/docs/docs.js", "text/javascript")):
        with client.get(address) as answer:
            assert (answer.status_code, answer.mimetype) == (200, kind_)


def test_every_link_of_the_page_leads_somewhere(client: FlaskClient, found: dict[str, Any]) -> None:
    """Each operation and model can be linked to, and no link on the page is dead."""
    page = _Page(client.get("/docs").get_data(as_text=True))
    for link in page.links:
        if link.startswith("#"):
            assert link[1:] in page.ids, link
        elif not link.startswith("https://"):
            with client.get(link) as answer:
                assert answer.status_code == 200, link
    assert {one["operationId"] for _, _, one in operations(found)} <= page.ids
    assert {f"model-{name}" for name in found["components"]["schemas"]} <= page.ids


@pytest.mark.parametrize("name", ["nothing.css", "../docs.py", "%2e%2e/docs.py", "docs.html"])
def test_only_the_pages_own_files_are_served(client: FlaskClient, name: str) -> None:
    """A name that is none of them is a 404."""
    assert client.get(f"/docs/{name}").status_code == 404


def test_words_of_the_document_cannot_become_markup() -> None:
    """Descriptions may hold code and stress, and nothing else of HTML."""
    assert text("a `b<i>` **c** <script>") == ("a <code>b&lt;i&gt;</code> <strong>c</strong> &lt;script&gt;")
    assert kind({"enum": ["<b>"]}) == "<code>&#34;&lt;b&gt;&#34;</code>"


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 9}, "integer 1 to 9"),
        ({"type": "number", "exclusiveMinimum": 0}, "number above 0"),
        ({"type": "number", "maximum": 3}, "number up to 3"),
        ({"type": "string", "maxLength": 5}, "string, up to 5 characters"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "string or null"),
        ({"type": "array", "items": {"type": "boolean"}}, "list of boolean"),
        ({"type": "object", "additionalProperties": {"type": "string"}}, "object of string"),
        ({"type": ["string", "null"]}, "string or null"),
        ({"const": 3}, "<code>3</code>"),
        ({"$ref": PLACE + "Job"}, '<a href="#model-Job">Job</a>'),
        ({}, "anything"),
    ],
)
def test_types_are_told_in_words(schema: dict[str, Any], said: str) -> None:
    """Each kind of schema has its words."""
    assert kind(schema) == said


def test_a_request_shows_what_must_be_sent_and_an_answer_everything() -> None:
    """Examples of requests leave out what may be left out."""
    schemas = {
        "Ask": {
            "type": "object",
            "required": ["target", "inner"],
            "properties": {
                "target": {"type": "string", "examples": ["es"]},
                "many": {"type": "array", "items": {"type": "integer", "minimum": 4}},
                "inner": {"anyOf": [{"$ref": PLACE + "Ask"}, {"type": "null"}]},
            },
        }
    }
    asked = example({"$ref": PLACE + "Ask"}, schemas, asked=True)
    assert asked["target"] == "es"
    assert "many" not in asked
    assert example({"$ref": PLACE + "Ask"}, schemas)["many"] == [4]


def test_a_line_of_curl_can_be_pasted() -> None:
    """Method, key, headers and body are in it, quoted for a shell."""
    operation = {
        "security": [{"key": []}],
        "parameters": [
            {"in": "query", "name": "name", "required": True, "schema": {}},
            {"in": "header", "name": "Tus-Resumable", "required": True, "schema": {"const": "1.0.0"}},
        ],
        "requestBody": {"content": {"application/json": {"example": {"text": "it's"}}}},
    }
    said = curl("https://dub.example/", "/api/x", "patch", operation, {})
    assert said.startswith("curl -X PATCH 'https://dub.example/api/x?name={name}'")
    assert '-H "Authorization: Bearer $KEY"' in said
    assert "-H 'Tus-Resumable: 1.0.0'" in said
    assert """'{"text": "it'"'"'s"}'""" in said


def test_titles_that_repeat_names_are_left_out_and_fields_called_title_stay() -> None:
    """Only the noise goes."""
    schema = {"title": "A", "properties": {"title": {"title": "Title", "type": "string"}}}
    assert tidied(schema) == {"properties": {"title": {"type": "string"}}}


def test_operations_are_shown_under_their_tag_in_reading_order(found: dict[str, Any]) -> None:
    """Jobs come first, the simple interface last."""
    tags = [tag["name"] for tag in found["tags"]]
    assert (tags[0], tags[-1]) == ("Jobs", "Simple")
    assert set(tags) == {*TAGS, "Simple"}
    page = shown(found, server="http://here")
    assert sum(len(group) for _, _, group in page["groups"]) == len(list(operations(found)))
