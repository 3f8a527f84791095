"""Engines that need nothing: no model, no key, no program. Deterministic, scripted, for every role.

They stand behind the same Protocols as real ones and can be registered like any other::

    with registry.registered("synthesizer", "fake", FakeSynthesizer): ...

or be handed over directly: ``FakeSynthesizer(script=Script([Busy("slow down")]))``. The script is
not part of an answer's identity; the options are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar, TypeVar

from pydantic import Field

from autodub.engines.roles import EngineContext, EngineOptions, Info, Readiness, Work
from autodub.media import sound
from autodub.model.calls import (
    Clone,
    Detect,
    Diarize,
    ListVoices,
    Moderate,
    Moderation,
    Separate,
    Spans,
    Synthesize,
    Transcribe,
    Translate,
)
from autodub.model.errors import EngineCannot
from autodub.model.media import Stems
from autodub.model.speech import (
    Segment,
    Speech,
    Transcript,
    Translation,
    Translations,
    Turn,
    Turns,
    Voice,
    Voices,
    Word,
    Wording,
)
from autodub.model.time import Span
from autodub.testing.script import Give, Script
from autodub.testing.studio import voiced

R = TypeVar("R")
T = TypeVar("T")

_SYLLABLE = 0.06  # seconds a character takes at the voice's own pace
_WORD = 300  # ms a recognised word takes
_BLOCK = 65_536


class _Fake:
    """What all fakes share: options, a script, and an account of what they were asked."""

    Options: ClassVar[type[EngineOptions]] = EngineOptions
    role: ClassVar[str]

    def __init__(
        self,
        options: Any = None,
        context: EngineContext | None = None,
        *,
        script: Script | None = None,
    ) -> None:
        self.options: Any = options or self.Options()
        self.context = context
        self.script = script or Script()

    @classmethod
    def describe(cls) -> Info:
        return Info(
            name="fake",
            role=cls.role,
            version="1",
            summary="For tests: no model, no key, no program.",
            lanes=4,
        )

    def readiness(self) -> Readiness:
        return Readiness("ready", "A fake is always ready.")

    def _play(self, request: R, work: Work, normally: Callable[[R, Work], T]) -> T:
        step = self.script.play(request, work)
        if isinstance(step, Give):
            return step.value  # type: ignore[return-value]  # nonsense of any type is the point
        return normally(request, work)


class FakeDetector(_Fake):
    """Hears four seconds of speech in every five."""

    role = "detector"

    def detect(self, request: Detect, work: Work) -> Spans:
        return self._play(request, work, self._detect)

    def _detect(self, request: Detect, _work: Work) -> Spans:
        length = request.speech.duration
        starts = range(500, max(501, length), 5000)
        return Spans(tuple(Span(start, min(length, start + 4000)) for start in starts if start < length))


class FakeTranscriber(_Fake):
    """Writes a word every 300 ms of each span; ``script`` may give any transcript instead."""

    role = "transcriber"

    def transcribe(self, request: Transcribe, work: Work) -> Transcript:
        return self._play(request, work, self._transcribe)

    def _transcribe(self, request: Transcribe, work: Work) -> Transcript:
        segments = []
        for index, span in enumerate(request.spans):
            work.progress(index / len(request.spans))
            starts = range(span.start, span.end, _WORD)
            words = tuple(
                Word(_VOCABULARY[(index + k) % len(_VOCABULARY)], Span(at, min(span.end, at + _WORD)), 0.9)
                for k, at in enumerate(starts)
            )
            if words:
                segments.append(Segment(span, " ".join(word.text for word in words) + ".", words))
        return Transcript(request.language or "en", tuple(segments))


_VOCABULARY = ("every", "morning", "the", "old", "keeper", "walked", "down", "to", "the", "harbour", "alone")


class FakeDiarizer(_Fake):
    """Gives the spans in turn to as many speakers as it is told, one otherwise."""

    role = "diarizer"

    def diarize(self, request: Diarize, work: Work) -> Turns:
        return self._play(request, work, self._diarize)

    def _diarize(self, request: Diarize, _work: Work) -> Turns:
        count = request.speakers or 1
        return Turns(tuple(Turn(span, f"S{index % count + 1}") for index, span in enumerate(request.spans)))


class FakeTranslator(_Fake):
    """Offers three wordings of each line: natural, shorter and longer; never the source's own words."""

    class Options(EngineOptions):
        """How it words."""

        wordings: int = Field(3, ge=1, le=3, description="How many wordings of each line are offered.")

    role = "translator"

    def route(self, source: str, target: str) -> str:
        """How the pair is served. Raises EngineCannot for a pair of one language."""
        if source == target:
            raise EngineCannot(f"{source} to {target} is no translation.", hint="Choose another language.")
        return f"{source} > {target}"

    def translate(self, request: Translate, work: Work) -> Translations:
        return self._play(request, work, self._translate)

    def _translate(self, request: Translate, work: Work) -> Translations:
        work.meter("characters", sum(len(line.text) for line in request.lines))
        answers = []
        for line in request.lines:
            words = [f"{word[::-1].lower().strip('.,;:!?') or 'e'}" for word in line.text.split()] or ["e"]
            shorter = [word for index, word in enumerate(words) if index % 3 != 2]
            longer = [part for word in words for part in ((word, "la") if len(word) > 3 else (word,))]
            offers = (
                Wording(_sentence(words)),
                Wording(_sentence(shorter), 0.2),
                Wording(_sentence(longer), 0.1),
            )
            answers.append(Translation(line.id, offers[: self.options.wordings]))
        return Translations(tuple(answers))


