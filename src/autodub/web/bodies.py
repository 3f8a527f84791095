"""How much a request may send: little, but for what is uploaded."""

from __future__ import annotations

from typing import Any

from flask import Flask, request

from autodub.infra.server_settings import ServerSettings
from autodub.model.errors import BadOption

MOST = 2_000_000
"""Bytes of a JSON body."""
_AROUND = 100_000
"""Bytes that a form may have around the file in it."""
_UPLOADS = "/api/v1/uploads"


def install(app: Flask, server: ServerSettings) -> None:
    """Limit what requests may send."""
    app.config["MAX_CONTENT_LENGTH"] = MOST
    app.config["MAX_FORM_MEMORY_SIZE"] = _AROUND

    def limit() -> None:
        if request.url_rule is not None and request.url_rule.rule.startswith(_UPLOADS):
            request.max_content_length = server.upload + _AROUND

    def too_deep(_: RecursionError) -> Any:
        return app.handle_user_exception(BadOption("The request is nested too deeply.", hint="Send it flat."))

    app.before_request(limit)
    app.register_error_handler(RecursionError, too_deep)
