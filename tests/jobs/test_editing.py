"""Editing dubs: revisions, what is refused, locks, undo, and making a dub again of what was changed."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from policy_scene import ON_SQLITE, Scene, lines_of
from pydantic import TypeAdapter, ValidationError

from autodub.engines import registry
from autodub.jobs import editing_revisions, events
from autodub.jobs.editing import Edited
from autodub.jobs.editing_operations import Operation
from autodub.jobs.editing_views import LineView, Transcript
from autodub.jobs.platform import LOCAL_ACTOR, Platform
from autodub.jobs.records import Actor
from autodub.jobs.runner import Runner
from autodub.jobs.tables import users
from autodub.model.errors import (
    AutodubError,
    BadOption,
    BadSubtitles,
    Conflict,
    ContentRefused,
    NotFound,
    OldRevision,
)
from autodub.model.speech import Line
from autodub.model.time import Span
from autodub.pipeline.project import Project
from autodub.pipeline.project import parse as edits_of
from autodub.pipeline.revising import revise
from autodub.testing.fakes import FAKES
from finished_jobs import finished, line, project

_operations: TypeAdapter[list[Operation]] = TypeAdapter(list[Operation])
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


def edit(platform: Platform, job: str, *changes: dict[str, Any], revision: int | None = None) -> Edited:
    """Apply operations as they come through the interface."""
    wanted = _operations.validate_python(list(changes))
    return platform.editing.apply(LOCAL_ACTOR, job, wanted, revision=revision)


def of(found: Transcript, name: str) -> LineView:
    """A line of a transcript."""
    return next(one for one in found.lines if one.entry.id == name)


def read(platform: Platform, job: str) -> Transcript:
    """The newest revision."""
    return platform.editing.transcript(LOCAL_ACTOR, job)


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


def test_an_edit_of_an_old_revision_is_refused_with_the_present_one(platform: Platform, job: str) -> None:
    """Who has not seen the newest revision changes nothing, and is told its number."""
    edit(platform, job, {"op": "set", "line": "L0001", "text": "Una."}, revision=1)
    with pytest.raises(OldRevision) as refused:
        edit(platform, job, {"op": "set", "line": "L0002", "text": "Dos."}, revision=1)
    assert refused.value.present == 2
    assert of(read(platform, job), "L0002").entry.text == "Frase número 2."


def test_of_many_edits_at_once_exactly_one_wins(platform: Platform, job: str) -> None:
    """Eight people edit revision 1 in the same moment: one revision comes of it, seven are refused."""
    ready, outcomes = threading.Barrier(8), []

    def change(number: int) -> None:
        ready.wait()
        try:
            edit(platform, job, {"op": "set", "line": "L0001", "text": f"Soy {number}."}, revision=1)
            outcomes.append("done")
        except OldRevision:
            outcomes.append("old")

    threads = [threading.Thread(target=change, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["done"] + ["old"] * 7
    assert read(platform, job).revision == 2


def test_what_changes_nothing_makes_no_revision(platform: Platform, job: str) -> None:
    """The same text again is no edit."""
    done = edit(platform, job, {"op": "set", "line": "L0001", "text": "Frase número 1."})
    assert done.transcript.revision == 1
    assert not done.lines


def test_several_operations_are_one_revision_or_none(platform: Platform, job: str) -> None:
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
    (event,) = _events(platform, job)
    assert event["kind"] == "job.edited"
    assert event["data"] == {"revision": 2, "lines": ["L0002"], "count": 1, "voices": 0, "by": "local"}
    (row,) = _audit(platform, "job.edited")
    assert json.loads(row["data"]) == {"revision": 2, "lines": 1, "voices": 0}
    assert "secreta" not in repr(event) + repr(row)


def _events(platform: Platform, job: str) -> list[dict[str, Any]]:
    return [{"kind": one.kind, "data": dict(one.data)} for one in events.after(platform.sql, job, 0)]


def _audit(platform: Platform, action: str) -> list[dict[str, Any]]:
    with platform.sql.reading() as connection:
        rows = connection.exec_driver_sql("SELECT action, data FROM audit").all()
    return [{"action": row[0], "data": row[1]} for row in rows if row[0] == action]


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
def test_values_that_cannot_be_are_no_operations(change: dict[str, Any]) -> None:
    """Control characters, nothing to say, no number, strange names, unknown fields."""
    with pytest.raises(ValidationError):
        _operations.validate_python([change])


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


def test_a_locked_line_is_changed_by_nobody_until_it_is_unlocked(platform: Platform, job: str) -> None:
    """Set, remove, split, merge and restore are refused with who locked it; other lines may change."""
    lock = platform.editing.lock(LOCAL_ACTOR, job, "L0002")
    assert platform.editing.lock(LOCAL_ACTOR, job, "L0002") == lock
    changes: list[dict[str, Any]] = [
        {"op": "set", "line": "L0002", "text": "No."},
        {"op": "remove", "line": "L0002"},
        {"op": "split", "line": "L0002", "at": 5.0},
        {"op": "merge", "line": "L0001", "other": "L0002"},
    ]
    for change in changes:
        with pytest.raises(Conflict, match="L0002 is locked by local"):
            edit(platform, job, change)
    edit(platform, job, {"op": "set", "line": "L0001", "text": "Sí."})
    assert of(read(platform, job), "L0002").lock == lock
    platform.editing.unlock(LOCAL_ACTOR, job, "L0002")
    platform.editing.unlock(LOCAL_ACTOR, job, "L0002")
    assert edit(platform, job, {"op": "set", "line": "L0002", "text": "Ahora sí."}).lines == {"L0002"}
    told = [one["kind"] for one in _events(platform, job)]
    assert told == ["job.locked", "job.edited", "job.unlocked", "job.edited"]


def test_a_lock_of_somebody_else_is_told_and_the_owner_may_take_it_away(platform: Platform) -> None:
    """An admin locked a user's line: the user is told who did, and may unlock it."""
    ana, job = _user(platform, "ana"), finished(platform, owner="ana")
    platform.editing.lock(LOCAL_ACTOR, job, "L0001")
    with pytest.raises(Conflict, match="locked by local"):
        platform.editing.lock(ana, job, "L0001")
    platform.editing.unlock(ana, job, "L0001")
    assert platform.editing.lock(ana, job, "L0001").author == "ana"
    with pytest.raises(NotFound, match="no line L0077"):
        platform.editing.lock(ana, job, "L0077")


