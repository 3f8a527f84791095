"""Errors as ``application/problem+json`` (RFC 9457): what, why, and how to fix it, with a stable code."""

from __future__ import annotations

import logging
import re
from typing import Any

from flask import Flask, Response, current_app, g, jsonify, request
from pydantic import BaseModel, Field, ValidationError
from werkzeug.exceptions import HTTPException

from autodub.infra.faults import faults
from autodub.infra.sql import DatabaseAway
from autodub.model.errors import AutodubError, EngineError, RequestError, TooMany
from autodub.web import pages
from autodub.web.asking import taken
from autodub.web.identity import platform

log = logging.getLogger("autodub.web")

_STATUS = {
    "unauthenticated": 401, "forbidden": 403, "consent_missing": 403, "quota_exceeded": 403,
    "not_found": 404, "conflict": 409, "old_revision": 409, "too_many": 429, "too_large": 413,
    "unavailable": 503, "content_refused": 422,
    "bad_project": 409, "circuit_open": 503, "busy": 503,
}  # fmt: skip
"""Code -> status; any other ``RequestError`` is a 400, ``EngineError`` a 502, any other error a 500."""
_CODES = {
    400: "bad_request", 401: "unauthenticated", 403: "forbidden", 404: "not_found",
    405: "method_not_allowed", 406: "not_acceptable", 409: "conflict", 411: "length_required",
    412: "precondition_failed", 413: "too_large", 415: "unsupported_media_type",
    416: "range_not_satisfiable", 422: "bad_request", 428: "precondition_required", 429: "too_many",
    431: "headers_too_large", 500: "internal", 503: "unavailable",
}  # fmt: skip


_IDS = frozenset({
    "job", "batch", "upload", "glossary", "hook", "delivery", "consent", "user", "key", "session",
})  # fmt: skip
"""What the paths name by an id of our making."""
_ID = "An id has 32 characters, 0-9 and a-f; the list has the ids there are."
_FIELDS = "What may be sent is described at /docs."
_SAID = {404: "There is nothing at this address."}
_HINTS = {
    404: "Every address there is stands at /docs.", 405: "What can be done here is described at /docs.",
    413: "A body may have 2 MB, an upload what the setting upload says (AUTODUB_UPLOAD).",
}  # fmt: skip
SIMPLE = re.compile(r"/api/(?:dub|download|jobs)(?:/|$)")
"""Addresses of the simple interface, also where nothing is at them."""
_SIMPLE_FIELDS = {
    "source": "youtube_url", "target": "target_language", "spoken": "source_language",
    "start": "start_time", "end": "end_time", "clone_voices": "use_voice_cloning",
}  # fmt: skip
"""Field of a job -> what the simple interface calls it."""
_FIELD = re.compile(r"`([a-z_]+)`")
_PATH = re.compile(r"(?<![\w/:.-])~?(?:/[\w.@+-]+){2,}/?")


class Problem(BaseModel):
    """Why a request was refused or failed."""

    type: str = Field("about:blank", description="Always `about:blank`: the code says more.")
    status: int = Field(description="The HTTP status.")
    title: str = Field(description="A sentence for people.")
    code: str = Field(description="A stable word for programs.", examples=["not_found"])
    hint: str = Field("", description="How to fix it.")
    request_id: str = Field("", description="What the server's log calls this request.")
    errors: list[dict[str, Any]] = Field(
        default_factory=list, description="Where a body or query is wrong: `where` and `why`."
    )


class SimpleError(BaseModel):
    """Why a request of the simple interface was refused."""

    error: str = Field(description="A sentence for people.", examples=["youtube_url is missing."])
    code: str = Field(description="A stable word for programs.", examples=["bad_request"])
    hint: str = Field("", description="How to fix it.")
    request_id: str = Field("", description="What the server's log calls this request.")


def problem(
    status: int, code: str, title: str, *, hint: str = "", errors: list[dict[str, Any]] | None = None
) -> Response:
    """A problem as a response; to whoever asks the simple interface in its own shape."""
    request_id = getattr(g, "request_id", "")
    if SIMPLE.match(request.path):
        simple = SimpleError(error=_simply(title), code=code, hint=_simply(hint), request_id=request_id)
        return Response(
            simple.model_dump_json(exclude_defaults=True) + "\n", status, mimetype="application/json"
        )
    said = Problem(
        type="about:blank",
        status=status, code=code, title=title, hint=hint, errors=errors or [], request_id=request_id,
    )  # fmt: skip
    answer = jsonify(said.model_dump(exclude_defaults=True) | {"type": said.type, "status": status})
    answer.status_code = status
    answer.content_type = "application/problem+json"
    return answer


