"""The piper synthesizer: voices of a kilobyte through ONNX Runtime, phonemes from the real espeak-ng."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import tiny_piper

from autodub.engines import piper_voices
from autodub.engines.piper import Piper, PiperOptions
from autodub.engines.roles import EngineContext
from autodub.gateway.keys import key
from autodub.model.calls import ListVoices, Synthesize
from autodub.model.errors import EngineCannot, Gone, Rejected, Unreachable
from autodub.model.speech import Voice
from autodub.testing.contracts import SynthesizerContract
from autodub.testing.studio import Studio

CAST = {"ann": 210.0, "ben": 105.0}


class TestPiper(SynthesizerContract):
    """Piper keeps the contract of a synthesizer."""

    def engine(self, options: Mapping[str, str], context: EngineContext) -> Any:
        if not (context.models / "piper").exists():
            place(context.models)
        return Piper(PiperOptions(**options), context)

    def test_rates_are_met_within_what_it_claims(self) -> None:
        """Length goes as 1/rate over the whole range of rates it claims."""
        with self.ready() as (studio, engine):
            voice = self.voice(studio)
            slow, fast = engine.describe().rates
            plain = studio.call(engine, "synthesize", Synthesize(self.text, voice)).audio
            for rate in (slow, fast):
                spoken = studio.call(engine, "synthesize", Synthesize(self.text, voice, rate)).audio
                assert spoken.frames * rate == pytest.approx(plain.frames, rel=0.02)


def place(models: Path) -> Path:
    """A Spanish voice of one speaker, one of two, and an English one, as the repository lays them out."""
    (models / "piper" / "es").mkdir(parents=True)
    tiny_piper.make(models / "piper" / "es", "es_ES-carla-low")
    tiny_piper.make(models / "piper" / "es", "es_MX-pair-low", pitches=CAST)
    tiny_piper.make(models / "piper", "en_US-joe-medium")
    return models


def test_voices_of_the_language_with_their_pitch() -> None:
    """Only voices of the language are offered, the region's first, with the pitch and gender heard."""
    with Studio() as studio:
        engine = Piper(PiperOptions(), EngineContext({}, place(studio.context.models)))
        found = studio.call(engine, "list_voices", ListVoices("es-MX")).voices
    assert [v.id for v in found] == ["es_MX-pair-low#ann", "es_MX-pair-low#ben", "es_ES-carla-low"]
    assert [v.gender for v in found] == ["female", "male", "male"]
    assert [v.pitch for v in found] == pytest.approx([210, 105, 120], rel=0.05)
    assert {v.language for v in found} == {"es-MX"}


def test_a_language_without_a_voice_is_said() -> None:
    """No voice on this machine: which command would fetch one."""
    with Studio() as studio:
        engine = Piper(PiperOptions(), EngineContext({}, place(studio.context.models)))
        assert engine.speaks("es-AR")
        assert not engine.speaks("fr")
        with pytest.raises(EngineCannot, match="French") as caught:
            studio.call(engine, "list_voices", ListVoices("fr"))
    assert "autodub engines fetch synthesizer.piper --set voice=fr_" in caught.value.hint


def test_speakers_of_one_file_sound_different() -> None:
    """The number of the speaker reaches the network."""
    with Studio() as studio:
        engine = Piper(PiperOptions(), EngineContext({}, place(studio.context.models)))
        sounds = [
            studio.call(
                engine, "synthesize", Synthesize("Hola.", Voice("piper", f"es_MX-pair-low#{n}", "es"))
            )
            for n in CAST
        ]
    assert sounds[0].audio.blob != sounds[1].audio.blob
    assert sounds[0].audio.rate == tiny_piper.RATE


def test_phonemes_reach_the_network() -> None:
    """Length follows the phonemes of the language, not the letters; a pause stands between sentences."""
    with Studio() as studio:
        engine = Piper(PiperOptions(), EngineContext({}, place(studio.context.models)))

        def frames(text: str, voice: str = "es_ES-carla-low") -> int:
            spoken = studio.call(engine, "synthesize", Synthesize(text, Voice("piper", voice, "es")))
            found: int = spoken.audio.frames
            return found

        # Begin, its pad, ˈ o l a . with a pad each, end; 400 samples for each.
        assert frames("Hola.") == pytest.approx(13 * 400, abs=1)
        assert frames("1984") > 3 * frames("Hola")
        both = frames("Hola. Hola.")
        assert both == 2 * frames("Hola.") + round(0.2 * tiny_piper.RATE)
        assert frames("Hola.", "en_US-joe-medium") != frames("Hola.")


