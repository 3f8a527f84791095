"""The Whisper transcriber: a random model through the real library, and a scripted one for its words."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tiny_whisper

from autodub.engines import whisper_weights as weights
from autodub.engines.roles import EngineContext
from autodub.engines.whisper import Whisper, WhisperOptions
from autodub.gateway.keys import key
from autodub.model.calls import Transcribe
from autodub.model.errors import EngineCannot, Rejected, Unreachable
from autodub.model.media import Audio, Blob
from autodub.model.speech import Transcript
from autodub.model.time import Span
from autodub.testing.contracts import TranscriberContract
from autodub.testing.studio import Studio


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test here may reach anything, and the machine's own cache does not count."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError("Network is unreachable")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", "/nonexistent")


class TestWhisper(TranscriberContract):
    """Whisper keeps the contract of a transcriber, with a real but random model."""

    def engine(self, options: Mapping[str, str], context: EngineContext) -> Any:
        folder = context.models / "whisper" / "tiny.en"
        if not folder.exists():
            tiny_whisper.make(folder)
        plain = {"model": "tiny.en", "device": "cpu", "compute_type": "float32", "beam_size": "1"}
        return Whisper(WhisperOptions(**{**plain, **options}), context)

    def test_what_it_writes_is_inside_the_speech(self) -> None:
        """Whatever a model makes up, segments are in order, inside the sound, and where somebody speaks."""
        with self.ready() as (studio, engine):
            found = studio.call(engine, "transcribe", self.request(studio))
        for segment in found.segments:
            assert 0 <= segment.span.start <= segment.span.end <= self.length
            assert any(segment.span.overlap(span) for span in self.spans)

    def test_an_english_model_refuses_others(self) -> None:
        """A model for English alone does not pretend to hear German."""
        with self.ready() as (studio, engine), pytest.raises(Rejected, match="'de'"):
            studio.call(engine, "transcribe", Transcribe(self.speech(studio), "de", self.spans))


def word(text: str, start: float, end: float, probability: float = 0.9) -> SimpleNamespace:
    """A word as faster-whisper gives it."""
    return SimpleNamespace(word=text, start=start, end=end, probability=probability)


def segment(words: list[SimpleNamespace], **changes: Any) -> SimpleNamespace:
    """A segment as faster-whisper gives it."""
    start, end = (words[0].start, words[-1].end) if words else (0.0, 1.0)
    text = "".join(w.word for w in words)
    values = {
        "start": start,
        "end": end,
        "text": text,
        "words": words,
        "no_speech_prob": 0.1,
        "avg_logprob": -0.3,
    }
    return SimpleNamespace(**{**values, **changes})


@dataclass
class Scripted:
    """Stands in for the library's model: answers each piece with the next script."""

    scripts: list[list[SimpleNamespace]]
    supported_languages: list[str] = field(default_factory=lambda: ["en", "de", "es"])
    asked: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    loaded: dict[str, Any] = field(default_factory=dict)

    def __call__(self, folder: str, **options: Any) -> Scripted:
        self.loaded = {"folder": folder, **options}
        return self

    def transcribe(self, samples: Any, **options: Any) -> tuple[Any, None]:
        assert samples.dtype == np.float32
        self.asked.append((len(samples), options))
        return iter(self.scripts.pop(0)), None

    def detect_language(self, samples: Any) -> tuple[str, float, list[tuple[str, float]]]:
        return ("de", 0.5, [("de", 0.5), ("en", 0.3)])


def transcribed(
    model: Scripted, spans: list[Span], *, length: int = 60_000, language: str | None = "en", **options: Any
) -> Transcript:
    """The engine's transcript of silence, its model being scripted."""
    with Studio() as studio:
        engine = Whisper(WhisperOptions(**{"model": "small", **options}), studio.context, load=model)
        audio = studio.audio(np.zeros(length * 16, np.float32), 16_000)
        found: Transcript = studio.call(engine, "transcribe", Transcribe(audio, language, tuple(spans)))
        return found


def test_words_land_on_the_programmes_clock() -> None:
    """Times within a piece become the programme's; text loses its padding; confidence is kept."""
    model = Scripted(
        [
            [segment([word(" Hello", 0.2, 0.6), word(" there.", 0.6, 1.1)])],
            [segment([word(" Bye.", 0.3, 0.9, 0.5)])],
        ]
    )
    found = transcribed(model, [Span(1000, 2000), Span(30_000, 31_000)])
    assert [(s.text, s.span) for s in found.segments] == [
        ("Hello there.", Span(1000, 1850)),
        ("Bye.", Span(30_050, 30_650)),
    ]
    assert found.segments[1].words[0].confidence == 0.5
    assert [n for n, _ in model.asked] == [1500 * 16, 1500 * 16]


