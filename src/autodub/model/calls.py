"""Requests: one frozen value per engine verb. A request is the bare verb with a capital.

Together with the engine's name, version and options a request is the identity of its answer, so
everything that can change the answer is in here, and nothing else (no job id, no path but the
source's, no line number).
"""

from __future__ import annotations

from dataclasses import dataclass

from autodub.model.media import Audio, Blob
from autodub.model.speech import Line, Voice, Word
from autodub.model.time import Span


@dataclass(frozen=True, slots=True)
class Download:
    """Fetch a source -> Source."""

    url: str
    """An address, or a path of this machine."""
    digest: str = ""
    """sha256 of the file, where it is known already: tells a changed file under the same name apart."""


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
class Translate:
    """Say lines in another language -> Translations."""

    lines: tuple[Line, ...]
    source: str
    target: str
    before: tuple[str, ...] = ()
    """Source text of the lines before, as context."""
    after: tuple[str, ...] = ()
    budgets: tuple[Budget, ...] = ()


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
