"""Nonsense of every verb is noticed, and sensible answers pass."""

from dataclasses import replace

import numpy as np
import pytest
import soundfile

from autodub.gateway.check import CHECKS, Nonsense, check
from autodub.gateway.keys import ANSWERS
from autodub.model.calls import (
    Clone,
    Detect,
    Diarize,
    Download,
    ListVoices,
    Separate,
    Spans,
    Synthesize,
    Transcribe,
    Translate,
)
from autodub.model.media import Audio, MediaInfo, Source, Stems
from autodub.model.speech import (
    Line,
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
from autodub.testing.studio import Studio, voiced

_NAN = float("nan")


@pytest.fixture(scope="module")
def studio():
    """A store shared by the tests of this file."""
    with Studio() as studio:
        yield studio


@pytest.fixture(scope="module")
def ten(studio):
    """Ten seconds of sound."""
    return studio.audio(voiced(160_000, rate=16_000, pitch=150.0), 16_000)


def _raw(studio, samples):
    """A sound written by a library that does not mind what the samples are."""
    with studio.store.blobs.scratch() as scratch:
        path = scratch / "raw.wav"
        soundfile.write(path, samples, 16_000, subtype="FLOAT")
        blob = studio.store.blobs.keep(path)
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    return Audio(blob, 16_000, channels, len(samples))


def _refused(studio, verb, request, result, why):
    with pytest.raises(Nonsense, match=why):
        check(verb, request, result, studio.store.blobs)


def test_every_verb_of_every_role_is_checked():
    """No role's answers go into the store unlooked at."""
    assert CHECKS.keys() == ANSWERS.keys()


def _segment(start, end, text="Hello there.", words=()):
    return Segment(Span(start, end), text, words)


@pytest.mark.parametrize(
    ("transcript", "why"),
    [
        (Transcript("", ()), "language"),
        (Transcript("en", (_segment(0, 11_500),)), "outside"),
        (Transcript("en", (_segment(2000, 3000), _segment(1000, 1500))), "out of order"),
        (Transcript("en", (_segment(0, 1000, "  "),)), "blank segment"),
        (Transcript("en", (_segment(0, 9000, "word " * 400),)), "more text"),
        (Transcript("en", (_segment(0, 900, words=(Word("", Span(0, 9)),)),)), "blank word"),
        (
            Transcript("en", (_segment(0, 900, words=(Word("a", Span(5, 9)), Word("b", Span(1, 4)))),)),
            "order",
        ),
        (Transcript("en", (_segment(0, 900, words=(Word("a", Span(0, 9), 1.5),)),)), "confidence"),
        (Transcript("en", (_segment(0, 900, words=(Word("a", Span(20_000, 20_001)),)),)), "outside"),
    ],
)
def test_transcripts(studio, ten, transcript, why):
    """Words and segments lie inside the sound, in order, with text a person can speak."""
    request = Transcribe(ten, None, ())
    _refused(studio, "transcribe", request, transcript, why)
    words = (Word("Hello", Span(0, 400), 0.5), Word("there.", Span(400, 900), None))
    fine = Transcript("en", (_segment(0, 900, words=words), _segment(500, 10_400)))
    check("transcribe", request, fine, studio.store.blobs)


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ((Translation("L1", (Wording("Uno"),)),), "one translation per line"),
        ((Translation("L2", (Wording("Dos"),)), Translation("L1", (Wording("Uno"),))), "in order"),
        ((Translation("L1", ()), Translation("L2", (Wording("Dos"),))), "without a wording"),
        ((Translation("L1", (Wording(" "),)), Translation("L2", (Wording("Dos"),))), "blank"),
        ((Translation("L1", (Wording("U\x00o"),)), Translation("L2", (Wording("Dos"),))), "control"),
        ((Translation("L1", (Wording("U" * 500),)), Translation("L2", (Wording("Dos"),))), "far longer"),
        ((Translation("L1", (Wording("Uno", 2.0),)), Translation("L2", (Wording("Dos"),))), "loss"),
    ],
)
def test_translations(studio, answers, why):
    """Every line asked for has its wordings, in order, and none is blank (R26)."""
    lines = (Line("L1", Span(0, 900), "One", "S1"), Line("L2", Span(1000, 1900), "Two", "S1"))
    request = Translate(lines, "en", "es")
    _refused(studio, "translate", request, Translations(answers), why)
    fine = tuple(Translation(line.id, (Wording("Sí"), Wording("Bueno, sí", 0.3))) for line in lines)
    check("translate", request, Translations(fine), studio.store.blobs)


