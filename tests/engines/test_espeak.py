"""espeak-ng as synthesizer."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from autodub.engines.espeak import Espeak, EspeakOptions
from autodub.engines.espeak_voices import LANGUAGES, VARIANTS, pitch_factor, pitch_setting, speed_for
from autodub.media import tone
from autodub.media.pitch import pitch_of
from autodub.model.calls import ListVoices, Synthesize
from autodub.model.errors import EngineCannot, Gone, Rejected
from autodub.model.language import Language
from autodub.model.speech import Speech, Tone, Voice
from autodub.testing.studio import Studio

SENTENCE = "El sol salió por encima de las montañas, y los pájaros empezaron a cantar."
SPANISH = Voice("espeak", "standard", "es", "male")


@pytest.fixture(scope="module")
def studio() -> Iterator[Studio]:
    """A place to call the engine."""
    with Studio() as made:
        yield made


@pytest.fixture(scope="module")
def engine(studio: Studio) -> Espeak:
    """The engine with its own options."""
    return Espeak(EspeakOptions(), studio.context)


def speak(
    studio: Studio, engine: Espeak, text: str, voice: Voice = SPANISH, rate: float = 1.0
) -> tuple[np.ndarray, int]:
    """Samples and sample rate of a spoken text."""
    made: Speech = studio.call(engine, "synthesize", Synthesize(text, voice, rate))
    return studio.samples(made.audio)[:, 0], made.audio.rate


def length(samples: np.ndarray, rate: int) -> float:
    """Seconds from the first to the last audible sample."""
    heard = np.flatnonzero(np.abs(samples) > 0.01 * np.abs(samples).max())
    return float(heard[-1] - heard[0]) / rate


def test_there_are_many_voices_of_both_genders(studio: Studio, engine: Espeak) -> None:
    """At least a dozen for any language, genders in turn, each at a height of its own."""
    voices = studio.call(engine, "list_voices", ListVoices("es")).voices
    assert len(voices) >= 12
    assert {v.gender for v in voices[:2]} == {"male", "female"}
    assert len({(v.gender, v.pitch) for v in voices}) == len(voices)
    assert all(v.language == "es" and v.engine == "espeak" for v in voices)


def test_the_voices_are_distinct(studio: Studio, engine: Espeak) -> None:
    """The first dozen differ from each other by a semitone or three decibels of spectrum."""
    voices = studio.call(engine, "list_voices", ListVoices("es")).voices[:12]
    tones = [tone.tone_of(*speak(studio, engine, SENTENCE, voice)) for voice in voices]
    for i, a in enumerate(tones):
        for b in tones[:i]:
            assert a is not None
            assert b is not None
            apart = tone.likeness(a, b)
            assert abs(apart.pitch_error) >= 1 or apart.spectrum >= 3


@pytest.mark.parametrize("variant", ["standard", "f2", "m8", "Annie"])
def test_a_voice_speaks_at_its_pitch(studio: Studio, engine: Espeak, variant: str) -> None:
    """The pitch of a voice is what is heard, within a semitone."""
    voice = next(v for v in studio.call(engine, "list_voices", ListVoices("es")).voices if v.id == variant)
    found = pitch_of(*speak(studio, engine, SENTENCE, voice))
    assert found is not None
    assert voice.pitch is not None
    assert abs(12 * np.log2(found.mean / voice.pitch)) < 1


@pytest.mark.parametrize("rate", [0.7, 0.85, 0.95, 1.05, 1.2, 1.5])
@pytest.mark.parametrize("variant", ["standard", "f2"])
def test_length_scales_exactly_with_the_rate(
    studio: Studio, engine: Espeak, variant: str, rate: float
) -> None:
    """Twice as fast is half as long, within 2 %."""
    voice = replace(SPANISH, id=variant)
    natural = length(*speak(studio, engine, SENTENCE, voice))
    assert length(*speak(studio, engine, SENTENCE, voice, rate)) * rate == pytest.approx(natural, rel=0.02)


def test_pace_multiplies_the_rate(studio: Studio, engine: Espeak) -> None:
    """A quick voice at rate 1 is as quick as a normal one at that rate."""
    quick = length(*speak(studio, engine, SENTENCE, replace(SPANISH, pace=1.1)))
    assert quick == pytest.approx(length(*speak(studio, engine, SENTENCE, SPANISH, 1.1)), rel=0.001)


def test_equal_requests_give_equal_samples(studio: Studio) -> None:
    """Two engines, one answer."""
    made = []
    for _ in range(2):
        with Studio() as fresh:
            made.append(speak(fresh, Espeak(EspeakOptions(), fresh.context), SENTENCE, rate=1.1)[0])
    assert np.array_equal(*made)


@pytest.mark.parametrize("text", ["", "   ", "...", "—", "[[]]", "\x00\x01"])
def test_nothing_to_say_is_rejected(studio: Studio, engine: Espeak, text: str) -> None:
    """Silence is not an answer."""
    with pytest.raises(Rejected):
        speak(studio, engine, text)


@pytest.mark.parametrize(
    "text",
    [
        "-x --help",
        "--stdout",
        "[[h@l@U]] hola",
        "<speak><break time='9s'/>hola</speak>",
        "a\nb\0c",
        "$(true) `id` ; ls",
    ],
)
def test_text_is_only_text(studio: Studio, engine: Espeak, text: str) -> None:
    """Options, phoneme codes, markup and shell signs are never obeyed."""
    samples, rate = speak(studio, engine, text)
    assert 0.05 < length(samples, rate) < 6


def test_phoneme_codes_are_not_obeyed(studio: Studio, engine: Espeak) -> None:
    """Double brackets change nothing: the letters inside are read."""
    assert np.array_equal(speak(studio, engine, "[[hola]]")[0], speak(studio, engine, "hola")[0])


def test_an_unknown_voice_is_gone(studio: Studio, engine: Espeak) -> None:
    """A variant that does not exist, or is no name at all, is an error that says so."""
    for name in ("nobody", "../es", "f2 -w /tmp/x"):
        with pytest.raises(Gone, match="no voice"):
            speak(studio, engine, "hola", replace(SPANISH, id=name))


def test_a_language_without_voice_is_refused(studio: Studio, engine: Espeak) -> None:
    """Tibetan is known to Autodub and not to espeak-ng."""
    with pytest.raises(EngineCannot, match="Tibetan"):
        studio.call(engine, "list_voices", ListVoices("bo"))


@pytest.mark.parametrize(
    "tag",
    ["en", "en-GB", "es-419", "es-MX", "pt-BR", "pt-PT", "zh", "zh-HK", "no", "nn", "fr-CA", "ca-valencia"],
)
def test_tags_find_their_voice(studio: Studio, engine: Espeak, tag: str) -> None:
    """Regions and other names for a language are understood."""
    assert studio.call(engine, "list_voices", ListVoices(tag)).voices


def test_regions_speak_differently(studio: Studio, engine: Espeak) -> None:
    """Latin American Spanish has no lisp: the same text gives other samples."""
    spain = speak(studio, engine, "cinco zapatos", SPANISH)[0]
    mexico = speak(studio, engine, "cinco zapatos", replace(SPANISH, language="es-MX"))[0]
    assert len(spain) != len(mexico) or not np.array_equal(spain, mexico)


def test_all_its_languages_are_known() -> None:
    """Every language it declares is one of Autodub's."""
    assert {Language(tag).primary for tag in LANGUAGES} == set(LANGUAGES)


