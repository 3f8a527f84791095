"""Choosing streams and engines, and refusing before anything is spent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from autodub.engines import registry
from autodub.engines.roles import EngineContext, Info, Readiness
from autodub.model.errors import BadOption, EngineCannot, UnknownLanguage, UnsupportedSource
from autodub.model.media import AudioStream, MediaInfo, Source, SubtitleStream
from autodub.model.request import DubRequest
from autodub.pipeline.outputs import Outputs
from autodub.pipeline.plan import Plan, make_plan
from autodub.testing.fakes import FakeTranscriber

CONTEXT = EngineContext({}, Path("models"), offline=True)


def sound(index: int, language: str | None, *, default: bool = False) -> AudioStream:
    """A stereo track."""
    return AudioStream(index, "aac", 48_000, 2, "stereo", language, 60_000, is_default=default)


def planned(
    *audio: AudioStream, subtitles: tuple[SubtitleStream, ...] = (), target: str = "es", **wishes: Any
) -> Plan:
    """The plan for a minute of such a source."""
    info = MediaInfo("matroska,webm", 60_000, (), audio or (sound(0, None),), subtitles)
    source = Source("/films/clip.mkv", "a" * 64, info, "clip")
    request = DubRequest("/films/clip.mkv", target, **wishes)
    return make_plan(request, source, Outputs(Path("/films/clip.es.mkv")), CONTEXT)


def test_the_weights_free_engines_are_chosen_where_nothing_else_can_run() -> None:
    """Without keys and weights every role has an engine all the same, and the reason is told."""
    plan = planned(spoken="en")
    names = {role: chosen.info.name for role, chosen in plan.engines.items()}
    assert names == {
        "detector": "silero", "transcriber": "sphinx", "diarizer": "clustering", "separator": "spectral",
        "translator": "apertium", "synthesizer": "espeak",
    }  # fmt: skip
    assert "whisper" in plan.engines["transcriber"].why


def test_an_engine_with_weights_on_disk_goes_before_a_weights_free_one() -> None:
    """``auto`` takes a ready local model before the last resort."""

    class Local(FakeTranscriber):
        @classmethod
        def describe(cls) -> Info:
            return Info("local", "transcriber", "1", "", needs_weights=True)

        def readiness(self) -> Readiness:
            return Readiness("ready", "")

    with registry.registered("transcriber", "local", Local):
        assert planned(spoken="en").engines["transcriber"].info.name == "local"


def test_the_track_of_the_spoken_language_is_heard() -> None:
    """Of several sound tracks the one in the spoken language is dubbed, else the default one."""
    tracks = (sound(1, "fra", default=True), sound(2, "eng"))
    assert planned(*tracks, spoken="en").audio.index == 2
    assert planned(sound(1, None), sound(2, None, default=True), spoken="en").audio.index == 2


def test_a_track_tag_tells_the_language_unless_it_names_the_target() -> None:
    """A tag is believed, but a wrong one that would make the dub pointless is not."""
    tagged = planned(sound(0, "eng")).spoken
    assert tagged is not None
    assert tagged.tag == "en"
    plan = planned(sound(0, "spa"))
    assert plan.spoken is not None
    assert plan.spoken.tag == "en"
    assert [note.what for note in plan.notes] == ["language"]


def test_subtitles_inside_the_source_are_read_when_they_are_in_the_spoken_language() -> None:
    """A text track beats recognising; pictures of text and other languages do not count."""
    text = SubtitleStream(3, "subrip", "eng", is_text=True)
    assert planned(subtitles=(text,), spoken="en").engines["transcriber"].info.name == "subtitles"
    pictures = SubtitleStream(3, "dvd_subtitle", "eng", is_text=False)
    french = SubtitleStream(4, "subrip", "fra", is_text=True)
    plan = planned(subtitles=(pictures, french), spoken="en")
    assert plan.engines["transcriber"].info.name == "sphinx"
    assert plan.subtitles is None


@pytest.mark.parametrize("wish", [{"subtitles": "/films/clip.srt"}, {"captions": True}])
def test_a_text_nobody_reads_is_told(wish: dict[str, Any]) -> None:
    """A text given beside a transcriber that takes no notice of it is not left out in silence."""
    request = DubRequest("/films/clip.wav", "es", spoken="en", engines={"transcriber": "sphinx"}, **wish)
    source = Source("/films/clip.wav", "a" * 64, MediaInfo("wav", 60_000, (), (sound(0, None),), ()), "clip")
    plan = make_plan(request, source, Outputs(Path("/films/clip.es.wav")), CONTEXT)
    (note,) = [note for note in plan.notes if note.what == "transcript"]
    assert next(iter(wish)) in note.message
    assert "sphinx" in note.reason
    assert not plan.captions


def test_subtitles_need_a_language() -> None:
    """Given subtitles of an unknown language are refused, naming the option."""
    info = MediaInfo("wav", 60_000, (), (sound(0, None),), ())
    source = Source("/films/clip.wav", "a" * 64, info, "clip")
    request = DubRequest("/films/clip.wav", "es", subtitles="/films/clip.srt")
    with pytest.raises(UnknownLanguage, match="which language") as caught:
        make_plan(request, source, Outputs(Path("/films/clip.es.wav")), CONTEXT)
    assert "--from" in caught.value.hint


@pytest.mark.parametrize(
    ("wishes", "error"),
    [
        ({"spoken": "en", "target": "ja"}, EngineCannot),
        ({"spoken": "de"}, EngineCannot),
        ({"spoken": "en", "engines": {"transcriber": "whisper"}}, EngineCannot),
        ({"spoken": "en", "options": {"synthesizer": {"amplitude": "900"}}}, BadOption),
        ({"spoken": "en", "options": {"synthesizer": {"bogus": "1"}}}, BadOption),
    ],
    ids=["no route", "nobody understands it", "no weights", "out of range", "no such option"],
)
def test_what_cannot_run_is_refused_with_what_would_help(
    wishes: dict[str, Any], error: type[Exception]
) -> None:
    """Every refusal has a hint."""
    with pytest.raises(error) as caught:
        planned(**wishes)
    assert caught.value.hint  # type: ignore[attr-defined]


def test_a_source_without_sound_is_refused() -> None:
    """There is nothing to dub in silence."""
    info = MediaInfo("mp4", 60_000, (), (), ())
    source = Source("/films/silent.mp4", "a" * 64, info, "silent")
    with pytest.raises(UnsupportedSource, match="no sound"):
        make_plan(DubRequest("x", "es", spoken="en"), source, Outputs(Path("/films/o.mp4")), CONTEXT)
