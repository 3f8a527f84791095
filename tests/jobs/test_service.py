"""Jobs as their users see them: submitted once, listed whole, stopped and removed in every state."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from desk import SOURCE, Desk, Opening

from autodub.jobs.platform import LOCAL_ACTOR
from autodub.jobs.records import Actor, Job
from autodub.jobs.spec import JobSpec
from autodub.model.errors import BadOption, Conflict, NotFound, QuotaExceeded
from autodub.model.job import Event

SPEC = JobSpec(source=SOURCE, target="es")


def _audited(desk: Desk) -> list[tuple[str, str]]:
    with desk.sql.reading() as connection:
        return [
            tuple(row)
            for row in connection.exec_driver_sql("SELECT action, subject FROM audit ORDER BY number")
        ]


def _in(desk: Desk, state: str, actor: Actor = LOCAL_ACTOR) -> Job:
    """A job in a state."""
    job = desk.submit(actor)
    if state == "queued":
        return job
    taken = desk.claims.next("worker")
    assert taken is not None
    if state != "processing":
        desk.claims.end(taken, state, Event(f"job.{state}"))  # type: ignore[arg-type]
    return desk.job(job)


def test_a_job_is_queued_as_it_was_asked_for(desk: Desk) -> None:
    """Its row has everything a worker needs, its first event is there, and the audit tells who it was."""
    actor = Actor("local", role="admin", address="192.0.2.7")
    job, is_new = desk.jobs.submit(actor, JobSpec(source=SOURCE, target="Spanish", title="Talk", priority=3))
    assert is_new
    assert (job.state, job.title, job.priority, job.owner) == ("queued", "Talk", 3, "local")
    assert job.spec["target"] == "es"
    assert desk.told(job) == ["job.queued"]
    assert _audited(desk) == [("job.submitted", f"job:{job.id}")]


def test_the_same_key_gives_the_same_job(desk: Desk) -> None:
    """However it stands by then, and also when nothing new would be allowed any more."""
    first, is_new = desk.jobs.submit(LOCAL_ACTOR, SPEC, idempotency="one")
    assert is_new
    taken = desk.claims.next("worker")
    assert taken is not None
    desk.claims.end(taken, "failed", Event("job.failed"))
    again, is_new = desk.jobs.submit(LOCAL_ACTOR, SPEC, idempotency="one")
    assert (again.id, again.state, is_new) == (first.id, "failed", False)
    assert desk.told(first) == ["job.queued", "job.started", "job.failed"]


def test_a_key_of_another_request_is_refused(desk: Desk) -> None:
    """Another target is another request; another user's key is another key."""
    first, _ = desk.jobs.submit(LOCAL_ACTOR, SPEC, idempotency="one")
    with pytest.raises(Conflict, match="another request"):
        desk.jobs.submit(LOCAL_ACTOR, JobSpec(source=SOURCE, target="fr"), idempotency="one")
    other, is_new = desk.jobs.submit(desk.user("other"), SPEC, idempotency="one")
    assert is_new
    assert other.id != first.id


def test_a_key_is_found_before_the_request_is_examined(opening: Opening) -> None:
    """Whoever repeats a request that was accepted is not told that too many jobs wait."""
    desk = Desk(opening(queued=1))
    first, _ = desk.jobs.submit(LOCAL_ACTOR, SPEC, idempotency="one")
    with pytest.raises(QuotaExceeded, match="1 of your jobs are waiting, and 1 may"):
        desk.jobs.submit(LOCAL_ACTOR, SPEC)
    assert desk.jobs.submit(LOCAL_ACTOR, SPEC, idempotency="one")[0].id == first.id


def test_of_many_requests_with_one_key_at_once_one_makes_the_job(desk: Desk) -> None:
    """All of them are answered with it."""
    begin = threading.Barrier(8)

    def submit(_: int) -> tuple[str, bool]:
        begin.wait()
        job, is_new = desk.jobs.submit(LOCAL_ACTOR, SPEC, idempotency="one")
        return job.id, is_new

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(submit, range(8)))
    assert len({job for job, _ in answers}) == 1
    assert sum(is_new for _, is_new in answers) == 1
    assert desk.jobs.list(LOCAL_ACTOR).total == 1


def test_several_jobs_are_queued_all_or_none(opening: Opening) -> None:
    """Where one more would be too many nothing is kept, not even its statement of what was asked."""
    desk = Desk(opening(queued=2))
    with pytest.raises(QuotaExceeded):
        desk.jobs.submit_all(LOCAL_ACTOR, [SPEC] * 3, name="three")
    assert desk.jobs.list(LOCAL_ACTOR).total == 0
    assert _audited(desk) == []
    done = desk.jobs.submit_all(LOCAL_ACTOR, [SPEC] * 2, name="two")
    assert len({job.batch for job, _ in done}) == 1
    assert len(desk.jobs.list(LOCAL_ACTOR, batch=done[0][0].batch).jobs) == 2


