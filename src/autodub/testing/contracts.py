"""What every engine of a role must do, as test classes to inherit.

::

    class TestMyTranscriber(TranscriberContract):
        def engine(self, options, context):
            return MyTranscriber(MyTranscriber.Options(**options), context)

A suite makes its own sounds and store; override ``samples`` where the engine needs real speech.
An engine that is not ready on this machine is skipped, with the reason it gives itself.
"""

from __future__ import annotations

import socket
import threading
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, ClassVar
from unittest import SkipTest
from unittest.mock import patch

import numpy as np

from autodub.engines import roles
from autodub.engines.registry import describe_options, parse
from autodub.engines.roles import EngineContext
from autodub.gateway.cancel import Cancel
from autodub.gateway.work import CallWork
from autodub.infra import codec
from autodub.model.calls import (
    Clone,
    Detect,
    Diarize,
    ListVoices,
    Separate,
    Synthesize,
    Transcribe,
    Translate,
)
from autodub.model.errors import AutodubError, BadOption, Cancelled
from autodub.model.media import Audio
from autodub.model.speech import Line, Voice
from autodub.model.time import Span
from autodub.testing.studio import Samples, Studio, bursts

_RATE = 16_000
_PATIENCE = 20.0  # seconds after which a readiness that should take a moment counts as hung


class EngineContract:
    """What is asked of an engine of any role."""

    role: ClassVar[str]
    protocol: ClassVar[type[Any]]
    verb: ClassVar[str]
    length: ClassVar[int] = 6000
    """Length of the test sound, ms."""
    spans: ClassVar[tuple[Span, ...]] = (Span(500, 2200), Span(2800, 3400), Span(4000, 5600))
    """Where it speaks."""

    @abstractmethod
    def engine(self, options: Mapping[str, str], context: EngineContext) -> Any:
        """The engine under test, with these options."""

    @abstractmethod
    def request(self, studio: Studio) -> Any:
        """A request that any engine of the role can answer."""

    @abstractmethod
    def small(self, studio: Studio) -> Any:
        """The smallest sensible request: one word, one short sound."""

    def samples(self) -> Samples:
        """The test sound, 16 kHz mono, with speech in ``spans``."""
        return bursts(self.spans, length=self.length)

    def speech(self, studio: Studio) -> Audio:
        """The test sound in the store."""
        return studio.audio(self.samples(), _RATE)

    @contextmanager
    def ready(self) -> Iterator[tuple[Studio, Any]]:
        """A studio and the engine; skips the test where the engine cannot run."""
        with Studio() as studio:
            engine = self.engine({}, studio.context)
            readiness = engine.readiness()
            if readiness.state != "ready":
                raise SkipTest(f"{engine.describe().name}: {readiness.state}: {readiness.detail}")
            yield studio, engine

    def test_it_describes_itself(self) -> None:
        """An engine gives its name, role, version and a line for people, and has its role's verbs."""
        with Studio() as studio:
            engine = self.engine({}, studio.context)
            info = engine.describe()
            assert info.role == self.role
            assert info.name
            assert info.version
            assert info.summary
            assert "\n" not in info.summary
            assert info.lanes >= 1
            assert info.languages is None or all(tag == tag.lower() and tag for tag in info.languages)
            wanted = [name for name in vars(self.protocol) if not name.startswith("_")]
            assert all(
                callable(getattr(engine, name)) for name in wanted if callable(vars(self.protocol)[name])
            )

    def test_its_options_are_described_and_strict(self) -> None:
        """Every option has a description, and an unknown one is refused by name."""
        with Studio() as studio:
            engine = type(self.engine({}, studio.context))
            assert all(option.description for option in describe_options(engine))
            try:
                parse(engine, "engine", {"no_such_option": "1"})
            except BadOption as error:
                assert "no_such_option" in error.message  # noqa: PT017 - this module does without pytest
            else:
                raise AssertionError("an unknown option was accepted")

    def test_readiness_needs_no_network_and_comes_soon(self) -> None:
        """Whether an engine can run is known without a connection, and says how to fix what is missing."""
        with Studio() as studio:
            engine = self.engine({}, studio.context)
            found: list[Any] = []
            thread = threading.Thread(target=lambda: found.append(engine.readiness()), daemon=True)
            with patch.object(socket.socket, "connect", side_effect=AssertionError("it used the network")):
                thread.start()
                thread.join(_PATIENCE)
            assert found, "readiness failed or took too long"
            assert isinstance(found[0], roles.Readiness)
            assert found[0].detail
            assert found[0].state == "ready" or found[0].fix

    def test_it_answers_and_its_answer_is_kept(self) -> None:
        """One call makes one answer, which passes the gateway's checks; the next is read from the store."""
        with self.ready() as (studio, engine):
            request = self.request(studio)
            first = studio.call(engine, self.verb, request)
            assert studio.made(self.verb) == 1
            again = studio.call(self.engine({}, studio.context), self.verb, request)
            assert again == first
            assert studio.made(self.verb) == 1

    def test_its_answer_survives_being_written_down(self) -> None:
        """An answer read back from text is equal to the one that was given."""
        with self.ready() as (studio, engine):
            answer = studio.call(engine, self.verb, self.request(studio))
            assert codec.load(type(answer), codec.dump(answer)) == answer

    def test_it_answers_the_same_again(self) -> None:
        """Two fresh engines give equal answers to one request, so a resumed dub is the same dub."""
        with self.ready() as (one, engine), Studio() as two:
            first = one.call(engine, self.verb, self.request(one))
            second = two.call(self.engine({}, two.context), self.verb, self.request(two))
            assert first == second

    def test_it_survives_the_smallest_request(self) -> None:
        """One word, or one short sound, is answered or refused in words, never a crash."""
        with self.ready() as (studio, engine):
            try:
                studio.call(engine, self.verb, self.small(studio))
            except AutodubError as error:
                assert error.code not in {"unreachable", "bad_answer"}, error  # noqa: PT017 - as above

    def test_it_leaves_what_it_is_given_alone(self) -> None:
        """Files handed to an engine are the same bytes afterwards, and its scratch is cleaned up."""
        with self.ready() as (studio, engine):
            studio.call(engine, self.verb, self.request(studio))
            assert studio.store.blobs.verify() == ()
            session = [path for path in (studio.store.data_dir / "tmp").iterdir() if path.is_dir()]
            assert all(not any(folder.iterdir()) for folder in session)

    def test_it_stops_when_asked(self) -> None:
        """A request to stop that comes while it works ends the call in Cancelled, not in a crash."""
        with self.ready() as (studio, engine):
            request = self.request(studio)
            cancel = Cancel()
            work = CallWork(studio.store.blobs, cancel=cancel, listener=studio.events.append, stage="")
            cancel.request()
            with suppress(Cancelled):  # an engine that never looks up is done before it hears of it
                getattr(engine, self.verb)(request, work)
            work.close()


