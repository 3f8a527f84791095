"""What a route takes: the models of its path, query, headers and body."""

from __future__ import annotations

from typing import Any, get_type_hints

from flask import current_app
from pydantic import BaseModel

_PARTS = ("path", "query", "header", "form", "body")
_PLACE = "autodub.asking"


def taken(endpoint: str | None) -> dict[str, type[BaseModel]]:
    """Part of a request (``path``, ``query``, ``body`` ...) -> the model a route takes it as."""
    known: dict[str, dict[str, type[BaseModel]]] = current_app.extensions.setdefault(_PLACE, {})
    name = endpoint or ""
    if name not in known:
        view = current_app.view_functions.get(name)
        hints: dict[str, Any] = get_type_hints(view) if view is not None else {}
        known[name] = {part: hints[part] for part in _PARTS if part in hints}
    return known[name]


def parameters(endpoint: str | None) -> list[str]:
    """Names of the query parameters that a route knows."""
    model = taken(endpoint).get("query")
    return [] if model is None else [one.alias or name for name, one in model.model_fields.items()]
