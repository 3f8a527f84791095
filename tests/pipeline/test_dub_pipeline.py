"""The dub as a whole, with scripted engines: what is made, kept, degraded, resumed and refused."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autodub.gateway.cancel import Cancel
from autodub.media import survey
from autodub.media.probe import probe
from autodub.model.calls import Spans
from autodub.model.errors import (
    BadProject,
    BadSubtitles,
    Cancelled,
    EngineCannot,
    NoCredit,
    OutputProblem,
    Rejected,
    RequestError,
    UnknownEngine,
    UnknownLanguage,
    Unreachable,
    UnsupportedSource,
)
from autodub.model.speech import Transcript, Translation, Translations, Wording
from autodub.model.time import Span
from autodub.testing.script import Give, Proceed, Script

Count = Callable[[], dict[str, int]]


def digest(path: Path) -> str:
    """Identity of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def edit(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change a project file as a person would."""
    data = json.loads(path.read_text(encoding="utf-8"))
    change(data)
    path.write_text(json.dumps(data), encoding="utf-8")


def test_every_line_is_spoken_and_every_file_is_there(stage: Any) -> None:
    """A plain dub speaks all lines, keeps the length and writes all its files."""
    before = digest(stage.film)
    dubbed = stage.dub()
    receipt = dubbed.receipt
    assert receipt.line_count.total == receipt.line_count.spoken > 0
    for path in (dubbed.output, *dubbed.subtitles, dubbed.receipt_path, dubbed.report, dubbed.project):
        assert path.stat().st_size > 0
    assert abs(probe(dubbed.output).duration - probe(stage.film).duration) <= 100
    assert receipt.durations.picture_copied is True
    assert receipt.value("B1") == -200
    assert receipt.value("T8.samples") == 0
    assert digest(stage.film) == before
    assert not dubbed.reused


def test_an_unchanged_dub_is_delivered_without_any_call(stage: Any, counting: Count) -> None:
    """The second run asks no engine, and even restores a file somebody deleted."""
    first = stage.dub()
    made = digest(first.output)
    counting()
    first.output.unlink()
    again = stage.dub()
    assert again.reused
    assert counting() == {}
    assert digest(again.output) == made
    assert again.receipt == first.receipt


def test_two_runs_from_nothing_are_identical(stage: Any, film: Path, tmp_path: Path) -> None:
    """The same request in two fresh places gives the same bytes, whatever finished first."""
    first = digest(stage.dub().output)
    other = type(stage)(tmp_path / "other", film)
    other.folder.mkdir()
    other.scripts["synthesizer"] = Script(delay=0.01)
    assert digest(other.dub().output) == first


def test_dubs_at_the_same_time_do_not_disturb_each_other(stage: Any) -> None:
    """Two languages at once into one data directory come out as they do alone."""
    results: dict[str, str] = {}

    def work(target: str) -> None:
        out = stage.folder / f"out.{target}.mp4"
        results[target] = digest(stage.dub(target=target, output=str(out)).output)

    with stage.engines_registered():
        threads = [threading.Thread(target=work, args=(target,)) for target in ("es", "fr")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for target in ("es", "fr"):
        alone = type(stage)(stage.folder / f"alone-{target}", stage.film)
        alone.folder.mkdir()
        out = str(alone.folder / f"out.{target}.mp4")
        assert results[target] == digest(alone.dub(target=target, output=out).output)


def test_editing_one_line_speaks_one_line(stage: Any, counting: Count) -> None:
    """One changed text is one synthesis; all other lines stay to the sample, and the edit is spoken."""
    first = stage.dub()
    before = json.loads(first.project.read_text())
    counting()
    edit(first.project, lambda data: data["lines"][1].update(text="Otra cosa muy distinta."))
    second = stage.dub()
    assert counting() == {"synthesizer": 1}
    after = json.loads(second.project.read_text())
    assert after["lines"][1]["text"] == "Otra cosa muy distinta."
    assert after["lines"][1]["made"] == before["lines"][1]["made"]
    far = [n for n in range(len(before["lines"])) if abs(n - 1) > 4]
    assert [after["lines"][n] for n in far] == [before["lines"][n] for n in far]
    assert second.receipt.line_count.spoken == first.receipt.line_count.spoken
    assert stage.dub().reused


def test_a_source_is_surveyed_once_for_all_its_dubs(stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An edit, and another language, are mixed by what the first dub measured of the source."""
    surveys: list[Path] = []
    real = survey.survey

    def counted(mix: Path, *rest: Any, **named: Any) -> survey.MixSource:
        surveys.append(mix)
        return real(mix, *rest, **named)

    monkeypatch.setattr(survey, "survey", counted)
    first = stage.dub()
    edit(first.project, lambda data: data["lines"][0].update(text="Otra cosa."))
    assert not stage.dub().reused
    stage.dub(target="fr", output=str(stage.folder / "film.fr.mp4"))
    assert len(surveys) == 1


def test_taking_an_edit_back_gives_the_first_dub_again(stage: Any, counting: Count) -> None:
    """Undoing an edit in the file finds the unedited dub in the store."""
    first = stage.dub()
    made, text = digest(first.output), json.loads(first.project.read_text())["lines"][0]["text"]
    edit(first.project, lambda data: data["lines"][0].update(text="Nada."))
    stage.dub()
    counting()
    edit(first.project, lambda data: data["lines"][0].update(text=text))
    assert digest(stage.dub().output) == made
    assert counting() == {}


def test_another_voice_speaks_its_lines_anew(stage: Any, counting: Count) -> None:
    """A changed voice is used for every line of its speaker, and stays changed."""
    first = stage.dub()
    counting()
    voice = next(iter(json.loads(first.project.read_text())["voices"].values()))["id"]
    other = "fake-2" if voice != "fake-2" else "fake-3"
    edit(first.project, lambda data: data["voices"]["S1"].update(id=other))
    second = stage.dub()
    assert {request.voice.id for request in stage.asked("synthesizer")[-3:]} == {other}
    assert {line.voice for line in second.receipt.lines} == {f"fake:{other}"}
    assert "translator" not in counting()
    assert stage.dub().reused


def test_a_removed_line_keeps_its_original_sound(stage: Any) -> None:
    """A line taken out of the project is not spoken, and the receipt says why."""
    first = stage.dub()
    edit(first.project, lambda data: data["lines"].pop(0))
    receipt = stage.dub().receipt
    gone = [line for line in receipt.lines if line.status == "kept original"]
    assert [line.id for line in gone] == ["L0001"]
    assert "person" in gone[0].reason


def test_an_added_line_is_spoken_where_it_says(stage: Any) -> None:
    """A line a person adds is spoken at its time."""
    first = stage.dub()
    added = {"id": "mine", "speaker": "S1", "start_ms": 15_000, "end_ms": 16_200, "text": "Fin de todo."}
    edit(first.project, lambda data: data["lines"].append(added))
    receipt = stage.dub().receipt
    (line,) = [line for line in receipt.lines if line.id == "mine"]
    assert line.status == "spoken"
    assert abs(line.clip_ms.start - 15_000) <= 700


def test_a_changed_source_text_is_translated_again(stage: Any, counting: Count) -> None:
    """Correcting what was heard translates and speaks that line only."""
    first = stage.dub()
    counting()
    edit(first.project, lambda data: data["lines"][0].update(source="Something else entirely here."))
    stage.dub()
    assert counting() == {"translator": 1, "synthesizer": 1}


def test_an_edit_of_a_line_that_changed_since_is_refused(stage: Any) -> None:
    """An edit never lands on another line; the file with the person's work is left alone."""
    first = stage.dub()

    def change(data: dict[str, Any]) -> None:
        data["lines"][0]["text"] = "Hola."
        data["lines"][0]["made"]["source"] = data["lines"][0]["source"] = "Quite another sentence."

    edit(first.project, change)
    before = first.project.read_bytes()
    with pytest.raises(BadProject, match="changed since"):
        stage.dub()
    assert first.project.read_bytes() == before


def test_nothing_a_translator_refuses_is_spoken(stage: Any) -> None:
    """An error text in place of one line's translation keeps that line's original sound."""

    class Refusing(Script):
        def play(self, request: Any, work: Any) -> Give | Proceed:
            super().play(request, work)
            if any(line.span.start == 5500 for line in request.lines):
                lines = [Translation(line.id, (Wording(text(line)),)) for line in request.lines]
                return Give(Translations(tuple(lines)))
            return Proceed()

    def text(line: Any) -> str:
        return (
            "I'm sorry, but I can't assist with that." if line.span.start == 5500 else "Una frase cualquiera."
        )

    stage.scripts["translator"] = Refusing()
    receipt = stage.dub().receipt
    assert [line.id for line in receipt.lines if line.status == "kept original"] == ["L0002"]
    assert not any("sorry" in request.text for request in stage.asked("synthesizer"))
    assert any("L0002" in item.message for item in receipt.degradations)


def test_one_line_nobody_can_speak_costs_itself(stage: Any) -> None:
    """A line the synthesizer rejects keeps its original sound and is listed with the reason."""

    class Choosy(Script):
        def play(self, request: Any, work: Any) -> Give | Proceed:
            super().play(request, work)
            if request.text == bad:
                raise Rejected("No such letters.", engine="synthesizer.fake")
            return Proceed()

    bad = json.loads(stage.dub().project.read_text())["lines"][1]["text"]
    fresh = type(stage)(stage.folder / "fresh", stage.film)
    fresh.folder.mkdir()
    fresh.scripts["synthesizer"] = Choosy()
    receipt = fresh.dub().receipt
    lost = [line for line in receipt.lines if line.status != "spoken"]
    assert [line.id for line in lost] == ["L0002"]
    assert "No such letters" in lost[0].reason


def test_an_empty_account_stops_the_dub_and_it_goes_on_later(stage: Any, counting: Count) -> None:
    """When the money runs out the job stops; after a top-up only the missing lines are spoken."""
    stage.scripts["synthesizer"] = script = Script([Proceed(), Proceed(), NoCredit("Empty.")])
    with pytest.raises(NoCredit):
        stage.dub()
    done = len(script.requests) - 1
    assert not (stage.folder / "film.es.mp4").exists()
    stage.scripts["synthesizer"] = Script()
    stage.dub()
    whole = type(stage)(stage.folder / "whole", stage.film)
    whole.folder.mkdir()
    whole.dub()
    assert len(stage.asked("synthesizer")) <= len(whole.asked("synthesizer")) - done + 4


def test_a_failing_separator_degrades_unless_it_was_named(stage: Any) -> None:
    """Chosen by itself, a broken separator means a lowered original; named by the user, it is an error."""
    stage.scripts["separator"] = Script([Rejected("No."), Rejected("No.")])
    with pytest.raises(Rejected):
        stage.dub()
    stage.engines = {role: name for role, name in stage.engines.items() if role != "separator"}
    from autodub.engines.spectral import Spectral

    def broken(self: Any, request: Any, work: Any) -> Any:
        raise Rejected("It broke.")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Spectral, "separate", broken)
        patch.setattr(Spectral.separate, "__annotations__", {"return": "Stems"}, raising=False)
        receipt = stage.dub().receipt
    assert [item.what for item in receipt.degradations if item.what == "separator"] == ["separator"]


