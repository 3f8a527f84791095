"""How much a request may send: little, but for what is uploaded."""

from __future__ import annotations

from typing import Any

from flask import Flask, Request, request
from werkzeug.exceptions import RequestEntityTooLarge

from autodub.infra.server_settings import ServerSettings
from autodub.model.errors import BadOption

MOST = 2_000_000
"""Bytes of a JSON body."""
_AROUND = 100_000
"""Bytes that a form may have around the file in it."""
_UPLOADS = "/api/v1/uploads"


class Whole(Request):
    """A request whose body is whole or refused: one of unknown length would be cut off at the limit."""

    def get_data(self, *given: Any, **named: Any) -> Any:
        """The body. Raises RequestEntityTooLarge."""
        data = super().get_data(*given, **named)
        most = self.max_content_length
        if self.content_length is None and most is not None and len(data) >= most:
            raise RequestEntityTooLarge
        return data

    def get_json(self, *given: Any, **named: Any) -> Any:
        """The body as a value; ``{}`` where nothing was sent. Raises BadOption for what is no JSON."""
        data = self.get_data()
        if not data.strip():
            return {}
        if not self.is_json:
            raise BadOption(
                "The body is not sent as JSON.",
                hint="Send it with the header Content-Type: application/json.",
            )
        value = super().get_json(*given, **named)
        if value is None and data.strip() != b"null":
            raise BadOption("The body is not JSON.", hint="Check its quotes, commas and brackets.")
        return value


def install(app: Flask, server: ServerSettings) -> None:
    """Limit what requests may send."""
    app.request_class = Whole
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
