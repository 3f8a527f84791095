"""The chatterbox synthesizer and cloner: the real worker, over a stand-in for the library it drives."""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from autodub.engines.chatterbox import ENVIRONMENT, Chatterbox, ChatterboxCloner, ChatterboxOptions
from autodub.engines.environment import folder as environment_folder
from autodub.engines.roles import EngineContext
from autodub.gateway.cancel import Cancel
from autodub.gateway.work import CallWork
from autodub.media import sound
from autodub.model.calls import Clone, ListVoices, Synthesize
from autodub.model.errors import BadAnswer, Cancelled, EngineCannot, Gone, Rejected, Unreachable
from autodub.model.speech import Voice
from autodub.model.time import Span
from autodub.testing.contracts import ClonerContract, SynthesizerContract
from autodub.testing.studio import Studio, bursts

_TORCH = """
def manual_seed(seed): pass
class cuda:
    @staticmethod
    def is_available(): return True
    @staticmethod
    def empty_cache(): pass
class backends:
    class mps:
        @staticmethod
        def is_available(): return False
"""
_LIBRARY = '''
import json, time
from pathlib import Path
import numpy as np
import soundfile
import torch
from chatterbox.models.tokenizers import tokenizer

class Sound:
    def __init__(self, samples): self.samples = samples
    def detach(self): return self
    def cpu(self): return self
    def numpy(self): return self.samples[np.newaxis]

class ChatterboxMultilingualTTS:
    """Says a tone per text: the pitch of the sample given, a little noise drawn from the seeded generator."""
    sr = 24000
    @classmethod
    def from_local(cls, folder, device):
        self = cls()
        self.folder, self.device = Path(folder), device
        self.note(loaded=device)
        chinese = tokenizer.ChineseCangjieConverter(self.folder)
        self.note(table=chinese.table, segmenter=chinese.segmenter)
        if (self.folder / "ve.pt").read_bytes() == b"broken":
            raise RuntimeError("invalid header\\nand more")
        self.conds = 150.0 if (self.folder / "conds.pt").exists() else None
        return self
    def note(self, **said):
        with (self.folder / "calls.jsonl").open("a") as log:
            log.write(json.dumps(said) + "\\n")
    def prepare_conditionals(self, path, exaggeration=0.5):
        samples, rate = soundfile.read(path)
        power = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
        self.conds = float(np.argmax(power) * rate / len(samples))
        self.note(prepared=path)
    def generate(self, text, language_id, exaggeration=0.5, cfg_weight=0.5, temperature=0.8):
        self.note(text=text, language=language_id, device=self.device)
        if self.device == "cuda" and (self.folder / "full").exists():
            raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB")
        if "sleep" in text:
            time.sleep(60)
        seconds = 0.07 * len(text) + 0.3
        if "babble" in text:
            said = [json.loads(line) for line in (self.folder / "calls.jsonl").open()]
            if "forever" in text or sum("text" in s for s in said) < 3:
                seconds = 60
        clock = np.arange(round(seconds * self.sr)) / self.sr
        noise = 0.01 * np.random.rand(len(clock))
        return Sound((0.3 * np.sin(2 * np.pi * self.conds * clock) + noise).astype(np.float32))
'''
_TOKENIZER = """
def hf_hub_download(repo_id, filename, cache_dir=None):
    raise OSError("Network is unreachable")

class ChineseCangjieConverter:
    def __init__(self, model_dir=None):
        self.table = hf_hub_download(repo_id="x", filename="Cangjie5_TC.json", cache_dir=model_dir)
        self._init_segmenter()
    def _init_segmenter(self):
        self.segmenter = "there"
        raise OSError("Network is unreachable")
"""
WEIGHTS = (
    "ve.pt",
    "s3gen.pt",
    "conds.pt",
    "t3_mtl23ls_v2.safetensors",
    "grapheme_mtl_merged_expanded_v1.json",
)


