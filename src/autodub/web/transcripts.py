"""Transcripts: read them, their history and the whole project; go back; bring subtitles along."""

from __future__ import annotations

from typing import Literal

from flask import Response, current_app, jsonify
from flask_openapi3 import APIBlueprint, RawModel, Tag
from flask_openapi3.types import ResponseDict
from pydantic import Field

from autodub.model.errors import OldRevision
from autodub.web import editing_shapes as shapes
from autodub.web.editing_shapes import Meant, MeantQuery, RevisionPath
from autodub.web.identity import actor, needs, platform
from autodub.web.jobs import JobPath
from autodub.web.problems import Problem

blueprint = APIBlueprint(
    "transcripts", __name__, url_prefix="/api/v1",
    abp_tags=[Tag(name="Transcript", description="What a dub says: read it, change it, make it again.")],
    abp_security=[{"key": []}, {"session": []}],
    abp_responses=dict.fromkeys((400, 401, 403, 404, 409, 422, 429), Problem),
)  # fmt: skip
blueprint.register_error_handler(OldRevision, shapes.refused)
_EDIT: ResponseDict = {200: shapes.EditedShape, 412: Problem, 428: Problem}
_PROJECT = {
    "description": "The project, as docs/PROJECT.md describes it",
    "content": {"application/json": {"schema": {"type": "object"}}},
}


class SubtitlesQuery(MeantQuery):
    """What subtitles are the text of, and which revision they are meant for."""

    of: Literal["text", "source"] = Field(
        "text", description="`text`: what the dub says; `source`: what is said, which is translated again."
    )


class SubtitlesBody(RawModel):
    """A subtitle file."""

    mimetypes: list[str] = ["text/vtt", "application/x-subrip", "text/plain"]  # noqa: RUF012


@blueprint.get(
    "/jobs/<job>/transcript",
    responses={200: shapes.TranscriptShape, 304: None},
    summary="Read the transcript",
)
@needs("read")
def transcript(path: JobPath) -> Response:
    """Every line with its times, what is said and what the dub says; `ETag` is the revision."""
    return shapes.whole(platform().editing.transcript(actor(), path.job))


@blueprint.put("/jobs/<job>/transcript", responses=_EDIT, summary="Bring your own transcript or translation")
@needs("jobs")
def bring(path: JobPath, query: SubtitlesQuery, header: Meant, raw: SubtitlesBody) -> Response:
    """Give lines the texts of an SRT or WebVTT file, by their times.

    Cues that lie on one line are joined. A cue that lies on no line, or on several, is refused, and nothing
    is changed then. Lines without a cue stay as they are.
    """
    data = raw.get_data(cache=False)
    revision = shapes.meant_for(header, query.revision)
    return shapes.changed(
        platform().editing.retext(actor(), path.job, data, of=query.of, revision=revision)
    )  # fmt: skip


@blueprint.get("/jobs/<job>/project", responses={200: _PROJECT}, summary="Read the whole project")
@needs("read")
def project(path: JobPath) -> Response:
    """The newest revision as it is in a project file; `ETag` is its number."""
    return _text(path.job, None)


@blueprint.get("/jobs/<job>/revisions", responses={200: shapes.History}, summary="List revisions")
@needs("read")
def revisions(path: JobPath) -> Response:
    """Who changed what, and when. Old revisions by persons are thinned out; what a dub made stays."""
    asking, editing = actor(), platform().editing
    found = editing.history(asking, path.job)
    made = platform().jobs.get(asking, path.job).made
    history = shapes.History(
        revision=found[0].number, made=made, revisions=[shapes.of_revision(one) for one in found]
    )
    return jsonify(history.model_dump())


@blueprint.get("/jobs/<job>/revisions/<int:number>", responses={200: _PROJECT}, summary="Read a revision")
@needs("read")
def revision(path: RevisionPath) -> Response:
    """A revision as it is in a project file."""
    return _text(path.job, path.number)


@blueprint.post(
    "/jobs/<job>/revisions/<int:number>/restore", responses=_EDIT, summary="Go back to a revision"
)
@needs("jobs")
def restore(path: RevisionPath, query: MeantQuery, header: Meant) -> Response:
    """Make an old revision the newest again, as a new one; nothing in between is lost."""
    meant = shapes.meant_for(header, query.revision)
    return shapes.changed(platform().editing.restore(actor(), path.job, path.number, revision=meant))


def _text(job: str, number: int | None) -> Response:
    found, text = platform().editing.project(actor(), job, number)
    return shapes.tagged(current_app.response_class(text, mimetype="application/json"), found)
