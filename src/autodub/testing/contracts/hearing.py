"""Contracts of the roles that take sound in: downloader, detector, transcriber, diarizer, separator."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import ClassVar

import numpy as np

from autodub.engines import roles
from autodub.gateway import keys
from autodub.media import sound
from autodub.model.calls import Detect, Diarize, Download, Separate, Transcribe
from autodub.model.errors import RequestError
from autodub.model.media import Audio
from autodub.model.time import Span
from autodub.testing.contracts.engine import RATE, EngineContract
from autodub.testing.studio import Samples, Studio, bursts


class DownloaderContract(EngineContract):
    """Hands over a source: what is in it, and what its bytes are."""

    role = "downloader"
    protocol = roles.Downloader
    verb = "download"

    def address(self, studio: Studio, samples: Samples) -> str:
        """Where these samples (16 kHz mono) can be had as a file; a path of this machine by default."""
        path = studio.folder / "my clip.wav"
        sound.store(samples, RATE, path)
        return str(path)

    def request(self, studio: Studio) -> Download:
        return Download(self.address(studio, self.samples()))

    def small(self, studio: Studio) -> Download:
        return Download(self.address(studio, self.samples()[: RATE // 10]))

    def test_it_answers_the_same_again(self) -> None:
        """Two fresh engines find the same bytes and the same streams in one file."""
        with self.ready() as (studio, engine):
            request = self.request(studio)
            first = studio.call(engine, "download", request)
            with Studio() as other:
                second = other.call(self.engine({}, other.context), "download", request)
            assert (second.digest, second.info) == (first.digest, first.info)

    def test_it_leaves_the_source_alone(self) -> None:
        """Bytes and modification time of the source are as before, and its digest is theirs (R23)."""
        with self.ready() as (studio, engine):
            request = self.request(studio)
            source = studio.call(engine, "download", request)
            path = Path(source.path)
            before = (path.read_bytes(), path.stat().st_mtime_ns)
            studio.store.forget(keys.key(engine, "download", request))
            studio.call(engine, "download", request)
            assert (path.read_bytes(), path.stat().st_mtime_ns) == before
            assert source.digest == sha256(before[0]).hexdigest()

    def test_what_is_not_there_is_the_users_to_fix(self) -> None:
        """A missing file is refused in words, with a hint."""
        with self.ready() as (studio, engine):
            try:
                studio.call(engine, "download", Download(str(studio.folder / "nothing here.mp4")))
            except RequestError as error:
                assert error.hint  # noqa: PT017 - this module does without pytest
            else:
                raise AssertionError("it found a file that is not there")


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
