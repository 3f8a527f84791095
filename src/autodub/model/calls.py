"""Requests: one frozen value per engine verb. A request is the bare verb with a capital.

Together with the engine's name, version and options a request is the identity of its answer, so
everything that can change the answer is in here, and nothing else (no job id, no path but the
source's, no line number).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from autodub.model.media import Audio, Blob, Source
from autodub.model.speech import Hint, Line, Style, Term, Voice, Word
from autodub.model.time import Span


@dataclass(frozen=True, slots=True)
class Download:
    """Fetch a source -> Source."""

    url: str
    """An address, or a path of this machine."""
    digest: str = ""
    """sha256 of the file, where it is known already: tells a changed file under the same name apart."""
    part: Literal["whole", "sound", "captions"] = "whole"
    """``sound`` fetches the sound alone, so that listening can begin; ``whole`` fetches what is missing and
    joins it with the sound of ``having``; ``captions`` fetches written captions by people, nothing else."""
    having: Source | None = None
    """What was fetched already: the answer to the same address with ``part="sound"``."""
    language: str | None = None
    """BCP-47 tag of the captions (or of the sound track, where there are several)."""


@dataclass(frozen=True, slots=True)
class Detect:
    """Find speech -> Spans."""

    speech: Audio
    """16 kHz mono."""


@dataclass(frozen=True, slots=True)
class Spans:
    """Where people speak."""

    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Separate:
    """Take the voice out of a mix -> Stems."""

    mix: Audio
    spans: tuple[Span, ...]
    """Where people speak (detector, unpadded)."""


@dataclass(frozen=True, slots=True)
class Transcribe:
    """Write down what is said -> Transcript."""

    speech: Audio
    """16 kHz mono."""
    language: str | None
    """BCP-47 tag, or None to detect."""
    spans: tuple[Span, ...]
    """Where people speak: a place to cut, and what must be covered."""
    subtitles: Blob | None = None
    """Subtitle file (.srt, .vtt, .ass) for engines that read instead of listen."""
    subtitles_encoding: str | None = None
    offset: int = 0
    """Programme time of sample 0 on the subtitles' clock, ms (when a range is dubbed)."""
    terms: tuple[str, ...] = ()
    """Names and words that are likely to be said, for engines that can be told."""


@dataclass(frozen=True, slots=True)
class Diarize:
    """Tell the speakers apart -> Turns."""

    speech: Audio
    spans: tuple[Span, ...]
    words: tuple[Word, ...] = ()
    speakers: int | None = None
    """The user's count, when known."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How much room a line has in the target language."""

    line: str
    seconds: float
    """Length of the source line without the pauses worth keeping."""
    syllables: int
    """Syllables of the target language that fill it at the voice's own rate."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A translated line that is wanted in other lengths, too."""

    line: str
    text: str
    """The natural wording."""
    syllables: tuple[int, ...]
    """Syllables that each further wording should have, in order; a request, not a bound."""


@dataclass(frozen=True, slots=True)
class Translate:
    """Say lines in another language -> Translations.

    Everything after ``target`` is left empty for engines that do not use it (``Info.contextual``).
    """

    lines: tuple[Line, ...]
    source: str
    target: str
    before: tuple[str, ...] = ()
    """Source text of the lines before, as context."""
    after: tuple[str, ...] = ()
    budgets: tuple[Budget, ...] = ()
    script: tuple[str, ...] = ()
    """Source text of every line of the programme, where that is short enough to be told."""
    summary: str = ""
    """What the programme is about, where the script is too long to be told."""
    glossary: tuple[Term, ...] = ()
    """Terms that occur in these lines."""
    style: Style = field(default_factory=Style)
    speakers: tuple[Hint, ...] = ()
    """Who speaks the lines."""
    drafts: tuple[Draft, ...] = ()
    """When given (one per line, in order), the natural wordings are there already: the answer holds the
    further ones only, at most as many per line as were asked for, none where there is no decent one."""


@dataclass(frozen=True, slots=True)
class Summarize:
    """Say in a few sentences what a programme is about, who speaks, in which register -> Summary."""

    script: tuple[str, ...]
    source: str


@dataclass(frozen=True, slots=True)
class Summary:
    """A programme in a few sentences, for translators."""

    text: str


@dataclass(frozen=True, slots=True)
class Moderate:
    """Say which texts are against a policy -> Moderation."""

    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Moderation:
    """What was found in each text, in the same order; never a word of it."""

    found: tuple[tuple[str, ...], ...]
    """Names of what a text is against, such as ``violence``; empty for one that may pass."""


@dataclass(frozen=True, slots=True)
class ListVoices:
    """Which stock voices speak this language -> Voices."""

    language: str


@dataclass(frozen=True, slots=True)
class Synthesize:
    """Speak one line -> Speech."""

    text: str
    voice: Voice
    rate: float = 1.0
    """Speaking rate relative to the voice's own pace (above 1 is faster)."""
    before: str = ""
    """What the same speaker says right before and after, for engines that join lines (``Info.joins``)."""
    after: str = ""


@dataclass(frozen=True, slots=True)
class Clone:
    """Make a voice that sounds like a speaker -> Voice."""

    base: Voice
    """The stock voice cast for the speaker; what a matching engine starts from."""
    speech: Audio
    """16 kHz mono programme."""
    spans: tuple[Span, ...]
    """Where only this speaker is heard, best first."""
    name: str
    sample: Audio | None = None
    """The same stretches of the programme at its own rate, mono, joined: what a cloning engine is given."""
    is_clean: bool = True
    """False when music or noise is heard in the sample."""


@dataclass(frozen=True, slots=True)
class Forget:
    """Delete a voice from the account it was cloned in."""

    handle: str
    """The provider's id."""
