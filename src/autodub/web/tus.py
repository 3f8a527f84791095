"""Uploads in pieces that can be resumed: tus 1.0.0, on the same addresses as other uploads.

``POST /uploads`` begins one (creation, creation-with-upload), ``HEAD`` says how much has come, ``PATCH``
sends more (checksum), ``DELETE`` gives it up (termination); ``Upload-Expires`` says until when (expiration).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from flask import Response, abort, request
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, Field
from werkzeug.http import http_date

from autodub.jobs.receiving import Locked, WrongDigest
from autodub.jobs.uploads import Upload
from autodub.model.errors import BadOption
from autodub.web.identity import actor, needs, platform, public
from autodub.web.problems import Problem, problem

VERSION = "1.0.0"
OPTIONS: Mapping[str, Any] = {"provide_automatic_options": False}
"""For every route of uploads: what OPTIONS is answered with is ours."""
PROBLEM: Mapping[str, Any] = {"application/problem+json": {}}
_EXTENSIONS = "creation,creation-with-upload,termination,expiration,checksum"
_DIGESTS = ("sha1", "sha256", "sha512", "md5")
_BLOCK = 1 << 16
_PIECE = "application/offset+octet-stream"

blueprint = APIBlueprint(
    "tus", __name__, url_prefix="/api/v1",
    abp_tags=[Tag(name="Uploads", description="Files for jobs: recordings and subtitles.")],
    abp_security=[{"key": []}, {"session": []}],
    abp_responses=dict.fromkeys((400, 401, 403, 404, 409, 413, 422, 429, 503), Problem),
)  # fmt: skip


class UploadPath(BaseModel):
    """Which upload."""

    upload: str = Field(pattern=r"^[0-9a-f]{32}$", description="Id of the upload.")


_PIECES = {
    "requestBody": {
        "required": True,
        "content": {_PIECE: {"schema": {"type": "string", "format": "binary"}}},
    }
}
_SENT: dict[str | int | HTTPStatus, Any] = {
    204: {"description": "It is there; the header `Upload-Offset` has what has come in all."},
    412: Problem, 415: Problem, 423: Problem, 410: Problem,
    460: {"description": "What came is not what `Upload-Checksum` says.", "content": PROBLEM},
}  # fmt: skip


@blueprint.patch(
    "/uploads/<upload>", responses=_SENT, openapi_extensions=_PIECES, summary="Send more of an upload",
    **OPTIONS,
)  # fmt: skip
@needs("jobs")
def send(path: UploadPath) -> Response:
    """Send what follows `Upload-Offset` bytes, as `application/offset+octet-stream`.

    With the last bytes the file is examined; one that is refused is answered 400.
    """
    check_version()
    _check_type()
    offset = _number("Upload-Offset")
    with locked():
        found = platform().uploads.receive(actor(), path.upload, _pieces(), offset=offset, digest=_digest())
    return told(Response(status=204), found)


@public
def options(upload: str = "") -> Response:  # noqa: ARG001 - as the rules have it
    """What this server knows of tus."""
    answer = Response(status=204)
    answer.headers["Tus-Resumable"] = answer.headers["Tus-Version"] = VERSION
    answer.headers["Tus-Extension"] = _EXTENSIONS
    answer.headers["Tus-Max-Size"] = str(platform().server.upload)
    answer.headers["Tus-Checksum-Algorithm"] = ",".join(_DIGESTS)
    answer.headers["Allow"] = "OPTIONS, GET, HEAD, POST, PATCH, DELETE"
    return answer


for _rule in ("/uploads", "/uploads/<upload>"):
    blueprint.add_url_rule(
        _rule, f"options{_rule}".replace("/", "_"), options, methods=["OPTIONS"],
        provide_automatic_options=False,
    )  # fmt: skip


def create(*, kind: str | None) -> Response:
    """Begin an upload, and take its first bytes where they come along."""
    check_version()
    if "Upload-Defer-Length" in request.headers:
        raise BadOption("The length must be known.", hint="Send Upload-Length.")
    size, said = _number("Upload-Length"), _metadata()
    name = said.get("filename") or said.get("name") or ""
    begun = platform().uploads.begin(actor(), name, size=size, kind=kind or said.get("kind") or None)
    place = f"/api/v1/uploads/{begun.id}"
    if request.mimetype == _PIECE:
        with locked():
            begun = platform().uploads.receive(actor(), begun.id, _pieces(), offset=0, digest=_digest())
    answer = told(Response(status=201), begun)
    answer.headers["Location"] = place
    return answer


def told(answer: Response, upload: Upload | None) -> Response:
    """An answer with what tus says of an upload; 410 for one that was refused, where tus asks."""
    check_version(asked=False)
    if upload is not None and upload.state == "refused" and "Tus-Resumable" in request.headers:
        answer = problem(410, "gone", f"The upload was refused: {upload.why}", hint="Begin another one.")
    elif upload is not None:
        answer.headers["Upload-Offset"] = str(upload.received)
        answer.headers["Upload-Length"] = str(upload.size)
        answer.headers["Upload-Expires"] = http_date(upload.expires)
        named = {"filename": upload.name, "kind": upload.kind}
        coded = (f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in named.items())
        answer.headers["Upload-Metadata"] = ",".join(coded)
    if not answer.get_data():
        answer.headers.remove("Content-Type")
    answer.headers["Tus-Resumable"] = VERSION
    answer.headers["Cache-Control"] = "no-store"
    return answer


def check_version(*, asked: bool = True) -> None:
    """Refuse another tus than ours, with 412; also none at all where it is ``asked`` for."""
    said = request.headers.get("Tus-Resumable")
    if said == VERSION or (said is None and not asked):
        return
    answer = problem(412, "precondition_failed", f"Send the header Tus-Resumable: {VERSION}.")
    answer.headers["Tus-Version"] = VERSION
    abort(answer)


@contextmanager
def locked() -> Iterator[None]:
    """Answer 423 while somebody else sends, and 460 for what came wrong: tus has statuses of its own."""
    try:
        yield
    except Locked as busy:
        abort(problem(423, "locked", busy.message, hint=busy.hint))
    except WrongDigest as wrong:
        abort(problem(460, "checksum_mismatch", wrong.message, hint=wrong.hint))


def _pieces() -> Iterator[bytes]:
    """The body of the running request, as it comes."""
    while data := request.stream.read(_BLOCK):
        yield data


def _check_type() -> None:
    if request.mimetype != _PIECE:
        abort(problem(415, "unsupported_media_type", f"Send Content-Type: {_PIECE}."))


def _number(name: str) -> int:
    said = request.headers.get(name, "")
    if not (said.isascii() and said.isdigit() and len(said) <= 18):
        raise BadOption(f"The header {name} is missing, or no number.", hint=f"Send {name} in bytes.")
    return int(said)


def _metadata() -> dict[str, str]:
    """``Upload-Metadata``: words with values in base64."""
    found = {}
    for pair in filter(None, map(str.strip, request.headers.get("Upload-Metadata", "").split(","))):
        key, _, coded = pair.partition(" ")
        try:
            found[key] = base64.b64decode(coded.strip(), validate=True).decode("utf-8")
        except (binascii.Error, ValueError) as error:
            raise BadOption(
                "The header Upload-Metadata cannot be understood.",
                hint="Send pairs such as: filename dGFsay5tcDQ=, separated by commas.",
            ) from error
    return found


def _digest() -> tuple[str, bytes] | None:
    """``Upload-Checksum``: algorithm and value of what is sent."""
    said = request.headers.get("Upload-Checksum")
    if said is None:
        return None
    algorithm, _, coded = said.strip().partition(" ")
    try:
        value = base64.b64decode(coded.strip(), validate=True)
    except binascii.Error:
        value = b""
    if algorithm not in _DIGESTS or not value:
        raise BadOption(
            "The header Upload-Checksum cannot be understood.",
            hint=f"Send one of {', '.join(_DIGESTS)} and the value in base64.",
        )
    return algorithm, value