def _simply(text: str) -> str:
    """A sentence with the simple interface's names for fields."""
    return _FIELD.sub(lambda match: f"`{_SIMPLE_FIELDS.get(match[1], match[1])}`", text)


def of_error(error: AutodubError) -> Response:
    """One of our errors as a response."""
    other = 400 if isinstance(error, RequestError) else 502 if isinstance(error, EngineError) else 500
    status = _STATUS.get(error.code, other)
    message, hint = error.message, error.hint
    if isinstance(error, DatabaseAway):
        log.warning("%s", message)
        message, hint = "The database cannot be used now.", "Try again in a moment."
    elif status >= 500:  # it is about the server, whose places are nobody's business
        message, hint = discreet(message), discreet(hint)
    else:
        message, hint = _without_folders(message), _without_folders(hint)
    answer = problem(status, error.code, message, hint=hint)
    if isinstance(error, TooMany | EngineError) and error.retry_after is not None:
        answer.headers["Retry-After"] = str(max(1, round(error.retry_after)))
    return answer


def discreet(text: str) -> str:
    """A sentence without keys and paths of this machine."""
    return _PATH.sub("(path)", _without_folders(text))


def _without_folders(text: str) -> str:
    """A sentence without keys and our own folders; addresses of the interface stay in it."""
    settings = platform().settings
    for folder in (settings.models_dir, settings.data_dir):  # they may have blanks in them
        text = text.replace(str(folder), "(path)")
    return settings.redact(text)


def of_validation(error: ValidationError) -> Response:
    """What pydantic found wrong in a body, query or path; never the value, which may be a secret.

    An id in the path that no thing can have is one that is not there.
    """
    found = faults(error, _model(error.title))
    errors = [{"where": one.where, "why": one.why} for one in found]
    if unknown := [one for one in found if one.where in _IDS and one.where in (request.view_args or {})]:
        return problem(
            404, "not_found", f"There is no such {unknown[0].where}.", hint=_ID, errors=errors,
        )  # fmt: skip
    return wrong(str(found[0]) if found else "it does not fit", errors)


def wrong(first: str, errors: list[dict[str, Any]]) -> Response:
    """A request whose body, query or header does not fit; ``first`` is told in its title."""
    return problem(422, "bad_request", f"The request is not right: {first}.", hint=_FIELDS, errors=errors)


def _model(name: str) -> type[BaseModel] | None:
    """The model of this name that the route in question takes something as."""
    for model in taken(request.endpoint).values():
        if model.__name__ == name:
            return model
    return None


def of_http(error: HTTPException) -> Response:
    """An HTTP error of Flask's or ours as a response."""
    status = error.code or 500
    if status < 400:  # a redirection is none
        return error.get_response()  # type: ignore[return-value]
    if status == 404 and request.url_rule is None and (page := pages.missing()) is not None:
        return page
    said, hint = error.description or error.name, ""
    if said == type(error).description:  # nobody of ours has said more
        said, hint = _SAID.get(status, said), _HINTS.get(status, "")
    answer = problem(status, _CODES.get(status, "error"), said, hint=hint)
    for name, value in error.get_headers():
        if name.lower() in ("allow", "retry-after", "www-authenticate", "content-range"):
            answer.headers[name] = value
    return answer


def of_fault(error: Exception) -> Response:
    """A fault of ours as a response; the log has what it was."""
    log.error("a request failed by a fault: %s %s", request.method, request.path, exc_info=error)
    if current_app.testing and current_app.config.get("PROPAGATE_EXCEPTIONS"):
        raise error
    return problem(
        500, "internal", "The server made a mistake.",
        hint="It is in the server's log under this request's id.",
    )  # fmt: skip


def install(app: Flask) -> None:
    """Have every error of the app answered as a problem."""
    app.register_error_handler(AutodubError, of_error)
    app.register_error_handler(HTTPException, of_http)
    app.register_error_handler(Exception, of_fault)