def install(models: Path) -> Path:
    """An interpreter of its own with the stand-in library, and a folder with files for weights."""
    context = EngineContext({}, models)
    python = environment_folder(ENVIRONMENT, context) / "bin" / "python"
    if not python.exists():
        library = models / "library"
        (library / "chatterbox").mkdir(parents=True)
        (library / "torch.py").write_text(_TORCH, encoding="utf-8")
        (library / "chatterbox" / "__init__.py").touch()
        (library / "chatterbox" / "mtl_tts.py").write_text(_LIBRARY, encoding="utf-8")
        (library / "chatterbox" / "models" / "tokenizers").mkdir(parents=True)
        (library / "chatterbox" / "models" / "tokenizers" / "tokenizer.py").write_text(_TOKENIZER, "utf-8")
        python.parent.mkdir(parents=True)
        python.write_text(f'#!/bin/sh\nPYTHONPATH={library} exec {sys.executable} "$@"\n', encoding="utf-8")
        python.chmod(0o755)
        weights = models / "chatterbox" / "multilingual"
        weights.mkdir(parents=True)
        for name in WEIGHTS:
            (weights / name).write_bytes(b"weights")
    return models


def calls(models: Path) -> list[dict[str, Any]]:
    """What the stand-in was asked."""
    log = models / "chatterbox" / "multilingual" / "calls.jsonl"
    return [json.loads(line) for line in log.read_text("utf-8").splitlines()]


class TestChatterbox(SynthesizerContract):
    """Chatterbox keeps the contract of a synthesizer."""

    def engine(self, options: Mapping[str, str], context: EngineContext) -> Any:
        install(context.models)
        return Chatterbox(ChatterboxOptions(**{"device": "cpu", **options}), context)

    def test_a_higher_rate_is_shorter(self) -> None:
        """It has no native rate, and does not claim one: the pace is left to the stretcher."""
        with self.ready() as (_, engine):
            assert engine.describe().rates == (1.0, 1.0)


class TestChatterboxCloner(ClonerContract):
    """The cloner keeps its contract."""

    def engine(self, options: Mapping[str, str], context: EngineContext) -> Any:
        install(context.models)
        return ChatterboxCloner(ChatterboxOptions(**options), context)


def pitch(studio: Studio, audio: Any) -> float:
    """The strongest frequency of a sound, Hz."""
    samples = studio.samples(audio)[:, 0]
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(power) * audio.rate / len(samples))


def test_a_line_is_spoken_in_the_voice_of_its_sample() -> None:
    """Two speakers' samples make two voices, which sound like them; each is prepared once."""
    with Studio() as studio:
        install(studio.context.models)
        engine = Chatterbox(ChatterboxOptions(device="cpu"), studio.context)
        cloner = ChatterboxCloner(ChatterboxOptions(device="cpu"), studio.context)
        base = Voice("chatterbox", "chatterbox", "es", gender="female")
        clock = np.arange(4 * 24_000) / 24_000
        for hertz in (110.0, 220.0):
            sample = studio.audio(np.asarray(0.3 * np.sin(2 * np.pi * hertz * clock), np.float32), 24_000)
            asked = Clone(base, sample, (), "S1", sample=sample)
            voice = studio.call(cloner, "clone", asked)
            assert (voice.engine, voice.language, voice.gender) == ("chatterbox", "es", "female")
            assert voice.id.startswith("clone-")
            assert voice.reference == sample
            for text in ("Buenos días.", "La casa es muy grande."):
                spoken = studio.call(engine, "synthesize", Synthesize(text, voice)).audio
                assert pitch(studio, spoken) == pytest.approx(hertz, abs=2)
        said = calls(studio.context.models)
        assert sum("prepared" in call for call in said) == 2
        assert sum("loaded" in call for call in said) == 1


def test_equal_requests_sound_equal() -> None:
    """The library draws lots; the seed decides which, also after other lines were said."""
    with Studio() as studio, Studio() as other:
        blobs = []
        for place, texts in ((studio, ["Hola amigo."]), (other, ["Otra cosa.", "Hola amigo."])):
            install(place.context.models)
            engine = Chatterbox(ChatterboxOptions(device="cpu"), place.context)
            voice = Voice("chatterbox", "chatterbox", "es")
            spoken = [place.call(engine, "synthesize", Synthesize(text, voice)) for text in texts]
            blobs.append(spoken[-1].audio.blob)
        assert blobs[0] == blobs[1]


def test_long_text_is_said_in_parts() -> None:
    """What the model cannot say at once is cut at sentence ends and joined; nothing is lost."""
    text = " ".join(f"Esta es la frase número {n} de este largo texto." for n in range(12))
    with Studio() as studio:
        install(studio.context.models)
        engine = Chatterbox(ChatterboxOptions(device="cpu"), studio.context)
        audio = studio.call(
            engine, "synthesize", Synthesize(text, Voice("chatterbox", "chatterbox", "es"))
        ).audio
        said = [call["text"] for call in calls(studio.context.models) if "text" in call]
    assert len(said) > 1
    assert " ".join(said) == text
    assert max(map(len, said)) <= 280
    assert audio.duration > 60 * len(text)


