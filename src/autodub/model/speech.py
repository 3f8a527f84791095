"""Speech: what was said, by whom, what will be said instead, and in which voice."""

from __future__ import annotations

from dataclasses import dataclass

from autodub.model.media import Audio
from autodub.model.time import Span


@dataclass(frozen=True, slots=True)
class Word:
    """One recognised word."""

    text: str
    span: Span
    confidence: float | None = None
    """0..1, as far as the engine knows."""
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of speech as a transcriber gives it: a subtitle cue or a recognised utterance."""

    span: Span
    text: str
    words: tuple[Word, ...] = ()
    """Empty when the engine has no word times (subtitles)."""
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was said, in time order."""

    language: str
    """BCP-47 tag of the spoken language."""
    segments: tuple[Segment, ...]
    notes: tuple[str, ...] = ()
    """What the engine repaired or left out, in sentences for people."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A speaker's uninterrupted stretch of speech."""

    span: Span
    speaker: str
    margin: float | None = None
    """Confidence 0..1 that the speaker is right, where the diarizer knows."""


@dataclass(frozen=True, slots=True)
class Turns:
    """Who spoke when."""

    turns: tuple[Turn, ...]


@dataclass(frozen=True, slots=True)
class Phrase:
    """Text between two pauses of 300 ms or more."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    """One unit of dubbing: a sentence, or as much of one as fits a subtitle, by one speaker."""

    id: str
    """Stable within a project, such as ``L0007``; never used as a cache key."""
    span: Span
    text: str
    speaker: str
    phrases: tuple[Phrase, ...] = ()
    """The line's phrases in order; their texts joined by spaces are the text."""


@dataclass(frozen=True, slots=True)
class Term:
    """An entry of a glossary."""

    source: str
    """As it is said in the source's language."""
    target: str
    """As it must be said; equal to ``source`` for names that stay as they are."""
    is_case_sensitive: bool = False


@dataclass(frozen=True, slots=True)
class Style:
    """How a dub should be worded."""

    tone: str = ""
    """In a few words of the user's, such as ``playful``."""
    formality: str = ""
    """``formal``, ``informal``, or empty to keep what the original has."""
    instructions: str = ""
    """Anything else a translator should know, in a sentence or two."""


@dataclass(frozen=True, slots=True)
class Hint:
    """What a translator should know about a speaker."""

    speaker: str
    gender: str = "unknown"
    """``female``, ``male`` or ``unknown``."""


@dataclass(frozen=True, slots=True)
class Wording:
    """One way of saying a line in the target language."""

    text: str
    loss: float = 0.0
    """Quality lost against the natural wording, 0..1; the natural wording has 0."""


@dataclass(frozen=True, slots=True)
class Translation:
    """The wordings of one line, natural one first."""

    line: str
    """Id of the line."""
    wordings: tuple[Wording, ...]


@dataclass(frozen=True, slots=True)
class Translations:
    """One translation per line asked for, in the same order."""

    lines: tuple[Translation, ...]


@dataclass(frozen=True, slots=True)
class Tone:
    """How a speaker sounds, as far as pitch and long-term spectrum go."""

    pitch: float
    """Geometric mean of the fundamental frequency over voiced frames, Hz."""
    pitch_spread: float
    """Standard deviation of the fundamental frequency, semitones."""
    bands: tuple[float, ...]
    """Long-term level per third-octave band 100 Hz .. 8 kHz (20 bands), dB, mean removed."""


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice a synthesizer can speak with."""

    engine: str
    """Name of the synthesizer it belongs to."""
    id: str
    """The engine's own id of the voice."""
    language: str
    gender: str = "unknown"
    """``female``, ``male`` or ``unknown``."""
    pitch: float | None = None
    """Mean fundamental frequency to speak at, Hz; None = the voice's own. Not every engine can set it."""
    pace: float = 1.0
    """The voice's base speed as a factor of the engine's default; native rates are relative to it."""
    tone: Tone | None = None
    """When set, each clip is moved toward this tone after synthesis (voice matching)."""
    reference: Audio | None = None
    """Sample of the speaker, for engines that clone from one. A cloned voice has an id of its own that is
    made from the sample, never the provider's: that one is looked up, or rented again, when a line must
    be spoken, so that a deleted clone costs no line that was spoken before."""


@dataclass(frozen=True, slots=True)
class Voices:
    """The stock voices of a synthesizer for one language."""

    voices: tuple[Voice, ...]


@dataclass(frozen=True, slots=True)
class Speech:
    """A spoken line as the synthesizer made it, untrimmed, mono."""

    audio: Audio
