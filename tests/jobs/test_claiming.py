"""Claims: who gets the next job, who has it, and what happens when he is gone."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from desk import Clock, Desk, Opening, happenings
from sqlalchemy import select

from autodub.jobs.platform import LOCAL_ACTOR, Platform
from autodub.jobs.register import Register
from autodub.jobs.sweeper import Sweeper
from autodub.jobs.tables import jobs, workers
from autodub.model.job import Event

_TAKE = """
import sys
from pathlib import Path
from autodub.infra import server_settings, settings
from autodub.jobs.platform import Platform
known = settings.load(environ={}, data_dir=Path(sys.argv[1]))
given = {"database": sys.argv[2], "running": 10_000, "user_running": 10_000}
platform = Platform(known, server_settings.load(known, environ={}, given=given))
while job := platform.claims.next(sys.argv[3]):
    print(job.id)
platform.close()
"""


def test_no_two_threads_get_the_same_job(opening: Opening) -> None:
    """Eight threads take sixty jobs, each of them once, until none is left."""
    desk = Desk(opening(running=100, user_running=100))
    wanted = {desk.submit().id for _ in range(60)}

    def take(number: int) -> list[str]:
        taken = []
        while job := desk.claims.next(f"worker-{number}"):
            taken.append(job.id)
        return taken

    with ThreadPoolExecutor(8) as pool:
        taken = [job for jobs in pool.map(take, range(8)) for job in jobs]
    assert Counter(taken) == Counter(wanted)


def test_no_two_processes_get_the_same_job(opening: Opening, address: str) -> None:
    """Three processes take forty jobs over one database."""
    platform = opening()
    desk = Desk(platform)
    wanted = {desk.submit().id for _ in range(40)}
    argv = [sys.executable, "-c", _TAKE, str(platform.settings.data_dir), address]
    running = [
        subprocess.Popen([*argv, f"process-{number}"], stdout=subprocess.PIPE, text=True)
        for number in range(3)
    ]
    taken = [job for child in running for job in child.communicate()[0].split()]
    assert [child.returncode for child in running] == [0, 0, 0]
    assert Counter(taken) == Counter(wanted)


def test_users_take_turns(opening: Opening) -> None:
    """Of twenty jobs of one user and two of another the latter's are the second and the fourth to begin."""
    desk = Desk(opening(user_running=20))
    many, few = desk.user("many"), desk.user("few")
    for _ in range(20):
        desk.submit(many)
    for _ in range(2):
        desk.submit(few)
    order = []
    for _ in range(6):
        desk.clock.pass_(1)
        job = desk.claims.next("worker")
        assert job is not None
        order.append(job.owner)
        desk.claims.end(job, "completed", Event("job.completed"))
    assert order in (["many", "few"] * 2 + ["many"] * 2, ["few", "many"] * 2 + ["many"] * 2)


def test_a_user_with_nothing_running_goes_before_one_who_has(desk: Desk) -> None:
    """Whoever began last: the second user's job does not wait for the first one's to end."""
    first, second = desk.user("first"), desk.user("second")
    desk.submit(first)
    desk.submit(first)
    assert desk.claims.next("worker").owner == "first"  # type: ignore[union-attr]
    desk.submit(second)
    assert desk.claims.next("worker").owner == "second"  # type: ignore[union-attr]
    assert desk.claims.next("worker").owner == "first"  # type: ignore[union-attr]


def test_a_users_turn_outlives_the_users_jobs(desk: Desk) -> None:
    """Whoever deletes what is finished does not go before those who waited longer."""
    ann, bob = desk.user("ann"), desk.user("bob")
    for user in (bob, ann):  # ann's began last
        job = desk.submit(user)
        taken = desk.claims.next("w")
        assert taken is not None
        assert desk.claims.end(taken, "completed", Event("job.completed"))
        if user is ann:
            desk.jobs.delete(ann, job.id)
            desk.platform.erasing.erase(job.id)
            assert desk.row(job) is None
    desk.submit(ann)
    desk.submit(bob)
    taken = desk.claims.next("w")
    assert taken is not None
    assert taken.owner == bob.id


def test_priority_decides_among_one_users_jobs_and_then_age(desk: Desk) -> None:
    """Another user's priority decides nothing."""
    low, old, high, new = (desk.submit(priority=p) for p in (-1, 0, 5, 0))
    other = desk.user("other")
    desk.submit(other, priority=9)
    order = []
    for _ in range(5):
        desk.clock.pass_(1)
        job = desk.claims.next("worker")
        assert job is not None
        order.append(job.id)
        desk.claims.end(job, "completed", Event("job.completed"))
    assert [job for job in order if job in {low.id, old.id, high.id, new.id}] == [
        high.id, old.id, new.id, low.id,
    ]  # fmt: skip


