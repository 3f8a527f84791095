"""What a dub hands over to be measured: plain frozen values that survive a trip through JSON.

Measuring never asks the pipeline anything else, so a dub can be measured again, years later, from
its file, its source and this record.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from autodub.model.job import Degradation
from autodub.model.speech import Tone, Voice
from autodub.model.time import Span

Status = Literal["spoken", "kept original", "left out"]
"""What became of an input line."""


@dataclass(frozen=True, slots=True)
class LineFact:
    """One input line: what was said, what is said instead, and where it was put."""

    id: str
    speaker: str
    source: Span
    """The line on the source's programme."""
    text: str
    """What the source says."""
    spoken: str = ""
    """What the dub says; empty unless spoken."""
    status: Status = "spoken"
    reason: str = ""
    """Why the line is not simply spoken, as a sentence."""
    by_choice: bool = False
    """Whether a person wanted it not to be spoken."""
    voice: str = ""
    """Name of the voice, such as ``espeak:es+f3``."""
    rate_hz: int = 0
    """Sample rate of the timeline that ``planned_start``, ``placed_start`` and ``frames`` count in."""
    planned_start: int = 0
    """First sample the plan wanted."""
    lead_ms: int = 0
    """Silence the placed clip begins with: its voice is planned that much after ``planned_start``."""
    placed_start: int = 0
    """First sample the clip really got."""
    frames: int = 0
    """Samples the clip occupies, stretching and inserted pauses included."""
    predicted_seconds: float | None = None
    """Length expected before synthesis at the voice's own pace (native rate 1)."""
    source_predicted_seconds: float | None = None
    """Length the same duration model expects for the source text."""
    clip_seconds: float | None = None
    """Length of the trimmed clip as synthesised, at its native rate."""
    native: float = 1.0
    """Speaking rate asked of the synthesizer, relative to the voice's ``pace``; above 1 is faster."""
    pace: float = 1.0
    """Base speed its voice was cast with, as a factor of the engine's own; ``native`` is relative to it."""
    stretch: float = 1.0
    """Samples into the stretcher by samples out of it; above 1 is faster."""
    phrase_rates: tuple[float, ...] = ()
    """Total rate per phrase where phrases differ; empty = one rate for the whole line."""
    syllables: float | None = None
    source_syllables: float | None = None
    phonemes: float | None = None
    source_phonemes: float | None = None
    pauses: tuple[Span, ...] = ()
    """Pauses inside the source line, on the programme."""
    dub_pauses: tuple[Span, ...] = ()
    """Pauses inside the placed clip, on the programme, as planned."""
    on_screen: bool | None = None
    """Whether the speaker's mouth is seen; None = nobody looked."""
    flags: tuple[str, ...] = ()
    """Stable words the pipeline attached, such as ``hurried``."""
    source_lufs: float | None = None
    """Level of the source line over its speech, LUFS."""
    dub_lufs: float | None = None
    """Level of the placed clip over its speech, measured like the source's, LUFS."""
    edges_db: tuple[float, float] | None = None
    """Level of the clip's first and last 10 ms against its speech level, dB, before encoding."""
    overlap_ms: int = 0
    """Overlap with the clip before that the plan accepted."""

    @property
    def rate(self) -> float:
        """How much faster than its voice's pace the line is spoken; inserted pauses do not count."""
        return self.native * self.stretch

    @property
    def asked(self) -> float:
        """How much faster than the engine's own speed the line is spoken, its voice's pace included."""
        return self.rate * self.pace

    @property
    def clip(self) -> Span | None:
        """Where the clip lies on the programme; None when nothing was placed."""
        if self.status != "spoken" or self.frames <= 0 or self.rate_hz <= 0:
            return None
        return Span(
            round(self.placed_start * 1000 / self.rate_hz),
            round((self.placed_start + self.frames) * 1000 / self.rate_hz),
        )


@dataclass(frozen=True, slots=True)
class EngineFact:
    """An engine that worked on the dub."""

    role: str
    name: str
    version: str
    options: str = ""
    """Options as canonical JSON."""
    why: str = ""
    """Why this one, as a sentence."""


@dataclass(frozen=True, slots=True)
class StageFact:
    """Time one stage took."""

    stage: str
    seconds: float
    """Wall clock."""
    engine_seconds: float = 0.0
    """Of these, spent waiting for engines."""


