"""Editing: change lines and voices, lock lines, and make the dub again of what was changed."""

from __future__ import annotations

from typing import Any

from flask import Response, abort, jsonify
from flask_openapi3 import APIBlueprint, Tag
from flask_openapi3.types import ResponseDict
from pydantic import Field, ValidationError

from autodub.jobs import editing_operations as operations
from autodub.jobs.editing_operations import (
    LineChange,
    Merging,
    NewLine,
    Operation,
    Splitting,
    VoiceChange,
)
from autodub.model.errors import OldRevision
from autodub.web import editing_shapes as shapes
from autodub.web.editing_shapes import ForRevision, LinePath, Meant, MeantQuery, SpeakerPath
from autodub.web.identity import actor, needs, platform
from autodub.web.jobs import JobPath
from autodub.web.problems import Problem, of_validation
from autodub.web.shapes import JobShape, of_job

blueprint = APIBlueprint(
    "editing", __name__, url_prefix="/api/v1",
    abp_tags=[Tag(name="Transcript", description="What a dub says: read it, change it, make it again.")],
    abp_security=[{"key": []}, {"session": []}],
    abp_responses=dict.fromkeys((400, 401, 403, 404, 409, 422, 429), Problem),
)  # fmt: skip
blueprint.register_error_handler(OldRevision, shapes.refused)
_EDIT: ResponseDict = {200: shapes.EditedShape, 412: Problem, 428: Problem}


class ProjectPatch(ForRevision):
    """Several changes that are one revision: all of them, or none."""

    operations: list[Operation] = Field(min_length=1, max_length=operations.MOST)


class LinePatch(ForRevision, LineChange):
    """New values of a line; what is left out stays as it is."""


class LineAdded(ForRevision, NewLine):
    """A line to add."""


class LineSplit(ForRevision, Splitting):
    """Where a line becomes two."""


class LinesMerged(ForRevision, Merging):
    """Which line is joined on."""


class SpeakerPatch(ForRevision, VoiceChange):
    """New values of a speaker's voice; what is left out stays as it is."""


@blueprint.patch("/jobs/<job>/project", responses=_EDIT, summary="Make several changes at once")
@needs("jobs")
def patch(path: JobPath, header: Meant, body: ProjectPatch) -> Response:
    """Apply operations in their order as one new revision; when one of them cannot be, none is."""
    return _apply(path.job, header, body.revision, body.operations)


@blueprint.patch("/jobs/<job>/lines/<line>", responses=_EDIT, summary="Change a line")
@needs("jobs")
def change(path: LinePath, header: Meant, body: LinePatch) -> Response:
    """Change what a line says, when, who says it, or whether it is dubbed at all."""
    return _apply(path.job, header, body.revision, [_operation("set", body, line=path.line)])


@blueprint.post("/jobs/<job>/lines", responses=_EDIT, summary="Add a line")
@needs("jobs")
def add(path: JobPath, header: Meant, body: LineAdded) -> Response:
    """Add a line where nothing was heard."""
    return _apply(path.job, header, body.revision, [_operation("add", body)])


@blueprint.delete("/jobs/<job>/lines/<line>", responses=_EDIT, summary="Take a line out")
@needs("jobs")
def remove(path: LinePath, query: MeantQuery, header: Meant) -> Response:
    """Its original sound stays. Undo puts the line back."""
    return _apply(path.job, header, query.revision, [operations.RemoveLine(op="remove", line=path.line)])


@blueprint.post("/jobs/<job>/lines/<line>/split", responses=_EDIT, summary="Split a line")
@needs("jobs")
def split(path: LinePath, header: Meant, body: LineSplit) -> Response:
    """Make two lines of one: it ends earlier, and the second one is added."""
    return _apply(path.job, header, body.revision, [_operation("split", body, line=path.line)])


@blueprint.post("/jobs/<job>/lines/<line>/merge", responses=_EDIT, summary="Join two lines")
@needs("jobs")
def merge(path: LinePath, header: Meant, body: LinesMerged) -> Response:
    """Make one line of two neighbours of one speaker: the first one lasts longer, the second is taken out."""
    return _apply(path.job, header, body.revision, [_operation("merge", body, line=path.line)])


