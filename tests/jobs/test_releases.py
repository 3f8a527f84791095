"""Two releases over one database: what only adds lets the older one go on; other changes shut it out."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from desk import SOURCE, Desk, Opening
from releases import NEEDS_NEWER, migrated, release, running

from autodub.infra.sql import Sql
from autodub.jobs import schema
from autodub.jobs.metrics import Lane
from autodub.jobs.records import Job
from autodub.jobs.register import Register
from autodub.jobs.spec import asked
from autodub.jobs.sweeper import Sweeper
from autodub.jobs.tables import compatibility, metadata
from autodub.model.errors import Conflict, Unavailable


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    """A release that only adds."""
    return release(tmp_path / "newer")


def _newer_job(desk: Desk, newer: Path) -> Job:
    with running(newer):
        return desk.submit(**NEEDS_NEWER)


def test_what_a_newer_release_adds_lets_older_ones_go_on(opening: Opening, newer: Path) -> None:
    """Those that run, and those that begin later; they leave its tables as they are."""
    desk = Desk(opening())
    migrated(newer, opening)
    assert desk.platform.is_ours()
    assert schema.standing(desk.sql) == "newer"
    later = opening()
    assert schema.revision(later.sql) == "9998"
    job = desk.submit()
    taken = desk.claims.next("w")
    assert taken is not None
    assert taken.id == job.id


def test_who_upgrades_is_told_ahead_whether_older_releases_may_go_on(
    desk: Desk, newer: Path, tmp_path: Path
) -> None:
    """Without anything being changed."""
    with running(newer):
        assert schema.standing(desk.sql) == "behind"
        assert schema.is_gentle(desk.sql)
    with running(release(tmp_path / "other", additive=False)):
        assert not schema.is_gentle(desk.sql)
    assert schema.standing(desk.sql) == "current"


def test_other_changes_shut_older_releases_out(opening: Opening, tmp_path: Path) -> None:
    """None of them claims a job any more, from that moment on, and none begins; the newer one goes on."""
    desk = Desk(opening())
    desk.submit()
    folder = release(tmp_path / "newer", additive=False)
    migrated(folder, opening)
    assert not desk.platform.is_ours()
    with pytest.raises(Unavailable, match="newer release"):
        desk.claims.next("w")
    with pytest.raises(schema.Excluded, match="newer Autodub"):
        opening()
    with running(folder):
        assert Desk(opening()).claims.next("w") is not None


def test_a_release_that_adds_to_one_that_changed_shuts_out_the_first_only(
    opening: Opening, tmp_path: Path
) -> None:
    """Who may go on is whoever knows the last change that was no addition, however much was added since."""
    desk = Desk(opening())
    folder = release(tmp_path / "newer", additive=False)
    release(folder, revision="9999", before="9998")
    migrated(folder, opening)
    with desk.sql.reading() as connection:
        assert connection.execute(sa.select(compatibility.c.lowest)).scalars().all() == ["9998"]
    assert not desk.platform.is_ours()


def test_a_job_that_only_newer_workers_know_waits_for_one(desk: Desk, newer: Path) -> None:
    """Older ones leave it in the queue, take what comes after it, and send no messages for it."""
    job, plain = _newer_job(desk, newer), desk.submit()
    assert (job.format, plain.format) == (2, 1)
    assert desk.claims.ready(most=5) == {plain.resource: [plain.id]}
    taken = desk.claims.next("old")
    assert taken is not None
    assert taken.id == plain.id
    assert desk.claims.next("old") is None
    with running(newer):
        taken = desk.claims.next("new")
        assert taken is not None
        assert asked(taken).tone == "playful"
    assert taken.id == job.id


def test_newer_workers_read_what_older_releases_wrote(desk: Desk, newer: Path) -> None:
    """Also where a field has another name now."""
    job = desk.put(desk.submit(), spec=f'{{"source": "{SOURCE}", "target": "es", "former_title": "A film"}}')
    with running(newer):
        assert asked(job).title == "A film"


def test_an_older_server_does_not_guess_at_a_newer_job(desk: Desk, newer: Path) -> None:
    """It shows, cancels and deletes it; to queue it again is refused in words."""
    job = _newer_job(desk, newer)
    actor = desk.user("ann")
    desk.put(job, owner=actor.id)
    assert desk.jobs.get(actor, job.id).title
    assert desk.jobs.cancel(actor, job.id).state == "cancelled"
    with pytest.raises(Conflict, match="newer release"):
        desk.jobs.retry(actor, job.id)
    desk.jobs.delete(actor, job.id)


def test_that_jobs_wait_for_a_newer_worker_is_said_once(
    desk: Desk, newer: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """And again only when new ones came after there were none."""
    sweeper = Sweeper(desk.platform)

    def said() -> int:
        sweeper.sweep()
        return sum("newer release" in one.getMessage() for one in caplog.records)

    with caplog.at_level(logging.WARNING, "autodub.sweeper"):
        assert said() == 0
        job = _newer_job(desk, newer)
        assert [said(), said()] == [1, 1]
        desk.put(job, state="cancelled")
        assert said() == 1
        _newer_job(desk, newer)
        assert said() == 2


def test_who_takes_a_job_is_known_by_what_workers_say(desk: Desk, newer: Path) -> None:
    """None that serves what binds it; then one of an older release; then one that knows it."""
    numbers = desk.platform.numbers
    register = Register(desk.sql, desk.platform.alive)
    job = desk.put(_newer_job(desk, newer), resource="gpu")

    def found() -> tuple[str | None, int, int]:
        wait, lane = numbers.wait(job), numbers.lanes()["gpu"]
        return wait and wait.reason, lane.slots, lane.unserved

    register.seen("there", slots=3, resources=("net", "cpu"))
    assert found() == ("no_worker", 0, 1)
    register.seen("old", slots=2, resources=("gpu",))
    assert found() == ("newer_release", 2, 1)
    with running(newer):
        register.seen("new", slots=1, resources=("cpu", "gpu"))
    assert found() == (None, 3, 0)
    assert numbers.lanes()["cpu"] == Lane(0, 0, 0.0, slots=4)
    assert numbers.wait(desk.put(job, state="processing")) is None


def test_every_migration_says_whether_it_only_adds() -> None:
    """Nobody is left to guess, and the first that says so is later than the question itself."""
    scripts = list(schema.ScriptDirectory.from_config(schema._config()).walk_revisions())
    assert {script.revision: hasattr(script.module, "additive") for script in scripts} == dict.fromkeys(
        [script.revision for script in scripts], True
    )
    assert {script.revision for script in scripts if not script.module.additive} >= {"0001", "0002"}


def test_migrations_that_say_they_only_add_do_only_that(tmp_path: Path) -> None:
    """What older releases read is as it was, and what they write needs no column that they do not know."""
    sql = Sql.in_folder(tmp_path)
    try:
        for revision, is_additive in schema._chain(schema.VERSIONS).items():
            before = _tables(sql)
            with sql.writing() as connection:
                config = schema._config()
                config.attributes["connection"] = connection
                command.upgrade(config, revision)
            if is_additive:
                assert _spoilt(before, _tables(sql)) == [], revision
    finally:
        sql.close()


def test_a_migration_that_takes_something_away_is_noticed(tmp_path: Path) -> None:
    """Of the test above: a column that goes, one that is needed, one of another kind."""
    sql = Sql.in_folder(tmp_path)
    schema.upgrade(sql)
    before = _tables(sql)
    with sql.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE users DROP COLUMN turn")
        connection.exec_driver_sql("ALTER TABLE hooks RENAME TO pegs")
        connection.exec_driver_sql("CREATE TABLE hooks (id INTEGER, must TEXT NOT NULL)")
    found = _spoilt(before, _tables(sql))
    sql.close()
    assert "users.turn is gone or changed" in found
    assert "hooks.id is gone or changed" in found
    assert "hooks.must is needed" in found
    assert "hooks" in metadata.tables


Tables = dict[str, dict[str, tuple[str, bool, bool]]]


def _tables(sql: Sql) -> Tables:
    """Table -> column -> its type, whether it may be empty, whether it has a value by itself."""
    with sql.reading() as connection:
        there = sa.inspect(connection)
        return {
            table: {
                one["name"]: (str(one["type"]), bool(one["nullable"]), one["default"] is not None)
                for one in there.get_columns(table)
            }
            for table in there.get_table_names()
        }


def _spoilt(before: Tables, after: Tables) -> list[str]:
    """What a release that knows the tables before would miss, or leave out, in those after."""
    found = []
    for table, columns in before.items():
        now = after.get(table, {})
        found += [f"{table}.{name} is gone or changed" for name in columns if now.get(name) != columns[name]]
        found += [
            f"{table}.{name} is needed"
            for name, (_, is_nullable, has_default) in now.items()
            if name not in columns and not is_nullable and not has_default
        ]
    return found