def test_sentences_keep_their_marks() -> None:
    """A text falls into sentences and clauses with the marks that end them; decimals stay whole."""
    assert piper_voices.sentences("Hola, amigo. ¿Qué tal?") == [
        [("Hola", ","), ("amigo", ".")],
        [("¿Qué tal", "?")],
    ]
    assert piper_voices.sentences("3.14 veces; sí") == [[("3.14 veces", ";"), ("sí", "")]]
    assert piper_voices.sentences("¿Qué?! Nada…") == [[("¿Qué", "?")], [("Nada", ".")]]
    assert piper_voices.sentences("你好。再见") == [[("你好", ".")], [("再见", "")]]
    assert piper_voices.sentences("... — !") == []


def test_a_network_is_fed_with_marks_and_pads(tmp_path: Path) -> None:
    """Begin, pads and end stand around and between phonemes; what the voice does not know is left out."""
    tiny_piper.make(tmp_path, "es_ES-x-low")
    (model,) = piper_voices.find(tmp_path)
    a, dot = tiny_piper.SYMBOLS.index("a"), tiny_piper.SYMBOLS.index(".")
    assert model.feed("a☃.") == [1, 0, a, 0, dot, 0, 2]


def test_letters_for_a_voice_that_reads_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A voice trained on letters is not given phonemes, and espeak-ng is not asked."""
    tiny_piper.make(tmp_path, "uk_UA-x-low", phoneme_type="text")
    (model,) = piper_voices.find(tmp_path)
    assert model.espeak == ""
    engine = Piper(PiperOptions(voices=tmp_path), EngineContext({}, tmp_path))
    monkeypatch.setattr("autodub.infra.process.run", lambda *_, **__: pytest.fail("a program was run"))
    with Studio() as studio:
        spoken = studio.call(engine, "synthesize", Synthesize("abc.", Voice("piper", "uk_UA-x-low", "uk")))
    assert spoken.audio.frames > 0


def test_bad_requests_are_said() -> None:
    """Nothing to say, and a voice that is gone."""
    with Studio() as studio:
        engine = Piper(PiperOptions(), EngineContext({}, place(studio.context.models)))
        with pytest.raises(Rejected, match="nothing to say"):
            studio.call(engine, "synthesize", Synthesize("…", Voice("piper", "es_ES-carla-low", "es")))
        with pytest.raises(Gone, match="es_ES-gone-low"):
            studio.call(engine, "synthesize", Synthesize("Hola.", Voice("piper", "es_ES-gone-low", "es")))


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("{", "Expecting"),
        ('{"audio": {}}', "phoneme_id_map"),
        ('{"phoneme_type": "pinyin"}', "pinyin"),
        ('{"phoneme_id_map": {"a": [1]}}', "\\^"),
        ("[]", "attribute"),
    ],
)
def test_a_broken_description_is_said(tmp_path: Path, said: str, told: str) -> None:
    """A JSON file that does not describe a voice is named, in readiness and by every call."""
    tiny_piper.make(tmp_path, "es_ES-x-low")
    (tmp_path / "es_ES-x-low.onnx.json").write_text(said, encoding="utf-8")
    engine = Piper(PiperOptions(voices=tmp_path), EngineContext({}, tmp_path))
    ready = engine.readiness()
    assert ready.state == "needs download"
    assert "es_ES-x-low" in ready.detail
    with Studio() as studio, pytest.raises(EngineCannot, match=told):
        studio.call(engine, "list_voices", ListVoices("es"))


def test_a_broken_network_is_said(tmp_path: Path) -> None:
    """A file that is no network, and a network that is no Piper voice."""
    tiny_piper.make(tmp_path, "es_ES-x-low")
    other = tiny_piper.make(tmp_path, "es_ES-y-low", pitches=CAST)
    plain = json.loads((tmp_path / "es_ES-x-low.onnx.json").read_text("utf-8"))
    (tmp_path / "es_ES-y-low.onnx.json").write_text(json.dumps(plain), encoding="utf-8")
    (tmp_path / "es_ES-x-low.onnx").write_bytes(b"not a network")
    assert other.exists()
    engine = Piper(PiperOptions(voices=tmp_path), EngineContext({}, tmp_path))
    with Studio() as studio:
        with pytest.raises(EngineCannot, match="cannot be loaded"):
            studio.call(engine, "synthesize", Synthesize("Hola.", Voice("piper", "es_ES-x-low", "es")))
        with pytest.raises(EngineCannot, match="its inputs"):
            studio.call(engine, "synthesize", Synthesize("Hola.", Voice("piper", "es_ES-y-low", "es")))


def test_what_is_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Voice, named voice or espeak-ng: each with the one command that gets it."""
    context = EngineContext({}, tmp_path)
    ready = Piper(PiperOptions(), context).readiness()
    assert ready.state == "needs download"
    assert ready.fix.startswith("autodub engines fetch synthesizer.piper --set voice=")
    named = Piper(PiperOptions(voice="fr_FR-siwis-low"), context).readiness()
    assert named.fix == "autodub engines fetch synthesizer.piper --set voice=fr_FR-siwis-low"
    place(tmp_path)
    assert "English (United States)" in Piper(PiperOptions(), context).readiness().detail
    one = Piper(PiperOptions(voice="es_ES-carla-low"), context).readiness()
    assert one.detail == "1 voices: Spanish (Spain)"
    which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name, **_: None if name == "espeak-ng" else which(name))
    assert Piper(PiperOptions(), context).readiness().fix == "sudo apt-get install espeak-ng"


