"""The simple interface under ``/api``: submit an address, ask how far it is, download the video.

It is the contract of Autodub's prototype, whose clients need no edit. Its errors are ``{"error": ...}``.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from flask import Response, jsonify, request
from flask_openapi3 import APIBlueprint, Tag
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from autodub.infra.faults import faults
from autodub.jobs.records import Job
from autodub.jobs.spec import JobSpec, Statement
from autodub.model.errors import BadOption, NotFound
from autodub.web import files
from autodub.web.identity import actor, needs, platform
from autodub.web.problems import SimpleError

_CLOCK = re.compile(r"(?:(?:(\d{1,3}):)?(\d{1,4}):)?(\d{1,9}(?:\.\d{1,9})?)", re.ASCII)
_SITE = re.compile(r"(?:[\w-]+\.)+[a-z]{2,}(?:/|$)", re.ASCII | re.IGNORECASE)
_ID = re.compile(r"[0-9a-f]{32}")
_MESSAGES = {
    "queued": "The dub waits for its turn.", "processing": "The dub is being made.",
    "completed": "The dub is ready.", "failed": "The dub failed.", "cancelled": "The dub was cancelled.",
}  # fmt: skip
_MOST = 200
"""Jobs listed at once."""


blueprint = APIBlueprint(
    "simple", __name__, url_prefix="/api",
    abp_tags=[Tag(name="Simple", description="Submit an address, ask how far it is, download the video.")],
    abp_security=[{"key": []}, {"session": []}],
    abp_responses=dict.fromkeys((401, 403, 429), SimpleError),
)  # fmt: skip


def _seconds(value: object) -> object:
    """A time on the programme in seconds: a number, ``90``, ``1:30`` or ``00:01:30.5``; empty = none."""
    if isinstance(value, bool):
        raise ValueError("must be a time")  # noqa: TRY004 - pydantic reports ValueErrors
    if not isinstance(value, str):
        return value
    if not value.strip():
        return None
    match = _CLOCK.fullmatch(value.strip())
    if match is None:
        raise ValueError("is not a time: write 90, 1:30 or 00:01:30")
    hours, minutes, seconds = match.groups()
    if minutes is not None and (float(seconds) >= 60 or (hours is not None and int(minutes) > 59)):
        raise ValueError("is not a time: minutes and seconds stop at 59")
    return (int(hours or 0) * 60 + int(minutes or 0)) * 60 + float(seconds)


def _address(value: object) -> object:
    """An address as it is pasted, with or without its ``https://``."""
    if isinstance(value, str):
        value = value.strip()
        return f"https://{value}" if _SITE.match(value) else value
    return value


def _maybe(value: object) -> object:
    """A language that need not be given."""
    empty = isinstance(value, str) and value.strip().lower() in ("", "auto", "detect")
    return None if empty else value


Time = Annotated[
    Annotated[float, Field(ge=0, le=10**6)] | None,
    BeforeValidator(_seconds, json_schema_input_type=Annotated[float, Field(ge=0)] | str | None),
]
Tongue = Annotated[str, StringConstraints(min_length=1, max_length=40)]
Pasted = Annotated[str, StringConstraints(min_length=1, max_length=2000), BeforeValidator(_address)]


class SimpleDub(BaseModel):
    """One dub, as the simple interface is asked for it. What it does not know is passed over."""

    model_config = ConfigDict(extra="ignore")

    youtube_url: Pasted = Field(
        description="Address of the video.", examples=["https://www.youtube.com/watch?v=dQw4w9WgXcQ"]
    )
    target_language: Tongue = Field(
        description="Code or English name of the language to speak.", examples=["es"]
    )
    source_language: Annotated[Tongue | None, BeforeValidator(_maybe)] = Field(
        None, description="Language of the video; `auto` or nothing: it is found out."
    )
    start_time: Time = Field(None, description="Dub from here: seconds, `1:30` or `00:01:30`.")
    end_time: Time = Field(None, description="Dub up to here.")
    use_voice_cloning: bool = Field(False, description="Speak with clones of the speakers' own voices.")
    consent: Statement | None = Field(
        None, description="The statement that cloning needs, where the server asks for one."
    )

    @field_validator("end_time")
    @classmethod
    def _in_order(cls, end: float | None, others: ValidationInfo) -> float | None:
        if end is not None and end <= (others.data.get("start_time") or 0):
            raise ValueError("must be after start_time")
        return end

    def spec(self) -> JobSpec:
        """The same for the platform. Raises ValidationError."""
        asked = {
            "source": self.youtube_url, "target": self.target_language.strip(),
            "spoken": self.source_language, "start": self.start_time, "end": self.end_time,
            "clone_voices": self.use_voice_cloning, "consent": self.consent,
        }  # fmt: skip
        return JobSpec.model_validate(asked)


VIDEO = {
    "description": "The video",
    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
}


class Accepted(BaseModel):
    """A job that was taken."""

    job_id: str
    status: Literal["queued", "processing", "completed", "failed", "cancelled"]
    message: str


