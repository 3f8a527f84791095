"""What a request has too much, and what of it does not fit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from autodub.infra.faults import faults
from autodub.web.asking import taken
from autodub.web.simple import SimpleDub

_FOREIGN = re.compile(r"input should|field required|valid |value error|extra inputs|tag |unable to|expected")
_HOSTILE: tuple[Any, ...] = (
    None, "", "x", "x" * 20_000, "\ud800", -1, 0, 1.5, 10**30, float("nan"), float("inf"), True, [], [None],
    ["x"] * 3000, {}, {"x": "x"}, {"op": "x"}, [{}], [{"op": "set"}], [{"op": "x"}], "NaN", "1.23456789",
)  # fmt: skip


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("jobs?limt=5", "limt is no parameter here; did you mean limit?"),
        ("voices?zzz=1", "zzz is no parameter here: there are target, engine"),
        ("webhooks?limit=5", "limit is no parameter here, nor is any other"),
    ],
)  # fmt: skip
def test_a_parameter_that_would_do_nothing_is_refused(client: FlaskClient, path: str, why: str) -> None:
    """Whoever mistyped one is told which one was meant, or which ones there are."""
    answer = client.get(f"/api/v1/{path}")
    said = answer.get_json()
    assert (answer.status_code, said["code"]) == (422, "bad_request")
    assert " ".join(said["errors"][0].values()) == why
    assert why in said["title"]


def test_a_parameter_that_does_not_fit_says_what_would(client: FlaskClient) -> None:
    """With both bounds, and by its name."""
    said = client.get("/api/v1/jobs?limit=1000").get_json()
    assert said["errors"] == [{"where": "limit", "why": "must be a whole number from 1 to 200"}]
    assert said["title"] == "The request is not right: limit must be a whole number from 1 to 200."


def test_a_field_that_would_do_nothing_is_refused(client: FlaskClient) -> None:
    """In a body as in a query."""
    said = client.post("/api/v1/jobs", json={"source": "https://youtu.be/x", "traget": "es"}).get_json()
    assert {"where": "traget", "why": "is not known here; did you mean target?"} in said["errors"]


def test_the_simple_interface_passes_over_what_it_does_not_know(client: FlaskClient) -> None:
    """As the prototype did, in bodies and queries."""
    body = {"youtube_url": "https://youtu.be/dQw4w9WgXcQ", "target_language": "es", "quality": "high"}
    assert client.post("/api/dub?verbose=1", json=body).status_code == 202
    assert client.get("/api/jobs?page=2").status_code == 200


def test_addresses_of_nothing_are_no_matter_of_their_parameters(client: FlaskClient) -> None:
    """They are not there, whatever is asked of them."""
    assert client.get("/api/v1/nowhere?x=1").status_code == 404


def _models(model: Any) -> Iterator[type[BaseModel]]:
    if isinstance(model, type) and issubclass(model, BaseModel):
        yield model
        for field in model.model_fields.values():
            yield from _models(field.annotation)
    for part in get_args(model):
        yield from _models(part)


def _requests(app: Flask, *parts: str) -> set[type[BaseModel]]:
    found = {taken(endpoint).get(part) for endpoint in app.view_functions for part in parts}
    return {model for model in found if model is not None}


def test_every_body_refuses_fields_that_nobody_knows(app: Flask) -> None:
    """Also in the objects inside of it."""
    with app.app_context():
        bodies = {inner for model in _requests(app, "body", "form") for inner in _models(model)}
    assert len(bodies) > 10
    assert [model.__name__ for model in bodies if model.model_config.get("extra") != "forbid"] == []


def _wrong(model: type[BaseModel]) -> Iterator[tuple[ErrorDetails, str]]:
    """What is wrong with each field of a model in turn when it is given this and that."""
    for name, field in model.model_fields.items():
        for value in _HOSTILE:
            try:
                model.model_validate({field.alias or name: value})
            except ValidationError as wrong:
                found = faults(wrong, model)
                yield from zip(wrong.errors(), map(str, found), strict=False)  # fifty are told


def test_no_request_is_answered_in_the_words_of_a_library(app: Flask) -> None:
    """Whatever is wrong with any field of any request, a person can read it."""
    with app.app_context():
        models = _requests(app, "path", "query", "body", "form", "header") | {SimpleDub}
    kinds = set()
    for model in models:
        for error, said in _wrong(model):
            kinds.add(error["type"])
            assert not _FOREIGN.search(said.lower()), (model.__name__, error["type"], said)
    assert len(kinds) > 15


def test_schemas_are_remembered_for_each_model_by_itself(app: Flask) -> None:
    """One that inherits from another has its own, and each is made once."""
    with app.app_context():
        model = taken("jobs.listed")["query"]

    class More(model):  # type: ignore[misc, valid-type]
        more: int = 1

    assert model.model_json_schema() is model.model_json_schema()
    assert More.model_json_schema()["properties"].keys() - model.model_json_schema()["properties"] == {"more"}
