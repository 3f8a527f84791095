"""What a route takes: the models of its path, query, headers and body."""

from __future__ import annotations

from functools import cache
from typing import Any, get_type_hints

from flask import Flask, current_app
from pydantic import BaseModel

_PARTS = ("path", "query", "header", "form", "body")
_PLACE = "autodub.asking"


def taken(endpoint: str | None) -> dict[str, type[BaseModel]]:
    """Part of a request (``path``, ``query``, ``body`` ...) -> the model a route takes it as."""
    found: dict[str, dict[str, type[BaseModel]]] = current_app.extensions[_PLACE]
    return found.get(endpoint or "", {})


def parameters(endpoint: str | None) -> list[str]:
    """Names of the query parameters that a route knows."""
    model = taken(endpoint).get("query")
    return [] if model is None else [one.alias or name for name, one in model.model_fields.items()]


def install(app: Flask) -> None:
    """Learn what the routes of an app take, all of which are registered."""
    routes: dict[str, dict[str, type[BaseModel]]] = {}
    for endpoint, view in app.view_functions.items():
        hints = get_type_hints(view)
        routes[endpoint] = {part: hints[part] for part in _PARTS if part in hints}
        for model in routes[endpoint].values():  # flask_openapi3 asks for it with every request
            model.model_json_schema = classmethod(_remembered)  # type: ignore[assignment, method-assign]
    app.extensions[_PLACE] = routes


def _remembered(model: type[BaseModel], *given: Any, **named: Any) -> dict[str, Any]:
    return _made(model, given, tuple(named.items()))


@cache
def _made(
    model: type[BaseModel], given: tuple[Any, ...], named: tuple[tuple[str, Any], ...]
) -> dict[str, Any]:
    """A model's JSON schema, made once; nobody changes it."""
    made: dict[str, Any] = BaseModel.model_json_schema.__func__(model, *given, **dict(named))  # type: ignore[attr-defined]
    return made