def test_no_more_wait_than_may_whoever_submits_at_once(opening: Opening) -> None:
    """The limit holds between requests that run side by side."""
    desk = Desk(opening(queued=3))

    def submit(_: int) -> bool:
        try:
            desk.jobs.submit(LOCAL_ACTOR, SPEC)
        except QuotaExceeded:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert Counter(pool.map(submit, range(8))) == {True: 3, False: 5}
    assert desk.jobs.list(LOCAL_ACTOR).total == 3


def test_a_text_that_the_database_cannot_keep_is_a_bad_request(desk: Desk) -> None:
    """A NUL in a search finds nothing; in a title PostgreSQL refuses it, and that is told as such."""
    assert desk.jobs.list(LOCAL_ACTOR, text="a\0b").total == 0
    try:
        desk.jobs.submit(LOCAL_ACTOR, JobSpec(source=SOURCE, target="es", title="a\0b"))
    except BadOption as problem:
        assert "cannot keep" in problem.message  # noqa: PT017 - SQLite takes it
    assert desk.jobs.list(LOCAL_ACTOR).total == (0 if desk.sql.is_postgres else 1)


def test_pages_have_every_job_once_while_others_are_added(desk: Desk) -> None:
    """Newest first, also among jobs of the same instant."""
    there = [desk.submit().id for _ in range(5)]
    now = desk.clock.now
    there += [desk.jobs.submit(LOCAL_ACTOR, SPEC)[0].id for _ in range(4)]
    assert desk.clock.now == now
    page = desk.jobs.list(LOCAL_ACTOR, limit=2)
    found = [job.id for job in page.jobs]
    while page.after is not None:
        desk.submit()
        page = desk.jobs.list(LOCAL_ACTOR, after=page.after, limit=2)
        found += [job.id for job in page.jobs]
    assert sorted(found) == sorted(there)
    assert found[5:] == there[3::-1]  # the other five are of one instant


@pytest.mark.parametrize(
    "after", ["", "x", "1_", "1.5_ffff", "nan_" + "0" * 32, "1_" + "g" * 32, "1\0_" + "0" * 32]
)
def test_a_page_that_no_answer_named_is_not_found(desk: Desk, after: str) -> None:
    """Whatever is sent in its place."""
    desk.submit()
    with pytest.raises(NotFound, match="no such page"):
        desk.jobs.list(LOCAL_ACTOR, after=after)


def test_a_list_can_be_narrowed(desk: Desk) -> None:
    """By state, target, kind and a part of the title, whose wildcards are letters."""
    desk.submit(title="A 100% good talk")
    french = desk.submit(target="fr", title="Another")
    desk.claims.next("worker")
    estimate, _ = desk.jobs.submit(LOCAL_ACTOR, SPEC, kind="estimate")

    def found(**wishes: Any) -> list[str]:
        return [job.id for job in desk.jobs.list(LOCAL_ACTOR, **wishes).jobs]

    assert found(states=["queued"]) == [french.id]
    assert found(target="fr") == [french.id]
    assert found(text="NOTH") == [french.id]
    assert len(found(text="100%")) == 1
    assert found(text="1%d") == []
    assert found(kind="estimate") == [estimate.id]


def test_nobody_sees_or_touches_anothers_job(desk: Desk) -> None:
    """As if it did not exist; an admin may."""
    owner, other = desk.user("owner"), desk.user("other")
    job = desk.submit(owner)
    for ask in (desk.jobs.get, desk.jobs.cancel, desk.jobs.delete, desk.jobs.retry):
        with pytest.raises(NotFound):
            ask(other, job.id)
    assert desk.jobs.list(other).total == 0
    assert desk.jobs.list(other, owner="owner").total == 0
    assert desk.jobs.list(other, owner="*").total == 0
    assert desk.row(job).state == "queued"
    admin = Actor("local", role="admin")
    assert desk.jobs.list(admin, owner="*").total == desk.jobs.list(admin, owner="owner").total == 1
    assert desk.jobs.cancel(admin, job.id).state == "cancelled"
    limited = Actor("local", role="admin", scopes=frozenset({"read", "jobs"}))
    with pytest.raises(NotFound):
        desk.jobs.get(limited, job.id)


