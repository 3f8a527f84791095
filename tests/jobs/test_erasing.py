"""Deleting a job: everything goes, what others use stays, and whatever interrupts it is made up for."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from desk import Desk, Opening
from policy_scene import ON_SQLITE, WHO, Scene
from sqlalchemy import insert, select, update

from autodub.gateway.store import Store
from autodub.jobs.erasing import Erasing
from autodub.jobs.platform import LOCAL_ACTOR, Platform
from autodub.jobs.records import Job
from autodub.jobs.returning import Returning
from autodub.jobs.sweeper import Sweeper
from autodub.jobs.tables import audit, deliveries, jobs, sessions, uploads
from autodub.model.errors import Rejected, Unavailable, Unreachable
from autodub.model.job import Event


@pytest.fixture
def scene(platform: Platform, tmp_path: Path) -> Scene:
    """A platform with engines."""
    return Scene(platform, tmp_path)


def _files(platform: Platform) -> list[str]:
    """Names of everything the store has."""
    return [path.name for path in platform.store.blobs.files()]


def _everything(platform: Platform) -> bytes:
    """All bytes of all files under the data directory."""
    found = [path.read_bytes() for path in platform.settings.data_dir.rglob("*") if path.is_file()]
    return b"\n".join(found)


def _sweep(scene: Scene) -> None:
    with scene.engines():
        Sweeper(scene.platform).sweep()


def _row(platform: Platform, job: Job) -> Any:
    with platform.sql.reading() as connection:
        return connection.execute(select(jobs).where(jobs.c.id == job.id)).one_or_none()


@ON_SQLITE
def test_nothing_of_a_deleted_job_is_left(scene: Scene) -> None:
    """No file of it in the store, no folder, no row, and none of its words in any file."""
    scene.texts = ["Zyzzyva heard the harbour.", "Quokka walked alone."]
    done = scene.dub(upload=scene.upload(name="Kakapo.wav"), title="Kakapo speaks")
    assert done.state == "completed", done.error
    assert len(_files(scene.platform)) > 10
    before = _everything(scene.platform)
    words = [b"Zyzzyva", b"Quokka", b"avyzzyz", b"akkouq", b"Kakapo"]
    assert [word for word in words if word.lower() in before.lower()] == words
    scene.platform.jobs.delete(LOCAL_ACTOR, done.id)
    _sweep(scene)
    assert _files(scene.platform) == []
    assert _row(scene.platform, done) is None
    assert not scene.platform.folder(done.id).exists()
    assert scene.platform.store.owners() == frozenset()
    after = _everything(scene.platform).lower()
    assert [word for word in words if word.lower() in after] == []
    with scene.platform.sql.reading() as connection:
        assert connection.execute(select(uploads)).all() == []
        actions = list(connection.execute(select(audit.c.action, audit.c.subject)))
    assert ("job.deleted", f"job:{done.id}") in actions


@ON_SQLITE
def test_what_another_job_uses_stays_and_still_works(scene: Scene) -> None:
    """The same upload in the same language: the other one asks no engine again, and its files are there."""
    upload = scene.upload()
    first, second = scene.dub(upload=upload), scene.dub(upload=upload)
    asked = {role: len(script.requests) for role, script in scene.scripts.items()}
    scene.platform.jobs.delete(LOCAL_ACTOR, first.id)
    _sweep(scene)
    assert second.result is not None
    for item in second.result["files"].values():
        assert (item["digest"] + item["suffix"]) in _files(scene.platform)
    scene.platform.jobs.queue_again(LOCAL_ACTOR, second.id, of=("completed",), action="job.edited")
    again = scene.run(second)
    assert (again.state, again.result) == ("completed", second.result | {"reused": True})
    assert {role: len(script.requests) for role, script in scene.scripts.items()} == asked
    scene.platform.jobs.delete(LOCAL_ACTOR, second.id)
    _sweep(scene)
    assert _files(scene.platform) == []


@ON_SQLITE
def test_a_job_that_failed_half_way_leaves_nothing_either(scene: Scene) -> None:
    """What it had finished was kept for a retry, and goes with it."""
    scene.scripts["synthesizer"]._steps = [Unreachable("down")] * 100
    failed = scene.dub()
    assert failed.state == "failed"
    assert _files(scene.platform) != []
    scene.platform.jobs.delete(LOCAL_ACTOR, failed.id)
    _sweep(scene)
    assert _files(scene.platform) == []


class _Killed(BaseException):
    pass


_STEPS: list[Callable[[Platform], tuple[Any, str]]] = [
    lambda platform: (platform.store, "release"),
    lambda platform: (platform.uploads, "left"),
    lambda platform: (platform.sql, "again"),
    lambda platform: (platform.queue, "ring"),
]


@ON_SQLITE
@pytest.mark.parametrize("step", range(len(_STEPS)))
@pytest.mark.parametrize("when", ["before", "after"])
def test_erasing_that_is_killed_is_finished_by_the_next_sweep(
    scene: Scene, step: int, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before or after each of its steps; erasing twice is as once."""
    done = scene.dub()
    scene.platform.jobs.delete(LOCAL_ACTOR, done.id)
    part, name = _STEPS[step](scene.platform)
    real = getattr(part, name)

    def killed(*given: Any, **named: Any) -> None:
        if when == "after":
            real(*given, **named)
        raise _Killed

    with monkeypatch.context() as patch:
        patch.setattr(part, name, killed)
        with pytest.raises(_Killed):
            scene.platform.erasing.erase(done.id)
    for _ in range(2):
        _sweep(scene)
        assert _files(scene.platform) == []
        assert _row(scene.platform, done) is None
        assert scene.platform.erasing.due() == []


