"""The weights-free diarizer on real voices."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from autodub.engines.clustering import Clustering, ClusteringOptions
from autodub.engines.roles import EngineContext
from autodub.media import sound
from autodub.media.trim import trim
from autodub.media.voice_activity import detect
from autodub.model.calls import Diarize
from autodub.model.errors import EngineCannot
from autodub.model.speech import Turn, Turns
from autodub.model.time import Span
from autodub.quality.diarization import DiarizationScore, read_rttm, score
from autodub.testing.contracts import DiarizerContract
from autodub.testing.studio import Studio

Samples = npt.NDArray[np.float32]
RATE = 16_000
LIBRIVOX = Path("/usr/share/pocketsphinx/test/data/librivox")
MEDIA = Path(__file__).parents[3] / "shared" / "media"

TEXTS = (
    "The old clock on the wall had stopped years ago.",
    "When my brother came home from the city, he looked at it and laughed.",
    "Time does not matter much in a place like this.",
    "We sat together at the kitchen table and talked about the harvest.",
    "First you press the green button on the left side.",
    "Then you wait until the light turns blue.",
    "After that you can open the door and put the clothes inside.",
    "Please do not use too much soap, because it makes a terrible mess.",
)


class TestClustering(DiarizerContract):
    """Clustering keeps the contract of a diarizer."""

    def engine(self, options: Mapping[str, str], context: EngineContext) -> Any:
        return Clustering(ClusteringOptions(**options), context)

    def test_no_speakers_is_refused(self) -> None:
        """A count of zero is the user's mistake."""
        with self.ready() as (studio, engine), pytest.raises(EngineCannot, match="0 speakers"):
            studio.call(engine, "diarize", Diarize(self.speech(studio), self.spans, speakers=0))


def spoken(command: Sequence[str], folder: Path) -> Samples:
    """A clip made by a program, trimmed, 16 kHz, at -25 dB."""
    path = folder / "clip.wav"
    subprocess.run([*command], check=True, capture_output=True)
    samples, rate = sound.load(path)
    return normal(sound.resample(samples[:, 0], rate, RATE))


def normal(samples: Samples) -> Samples:
    """Speech at one level."""
    clip = trim(samples, RATE).samples
    out: Samples = (clip * (0.05 / np.sqrt(np.mean(clip**2)))).astype(np.float32)
    return out


def voice(name: str, folder: Path) -> list[Samples]:
    """The sentences in a voice of flite (``slt``) or espeak-ng (``espeak:en``)."""
    path = str(folder / "clip.wav")
    if name.startswith("espeak:"):
        return [spoken(["espeak-ng", "-v", name[7:], "-w", path, text], folder) for text in TEXTS]
    return [spoken(["flite", "-voice", name, "-t", text, "-o", path], folder) for text in TEXTS]


def programme(plan: Sequence[tuple[str, Samples]]) -> tuple[Samples, list[Turn]]:
    """Clips with pauses of half a second, and who speaks when."""
    rng = np.random.default_rng(0)
    parts: list[Samples] = [np.zeros(RATE // 2, np.float32)]
    at, turns = RATE // 2, []
    for name, clip in plan:
        turns.append(Turn(Span(at // 16, (at + len(clip)) // 16), name))
        parts += [clip, np.zeros(RATE // 2, np.float32)]
        at += len(clip) + RATE // 2
    out = np.concatenate(parts)
    return (out + 1e-5 * rng.standard_normal(len(out))).astype(np.float32), turns


def diarized(samples: Samples, truth: Sequence[Turn], speakers: int | None = None) -> DiarizationScore:
    """Detection and diarization of samples, scored."""
    with Studio() as studio:
        audio = studio.audio(samples, RATE)
        spans = detect(studio.store.blobs.path(audio.blob))
        engine = Clustering(ClusteringOptions(), studio.context)
        answer: Turns = studio.call(engine, "diarize", Diarize(audio, spans, speakers=speakers))
        return score(truth, answer.turns, programme=audio.duration)


@pytest.mark.parametrize("name", ["slt", "rms", "espeak:en", "espeak:en+f3"])
def test_a_synthetic_monologue_is_one_speaker(name: str, tmp_path: Path) -> None:
    """Eight sentences of one synthetic voice are one speaker (R24)."""
    samples, truth = programme([(name, clip) for clip in voice(name, tmp_path)])
    assert diarized(samples, truth).found == 1


def test_a_read_monologue_is_one_speaker() -> None:
    """A man reading five sentences of a novel is one speaker (R24)."""
    if not LIBRIVOX.is_dir():
        pytest.skip("needs the Debian package pocketsphinx-testdata")
    clips = [normal(sound.load(path)[0][:, 0]) for path in sorted(LIBRIVOX.glob("*.wav"))]
    samples, truth = programme([("reader", clip) for clip in clips])
    assert diarized(samples, truth).found == 1


@pytest.mark.parametrize("name", ["jfk.flac", "ljspeech"])
def test_real_monologues_are_one_speaker(name: str) -> None:
    """A speech in a hall, and a woman reading eight sentences, are one speaker each (R24)."""
    if not MEDIA.is_dir():
        pytest.skip("needs the recordings in ../shared/media")
    paths = sorted((MEDIA / name).glob("*.flac"))[:8] if name == "ljspeech" else [MEDIA / name]
    clips = []
    for path in paths:
        samples, rate = sound.load(path)
        clips.append(normal(sound.resample(samples.mean(axis=1), rate, RATE)))
    samples, truth = programme([(name, clip) for clip in clips])
    assert diarized(samples, truth).found == 1


@pytest.mark.parametrize("speakers", [None, 2])
def test_a_dialogue_of_two_voices(speakers: int | None, tmp_path: Path) -> None:
    """A woman and a man in turns are two speakers: DER under 15 %, no second in a wrong voice."""
    women, men = voice("slt", tmp_path), voice("rms", tmp_path)
    plan = [pair for at in range(0, 8, 2) for pair in (("slt", women[at]), ("rms", men[at + 1]))]
    samples, truth = programme(plan)
    result = diarized(samples, truth, speakers)
    assert result.count_error == 0
    assert result.error_rate is not None
    assert result.error_rate < 0.15
    assert result.confusion < 500


def test_two_women_on_the_telephone() -> None:
    """With the count given, two women on one telephone line stay under 25 % DER (overlaps included)."""
    if not MEDIA.is_dir():
        pytest.skip("needs the recordings in ../shared/media")
    samples, rate = sound.load(MEDIA / "two-speakers.wav")
    truth = read_rttm((MEDIA / "two-speakers.rttm").read_text(encoding="utf-8"))
    result = diarized(sound.resample(samples[:, 0], rate, RATE), truth, 2)
    assert result.found == 2
    assert result.error_rate is not None
    assert result.error_rate < 0.25
