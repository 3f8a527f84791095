"""Autodub's own slow work, as an engine: decoding, trimming, listening to voices, rendering.

It goes through the gateway like any other engine, so that it is kept, shared and resumed alike.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from autodub.engines.roles import EngineOptions, Info, Readiness, Work
from autodub.media.rendered import Rendered
from autodub.model.errors import BadAnswer
from autodub.model.job import Degradation
from autodub.model.media import Audio, Blob, Clip, Soundtrack, Source, Timeline
from autodub.model.speech import Line, Tone
from autodub.model.time import Span

VERSION = "13"
"""Change it whenever the same request would be answered differently."""


@dataclass(frozen=True, slots=True)
class Decode:
    """Decode a source's sound once -> Decoded."""

    source: Source
    stream: int
    """Index of the sound stream."""
    start: int = 0
    end: int | None = None


@dataclass(frozen=True, slots=True)
class DecodedSound:
    """A soundtrack and what was wrong with it."""

    soundtrack: Soundtrack
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReadSubtitles:
    """Take a text subtitle stream out of a source -> Blob."""

    source: Source
    stream: int


@dataclass(frozen=True, slots=True)
class KeepSubtitles:
    """Take a subtitle file into the store -> Blob."""

    path: str
    digest: str


@dataclass(frozen=True, slots=True)
class Trim:
    """Cut the silence around a spoken line -> Clip."""

    audio: Audio
    rate: float
    """Native rate it was spoken at."""


@dataclass(frozen=True, slots=True)
class Listen:
    """Find out how a speaker sounds -> Heard."""

    speech: Audio
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Heard:
    """A speaker's tone, where there was enough to hear."""

    tone: Tone | None


@dataclass(frozen=True, slots=True)
class Sample:
    """Cut a sample of one speaker for cloning -> Sampled."""

    mix: Audio
    spans: tuple[Span, ...]
    """Where only that speaker is heard, best first."""
    speech: tuple[Span, ...]
    """Where anybody speaks: the rest shows what is heard behind."""


