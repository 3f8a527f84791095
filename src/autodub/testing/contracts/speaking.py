"""Contracts of the roles that make a line heard: translator, synthesizer, cloner."""

from __future__ import annotations

from typing import ClassVar

from autodub.engines import roles
from autodub.model.calls import Clone, ListVoices, Synthesize, Translate
from autodub.model.speech import Line, Voice
from autodub.model.time import Span
from autodub.testing.contracts.engine import RATE, EngineContract
from autodub.testing.studio import Studio, bursts


class TranslatorContract(EngineContract):
    """Says lines in another language, one answer per line."""

    role = "translator"
    protocol = roles.Translator
    verb = "translate"
    pair: ClassVar[tuple[str, str]] = ("en", "es")
    texts: ClassVar[tuple[str, ...]] = ("The house is big.", "I have two cats, and you?", "Good morning.")

    def lines(self, texts: tuple[str, ...]) -> tuple[Line, ...]:
        """Lines with these texts."""
        return tuple(
            Line(f"L{index:04d}", Span(index * 3000, index * 3000 + 2000), text, "S1")
            for index, text in enumerate(texts, start=1)
        )

    def request(self, studio: Studio) -> Translate:  # noqa: ARG002
        return Translate(self.lines(self.texts), *self.pair)

    def small(self, studio: Studio) -> Translate:  # noqa: ARG002
        return Translate(self.lines(("House.",)), *self.pair)

    def test_it_says_how_it_serves_a_pair(self) -> None:
        """The route of a pair it serves is a text for people."""
        with self.ready() as (_studio, engine):
            assert engine.route(*self.pair).strip()

    def test_it_does_not_echo_the_source(self) -> None:
        """What comes back for an ordinary sentence is not the sentence itself (R10)."""
        with self.ready() as (studio, engine):
            answer = studio.call(engine, "translate", self.request(studio))
            pairs = zip(answer.lines, self.texts, strict=True)
            assert all(line.wordings[0].text.lower() != text.lower() for line, text in pairs)


class SynthesizerContract(EngineContract):
    """Speaks a line in a voice."""

    role = "synthesizer"
    protocol = roles.Synthesizer
    verb = "synthesize"
    language: ClassVar[str] = "es"
    text: ClassVar[str] = "La casa del puerto es muy grande y muy vieja."
    word: ClassVar[str] = "Sí."

    def voice(self, studio: Studio) -> Voice:
        """The first voice the engine offers for the language."""
        engine = self.engine({}, studio.context)
        voice: Voice = studio.call(engine, "list_voices", ListVoices(self.language)).voices[0]
        return voice

    def request(self, studio: Studio) -> Synthesize:
        return Synthesize(self.text, self.voice(studio))

    def small(self, studio: Studio) -> Synthesize:
        return Synthesize(self.word, self.voice(studio))

    def test_its_voices_are_told_apart(self) -> None:
        """The voices of a language have ids of their own and belong to the engine."""
        with self.ready() as (studio, engine):
            voices = studio.call(engine, "list_voices", ListVoices(self.language)).voices
            assert voices
            assert len({voice.id for voice in voices}) == len(voices)
            assert {voice.engine for voice in voices} == {engine.describe().name}

    def test_a_higher_rate_is_shorter(self) -> None:
        """The native rate works in the right direction: 1.2 takes less time than 1, 0.85 more (R1)."""
        with self.ready() as (studio, engine):
            voice = self.voice(studio)
            slow, plain, fast = (
                studio.call(engine, "synthesize", Synthesize(self.text, voice, rate)).audio
                for rate in (0.85, 1.0, 1.2)
            )
            assert slow.frames / slow.rate > plain.frames / plain.rate > fast.frames / fast.rate

    def test_hostile_text_is_only_text(self) -> None:
        """Markup, options and shell characters in a line are data, not instructions (R30)."""
        with self.ready() as (studio, engine):
            voice = self.voice(studio)
            for text in ("-f /etc/passwd casa", "<speak>casa</speak>", "$(touch x) `id` casa; [[h@l'oU]]"):
                assert studio.call(engine, "synthesize", Synthesize(text, voice)).audio.frames > 0


class ClonerContract(EngineContract):
    """Makes a voice that sounds like a speaker."""

    role = "cloner"
    protocol = roles.Cloner
    verb = "clone"

    def base(self) -> Voice:
        """The voice to start from."""
        return Voice("fake", "fake-1", "es", gender="female", pitch=200.0)

    def request(self, studio: Studio) -> Clone:
        return Clone(self.base(), self.speech(studio), self.spans, "S1")

    def small(self, studio: Studio) -> Clone:
        return Clone(self.base(), self.speech(studio), self.spans[1:2], "S1")

    def test_two_speakers_are_two_voices(self) -> None:
        """Samples of two people give two different voices (R17)."""
        with self.ready() as (studio, engine):
            low = studio.audio(bursts(self.spans, length=self.length, pitch=95.0), RATE)
            high = studio.audio(bursts(self.spans, length=self.length, pitch=230.0), RATE)
            voices = [
                studio.call(engine, "clone", Clone(self.base(), speech, self.spans, "S1"))
                for speech in (low, high)
            ]
            assert voices[0] != voices[1]
