"""What is and is not part of an answer's identity."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from autodub.engines.elevenlabs import ElevenLabs
from autodub.engines.elevenlabs_options import ElevenLabsOptions
from autodub.engines.roles import EngineContext, EngineOptions
from autodub.gateway import keys
from autodub.model.calls import ListVoices, Synthesize, Transcribe
from autodub.model.media import Audio, Blob
from autodub.model.speech import Speech, Tone, Transcript
from autodub.model.time import Span
from autodub.testing.fakes import FakeSynthesizer, FakeTranscriber, FakeTranslator
from autodub.testing.script import Script

_AUDIO = Audio(Blob("a" * 64, 100, ".wav"), 16_000, 1, 16_000)


def _key(request, engine=None):
    return keys.key(engine or FakeSynthesizer(), "synthesize", request)


def test_the_same_request_has_the_same_key(say):
    """Values built apart, defaults written out or left out, a whole number or its float: one key (R21)."""
    plain = _key(say())
    assert plain == _key(say(rate=1.0)) == _key(say(rate=1))
    assert plain == _key(replace(say(), text="hola"))


@pytest.mark.parametrize(
    "change",
    [
        {"text": "adiós"},
        {"rate": 1.1},
        {"id": "fake-2"},
        {"engine": "other"},
        {"language": "fr"},
        {"pitch": 121.0},
        {"pace": 1.01},
        {"tone": Tone(120.0, 2.0, (0.0,) * 20)},
        {"reference": _AUDIO},
        {"reference": replace(_AUDIO, blob=Blob("b" * 64, 100, ".wav"))},
    ],
)
def test_whatever_changes_the_sound_changes_the_key(say, change):
    """Text, rate, voice, its pitch, tone and reference are all part of the identity (R17, R18)."""
    request = say()
    if change.keys() & {"text", "rate"}:
        other = replace(request, **change)
    else:
        other = replace(request, voice=replace(request.voice, **change))
    assert _key(other) != _key(request)


def test_references_of_two_speakers_are_two_keys(say):
    """The same text in voices cloned from two samples is spoken twice (R17)."""
    one, two = (
        replace(say(), voice=replace(say().voice, reference=replace(_AUDIO, blob=Blob(d * 64, 100, ".wav"))))
        for d in "ab"
    )
    assert _key(one) != _key(two)


def test_name_version_role_and_options_change_the_key(say):
    """Another engine, another version of it, or another option never answers for this one (R18)."""

    class Newer(FakeSynthesizer):
        @classmethod
        def describe(cls):
            return replace(FakeSynthesizer.describe(), version="2")

    class Other(FakeSynthesizer):
        @classmethod
        def describe(cls):
            return replace(FakeSynthesizer.describe(), name="other")

    finer = FakeSynthesizer(FakeSynthesizer.Options(rate=48_000))
    engines = [FakeSynthesizer(), Newer(), Other(), finer]
    assert len({_key(say(), engine) for engine in engines}) == 4


def test_what_does_not_change_the_answer_does_not_change_the_key(say):
    """Summary, lanes, a written-out default option and a test script are not identity."""

    class Wider(FakeSynthesizer):
        @classmethod
        def describe(cls):
            return replace(FakeSynthesizer.describe(), lanes=16, summary="other words", paid=True)

    default = FakeSynthesizer.Options(rate=22_050)
    for engine in (Wider(), FakeSynthesizer(default), FakeSynthesizer(script=Script(delay=3.0))):
        assert _key(say(), engine) == _key(say())


def test_a_verb_is_not_another_verb():
    """Equal requests to two verbs are two identities."""
    request = ListVoices("es")
    assert keys.key(FakeSynthesizer(), "list_voices", request) != keys.key(
        FakeSynthesizer(), "other", request
    )


def test_context_given_to_a_transcriber_counts():
    """Language, spans and a subtitle file belong to a transcription's identity."""
    plain = Transcribe(_AUDIO, "en", (Span(0, 500),))
    others = [
        replace(plain, language=None),
        replace(plain, spans=(Span(0, 501),)),
        replace(plain, subtitles=Blob("c" * 64, 5, ".srt")),
        replace(plain, offset=1),
    ]
    made = {keys.key(FakeTranscriber(), "transcribe", request) for request in (plain, *others)}
    assert len(made) == 5


def test_answer_types_are_known_or_annotated():
    """A role's verb answers its role's type; a verb of one's own must say so."""

    class Own:
        def render(self, request, work) -> "Speech": ...

        def vague(self, request, work): ...

    assert keys.answer_type(FakeTranscriber(), "transcribe") is Transcript
    assert keys.answer_type(Own(), "render") is Speech
    with pytest.raises(TypeError, match="needs a return annotation"):
        keys.answer_type(Own(), "vague")


def test_files_named_anywhere_in_a_value_are_found_once():
    """Blobs are collected through nested values, without repeats."""
    voice = FakeSynthesizer().list_voices(ListVoices("es"), None).voices[0]
    request = Synthesize("a", replace(voice, reference=_AUDIO))
    assert keys.blobs((request, [request], _AUDIO)) == (_AUDIO.blob,)
    assert keys.blobs(FakeTranslator.describe()) == ()


class _Offering(FakeSynthesizer):
    """One whose options say which voices it offers, and how it speaks."""

    class Options(EngineOptions):
        offered: str = ""
        depth: float = 0.5
        serving: ClassVar[Mapping[str, frozenset[str]]] = {"offered": frozenset({"list_voices"})}


def test_which_voices_are_offered_changes_no_line_that_is_spoken(say):
    """Another voice on the list makes another list, and no line is paid for again."""
    chosen = ({}, {"offered": "x"}, {"depth": 1})
    one, two, deeper = (_Offering(_Offering.Options(**options)) for options in chosen)
    assert _key(say(), one) == _key(say(), two) != _key(say(), deeper)
    lists = [keys.key(engine, "list_voices", ListVoices("es")) for engine in (one, two, deeper)]
    assert len(set(lists)) == 3


def test_the_voices_on_offer_are_no_part_of_what_elevenlabs_says(say):
    """Naming voices to cast pays for no line again; another stability does."""
    context = EngineContext({"ELEVENLABS_API_KEY": "a-key-of-tests"}, Path("/nowhere"))
    plain, named, calmer = (
        _key(say(), ElevenLabs(ElevenLabsOptions(**options), context))
        for options in ({}, {"voices": "one,two", "clones": True, "own_prefix": "x"}, {"stability": 0.9})
    )
    assert plain == named != calmer
