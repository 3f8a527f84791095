"""How much a request may send: little, but for what is uploaded."""

from __future__ import annotations

from typing import Any

from flask import Flask, request

from autodub.infra.server_settings import ServerSettings

MOST = 2_000_000
"""Bytes of a JSON body."""
_AROUND = 100_000
"""Bytes that a form may have around the file in it."""
_UPLOADS = "/api/v1/uploads"


def install(app: Flask, server: ServerSettings) -> None:
    """Limit what requests may send."""
    app.config["MAX_CONTENT_LENGTH"] = MOST
    app.config["MAX_FORM_MEMORY_SIZE"] = _AROUND
    parsed = app.json.loads

    def loads(text: str | bytes, **named: Any) -> Any:
        try:
            return parsed(text, **named)
        except RecursionError:
            raise ValueError("it is nested too deeply") from None  # and so no JSON of ours

    app.json.loads = loads  # type: ignore[method-assign, assignment]

    @app.before_request
    def limit() -> None:
        if request.url_rule is not None and request.url_rule.rule.startswith(_UPLOADS):
            request.max_content_length = server.upload + _AROUND
