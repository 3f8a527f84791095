"""Carrying out a job: every way it can end, and what is written down of it."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from desk import SOURCE, Desk, Dubs, dubs
from policy_scene import ON_SQLITE, Scene
from sqlalchemy import insert, select, update

from autodub.gateway.cancel import Cancel
from autodub.jobs import runner as module
from autodub.jobs.platform import LOCAL_ACTOR, Platform
from autodub.jobs.records import Actor, Job
from autodub.jobs.results import Result
from autodub.jobs.runner import Runner
from autodub.jobs.spec import JobSpec
from autodub.jobs.tables import glossaries, jobs, projects, uploads, usage
from autodub.model.errors import Cancelled, Rejected, Unavailable
from autodub.model.job import Event


def _run(desk: Desk, *, why: str = "", stop: bool = False) -> Job:
    """Claim the next job and carry it out; how it stands then."""
    taken = desk.claims.next("worker")
    assert taken is not None
    cancel = Cancel()
    if stop:
        cancel.request()
    Runner(desk.platform, clock=desk.clock, patience=2.0).run(taken, cancel, why=lambda: why)
    return desk.job(taken)


def _rows(desk: Desk, table: Any, job: Job) -> list[Any]:
    with desk.sql.reading() as connection:
        return list(connection.execute(select(table).where(table.c.job == job.id)))


def test_a_job_that_succeeds_is_completed(desk: Desk) -> None:
    """Its result, its minutes and its seconds by stage are on record, and retention has begun."""
    job = desk.submit()
    with dubs() as scripted:
        scripted.told = [Event("stage.finished", "open", "", 1.0, {"seconds": 0.5})]
        scripted.go.set()
        done = _run(desk)
    assert (done.state, done.progress, done.message, done.duration) == ("completed", 1.0, "done", 60.0)
    assert done.result is not None
    assert done.expires == desk.clock.now + 7 * 86_400
    assert json.loads(desk.row(job).seen)["stages"] == {"open": 0.5}
    assert desk.told(job) == ["job.queued", "job.started", "stage.finished", "job.completed"]
    ((consumed),) = _rows(desk, usage, job)
    assert (consumed.seconds, consumed.owner) == (60.0, "local")


def _fails(scripted: Dubs, problem: BaseException) -> None:
    def end() -> None:
        raise problem

    scripted.end = end
    scripted.go.set()


def test_a_job_that_cannot_succeed_fails_with_its_reason(desk: Desk) -> None:
    """Code, sentence and hint are the error's; no minutes are used up."""
    job = desk.submit()
    with dubs() as scripted:
        _fails(scripted, Rejected("The engine said no.", hint="Try another."))
        done = _run(desk)
    assert done.state == "failed"
    assert done.error is not None
    assert (done.error.code, done.error.message, done.error.hint) == (
        "rejected", "The engine said no.", "Try another.",
    )  # fmt: skip
    assert done.expires is not None
    assert desk.told(job)[-1] == "job.failed"
    ((consumed),) = _rows(desk, usage, job)
    assert consumed.seconds == 0.0