def test_how_the_library_is_asked() -> None:
    """Pieces are cut by our detector, so the library's own filter is off; nothing is carried over."""
    model = Scripted([[]])
    transcribed(model, [Span(0, 1000)], hotwords="Autodub", beam_size=3, device="cpu")
    _, options = model.asked[0]
    assert options["language"] == "en"
    assert options["word_timestamps"] is True
    assert options["vad_filter"] is False
    assert options["condition_on_previous_text"] is False
    assert (options["hotwords"], options["beam_size"]) == ("Autodub", 3)
    assert model.loaded["local_files_only"] is True
    assert (model.loaded["device"], model.loaded["compute_type"]) == ("cpu", "int8")


def test_the_language_is_detected_over_pieces() -> None:
    """Without a language the likeliest one is used for all pieces and reported."""
    model = Scripted([[], []])
    found = transcribed(model, [Span(0, 1000), Span(40_000, 41_000)], language=None)
    assert found.language == "de"
    assert [options["language"] for _, options in model.asked] == ["de", "de"]
    only_english = Scripted([[]], supported_languages=["en"])
    assert transcribed(only_english, [Span(0, 1000)], language=None).language == "en"


def test_made_up_text_is_left_out() -> None:
    """Text outside any speech, or that the model itself takes for silence, goes, and is counted."""
    model = Scripted(
        [
            [
                segment([word(" Real.", 0.3, 0.8)]),
                segment([word(" Subscribe!", 5.1, 5.8)]),
                segment([word(" Hm", 0.8, 0.9)], no_speech_prob=0.9, avg_logprob=-2.0),
            ]
        ]
    )
    found = transcribed(model, [Span(0, 1000), Span(2000, 2500), Span(6500, 7000)])
    assert [s.text for s in found.segments] == ["Real."]
    assert any("2 stretches" in note for note in found.notes)


def test_a_stuck_loop_is_noted() -> None:
    """Text that repeats itself is kept, since speech was there, but said to be doubtful."""
    words = [word(" again and again", n * 0.1, n * 0.1 + 0.1) for n in range(30)]
    assert any("repeat" in note for note in transcribed(Scripted([[segment(words)]]), [Span(0, 4000)]).notes)


def test_overlapping_pieces_give_each_word_once() -> None:
    """A monologue cut at 30 s is heard with an overlap; words in it appear once, in order."""
    script = [[segment([word(f" w{n}", n / 2, n / 2 + 0.4) for n in range(62)])] for _ in range(2)]
    found = transcribed(Scripted(script), [Span(0, 56_000)], length=56_000)
    words = [w for s in found.segments for w in s.words]
    assert all(left.span.end <= right.span.start for left, right in pairwise(words))
    assert len(words) == pytest.approx(112, abs=2)


def test_auto_names_the_model_on_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The options say which model it is (it is part of what an answer is kept under): a local one first."""
    context = EngineContext({}, tmp_path)
    monkeypatch.setattr(weights, "has_gpu", lambda: False)
    assert Whisper(WhisperOptions(), context).options.model == "small"
    monkeypatch.setattr(weights, "has_gpu", lambda: True)
    assert Whisper(WhisperOptions(), context).options.model == "large-v3-turbo"
    assert Whisper(WhisperOptions(device="cpu"), context).options.model == "small"
    tiny_whisper.make(tmp_path / "whisper" / "base")
    assert Whisper(WhisperOptions(), context).options.model == "base"
    assert Whisper(WhisperOptions(), context).readiness().state == "ready"


def test_an_answer_is_kept_under_the_weights_that_gave_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Device, arithmetic and weights are settled at once: other weights of the same name have another key."""
    monkeypatch.setattr(weights, "has_gpu", lambda: False)
    context = EngineContext({}, tmp_path / "models")
    request = Transcribe(Audio(Blob("0" * 64, 1, ".wav"), 16_000, 1, 16_000, "mono"), "en", ())
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    snapshots = tmp_path / "hub" / "models--Systran--faster-whisper-small" / "snapshots"
    keys = [key(Whisper(WhisperOptions(), context), "transcribe", request)]
    for age, name in enumerate(("abc", "def")):
        (snapshots / name).mkdir(parents=True)
        (snapshots / name / "model.bin").write_bytes(b"x")
        os.utime(snapshots / name, (1000 + age, 1000 + age))
        engine = Whisper(WhisperOptions(), context)
        assert engine.options.weights == name
        keys.append(key(engine, "transcribe", request))
    own = tiny_whisper.make(context.models / "whisper" / "small")
    keys.append(key(Whisper(WhisperOptions(), context), "transcribe", request))
    os.utime(own / "model.bin", (5, 5))
    engine = Whisper(WhisperOptions(), context)
    keys.append(key(engine, "transcribe", request))
    keys.append(key(Whisper(WhisperOptions(compute_type="float32"), context), "transcribe", request))
    assert len(set(keys)) == len(keys)
    same = Whisper(WhisperOptions(device="cpu", compute_type="int8"), context)
    assert key(same, "transcribe", request) == key(engine, "transcribe", request)
    assert "weights" not in Whisper.Options.model_fields