def test_nobody_has_more_jobs_running_than_he_may(opening: Opening) -> None:
    """The setting holds for who has no limit of his own; one more begins when one is over."""
    desk = Desk(opening(user_running=2))
    usual, little = desk.user("usual"), desk.user("little", running=1)
    for actor in (usual, little):
        for _ in range(3):
            desk.submit(actor)
    taken = [job for _ in range(6) if (job := desk.claims.next("worker"))]
    assert Counter(job.owner for job in taken) == {"usual": 2, "little": 1}
    mine = next(job for job in taken if job.owner == "little")
    desk.claims.end(mine, "failed", Event("job.failed"))
    assert desk.claims.next("worker").owner == "little"  # type: ignore[union-attr]


def test_no_more_jobs_run_at_once_than_the_setting_says(opening: Opening) -> None:
    """On all machines together."""
    desk = Desk(opening(running=3, user_running=10))
    for _ in range(5):
        desk.submit()
    assert [desk.claims.next(f"worker-{n}") is not None for n in range(5)] == [True] * 3 + [False] * 2


def test_jobs_of_a_user_who_was_switched_off_wait(desk: Desk) -> None:
    """They are not lost, and begin when he is back."""
    off = desk.user("off", active=False)
    desk.submit(off)
    assert desk.claims.next("worker") is None


def test_a_claim_says_so_in_the_row_and_among_the_events(desk: Desk) -> None:
    """Holder, lease and attempt; the message of an attempt before is gone."""
    job = desk.put(desk.submit(), message="failed before", stage="speak")
    taken = desk.claims.next("worker-7")
    assert taken is not None
    row = desk.row(job)
    assert (row.state, row.holder, row.attempt, row.message, row.stage) == (
        "processing", "worker-7", 1, "", "",
    )  # fmt: skip
    assert row.lease == desk.clock.now + desk.platform.server.lease
    assert desk.told(job) == ["job.queued", "job.started"]


def test_a_beat_renews_the_leases_of_a_worker_and_tells_what_is_not_its_any_more(desk: Desk) -> None:
    """And whether somebody wants a job stopped."""
    first, second, third = (desk.submit(desk.user(name)) for name in "abc")
    for _ in range(3):
        assert desk.claims.next("worker")
    desk.put(second, holder="another")
    desk.jobs.cancel(LOCAL_ACTOR, third.id)
    now = desk.clock.pass_(20)
    held = desk.claims.beat("worker", [first.id, second.id, third.id])
    assert {job: one.stopping for job, one in held.items()} == {first.id: "", third.id: "cancel"}
    assert desk.row(first).lease == now + desk.platform.server.lease
    assert desk.claims.wishes("worker") == {third.id: "cancel"}
    assert desk.claims.beat("worker", []) == {}


def test_a_job_whose_lease_ran_out_is_queued_again_where_it_was(desk: Desk) -> None:
    """One whose lease was renewed in time is left alone."""
    lost, kept = desk.submit(), desk.submit()
    desk.claims.next("silent")
    desk.claims.next("alive")
    desk.clock.pass_(desk.platform.server.lease - 1)
    desk.claims.beat("alive", [kept.id])
    desk.clock.pass_(2)
    assert desk.claims.reclaim() == [lost.id]
    row = desk.row(lost)
    assert (row.state, row.holder, row.lease, row.crashes) == ("queued", None, None, 1)
    assert row.queued == lost.queued
    assert desk.row(kept).state == "processing"
    assert desk.told(lost)[-1] == "job.lost"
    assert desk.claims.reclaim() == []


def test_who_lost_a_job_changes_nothing_any_more(desk: Desk) -> None:
    """Neither while it waits, nor once another has it, nor when he himself has it in a later attempt."""
    desk.submit()
    stale = desk.claims.next("worker")
    assert stale is not None
    desk.clock.pass_(desk.platform.server.lease + 1)
    desk.claims.reclaim()

    def all_refused() -> bool:
        before = desk.row(stale)
        tried = [
            desk.claims.tell(stale, [Event("degraded")], times=[1.0], progress=0.9),
            desk.claims.end(stale, "failed", Event("job.failed")),
            desk.claims.hand_back(stale, "stops"),
        ]
        return tried == [False] * 3 and desk.row(stale) == before

    assert all_refused()
    assert desk.claims.next("another") is not None
    assert all_refused()
    desk.clock.pass_(desk.platform.server.lease + 1)
    desk.claims.reclaim()
    again = desk.claims.next("worker")
    assert again is not None
    assert (again.id, again.attempt) == (stale.id, 3)
    assert all_refused()
    assert desk.claims.tell(again, [], times=[], progress=0.5)


