"""What is refused before a job is queued: everything that can be known by then, and nothing is kept of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from desk import SOURCE, Desk, Opening
from policy_scene import Scene
from sqlalchemy import insert, select, update

from autodub.engines import registry
from autodub.jobs.platform import LOCAL_ACTOR, Platform
from autodub.jobs.records import Actor
from autodub.jobs.spec import JobSpec
from autodub.jobs.tables import audit, glossaries, jobs, uploads
from autodub.model.errors import AutodubError, Conflict, QuotaExceeded


def _refused(desk: Desk, actor: Actor = LOCAL_ACTOR, **wishes: Any) -> str:
    """The code a request is refused with; that nothing was kept is asserted on the way."""
    with pytest.raises(AutodubError) as caught:
        desk.jobs.submit(actor, JobSpec.model_validate({"source": SOURCE, "target": "es"} | wishes))
    with desk.sql.reading() as connection:
        assert connection.execute(select(jobs)).all() == connection.execute(select(audit)).all() == []
    return caught.value.code


@pytest.mark.parametrize(
    ("wishes", "code"),
    [
        ({"target": "klingon-nonsense"}, "unknown_language"),
        ({"target": "es", "spoken": "Spanish"}, "unknown_language"),
        ({"source": "https://evil.example/video.mp4"}, "unsupported_source"),
        ({"source": "http://127.0.0.1/video.mp4"}, "unsupported_source"),
        ({"source": "http://169.254.169.254/latest"}, "unsupported_source"),
        ({"source": "https://user:secret@www.youtube.com/watch?v=x"}, "unsupported_source"),
        ({"engines": {"translator": "nobody"}}, "unknown_engine"),
        ({"options": {"translator": {"a": "b"}}}, "bad_option"),
        ({"engines": {"synthesizer": "espeak"}, "options": {"synthesizer": {"no_such": "1"}}}, "bad_option"),
        ({"glossary": "g" * 32}, "not_found"),
        ({"source": None, "upload": "u" * 32}, "not_found"),
        ({"subtitles": "u" * 32}, "not_found"),
        ({"clone_voices": True}, "consent_missing"),
    ],
)
def test_what_cannot_be_done_is_refused(desk: Desk, wishes: dict[str, Any], code: str) -> None:
    """With the code of its reason."""
    assert _refused(desk, **wishes) == code


def test_belongings_of_others_do_not_exist(platform: Platform, tmp_path: Path) -> None:
    """Neither their uploads nor their glossaries."""
    desk, scene = Desk(platform), Scene(platform, tmp_path)
    other = desk.user("other")
    upload = scene.upload()
    row = {"id": "g" * 32, "owner": "local", "name": "n", "text": "", "created": 1.0, "updated": 1.0}
    with desk.sql.writing() as connection:
        connection.execute(insert(glossaries).values(**row))
    assert _refused(desk, other, source=None, upload=upload) == "not_found"
    assert _refused(desk, other, glossary="g" * 32) == "not_found"


@pytest.mark.parametrize(
    "values", [{"state": "receiving", "blob": None}, {"state": "refused", "why": "no sound"}]
)
def test_an_upload_must_be_ready_and_of_its_kind(
    platform: Platform, tmp_path: Path, values: dict[str, Any]
) -> None:
    """What was refused says why."""
    desk, scene = Desk(platform), Scene(platform, tmp_path)
    upload = scene.upload()
    assert _refused(desk, subtitles=upload) == "bad_option"
    with desk.sql.writing() as connection:
        connection.execute(update(uploads).values(**values))
    assert _refused(desk, source=None, upload=upload) == "bad_option"


def test_a_queued_job_keeps_its_upload(platform: Platform, tmp_path: Path) -> None:
    """Nobody removes it, whatever its time; one whose file is gone is refused."""
    desk, scene = Desk(platform), Scene(platform, tmp_path)
    upload = scene.upload()
    desk.submit(source=None, upload=upload)
    with pytest.raises(Conflict):
        platform.uploads.delete(LOCAL_ACTOR, upload)
    with desk.sql.writing() as connection:
        connection.execute(update(uploads).values(expires=1.0))
    assert platform.uploads.sweep(2.0) == []
    (file,) = platform.store.blobs.files()
    file.unlink()
    with pytest.raises(AutodubError, match="no upload"):
        desk.submit(source=None, upload=upload)


def test_a_path_of_the_server_may_be_set_by_an_admin_only(opening: Opening) -> None:
    """An option that names one is nothing for users."""
    desk = Desk(opening())
    paths = [
        (role, name, option.name)
        for role in ("translator", "synthesizer", "transcriber", "separator", "diarizer", "cloner")
        for name in registry.names(role)
        for option in registry.describe_options(registry.load(role, name))
        if option.kind == "a path"
    ]
    if not paths:
        pytest.skip("no engine has an option that is a path")
    role, name, option = paths[0]
    wishes = {"engines": {role: name}, "options": {role: {option: "/etc/passwd"}}}
    assert _refused(desk, desk.user("user"), **wishes) == "forbidden"


@pytest.mark.parametrize(
    ("role", "name", "option", "value"),
    [
        ("separator", "demucs", "model", "/tmp/folder-of-somebody"),
        ("separator", "demucs", "model", "here"),
        ("separator", "roformer", "model", "../models"),
        ("transcriber", "whisper", "model", "~root"),
        ("transcriber", "whisper", "model", "owner/name"),
        ("transcriber", "whisper", "model", "x" * 300),
        ("translator", "madlad", "model", "/etc/passwd/\0"),
        ("synthesizer", "elevenlabs", "clones", "true"),
        ("synthesizer", "elevenlabs", "own_prefix", "x"),
        ("synthesizer", "elevenlabs", "voices", "idOfSomebodysClone"),
    ],
)
def test_what_reaches_the_machine_or_its_accounts_is_for_admins(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, role: str, name: str, option: str, value: str
) -> None:
    """Folders of weights, which may be programs, and voices that were cloned for others."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path)
    wishes = {"engines": {role: name}, "options": {role: {option: value}}}
    assert _refused(desk, desk.user("user"), **wishes) == "forbidden"


