"""The sherpa diarizer: real ONNX models of a few hundred bytes through the real library."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tiny_sherpa

from autodub.engines.roles import EngineContext
from autodub.engines.sherpa import Sherpa, SherpaOptions
from autodub.gateway.keys import key
from autodub.model.calls import Diarize
from autodub.model.errors import Cancelled, EngineCannot, Unreachable
from autodub.model.speech import Turn
from autodub.model.time import Span
from autodub.testing.contracts import DiarizerContract
from autodub.testing.studio import Samples, Studio, bursts

LOW = [Span(500, 3000), Span(6000, 9000), Span(14_000, 17_000)]
HIGH = [Span(3300, 5600), Span(9500, 13_500)]


def talk(low: list[Span], high: list[Span], length: int) -> Samples:
    """Two voices in turn."""
    both: Samples = bursts(low, length=length, pitch=95.0) + bursts(high, length=length, pitch=230.0)
    return both


def place(models: Path) -> Path:
    """Put the tiny models where the engine looks for them."""
    tiny_sherpa.segmentation(models / "sherpa" / "segmentation" / "model.onnx")
    tiny_sherpa.embedding(models / "sherpa" / "embedding" / "tiny.onnx")
    return models


class TestSherpa(DiarizerContract):
    """Sherpa keeps the contract of a diarizer."""

    def engine(self, options: Mapping[str, str], context: EngineContext) -> Any:
        if not (context.models / "sherpa").exists():
            place(context.models)
        return Sherpa(SherpaOptions(**{"threads": "1", **options}), context)


def turns_of(low: list[Span], high: list[Span], length: int, **asked: Any) -> tuple[Turn, ...]:
    """What the engine makes of two voices; options by name, ``speakers`` and ``spans`` of the request too."""
    speakers, spans = asked.pop("speakers", None), asked.pop("spans", None)
    with Studio() as studio:
        place(studio.context.models)
        engine = Sherpa(SherpaOptions(threads=1, **asked), studio.context)
        audio = studio.audio(talk(low, high, length), 16_000)
        request = Diarize(audio, tuple(spans or sorted([*low, *high])), speakers=speakers)
        found: tuple[Turn, ...] = studio.call(engine, "diarize", request).turns
        return found


def wrong(turns: tuple[Turn, ...], low: list[Span], high: list[Span]) -> int:
    """Milliseconds of the two voices that no turn of the right speaker covers; S1 must be the low one."""
    lost = 0
    for name, spans in (("S1", low), ("S2", high)):
        for span in spans:
            lost += span.duration - sum(t.span.overlap(span) for t in turns if t.speaker == name)
    return lost


def test_two_voices_are_told_apart() -> None:
    """Who speaks when is found to within a twentieth, with a margin that says it is sure."""
    turns = turns_of(LOW, HIGH, 18_000)
    assert {turn.speaker for turn in turns} == {"S1", "S2"}
    assert wrong(turns, LOW, HIGH) < 0.05 * sum(span.duration for span in [*LOW, *HIGH])
    assert all(turn.margin is not None and turn.margin > 0.9 for turn in turns)


def test_one_voice_is_one_speaker() -> None:
    """A monologue does not fall apart, with or without a count."""
    assert {turn.speaker for turn in turns_of(LOW, [], 18_000)} == {"S1"}
    assert {turn.speaker for turn in turns_of(LOW, HIGH, 18_000, speakers=1)} == {"S1"}


def test_a_count_is_passed_on() -> None:
    """Told that two speak, it finds two even where the threshold alone would join them."""
    assert len({t.speaker for t in turns_of(LOW, HIGH, 18_000, threshold=0.99)}) == 1
    assert len({t.speaker for t in turns_of(LOW, HIGH, 18_000, threshold=0.99, speakers=2)}) == 2


def test_a_long_programme_is_heard_in_parts() -> None:
    """Voices keep their names from part to part, though each part is heard by itself."""
    low = [Span(at, at + 9000) for at in range(1000, 180_000, 30_000)]
    high = [Span(at, at + 8000) for at in range(12_000, 180_000, 30_000)]
    turns = turns_of(low, high, 181_000, minutes=1)
    assert {turn.speaker for turn in turns} == {"S1", "S2"}
    assert wrong(turns, low, high) < 0.05 * sum(span.duration for span in [*low, *high])
    assert [t.span.start for t in turns] == sorted(t.span.start for t in turns)
    counted = turns_of(low, high, 181_000, minutes=1, speakers=2)
    assert [(t.span, t.speaker) for t in counted] == [(t.span, t.speaker) for t in turns]


def test_every_span_has_somebody() -> None:
    """Where the networks hear nobody, the nearest speaker is named with margin 0; music alone is nobody."""
    faint = Span(20_000, 21_000)
    turns = turns_of(LOW, HIGH, 22_000, spans=[*sorted([*LOW, *HIGH]), faint])
    assert turns[-1] == Turn(faint, "S1", 0.0)
    only = turns_of(LOW, HIGH, 18_000, spans=LOW[:1])
    assert {turn.speaker for turn in only} == {"S1"}
    assert all(turn.span.overlap(LOW[0]) for turn in only)


def test_silence_is_one_speaker_nobody_is_sure_of() -> None:
    """Spans in which nothing is heard at all are still given to somebody."""
    turns = turns_of([], [], 4000, spans=[Span(500, 1500), Span(2000, 3000)])
    assert turns == (Turn(Span(500, 1500), "S1", 0.0), Turn(Span(2000, 3000), "S1", 0.0))


def test_bad_requests_are_the_users_to_fix() -> None:
    """A count below one and a sound of another rate are refused in words."""
    with pytest.raises(EngineCannot, match="0 speakers"):
        turns_of(LOW, HIGH, 18_000, speakers=0)
    with Studio() as studio:
        place(studio.context.models)
        audio = replace(studio.audio(np.zeros(16_000, np.float32), 16_000), rate=8000)
        with pytest.raises(EngineCannot, match="16 kHz"):
            studio.call(Sherpa(SherpaOptions(), studio.context), "diarize", Diarize(audio, (Span(0, 900),)))


@pytest.mark.parametrize("name", ["segmentation/model.onnx", "embedding/tiny.onnx"])
def test_a_model_that_cannot_be_loaded_is_said(name: str) -> None:
    """The library leaves the process; here that is a sentence with the way to mend it."""
    with Studio() as studio:
        models = place(studio.context.models)
        (models / "sherpa" / name).write_bytes(b"not a model")
        audio = studio.audio(talk(LOW, HIGH, 18_000), 16_000)
        with pytest.raises(EngineCannot, match="cannot load its models") as caught:
            studio.call(Sherpa(SherpaOptions(), studio.context), "diarize", Diarize(audio, tuple(LOW)))
    assert "autodub engines fetch diarizer.sherpa" in caught.value.hint


def test_models_swapped_by_mistake() -> None:
    """An embedding given as segmentation is no crash either."""
    with Studio() as studio:
        models = place(studio.context.models) / "sherpa"
        swapped = SherpaOptions(segmentation=models / "embedding" / "tiny.onnx")
        audio = studio.audio(talk(LOW, HIGH, 18_000), 16_000)
        with pytest.raises(EngineCannot, match="cannot load its models"):
            studio.call(Sherpa(swapped, studio.context), "diarize", Diarize(audio, tuple(LOW)))


def test_what_is_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Readiness names the package, the file or the option that is missing, and the one command."""
    context = EngineContext({}, tmp_path, offline=True)
    ready = Sherpa(SherpaOptions(), context).readiness()
    assert (ready.state, ready.fix) == ("needs download", "autodub engines fetch diarizer.sherpa")
    tiny_sherpa.segmentation(tmp_path / "sherpa" / "segmentation" / "model.onnx")
    assert "embedding" in Sherpa(SherpaOptions(), context).readiness().detail
    nowhere = Sherpa(SherpaOptions(segmentation=Path("/no/such.onnx")), context).readiness()
    assert "/no/such.onnx" in nowhere.detail
    with Studio() as studio:
        audio = studio.audio(talk(LOW, HIGH, 18_000), 16_000)
        with pytest.raises(EngineCannot, match="embedding") as caught:
            studio.call(Sherpa(SherpaOptions(), context), "diarize", Diarize(audio, tuple(LOW)))
    assert "autodub engines fetch diarizer.sherpa" in caught.value.hint
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert Sherpa(SherpaOptions(), context).readiness().fix == "pip install 'autodub[sherpa]'"