class DetectorContract(EngineContract):
    """Finds where people speak."""

    role = "detector"
    protocol = roles.Detector
    verb = "detect"

    def request(self, studio: Studio) -> Detect:
        return Detect(self.speech(studio))

    def small(self, studio: Studio) -> Detect:
        return Detect(studio.audio(np.zeros(_RATE // 10, dtype=np.float32), _RATE))


class TranscriberContract(EngineContract):
    """Writes down what is said, in time order."""

    role = "transcriber"
    protocol = roles.Transcriber
    verb = "transcribe"
    language: ClassVar[str] = "en"

    def request(self, studio: Studio) -> Transcribe:
        return Transcribe(self.speech(studio), self.language, self.spans)

    def small(self, studio: Studio) -> Transcribe:
        return Transcribe(self.speech(studio), self.language, self.spans[1:2])

    def test_it_hears_nothing_where_nobody_speaks(self) -> None:
        """Without a span of speech there is nothing to write, which is no error."""
        with self.ready() as (studio, engine):
            silence = studio.audio(np.zeros(2 * _RATE, dtype=np.float32), _RATE)
            answer = studio.call(engine, "transcribe", Transcribe(silence, self.language, ()))
            assert answer.segments == ()


class DiarizerContract(EngineContract):
    """Tells speakers apart."""

    role = "diarizer"
    protocol = roles.Diarizer
    verb = "diarize"

    def request(self, studio: Studio) -> Diarize:
        return Diarize(self.speech(studio), self.spans)

    def small(self, studio: Studio) -> Diarize:
        return Diarize(self.speech(studio), self.spans[1:2])

    def test_one_speaker_stays_one(self) -> None:
        """Told that one person speaks, it names exactly one speaker (R24)."""
        with self.ready() as (studio, engine):
            answer = studio.call(engine, "diarize", Diarize(self.speech(studio), self.spans, speakers=1))
            assert len({turn.speaker for turn in answer.turns}) == 1


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


class SeparatorContract(EngineContract):
    """Takes the voice out of a mix."""

    role = "separator"
    protocol = roles.Separator
    verb = "separate"
    rate: ClassVar[int] = 44_100

    def mix(self, studio: Studio) -> Audio:
        """The test speech over a steady chord, stereo float32 at 44.1 kHz."""
        voice = bursts(self.spans, length=self.length, rate=self.rate)
        clock = np.arange(len(voice)) / self.rate
        chord = sum(np.sin(2 * np.pi * pitch * clock) for pitch in (220.0, 277.2, 329.6)) * 0.05
        both = np.stack([voice + chord, voice + 0.8 * chord], axis=1).astype(np.float32)
        return studio.audio(both, self.rate, layout="stereo", subtype="FLOAT")

    def request(self, studio: Studio) -> Separate:
        return Separate(self.mix(studio), self.spans)

    def small(self, studio: Studio) -> Separate:
        short = np.full((self.rate // 20, 1), 0.01, dtype=np.float32)
        return Separate(studio.audio(short, self.rate, subtype="FLOAT"), (Span(0, 50),))

    def test_speech_is_hushed(self) -> None:
        """Where people speak, the background is quieter than the mix."""
        with self.ready() as (studio, engine):
            mix = self.mix(studio)
            bed = studio.call(engine, "separate", Separate(mix, self.spans)).background
            before, after = studio.samples(mix), studio.samples(bed)
            inside = slice(*(round(edge * self.rate / 1000) for edge in (700, 2000)))
            assert np.mean(after[inside] ** 2) < 0.8 * np.mean(before[inside] ** 2)


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
            low = studio.audio(bursts(self.spans, length=self.length, pitch=95.0), _RATE)
            high = studio.audio(bursts(self.spans, length=self.length, pitch=230.0), _RATE)
            voices = [
                studio.call(engine, "clone", Clone(self.base(), speech, self.spans, "S1"))
                for speech in (low, high)
            ]
            assert voices[0] != voices[1]
