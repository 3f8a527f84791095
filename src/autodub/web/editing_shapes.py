"""What the interface sends and takes of transcripts: the one place where projects become JSON."""

from __future__ import annotations

from typing import Annotated, Any

from flask import Response, jsonify, request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from werkzeug.exceptions import PreconditionRequired

from autodub.jobs.editing import Edited
from autodub.jobs.editing_operations import LineId, Speaker
from autodub.jobs.editing_revisions import Revision
from autodub.jobs.editing_views import LineView, Lock, SpeakerView, Transcript
from autodub.model.errors import OldRevision
from autodub.pipeline.project import LineEntry, VoiceEntry
from autodub.web.problems import problem

JobId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]


class LinePath(BaseModel):
    """Which line of which job."""

    job: JobId = Field(description="Id of the job.")
    line: LineId = Field(description="Id of the line.")


class SpeakerPath(BaseModel):
    """Which speaker of which job."""

    job: JobId = Field(description="Id of the job.")
    speaker: Speaker = Field(description="Name of the speaker.")


class RevisionPath(BaseModel):
    """Which revision of which job's project."""

    job: JobId = Field(description="Id of the job.")
    number: int = Field(ge=1, le=10**9, description="Number of the revision.")


class Meant(BaseModel):
    """Which revision a change is meant for."""

    if_match: str | None = Field(
        None, alias="If-Match", pattern=r'^(\*|(W/)?"[0-9]{1,9}"|[0-9]{1,9})$',
        description='The revision this is meant for, such as `"7"`: the transcript\'s `ETag`. `*` is any.',
    )  # fmt: skip


class MeantQuery(BaseModel):
    """Which revision a change is meant for, where it has no body."""

    revision: int | None = Field(
        None, ge=1, le=10**9, description="The revision this is meant for; or send `If-Match`."
    )


class ForRevision(BaseModel):
    """A change, and which revision it is meant for."""

    model_config = ConfigDict(extra="forbid")

    revision: int | None = Field(
        default=None, ge=1, le=10**9, description="The revision this is meant for; or send `If-Match`."
    )


class LockShape(BaseModel):
    """Who locked a line."""

    by: str = Field(description="Id of the user.")
    name: str
    at: float = Field(description="Seconds since 1970 (UTC).")


class TimingShape(BaseModel):
    """Where a line sounds in the dub."""

    start: float
    end: float
    rate: float = Field(description="Speed the synthesizer was told, as a factor of the voice's pace.")
    stretch: float = Field(description="What the sound was stretched by afterwards; 1 is untouched.")
    flags: list[str] = Field(description="What did not fit: overlap, fast, late, early, too_long, short ...")


class MadeShape(BaseModel):
    """What was made of a line by itself."""

    text: str
    source: str
    speaker: str
    start: float
    end: float
    keep_original: bool


class LineShape(BaseModel):
    """One line. Times are seconds from the start of what is dubbed."""

    id: str
    speaker: str
    start: float = Field(description="When it is said in the source.")
    end: float
    source: str = Field(description="What is said in the source.")
    text: str = Field(description="What the dub says; empty: the original sound stays.")
    keep_original: bool
    note: str = Field(description="Why the original sound was kept, where it was.")
    timing: TimingShape | None = Field(description="Where it sounds in the result; null: it does not.")
    edited: bool = Field(description="Whether a person changed it from what was made.")
    stale: bool = Field(description="Whether it, or its voice, was changed since the result was made.")
    added: bool = Field(description="Whether a person added it.")
    locked: LockShape | None
    made: MadeShape | None = Field(description="The line as it was made by itself; null where it was added.")


class VoiceValues(BaseModel):
    """A voice, and how it is used."""

    voice: str = Field(description="Id of the synthesizer's voice.")
    pitch_hz: float | None = Field(description="Mean pitch; null: the voice's own.")
    pace: float = Field(description="Speed as a factor of the synthesizer's own.")


class SpeakerShape(BaseModel):
    """One speaker."""

    name: str
    voice: VoiceValues | None = Field(description="Null before a dub has chosen one.")
    made: VoiceValues | None = Field(description="What was chosen by itself.")
    lines: int
    edited: bool
    stale: bool


class RemovedLine(BaseModel):
    """A line that was taken out; undo puts it back."""

    id: str
    source: str


class TranscriptShape(BaseModel):
    """The newest revision of a dub's text."""

    job: str
    revision: int
    made: int = Field(description="The revision the result was made of.")
    stale: bool = Field(description="Whether anything differs from what the result was made of.")
    spoken: str = Field(description="Language of the source.")
    target: str = Field(description="Language of the dub.")
    lines: list[LineShape]
    speakers: list[SpeakerShape]
    removed: list[RemovedLine]


class EditedShape(BaseModel):
    """What came of a change. Nothing changed: the revision is the same as before."""

    job: str
    revision: int
    made: int
    stale: bool
    lines: list[LineShape] = Field(description="The lines that were changed, as they are now.")
    removed: list[str] = Field(description="Ids of lines that were taken out.")
    speakers: list[SpeakerShape]


