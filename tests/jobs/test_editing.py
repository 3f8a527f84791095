"""Editing dubs: what changes, what is refused, undo, and subtitles brought along."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from editing_desk import audited, edit, of, operations, read, told
from pydantic import ValidationError

from autodub.engines import registry
from autodub.jobs.platform import LOCAL_ACTOR, Platform
from autodub.model.errors import (
    AutodubError,
    BadOption,
    BadSubtitles,
    Conflict,
    ContentRefused,
    NotFound,
)
from autodub.model.speech import Line
from autodub.model.time import Span
from autodub.pipeline.project import Project
from autodub.pipeline.project import parse as edits_of
from autodub.pipeline.revising import revise
from autodub.testing.fakes import FAKES
from finished_jobs import finished, line, project

Opening = Callable[..., Platform]
SQLITE = pytest.mark.parametrize("address", [""], ids=["sqlite"])
"""For rules that ask the database nothing which other tests do not ask of both kinds."""


@pytest.fixture(autouse=True)
def _speaking() -> Iterator[None]:
    """The synthesizer that the dubs of these tests were made with."""
    with registry.registered("synthesizer", "fake", FAKES["synthesizer"]):
        yield


@pytest.fixture
def job(platform: Platform) -> str:
    """A finished dub of four lines."""
    return finished(platform)


def test_an_edit_is_the_next_revision_and_marks_its_line_stale(platform: Platform, job: str) -> None:
    """One changed text: revision 2, made is still 1, that line alone is edited and stale."""
    done = edit(platform, job, {"op": "set", "line": "L0002", "text": "Otra cosa."}, revision=1)
    assert (done.transcript.revision, done.transcript.made, done.lines) == (2, 1, {"L0002"})
    found = read(platform, job)
    assert [one.entry.id for one in found.lines if one.is_stale] == ["L0002"]
    assert [one.entry.id for one in found.lines if one.is_edited] == ["L0002"]
    assert of(found, "L0002").entry.text == "Otra cosa."
    assert found.is_stale
    assert platform.jobs.get(LOCAL_ACTOR, job).is_stale


def test_what_changes_nothing_makes_no_revision(platform: Platform, job: str) -> None:
    """The same text again is no edit."""
    done = edit(platform, job, {"op": "set", "line": "L0001", "text": "Frase número 1."})
    assert done.transcript.revision == 1
    assert not done.lines


def test_severaloperations_are_one_revision_or_none(platform: Platform, job: str) -> None:
    """All changes of a request come together, and none when one of them cannot be."""
    good = {"op": "set", "line": "L0001", "text": "Buenas."}
    assert edit(platform, job, good, {"op": "remove", "line": "L0003"}).transcript.revision == 2
    with pytest.raises(NotFound, match="undo puts it back"):
        edit(
            platform, job, {"op": "set", "line": "L0002", "text": "No."},
            {"op": "set", "line": "L0003", "text": "Ya no está."},
        )  # fmt: skip
    found = read(platform, job)
    assert (found.revision, of(found, "L0002").entry.text) == (2, "Frase número 2.")
    assert found.removed == {"L0003": "Sentence number 3."}


def test_edits_are_told_and_audited_without_their_words(platform: Platform, job: str) -> None:
    """The event names revision and lines, the audit only how many; neither holds a word."""
    edit(platform, job, {"op": "set", "line": "L0002", "text": "Palabra secreta."})
    (event,) = told(platform, job)
    assert event["kind"] == "job.edited"
    assert event["data"] == {"revision": 2, "lines": ["L0002"], "count": 1, "voices": 0, "by": "local"}
    (row,) = audited(platform, "job.edited")
    assert json.loads(row["data"]) == {"revision": 2, "lines": 1, "voices": 0}
    assert "secreta" not in repr(event) + repr(row)


@SQLITE
@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"op": "set", "line": "L0009", "text": "Hola."}, NotFound, "no line L0009"),
        ({"op": "set", "line": "L0001", "end": 61.0}, BadOption, "after the programme"),
        ({"op": "set", "line": "L0001", "start": 2.95}, BadOption, "would last"),
        ({"op": "set", "line": "L0001", "start": 5.0}, BadOption, "would last"),
        ({"op": "set", "line": "L0001", "speaker": "S3"}, NotFound, "no speaker S3"),
        ({"op": "set", "line": "L0001", "speaker": "/", "new_speaker": True}, BadOption, "name of a speaker"),
        ({"op": "set", "line": "L0001", "source": ""}, BadOption, "needs a source text"),
        ({"op": "set", "line": "L0001", "text": "", "keep_original": False}, BadOption, "no text to speak"),
        ({"op": "add", "speaker": "S1", "start": 20.0, "end": 21.0, "text": ""}, BadOption, "needs text"),
        (
            {"op": "add", "id": "L0001", "speaker": "S1", "start": 20, "end": 21, "text": "a"},
            Conflict,
            "already",
        ),
        ({"op": "split", "line": "L0001", "at": 3.0}, BadOption, "cannot be split"),
        ({"op": "merge", "line": "L0001", "other": "L0003"}, Conflict, "Between them is L0002"),
        ({"op": "merge", "line": "L0003", "other": "L0004"}, Conflict, "same speaker"),
        ({"op": "merge", "line": "L0001", "other": "L0001"}, Conflict, "not neighbours"),
        ({"op": "voice", "speaker": "S1", "voice": "nobody"}, BadOption, "no voice 'nobody'"),
        ({"op": "voice", "speaker": "S7", "pace": 1.1}, NotFound, "no speaker S7"),
        ({"op": "undo", "line": "L0009"}, NotFound, "no line L0009"),
        ({"op": "undo", "speaker": "S7"}, NotFound, "no speaker S7"),
    ],
)
def test_what_a_dub_would_refuse_is_refused_at_once(
    platform: Platform, job: str, change: dict[str, Any], error: type[AutodubError], said: str
) -> None:
    """Each impossible change has its own sentence, and leaves the project as it was."""
    with pytest.raises(error) as refused:
        edit(platform, job, change)
    assert said in str(refused.value)
    assert read(platform, job).revision == 1


@pytest.mark.parametrize(
    "change",
    [
        {"op": "set", "line": "L0001", "text": "a\x00b"},
        {"op": "set", "line": "L0001", "text": "..."},
        {"op": "set", "line": "L0001", "text": "x" * 2001},
        {"op": "set", "line": "L0001", "start": float("nan")},
        {"op": "set", "line": "../x", "text": "Hola."},
        {"op": "voice", "speaker": "S1", "pace": 9.0},
        {"op": "undo"},
        {"op": "set", "line": "L0001", "made": {}},
    ],
)
def test_values_that_cannot_be_are_nooperations(change: dict[str, Any]) -> None:
    """Control characters, nothing to say, no number, strange names, unknown fields."""
    with pytest.raises(ValidationError):
        operations.validate_python([change])


@SQLITE
@pytest.mark.parametrize(
    "changes",
    [
        [{"op": "set", "line": "L0001", "text": "Nuevo.", "start": 0.5, "end": 3.5, "speaker": "S2"}],
        [{"op": "set", "line": "L0001", "source": "Other words."}],
        [{"op": "set", "line": "L0001", "keep_original": True}],
        [{"op": "set", "line": "L0001", "text": ""}],
        [{"op": "set", "line": "L0001", "speaker": "Ana", "new_speaker": True}],
        [{"op": "add", "speaker": "S1", "start": 20.0, "end": 60.0, "text": "Añadida."}],
        [{"op": "remove", "line": "L0002"}, {"op": "undo", "line": "L0002"}],
        [{"op": "split", "line": "L0001", "at": 1.5}],
        [{"op": "merge", "line": "L0001", "other": "L0002"}],
        [{"op": "voice", "speaker": "S1", "voice": "fake-3", "pitch_hz": None, "pace": 1.2}],
    ],
)
def test_what_is_accepted_reads_as_edits_of_a_dub(
    platform: Platform, job: str, changes: list[dict[str, Any]]
) -> None:
    """The text that is kept passes the dub's own parser and matcher, for every kind of operation."""
    edit(platform, job, *changes)
    _, text = platform.editing.project(LOCAL_ACTOR, job)
    edits = edits_of(text, path=Path("p"), source_sha256="a" * 64, target="es")
    heard = [Line(one.id, Span(one.start_ms, one.end_ms), one.source, one.speaker) for one in project().lines]
    revision = revise(heard, edits, path=Path("p"), limit=60_000)
    assert {one.id for one in revision.lines} >= {one.id for one in heard}
    assert bool(edits) == (changes[-1]["op"] != "undo")


