"""ElevenLabs' speech against the loopback server: what is sent, and what comes back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import pytest
from elevenlabs_scene import LINE, Scene, opened, refused

from autodub.engines.elevenlabs import ElevenLabs
from autodub.engines.elevenlabs_client import cost
from autodub.media import sound
from autodub.model.calls import ListVoices, Synthesize
from autodub.model.errors import (
    BadAnswer,
    Cancelled,
    Rejected,
    TooLong,
)
from autodub.testing.loopback import Reply, reply_json


@pytest.fixture
def scene() -> Iterator[Scene]:
    """A fresh provider and its engines."""
    with opened() as found:
        yield found


def test_a_line_is_spoken_in_pcm_of_its_own_length(scene: Scene) -> None:
    """The clip is mono at 24 kHz, about two seconds for 31 characters, and holds speech."""
    speech = scene.speaker().synthesize(Synthesize(LINE, scene.voice()), scene.desk)
    samples, rate = sound.load(scene.studio.store.blobs.path(speech.audio.blob))
    assert (rate, samples.shape[1]) == (24_000, 1)
    assert 1.7 < len(samples) / rate < 2.4
    assert float(np.abs(samples).max()) > 0.1


def test_everything_is_said_explicitly(scene: Scene) -> None:
    """Model, format, seed, settings and normalisation are in every request; nothing is left to defaults."""
    scene.speaker(seed="7").synthesize(Synthesize(LINE, scene.voice(), 1.1), scene.desk)
    (sent,) = scene.sent()
    assert sent == {
        "text": LINE,
        "model_id": "eleven_multilingual_v2",
        "seed": 7,
        "apply_text_normalization": "auto",
        "voice_settings": {
            "stability": 0.5, "similarity_boost": 0.75, "style": 0.0, "use_speaker_boost": True, "speed": 1.1,
        },
    }  # fmt: skip
    assert scene.server.asked("elevenlabs", "speech")[0].query == (("output_format", "pcm_24000"),)


@pytest.mark.parametrize(("rate", "pace", "sent"), [(0.5, 1.0, 0.7), (2.0, 1.0, 1.2), (1.1, 0.9, 0.99)])
def test_speed_stays_within_its_bounds(scene: Scene, rate: float, pace: float, sent: float) -> None:
    """A rate the provider does not render well is held at the bound that the engine's facts name."""
    voice = replace(scene.voice(), pace=pace)
    scene.speaker().synthesize(Synthesize(LINE, voice, rate), scene.desk)
    assert scene.sent()[0]["voice_settings"]["speed"] == pytest.approx(sent)
    assert ElevenLabs.describe().rates == (0.7, 1.2)


def test_context_is_sent_where_the_model_takes_it(scene: Scene) -> None:
    """What is said before and after goes along with v2, not when it is switched off, and never with v3."""
    request = Synthesize(LINE, scene.voice(), before="Buenos días. " * 60, after="Hasta luego.")
    for options in ({}, {"stitch": "false"}, {"model_id": "eleven_v3"}):
        engine = scene.speaker(**options)
        engine.synthesize(request, scene.desk)
        assert engine.describe().joins is (not options)
    joined, *others = scene.sent()
    assert joined["next_text"] == "Hasta luego."
    assert joined["previous_text"].endswith("Buenos días.")
    assert len(joined["previous_text"]) <= 400
    assert all("next_text" not in sent and "previous_text" not in sent for sent in others)


def test_empty_context_is_left_out(scene: Scene) -> None:
    """The first line of a film has nothing before it, and says so by silence."""
    scene.speaker().synthesize(Synthesize(LINE, scene.voice()), scene.desk)
    assert not {"previous_text", "next_text"} & set(scene.sent()[0])


@pytest.mark.parametrize(
    ("model", "language", "sent"),
    [
        ("eleven_multilingual_v2", "es-MX", None),
        ("eleven_flash_v2_5", "es-MX", "es"),
        ("eleven_flash_v2_5", "nb", "no"),
        ("eleven_v3", "es", "es"),
    ],
)
def test_the_language_is_told_where_the_model_takes_it(
    scene: Scene, model: str, language: str, sent: str | None
) -> None:
    """Two-letter codes for the models that know the field; v2 hears the language from the text."""
    voice = replace(scene.voice(), language=language)
    scene.speaker(model_id=model).synthesize(Synthesize(LINE, voice), scene.desk)
    assert scene.sent()[0].get("language_code") == sent


def test_v3_takes_only_three_stabilities(scene: Scene) -> None:
    """The nearest one is sent, and none of the settings the model does not have."""
    scene.speaker(model_id="eleven_v3", stability="0.7").synthesize(
        Synthesize(LINE, scene.voice()), scene.desk
    )
    settings = scene.sent()[0]["voice_settings"]
    assert settings["stability"] == 0.5
    assert "style" not in settings


