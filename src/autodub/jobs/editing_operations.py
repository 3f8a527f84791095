"""What may be changed in a project, as it comes through the interface: one model per operation.

Times are seconds from the start of what is dubbed; the project keeps whole milliseconds.
"""

from __future__ import annotations

import unicodedata
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

LONGEST = 2000
"""Characters of a text."""
MOST = 5000
"""Operations of one request."""


def _plain(text: str) -> str:
    """One line without control characters: what a synthesizer is given is what a person reads."""
    text = " ".join(text.split())
    if any(unicodedata.category(c) in ("Cc", "Cs") for c in text):
        raise ValueError("it holds control characters")
    return text


def _name(text: str) -> str:
    """A name that is left when what cannot be seen is taken away."""
    if not (text := _plain(text)):
        raise ValueError("it is empty")
    return text


LineId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]


def _words(text: str) -> str:
    """Nothing at all, or something that can be said."""
    text = _plain(text)
    if text and not any(c.isalnum() for c in text):
        raise ValueError("there is nothing to say in it")
    return text


Speaker = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60), AfterValidator(_name)
]
Text = Annotated[str, StringConstraints(max_length=LONGEST), AfterValidator(_words)]
Seconds = Annotated[float, Field(ge=0, le=10**6, allow_inf_nan=False)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LineChange(_Strict):
    """New values of a line; what is left out stays as it is."""

    text: Text | None = Field(
        default=None, description="What the dub says, word for word; empty keeps the original."
    )
    source: Text | None = Field(
        default=None,
        description="What is said in the source; translated again unless `text` is changed, too.",
    )
    speaker: Speaker | None = Field(
        default=None, description="Who says it: a known speaker, or see `new_speaker`."
    )
    new_speaker: bool = Field(
        default=False,
        description="Whether `speaker` may be somebody new, who is given a voice by the next dub.",
    )
    start: Seconds | None = Field(default=None, description="Seconds; when it is said.")
    end: Seconds | None = Field(default=None, description="Seconds; up to when.")
    keep_original: bool | None = Field(default=None, description="Whether the original sound stays.")


class NewLine(_Strict):
    """A line nobody heard."""

    id: LineId | None = Field(default=None, description="Its name; found when left out.")
    speaker: Speaker = Field(description="Who says it: a known speaker, or see `new_speaker`.")
    new_speaker: bool = Field(
        default=False,
        description="Whether `speaker` may be somebody new, who is given a voice by the next dub.",
    )
    start: Seconds
    end: Seconds
    text: Text = Field(description="What the dub says.")
    source: Text = Field(default="", description="What is said in the source, where anything is.")


class Splitting(_Strict):
    """Where a line becomes two; the second one is a line that was added."""

    at: Seconds = Field(description="Seconds; where the second line begins.")
    texts: tuple[Text, Text] | None = Field(
        default=None,
        description="What both say; left out, the text is cut at the blank nearest to that moment.",
    )
    sources: tuple[Text, Text] | None = Field(
        default=None, description="What is said in the source; likewise."
    )


class Merging(_Strict):
    """Which line is joined on, and how both are worded together."""

    other: LineId = Field(description="The line after it, said by the same speaker; it is taken out.")
    text: Text | None = Field(
        default=None, description="What both say together; left out, one text after the other."
    )


class VoiceChange(_Strict):
    """New values of a speaker's voice; what is left out stays as it is."""

    voice: Annotated[str, StringConstraints(min_length=1, max_length=300)] | None = Field(
        default=None, description="Id of a voice of the synthesizer, as `/api/v1/voices` lists them."
    )
    pitch_hz: Annotated[float, Field(gt=20, lt=1000)] | None = Field(
        default=None, description="Mean pitch to speak at; null, and another voice, is the voice's own."
    )
    pace: Annotated[float, Field(ge=0.5, le=2.0)] | None = Field(
        default=None, description="Speed as a factor of the synthesizer's own."
    )


class SetLine(LineChange):
    """Change a line."""

    op: Literal["set"]
    line: LineId


class AddLine(NewLine):
    """Add a line."""

    op: Literal["add"]


class RemoveLine(_Strict):
    """Take a line out: its original sound stays."""

    op: Literal["remove"]
    line: LineId


class SplitLine(Splitting):
    """Make two lines of one."""

    op: Literal["split"]
    line: LineId


class MergeLines(Merging):
    """Make one line of two."""

    op: Literal["merge"]
    line: LineId


class SetVoice(VoiceChange):
    """Change a speaker's voice."""

    op: Literal["voice"]
    speaker: Speaker


class Undo(_Strict):
    """Put back what was made: of a line (also one that was taken out), or of a speaker's voice."""

    op: Literal["undo"]
    line: LineId | None = None
    speaker: Speaker | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.line is None) == (self.speaker is None):
            raise ValueError("give either line or speaker")
        return self


Operation = Annotated[
    SetLine | AddLine | RemoveLine | SplitLine | MergeLines | SetVoice | Undo, Field(discriminator="op")
]