@SQLITE
def test_a_line_split_in_two_is_cut_at_the_nearest_blank(platform: Platform, job: str) -> None:
    """Text and source are shared out by time; the second line is an added one of the same speaker."""
    found = edit(platform, job, {"op": "split", "line": "L0001", "at": 1.5}).transcript
    first, second = of(found, "L0001").entry, of(found, "mine-1").entry
    assert (first.text, second.text) == ("Frase", "número 1.")
    assert (first.source, second.source) == ("Sentence", "number 1.")
    assert (first.end_ms, second.start_ms, second.end_ms) == (1500, 1500, 3000)
    assert second.made is None
    assert second.speaker == "S1"


@SQLITE
def test_two_lines_joined_are_one_longer_line_and_one_that_is_taken_out(platform: Platform, job: str) -> None:
    """The order in which they are named does not matter."""
    edit(platform, job, {"op": "merge", "line": "L0002", "other": "L0001"})
    found = read(platform, job)
    joined = of(found, "L0001").entry
    assert joined.text == "Frase número 1. Frase número 2."
    assert (joined.start_ms, joined.end_ms) == (0, 7000)
    assert set(found.removed) == {"L0002"}


@SQLITE
def test_undo_puts_back_what_was_made(platform: Platform, job: str) -> None:
    """Of a changed line, of one that was taken out revisions ago, of an added one, and of a voice."""
    edit(platform, job, {"op": "set", "line": "L0001", "text": "A.", "speaker": "S2", "end": 2.0})
    edit(platform, job, {"op": "remove", "line": "L0002"})
    edit(platform, job, {"op": "add", "speaker": "S1", "start": 30.0, "end": 31.0, "text": "Más."})
    edit(platform, job, {"op": "voice", "speaker": "S1", "voice": "fake-4", "pace": 1.3})
    assert read(platform, job).is_stale
    edit(
        platform, job, {"op": "undo", "line": "L0001"}, {"op": "undo", "line": "L0002"},
        {"op": "undo", "line": "mine-1"}, {"op": "undo", "speaker": "S1"},
    )  # fmt: skip
    undone = read(platform, job)
    assert not undone.is_stale
    assert [one.entry.id for one in undone.lines] == ["L0001", "L0002", "L0003", "L0004"]
    assert not any(one.is_edited or one.is_stale for one in undone.lines)