def test_markup_is_only_text(scene: Scene) -> None:
    """Tags, breaks and controls in a line never reach a model that would obey them."""
    hostile = '<break time="3s"/> [laughs] Hola\x00\u200b <phoneme>mundo</phoneme>'
    scene.speaker().synthesize(Synthesize(hostile, scene.voice()), scene.desk)
    text = scene.sent()[0]["text"]
    assert not set("<>[]\x00\u200b") & set(text)
    assert "Hola" in text


def test_signs_without_a_width_split_no_word(scene: Scene) -> None:
    """Joiners are part of the spelling in Persian and Hindi; a soft hyphen is no space."""
    scene.speaker().synthesize(Synthesize("Donau\u00addampf, می\u200cخواهم", scene.voice()), scene.desk)
    assert scene.sent()[0]["text"] == "Donaudampf, می\u200cخواهم"


def test_the_output_rate_is_an_option(scene: Scene) -> None:
    """16 kHz is asked for and kept as such."""
    speech = scene.speaker(output_rate="16000").synthesize(Synthesize(LINE, scene.voice()), scene.desk)
    assert speech.audio.rate == 16_000


def test_a_reply_is_metered_and_remembered(scene: Scene) -> None:
    """Characters are billed from the header, the request's id kept, the account's lanes passed on."""
    voice = scene.voice()
    scene.desk.references.clear()
    scene.speaker().synthesize(Synthesize(LINE, voice), scene.desk)
    assert scene.desk.metered == [("characters", float(len(LINE)))]
    assert scene.desk.lanes == [5]
    assert len(scene.desk.references) == 1


def test_half_price_models_are_metered_in_characters(scene: Scene) -> None:
    """Flash answers with credits, of which a character costs half; price lists count characters."""
    engine = scene.speaker(model_id="eleven_flash_v2_5")
    request = Synthesize(LINE, scene.voice())
    engine.synthesize(request, scene.desk)
    assert scene.desk.metered[0][1] == pytest.approx(len(LINE), abs=2)
    assert engine.quote("synthesize", request) == {"characters": float(len(LINE))}
    assert engine.quote("list_voices", ListVoices("es")) == {}


@pytest.mark.parametrize(
    ("headers", "each", "billed"),
    [
        ({"Character-Cost": "31"}, 1.0, 31),
        ({"character-cost": "16"}, 0.5, 32),
        ({"character-cost": "31"}, 0.5, 31),
        ({"x-character-count": "29"}, 1.0, 29),
        ({"character-cost": "nan", "x-character-count": "28"}, 1.0, 28),
        ({"character-cost": "-3"}, 1.0, 31),
        ({}, 0.5, 31),
    ],
)
def test_the_cost_is_read_from_whichever_header_tells(
    headers: Mapping[str, str], each: float, billed: float
) -> None:
    """Credits first, then characters, then our own count; nonsense is passed over."""
    assert cost(headers, characters=31, each=each) == billed


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(200, {"content-type": "audio/pcm"}, b""), "nothing"),
        (Reply(200, {"content-type": "audio/pcm"}, b"\0\1" * 20_000 + b"\0"), "half a sample"),
        (Reply(200, {"content-type": "audio/pcm"}, b"\0\1" * 2000), "less sound than the text takes"),
        (Reply(200, {"content-type": "text/html"}, b"<html>Log in to this network</html>."), "text instead"),
        (reply_json({"audio": "none"}), "text instead"),
    ],
)
def test_an_answer_that_is_no_speech_is_noticed(scene: Scene, reply: Reply, words: str) -> None:
    """Empty, odd, short or textual answers are bad ones, worth asking once more."""
    voice = scene.voice()
    scene.reply(reply)
    error = refused(lambda: scene.speaker().synthesize(Synthesize(LINE, voice), scene.desk))
    assert isinstance(error, BadAnswer)
    assert words in error.message


def test_an_endless_answer_ends(scene: Scene) -> None:
    """A body that goes on and on is given up, not collected until memory is full."""
    voice = scene.voice()
    scene.reply(Reply(200, {}, (b"\0\1" * 65_536 for _ in range(400))))
    error = refused(lambda: scene.speaker().synthesize(Synthesize("Sí.", voice), scene.desk))
    assert isinstance(error, BadAnswer)


def test_a_request_to_stop_ends_a_download(scene: Scene) -> None:
    """Somebody who stops a dub does not wait for the rest of a line."""
    voice = scene.voice()
    scene.desk.is_stopped = True
    with pytest.raises(Cancelled):
        scene.speaker().synthesize(Synthesize(LINE, voice), scene.desk)


def test_nothing_to_say_is_not_sent(scene: Scene) -> None:
    """A line of dots, and one that is too long for the model, cost nothing."""
    voice = scene.voice()
    engine = scene.speaker(model_id="eleven_v3")
    assert isinstance(refused(lambda: engine.synthesize(Synthesize("… —", voice), scene.desk)), Rejected)
    assert engine.describe().characters == 3000
    error = refused(lambda: engine.synthesize(Synthesize("a" * 3001, voice), scene.desk))
    assert isinstance(error, TooLong)
    assert "3000" in error.message
    assert scene.sent() == []