class RevisionShape(BaseModel):
    """One state the text had."""

    number: int
    created: float = Field(description="Seconds since 1970 (UTC).")
    author: str | None = Field(description="Id of who made it; null: a dub.")
    name: str = Field(description="What the author is called.")
    what: str = Field(description="What was changed: names of lines and fields.")


class History(BaseModel):
    """The revisions that are kept, newest first."""

    revision: int = Field(description="The newest.")
    made: int = Field(description="The one the result was made of.")
    revisions: list[RevisionShape]


def meant_for(header: Meant, given: int | None) -> int | None:
    """The revision a change is meant for; None for ``*``. Raises PreconditionRequired where none is given."""
    found = header.if_match
    if found is None and given is None:
        raise PreconditionRequired('Say which revision this is meant for: If-Match: "7", or revision.')
    if found is None:
        return given
    return None if found == "*" else int(found.removeprefix("W/").strip('"'))


def refused(error: OldRevision) -> Response:
    """The answer to a change of an old revision: 412 where a header said which, else 409."""
    status = 412 if "If-Match" in request.headers else 409
    answer = problem(
        status, "old_revision", error.message, hint=error.hint,
        errors=[{"where": "revision", "why": f"it is {error.present} now"}],
    )  # fmt: skip
    return tagged(answer, error.present)


def tagged(answer: Response, revision: int) -> Response:
    """An answer with the revision it is of as its ``ETag``."""
    answer.set_etag(str(revision))
    return answer


def changed(done: Edited) -> Response:
    """What came of a change, as it is sent: an ``EditedShape``."""
    found = done.transcript
    shape = {
        "job": found.job, "revision": found.revision, "made": found.made, "stale": found.is_stale,
        "lines": [_line(view) for view in found.lines],
        "removed": sorted(done.lines - {view.entry.id for view in found.lines}),
        "speakers": [of_speaker(one).model_dump() for one in found.speakers],
    }  # fmt: skip
    return tagged(jsonify(shape), found.revision)


def whole(found: Transcript) -> Response:
    """A transcript, as it is sent: a ``TranscriptShape``."""
    shape = {
        "job": found.job, "revision": found.revision, "made": found.made, "stale": found.is_stale,
        "spoken": found.spoken, "target": found.target, "lines": [_line(view) for view in found.lines],
        "speakers": [of_speaker(one).model_dump() for one in found.speakers],
        "removed": [{"id": name, "source": text} for name, text in found.removed.items()],
    }  # fmt: skip
    return tagged(jsonify(shape), found.revision)


def _line(view: LineView) -> dict[str, Any]:
    """A ``LineShape``, without making thousands of models that are thrown away at once."""
    entry, made, timing = view.entry, view.entry.made, view.entry.timing
    return {
        "id": entry.id, "speaker": entry.speaker, "start": entry.start_ms / 1000, "end": entry.end_ms / 1000,
        "source": entry.source, "text": entry.text, "keep_original": entry.keep_original, "note": entry.note,
        "timing": None if timing is None else {
            "start": timing.start_ms / 1000, "end": timing.end_ms / 1000, "rate": timing.native_rate,
            "stretch": timing.stretch, "flags": timing.flags,
        },
        "edited": view.is_edited, "stale": view.is_stale, "added": made is None,
        "locked": None if view.lock is None else of_lock(view.lock).model_dump(),
        "made": None if made is None else {
            "text": made.text, "source": made.source, "speaker": made.speaker, "start": made.start_ms / 1000,
            "end": made.end_ms / 1000, "keep_original": made.keep_original,
        },
    }  # fmt: skip


def timing_of(entry: LineEntry) -> TimingShape | None:
    """Where a line sounds, as it is sent."""
    timing = entry.timing
    if timing is None:
        return None
    return TimingShape(
        start=timing.start_ms / 1000, end=timing.end_ms / 1000, rate=timing.native_rate,
        stretch=timing.stretch, flags=timing.flags,
    )  # fmt: skip


def of_lock(lock: Lock) -> LockShape:
    """A lock, as it is sent."""
    return LockShape(by=lock.author, name=lock.name, at=lock.created)


def of_speaker(one: SpeakerView) -> SpeakerShape:
    """A speaker, as they are sent."""
    return SpeakerShape(
        name=one.name, voice=None if one.voice is None else _voice(one.voice),
        made=None if one.voice is None else _voice(one.voice.made), lines=one.lines,
        edited=one.is_edited, stale=one.is_stale,
    )  # fmt: skip


def of_revision(one: Revision) -> RevisionShape:
    """A revision, as it is sent."""
    return RevisionShape(
        number=one.number, created=one.created, author=one.author, name=one.name, what=one.what
    )  # fmt: skip


def _voice(entry: VoiceEntry) -> VoiceValues:
    return VoiceValues(voice=entry.id, pitch_hz=entry.pitch_hz, pace=entry.pace)