@blueprint.post("/jobs/<job>/lines/<line>/undo", responses=_EDIT, summary="Put back what was made of a line")
@needs("jobs")
def undo(path: LinePath, query: MeantQuery, header: Meant) -> Response:
    """Take back every edit of a line: one that was added goes, one that was taken out comes back."""
    return _apply(path.job, header, query.revision, [operations.Undo(op="undo", line=path.line)])


@blueprint.patch("/jobs/<job>/speakers/<speaker>", responses=_EDIT, summary="Change a speaker's voice")
@needs("jobs")
def change_voice(path: SpeakerPath, header: Meant, body: SpeakerPatch) -> Response:
    """Give a speaker another voice, pitch or pace. All of their lines are spoken again by the next dub."""
    return _apply(path.job, header, body.revision, [_operation("voice", body, speaker=path.speaker)])


@blueprint.post("/jobs/<job>/speakers/<speaker>/undo", responses=_EDIT, summary="Put back a speaker's voice")
@needs("jobs")
def undo_voice(path: SpeakerPath, query: MeantQuery, header: Meant) -> Response:
    """Give a speaker the voice again that was chosen by itself."""
    return _apply(path.job, header, query.revision, [operations.Undo(op="undo", speaker=path.speaker)])


@blueprint.put("/jobs/<job>/lines/<line>/lock", responses={200: shapes.LockShape}, summary="Lock a line")
@needs("jobs")
def lock(path: LinePath) -> Response:
    """Keep everybody, yourself included, from changing the line until it is unlocked."""
    held = platform().editing.lock(actor(), path.job, path.line)
    return jsonify(shapes.of_lock(held).model_dump())


@blueprint.delete("/jobs/<job>/lines/<line>/lock", responses={204: None}, summary="Unlock a line")
@needs("jobs")
def unlock(path: LinePath) -> Response:
    """Let the line be changed again; no matter who locked it, or whether it is locked."""
    platform().editing.unlock(actor(), path.job, path.line)
    return Response(status=204)


@blueprint.post(
    "/jobs/<job>/regenerate", responses={202: JobShape, 412: Problem}, summary="Make the dub again"
)
@needs("jobs")
def regenerate(path: JobPath, query: MeantQuery, header: Meant) -> Response:
    """Queue the job again with all edits: only what was changed is spoken anew, the rest is kept."""
    given = header.if_match is not None or query.revision is not None
    meant = shapes.meant_for(header, query.revision) if given else None
    return _queued(of_job(platform().editing.regenerate(actor(), path.job, revision=meant)))


@blueprint.post(
    "/jobs/<job>/lines/<line>/regenerate", responses={202: JobShape, 412: Problem, 428: Problem},
    summary="Change a line and make the dub again",
)  # fmt: skip
@needs("jobs")
def regenerate_line(path: LinePath, header: Meant, body: LinePatch) -> Response:
    """Change a line, then queue the job again; edits of other lines are made with it.

    With an empty body (`{}`) the line is made as it was edited before, and no revision need be said.
    """
    change = _operation("set", body, line=path.line)
    is_change = bool(body.model_fields_set - {"revision"})
    given = is_change or header.if_match is not None or body.revision is not None
    meant = shapes.meant_for(header, body.revision) if given else None
    done = platform().editing.regenerate(actor(), path.job, [change], revision=meant)
    return _queued(of_job(done))


def _apply(job: str, header: Meant, given: int | None, changes: list[Operation]) -> Response:
    revision = shapes.meant_for(header, given)
    return shapes.changed(platform().editing.apply(actor(), job, changes, revision=revision))


def _operation(op: str, body: ForRevision, **place: str) -> Any:
    """The body of a route as the operation it is."""
    given = body.model_dump(exclude_unset=True, exclude={"revision"})
    try:
        return _OPERATIONS[op].model_validate({"op": op, **place, **given})
    except ValidationError as wrong:  # of a name in the path, which may be longer than a speaker's
        abort(of_validation(wrong))


_OPERATIONS: dict[str, type[operations.SetLine | operations.AddLine | operations.SplitLine
                           | operations.MergeLines | operations.SetVoice]] = {
    "set": operations.SetLine, "add": operations.AddLine, "split": operations.SplitLine,
    "merge": operations.MergeLines, "voice": operations.SetVoice,
}  # fmt: skip


def _queued(shape: JobShape) -> Response:
    answer = jsonify(shape.model_dump())
    answer.status_code = 202
    answer.headers["Location"] = f"/api/v1/jobs/{shape.id}"
    return answer