def test_a_fault_of_ours_fails_one_job_and_says_nothing_of_the_machine(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    """The user is told that it was one, the log has the details."""
    job = desk.submit()
    with dubs() as scripted:
        _fails(scripted, FileNotFoundError("/srv/secret/place"))
        done = _run(desk)
    assert done.error is not None
    assert done.error.code == "internal"
    assert "/srv" not in repr(desk.row(job))
    assert "/srv/secret/place" in caplog.text
    caplog.clear()


def test_a_fault_at_the_very_end_fails_the_job_at_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is not left to its lease and made again and again, to be called a crash at last."""

    def gone(*_: Any) -> None:
        raise FileNotFoundError("/srv/secret/place")

    job = desk.submit()
    monkeypatch.setattr(Runner, "_text", gone)
    with dubs() as scripted:
        scripted.go.set()
        done = _run(desk)
    assert done.error is not None
    assert (done.state, done.error.code) == ("failed", "internal")
    assert desk.told(job)[-1] == "job.failed"
    caplog.clear()


def test_a_reason_that_no_database_can_keep_is_told_without_what_it_cannot(desk: Desk) -> None:
    """Programs print zeros and halves of characters; a job fails for its own reason all the same."""
    job = desk.submit()
    with dubs() as scripted:
        scripted.told = [Event("stage.started", "open", "look\0ing \ud800")]
        _fails(scripted, Rejected("It said \0 and \ud800.", hint="Try \ud800."))
        done = _run(desk)
    assert done.error is not None
    assert (done.state, done.error.code, done.message) == ("failed", "rejected", "It said  and ?.")
    assert desk.told(job) == ["job.queued", "job.started", "stage.started", "job.failed"]


@pytest.mark.parametrize(
    ("why", "then", "last"),
    [
        ("cancel", "cancelled", "job.cancelled"),
        ("delete", "cancelled", "job.cancelled"),
        ("leaving", "queued", "job.handed_back"),
        ("lost", "processing", "job.started"),
    ],
)
def test_a_job_that_is_stopped(desk: Desk, why: str, then: str, last: str) -> None:
    """Cancelled where somebody wished it, handed back where the worker leaves, left alone where lost."""
    job = desk.submit()
    if why == "delete":
        desk.put(job, stopping="delete")
    with dubs():
        done = _run(desk, why=why, stop=True)
    assert done.state == then
    assert desk.told(job)[-1] == last
    assert desk.row(job).stopping == ("delete" if why == "delete" else "")


def test_what_breaks_while_a_job_is_being_stopped_is_not_why_it_ends(desk: Desk) -> None:
    """An engine that is interrupted may complain."""
    desk.submit()
    with dubs() as scripted:
        scripted.is_deaf = True
        _fails(scripted, Rejected("interrupted"))
        done = _run(desk, why="cancel", stop=True)
    assert (done.state, done.error) == ("cancelled", None)


def test_a_stop_nobody_asked_for_is_a_failure(desk: Desk) -> None:
    """It is not handed back, or it would go round for ever."""
    desk.submit()
    with dubs() as scripted:
        _fails(scripted, Cancelled("Stopped."))
        done = _run(desk)
    assert done.state == "failed"


def test_a_job_that_another_has_by_now_is_stopped_and_left_alone(desk: Desk) -> None:
    """Its own events tell it, before the next look at its lease."""
    job = desk.submit()
    taken = desk.claims.next("worker")
    assert taken is not None
    desk.put(job, holder="another", attempt=2)
    before = desk.row(job)
    with dubs() as scripted:
        scripted.told = [Event("degraded", message="one")]
        Runner(desk.platform).run(taken, Cancel(), why=lambda: "")
    assert desk.row(job) == before


def test_a_database_that_is_away_does_not_fail_a_job(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Away at the beginning the job goes back; away at the end the end is told until it is heard."""
    job = desk.submit()
    with dubs() as scripted:
        scripted.go.set()
        away = {"project": 1, "end": 3}

        def shaky(name: str, real: Any) -> Any:
            def ask(*given: Any, **named: Any) -> Any:
                away[name] -= 1
                if away[name] >= 0:
                    raise Unavailable("The database is away.")
                return real(*given, **named)

            return ask

        monkeypatch.setattr(module, "_PAUSE", 0.001)
        monkeypatch.setattr(Runner, "_project", shaky("project", Runner._project))
        assert _run(desk).state == "queued"
        assert desk.told(job)[-1] == "job.handed_back"
        claims = desk.platform.claims
        monkeypatch.setattr(claims, "end", shaky("end", claims.end))
        assert _run(desk).state == "completed"
    assert desk.told(job).count("job.completed") == 1


def test_an_end_that_nobody_hears_leaves_the_job_to_its_lease(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker goes on with other jobs, and this one is taken up again."""
    desk.submit()

    def away(*_: Any, **__: Any) -> bool:
        raise Unavailable("The database is away.")

    monkeypatch.setattr(module, "_PAUSE", 0.001)
    monkeypatch.setattr(desk.platform.claims, "end", away)
    taken = desk.claims.next("worker")
    assert taken is not None
    with dubs() as scripted:
        scripted.go.set()
        Runner(desk.platform, patience=0.01).run(taken, Cancel(), why=lambda: "")
    assert desk.job(taken).state == "processing"
    desk.clock.pass_(desk.platform.server.lease + 1)
    assert desk.claims.reclaim() == [taken.id]


def test_money_of_an_attempt_that_died_is_counted_once_by_the_next(desk: Desk) -> None:
    """Usage has what the row says was spent, however many attempts it took."""
    job = desk.submit()
    desk.claims.next("dies")
    desk.put(job, spent=Decimal("0.75"))
    desk.clock.pass_(desk.platform.server.lease + 1)
    desk.claims.reclaim()
    with dubs() as scripted:
        scripted.told = [Event("call.finished", data={"dollars": 0.25})]
        scripted.go.set()
        assert _run(desk).spent == Decimal(1)
        desk.put(job, state="queued")
        assert _run(desk).spent == Decimal("1.25")
    assert [row.dollars for row in _rows(desk, usage, job)] == [Decimal(1), Decimal("0.25")]


def test_minutes_of_a_job_are_used_up_once(desk: Desk) -> None:
    """Making it again after an edit uses up none."""
    job = desk.submit()
    with dubs() as scripted:
        scripted.go.set()
        _run(desk)
        desk.jobs.queue_again(LOCAL_ACTOR, job.id, of=("completed",), action="job.edited")
        _run(desk)
        estimate = desk.submit()
        desk.put(estimate, kind="estimate")
    assert sum(row.seconds for row in _rows(desk, usage, job)) == 60.0


@pytest.mark.parametrize(
    ("wished", "job_dollars", "month", "spent", "cap"),
    [
        (None, 0, 0, 0, None),
        (5, 0, 0, 0, 5),
        (5, 3, 0, 0, 3),
        (5, 3, 2, 0, 2),
        (5, 0, 0, 4, 1),
        (5, 0, 0, 6, 0),
        (None, 3, 10, 2, 1),
        (None, 0, 10, 2, 8),
    ],
)
def test_an_attempt_may_cost_the_least_of_all_limits(
    opening: Any, wished: int | None, job_dollars: int, month: int, spent: int, cap: int | None
) -> None:
    """Of what was asked for, of a job's, and of what is left of the month; earlier attempts count."""
    desk = Desk(opening(job_dollars=job_dollars, dollars=month))
    asked: list[Decimal | None] = []
    job = desk.submit(budget=wished)
    desk.put(job, spent=spent)
    with dubs() as scripted, pytest.MonkeyPatch.context() as patch:
        scripted.go.set()
        real = scripted.make
        patch.setattr(
            module, "make", lambda request, **n: (asked.append(request.budget), real(request, **n))[1]
        )
        _run(desk)
    assert asked == [None if cap is None else Decimal(cap)]


def test_nothing_runs_once_a_quota_is_used_up(opening: Any) -> None:
    """Jobs that were queued before that fail with the reason."""
    desk = Desk(opening(minutes=1))
    first, second = desk.submit(), desk.submit()
    with dubs() as scripted:
        scripted.go.set()
        done = {_run(desk).id, _run(desk).id}
    assert done == {first.id, second.id}
    assert desk.job(first).state == "completed"
    error = desk.job(second).error
    assert error is not None
    assert error.code == "quota_exceeded"
    assert len(scripted.sources) == 1


def test_an_estimate_runs_whatever_is_left_of_a_quota(opening: Any) -> None:
    """It costs nothing: neither used up minutes nor used up money stop it or set it a budget."""
    desk = Desk(opening(minutes=1, dollars=1))
    dub = desk.submit()
    with dubs() as scripted:
        scripted.go.set()
        _run(desk)
    with desk.sql.writing() as connection:
        connection.execute(update(usage).where(usage.c.job == dub.id).values(dollars=5))
    spec = JobSpec(source=SOURCE, target="es", budget=Decimal(1))
    desk.jobs.submit(LOCAL_ACTOR, spec, kind="estimate")
    asked: list[Decimal | None] = []

    def foretell(request: Any, **_: Any) -> None:
        asked.append(request.budget)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "foretell", foretell)
        patch.setattr(module, "of_estimate", lambda _: Result(summary="cheap", estimate={}))
        assert _run(desk).state == "completed"
    assert asked == [None]


@ON_SQLITE
def test_a_dub_for_which_too_few_minutes_are_left_is_told_before_anybody_is_asked(
    opening: Any, tmp_path: Path
) -> None:
    """Also where nobody knew its length when it was submitted, and others that run have what is left."""
    scene = Scene(opening(minutes=1), tmp_path)
    desk = Desk(scene.platform)
    first, second = scene.submit(), scene.submit()
    running = desk.claims.next("another")
    assert running is not None
    assert running.id == first.id
    scene.platform.quotas.reserve(running, 55.0)
    done = scene.run(second)
    assert done.error is not None
    assert (done.state, done.error.code) == ("failed", "quota_exceeded")
    assert "This has 0.2 minutes, and 0.1 of your 1 of this month are left" in done.error.message
    assert scene.asked("translator") == scene.asked("synthesizer") == []
    desk.claims.end(running, "failed", Event("job.failed"))
    scene.platform.jobs.retry(LOCAL_ACTOR, second.id)
    assert scene.run(second).state == "completed"


def test_a_glossary_that_is_gone_is_told(desk: Desk) -> None:
    """Not left out without a word; one that is there is handed over as a file."""
    row = {"id": "g" * 32, "owner": "local", "name": "names", "text": "a,b\n", "created": 1.0, "updated": 1.0}
    with desk.sql.writing() as connection:
        connection.execute(insert(glossaries).values(**row))
    asked: list[str] = []
    job = desk.submit(glossary="g" * 32)
    with dubs() as scripted, pytest.MonkeyPatch.context() as patch:
        scripted.go.set()
        real = scripted.make

        def make(request: Any, **named: Any) -> Any:
            asked.append(Path(request.glossary).read_text())
            return real(request, **named)

        patch.setattr(module, "make", make)
        assert _run(desk).state == "completed"
        with desk.sql.writing() as connection:
            connection.execute(glossaries.delete())
        desk.put(job, state="queued")
        done = _run(desk)
    assert asked == ["a,b\n"]
    assert done.error is not None
    assert done.error.code == "not_found"


def test_an_upload_that_is_gone_is_told(platform: Platform, tmp_path: Path) -> None:
    """By name, and without a path of the server."""
    desk, scene = Desk(platform), Scene(platform, tmp_path)
    upload = scene.upload()
    job = desk.submit(source=None, upload=upload)
    with desk.sql.writing() as connection:
        connection.execute(uploads.delete())
    with dubs() as scripted:
        scripted.go.set()
        done = _run(desk)
    assert done.error is not None
    assert done.error.code == "unsupported_source"
    assert str(tmp_path) not in repr(desk.row(job))


@ON_SQLITE
def test_a_dub_is_made_of_an_upload_and_edited_while_it_runs(platform: Platform, tmp_path: Path) -> None:
    """The result is of the revision it was made of; the edit that came meanwhile stays, and is stale then."""
    scene = Scene(platform, tmp_path)
    done = scene.dub()
    assert done.state == "completed", done.error
    assert (done.revision, done.made, done.is_stale) == (1, 1, False)
    (text,) = _texts(platform, done)
    platform.jobs.queue_again(LOCAL_ACTOR, done.id, of=("completed",), action="job.edited")
    assert scene.run(done).revision == 1  # nothing was changed, and no revision is added

    platform.jobs.queue_again(LOCAL_ACTOR, done.id, of=("completed",), action="job.edited")
    taken = platform.claims.next("worker")
    assert taken is not None
    edited = json.loads(text) | {"edited": True}
    row = {"job": done.id, "revision": 2, "text": json.dumps(edited), "created": 1.0, "what": "edited"}
    with platform.sql.writing() as connection:
        connection.execute(insert(projects).values(**row))
        connection.execute(update(jobs).where(jobs.c.id == done.id).values(revision=2))
    with scene.engines():
        Runner(platform).run(taken, scene.cancel, why=lambda: "")
    after = platform.jobs.get(Actor("local", role="admin"), done.id)
    assert (after.state, after.revision, after.made, after.is_stale) == ("completed", 2, 1, True)
    assert len(_texts(platform, done)) == 2


@ON_SQLITE
def test_everything_of_a_dub_is_its_jobs_own(platform: Platform, tmp_path: Path) -> None:
    """Upload, answers and results, so that they can go with it."""
    scene = Scene(platform, tmp_path)
    done = scene.dub()
    assert platform.store.owners() >= {done.id}
    answers = platform.store.stats()
    released = platform.store.release(done.id)
    assert released.answers > 5
    assert released.files > 0
    assert platform.store.stats() != answers


def _texts(platform: Platform, job: Job) -> list[str]:
    wanted = select(projects.c.text).where(projects.c.job == job.id).order_by(projects.c.revision)
    with platform.sql.reading() as connection:
        return list(connection.execute(wanted).scalars())