@pytest.mark.parametrize(
    ("state", "then", "told"),
    [
        ("queued", "cancelled", ["job.cancelled"]),
        ("processing", "processing", ["job.stopping"]),
        ("completed", "completed", []),
        ("failed", "failed", []),
        ("cancelled", "cancelled", []),
    ],
)
def test_cancelling_in_every_state(desk: Desk, state: str, then: str, told: list[str]) -> None:
    """What waits is cancelled at once, what runs is to be stopped, what is over stays; twice is as once."""
    job = _in(desk, state)
    before = desk.told(job)
    for _ in range(2):
        stopped = desk.jobs.cancel(LOCAL_ACTOR, job.id)
        assert stopped.state == then
        assert desk.told(job) == before + told
    assert bool(stopped.stopping) == (state == "processing")
    if state == "queued":
        assert stopped.expires == desk.clock.now + 7 * 86_400
        assert desk.claims.next("worker") is None


@pytest.mark.parametrize("state", ["queued", "processing", "completed", "failed", "cancelled"])
def test_deleting_in_every_state(desk: Desk, state: str) -> None:
    """Nobody finds it from then on, by its key neither, and it is not queued again."""
    job = _in(desk, state)
    desk.put(job, idempotency="one")
    desk.jobs.delete(LOCAL_ACTOR, job.id)
    row = desk.row(job)
    assert row.stopping == "delete"
    assert row.state == ("cancelled" if state == "queued" else state)
    assert desk.platform.erasing.due() == ([] if state == "processing" else [job.id])
    for ask in (desk.jobs.get, desk.jobs.cancel, desk.jobs.delete, desk.jobs.retry):
        with pytest.raises(NotFound):
            ask(LOCAL_ACTOR, job.id)
    assert desk.jobs.list(LOCAL_ACTOR).total == 0
    assert desk.claims.next("worker") is None
    assert desk.jobs.submit(LOCAL_ACTOR, SPEC, idempotency="one")[0].id != job.id


def test_retention_of_a_cancelled_job_is_the_jobs_own(desk: Desk) -> None:
    """Two days where that was asked for, and never where it was asked for 0."""
    two, never = desk.submit(retention_days=2), desk.submit(retention_days=0)
    for job in (two, never):
        desk.jobs.cancel(LOCAL_ACTOR, job.id)
    assert desk.row(two).expires == desk.clock.now + 2 * 86_400
    assert desk.row(never).expires is None


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_what_failed_or_was_cancelled_can_be_tried_again(desk: Desk, state: str) -> None:
    """It waits at the end of the queue, and nothing of its end is left."""
    job = _in(desk, state)
    desk.put(job, error='{"code": "x", "message": "y"}', progress=0.5, crashes=2)
    desk.clock.pass_(5)
    again = desk.jobs.retry(LOCAL_ACTOR, job.id)
    assert (again.state, again.queued, again.error, again.progress) == ("queued", desk.clock.now, None, 0.0)
    assert (again.finished, again.expires) == (None, None)
    assert desk.row(job).crashes == 0
    assert desk.claims.next("worker").attempt == 2  # type: ignore[union-attr]


@pytest.mark.parametrize("state", ["queued", "processing", "completed"])
def test_what_runs_or_is_done_is_not_tried_again(desk: Desk, state: str) -> None:
    """The answer says how it stands."""
    job = _in(desk, state)
    with pytest.raises(Conflict, match=state):
        desk.jobs.retry(LOCAL_ACTOR, job.id)


def test_trying_again_counts_as_one_that_waits(opening: Opening) -> None:
    """A user at his limit cannot get around it."""
    desk = Desk(opening(queued=1))
    job = _in(desk, "failed")
    desk.submit()
    with pytest.raises(QuotaExceeded):
        desk.jobs.retry(LOCAL_ACTOR, job.id)


def test_cancel_claim_and_end_at_once_leave_no_job_half_stopped(opening: Opening) -> None:
    """Whoever comes first: in the end it is over, and no wish is left standing on it."""
    desk = Desk(opening(user_running=100, running=100))
    there = [desk.submit() for _ in range(24)]
    begin = threading.Barrier(3)

    def cancel() -> None:
        begin.wait()
        for job in there:
            desk.jobs.cancel(LOCAL_ACTOR, job.id)

    def work(name: str) -> None:
        begin.wait()
        while taken := desk.claims.next(name):
            desk.claims.end(taken, "completed", Event("job.completed"))

    with ThreadPoolExecutor(3) as pool:
        for one in [pool.submit(cancel), pool.submit(work, "a"), pool.submit(work, "b")]:
            one.result()
    for job in there:
        row = desk.row(job)
        assert row.state in ("completed", "cancelled")
        assert (row.stopping, row.holder, row.lease) == ("", None, None)
        told = desk.told(job)
        assert told[-1] == f"job.{row.state}"
        assert told.count("job.started") == (row.state == "completed")
