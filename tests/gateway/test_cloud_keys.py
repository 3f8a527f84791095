"""What is and is not part of the identity of a cloud engine's answers (R18)."""

from dataclasses import replace
from pathlib import Path

import pytest

from autodub.engines import openai, registry
from autodub.engines.roles import EngineContext
from autodub.gateway import keys
from autodub.model.calls import Budget, Clone, Download, Draft, ListVoices, Synthesize, Transcribe, Translate
from autodub.model.media import Audio, Blob
from autodub.model.speech import Hint, Line, Style, Term, Voice
from autodub.model.time import Span

_SECRETS = {
    name: f"{name.lower()}-1" for name in ("DEEPGRAM_API_KEY", "OPENAI_API_KEY", "ELEVENLABS_API_KEY")
}
_SOUND = Audio(Blob("a" * 64, 100, ".wav"), 16_000, 1, 16_000)
_OTHER = replace(_SOUND, blob=Blob("b" * 64, 100, ".wav"))
_VOICE = Voice("elevenlabs", "Lb1", "es", "female")
_LINE = Line("1", Span(0, 2000), "Good morning, Anna.", "S1")
_REQUESTS = {
    "transcribe": Transcribe(_SOUND, "en", (Span(0, 500),)),
    "translate": Translate((_LINE,), "en", "es"),
    "synthesize": Synthesize("Hola.", _VOICE),
    "list_voices": ListVoices("es"),
    "clone": Clone(_VOICE, _SOUND, (Span(0, 500),), "S1", _SOUND),
    "download": Download("https://example.org/talk"),
}
_ENGINES = {
    "transcribe": ("transcriber", "deepgram"),
    "translate": ("translator", "openai"),
    "synthesize": ("synthesizer", "elevenlabs"),
    "list_voices": ("synthesizer", "elevenlabs"),
    "clone": ("cloner", "elevenlabs"),
    "download": ("downloader", "ytdlp"),
}


def key(verb, *, request=None, secrets=None, endpoints=None, **options):
    """The identity of a verb's answer."""
    context = EngineContext({**_SECRETS, **(secrets or {})}, Path("/nowhere"), endpoints=endpoints or {})
    engine = registry.build(*_ENGINES[verb], options, context)
    return keys.key(engine, verb, request or _REQUESTS[verb])


@pytest.mark.parametrize(
    ("verb", "options"),
    [
        ("transcribe", {"model": "nova-2"}), ("transcribe", {"diarize_model": "v1"}),
        ("transcribe", {"multilingual": "true"}), ("transcribe", {"utt_split": "1.1"}),
        ("transcribe", {"smart_format": "false"}), ("transcribe", {"codec": "opus"}),
        ("translate", {"model": "gpt-6.1-terra"}), ("translate", {"effort": "low"}),
        ("translate", {"temperature": "0.5"}), ("translate", {"seed": "8"}),
        ("translate", {"structured": "json"}),
        ("synthesize", {"model_id": "eleven_v3"}), ("synthesize", {"seed": "2"}),
        ("synthesize", {"stability": "0.6"}), ("synthesize", {"style": "0.1"}),
        ("synthesize", {"output_rate": "16000"}), ("synthesize", {"text_normalization": "on"}),
        ("synthesize", {"stitch": "false"}), ("synthesize", {"use_speaker_boost": "false"}),
        ("list_voices", {"voices": "Lb1:female"}), ("list_voices", {"clones": "true"}),
        ("clone", {"remove_background_noise": "on"}), ("download", {"height": "480"}),
    ],
)  # fmt: skip
def test_an_option_that_changes_the_answer_changes_the_key(verb, options):
    """Model, seed, normaliser and every other option that can be heard or read are part of the identity."""
    assert key(verb, **options) != key(verb)


@pytest.mark.parametrize(
    ("verb", "options"),
    [
        ("transcribe", {"timeout": "60"}), ("translate", {"timeout": "30"}), ("translate", {"lanes": "3"}),
        ("synthesize", {"timeout": "30"}), ("synthesize", {"lanes": "3"}), ("clone", {"timeout": "30"}),
        ("download", {"timeout": "30"}), ("download", {"rate_limit": "50000"}),
    ],
)  # fmt: skip
def test_how_long_and_how_many_at_once_changes_nothing(verb, options):
    """Patience, lanes and speed are no reason to pay again."""
    assert key(verb, **options) == key(verb)


@pytest.mark.parametrize(
    ("verb", "change"),
    [
        ("transcribe", {"terms": ("Autodub",)}), ("transcribe", {"speech": _OTHER}),
        ("translate", {"glossary": (Term("house", "casona"),)}), ("translate", {"style": Style("playful")}),
        ("translate", {"style": Style("", "formal")}), ("translate", {"style": Style("", "", "Rhyme.")}),
        ("translate", {"summary": "A talk."}), ("translate", {"script": ("Good morning, Anna.",)}),
        ("translate", {"before": ("Hello.",)}), ("translate", {"after": ("Hello.",)}),
        ("translate", {"speakers": (Hint("S1"),)}), ("translate", {"budgets": (Budget("1", 2.0, 9),)}),
        ("translate", {"drafts": (Draft("1", "Hola", (3,)),)}), ("translate", {"target": "es-MX"}),
        ("synthesize", {"text": "Adiós."}), ("synthesize", {"rate": 1.05}), ("synthesize", {"before": "Sí."}),
        ("synthesize", {"after": "Sí."}), ("synthesize", {"voice": replace(_VOICE, id="Lb2")}),
        ("synthesize", {"voice": replace(_VOICE, reference=_SOUND)}),
        ("clone", {"sample": _OTHER}), ("clone", {"is_clean": False}),
        ("download", {"url": "https://example.org/other"}), ("download", {"part": "sound"}),
    ],
)  # fmt: skip
def test_whatever_is_asked_changes_the_key(verb, change):
    """Terms, glossary, style, context, voice and reference sample: each is part of what was asked."""
    assert key(verb, request=replace(_REQUESTS[verb], **change)) != key(verb)


def test_references_of_two_speakers_speak_apart():
    """The same line in clones of two samples is two answers (R17)."""
    one, two = (replace(_VOICE, id="clone-x", reference=sample) for sample in (_SOUND, _OTHER))
    spoken = [key("synthesize", request=Synthesize("Hola.", voice)) for voice in (one, two)]
    assert spoken[0] != spoken[1]


def test_another_prompt_is_another_answer(monkeypatch):
    """Instructions that were changed make earlier translations somebody else's."""
    before = key("translate")
    monkeypatch.setattr(openai, "VERSION", "changed")
    assert key("translate") != before


def test_a_key_is_part_of_nothing_but_the_list_of_voices():
    """Another key of an account pays for nothing again; only which voices there are depends on it."""
    for verb in _ENGINES:
        other = key(verb, secrets=dict.fromkeys(_SECRETS, "another"))
        assert (other == key(verb)) == (verb != "list_voices"), verb


def test_another_server_translates_otherwise():
    """A server with OpenAI's protocol is another translator."""
    here = {"OPENAI_BASE_URL": "http://127.0.0.1:11434/v1"}
    assert key("translate", endpoints=here) != key("translate")
