"""How texts would fit a line, while somebody edits it; and the other wordings a line has."""

from __future__ import annotations

from typing import Annotated

from flask import Response, jsonify
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, ConfigDict, Field

from autodub.jobs.editing_operations import Text
from autodub.jobs.foreseeing import Fitting
from autodub.pipeline.foreseeing import Foreseen
from autodub.web import unfinished
from autodub.web.editing_shapes import LinePath
from autodub.web.identity import actor, needs, platform
from autodub.web.problems import Problem

blueprint = APIBlueprint(
    "fitting", __name__, url_prefix="/api/v1/jobs",
    abp_tags=[Tag(name="Transcript", description="What a dub says: read it, change it, make it again.")],
    abp_security=[{"key": []}, {"session": []}],
    abp_responses=dict.fromkeys((400, 401, 403, 404, 409, 422, 429, 503), Problem),
)  # fmt: skip
unfinished.install(blueprint)


class Tried(BaseModel):
    """A text to try."""

    model_config = ConfigDict(extra="forbid")

    text: Text = Field(description="What the dub would say.", min_length=1)


class Asked(BaseModel):
    """In which lengths a line is wanted."""

    model_config = ConfigDict(extra="forbid")

    lengths: list[Annotated[float, Field(ge=0.5, le=1.3, allow_inf_nan=False)]] = Field(
        default=[0.9, 0.8, 1.12], min_length=1, max_length=4,
        description="Lengths relative to what the line says now.",
    )  # fmt: skip


class FlagShape(BaseModel):
    """Something that would not fit."""

    flag: str = Field(description="overlap, emergency_rate, fast, late, early, too_long, short")
    reason: str


class FitShape(BaseModel):
    """How a text would fit its line, as the dub itself would plan it. Times are seconds."""

    text: str
    used: bool = Field(description="Whether it is what the line says now.")
    made: bool = Field(description="Whether it is what the dub chose by itself.")
    syllables: float
    seconds: float = Field(description="Expected length at the voice's pace.")
    spread: float = Field(description="Standard deviation around it.")
    start: float = Field(description="Where it would begin.")
    end: float
    rate: float = Field(description="How fast it would be spoken there, as a factor of the voice's pace.")
    needed: float = Field(description="Rate that would fill the original's time exactly.")
    overlap: float = Field(description="Seconds it would run into a later line.")
    fits: bool = Field(description="Whether nothing is wrong with it: no flags.")
    flags: list[FlagShape] = Field(description="What would not fit, worst first.")


class FittedShape(BaseModel):
    """A line, and how one text would fit it."""

    line: str
    revision: int = Field(description="Of the transcript it was tried in.")
    start: float = Field(description="When the original is said.")
    end: float
    clips: int = Field(description="Clips the voice's tempo is known from; 0: a guess from its language.")
    fit: FitShape


class WordingsShape(BaseModel):
    """A line, and the texts there are for it: the present one first."""

    line: str
    revision: int = Field(description="Of the transcript.")
    start: float = Field(description="When the original is said.")
    end: float
    source: str = Field(description="What is said in the source.")
    clips: int = Field(description="Clips the voice's tempo is known from; 0: a guess from its language.")
    wordings: list[FitShape]


@blueprint.post("/<job>/lines/<line>/fit", responses={200: FittedShape}, summary="Try a text")
@needs("read")
def fit(path: LinePath, body: Tried) -> Response:
    """How a text would fit its line: its expected length, its rate, what would be wrong. Nothing is changed.

    It asks no engine and costs nothing, so that it can be asked while somebody types.
    """
    found = platform().foreseeing.fit(actor(), path.job, path.line, body.text)
    shape = FittedShape(
        line=path.line, revision=found.revision, start=found.line.start_ms / 1000,
        end=found.line.end_ms / 1000, clips=found.clips, fit=_shape(found.fits[0], found),
    )  # fmt: skip
    return jsonify(shape.model_dump())


@blueprint.get("/<job>/lines/<line>/wordings", responses={200: WordingsShape}, summary="Read other wordings")
@needs("read")
def wordings(path: LinePath) -> Response:
    """Every text there is for a line, and how it would fit: what it says now, and what its dub could choose.

    How many there are depends on the translator: some know one wording of a sentence only, and others were
    asked for other lengths where a line did not fit.
    """
    found = platform().foreseeing.wordings(actor(), path.job, path.line)
    return jsonify(_wordings(path.line, found).model_dump())


@blueprint.post(
    "/<job>/lines/<line>/wordings",
    responses={200: WordingsShape, 202: unfinished.UnfinishedShape, 500: Problem, 502: Problem},
    summary="Ask for other wordings",
)  # fmt: skip
@needs("jobs")
def ask(path: LinePath, query: unfinished.PatienceQuery, body: Asked) -> Response:
    """Ask the translator of a finished dub for a line in other lengths; nothing is changed.

    It costs what one sentence costs, within the job's budget and its owner's month. The same question costs
    nothing the second time. Translators that know one wording only are not asked (400).
    """
    found = platform().rewording.ask(actor(), path.job, path.line, body.lengths, wait=query.wait)
    return jsonify(_wordings(path.line, found).model_dump())


def _wordings(line: str, found: Fitting) -> WordingsShape:
    return WordingsShape(
        line=line, revision=found.revision, start=found.line.start_ms / 1000,
        end=found.line.end_ms / 1000, source=found.line.source, clips=found.clips,
        wordings=[_shape(one, found) for one in found.fits],
    )  # fmt: skip


def _shape(one: Foreseen, found: Fitting) -> FitShape:
    made = found.line.made
    return FitShape(
        text=one.text, used=one.text == found.line.text, made=made is not None and one.text == made.text,
        syllables=one.syllables, seconds=round(one.seconds, 3), spread=round(one.spread, 3),
        start=round(one.start, 3), end=round(one.end, 3), rate=round(one.rate, 3),
        needed=round(one.needed, 3), overlap=round(one.overlap, 3), fits=not one.flags,
        flags=[FlagShape(flag=flag.word, reason=flag.reason) for flag in one.flags],
    )  # fmt: skip