@pytest.mark.parametrize(
    ("samples", "why"),
    [
        (np.zeros(16_000, dtype=np.float32), "silent"),
        (np.full(16_000, _NAN, dtype=np.float32), "not numbers"),
        (np.full(16_000, np.inf, dtype=np.float32), "not numbers"),
        (voiced(16_000 * 30, rate=16_000, pitch=100), "30 s of speech for 4 characters"),
        (voiced(16_000, rate=16_000, pitch=100)[:, None].repeat(2, axis=1), "mono"),
        (np.zeros(0, dtype=np.float32), "no sound"),
    ],
)
def test_speech(studio, samples, why):
    """Speech is audible, finite, mono, and not absurdly long for its text."""
    request = Synthesize("hola", Voice("fake", "v", "es"))
    audio = _raw(studio, samples)
    _refused(studio, "synthesize", request, Speech(audio), why)
    fine = studio.audio(voiced(8000, rate=16_000, pitch=100), 16_000)
    check("synthesize", request, Speech(fine), studio.store.blobs)


def test_text_without_a_letter_may_be_silent(studio):
    """An ellipsis has nothing to say, so silence is its right answer."""
    request = Synthesize("…", Voice("fake", "v", "es"))
    silence = Speech(studio.audio(np.zeros(800, dtype=np.float32), 16_000))
    check("synthesize", request, silence, studio.store.blobs)


def test_a_sound_that_is_not_what_it_is_said_to_be(studio, ten):
    """Rate, channels and length are compared with the file, and a file that is no sound is refused."""
    request = Synthesize("hola a todos los que están aquí", Voice("fake", "v", "es"))
    _refused(studio, "synthesize", request, Speech(replace(ten, rate=8000)), "not what it is said")
    _refused(studio, "synthesize", request, Speech(replace(ten, frames=9)), "not what it is said")
    text = replace(ten, blob=studio.file(b"not a sound", ".wav"))
    _refused(studio, "synthesize", request, Speech(text), "cannot be read")


def test_stems(studio, ten):
    """The background has the mix's rate, channels and length, and only numbers in it."""
    request = Separate(ten, ())
    _refused(studio, "separate", request, Stems(replace(ten, frames=1)), "differs from the mix")
    bad = _raw(studio, np.full(160_000, _NAN, dtype=np.float32))
    _refused(studio, "separate", request, Stems(bad), "not numbers")
    check("separate", request, Stems(ten), studio.store.blobs)


@pytest.mark.parametrize(
    ("spans", "why"),
    [
        ((Span(0, 12_000),), "outside"),
        ((Span(-5, 10),), "outside"),
        ((Span(500, 600), Span(0, 100)), "out of order"),
        ((Span(0, 600), Span(500, 700)), "overlap"),
    ],
)
def test_spans(studio, ten, spans, why):
    """Speech lies inside the sound, sorted and disjoint."""
    _refused(studio, "detect", Detect(ten), Spans(spans), why)
    check("detect", Detect(ten), Spans((Span(0, 100), Span(100, 10_000))), studio.store.blobs)


def test_turns(studio, ten):
    """Turns lie inside the sound, in order, each with a speaker; they may overlap."""
    request = Diarize(ten, ())
    _refused(studio, "diarize", request, Turns((Turn(Span(0, 99_000), "A"),)), "outside")
    _refused(studio, "diarize", request, Turns((Turn(Span(0, 900), " "),)), "without a speaker")
    _refused(studio, "diarize", request, Turns((Turn(Span(9, 10), "A"), Turn(Span(0, 9), "B"))), "order")
    check("diarize", request, Turns((Turn(Span(0, 900), "A"), Turn(Span(500, 950), "B"))), studio.store.blobs)


def test_voices(studio, ten):
    """Voices have ids of their own and a pace somebody could speak at."""
    one, base = Voice("fake", "a", "es"), Voice("fake", "b", "es")
    _refused(studio, "list_voices", ListVoices("es"), Voices((one, one)), "two voices")
    _refused(studio, "list_voices", ListVoices("es"), Voices((replace(one, id=""),)), "without an id")
    request = Clone(base, ten, (), "S1")
    _refused(studio, "clone", request, replace(one, id=" "), "without an id")
    _refused(studio, "clone", request, replace(one, pace=99.0), "pace")
    check("clone", request, replace(one, reference=ten), studio.store.blobs)


def test_sources(studio, tmp_path):
    """A source is a file that is there, with a digest."""
    path = tmp_path / "a.mp4"
    path.write_bytes(b"x")
    info = MediaInfo("mp4", 1000, (), (), ())
    source = Source(str(path), "a" * 64, info, "a")
    check("download", Download("a"), source, studio.store.blobs)
    _refused(studio, "download", Download("a"), replace(source, digest="?"), "digest")
    _refused(studio, "download", Download("a"), replace(source, path="/no/such/file"), "not there")
    _refused(
        studio, "download", Download("a"), replace(source, info=replace(info, duration=-1)), "below zero"
    )