def test_a_matched_voice_comes_near_the_speaker(studio: Studio, engine: Espeak) -> None:
    """Pitch within half a semitone, spread within 40 %, spectrum at less than two thirds of the distance."""
    bands = tuple(float(b) for b in np.linspace(6, -6, 20))
    wanted = Tone(115.0, 2.0, bands)
    matched = replace(SPANISH, tone=wanted, pitch=wanted.pitch)
    before = tone.tone_of(*speak(studio, engine, SENTENCE))
    after = tone.tone_of(*speak(studio, engine, SENTENCE, matched))
    assert before is not None
    assert after is not None
    near, far = tone.likeness(after, wanted), tone.likeness(before, wanted)
    assert abs(near.pitch_error) < 0.75
    assert 0.6 < near.spread_ratio < 1.4
    assert near.spectrum < 0.67 * far.spectrum


def test_matching_beyond_its_reach_uses_the_vocoder(studio: Studio, engine: Espeak) -> None:
    """A pitch espeak-ng cannot set itself is approached further afterwards, with the length kept."""
    wanted = Tone(52.0 * 4, 1.5, (0.0,) * 20)
    matched = replace(SPANISH, tone=wanted, pitch=wanted.pitch)
    samples, rate = speak(studio, engine, SENTENCE, matched)
    found = pitch_of(samples, rate)
    assert found is not None
    assert abs(12 * np.log2(found.mean / wanted.pitch)) < 1.5


def test_settings_follow_the_measured_curves() -> None:
    """Faster is shorter, higher is higher, and what cannot be set is clipped."""
    assert speed_for(1.0, 200) == pytest.approx(200)
    assert speed_for(0.7, 200) > 250 > 150 > speed_for(1.4, 200)
    assert (pitch_setting(1.0), pitch_setting(9.0), pitch_setting(0.1)) == (50, 99, 0)
    assert pitch_factor(pitch_setting(1.3)) == pytest.approx(1.3, rel=0.02)
    assert len({v.id for v in VARIANTS}) == len(VARIANTS)


def test_options_are_bounded() -> None:
    """Nonsense options are refused when they are set."""
    for bad in ({"words_per_minute": 9999}, {"amplitude": 0}, {"nothing": 1}):
        with pytest.raises(ValidationError):
            EspeakOptions(**bad)


def test_the_version_is_that_of_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An upgrade of espeak-ng makes another version, so that old speech is not answered for new."""
    program = tmp_path / "espeak-ng"
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    versions = []
    for at, number in enumerate(("1.51", "1.52.0")):
        program.write_text(f"#!/bin/sh\necho 'eSpeak NG text-to-speech: {number}  Data at: /x'\n")
        program.chmod(0o755)
        os.utime(program, (at, at))
        versions.append(Espeak.describe().version)
    assert [version.split("+")[1] for version in versions] == ["espeak-ng-1.51", "espeak-ng-1.52.0"]
    program.write_text("not a program")
    os.utime(program, (7, 7))
    assert Espeak.describe().version.endswith("+espeak-ng-unknown")
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    assert Espeak.describe().version.endswith("+espeak-ng-none")
