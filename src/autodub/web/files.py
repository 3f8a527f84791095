"""What a finished job has to take away: listed, one by one, or all in one archive."""

from __future__ import annotations

import base64
import re
import unicodedata
from contextlib import ExitStack
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote

from flask import Response, jsonify, request
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, Field

from autodub.jobs.exports import Export
from autodub.model.errors import NotFound
from autodub.model.media import Blob
from autodub.web import ranges, unfinished
from autodub.web.archive import zipped
from autodub.web.identity import actor, needs, platform
from autodub.web.problems import Problem

blueprint = APIBlueprint(
    "files", __name__, url_prefix="/api/v1/jobs",
    abp_tags=[Tag(name="Results", description="What a finished job has to take away.")],
    abp_security=[{"key": []}, {"session": []}],
    abp_responses=dict.fromkeys((400, 401, 403, 404, 422, 429, 503), Problem),
)  # fmt: skip
unfinished.install(blueprint)

_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; media-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'; sandbox"
)
"""For what is looked at in a browser: nothing in it runs, and what it loads lies in it."""
_TEXTS = ("text/", "application/x-subrip")


class JobPath(BaseModel):
    """Which job."""

    job: str = Field(pattern=r"^[0-9a-f]{32}$", description="Id of the job.")


class FilePath(JobPath):
    """Which file of which job."""

    kind: str = Field(
        pattern=r"^[a-z]{1,20}$",
        description="`media`, `audio` (its sound alone), `srt`, `vtt`, `receipt`, `report`, `project`, "
        "`dialogue` (the dub's speech alone), `background` (the original without its voices), `original` "
        "(its voices alone) or `source` (what was dubbed, as it came).",
        json_schema_extra={"example": "media"},
    )


class FileQuery(unfinished.PatienceQuery):
    """How a file is sent."""

    inline: bool = Field(False, description="To be looked at in a browser rather than saved.")
    link: bool = Field(
        False,
        description="Rather by a link to the storage than through this server, where it gives such links: "
        "the answer is 302 then.",
    )


class FileShape(BaseModel):
    """One file to take away."""

    kind: str
    name: str = Field(description="What it is called when it is saved.")
    type: str = Field(description="Its media type.")
    size: int | None = Field(description="Bytes; null while nobody has asked for what is made only then.")
    digest: str | None = Field(description="sha256; null likewise.")
    path: str = Field(description="Where it is downloaded.")
    begins: float = Field(
        description="Seconds of the file at which the dub's clock begins: not 0 for the `source` of a dub "
        "of a range."
    )


class FileList(BaseModel):
    """What a job has to take away."""

    files: list[FileShape]
    archive: str = Field(description="Where all of them are downloaded as one ZIP.")


