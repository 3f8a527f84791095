"""What a job is asked to do, as it comes through the interface and as it is kept in the job's row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from autodub.jobs.records import Job
from autodub.model.errors import Conflict
from autodub.model.request import ROLES, DubRequest
from autodub.model.speech import Style

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]
Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,40}$")]
Role = Literal[
    "downloader", "detector", "separator", "transcriber", "diarizer", "translator", "synthesizer", "cloner"
]
FORMAT = 1
"""The newest form of what a job's row asks for that this release knows. Raised by a release whose jobs older
workers would not understand: those leave them in the queue for newer ones."""
SINCE: Mapping[str, int] = {}
"""Field -> the format that it came with, where that is newer than 1: a job that asks for none of these can be
done by older workers, too."""
UPWARD: Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}
"""Format -> what makes the next one of it, where a field was renamed or means something else."""
UNSENT = "unsent"
"""Id of an upload that is still to be sent, in a request that is only checked."""
assert set(Role.__args__) == set(ROLES)  # type: ignore[attr-defined]


class Statement(BaseModel):
    """Somebody's word that a voice may be cloned."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    who: Name = Field(description="Whose voices they are.", examples=["Jane Doe"])
    statement: Annotated[str, StringConstraints(strip_whitespace=True, min_length=10, max_length=2000)] = (
        Field(
            description="What was agreed, in words.", examples=["Jane Doe agreed in writing on 2026-11-01."]
        )
    )


class JobSpec(BaseModel):
    """One dub: an address or an upload, a target language, and whatever the user cares to decide."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: (
        Annotated[str, StringConstraints(pattern=r"^[hH][tT][tT][pP][sS]?://", max_length=2000)] | None
    ) = Field(
        None, description="Address of the video. Either this or `upload`.",
        examples=["https://www.youtube.com/watch?v=dQw4w9WgXcQ"],
    )  # fmt: skip
    upload: Id | None = Field(None, description="Id of an upload.")
    target: Annotated[str, StringConstraints(min_length=2, max_length=40)] = Field(
        description="Language to speak: a BCP-47 tag such as `es` or `pt-BR`, or an English name.",
        examples=["es"],
    )
    spoken: Annotated[str, StringConstraints(min_length=2, max_length=40)] | None = Field(
        None, description="Language of the source; found out when left out."
    )
    title: Name | None = Field(None, description="What the job is called in lists.")
    start: float | None = Field(None, ge=0, le=10**6, description="Seconds; dub from here.")
    end: float | None = Field(None, gt=0, le=10**6, description="Seconds; dub up to here.")
    subtitles: Id | None = Field(None, description="Id of an uploaded subtitle file to speak.")
    captions: bool = Field(False, description="Speak the captions people wrote on the source's site.")
    speakers: int | None = Field(None, ge=1, le=100, description="How many people speak, when known.")
    engines: dict[Role, Annotated[str, StringConstraints(pattern=r"^[a-z0-9_.-]{1,60}$")]] = Field(
        default_factory=dict, description="Role -> engine; the others are chosen by themselves."
    )
    options: dict[Role, dict[str, str]] = Field(
        default_factory=dict, description="Role -> option -> value, as in docs/ENGINES.md."
    )
    clone_voices: bool = Field(False, description="Speak with clones of the speakers' own voices.")
    consent: Statement | None = Field(None, description="The statement that cloning needs.")
    consent_id: Id | None = Field(None, description="Id of a statement given before, instead.")
    match_voices: bool = Field(
        False,
        description="Move each stock voice's pitch and tone toward the original speaker's. Nobody's voice is "
        "reproduced, so no consent is kept; whoever asks for it states that they may.",
    )
    keep_voices: bool = Field(False, description="Leave cloned voices in the account for later dubs.")
    keep_original_audio: bool = Field(False, description="Keep the original sound as a second track.")
    loudness: float | None = Field(
        None, ge=-40, le=-5, description="LUFS to reach; the source's own otherwise."
    )
    glossary: Id | None = Field(None, description="Id of a glossary.")
    terms: list[Annotated[str, StringConstraints(max_length=100)]] = Field(
        default_factory=list, max_length=200, description="Names and words likely to be said."
    )
    tone: str = Field("", max_length=200, description="How it should sound, such as playful.")
    formality: Literal["", "formal", "informal"] = Field("", description="How people are addressed.")
    instructions: str = Field("", max_length=4000, description="Anything else the translator should know.")
    budget: Decimal | None = Field(None, ge=0, le=100_000, description="US dollars this dub may cost.")
    priority: int = Field(0, ge=-9, le=9, description="Higher goes first among the user's own jobs.")
    retention_days: float | None = Field(None, ge=0, le=3650, description="Days it is kept; 0: for ever.")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.source is None) == (self.upload is None):
            raise ValueError("give either source (an address) or upload (an id)")
        return self

    @field_validator("end")
    @classmethod
    def _after_start(cls, end: float | None, others: ValidationInfo) -> float | None:
        if end is not None and end <= (others.data.get("start") or 0):
            raise ValueError("must be after start")
        return end

    @field_validator("consent_id")
    @classmethod
    def _one_statement(cls, consent_id: str | None, others: ValidationInfo) -> str | None:
        if consent_id is not None and others.data.get("consent") is not None:
            raise ValueError("must be left out where there is a consent (a statement)")
        return consent_id

    def request(
        self, source: str, *, title: str | None, subtitles: Path | None, glossary: Path | None,
        budget: Decimal | None,
    ) -> DubRequest:  # fmt: skip
        """The request a worker carries out; ``source`` is an address or the path of an upload."""
        return DubRequest(
            source=source, target=self.target, spoken=self.spoken, start=_ms(self.start), end=_ms(self.end),
            subtitles=str(subtitles) if subtitles else None, speakers=self.speakers,
            engines={str(role): name for role, name in self.engines.items()},
            options={str(role): dict(found) for role, found in self.options.items()},
            match_voices=self.match_voices, keep_original_audio=self.keep_original_audio,
            clone_voices=self.clone_voices, keep_voices=self.keep_voices, budget=budget,
            glossary=str(glossary) if glossary else None,
            style=Style(self.tone, self.formality, self.instructions), terms=tuple(self.terms),
            captions=self.captions, loudness=self.loudness, title=title,
        )  # fmt: skip


def format_of(spec: JobSpec) -> int:
    """What a worker must know to carry it out: the lowest format that can say it."""
    return max((SINCE.get(name, 1) for name in spec.model_dump(exclude_defaults=True)), default=1)


def asked(job: Job) -> JobSpec:
    """What a job is to do, also where an older release wrote it. Raises Conflict for a newer release's."""
    if job.format > FORMAT:
        raise Conflict(
            "This job was submitted by a newer release of Autodub.", hint="Update Autodub here as well."
        )
    found = dict(job.spec)
    for number in range(job.format, FORMAT):
        found = UPWARD[number](found) if number in UPWARD else found
    return JobSpec.model_validate(found)


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)