def test_fetching(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A voice must be named; offline and without a network it is said; what is there is not fetched."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError("Network is unreachable")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    work: Any = SimpleNamespace(progress=lambda *_: None)
    context = EngineContext({}, tmp_path)
    with pytest.raises(EngineCannot, match="Which voice"):
        Piper(PiperOptions(), context).fetch(work)
    with pytest.raises(EngineCannot, match="no name of a Piper voice"):
        Piper(PiperOptions(voice="nonsense"), context).fetch(work)
    with pytest.raises(EngineCannot, match="offline"):
        Piper(PiperOptions(voice="es_ES-x-low"), EngineContext({}, tmp_path, offline=True)).fetch(work)
    with pytest.raises(Unreachable, match="piper-voices"):
        Piper(PiperOptions(voice="es_ES-x-low"), context).fetch(work)
    place(tmp_path)
    there = Piper(PiperOptions(voice="es_ES-carla-low"), context).fetch(work)
    assert there == tmp_path / "piper" / "es"
    assert piper_voices.files("es_ES-davefx-medium") == (
        "es/es_ES/davefx/medium/es_ES-davefx-medium.onnx",
        "es/es_ES/davefx/medium/es_ES-davefx-medium.onnx.json",
        "es/es_ES/davefx/medium/MODEL_CARD",
    )


def test_fetched_voices_lie_where_they_are_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the hub's client lays down is found; a name the repository does not have is refused."""

    def download(repository: str, *, local_dir: Path, allow_patterns: list[str], **_: Any) -> None:
        assert repository == "rhasspy/piper-voices"
        if "davefx" in allow_patterns[0]:
            target = Path(local_dir) / allow_patterns[0]
            target.parent.mkdir(parents=True)
            tiny_piper.make(target.parent, "es_ES-davefx-medium")

    monkeypatch.setattr("autodub.engines.hub.probe", lambda *_, **__: None)
    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    work: Any = SimpleNamespace(progress=lambda *_: None)
    context = EngineContext({}, tmp_path)
    Piper(PiperOptions(voice="es_ES-davefx-medium"), context).fetch(work)
    assert Piper(PiperOptions(voice="es_ES-davefx-medium"), context).readiness().state == "ready"
    with pytest.raises(Rejected, match="es_ES-nobody-low"):
        Piper(PiperOptions(voice="es_ES-nobody-low"), context).fetch(work)


def test_other_voices_are_another_answer(tmp_path: Path) -> None:
    """An answer is kept under the voices that were there."""
    context = EngineContext({}, place(tmp_path))
    request = ListVoices("es")
    before = key(Piper(PiperOptions(), context), "list_voices", request)
    assert key(Piper(PiperOptions(), context), "list_voices", request) == before
    tiny_piper.make(tmp_path / "piper", "es_ES-new-low")
    assert key(Piper(PiperOptions(), context), "list_voices", request) != before