def _user(platform: Platform, name: str) -> Actor:
    row = {"id": name, "name": name, "role": "user", "active": True, "created": 1.0}
    with platform.sql.writing() as connection:
        connection.execute(platform.sql.insert(users).values(**row))
    return Actor(name, name)


def test_nobody_reads_or_changes_another_users_transcript(platform: Platform, job: str) -> None:
    """Every way in says that there is no such job."""
    bob, editing = _user(platform, "bob"), platform.editing
    wanted = _operations.validate_python([{"op": "remove", "line": "L0001"}])
    ways: list[Callable[[], object]] = [
        lambda: editing.transcript(bob, job),
        lambda: editing.project(bob, job),
        lambda: editing.history(bob, job),
        lambda: editing.apply(bob, job, wanted, revision=None),
        lambda: editing.retext(bob, job, b"", of="text", revision=None),
        lambda: editing.restore(bob, job, 1, revision=None),
        lambda: editing.lock(bob, job, "L0001"),
        lambda: editing.unlock(bob, job, "L0001"),
        lambda: editing.regenerate(bob, job),
    ]
    for way in ways:
        with pytest.raises(NotFound, match="no job"):
            way()


def test_a_job_without_a_dub_has_no_transcript_yet(platform: Platform) -> None:
    """It is told that there will be one."""
    job = finished(platform, state="failed", revision=0, made=0)
    with pytest.raises(Conflict, match="no transcript yet"):
        platform.editing.transcript(LOCAL_ACTOR, job)


