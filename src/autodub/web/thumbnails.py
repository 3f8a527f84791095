"""Thumbnails of uploads and of dubs: one JPEG with all of them, and how they lie in it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from flask import Response, jsonify
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, Field

from autodub.media.thumbnails import Sheet
from autodub.model.errors import NotFound
from autodub.model.media import Blob
from autodub.web import ranges, unfinished
from autodub.web.files import JobPath
from autodub.web.identity import actor, needs, platform
from autodub.web.problems import Problem
from autodub.web.uploads import UploadPath

blueprint = APIBlueprint(
    "thumbnails", __name__, url_prefix="/api/v1", abp_security=[{"key": []}, {"session": []}],
    abp_responses=dict.fromkeys((400, 401, 403, 404, 409, 422, 429, 500, 503), Problem),
)  # fmt: skip
unfinished.install(blueprint)
_RESULTS = Tag(name="Results", description="What a finished job has to take away.")
_UPLOADS = Tag(name="Uploads", description="Files for jobs: recordings and subtitles.")
_Found = tuple[Sheet, Blob] | None


class ThumbnailsShape(BaseModel):
    """Small pictures of a film, evenly spaced, in rows from the top left of one JPEG."""

    count: int = Field(description="How many; 0: there is no picture, only sound.")
    columns: int = Field(description="Pictures in a row.")
    width: int = Field(description="Pixels of one picture.")
    height: int
    times: list[float] = Field(description="Seconds each stands for.")
    image: str | None = Field(description="Where the JPEG is; null where there is no picture.")


_TOLD: dict[str | int | HTTPStatus, Any] = {200: ThumbnailsShape, 202: unfinished.UnfinishedShape}
_BYTES = {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}}
_JPEG: dict[str | int | HTTPStatus, Any] = {
    200: {"description": "The JPEG.", **_BYTES},
    202: unfinished.UnfinishedShape,
    206: {"description": "The parts of it that were asked for with `Range`.", **_BYTES},
    304: {"description": "It is what `If-None-Match` says."},
    412: {"description": "It is not what `If-Match` says."},
    416: Problem,
}


@blueprint.get(
    "/uploads/<upload>/thumbnails", tags=[_UPLOADS], responses=_TOLD, summary="Look at an upload's pictures"
)  # fmt: skip
@needs("read")
def of_upload(path: UploadPath, query: unfinished.PatienceQuery) -> Response:
    """How the thumbnails of an upload lie in their JPEG; made the first time somebody asks."""
    found = platform().thumbnails.of_upload(actor(), path.upload, wait=query.wait)
    return _told(found, f"/api/v1/uploads/{path.upload}/thumbnails.jpg")


@blueprint.get(
    "/uploads/<upload>/thumbnails.jpg", tags=[_UPLOADS], responses=_JPEG,
    summary="Download an upload's pictures",
)  # fmt: skip
@needs("read")
def image_of_upload(path: UploadPath, query: unfinished.PatienceQuery) -> Response:
    """The JPEG with an upload's thumbnails."""
    return _sent(platform().thumbnails.of_upload(actor(), path.upload, wait=query.wait))


@blueprint.get(
    "/jobs/<job>/thumbnails", tags=[_RESULTS], responses=_TOLD, summary="Look at a job's pictures"
)  # fmt: skip
@needs("read")
def of_job(path: JobPath, query: unfinished.PatienceQuery) -> Response:
    """How the thumbnails of a dub lie in their JPEG; made the first time somebody asks."""
    found = platform().thumbnails.of_job(actor(), path.job, wait=query.wait)
    return _told(found, f"/api/v1/jobs/{path.job}/thumbnails.jpg")


@blueprint.get(
    "/jobs/<job>/thumbnails.jpg", tags=[_RESULTS], responses=_JPEG, summary="Download a job's pictures"
)  # fmt: skip
@needs("read")
def image_of_job(path: JobPath, query: unfinished.PatienceQuery) -> Response:
    """The JPEG with a dub's thumbnails."""
    return _sent(platform().thumbnails.of_job(actor(), path.job, wait=query.wait))


def _told(found: _Found, image: str) -> Response:
    if found is None:
        shape = ThumbnailsShape(count=0, columns=0, width=0, height=0, times=[], image=None)
    else:
        sheet, _ = found
        shape = ThumbnailsShape(
            count=len(sheet.times), columns=sheet.columns, width=sheet.width, height=sheet.height,
            times=list(sheet.times), image=image,
        )  # fmt: skip
    return jsonify(shape.model_dump())


def _sent(found: _Found) -> Response:
    if found is None:
        raise NotFound("There is no picture, only sound.", hint="Thumbnails are of films.")
    _, blob = found
    place = platform().store.blobs.path(blob)
    try:
        made = place.stat().st_mtime
    except FileNotFoundError:  # removed this moment
        raise NotFound("These pictures are gone.", hint="Ask again: they are made anew.") from None
    return ranges.sent(place, media_type="image/jpeg", digest=blob.digest, made=made)