def _sentence(words: list[str]) -> str:
    text = " ".join(words)
    return text[:1].upper() + text[1:] + "."


class FakeSynthesizer(_Fake):
    """Speaks in bursts of a voiced tone, exactly as long as it is told.

    A text lasts ``durations[text]`` seconds (else 60 ms a character) at rate 1, divided by the rate
    asked for and the voice's pace, rounded to a sample; no silence around it. ``durations`` is for
    tests and is not part of an answer's identity.
    """

    class Options(EngineOptions):
        """How it sounds."""

        rate: int = Field(22_050, ge=8_000, le=96_000, description="Samples per second of the speech.")

    role = "synthesizer"

    def __init__(
        self,
        options: Any = None,
        context: EngineContext | None = None,
        *,
        script: Script | None = None,
        durations: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(options, context, script=script)
        self.durations = dict(durations or {})

    def list_voices(self, request: ListVoices, work: Work) -> Voices:  # noqa: ARG002
        genders = ("female", "male", "female", "male")
        pitches = (210.0, 120.0, 185.0, 100.0)
        return Voices(
            tuple(
                Voice("fake", f"fake-{index}", request.language, gender=gender, pitch=pitch)
                for index, (gender, pitch) in enumerate(zip(genders, pitches, strict=True), start=1)
            )
        )

    def synthesize(self, request: Synthesize, work: Work) -> Speech:
        return self._play(request, work, self._synthesize)

    def seconds(self, request: Synthesize) -> float:
        """How long the text will last."""
        natural = self.durations.get(request.text, _SYLLABLE * max(1, len(request.text)))
        return natural / (request.rate * request.voice.pace)

    def _synthesize(self, request: Synthesize, work: Work) -> Speech:
        work.meter("characters", len(request.text))
        rate = self.options.rate
        frames = max(1, round(self.seconds(request) * rate))
        samples = voiced(frames, rate=rate, pitch=request.voice.pitch or 150.0)
        path = work.scratch / "speech.wav"
        sound.store(samples, rate, path)
        blob = work.keep(path)
        return Speech(sound.audio(blob, work.path(blob), "mono"))


class FakeSeparator(_Fake):
    """Hushes everything inside the spans and leaves the rest as it is."""

    role = "separator"

    def separate(self, request: Separate, work: Work) -> Stems:
        return self._play(request, work, self._separate)

    def _separate(self, request: Separate, work: Work) -> Stems:
        mix = request.mix
        path = work.scratch / "background.wav"
        with (
            sound.Reader(work.path(mix.blob)) as source,
            sound.Writer(path, rate=mix.rate, channels=mix.channels) as out,
        ):
            for start in range(0, mix.frames, _BLOCK):
                work.progress(start / mix.frames)
                block = source.read(start, _BLOCK)
                for span in request.spans:
                    first, last = (round(edge * mix.rate / 1000) - start for edge in (span.start, span.end))
                    block[max(0, first) : max(0, last)] = 0
                out.write(block)
        return Stems(replace(mix, blob=work.keep(path)))


class FakeCloner(_Fake):
    """Makes a voice of its own for each sample: the base voice under another id, with the sample."""

    role = "cloner"

    def clone(self, request: Clone, work: Work) -> Voice:
        return self._play(request, work, self._clone)

    def _clone(self, request: Clone, _work: Work) -> Voice:
        mark = request.speech.blob.digest[:6]
        first = request.spans[0].start if request.spans else 0
        return replace(request.base, id=f"{request.base.id}:{mark}:{first}", reference=request.speech)


FAKES: Mapping[str, type[Any]] = {
    fake.role: fake
    for fake in (
        FakeDetector,
        FakeSeparator,
        FakeTranscriber,
        FakeDiarizer,
        FakeTranslator,
        FakeSynthesizer,
        FakeCloner,
    )
}
"""Role -> its fake."""


class FakeModerator(_Fake):
    """Finds ``violence`` in every text with the word murder; an operator's engine, not one of a dub's."""

    role = "moderator"

    def moderate(self, request: Moderate, work: Work) -> Moderation:
        return self._play(request, work, self._moderate)

    def _moderate(self, request: Moderate, _work: Work) -> Moderation:
        return Moderation(tuple(("violence",) if "murder" in text.lower() else () for text in request.texts))
