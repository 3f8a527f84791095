"""Numbers, units, dates and acronyms per language: what a synthesizer is sent, and who reads it out."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from difflib import SequenceMatcher
from typing import Any

import pytest
from elevenlabs_scene import Scene, opened

from autodub.dubbing.numerals import localized
from autodub.dubbing.text import clean
from autodub.engines.espeak import Espeak, EspeakOptions
from autodub.infra import process
from autodub.model.calls import Synthesize
from autodub.model.speech import Voice
from autodub.testing.studio import Studio

# (language of the dub, line in English, its translation as a translator may leave it, what is sent)
GOLDEN = (
    ("es", "It was in 1984.", "Fue en 1984.", "Fue en 1984."),
    ("es", "It cost $1,250.50.", "Costó 1,250.50 $.", "Costó 1250,50 $."),
    ("es", "About 3.5 km, 50 %.", "Unos 3.5 km, el 50 %.", "Unos 3,5 km, el 50%."),
    ("es", "On 5 May 1999 at 10:30.", "El 5 de mayo de 1999, 10:30.", "El 5 de mayo de 1999, 10:30."),
    ("es", "The FBI and the UN.", "El FBI y la ONU.", "El FBI y la ONU."),
    ("fr", "2,000,000 people, 0.5 %.", "2,000,000 personnes, 0.5 %.", "2000000 personnes, 0,5%."),
    ("fr", "The 21st century, 37 °C.", "Le XXIe siècle, 37 °C.", "Le XXIe siècle, 37 °C."),
    ("de", "1,250 litres on 3.10.1990.", "1,250 Liter am 3.10.1990.", "1250 Liter am 3.10.1990."),
    ("de", "The EU and BMW.", "Die EU und BMW.", "Die EU und BMW."),
    ("it", "12.75 metres in 1492.", "12.75 metri nel 1492.", "12,75 metri nel 1492."),
    ("pt-BR", "R$ 1,999.99!", "R$ 1,999.99!", "R$ 1999,99!"),
    ("ca", "7 of 10, 1,001 nights.", "7 de 10, 1,001 nits.", "7 de 10, 1001 nits."),
    ("en-GB", "1,250.5 on 5/7/1999", "1,250.5 on 5/7/1999", "1,250.5 on 5/7/1999"),
    ("es-MX", "It cost 1,250.50.", "Costó 1,250.50.", "Costó 1,250.50."),
    ("ja", "1,250 yen", "1,250円", "1,250円"),
    ("ru", "3.5 percent", "3.5 процента", "3,5 процента"),
)  # fmt: skip
READ = (
    ("es", "1984", "mil novecientos ochenta y cuatro"),
    ("es", "1250", "mil doscientos cincuenta"),
    ("es", "50%", "cincuenta por ciento"),
    ("es", "3,5", "tres coma cinco"),
    ("es", "5 de mayo de 1999", "cinco de mayo de mil novecientos noventa y nueve"),
    ("es", "FBI", "efe be i"),
    ("fr", "1250", "mille deux cent cinquante"),
    ("fr", "3,5", "trois virgule cinq"),
    ("de", "1250", "eintausend zweihundert fünfzig"),
    ("de", "50%", "fünfzig Prozent"),
    ("it", "1984", "mille novecento ottantaquattro"),
    ("pt", "1250", "mil duzentos e cinquenta"),
    ("ca", "1984", "mil nou-cents vuitanta-quatre"),
)
"""(language, as it is sent, in words of that language)."""


def sent(language: str, line: str, translation: str) -> str:
    """A translation on its way to a voice, as a dub does it."""
    return clean(localized(translation, original=line, source="en", target=language))


@pytest.mark.parametrize(("language", "line", "translation", "golden"), GOLDEN)
def test_texts_are_sent_as_the_golden_list_says(
    language: str, line: str, translation: str, golden: str
) -> None:
    """Digits stay digits, in the target's writing; dates, times, units and acronyms are not touched."""
    assert sent(language, line, translation) == golden


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    """ElevenLabs on this machine."""
    with opened() as made:
        yield made


@pytest.mark.parametrize("model", ["eleven_multilingual_v2", "eleven_flash_v2_5"])
def test_elevenlabs_is_asked_to_read_them(scene: Scene, model: str) -> None:
    """The text goes out as it is; normalisation is asked for, with the language where possible."""
    before = len(scene.sent())
    spoken = [row for row in GOLDEN if row[0] in ("es", "fr", "de", "it")]
    for language, line, translation, _ in spoken:
        voice = replace(scene.voice(), language=language)
        text = sent(language, line, translation)
        scene.speaker(model_id=model).synthesize(Synthesize(text, voice), scene.desk)
    bodies = scene.sent()[before:]
    assert [body["text"] for body in bodies] == [golden for *_, golden in spoken]
    assert {body["apply_text_normalization"] for body in bodies} == {"auto"}
    told = [body.get("language_code") for body in bodies]
    assert told == [None if model == "eleven_multilingual_v2" else row[0] for row in spoken]


def test_the_normaliser_is_an_option(scene: Scene) -> None:
    """Somebody whose plan or texts need it otherwise says so, and that is what is asked."""
    scene.speaker(text_normalization="off").synthesize(Synthesize("Son 1984.", scene.voice()), scene.desk)
    assert scene.sent()[-1]["apply_text_normalization"] == "off"


def phonemes(voice: str, text: str) -> str:
    """How espeak-ng reads a text, without stress and pauses."""
    argv = ["espeak-ng", "-q", "-x", "-v", voice, "--stdin"]
    said = subprocess.run(argv, input=text.encode(), capture_output=True, check=True).stdout.decode()
    return re.sub(r"[^A-Za-z@#~^;&*]", "", said)


@pytest.mark.parametrize(("language", "text", "words"), READ)
def test_the_weights_free_voice_reads_them_in_its_language(
    language: str, text: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What reaches espeak-ng is the text, for a voice that says it like the language's words, not English."""
    calls: list[tuple[list[str], bytes]] = []
    real = process.run

    def run(argv: list[str], **named: Any) -> Any:
        calls.append((argv, named.get("stdin") or b""))
        return real(argv, **named)

    monkeypatch.setattr(process, "run", run)
    with Studio() as studio:
        engine = Espeak(EspeakOptions(), studio.context)
        studio.call(engine, "synthesize", Synthesize(text, Voice("espeak", "standard", language)))
    argv, given = next((argv, given) for argv, given in calls if given)
    assert given.decode() == text
    voice = argv[argv.index("-v") + 1]
    own = SequenceMatcher(None, phonemes(voice, text), phonemes(voice, words)).ratio()
    foreign = SequenceMatcher(None, phonemes("en", text), phonemes(voice, words)).ratio()
    assert own > 0.75 > foreign
