"""Revisions, locks and owners of transcripts, and making a dub again of what was changed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from editing_desk import audited, edit, of, operations, read, somebody, told
from policy_scene import ON_SQLITE, Scene, lines_of

from autodub.engines import registry
from autodub.jobs import editing_revisions
from autodub.jobs.platform import LOCAL_ACTOR, Platform
from autodub.jobs.runner import Runner
from autodub.model.errors import Conflict, NotFound, OldRevision
from autodub.pipeline.project import Project
from autodub.testing.fakes import FAKES
from finished_jobs import finished


@pytest.fixture(autouse=True)
def _speaking() -> Iterator[None]:
    """The synthesizer that the dubs of these tests were made with."""
    with registry.registered("synthesizer", "fake", FAKES["synthesizer"]):
        yield


@pytest.fixture
def job(platform: Platform) -> str:
    """A finished dub of four lines."""
    return finished(platform)


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
    assert [one["kind"] for one in told(platform, job)] == [
        "job.locked",
        "job.edited",
        "job.unlocked",
        "job.edited",
    ]


def test_a_lock_of_somebody_else_is_told_and_the_owner_may_take_it_away(platform: Platform) -> None:
    """An admin locked a user's line: the user is told who did, and may unlock it."""
    ana, job = somebody(platform, "ana"), finished(platform, owner="ana")
    platform.editing.lock(LOCAL_ACTOR, job, "L0001")
    with pytest.raises(Conflict, match="locked by local"):
        platform.editing.lock(ana, job, "L0001")
    platform.editing.unlock(ana, job, "L0001")
    assert platform.editing.lock(ana, job, "L0001").author == "ana"
    with pytest.raises(NotFound, match="no line L0077"):
        platform.editing.lock(ana, job, "L0077")


def test_nobody_reads_or_changes_another_users_transcript(platform: Platform, job: str) -> None:
    """Every way in says that there is no such job."""
    bob, editing = somebody(platform, "bob"), platform.editing
    wanted = operations.validate_python([{"op": "remove", "line": "L0001"}])
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


def test_a_dub_is_queued_again_with_its_edits(platform: Platform, job: str) -> None:
    """Regenerating one line with its new text is an edit and a queued job; while it waits no second one."""
    wanted = operations.validate_python([{"op": "set", "line": "L0001", "text": "Nueva."}])
    queued = platform.editing.regenerate(LOCAL_ACTOR, job, wanted, revision=1)
    assert (queued.state, queued.revision, queued.made) == ("queued", 2, 1)
    with pytest.raises(Conflict, match="The job is queued"):
        platform.editing.regenerate(LOCAL_ACTOR, job, wanted, revision=2)
    assert len(audited(platform, "job.regenerated")) == 1


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
    wanted = operations.validate_python([{"op": "set", "line": edited, "text": "Nueva línea."}])
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