class Standing(Accepted):
    """How far a job is."""

    progress: int = Field(ge=0, le=100, description="Percent.")
    video_url: str | None = Field(
        None, description="Path of the video, once it is there.", examples=["/api/download/7f..."]
    )
    error: str | None = Field(None, description="Why it failed.")


class Listed(Standing):
    """A job in the list."""

    youtube_url: str = Field(description="Address of the video; the name of the file for an upload.")
    target_language: str
    source_language: str = Field(description="`auto` where it is found out.")
    start_time: float | None
    end_time: float | None
    created: float = Field(description="Seconds since 1970.")


class Listing(BaseModel):
    """The newest jobs, the newest first."""

    jobs: list[Listed]


class JobPath(BaseModel):
    """Which job."""

    job_id: str = Field(description="Id of the job.")


_BODY = {"schema": {"$ref": "#/components/schemas/SimpleDub"}}
"""The body is read by the view itself: whatever is wrong with it is a 400 here."""


@blueprint.post(
    "/dub", summary="Dub a video", responses={202: Accepted, 400: SimpleError},
    openapi_extensions={
        "requestBody": {"required": True, "content": {"application/json": _BODY}}
    },
)  # fmt: skip
@needs("jobs")
def dub() -> Response:
    """Queue a dub of an address. Ask `GET /api/dub/{job_id}` how far it is."""
    try:
        spec = SimpleDub.model_validate(_sent()).spec()
    except ValidationError as wrong:
        raise BadOption(_told(wrong), hint="It is described at /docs#Simple.") from None
    job, _ = platform().jobs.submit(actor(), spec)
    said = Accepted(job_id=job.id, status=job.state, message=_MESSAGES[job.state])
    answer = jsonify(said.model_dump())
    answer.status_code = 202
    answer.headers["Location"] = f"/api/dub/{job.id}"
    return answer


def _sent() -> dict[str, Any]:
    """The object that was sent. Raises BadOption for anything else."""
    found = request.get_json(silent=True) if request.is_json and request.get_data() else None
    if not isinstance(found, dict):
        raise BadOption(
            "The request is not a JSON object.",
            hint='Send Content-Type: application/json and {"youtube_url": ..., "target_language": ...}.',
        )
    return found


def _told(wrong: ValidationError) -> str:
    """The first thing that is wrong, as a sentence; never the value."""
    first = faults(wrong, SimpleDub)[0]
    if first.where == "source":
        return "youtube_url is not a web address."
    where = {"target": "target_language", "spoken": "source_language"}.get(first.where, first.where)
    why = "is missing" if first.why == "must not be empty" else first.why
    return f"{where} {why}.".strip()


@blueprint.get("/dub/<job_id>", summary="How far a dub is", responses={200: Standing, 404: SimpleError})
@needs("read")
def standing(path: JobPath) -> Response:
    """A dub's state, its progress in percent, and where its video is once it is completed."""
    return jsonify(_standing(_job(path.job_id)).model_dump(exclude_none=True))


@blueprint.get("/jobs", summary="List dubs", responses={200: Listing})
@needs("read")
def listing() -> Response:
    """Your newest dubs, at most 200; `GET /api/v1/jobs` has all of them in pages."""
    page = platform().jobs.list(actor(), limit=_MOST)
    return jsonify(Listing(jobs=[_listed(job) for job in page.jobs]).model_dump())


@blueprint.get(
    "/download/<job_id>", summary="Download the video",
    responses={200: VIDEO, 206: VIDEO, 304: None, 400: SimpleError, 404: SimpleError, 416: SimpleError},
)  # fmt: skip
@needs("read")
def download(path: JobPath) -> Response:
    """The dubbed video, whole or a range of it (`Range`)."""
    job = _job(path.job_id)
    if job.state != "completed":
        raise BadOption(f"The job is {job.state}, not completed.", hint=f"Ask GET /api/dub/{job.id}.")
    return files.sent(*platform().exports.one(actor(), job.id, "media"))


def _job(job: str) -> Job:
    """A dub of whoever asks. Raises NotFound."""
    found = platform().jobs.get(actor(), job) if _ID.fullmatch(job) else None
    if found is None or found.kind != "dub":
        raise NotFound("There is no such job.", hint="It may have been deleted, or its time was over.")
    return found


def _standing(job: Job) -> Standing:
    percent = 100 if job.state == "completed" else min(99, int(job.progress * 100))
    return Standing(
        job_id=job.id, status=job.state, progress=percent, message=job.message or _MESSAGES[job.state],
        video_url=f"/api/download/{job.id}" if "media" in (job.result or {}).get("files", {})
        and job.state == "completed" else None,
        error=job.error.message if job.error and job.state == "failed" else None,
    )  # fmt: skip


def _listed(job: Job) -> Listed:
    spec = job.spec
    return Listed(
        **_standing(job).model_dump(), youtube_url=spec.get("source") or job.title,
        target_language=spec["target"], source_language=spec.get("spoken") or "auto",
        start_time=spec.get("start"), end_time=spec.get("end"), created=job.created,
    )  # fmt: skip