def test_fetching(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Offline nothing is fetched; without a network the folder for the files is named."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError("Network is unreachable")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    work: Any = SimpleNamespace(progress=lambda *_: None)
    with pytest.raises(EngineCannot, match="offline"):
        Sherpa(SherpaOptions(), EngineContext({}, tmp_path, offline=True)).fetch(work)
    with pytest.raises(Unreachable) as caught:
        Sherpa(SherpaOptions(), EngineContext({}, tmp_path)).fetch(work)
    assert str(tmp_path / "sherpa" / "segmentation") in caught.value.hint
    place(tmp_path)
    assert Sherpa(SherpaOptions(), EngineContext({}, tmp_path)).fetch(work) == tmp_path / "sherpa"


def test_other_models_are_another_answer(tmp_path: Path) -> None:
    """An answer is kept under the models that gave it."""
    context = EngineContext({}, place(tmp_path))
    with Studio() as studio:
        request = Diarize(studio.audio(np.zeros(16_000, np.float32), 16_000), (Span(0, 900),))
    before = key(Sherpa(SherpaOptions(), context), "diarize", request)
    assert key(Sherpa(SherpaOptions(), context), "diarize", request) == before
    tiny_sherpa.segmentation(tmp_path / "sherpa" / "segmentation" / "model.onnx", window=80_000)
    assert key(Sherpa(SherpaOptions(), context), "diarize", request) != before


def test_it_stops_between_two_looks() -> None:
    """A wish to stop ends the child process, too."""

    class Stopping:
        scratch = Path()
        count = 0

        def path(self, blob: Any) -> Path:
            return self.at

        def check(self) -> None:
            self.count += 1
            if self.count > 1:  # the loading and the hearing are looked at once each at least
                raise Cancelled("Stopped.")

    with Studio() as studio:
        place(studio.context.models)
        audio = studio.audio(talk(LOW, HIGH, 18_000), 16_000)
        work: Any = Stopping()
        work.at = studio.store.blobs.path(audio.blob)
        with pytest.raises(Cancelled):
            Sherpa(SherpaOptions(), studio.context).diarize(Diarize(audio, tuple(LOW)), work)
