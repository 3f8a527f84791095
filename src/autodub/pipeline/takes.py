"""What speaking a dub results in: lines as they were spoken and placed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from autodub.dubbing.fitting import Flag, Setting
from autodub.dubbing.timing import Slot
from autodub.model.media import Clip, Placement
from autodub.model.speech import Line, Voice, Wording


@dataclass(frozen=True, slots=True)
class Part:
    """One line with everything it may be spoken as."""

    line: Line
    wordings: tuple[Wording, ...]
    voice: Voice
    is_paced: bool = False
    """True when a person set the voice's pace."""


@dataclass(frozen=True, slots=True)
class Take:
    """One line as it was spoken and placed."""

    part: Part
    wording: Wording
    clip: Clip
    predicted: float | None
    """Seconds expected before synthesis at the voice's pace; None for lines that taught us the voice."""
    source_predicted: float
    """Seconds the same model expects for the source text."""
    slot: Slot
    setting: Setting
    placement: Placement
    flags: tuple[Flag, ...]

    @property
    def line(self) -> Line:
        """The line."""
        return self.part.line


@dataclass(frozen=True, slots=True)
class Spoken:
    """A whole dub's speech."""

    takes: tuple[Take, ...]
    failed: Mapping[str, str]
    """Id of a line nobody could speak -> why."""
    voices: Mapping[str, Voice]
    """Speaker -> voice with the pace it was given."""


@dataclass(frozen=True, slots=True)
class Programme:
    """What clips are placed on."""

    rate: int
    frames: int

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.frames / self.rate
