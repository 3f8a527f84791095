"""The audit: a chain that nobody changes unnoticed."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from autodub.infra.sql import Sql
from autodub.jobs import audit
from autodub.jobs.audit import Filter, Head
from autodub.jobs.platform import Platform
from autodub.jobs.records import Actor

ANN, BEN = Actor("ann", address="10.0.0.1"), Actor("ben", address="10.0.0.2")


def _filled(platform: Platform, count: int = 5) -> Sql:
    for number in range(1, count + 1):
        with platform.sql.writing() as connection:
            actor = ANN if number % 2 else BEN
            audit.record(
                platform.sql, connection, actor, f"job.{'made' if number % 2 else 'deleted'}",
                f"job:{number}", at=100 + number, data={"target": "es"},
            )  # fmt: skip
    return platform.sql


def _tampered(sql: Sql, *statements: str) -> None:
    """Change rows as somebody with the whole database in hands can: without its triggers."""
    with sql.writing() as connection:
        if sql.is_postgres:
            connection.execute(text("SET LOCAL session_replication_role = replica"))
        else:
            names = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'"))
            for (name,) in names.all():
                connection.execute(text(f'DROP TRIGGER "{name}"'))
        for statement in statements:
            connection.execute(text(statement))


def test_the_chain_holds(platform: Platform) -> None:
    """Rows are numbered without holes, each naming the digest of the one before it."""
    sql = _filled(platform)
    found = list(audit.entries(sql))
    assert [entry.number for entry in found] == [1, 2, 3, 4, 5]
    assert [entry.previous for entry in found[1:]] == [entry.digest for entry in found[:-1]]
    checked = audit.verify(sql)
    assert (checked.count, checked.first_bad) == (5, None)
    assert checked.head == audit.head(sql) == Head(5, found[-1].digest)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET actor = 'ben' WHERE number = 2",
        "DELETE FROM audit WHERE number = 5",
        "DELETE FROM audit",
    ],
)
def test_the_database_refuses_to_change_or_remove_a_row(platform: Platform, statement: str) -> None:
    """Neither an update nor a deletion gets through, whoever asks."""
    sql = _filled(platform)
    with pytest.raises(DBAPIError, match="append-only"), sql.writing() as connection:
        connection.execute(text(statement))
    assert audit.verify(sql).count == 5


def test_the_database_refuses_to_replace_a_row(platform: Platform) -> None:
    """The ways around a deletion are closed, too: REPLACE on SQLite, TRUNCATE on PostgreSQL."""
    sql = _filled(platform)
    around = (
        "TRUNCATE audit"
        if sql.is_postgres
        else "INSERT OR REPLACE INTO audit SELECT * FROM audit WHERE number = 3"
    )
    with pytest.raises(DBAPIError, match="append-only"), sql.writing() as connection:
        connection.execute(text(around))
    assert audit.verify(sql).count == 5


@pytest.mark.parametrize(
    ("statement", "bad"),
    [
        ("UPDATE audit SET actor = 'eve' WHERE number = 3", 3),
        ("UPDATE audit SET at = at + 1 WHERE number = 1", 1),
        ("UPDATE audit SET data = '{}' WHERE number = 5", 5),
        ("DELETE FROM audit WHERE number = 2", 2),
        ("DELETE FROM audit WHERE number = 1", 1),
        ("UPDATE audit SET number = 9 WHERE number = 4", 4),
        ("UPDATE audit_addresses SET address = '10.6.6.6' WHERE number = 4", 4),
    ],
)
def test_tampering_is_found(platform: Platform, statement: str, bad: int) -> None:
    """The first row that was changed, taken out or moved is named."""
    sql = _filled(platform)
    _tampered(sql, statement)
    checked = audit.verify(sql)
    assert checked.first_bad == bad
    assert checked.count == bad - 1
    assert checked.why


def test_an_end_that_was_cut_off_is_found_by_a_head_kept_elsewhere(platform: Platform) -> None:
    """The shorter chain is whole in itself; what was kept elsewhere shows that rows are missing."""
    sql = _filled(platform)
    kept = audit.head(sql)
    _tampered(sql, "DELETE FROM audit WHERE number > 3")
    assert audit.verify(sql).first_bad is None
    assert audit.verify(sql, expect=kept).first_bad == 4


def test_a_chain_made_anew_is_found_by_a_head_kept_elsewhere(platform: Platform) -> None:
    """Somebody who computes all digests again still has other ones."""
    sql = _filled(platform)
    kept = audit.head(sql)
    _tampered(sql, "DELETE FROM audit", "DELETE FROM audit_addresses")
    _filled(platform, 6)
    assert audit.verify(sql).first_bad is None
    assert audit.verify(sql, expect=kept).first_bad == 5


def test_a_chain_that_has_grown_is_still_as_expected(platform: Platform) -> None:
    """A head kept earlier stays good while rows are added."""
    sql = _filled(platform)
    kept = audit.head(sql)
    with sql.writing() as connection:
        audit.record(sql, connection, ANN, "job.made", "job:6", at=106)
    assert audit.verify(sql, expect=kept).first_bad is None


def test_many_writers_keep_one_chain(opening: Callable[[], Platform]) -> None:
    """Threads of several processes that write at once leave no hole and no fork."""
    platforms = [opening() for _ in range(3)]

    def write(platform: Platform) -> None:
        for _ in range(10):
            platform.sql.again(lambda c: audit.record(platform.sql, c, ANN, "job.made", "job:1", at=1))

    threads = [threading.Thread(target=write, args=(platform,)) for platform in platforms]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    checked = audit.verify(platforms[0].sql)
    assert (checked.count, checked.first_bad) == (30, None)


def test_rows_are_chosen_by_actor_action_subject_and_time(platform: Platform) -> None:
    """Filters narrow an export down; a beginning with a dot takes a whole group of actions."""
    sql = _filled(platform)

    def numbers(**wanted: object) -> list[int]:
        return [entry.number for entry in audit.entries(sql, Filter(**wanted))]  # type: ignore[arg-type]

    assert numbers(actor="ben") == [2, 4]
    assert numbers(action="job.made") == [1, 3, 5]
    assert numbers(action="job.") == [1, 2, 3, 4, 5]
    assert numbers(action="user.") == []
    assert numbers(subject="job:4") == [4]
    assert numbers(since=102, until=104) == [2, 3]
    assert numbers(actor="ann", since=103) == [3, 5]


def test_an_export_is_lines_of_json(platform: Platform) -> None:
    """Each line is one whole row, and pages join without a seam."""
    sql = _filled(platform, 7)
    rows = [json.loads(line) for line in audit.export(sql)]
    assert [row["number"] for row in rows] == list(range(1, 8))
    assert rows[0] | {"previous": "", "digest": ""} == {
        "number": 1, "at": 101.0, "actor": "ann", "action": "job.made", "subject": "job:1",
        "address": "10.0.0.1", "data": {"target": "es"}, "previous": "", "digest": "",
    }  # fmt: skip
    first = [entry.number for entry in audit.entries(sql, limit=4)]
    assert first + [entry.number for entry in audit.entries(sql, after=4)] == list(range(1, 8))


def test_addresses_can_be_forgotten_and_the_chain_still_holds(platform: Platform) -> None:
    """What stays of an erased user is an id: where from is gone, and nothing else has changed."""
    sql = _filled(platform)
    with sql.writing() as connection:
        audit.forget_addresses(connection, "ann")
    assert [entry.address for entry in audit.entries(sql)] == ["", "10.0.0.2", "", "10.0.0.2", ""]
    assert audit.verify(sql).first_bad is None
    with sql.reading() as connection:
        whole = connection.execute(text("SELECT * FROM audit")).all()
    assert "10.0.0.1" not in repr(whole)


def test_rows_about_a_user_are_found(platform: Platform) -> None:
    """What a user did and what was done to the account, but not from where others did it."""
    sql = _filled(platform, 3)
    with sql.writing() as connection:
        audit.record(sql, connection, BEN, "user.changed", "user:ann", at=110)
    found = list(audit.about(sql, "ann"))
    assert [(entry.number, entry.address) for entry in found] == [(1, "10.0.0.1"), (3, "10.0.0.1"), (4, "")]