def test_languages_are_told_in_the_librarys_way() -> None:
    """Regions are dropped, Norwegian has one name, others are refused before anything is loaded."""
    with Studio() as studio:
        install(studio.context.models)
        engine = Chatterbox(ChatterboxOptions(device="cpu"), studio.context)
        for tag in ("pt-BR", "nb"):
            studio.call(
                engine, "synthesize", Synthesize("Hola a todos.", Voice("chatterbox", "chatterbox", tag))
            )
        assert [c["language"] for c in calls(studio.context.models) if "text" in c] == ["pt", "no"]
        with pytest.raises(EngineCannot, match="Catalan"):
            studio.call(engine, "list_voices", ListVoices("ca"))


def test_a_full_gpu_is_no_end() -> None:
    """Out of memory on the GPU the same line is spoken on the CPU, and so are the next."""
    with Studio() as studio:
        models = install(studio.context.models)
        (models / "chatterbox" / "multilingual" / "full").touch()
        engine = Chatterbox(ChatterboxOptions(device="cuda"), studio.context)
        voice = Voice("chatterbox", "chatterbox", "es")
        for text in ("Hola a todos.", "Adiós a todos."):
            assert studio.call(engine, "synthesize", Synthesize(text, voice)).audio.frames > 0
        said = calls(models)
    assert [c["loaded"] for c in said if "loaded" in c] == ["cuda", "cpu"]
    assert [c["device"] for c in said if "text" in c] == ["cuda", "cpu", "cpu"]


def test_babble_is_drawn_again_and_never_spoken() -> None:
    """A length that cannot be right is drawn again with another seed; when it stays, it is an error."""
    with Studio() as studio:
        models = install(studio.context.models)
        engine = Chatterbox(ChatterboxOptions(device="cpu"), studio.context)
        voice = Voice("chatterbox", "chatterbox", "es")
        spoken = studio.call(engine, "synthesize", Synthesize("Un poco de babble.", voice)).audio
        assert spoken.duration < 3000
        assert sum("text" in call for call in calls(models)) == 3
        with pytest.raises(BadAnswer, match="3 times"):
            studio.call(engine, "synthesize", Synthesize("Siempre babble forever.", voice))


def test_samples_in_a_folder_are_voices() -> None:
    """Sound files put beside the weights are offered by name, with the sample itself."""
    with Studio() as studio:
        models = install(studio.context.models)
        (models / "chatterbox" / "voices").mkdir()
        stereo = np.stack([bursts([Span(0, 4000)], length=4000)] * 2, axis=1)
        sound.store(stereo, 16_000, models / "chatterbox" / "voices" / "anna.wav")
        (models / "chatterbox" / "voices" / "notes.txt").write_text("not a voice", encoding="utf-8")
        engine = Chatterbox(ChatterboxOptions(device="cpu"), studio.context)
        voices = studio.call(engine, "list_voices", ListVoices("es")).voices
        assert [voice.id for voice in voices] == ["chatterbox", "anna"]
        assert voices[1].reference.channels == 1
        assert studio.call(engine, "synthesize", Synthesize("Hola a todos.", voices[1])).audio.frames > 0
        with pytest.raises(Gone, match="berta"):
            studio.call(engine, "synthesize", Synthesize("Hola.", Voice("chatterbox", "berta", "es")))
        with pytest.raises(Rejected, match="nothing to say"):
            studio.call(engine, "synthesize", Synthesize("…", voices[0]))


def test_a_sample_must_be_long_enough() -> None:
    """Too little of a speaker is refused in words; without a sample it is cut from the programme."""
    base = Voice("chatterbox", "chatterbox", "es")
    with Studio() as studio:
        cloner = ChatterboxCloner(ChatterboxOptions(), studio.context)
        speech = studio.audio(bursts([Span(0, 50_000)], length=50_000), 16_000)
        with pytest.raises(Rejected, match=r"1\.5 seconds of Ann"):
            studio.call(cloner, "clone", Clone(base, speech, (Span(0, 1500),), "Ann"))
        with pytest.raises(Rejected, match=r"0\.0 seconds"):
            studio.call(cloner, "clone", Clone(base, speech, (), "Ann"))
        voice = studio.call(cloner, "clone", Clone(base, speech, (Span(9000, 12_000), Span(0, 4000)), "Ann"))
        assert voice.reference.duration == 7000
        whole = studio.call(cloner, "clone", Clone(base, speech, (), "Ann", sample=speech))
        assert whole.reference.duration == 30_000
        assert whole.id != voice.id


