"""Waveforms of a job's tracks, for editors and players."""

from __future__ import annotations

from typing import Any, Literal

from flask import Response, current_app, request
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, Field
from werkzeug.http import quote_etag

from autodub.jobs.waveforms import Track
from autodub.media import peaks
from autodub.web import unfinished
from autodub.web.files import JobPath
from autodub.web.identity import actor, needs, platform
from autodub.web.problems import Problem

blueprint = APIBlueprint(
    "waveforms", __name__, url_prefix="/api/v1/jobs",
    abp_tags=[Tag(name="Results", description="What a finished job has to take away.")],
    abp_security=[{"key": []}, {"session": []}],
    abp_responses=dict.fromkeys((400, 401, 403, 404, 422, 429, 503), Problem),
)  # fmt: skip
unfinished.install(blueprint)


class PeaksQuery(unfinished.PatienceQuery):
    """Which waveform, and how fine."""

    track: Literal["source", "original", "background", "dialogue", "media"] = Field(
        "media",
        description="`source`: all that is heard in the source; `original`: its voices alone; `background`: "
        "the rest of it; `dialogue`: the dub's speech alone; `media`: the whole dub.",
    )
    rate: int = Field(peaks.RATE, ge=1, le=peaks.RATE, description="Values per second.")


class PeaksShape(BaseModel):
    """A waveform: how far the sound goes out, for each part of a second."""

    track: str
    rate: int = Field(description="Values per second.")
    seconds: float = Field(description="Length, on the clock of what is dubbed.")
    most: int = Field(description="What stands for full scale: 127.")
    peaks: list[int] = Field(description="The largest magnitude of all channels, 0 to `most`.")


_FOUND: dict[str | int, Any] = {
    200: PeaksShape, 202: unfinished.UnfinishedShape, 304: None, 412: Problem, 500: Problem,
    502: Problem,
}  # fmt: skip


@blueprint.get("/<job>/peaks", responses=_FOUND, summary="Read a waveform")
@needs("read")
def waveform(path: JobPath, query: PeaksQuery) -> Response:
    """The waveform of one of a finished job's tracks, made the first time somebody asks for it.

    All tracks are on the same clock, that of the transcript.
    """
    track: Track = query.track
    blob, found = platform().waveforms.peaks(actor(), path.job, track, wait=query.wait)
    values = peaks.fewer(found, query.rate)
    head = f'{{"track":"{track}","rate":{query.rate},"seconds":{len(found) / peaks.RATE:.2f},"most":127'
    text = f'{head},"peaks":[{",".join(map(str, values.tolist()))}]}}\n'  # by hand: half a million numbers
    answer = current_app.response_class(text, mimetype="application/json")
    answer.headers["ETag"] = quote_etag(f"{blob.digest[:32]}-{track}-{query.rate}")
    answer.headers["Cache-Control"] = "private, no-cache"
    answer.make_conditional(request)
    return answer