def test_a_job_that_takes_its_worker_with_it_too_often_fails(opening: Opening) -> None:
    """It is taken up as often as the setting says, and then somebody is told why it is not any more."""
    desk = Desk(opening(crashes=2))
    job = desk.submit()
    for _ in range(3):
        assert desk.row(job).state == "queued"
        desk.claims.next("worker")
        desk.clock.pass_(desk.platform.server.lease + 1)
        desk.claims.reclaim()
    failed = desk.job(job)
    assert failed.state == "failed"
    assert failed.error is not None
    assert failed.error.code == "crashed"
    assert failed.finished == desk.clock.now
    assert failed.expires == desk.clock.now + 7 * 86_400
    assert desk.told(job)[-1] == "job.failed"


def test_a_worker_of_this_machine_that_was_killed_is_known_at_once(opening: Opening) -> None:
    """Its jobs are queued again before their lease runs out; those of one that lives are left alone."""
    platform = opening()
    desk = Desk(platform)
    register = Register(platform.sql, platform.alive)
    alive, killed = register.enter("alive", slots=1), register.enter("killed", slots=1)
    theirs, lost = desk.submit(), desk.submit()
    desk.claims.next("alive")
    desk.claims.next("killed")
    killed.free()  # what the kernel does when a process dies
    sweeper = Sweeper(platform)
    assert sweeper.reclaim() == [lost.id]
    assert desk.row(theirs).state == "processing"
    assert register.dead() == []
    register.tidy()
    assert [mark.stem for mark in platform.alive.iterdir()] == ["alive"]
    register.leave("alive", alive)
    assert list(platform.alive.iterdir()) == []


def test_who_is_alive_loses_nothing_when_every_lease_has_run_out(desk: Desk) -> None:
    """After a machine slept, a clock was set or the database was away: who renews in time keeps the job."""
    kept, lost = desk.submit(), desk.submit()
    desk.claims.next("alive")
    desk.claims.next("silent")
    forward = Clock()
    sweeper = Sweeper(desk.platform, clock=desk.clock, monotonic=forward)
    desk.clock.pass_(3600)
    assert sweeper.reclaim() == []
    forward.pass_(desk.platform.server.lease / 3)
    desk.claims.beat("alive", [kept.id])
    desk.clock.pass_(3600)  # also by a clock that is far ahead of the one that wrote the lease
    forward.pass_(desk.platform.server.lease / 3)
    assert sweeper.reclaim() == [lost.id]
    assert (desk.row(kept).state, desk.row(kept).attempt) == ("processing", 1)


def test_a_renewal_that_comes_between_the_look_and_the_taking_counts(desk: Desk) -> None:
    """A job is taken only with the very lease that was seen to have run out."""
    job = desk.submit()
    desk.claims.next("worker")
    desk.clock.pass_(3600)
    late = desk.claims.late()
    assert list(late) == [job.id]
    desk.claims.beat("worker", [job.id])
    desk.clock.pass_(3600)
    assert desk.claims.reclaim(late=late) == []
    assert desk.claims.reclaim(late=desk.claims.late()) == [job.id]


def test_a_killed_worker_is_known_until_all_its_jobs_are_taken_up(opening: Opening) -> None:
    """A row that was locked just then, by the last thing it wrote, is taken up by the next sweep."""
    platform = opening()
    if not platform.sql.is_postgres:
        pytest.skip("on SQLite nobody else writes meanwhile")
    desk = Desk(platform)
    register = Register(platform.sql, platform.alive)
    killed = register.enter("killed", slots=2)
    locked, free = desk.submit(), desk.submit()
    desk.claims.next("killed")
    desk.claims.next("killed")
    killed.free()
    sweeper = Sweeper(platform)
    with platform.sql.writing() as connection:
        connection.execute(select(jobs).where(jobs.c.id == locked.id).with_for_update())
        assert sweeper.reclaim() == [free.id]
    assert sweeper.reclaim() == [locked.id]
    assert register.dead() == []


def test_workers_of_other_machines_are_never_taken_for_dead(desk: Desk) -> None:
    """Their locks cannot be seen from here everywhere; their leases say whether they live."""
    register = Register(desk.sql, desk.platform.alive)
    register.enter("elsewhere", slots=1).free()
    with desk.sql.writing() as connection:
        connection.execute(workers.update().values(host="another"))
    assert register.dead() == []