def test_a_stopped_dub_goes_on_where_it_was(stage: Any, counting: Count) -> None:
    """Stopping leaves no output; the next run repeats nothing that was finished."""
    cancel = Cancel()

    class Stopping(Script):
        def play(self, request: Any, work: Any) -> Give | Proceed:
            step = super().play(request, work)
            if len(self.requests) == 5:
                cancel.request()
            return step  # type: ignore[return-value]

    stage.scripts["synthesizer"] = Stopping()
    with pytest.raises(Cancelled):
        stage.dub(cancel=cancel)
    assert not list(stage.folder.glob("film.es*"))
    counting()
    dubbed = stage.dub()
    assert set(counting()) == {"synthesizer"}
    whole = type(stage)(stage.folder / "whole", stage.film)
    whole.folder.mkdir()
    assert digest(whole.dub().output) == digest(dubbed.output)


def test_nothing_said_leaves_the_source_as_it_is(stage: Any) -> None:
    """Where nobody speaks the output is the source, byte for byte, and the receipt says so."""
    stage.scripts["detector"] = Script([Give(Spans(()))])
    dubbed = stage.dub()
    assert digest(dubbed.output) == digest(stage.film)
    assert dubbed.receipt.line_count.total == 0
    assert any(item.what == "dub" for item in dubbed.receipt.degradations)
    assert dubbed.subtitles == ()
    assert stage.dub().reused