def test_a_model_may_be_named_by_everybody(desk: Desk) -> None:
    """A name that leads nowhere is no path."""
    wishes = {"engines": {"transcriber": "whisper"}, "options": {"transcriber": {"model": "large-v3"}}}
    assert desk.submit(desk.user("user"), **wishes).state == "queued"


def test_an_upload_longer_than_what_is_left_is_refused(opening: Opening, tmp_path: Path) -> None:
    """Unless only a part of it is asked for; an estimate may be asked of all of it."""
    desk = Desk(opening(minutes=1))
    scene = Scene(desk.platform, tmp_path)
    upload = scene.upload()
    with desk.sql.writing() as connection:
        connection.execute(update(uploads).values(info='{"seconds": 90.0}'))
    assert _refused(desk, source=None, upload=upload) == "quota_exceeded"
    assert _refused(desk, source=None, upload=upload, start=20) == "quota_exceeded"
    assert desk.submit(source=None, upload=upload, start=10, end=70).state == "queued"
    assert desk.submit(source=None, upload=upload, start=40).state == "queued"
    spec = JobSpec(upload=upload, target="es")
    assert desk.jobs.submit(LOCAL_ACTOR, spec, kind="estimate")[1]


def test_a_title_is_the_users_else_the_uploads_else_the_address(platform: Platform, tmp_path: Path) -> None:
    """Each job has something to be called by."""
    desk, scene = Desk(platform), Scene(platform, tmp_path)
    upload = scene.upload(name="Talk.wav")
    assert desk.submit(title="Mine").title == "Mine"
    assert desk.submit(source=None, upload=upload).title == "Talk.wav"
    assert desk.submit().title == SOURCE


def test_a_job_that_an_admin_tries_again_waits_among_its_owners(opening: Opening) -> None:
    """It is the owner's limit that counts, and not what the admin has waiting."""
    desk = Desk(opening(queued=1))
    owner = desk.user("owner")
    job = desk.submit(owner)
    desk.jobs.cancel(owner, job.id)
    desk.submit(LOCAL_ACTOR)
    assert desk.jobs.retry(LOCAL_ACTOR, job.id).state == "queued"
    desk.jobs.cancel(owner, job.id)
    desk.submit(owner)
    with pytest.raises(QuotaExceeded):
        desk.jobs.retry(LOCAL_ACTOR, job.id)


def test_a_job_is_queued_whatever_else_is_written_into_the_store(platform: Platform, tmp_path: Path) -> None:
    """No transaction waits for the store, which may be written anew just then: leases must be renewed."""
    upload = Scene(platform, tmp_path).upload()
    desk = Desk(platform)
    with platform.store._database.writing():
        job = desk.submit(source=None, upload=upload)
    assert desk.job(job).state == "queued"