@SQLITE
def test_a_changed_voice_makes_its_speakers_lines_stale(platform: Platform, job: str) -> None:
    """Nobody edited the lines, but how they sound is not up to date any more."""
    edit(platform, job, {"op": "voice", "speaker": "S2", "voice": "fake-1"})
    found = read(platform, job)
    assert [one.entry.id for one in found.lines if one.is_stale] == ["L0004"]
    assert not any(one.is_edited for one in found.lines)
    (changed,) = [one for one in found.speakers if one.is_edited]
    assert (changed.name, changed.is_stale) == ("S2", True)


@SQLITE
def test_another_voice_speaks_at_its_own_pitch(platform: Platform, job: str) -> None:
    """Unless one is asked for; the voice that was chosen by itself comes back with the pitch it had."""
    found = edit(platform, job, {"op": "voice", "speaker": "S1", "voice": "fake-3"}).transcript.speakers[0]
    assert found.voice is not None
    assert (found.voice.id, found.voice.pitch_hz) == ("fake-3", None)
    wanted = {"op": "voice", "speaker": "S1", "voice": "fake-4", "pitch_hz": 150.0}
    found = edit(platform, job, wanted).transcript.speakers[0]
    assert found.voice is not None
    assert found.voice.pitch_hz == 150.0
    found = edit(platform, job, {"op": "voice", "speaker": "S1", "voice": "fake-1"}).transcript.speakers[0]
    assert not found.is_edited


