"""Contracts of the roles that listen: detector, transcriber, diarizer, separator."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from autodub.engines import roles
from autodub.model.calls import Detect, Diarize, Separate, Transcribe
from autodub.model.media import Audio
from autodub.model.time import Span
from autodub.testing.contracts.engine import RATE, EngineContract
from autodub.testing.studio import Studio, bursts


class DetectorContract(EngineContract):
    """Finds where people speak."""

    role = "detector"
    protocol = roles.Detector
    verb = "detect"

    def request(self, studio: Studio) -> Detect:
        return Detect(self.speech(studio))

    def small(self, studio: Studio) -> Detect:
        return Detect(studio.audio(np.zeros(RATE // 10, dtype=np.float32), RATE))


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
            silence = studio.audio(np.zeros(2 * RATE, dtype=np.float32), RATE)
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
