"""Media: content-addressed files, what is inside a source, sound, and clips on a timeline."""

from __future__ import annotations

from dataclasses import dataclass

from autodub.model.time import Span


@dataclass(frozen=True, slots=True)
class Blob:
    """A file in the store, named by its content and nothing else."""

    digest: str
    """sha256 of the bytes, lower-case hexadecimal."""
    size: int
    """Bytes."""
    suffix: str
    """File name ending with its dot, such as ``.wav``; a hint for programs, not identity."""


@dataclass(frozen=True, slots=True)
class Audio:
    """PCM sound in the store: a WAV (RF64 when large) of float32 or 16-bit samples."""

    blob: Blob
    rate: int
    """Samples per second."""
    channels: int
    frames: int
    """Samples per channel."""
    layout: str = "mono"
    """ffmpeg's name of the channel layout: ``mono``, ``stereo``, ``5.1`` ..."""

    @property
    def duration(self) -> int:
        """Length in milliseconds, rounded."""
        return round(self.frames * 1000 / self.rate)


@dataclass(frozen=True, slots=True)
class VideoStream:
    """A picture stream of a source."""

    index: int
    codec: str
    width: int
    height: int
    frame_rate: float
    """Average frames per second; 0 when the container does not say."""
    duration: int | None
    """Milliseconds."""
    start: int = 0
    """Start in ms on the programme's clock (0 = earliest stream)."""
    is_still: bool = False
    """True for an attached picture (cover art), which is not programme."""


@dataclass(frozen=True, slots=True)
class AudioStream:
    """A sound stream of a source."""

    index: int
    codec: str
    rate: int
    channels: int
    layout: str
    language: str | None
    """As the container tags it, such as ``eng``; None when untagged or ``und``."""
    duration: int | None
    start: int = 0
    bit_rate: int | None = None
    is_default: bool = False


@dataclass(frozen=True, slots=True)
class SubtitleStream:
    """A subtitle stream of a source."""

    index: int
    codec: str
    language: str | None
    is_text: bool
    """False for pictures of text (DVD, Blu-ray), which cannot be read without OCR."""


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What a source contains."""

    container: str
    """ffmpeg's name(s) of the container, such as ``mov,mp4,m4a,3gp,3g2,mj2``."""
    duration: int
    """Length of the programme in milliseconds (the longest stream's end)."""
    video: tuple[VideoStream, ...]
    audio: tuple[AudioStream, ...]
    subtitles: tuple[SubtitleStream, ...]
    comment: str = ""
    """What the container says under that name: kept in what is made of it."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file to be dubbed, as a downloader hands it over; it is read where it lies, never changed."""

    path: str
    digest: str
    """sha256 of the file."""
    info: MediaInfo
    title: str
    """Name for people and for naming outputs; never used as a path by itself."""
    files: tuple[Blob, ...] = ()
    """The file itself, where it was fetched into the store; ``path`` then is where it lay at that time."""
    url: str = ""
    """Where it was fetched from."""
    is_whole: bool = True
    """False while only the sound was fetched."""
    language: str | None = None
    """BCP-47 tag of what is spoken, as far as the site says."""
    captions: tuple[str, ...] = ()
    """BCP-47 tags of the captions by people that the site offers."""
    warnings: tuple[str, ...] = ()
    """What is less than could be expected, in sentences for people."""


@dataclass(frozen=True, slots=True)
class Soundtrack:
    """A source's sound, decoded once."""

    mix: Audio
    """float32 at the source's own rate and channel layout; sample 0 is programme time 0."""
    speech: Audio
    """16 kHz mono 16-bit rendering of the speech-bearing channel(s), for detection and recognition."""


@dataclass(frozen=True, slots=True)
class Stems:
    """A soundtrack taken apart; same rate, channels and length as the mix."""

    background: Audio
    """Mix minus speech; only meaningful where speech was active."""
    notes: tuple[str, ...] = ()
    """What the separator could only do less well, in sentences for people."""


@dataclass(frozen=True, slots=True)
class Clip:
    """One spoken line, trimmed, exactly as it will be placed (before stretching)."""

    audio: Audio
    """Mono float32 at the synthesizer's own rate."""
    rate: float
    """Native speaking rate asked of the synthesizer (1 = the voice's own pace)."""
    pauses: tuple[Span, ...] = ()
    """Silences inside the clip of 120 ms or more, on the clip's clock."""
    lead: int = 0
    """Silence before the first sound (and after the last), ms: the voice sounds that much after the clip."""

    @property
    def seconds(self) -> float:
        """Exact length in seconds."""
        return self.audio.frames / self.audio.rate


@dataclass(frozen=True, slots=True)
class Placement:
    """Where and how one clip sounds on the programme."""

    line: str
    """Id of the line."""
    start: int
    """First sample of the clip on the programme, in samples at the timeline's rate."""
    frames: int
    """Samples the clip occupies after stretching, pauses included."""
    clip: Clip
    stretch: float = 1.0
    """Tempo applied by the stretcher; above 1 is faster (shorter)."""
    pauses: tuple[tuple[int, int], ...] = ()
    """Silence put into the clip: (sample of the stretched clip where it goes, samples of silence)."""
    gain: float = 0.0
    """Level change in dB."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """Every clip of a dub by absolute sample index, in a buffer exactly as long as the source's sound."""

    rate: int
    frames: int
    placements: tuple[Placement, ...]