@SQLITE
def test_a_line_that_is_given_words_is_to_be_spoken(platform: Platform, job: str) -> None:
    """Text for a line whose original was kept takes it back into the dub."""
    edit(platform, job, {"op": "set", "line": "L0001", "keep_original": True})
    found = edit(platform, job, {"op": "set", "line": "L0001", "text": "Hablada."}).transcript
    assert not of(found, "L0001").entry.keep_original


@SQLITE
def test_words_that_the_operator_prohibits_are_not_edited_in(opening: Opening) -> None:
    """What a person writes is looked at like what was said."""
    platform = opening(prohibited=("detonador",))
    job = finished(platform)
    with pytest.raises(ContentRefused):
        edit(platform, job, {"op": "set", "line": "L0001", "text": "Un detonador."})
    assert read(platform, job).revision == 1


SRT = """1
00:00:00,100 --> 00:00:03,100
Primera.

2
00:00:04,100 --> 00:00:05,500
Segunda, una

3
00:00:05,600 --> 00:00:07,100
parte y otra.
"""


@SQLITE
def test_own_subtitles_are_put_onto_lines_by_their_times(platform: Platform, job: str) -> None:
    """Cues of one line are joined; lines without a cue stay as they are."""
    done = platform.editing.retext(LOCAL_ACTOR, job, SRT.encode(), of="text", revision=1)
    assert done.lines == {"L0001", "L0002"}
    texts = [one.entry.text for one in read(platform, job).lines]
    assert texts == ["Primera.", "Segunda, una parte y otra.", "Frase número 3.", "Frase número 4."]


@SQLITE
def test_own_transcript_replaces_what_was_said(platform: Platform, job: str) -> None:
    """As the source it leaves the dub's text to be translated again."""
    done = platform.editing.retext(LOCAL_ACTOR, job, SRT.encode(), of="source", revision=1)
    first = of(done.transcript, "L0001").entry
    assert (first.source, first.text) == ("Primera.", "Frase número 1.")


@SQLITE
@pytest.mark.parametrize(
    ("times", "said"),
    [
        ("00:00:30,000 --> 00:00:31,000", "Cue 1 (30.000 to 31.000 s) lies on no line"),
        ("00:00:00,100 --> 00:00:07,100", "Cue 1 (0.100 to 7.100 s) lies on L0001 and L0002"),
    ],
)
def test_a_cue_that_fits_no_line_or_several_is_named(
    platform: Platform, job: str, times: str, said: str
) -> None:
    """Nothing is changed then."""
    with pytest.raises(BadSubtitles) as refused:
        platform.editing.retext(
            LOCAL_ACTOR, job, f"1\n{times}\nHola.\n".encode(), of="text", revision=None
        )  # fmt: skip
    assert said in refused.value.message
    assert read(platform, job).revision == 1


def test_an_edit_of_a_long_project_touches_one_line_only(platform: Platform) -> None:
    """Two thousand lines, one edit: the answer holds that line, and the others are as they were."""
    long = project(*(line(number) for number in range(1, 2001)))
    job = finished(platform, made=long)
    done = edit(platform, job, {"op": "set", "line": "L1000", "text": "Solo esta."})
    assert done.lines == {"L1000"}
    _, text = platform.editing.project(LOCAL_ACTOR, job)
    kept = Project.model_validate_json(text)
    assert [one.id for one, other in zip(kept.lines, long.lines, strict=True) if one != other] == ["L1000"]