def test_missing_weights_are_said_with_the_command(tmp_path: Path) -> None:
    """Without weights it is not ready, names the command, and refuses to run with the same hint."""
    context = EngineContext({}, tmp_path)
    engine = Whisper(WhisperOptions(model="small"), context)
    ready = engine.readiness()
    assert (ready.state, ready.fix) == ("needs download", "autodub engines fetch transcriber.whisper")
    with Studio() as studio:
        audio = studio.audio(np.zeros(16_000, np.float32), 16_000)
        with pytest.raises(EngineCannot) as caught:
            studio.call(engine, "transcribe", Transcribe(audio, "en", (Span(0, 1000),)))
    assert ready.fix in caught.value.hint
    nowhere = Whisper(WhisperOptions(model="/no/such/folder"), context).readiness()
    assert nowhere.state == "needs download"
    assert "/no/such/folder" in nowhere.detail


def test_a_folder_and_the_hubs_cache_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights are found as a path, in our folder and where the hub's own tools put them."""
    folder = tiny_whisper.make(tmp_path / "mine")
    assert weights.local(str(folder), tmp_path) == folder
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    snapshot = tmp_path / "hub" / "models--Systran--faster-whisper-tiny" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    assert weights.local("tiny", tmp_path) is None
    (snapshot / "model.bin").write_bytes(b"x")
    assert weights.local("tiny", tmp_path) == snapshot


def test_a_damaged_model_is_said(tmp_path: Path) -> None:
    """A folder whose model cannot be loaded gives a sentence, not a traceback."""
    folder = tiny_whisper.make(tmp_path / "broken")
    (folder / "model.bin").write_bytes(b"not a model")
    with Studio() as studio:
        audio = studio.audio(np.zeros(16_000, np.float32), 16_000)
        engine = Whisper(WhisperOptions(model=str(folder), device="cpu"), studio.context)
        with pytest.raises(EngineCannot, match="cannot be loaded"):
            studio.call(engine, "transcribe", Transcribe(audio, "en", (Span(0, 1000),)))


def test_names_are_those_of_the_library() -> None:
    """Every model name of faster-whisper leads to the repository it uses itself."""
    from faster_whisper.utils import _MODELS

    assert {name: weights.repository(name) for name in _MODELS} == dict(_MODELS)
    assert weights.repository("owner/name") == "owner/name"
    assert weights.repository("enormous") is None


def test_fetching_without_a_network_fails_at_once(tmp_path: Path) -> None:
    """No hub, no waiting: Unreachable, with the folder to copy the files into; unknown names are refused."""
    with pytest.raises(Unreachable) as caught:
        weights.fetch("small", tmp_path)
    assert str(tmp_path / "whisper" / "small") in caught.value.hint
    with pytest.raises(EngineCannot, match="enormous"):
        weights.fetch("enormous", tmp_path)
    assert not (tmp_path / "whisper" / "small").exists()


def test_fetching_offline_or_twice(tmp_path: Path) -> None:
    """Offline nothing is fetched; what is there is not fetched again."""
    work = SimpleNamespace(progress=lambda *_: None)
    engine = Whisper(WhisperOptions(model="small"), EngineContext({}, tmp_path, offline=True))
    with pytest.raises(EngineCannot, match="offline"):
        engine.fetch(work)  # type: ignore[arg-type]
    folder = tiny_whisper.make(tmp_path / "whisper" / "small")
    assert engine.fetch(work) == folder  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["../../etc", "a/../../b", "/etc/passwd"])
def test_a_name_cannot_leave_the_models_folder(name: str, tmp_path: Path) -> None:
    """A model's name is not a way out of the folder for weights."""
    assert weights._own(name, tmp_path).parent == tmp_path / "whisper"