def test_weights_that_cannot_be_loaded_are_said() -> None:
    """A broken file is a sentence with the command that mends it, not a traceback."""
    with Studio() as studio:
        models = install(studio.context.models)
        (models / "chatterbox" / "multilingual" / "ve.pt").write_bytes(b"broken")
        engine = Chatterbox(ChatterboxOptions(device="cpu"), studio.context)
        with pytest.raises(EngineCannot, match=r"invalid header Fetch") as caught:
            engine.prepare()
    assert "autodub engines fetch synthesizer.chatterbox" in caught.value.hint


def test_prepared_ahead_it_is_loaded_once() -> None:
    """What was prepared beside other work serves the first line, also one asked from another thread."""
    with Studio() as studio:
        models = install(studio.context.models)
        engine = Chatterbox(ChatterboxOptions(device="cpu"), studio.context)
        engine.prepare()
        voice = Voice("chatterbox", "chatterbox", "es")
        for text in ("Hola a todos.", "Adiós a todos."):
            studio.call(engine, "synthesize", Synthesize(text, voice))
        assert sum("loaded" in call for call in calls(models)) == 1


def test_loading_needs_no_network() -> None:
    """What the library would download for Chinese lies with the weights, or is done without."""
    with Studio() as studio:
        models = install(studio.context.models)
        Chatterbox(ChatterboxOptions(device="cpu"), studio.context).prepare()
        said = calls(models)
    table = models / "chatterbox" / "multilingual" / "Cangjie5_TC.json"
    assert {"table": str(table), "segmenter": None} in said


def test_it_stops_in_the_middle_of_a_line() -> None:
    """A wish to stop kills the worker; the next line starts another."""
    with Studio() as studio:
        models = install(studio.context.models)
        engine = Chatterbox(ChatterboxOptions(device="cpu"), studio.context)
        engine.prepare()
        voice = Voice("chatterbox", "chatterbox", "es")
        cancel = Cancel()
        work = CallWork(studio.store.blobs, cancel=cancel, listener=studio.events.append, stage="")
        timer = threading.Timer(0.3, cancel.request)
        timer.start()
        with pytest.raises(Cancelled):
            engine.synthesize(Synthesize("Now sleep for long.", voice), work)
        timer.join()
        work.close()
        assert studio.call(engine, "synthesize", Synthesize("Hola a todos.", voice)).audio.frames > 0
        assert sum("loaded" in call for call in calls(models)) == 2


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    """First the environment, then the weights: each with the one command that gets it."""
    context = EngineContext({}, tmp_path, offline=True)
    for kind in (Chatterbox, ChatterboxCloner):
        ready = kind(ChatterboxOptions(), context).readiness()
        assert (ready.state, ready.fix) == ("not installed", "autodub engines install chatterbox")
    install(tmp_path)
    (tmp_path / "chatterbox" / "multilingual" / "s3gen.pt").unlink()
    engine = Chatterbox(ChatterboxOptions(), context)
    ready = engine.readiness()
    assert (ready.state, ready.fix) == ("needs download", "autodub engines fetch synthesizer.chatterbox")
    assert "s3gen.pt" in ready.detail
    with pytest.raises(EngineCannot, match=r"s3gen\.pt"):
        engine.prepare()
    with pytest.raises(EngineCannot, match="offline"):
        engine.fetch(SimpleNamespace(progress=lambda *_: None))  # type: ignore[arg-type]


def test_fetching_without_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No hub, no waiting: Unreachable, with the folder to copy the files into."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError("Network is unreachable")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    with pytest.raises(Unreachable) as caught:
        Chatterbox(ChatterboxOptions(), EngineContext({}, tmp_path)).fetch(
            SimpleNamespace(progress=lambda *_: None)  # type: ignore[arg-type]
        )
    assert str(tmp_path / "chatterbox" / "multilingual") in caught.value.hint