def test_jobs_that_died_beside_each_other_are_given_up_together_and_told_whole(opening: Opening) -> None:
    """Whoever kills a worker before anything is done takes all its jobs with it; no event has a hole."""
    desk = Desk(opening(crashes=4, user_running=3))
    register = Register(desk.sql, desk.platform.alive)
    three = [desk.submit() for _ in range(3)]
    for number in range(5):
        lock = register.enter(f"worker-{number}", slots=3)
        taken = [desk.claims.next(f"worker-{number}") for _ in range(3)]
        assert all(taken)
        lock.free()
        Sweeper(desk.platform).reclaim()
    for job in three:
        assert (desk.job(job).state, desk.job(job).attempt) == ("failed", 5)
        told = desk.told(job)
        assert told == ["job.queued", *["job.started", "job.lost"] * 4, "job.started", "job.failed"]
        assert desk.job(job).events == len(told)


def test_a_worker_that_is_looked_at_while_it_begins_is_alive(opening: Opening) -> None:
    """Whoever looks takes its lock for an instant, and it waits for that."""
    platform = opening()
    register = Register(platform.sql, platform.alive)
    register.enter("first", slots=1).free(remove=True)
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            register.dead()
            register.tidy()

    with ThreadPoolExecutor(2) as pool:
        looking = [pool.submit(look) for _ in range(2)]
        try:
            for number in range(40):
                lock = register.enter(f"worker-{number}", slots=1)
                assert f"worker-{number}" not in register.dead()
                register.leave(f"worker-{number}", lock)
        finally:
            over.set()
        for one in looking:
            one.result()


def test_a_silent_worker_is_taken_off_the_list_and_one_that_speaks_again_is_on_it(platform: Platform) -> None:
    """Of another machine nothing else is known; a database that was away longer than that harms nobody."""
    clock = Clock()
    register = Register(platform.sql, platform.alive, clock=clock)
    lock = register.enter("worker", slots=3)
    clock.pass_(601)
    register.strike([])
    assert _listed(platform) == []
    register.seen("worker", slots=3)
    assert _listed(platform) == [("worker", 3)]
    register.leave("worker", lock)
    assert _listed(platform) == []


def test_a_job_is_handed_back_where_it_was_and_without_a_crash(desk: Desk) -> None:
    """The next claim goes on with it."""
    job, _ = desk.submit(), desk.submit()
    taken = desk.claims.next("worker")
    assert taken is not None
    assert desk.claims.hand_back(taken, "The worker stops.")
    row = desk.row(job)
    assert (row.state, row.holder, row.crashes, row.queued) == ("queued", None, 0, job.queued)
    assert desk.claims.next("another").id == job.id  # type: ignore[union-attr]


@pytest.mark.parametrize("how", ["cancel", "delete"])
@pytest.mark.parametrize("why", ["hand back", "lost"])
def test_what_was_to_be_stopped_is_not_queued_again(desk: Desk, how: str, why: str) -> None:
    """When its worker leaves or dies before it noticed, the wish still holds."""
    job = desk.submit()
    taken = desk.claims.next("worker")
    assert taken is not None
    (desk.jobs.cancel if how == "cancel" else desk.jobs.delete)(LOCAL_ACTOR, job.id)
    if why == "lost":
        desk.clock.pass_(desk.platform.server.lease + 1)
        desk.claims.reclaim()
    else:
        desk.claims.hand_back(taken, "stops")
    row = desk.row(job)
    assert (row.state, row.stopping) == ("cancelled", "delete" if how == "delete" else "")
    assert row.holder is None
    assert desk.told(job)[-1] == "job.cancelled"


def test_the_wish_to_delete_outlives_an_end_that_came_first(desk: Desk) -> None:
    """A job that completes while it is being deleted is deleted all the same."""
    job = desk.submit()
    taken = desk.claims.next("worker")
    assert taken is not None
    desk.jobs.delete(LOCAL_ACTOR, job.id)
    assert desk.claims.end(taken, "completed", Event("job.completed"))
    assert desk.row(job).stopping == "delete"
    assert desk.platform.erasing.due() == [job.id]


def test_what_an_end_writes_beside_is_kept_or_lost_with_it(desk: Desk) -> None:
    """A fault in it leaves the job as it was."""
    job = desk.submit()
    taken = desk.claims.next("worker")
    assert taken is not None

    def fault(_: object) -> None:
        raise KeyError("beside")

    with pytest.raises(KeyError):
        desk.claims.end(taken, "completed", Event("job.completed"), beside=fault)
    assert desk.row(job).state == "processing"
    assert [one.kind for one in happenings(desk.sql, job)] == ["job.queued", "job.started"]


def _listed(platform: Platform) -> list[tuple[str, int]]:
    with platform.sql.reading() as connection:
        found = connection.exec_driver_sql("SELECT id, slots FROM workers ORDER BY id")
        return [(row[0], row[1]) for row in found]