@ON_SQLITE
def test_cloned_voices_go_back_once_nobody_uses_them(scene: Scene) -> None:
    """Kept ones, too; one that another job's answers name stays until that one goes."""
    upload = scene.upload()
    wishes: dict[str, Any] = {"clone_voices": True, "consent": WHO, "keep_voices": True, "upload": upload}
    first, second = scene.dub(**wishes), scene.dub(**wishes, target="fr")
    assert [first.state, second.state] == ["completed"] * 2, (first.error, second.error)
    assert len(scene.account) == 1
    scene.platform.jobs.delete(LOCAL_ACTOR, first.id)
    _sweep(scene)
    assert len(scene.account) == 1
    scene.platform.jobs.delete(LOCAL_ACTOR, second.id)
    _sweep(scene)
    assert scene.account == {}
    assert scene.platform.store.rentals.all() == ()


@ON_SQLITE
def test_a_voice_whose_provider_does_not_answer_is_tried_again_ever_more_seldom(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job is gone at once; the voice goes when the provider answers."""
    done = scene.dub(clone_voices=True, consent=WHO, keep_voices=True)
    scene.platform.jobs.delete(LOCAL_ACTOR, done.id)
    scene.platform.erasing.erase(done.id)
    now = [0.0]
    returning = Returning(scene.platform, monotonic=lambda: now[0])
    account, tries = dict(scene.account), []

    class Down(dict):  # type: ignore[type-arg]
        def pop(self, *given: Any) -> Any:
            tries.append(now[0])
            raise Rejected("down")

        def items(self) -> Any:
            tries.append(now[0])
            raise Rejected("down")

    scene.account = Down(account)
    with scene.engines():
        for second in range(0, 1_000, 10):
            now[0] = float(second)
            assert returning.give_back() == 0
        moments = sorted(set(tries))
        assert moments[0] == 0
        pauses = [later - earlier for earlier, later in pairwise(moments)]
        assert pauses == sorted(pauses)
        assert len(moments) <= 6
        scene.account = account
        now[0] += 4_000
        assert returning.give_back() == 1
    assert scene.account == {}


@ON_SQLITE
def test_a_voice_that_a_killed_job_asked_for_is_looked_for_when_the_job_goes(scene: Scene) -> None:
    """It may be in the account under the name that was given to it."""
    job = scene.submit(clone_voices=True, consent=WHO)
    rentals = scene.platform.store.rentals
    rental = rentals.begin("own:account", "identity", engine="cloner.own")
    with scene.platform.sql.writing() as connection:
        connection.execute(update(jobs).values(state="failed"))
    assert rentals.all()[0].state == "pending"
    scene.platform.jobs.delete(LOCAL_ACTOR, job.id)
    scene.platform.erasing.erase(job.id)
    assert [(one.token, one.state) for one in rentals.all()] == [(rental.token, "stray")]


def test_only_what_is_to_be_deleted_and_is_over_is_erased(desk: Desk) -> None:
    """Neither a job that runs, nor one nobody deleted."""
    running, done = desk.submit(), desk.submit()
    taken = [desk.claims.next("worker") for _ in range(2)]
    ended = next(one for one in taken if one is not None and one.id == done.id)
    desk.claims.end(ended, "completed", Event("job.completed"))
    desk.jobs.delete(LOCAL_ACTOR, running.id)
    for job in (running, done):
        desk.platform.erasing.erase(job.id)
        assert desk.row(job) is not None


def test_retention_removes_what_is_over_since_long_and_the_audit_says_so(desk: Desk) -> None:
    """By whom: the system. What has time left, runs or stays for ever is left alone."""
    old, new, ever = desk.submit(), desk.submit(), desk.submit(retention_days=0)
    for job in (old, new, ever):
        desk.jobs.cancel(LOCAL_ACTOR, job.id)
    running = desk.submit()
    desk.claims.next("worker")
    desk.put(old, expires=desk.clock.now - 1)
    desk.put(running, expires=desk.clock.now - 1)
    desk.put(old, idempotency="one")
    Sweeper(desk.platform, clock=desk.clock).sweep()
    assert desk.row(old) is None
    assert all(desk.row(job) is not None for job in (new, ever, running))
    with desk.sql.reading() as connection:
        told = connection.execute(
            select(audit.c.actor, audit.c.subject).where(audit.c.action == "job.expired")
        )
        assert told.all() == [("system", f"job:{old.id}")]


def test_a_job_that_expires_while_it_is_tried_again_stays(desk: Desk) -> None:
    """Whoever came first: what is in the queue is not expired, what was marked is not queued."""
    job = desk.submit()
    desk.jobs.cancel(LOCAL_ACTOR, job.id)
    desk.put(job, expires=1.0)
    desk.jobs.retry(LOCAL_ACTOR, job.id)
    assert desk.platform.erasing.expire(desk.clock.now) == []
    assert desk.row(job).state == "queued"


def test_what_belongs_to_no_job_any_more_is_found(platform: Platform, tmp_path: Path) -> None:
    """What a worker wrote that had lost its job to one that was erased meanwhile."""
    ghost, owner = "0" * 32, "upload:" + "1" * 32
    platform.folder(ghost).mkdir(parents=True)
    (platform.folder(ghost) / "glossary.csv").write_text("a,b\n")
    for whose in (ghost, owner):
        path = tmp_path / "file.bin"
        path.write_bytes(whose.encode())
        platform.store.pin(whose, platform.store.blobs.keep(path))
    assert platform.erasing.search() == [ghost]
    assert not platform.folder(ghost).exists()
    assert platform.store.owners() == {owner}
    assert len(_files(platform)) == 1


@ON_SQLITE
def test_the_log_of_a_database_is_emptied_at_once_and_its_file_written_anew_now_and_then(
    opening: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The latter keeps writers waiting; that something is left to do outlives a crash."""
    platform = opening()
    rewritten: list[bool] = []
    real = platform.sql.settle
    monkeypatch.setattr(
        platform.sql, "settle", lambda *, rewrite: (rewritten.append(rewrite), real(rewrite=rewrite))[1]
    )
    now = [0.0]
    erasing = Erasing(platform, monotonic=lambda: now[0])
    assert erasing.settle()
    assert rewritten == []
    for _ in range(2):
        erasing._clear("0" * 32)
        erasing.settle()
    assert rewritten == [True, False]
    assert Erasing(platform)._mark.exists()
    now[0] = 601.0
    assert erasing.settle()
    assert rewritten == [True, False, True]
    assert not erasing._mark.exists()


def test_a_sweep_removes_old_logins_deliveries_and_uploads(platform: Platform, tmp_path: Path) -> None:
    """Each by its own time."""
    scene = Scene(platform, tmp_path)
    scene.upload()
    with platform.sql.writing() as connection:
        connection.execute(update(uploads).values(expires=1.0))
        row = {"digest": "d", "owner": "local", "created": 1.0, "used": 1.0, "expires": 2.0, "agent": ""}
        connection.execute(insert(sessions).values(**row))
    _sweep(scene)
    with platform.sql.reading() as connection:
        assert connection.execute(select(uploads)).all() == connection.execute(select(sessions)).all() == []
    assert _files(platform) == []


def test_one_job_that_cannot_be_erased_does_not_keep_the_others(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is tried again by the next sweep."""
    bad, good = desk.submit(), desk.submit()
    for job in (bad, good):
        desk.jobs.delete(LOCAL_ACTOR, job.id)
    real = Store.release

    def release(self: Store, owner: str, **named: Any) -> Any:
        if owner == bad.id:
            raise OSError(28, "No space left on device")
        return real(self, owner, **named)

    with monkeypatch.context() as patch:
        patch.setattr(Store, "release", release)
        Sweeper(desk.platform).sweep()
    assert re.search("could not be erased", caplog.text)
    caplog.clear()
    assert (desk.row(bad) is None, desk.row(good) is None) == (False, True)
    Sweeper(desk.platform).sweep()
    assert desk.row(bad) is None


@ON_SQLITE
def test_a_voice_that_nobody_used_for_a_day_and_nobody_asked_to_keep_goes_back(scene: Scene) -> None:
    """Such as one whose job failed for good; kept ones and fresh ones stay, and a provider may be down."""
    failed = scene.dub(clone_voices=True, consent=WHO, keep_voices=True)
    assert failed.state == "completed", failed.error
    (rental,) = scene.platform.store.rentals.all()
    returning = Returning(scene.platform)
    with scene.engines():
        returning.abandoned()
        assert len(scene.account) == 1  # kept
        scene.platform.store.rentals.change(rental.token, state="ready", kept=False)
        returning.abandoned()
        assert len(scene.account) == 1  # used a moment ago
        with scene.platform.store._database.writing() as connection:
            connection.exec_driver_sql("UPDATE rentals SET used = 1")
        account = scene.account
        scene.account = None  # type: ignore[assignment]
        returning.abandoned()
        scene.account = account
        assert returning.give_back() == 1  # from then on it is one that is to be deleted
    assert scene.account == {}


def test_one_part_of_a_sweep_that_fails_does_not_keep_the_others(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Such as one file that cannot be removed: jobs still go when their time is over."""
    job = desk.submit()
    desk.jobs.cancel(LOCAL_ACTOR, job.id)
    desk.put(job, expires=1.0)

    def broken(_: float) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(desk.platform.uploads, "sweep", broken)
    Sweeper(desk.platform, clock=desk.clock).sweep()
    assert desk.row(job) is None
    assert "a part of a sweep failed" in caplog.text
    caplog.clear()


def test_a_hook_hears_of_a_job_that_expired_as_of_any_other(desk: Desk) -> None:
    """Its delivery is as old as the deletion, not as the dub: else the next sweep would forget it."""
    desk.platform.hooks.create(LOCAL_ACTOR, "https://example.org/", ["job.deleted"])
    job = desk.submit()
    desk.jobs.cancel(LOCAL_ACTOR, job.id)
    desk.clock.pass_(8 * 86_400)
    desk.platform.erasing = Erasing(desk.platform, clock=desk.clock)
    for _ in range(2):
        Sweeper(desk.platform, clock=desk.clock).sweep()
    assert desk.row(job) is None
    with desk.sql.reading() as connection:
        (owed,) = connection.execute(select(deliveries)).all()
    assert (owed.kind, owed.created, owed.due) == ("job.deleted", desk.clock.now, desk.clock.now)


def test_more_jobs_than_a_statement_may_name_are_looked_for(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Databases bound that, and a server that never forgets has more jobs some day."""
    ghosts = frozenset(f"{number:032x}" for number in range(70_000))
    monkeypatch.setattr(Store, "owners", lambda _: ghosts | {f"upload:{ghost}" for ghost in ghosts})
    monkeypatch.setattr(Store, "release", lambda *_, **__: None)
    monkeypatch.setattr(platform.erasing, "_clear", lambda _: None)
    assert len(platform.erasing.search()) == len(platform.uploads.search()) == len(ghosts)


def test_a_sweeper_goes_on_after_a_fault(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Also after a database was away; the log has both."""
    faults: list[BaseException] = [Unavailable("The database is away."), KeyError("ours")]
    swept = threading.Event()
    sweeper = Sweeper(platform)
    monkeypatch.setattr(Sweeper, "every", 0.001)
    real = sweeper.sweep

    def sweep() -> None:
        if faults:
            raise faults.pop(0)
        real()
        swept.set()

    monkeypatch.setattr(sweeper, "sweep", sweep)
    sweeper.start()
    try:
        assert swept.wait(20)
    finally:
        sweeper.stop(patience=20)
    assert "nothing could be swept" in caplog.text
    assert "sweeping failed" in caplog.text
    caplog.clear()