@dataclass(frozen=True, slots=True)
class Sampled:
    """A cloning sample."""

    audio: Audio
    """Mono, at the mix's rate."""
    is_clean: bool
    """False when music or noise is heard in it."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Subtitled:
    """A finished subtitle file to embed."""

    srt: Blob
    language: str
    """ISO 639-2 code."""


@dataclass(frozen=True, slots=True)
class Rehearse:
    """Find out whether the output can hold what it should, before any work -> Rehearsed."""

    source: Source
    stream: int
    start: int
    end: int | None
    suffix: str
    language: str
    """ISO 639-2 code of the dub."""
    keep_original_audio: bool


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """The output can be written."""

    picture_copied: bool | None
    """None when there is no picture."""


@dataclass(frozen=True, slots=True)
class Survey:
    """Read a programme once, to plan its mix -> Surveyed."""

    mix: Audio
    background: Audio | None
    spans: tuple[Span, ...]
    """Where the source speaks."""
    keep: tuple[Span, ...]
    """Where it stays as it is."""


@dataclass(frozen=True, slots=True)
class Surveyed:
    """What a mix is planned from."""

    cells: Blob
    """Energies of mix and bed per 10 ms, as :func:`autodub.media.survey.kept_cells` reads them."""
    lufs: float
    true_peak: float
    """dBTP."""
    clipped: int
    """Samples beyond full scale, all channels."""


@dataclass(frozen=True, slots=True)
class Produce:
    """Render the sound and put it under the picture -> Produced."""

    source: Source
    stream: int
    start: int
    end: int | None
    mix: Audio
    background: Audio | None
    surveyed: Surveyed
    """Of this mix and background, with these ``spans`` and ``keep``."""
    is_estimate: bool
    """True when the background comes from a weights-free separator, which leaves a ghost of the voice."""
    spans: tuple[Span, ...]
    keep: tuple[Span, ...]
    timeline: Timeline
    lines: tuple[Line, ...]
    """The lines of the placements, for their levels."""
    loudness: float | None
    suffix: str
    """Ending of the output, such as ``.mp4``."""
    language: str
    """ISO 639-2 code of the dub."""
    spoken: str
    """ISO 639-2 code of the source."""
    keep_original_audio: bool
    subtitles: Subtitled | None


@dataclass(frozen=True, slots=True)
class Produced:
    """A finished file, the bed inside it, and what rendering measured."""

    file: Blob
    bed: Audio
    """16 kHz mono: everything in the output besides the dub."""
    rendered: Rendered
    picture_copied: bool | None
    """None when there is no picture."""
    notes: tuple[Degradation, ...] = ()
    dialogue: Blob | None = None
    """The dub's own speech, mono FLAC on the programme's clock; None when nothing is spoken."""


@dataclass(frozen=True, slots=True)
class Stem:
    """Write a part of the original sound as a file for people -> Blob."""

    which: Literal["background", "original"]
    mix: Audio
    background: Audio
    spans: tuple[Span, ...]


class Studio:
    """The engine of Autodub's own work."""

    Options: ClassVar[type[EngineOptions]] = EngineOptions
    options = EngineOptions()

    def __init__(self, unchanged: Callable[[Source], None]) -> None:
        """``unchanged`` raises when a source is not the file any more that its digest names.

        It is asked after the file was read: an answer made from another file must never be kept.
        """
        self._unchanged = unchanged

    @classmethod
    def describe(cls) -> Info:
        return Info(
            name="studio",
            role="studio",
            version=VERSION,
            lanes=4,
            summary="Autodub's own decoding and rendering.",
        )

    def readiness(self) -> Readiness:
        return Readiness("ready", "part of Autodub")

    def decode(self, request: Decode, work: Work) -> DecodedSound:
        """Decode one sound stream into the mix and its 16 kHz rendering."""
        from autodub.media import decode, sound

        stream = next(s for s in request.source.info.audio if s.index == request.stream)
        mix, speech = work.scratch / "mix.wav", work.scratch / "speech.wav"
        done = decode.decode(
            Path(request.source.path), request.source.info, stream, mix=mix, speech=speech,
            start=request.start, end=request.end, check=work.check, progress=work.progress,
        )  # fmt: skip
        kept = []
        for path, layout in ((mix, stream.layout), (speech, "mono")):
            blob = work.keep(path)
            kept.append(sound.audio(blob, work.path(blob), layout))
        self._unchanged(request.source)
        return DecodedSound(Soundtrack(kept[0], kept[1]), done.warnings)

    def read_subtitles(self, request: ReadSubtitles, work: Work) -> Blob:
        """Take a text subtitle stream out of a source."""
        from autodub.media.decode import extract_subtitles

        path = work.scratch / "subtitles.srt"
        source = request.source
        extract_subtitles(Path(source.path), source.info, request.stream, path, check=work.check)
        self._unchanged(request.source)
        return work.keep(path)

    def keep_subtitles(self, request: KeepSubtitles, work: Work) -> Blob:
        """Copy a subtitle file into the store."""
        import shutil

        source = Path(request.path)
        path = work.scratch / f"subtitles{source.suffix.lower()}"
        shutil.copyfile(source, path)
        return work.keep(path)

    def trim(self, request: Trim, work: Work) -> Clip:
        """Trim a spoken line. Raises BadAnswer when it holds no sound at all."""
        from autodub.media import sound
        from autodub.media.trim import KEPT, trim

        samples, rate = sound.load(work.path(request.audio.blob))
        trimmed = trim(samples[:, 0], rate)
        if len(trimmed.samples) == 0:
            raise BadAnswer("The synthesizer answered with silence.", hint="Change the line's text.")
        path = work.scratch / "clip.wav"
        sound.store(trimmed.samples, rate, path)
        blob = work.keep(path)
        return Clip(sound.audio(blob, work.path(blob), "mono"), request.rate, trimmed.pauses, KEPT)

    def listen(self, request: Listen, work: Work) -> Heard:
        """Measure a speaker's tone over the spans where only they speak."""
        from autodub.media.tone import speaker_tone

        tone, _seconds = speaker_tone(work.path(request.speech.blob), request.spans)
        return Heard(tone)

    def sample(self, request: Sample, work: Work) -> Sampled:
        """Choose, cut and level a speaker's best stretches. Raises Rejected when there is too little."""
        from autodub.media import sound
        from autodub.media.sampling import cut_sample

        path = work.scratch / "sample.wav"
        cut = cut_sample(
            work.path(request.mix.blob), request.mix.layout, request.spans, path,
            speech=request.speech, check=work.check,
        )  # fmt: skip
        blob = work.keep(path)
        return Sampled(sound.audio(blob, work.path(blob), "mono"), cut.is_clean, cut.notes)

    def rehearse(self, request: Rehearse, work: Work) -> Rehearsed:
        """Write a moment of silence under the source's picture. Raises OutputProblem."""
        from autodub.pipeline.producing import rehearse

        return rehearse(request, work)

    def survey(self, request: Survey, work: Work) -> Surveyed:
        """Measure the source and what is below its voice."""
        from autodub.media.survey import keep_cells, survey

        found = survey(
            work.path(request.mix.blob), work.path(request.background.blob) if request.background else None,
            spans=request.spans, keep=request.keep, layout=request.mix.layout, check=work.check,
        )  # fmt: skip
        path = work.scratch / "cells.npy"
        keep_cells(found, path)
        return Surveyed(work.keep(path), found.lufs, found.true_peak, found.clipped)

    def produce(self, request: Produce, work: Work) -> Produced:
        """Render, then mux; the rendered sound itself is not kept, it can be made again at any time."""
        from autodub.pipeline.producing import produce

        produced = produce(request, work)
        self._unchanged(request.source)
        return produced

    def stem(self, request: Stem, work: Work) -> Blob:
        """Write one stem of the original as FLAC."""
        from autodub.media.stems import write_stem

        path = work.scratch / f"{request.which}.flac"
        write_stem(
            request.which, mix=work.path(request.mix.blob), background=work.path(request.background.blob),
            spans=request.spans, layout=request.mix.layout, out=path, check=work.check,
            progress=work.progress,
        )  # fmt: skip
        return work.keep(path)
