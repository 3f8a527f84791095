"""Files that are sent to the server: as a form at once, or in pieces that can be resumed (see ``tus``)."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import IO, Any, Literal

from flask import Response, jsonify, request
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, Field
from werkzeug.exceptions import HTTPException
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import Data, Epilogue, Event, File, MultipartDecoder, NeedData
from werkzeug.sansio.multipart import Field as FormField

from autodub.jobs.uploads import Upload
from autodub.model.errors import BadOption, TooLarge
from autodub.web import tus
from autodub.web.identity import actor, needs, platform
from autodub.web.problems import Problem

blueprint = APIBlueprint(
    "uploads", __name__, url_prefix="/api/v1",
    abp_tags=[Tag(name="Uploads", description="Files for jobs: recordings and subtitles.")],
    abp_security=[{"key": []}, {"session": []}],
    abp_responses=dict.fromkeys((400, 401, 403, 404, 409, 413, 422, 429, 503), Problem),
)  # fmt: skip
_BLOCK = 1 << 16
_FIELDS, _PARTS = 1 << 20, 20
"""Bytes that are held while a form is read, and parts it may have."""
_LONGEST = 20
_AROUND = 20_000
"""Bytes a form has around its file."""


class UploadPath(BaseModel):
    """Which upload."""

    upload: str = Field(pattern=r"^[0-9a-f]{32}$", description="Id of the upload.")


class UploadQuery(BaseModel):
    """What is sent."""

    kind: Literal["media", "subtitles"] | None = Field(
        None, description="What the file must be; otherwise its name's ending says it."
    )


class UploadShape(BaseModel):
    """An upload as it stands. Times are seconds since 1970 (UTC)."""

    id: str = Field(description="What a job names it by.")
    name: str
    kind: Literal["media", "subtitles"]
    state: Literal["receiving", "ready", "refused"]
    size: int = Field(description="Bytes it has or will have.")
    received: int = Field(description="Bytes that are there.")
    why: str = Field(description="Why it was refused.")
    info: dict[str, Any] = Field(
        description="What is in it: `container`, `seconds`, `video`, `audio`, `subtitles` of a recording; "
        "`format`, `lines`, `seconds`, `notes` of subtitles."
    )
    created: float
    expires: float = Field(description="When it is removed, unless a job uses it.")


class UploadList(BaseModel):
    """Your uploads, newest first."""

    uploads: list[UploadShape]
    used: int = Field(description="Bytes they count for.")
    allowed: int = Field(description="Bytes they may have together.")
    largest: int = Field(description="Bytes one may have.")


_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "format": "binary", "description": "With its name."},
                        "kind": {"type": "string", "enum": ["media", "subtitles"]},
                    },
                }
            }
        },
    }
}
_MADE: dict[str | int | HTTPStatus, Any] = {
    201: UploadShape, 412: Problem, 415: Problem, 423: Problem,
    460: {"description": "What came is not what `Upload-Checksum` says.", "content": tus.PROBLEM},
}  # fmt: skip


@blueprint.post("/uploads", responses=_MADE, openapi_extensions=_FORM, summary="Upload a file", **tus.OPTIONS)
@needs("jobs")
def send(query: UploadQuery) -> Response:
    """Send a recording or subtitles as a form with one file; it is examined before the answer comes.

    With a `Tus-Resumable` header the upload only begins here, and goes on with `PATCH`: see
    [tus.io](https://tus.io/protocols/resumable-upload).
    """
    if "Tus-Resumable" in request.headers:
        return tus.create(kind=query.kind)
    largest = platform().server.upload
    form = _Form(largest)
    name, most = form.name(), min(largest, request.content_length or largest)
    found = platform().uploads.take(actor(), name, form.content(), most=most, kind=query.kind or form.kind)
    answer = jsonify(of_upload(found).model_dump())
    answer.status_code = 201
    answer.headers["Location"] = f"/api/v1/uploads/{found.id}"
    return answer


@blueprint.get("/uploads", responses={200: UploadList}, summary="List uploads", **tus.OPTIONS)
@needs("read")
def listed() -> Response:
    """Your uploads, newest first, and how much room they take."""
    found, used = platform().uploads.mine(actor())
    server = platform().server
    shapes = UploadList(
        uploads=[of_upload(one) for one in found], used=used, allowed=server.uploads, largest=server.upload
    )
    return jsonify(shapes.model_dump())


@blueprint.get(
    "/uploads/<upload>", responses={200: UploadShape, 412: Problem}, summary="Look at an upload",
    **tus.OPTIONS,
)  # fmt: skip
@needs("read")
def look(path: UploadPath) -> Response:
    """An upload as it stands; the header `Upload-Offset` has what has come of it."""
    found = platform().uploads.get(actor(), path.upload)
    return tus.told(jsonify(of_upload(found).model_dump()), found)


@blueprint.delete(
    "/uploads/<upload>", responses={204: None, 412: Problem, 423: Problem}, summary="Delete an upload",
    **tus.OPTIONS,
)  # fmt: skip
@needs("jobs")
def delete(path: UploadPath) -> Response:
    """Remove it. An upload that a job uses stays as long as the job (409)."""
    tus.check_version(asked=False)
    with tus.locked():
        platform().uploads.delete(actor(), path.upload)
    return tus.told(Response(status=204), None)


@blueprint.post("/uploads/<upload>", doc_ui=False, **tus.OPTIONS)
@needs("jobs")
def otherwise(path: UploadPath) -> Response:
    """For those whose network knows no PATCH: the method in ``X-HTTP-Method-Override``."""
    methods = {"PATCH": tus.send, "DELETE": delete, "HEAD": look, "GET": look}
    view = methods.get(request.headers.get("X-HTTP-Method-Override", "").upper())
    if view is None:
        raise BadOption("Nothing can be posted here.", hint="Send PATCH, or X-HTTP-Method-Override: PATCH.")
    answer: Response = view(path)
    return answer


def of_upload(upload: Upload) -> UploadShape:
    """An upload, as it is sent."""
    return UploadShape(
        id=upload.id, name=upload.name, kind=upload.kind, state=upload.state, size=upload.size,
        received=upload.received, why=upload.why, info=dict(upload.info), created=upload.created,
        expires=upload.expires,
    )  # fmt: skip


class _Form:
    """The form of the running request, read from the connection piece by piece, never held in memory."""

    def __init__(self, most: int) -> None:
        mimetype, options = parse_options_header(request.headers.get("Content-Type"))
        boundary = options.get("boundary", "")
        if mimetype != "multipart/form-data" or not 1 <= len(boundary) <= 200:
            raise BadOption(
                "The request is no form with a file.",
                hint="Send multipart/form-data with a part called file: curl -F file=@talk.mp4",
            )
        if (request.content_length or 0) > most + _AROUND:
            raise TooLarge(f"The file has more than {most} bytes.", hint="Send a smaller one.")
        request.max_content_length = most + _AROUND
        self.kind: str | None = None
        """What a field before the file says it must be."""
        self._decoder = MultipartDecoder(
            boundary.encode("latin-1", "replace"), max_form_memory_size=_FIELDS, max_parts=_PARTS
        )
        self._events = self._read(request.stream)
        self._field = ""

    def name(self) -> str:
        """What the file is called; reads up to it. Raises BadOption without one."""
        for event in self._events:
            if isinstance(event, File) and event.name == "file":
                return event.filename
            self._take(event)
        raise BadOption("The form has no part called file.", hint="curl -F file=@talk.mp4")

    def content(self) -> Iterator[bytes]:
        """The file, after its name, and then what follows it, which nobody needs."""
        known, is_whole = self.kind, False
        for event in self._events:
            if is_whole:
                self._take(event)
            elif isinstance(event, Data):
                if event.data:
                    yield bytes(event.data)
                is_whole = not event.more_data
        if not is_whole:
            raise BadOption("The form ends in the middle of the file.", hint="Send it again.")
        if self.kind != known:
            raise BadOption("The kind comes after the file.", hint="Put it before the file, or leave it out.")

    def _take(self, event: Event) -> None:
        if isinstance(event, File):
            raise BadOption(
                "One file is uploaded at a time, in a part called file.", hint="curl -F file=@talk.mp4"
            )
        if isinstance(event, FormField):
            self._field = event.name
        elif isinstance(event, Data) and self._field == "kind":
            self.kind = (self.kind or "") + event.data[:_LONGEST].decode("utf-8", "replace")
            is_wrong = not event.more_data and self.kind not in ("media", "subtitles")
            if is_wrong or len(self.kind) > _LONGEST:
                raise BadOption("The kind is neither media nor subtitles.", hint="Leave it out.")

    def _read(self, stream: IO[bytes]) -> Iterator[Event]:
        try:
            while True:
                data = stream.read(_BLOCK)
                self._decoder.receive_data(data or None)
                while not isinstance(event := self._decoder.next_event(), NeedData):
                    if isinstance(event, Epilogue):
                        return
                    yield event
        except HTTPException:
            raise
        except ValueError as error:
            raise BadOption("The form cannot be understood.", hint="Send it again.") from error