def test_revisions_can_be_listed_read_and_gone_back_to(platform: Platform, job: str) -> None:
    """Who, when and what of each; an old one becomes the newest again, and nothing is lost."""
    edit(platform, job, {"op": "set", "line": "L0002", "text": "Dos.", "end": 6.5})
    edit(platform, job, {"op": "remove", "line": "L0003"}, {"op": "voice", "speaker": "S1", "pace": 1.5})
    found = platform.editing.history(LOCAL_ACTOR, job)
    assert [(one.number, one.name, one.what) for one in found] == [
        (3, "local", "L0003: removed; voices"), (2, "local", "L0002: end_ms, text"), (1, "", "made"),
    ]  # fmt: skip
    _, text = platform.editing.project(LOCAL_ACTOR, job, 2)
    assert Project.model_validate_json(text).lines[1].text == "Dos."
    done = platform.editing.restore(LOCAL_ACTOR, job, 2, revision=3)
    assert done.transcript.revision == 4
    assert done.lines == {"L0003"}
    assert of(read(platform, job), "L0002").entry.text == "Dos."
    assert not read(platform, job).removed
    with pytest.raises(NotFound, match="no revision 9"):
        platform.editing.restore(LOCAL_ACTOR, job, 9, revision=None)


def test_old_revisions_by_persons_are_thinned_out(
    platform: Platform, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a dub made stays, and so does everything since the result was made."""
    monkeypatch.setattr(editing_revisions, "_FEWEST", 2)
    monkeypatch.setattr(editing_revisions, "_BYTES", 1)
    for number in range(4):
        edit(platform, job, {"op": "set", "line": "L0001", "text": f"Número {number}."})
    assert len(platform.editing.history(LOCAL_ACTOR, job)) == 5  # the result is still of revision 1
    with platform.sql.writing() as connection:
        connection.exec_driver_sql("UPDATE jobs SET made = 5")
    edit(platform, job, {"op": "set", "line": "L0001", "text": "Más."})
    kept = [one.number for one in platform.editing.history(LOCAL_ACTOR, job)]
    assert kept == [6, 5, 1]


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


def test_a_dub_is_queued_again_with_its_edits(platform: Platform, job: str) -> None:
    """Regenerating one line with its new text is an edit and a queued job; while it waits no second one."""
    wanted = _operations.validate_python([{"op": "set", "line": "L0001", "text": "Nueva."}])
    queued = platform.editing.regenerate(LOCAL_ACTOR, job, wanted, revision=1)
    assert (queued.state, queued.revision, queued.made) == ("queued", 2, 1)
    with pytest.raises(Conflict, match="The job is queued"):
        platform.editing.regenerate(LOCAL_ACTOR, job, wanted, revision=2)
    assert len(_audit(platform, "job.regenerated")) == 1


def test_regenerating_an_old_revision_is_refused(platform: Platform, job: str) -> None:
    """Who asks for a dub of revision 1 does not get one of revision 2."""
    edit(platform, job, {"op": "set", "line": "L0001", "text": "Otra."})
    with pytest.raises(OldRevision):
        platform.editing.regenerate(LOCAL_ACTOR, job, revision=1)
    assert platform.jobs.get(LOCAL_ACTOR, job).state == "completed"


@pytest.fixture
def scene(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """The same platform, whose jobs are carried out here and now."""
    scene = Scene(platform, tmp_path_factory.mktemp("scene"))
    with scene.engines():
        yield scene


@ON_SQLITE
def test_a_dub_made_again_speaks_only_the_line_that_was_changed(scene: Scene) -> None:
    """One synthesis for one edited line; the result is up to date, and uses up no more minutes."""
    job = scene.dub()
    edited = lines_of(scene, job)[0]["id"]
    before = len(scene.asked("synthesizer"))
    wanted = _operations.validate_python([{"op": "set", "line": edited, "text": "Nueva línea."}])
    scene.platform.editing.regenerate(LOCAL_ACTOR, job.id, wanted, revision=job.revision)
    done = scene.run()
    assert done.state == "completed"
    assert [one.text for one in scene.asked("synthesizer")[before:]] == ["Nueva línea."]
    found = read(scene.platform, job.id)
    assert not found.is_stale
    assert found.made == found.revision == done.revision == 3
    assert of(found, edited).entry.text == "Nueva línea."
    assert of(found, edited).is_edited


@ON_SQLITE
def test_an_edit_while_the_dub_is_being_made_stays_and_leaves_the_result_stale(scene: Scene) -> None:
    """The dub that took revision 2 ends; revision 3 of the person stays the newest, to be made later."""
    platform, job = scene.platform, scene.dub()
    first, second = (one["id"] for one in lines_of(scene, job)[:2])
    edit(platform, job.id, {"op": "set", "line": first, "text": "La primera."})
    platform.editing.regenerate(LOCAL_ACTOR, job.id)
    taken = platform.claims.next("worker")
    assert taken is not None
    assert taken.revision == 2
    edit(platform, job.id, {"op": "set", "line": second, "text": "La segunda."}, revision=2)
    Runner(platform).run(taken, scene.cancel, why=lambda: "cancel")
    done = platform.jobs.get(LOCAL_ACTOR, job.id)
    assert (done.state, done.revision, done.made, done.is_stale) == ("completed", 3, 2, True)
    found = read(platform, job.id)
    assert [one.entry.id for one in found.lines if one.is_stale] == [second]
    platform.editing.regenerate(LOCAL_ACTOR, job.id)
    assert scene.run().state == "completed"
    texts = {one["id"]: one["text"] for one in lines_of(scene, job)}
    assert (texts[first], texts[second]) == ("La primera.", "La segunda.")
    assert not read(platform, job.id).is_stale


@ON_SQLITE
def test_every_kind_of_edit_that_is_accepted_can_be_dubbed(scene: Scene) -> None:
    """Times, speakers, voices, added, split and joined lines: the dub is made, and nothing is refused."""
    platform, job = scene.platform, scene.dub()
    first, second = (one["id"] for one in lines_of(scene, job)[:2])
    edit(
        platform, job.id, {"op": "split", "line": first, "at": 2.0},
        {"op": "set", "line": second, "speaker": "Ana", "new_speaker": True, "start": 6.0},
        {"op": "add", "speaker": "S1", "start": 10.0, "end": 10.9, "text": "Añadida."},
        {"op": "voice", "speaker": "S1", "voice": "fake-3", "pace": 1.2},
    )  # fmt: skip
    platform.editing.regenerate(LOCAL_ACTOR, job.id)
    done = scene.run()
    assert (done.state, done.error) == ("completed", None)
    found = read(platform, job.id)
    assert {one.name for one in found.speakers} == {"Ana", "S1"}
    assert all(one.entry.timing is not None for one in found.lines)
    edit(platform, job.id, {"op": "merge", "line": first, "other": "mine-1"})
    platform.editing.regenerate(LOCAL_ACTOR, job.id)
    assert scene.run().state == "completed"


def test_an_edit_of_a_long_project_touches_one_line_only(platform: Platform) -> None:
    """Two thousand lines, one edit: the answer holds that line, and the others are as they were."""
    long = project(*(line(number) for number in range(1, 2001)))
    job = finished(platform, made=long)
    done = edit(platform, job, {"op": "set", "line": "L1000", "text": "Solo esta."})
    assert done.lines == {"L1000"}
    _, text = platform.editing.project(LOCAL_ACTOR, job)
    kept = Project.model_validate_json(text)
    assert [one.id for one, other in zip(kept.lines, long.lines, strict=True) if one != other] == ["L1000"]