_BYTES = {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
_FILE: dict[str | int | HTTPStatus, Any] = {
    200: {"description": "The file.", **_BYTES},
    202: unfinished.UnfinishedShape,
    206: {"description": "The parts of it that were asked for with `Range`.", **_BYTES},
    302: {"description": "It is downloaded from the address in `Location`, which is good for a while."},
    304: {"description": "It is what `If-None-Match` says."},
    412: {"description": "It is not what `If-Match` says."},
    416: Problem,
    500: Problem,
}
_ZIP: dict[str | int | HTTPStatus, Any] = {
    200: {
        "description": "The archive.",
        "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@blueprint.get("/<job>/files", responses={200: FileList}, summary="List a job's files")
@needs("read")
def listed(path: JobPath) -> Response:
    """What a finished job has to take away; nothing while there is no result."""
    files = [
        FileShape(
            kind=one.kind, name=one.name, type=one.type, size=one.blob.size if one.blob else None,
            digest=one.blob.digest if one.blob else None, path=f"/api/v1/jobs/{path.job}/files/{one.kind}",
            begins=one.begins,
        )
        for one in platform().exports.all(actor(), path.job)
    ]  # fmt: skip
    found = FileList(files=files, archive=f"/api/v1/jobs/{path.job}/files.zip")
    return jsonify(found.model_dump())


@blueprint.get("/<job>/files/<kind>", responses=_FILE, summary="Download a file")
@needs("read")
def one(path: FilePath, query: FileQuery) -> Response:
    """A file of a job, whole or in parts (`Range`), so that players can seek.

    Sound and stems are made the first time somebody asks for them: where that takes longer than `wait`
    seconds the answer is 202, and they are made meanwhile. Where the operator lets the storage serve
    downloads, a browser that saves a file, and whoever asks for a `link`, is sent there.
    """
    here = platform()
    if here.server.downloads and (query.link or request.headers.get("Sec-Fetch-Mode") == "navigate"):
        ready = here.exports.ready(actor(), path.job, path.kind, wait=query.wait)
        address = here.exports.link(ready, inline=query.inline, seconds=here.server.downloads)
        if address is not None:
            answer = Response(status=302)
            answer.headers["Location"] = address
            answer.headers["Cache-Control"] = "private, no-store"
            answer.headers["Referrer-Policy"] = "no-referrer"
            return answer
    export, place = platform().exports.one(actor(), path.job, path.kind, wait=query.wait)
    return sent(export, place, inline=query.inline)


@blueprint.get("/<job>/files.zip", responses=_ZIP, summary="Download everything")
@needs("read")
def archive(path: JobPath) -> Response:
    """Everything a job has made, in one ZIP: what would be made only for this is not in it."""
    exports = platform().exports
    found = [
        export for export in exports.all(actor(), path.job)
        if export.blob and export.kind not in ("audio", "source")
    ]  # fmt: skip
    if not found:
        raise NotFound("The job has nothing to take away.", hint="Wait until it is completed.")
    with ExitStack() as stack:
        files = []
        for name, export in _by_name(found).items():
            _, place = exports.one(actor(), path.job, export.kind)
            if request.method == "GET":
                file = stack.enter_context(place.open("rb"))
                files.append((name, file, place.stat().st_size))
        made = max(export.made for export in found)
        answer = Response(zipped(files, made=made), mimetype="application/zip")
        answer.call_on_close(stack.pop_all().close)
    media = next((export.name for export in found if export.kind == "media"), found[0].name)
    answer.headers["Content-Disposition"] = disposition(f"{Path(media).stem}.zip", inline=False)
    answer.headers["Cache-Control"] = "private, no-store"
    answer.headers["Content-Security-Policy"] = _POLICY
    answer.headers["Accept-Ranges"] = "none"
    return answer


def sent(export: Export, place: Path, *, inline: bool = False) -> Response:
    """A file as an answer to the running request."""
    blob: Blob = export.blob  # type: ignore[assignment]
    is_text = export.type.startswith(_TEXTS)
    answer = ranges.sent(
        place, media_type=f"{export.type}; charset=utf-8" if is_text else export.type, digest=blob.digest,
        made=export.made,
    )  # fmt: skip
    if answer.status_code in (200, 206):
        answer.headers["Content-Disposition"] = disposition(export.name, inline=inline)
        digest = base64.b64encode(bytes.fromhex(blob.digest)).decode()
        answer.headers["Repr-Digest"] = f"sha-256=:{digest}:"
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Content-Security-Policy"] = _POLICY
    answer.headers["X-Frame-Options"] = "SAMEORIGIN"
    return answer


def disposition(name: str, *, inline: bool) -> str:
    """``Content-Disposition`` (RFC 6266) of a name that is safe already: in ASCII, and as it is."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^A-Za-z0-9 ._()+,=@~!#$&^{}\[\]-]", "_", plain).strip()
    if not Path(plain).stem.strip(" ._") or plain.startswith("."):
        plain = f"file{Path(name).suffix if Path(name).suffix.isascii() else ''}"
    how = f'{"inline" if inline else "attachment"}; filename="{plain}"'
    if plain != name:
        how += f"; filename*=UTF-8''{quote(name, safe='!#$&+-.^_`|~')}"
    return how


def _by_name(exports: list[Export]) -> dict[str, Export]:
    """Exports by names that are all different."""
    named: dict[str, Export] = {}
    for export in exports:
        name, count = export.name, 2
        while name in named:
            name = f"{Path(export.name).stem} ({count}){Path(export.name).suffix}"
            count += 1
        named[name] = export
    return named