@dataclass(frozen=True, slots=True)
class CallFact:
    """Engine calls of one verb."""

    verb: str
    made: int
    kept: int
    """Answers taken from an earlier run: they cost nothing now."""
    sent: int = 0
    """Requests that went out, those that failed included."""
    retried: int = 0
    failed: int = 0
    """Calls that came to nothing after all tries."""


@dataclass(frozen=True, slots=True)
class CostFact:
    """What one engine consumed."""

    engine: str
    unit: str
    amount: float
    kept: float = 0.0
    """Of the same unit, answered from an earlier run: it cost nothing now."""
    verb: str = ""
    dollars: float | None = None
    """US dollars the amount cost; None for what costs nothing, or has no known price."""


@dataclass(frozen=True, slots=True)
class BillFact:
    """What the dub cost, US dollars, and what was expected."""

    total: float
    dated: str
    """Date of the price table, ISO 8601."""
    unpriced: tuple[str, ...] = ()
    """Paid engines whose price nobody knows: not in the total."""
    expected: float | None = None
    """The estimate made before anything was spent, for a dub from the beginning; None = none was made."""
    expected_low: float | None = None
    expected_high: float | None = None


@dataclass(frozen=True, slots=True)
class WindowFact:
    """Dub against background in 3 s, as mixed."""

    start_ms: int
    difference_lu: float | None
    """Speech-to-background difference; None over silence."""
    target_lu: float
    """Difference aimed at."""


@dataclass(frozen=True, slots=True)
class SoundFact:
    """What the renderer knows about its own mix, before encoding. None = not measured, or silence."""

    source_lufs: float | None = None
    target_lufs: float | None = None
    """Programme loudness aimed at."""
    output_lufs: float | None = None
    source_peak_dbtp: float | None = None
    output_peak_dbtp: float | None = None
    source_clipped: int = 0
    """Samples beyond full scale that the source itself has."""
    clipped: int | None = None
    """Samples beyond full scale in the mix."""
    dub_gain_db: float = 0.0
    """Gain of all lines, to bring the programme to its target."""
    gain_db: float = 0.0
    """The one gain of the whole programme."""
    limited_ms: float = 0.0
    """Programme time over which the dub was limited."""
    dipped_ms: float = 0.0
    """Programme time over which the background dipped because the sum would have been too loud."""
    duck_most_db: float = 0.0
    duck_mean_db: float = 0.0
    null_db: float | None = None
    """B1: difference to the source where nothing was done, dB re source; -200 = bit for bit."""
    null_ms: int = 0
    """Programme time the null test covers."""
    bed_change_db: float | None = None
    """M6: level of the background outside ducks and gates against the source's, programme gain undone."""
    bed_step_lu: float | None = None
    """B3: mean size of the background's step between gate and neighbourhood, duck undone."""
    dub_change_db: float | None = None
    """M6: level of the dub taken from the mix against the dub alone."""
    windows: tuple[WindowFact, ...] = ()
    altered: tuple[Span, ...] = ()
    """Where the output differs from the source on purpose (voice taken out, duck, dub)."""
    ducked: tuple[Span, ...] = ()
    """Where the background is lowered under the dub."""


@dataclass(frozen=True, slots=True)
class ToneFact:
    """How a source speaker sounds, and how the voice that speaks for them does."""

    speaker: str
    source: Tone
    dub: Tone | None = None


@dataclass(frozen=True, slots=True)
class DubFacts:
    """Everything measuring needs to know about a dub besides its files."""

    source_language: str
    target_language: str
    rate: int
    """Sample rate of the programme."""
    frames: int
    """Samples per channel of the programme."""
    lines: tuple[LineFact, ...] = ()
    source_speech: tuple[Span, ...] = ()
    """Where people speak in the source, by the detector."""
    engines: tuple[EngineFact, ...] = ()
    degradations: tuple[Degradation, ...] = ()
    stages: tuple[StageFact, ...] = ()
    calls: tuple[CallFact, ...] = ()
    costs: tuple[CostFact, ...] = ()
    bill: BillFact | None = None
    """None where no engine that costs money was asked."""
    sound: SoundFact | None = None
    voices: tuple[Voice, ...] = ()
    tones: tuple[ToneFact, ...] = ()
    picture_copied: bool | None = None
    """Whether the picture's packets are byte for byte the source's; None = not checked or no picture."""
    notes: tuple[str, ...] = ()
    """What was repaired or left out on the way in, in sentences for people."""