def test_speech_nobody_understood_stays(stage: Any) -> None:
    """Detected speech without any text keeps its original sound instead of vanishing."""
    from autodub.model.speech import Segment
    from autodub.model.time import Span

    only = Transcript("en", (Segment(Span(500, 4500), "Hello there my old friend."),))
    stage.scripts["transcriber"] = Script([Give(only)])
    receipt = stage.dub().receipt
    kept = [line for line in receipt.lines if line.status == "kept original"]
    assert [line.source_ms for line in kept] == [Span(5500, 9500), Span(10_500, 14_500), Span(15_500, 17_001)]
    assert all("not understood" in line.reason for line in kept)


def test_a_monologue_has_one_voice(stage: Any) -> None:
    """One speaker gets one voice for all lines."""
    stage.dub()
    assert len({request.voice.id for request in stage.asked("synthesizer")}) == 1


def test_several_speakers_have_several_voices(stage: Any) -> None:
    """The user's count of speakers reaches the diarizer, and each gets a voice of their own."""
    receipt = stage.dub(speakers=2).receipt
    assert stage.asked("diarizer")[0].speakers == 2
    assert len({line.voice for line in receipt.lines}) == 2


@pytest.mark.parametrize(
    ("wishes", "error", "words"),
    [
        ({"target": "en"}, UnknownLanguage, "already speaks"),
        ({"target": "klingonish"}, UnknownLanguage, "klingonish"),
        ({"spoken": "xx-yy-zz-qq"}, UnknownLanguage, "xx"),
        ({"engines": {"translator": "babelfish"}}, UnknownEngine, "babelfish"),
        ({"engines": {"transcriber": "subtitles"}}, EngineCannot, "no subtitles"),
        ({"options": {"translator": {"wordings": "99"}}}, RequestError, "99"),
        ({"options": {"poet": {"rhyme": "yes"}}}, EngineCannot, "poet"),
        ({"start": 5000, "end": 4000}, RequestError, "before it starts"),
        ({"start": 99_000}, RequestError, "99"),
        ({"source": "/no/such/film.mp4"}, UnsupportedSource, "film"),
        ({"subtitles": "/no/such/file.srt"}, BadSubtitles, "file.srt"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_made(
    stage: Any, counting: Count, wishes: dict[str, Any], error: type[Exception], words: str
) -> None:
    """Impossible wishes end in one sentence with a hint, and no engine is asked."""
    with pytest.raises(error, match=words) as caught:
        stage.dub(**wishes)
    assert caught.value.hint  # type: ignore[attr-defined]
    assert counting() == {}


def test_a_range_is_dubbed_exactly(stage: Any) -> None:
    """The output of a range is as long as the range, and its lines lie inside."""
    dubbed = stage.dub(start=5000, end=11_000)
    assert abs(probe(dubbed.output).duration - 6000) <= 100
    assert all(
        line.clip_ms.start >= 0 and line.clip_ms.end <= 6000 for line in dubbed.receipt.lines if line.clip_ms
    )


def test_the_original_stays_as_a_second_track(stage: Any) -> None:
    """Asked for, the untouched original is kept beside the dub, both tagged."""
    info = probe(stage.dub(keep_original_audio=True).output)
    assert [stream.language for stream in info.audio] == ["spa", "eng"]


@pytest.mark.parametrize(
    "change", [{"start_ms": 6000}, {"end_ms": 9000}, {"speaker": "S2"}], ids=["start", "end", "speaker"]
)
def test_moving_a_line_or_giving_it_to_another_speaker_speaks_it_there(
    stage: Any, counting: Count, change: dict[str, Any]
) -> None:
    """An edit of time or speaker keeps the text and speaks the line again, once."""
    first = stage.dub()
    text = json.loads(first.project.read_text())["lines"][1]["text"]
    counting()
    edit(first.project, lambda data: data["lines"][1].update(change))
    receipt = stage.dub().receipt
    assert counting().get("synthesizer", 0) <= 1
    (line,) = [line for line in receipt.lines if line.id == "L0002"]
    assert (line.status, line.spoken) == ("spoken", text)
    assert stage.dub().reused


def test_correcting_the_source_text_twice_translates_twice(stage: Any, counting: Count) -> None:
    """A second correction is no less heard than the first."""
    first = stage.dub()
    edit(first.project, lambda data: data["lines"][0].update(source="First correction of this."))
    stage.dub()
    assert stage.dub().reused
    counting()
    edit(first.project, lambda data: data["lines"][0].update(source="Second one, quite different."))
    stage.dub()
    assert counting() == {"translator": 1, "synthesizer": 1}


def test_a_line_emptied_by_a_person_stays_empty(stage: Any) -> None:
    """Blank text means the original sound, now and on every later run."""
    first = stage.dub()
    edit(first.project, lambda data: data["lines"][0].update(text=""))
    assert [line.id for line in stage.dub().receipt.lines if line.status == "kept original"] == ["L0001"]
    assert json.loads(first.project.read_text())["lines"][0]["text"] == ""
    assert stage.dub().reused


def test_a_pace_set_by_a_person_is_kept(stage: Any) -> None:
    """Also the pace 1, which is what an unset one would look like."""
    first = stage.dub()
    made = json.loads(first.project.read_text())["voices"]["S1"]["made"]
    assert made["pace"] != 1.0
    edit(first.project, lambda data: data["voices"]["S1"].update(pace=1.0))
    second = stage.dub()
    voice = json.loads(second.project.read_text())["voices"]["S1"]
    assert (voice["pace"], voice["made"]) == (1.0, made)
    assert stage.dub().reused


def test_edits_made_while_a_dub_runs_are_not_lost(stage: Any) -> None:
    """A project file that changed meanwhile is left alone, and the next run uses it."""
    first = stage.dub()
    edit(first.project, lambda data: data["lines"][0].update(text="Una cosa."))

    class Editing(Script):
        def play(self, request: Any, work: Any) -> Give | Proceed:
            edit(first.project, lambda data: data["lines"][1].update(text="Otra cosa."))
            return super().play(request, work)  # type: ignore[return-value]

    stage.scripts["synthesizer"] = Editing()
    stage.dub()
    assert any("changed meanwhile" in event.message for event in stage.events)
    stage.scripts["synthesizer"] = Script()
    spoken = {line.id: line.spoken for line in stage.dub().receipt.lines}
    assert (spoken["L0001"], spoken["L0002"]) == ("Una cosa.", "Otra cosa.")


def test_a_source_changed_while_it_is_dubbed_is_noticed(stage: Any, tmp_path: Path) -> None:
    """Nothing made from another file is ever kept under the first one's name."""
    film = tmp_path / "moving.mp4"
    film.write_bytes(stage.film.read_bytes())
    honest, other = film.read_bytes(), film.read_bytes() + b"\0" * 64
    stage.film = film

    class Swapping(Script):
        def play(self, request: Any, work: Any) -> Give | Proceed:
            film.write_bytes(other)
            return super().play(request, work)  # type: ignore[return-value]

    stage.scripts["translator"] = Swapping()
    with pytest.raises(UnsupportedSource, match="changed while"):
        stage.dub()
    film.write_bytes(honest)
    stage.scripts["translator"] = Script()
    assert not stage.dub().reused


def test_a_file_address_is_known_by_its_content(stage: Any, tmp_path: Path) -> None:
    """A file:// address whose file changes is dubbed anew."""
    film = tmp_path / "addressed.mp4"
    film.write_bytes(stage.film.read_bytes())
    stage.dub(source=film.as_uri())
    assert stage.dub(source=film.as_uri()).reused
    film.write_bytes(stage.film.read_bytes() + b"\0" * 64)
    assert not stage.dub(source=film.as_uri()).reused


def test_what_may_go_better_next_time_is_tried_again(stage: Any) -> None:
    """A line lost to a passing failure is spoken on the next run, which repeats nothing else."""

    class Away(Script):
        def play(self, request: Any, work: Any) -> Give | Proceed:
            super().play(request, work)
            if request.text == lost:
                raise Unreachable("Not there.")
            return Proceed()

    lost = json.loads(stage.dub().project.read_text())["lines"][1]["text"]
    fresh = type(stage)(stage.folder / "fresh", stage.film)
    fresh.folder.mkdir()
    fresh.scripts["synthesizer"] = Away()
    assert fresh.dub().receipt.line_count.kept_original == 1
    fresh.scripts["synthesizer"] = Script()
    again = fresh.dub()
    assert not again.reused
    assert again.receipt.line_count.kept_original == 0


def test_speech_only_the_text_knows_of_is_taken_out_too(stage: Any) -> None:
    """Where a subtitle stands and the detector hears nothing, the original voice is removed as well."""
    stage.scripts["detector"] = Script([Give(Spans((Span(500, 4500),)))])
    subtitles = stage.folder / "film.srt"
    subtitles.write_text(
        "1\n00:00:00,500 --> 00:00:04,400\nGood morning to you.\n\n"
        "2\n00:00:05,600 --> 00:00:09,300\nThe keeper walked away.\n"
    )
    stage.engines = {role: name for role, name in stage.engines.items() if role != "transcriber"}
    stage.dub(subtitles=str(subtitles))
    (request,) = stage.asked("separator")
    assert any(span.overlap(Span(5600, 9300)) > 3000 for span in request.spans)


def test_a_strangers_file_is_not_written_over(stage: Any) -> None:
    """An output that Autodub did not make is refused before any work, unless asked for."""
    stranger = stage.folder / "film.es.mp4"
    stranger.write_bytes(b"a holiday film")
    with pytest.raises(OutputProblem, match="did not make"):
        stage.dub()
    assert stranger.read_bytes() == b"a holiday film"
    assert not any(stage.asked(role) for role in stage.scripts)
    assert stage.dub(overwrite=True).output == stranger


def test_a_range_has_a_name_of_its_own(stage: Any, tmp_path: Path) -> None:
    """Without a name given, the dub of a range never replaces the dub of the whole."""
    film = tmp_path / "named.mp4"
    film.write_bytes(stage.film.read_bytes())
    assert stage.dub(source=str(film), output=None, start=5000, end=11_000).output.name == "named.5-11.es.mp4"
    assert stage.dub(source=str(film), output=None).output.name == "named.es.mp4"


def test_a_long_transcript_is_asked_for_in_parts() -> None:
    """Parts are cut at pauses only, and hold every span once."""
    from autodub.pipeline.listening import PART, _parts

    spans = tuple(Span(at, at + 4000) for at in range(0, 400_000, 5000))
    parts = _parts(spans)
    assert tuple(span for part in parts for span in part) == spans
    assert len(parts) == 3
    assert all(sum(span.duration for span in part) <= PART + 4000 for part in parts)
    breathless = tuple(Span(at, at + 4900) for at in range(0, 400_000, 5000))
    assert len(_parts(breathless)) == 1


def test_matched_voices_are_on_the_record(stage: Any) -> None:
    """Asking for matched voices uses the cloner, and the receipt holds what that states."""
    assert not any("permission" in note for note in stage.dub().receipt.notes)
    receipt = stage.dub(match_voices=True, output=str(stage.folder / "matched.mp4")).receipt
    assert len(stage.asked("cloner")) == 1
    assert any("permission" in note for note in receipt.notes)


class Away(Script):
    """Out of reach for one text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def play(self, request: Any, work: Any) -> Give | Proceed:
        super().play(request, work)
        if request.text == self.text:
            raise Unreachable("Not there.")
        return Proceed()


def test_an_edit_of_a_line_that_failed_in_passing_does_not_silence_it(stage: Any) -> None:
    """Moving a line the engine could not reach is spoken as soon as the engine is back."""
    lost = json.loads(stage.dub().project.read_text())["lines"][1]["text"]
    fresh = type(stage)(stage.folder / "fresh", stage.film)
    fresh.folder.mkdir()
    fresh.scripts["synthesizer"] = Away(lost)
    first = fresh.dub()
    edit(first.project, lambda data: data["lines"][1].update(start_ms=5700))
    fresh.dub()
    fresh.scripts["synthesizer"] = Script()
    again = fresh.dub()
    assert not again.reused
    assert {line.id: line.status for line in again.receipt.lines}["L0002"] == "spoken"


def test_a_passing_failure_while_getting_to_know_a_voice_is_not_kept(stage: Any) -> None:
    """All lines are spoken, but not as they would have been: the next run does it properly."""

    class First(Script):
        def play(self, request: Any, work: Any) -> Give | Proceed:
            super().play(request, work)
            if request.rate == 1.0 and request.text == self.requests[0].text:  # type: ignore[attr-defined]
                raise Unreachable("Not there.")
            return Proceed()

    stage.scripts["synthesizer"] = First()
    stage.dub()
    stage.scripts["synthesizer"] = Script()
    assert not stage.dub().reused
    assert stage.dub().reused


def test_a_moved_line_does_not_bring_its_original_voice_back(stage: Any) -> None:
    """Where a line stood before it was moved the original stays taken out."""
    first = stage.dub()
    edit(first.project, lambda data: data["lines"][1].update(start_ms=7000))
    receipt = stage.dub().receipt
    assert all(line.status == "spoken" for line in receipt.lines)


def test_lines_moved_over_each_other_may_overlap_like_their_sources(stage: Any) -> None:
    """A line moved in front of another speaker's keeps its time, whichever of the two was moved."""
    first = stage.dub(speakers=2)
    edit(first.project, lambda data: data["lines"][0].update(start_ms=4000, end_ms=8000))
    lines = {line.id: line for line in stage.dub(speakers=2).receipt.lines}
    assert abs(lines["L0001"].clip_ms.start - 4000) <= 250
    assert abs(lines["L0002"].clip_ms.start - 5500) <= 250


@pytest.mark.parametrize("source", ["", "The end of it all."])
def test_an_added_line_is_stable(stage: Any, source: str) -> None:
    """The run after the one that added it finds nothing to do."""
    first = stage.dub()
    added = {"id": "mine", "speaker": "S1", "start_ms": 15_000, "end_ms": 16_200, "text": "Fin de todo."}
    edit(first.project, lambda data: data["lines"].append(added | {"source": source}))
    stage.dub()
    assert stage.dub().reused


def test_text_for_a_line_nobody_translated_is_spoken_and_stable(stage: Any) -> None:
    """A person's words make a refused line speak; the next run finds nothing to do."""

    class Refusing(Script):
        def play(self, request: Any, work: Any) -> Give | Proceed:
            super().play(request, work)
            if any(line.span.start == 5500 for line in request.lines):
                lines = [Translation(line.id, (Wording(text(line)),)) for line in request.lines]
                return Give(Translations(tuple(lines)))
            return Proceed()

    def text(line: Any) -> str:
        return "I cannot translate this." if line.span.start == 5500 else "Una frase cualquiera."

    stage.scripts["translator"] = Refusing()
    first = stage.dub()
    assert json.loads(first.project.read_text())["lines"][1]["made"]["keep_original"]
    edit(first.project, lambda data: data["lines"][1].update(text="La pongo yo."))
    spoken = {line.id: line.spoken for line in stage.dub().receipt.lines}
    assert spoken["L0002"] == "La pongo yo."
    assert stage.dub().reused


def test_the_first_text_may_be_wanted_back_after_a_correction(stage: Any) -> None:
    """Typing the old text over a re-translation is an edit like any other."""
    first = stage.dub()
    old = json.loads(first.project.read_text())["lines"][0]["text"]
    edit(first.project, lambda data: data["lines"][0].update(source="Quite another sentence."))
    stage.dub()
    edit(first.project, lambda data: data["lines"][0].update(text=old))
    assert {line.id: line.spoken for line in stage.dub().receipt.lines}["L0001"] == old
    assert json.loads(first.project.read_text())["lines"][0]["text"] == old


@pytest.mark.parametrize("is_silent", [True, False])
def test_a_source_that_disappears_is_told_in_words(stage: Any, tmp_path: Path, is_silent: bool) -> None:
    """Deleting the file meanwhile ends in a sentence about that file."""
    film = tmp_path / "gone.mp4"
    film.write_bytes(stage.film.read_bytes())
    stage.film = film

    class Deleting(Script):
        def play(self, request: Any, work: Any) -> Give | Proceed:
            film.unlink(missing_ok=True)
            super().play(request, work)
            return Give(Spans(())) if is_silent else Proceed()

    stage.scripts["detector"] = Deleting()
    with pytest.raises(UnsupportedSource, match="gone"):
        stage.dub()


def test_a_cue_the_detector_hardly_hears_is_believed(stage: Any) -> None:
    """A long sentence of which 400 ms are detected keeps its cue's time, and its voice is taken out."""
    stage.scripts["detector"] = Script([Give(Spans((Span(500, 900),)))])
    subtitles = stage.folder / "film.srt"
    subtitles.write_text("1\n00:00:00,500 --> 00:00:04,500\nGood morning to you, my dear old friend.\n")
    stage.engines = {role: name for role, name in stage.engines.items() if role != "transcriber"}
    receipt = stage.dub(subtitles=str(subtitles)).receipt
    assert stage.asked("separator")[0].spans == (Span(500, 4500),)
    assert receipt.lines[0].source_ms == Span(500, 4500)


def test_a_line_refused_twice_keeps_its_original_sound(stage: Any) -> None:
    """Correcting the source of a line nobody translated, and being refused again, is no crash."""

    class Refusing(Script):
        def play(self, request: Any, work: Any) -> Give | Proceed:
            super().play(request, work)
            if any(line.span.start == 5500 for line in request.lines):
                sorry = (Wording("I cannot translate this."),)
                return Give(Translations(tuple(Translation(line.id, sorry) for line in request.lines)))
            return Proceed()

    stage.scripts["translator"] = Refusing()
    first = stage.dub()
    edit(first.project, lambda data: data["lines"][1].update(source="Another try at it."))
    lines = {line.id: line for line in stage.dub().receipt.lines}
    assert lines["L0002"].status == "kept original"
    assert lines["L0001"].status == "spoken"
