"""``autodub audit`` and ``autodub privacy``: on the server's own machine."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from autodub.cli import main
from autodub.infra import server_settings, settings
from autodub.jobs import audit
from autodub.jobs.platform import LOCAL_ACTOR, Platform
from autodub.jobs.records import Actor
from autodub.jobs.spec import JobSpec

JOB = JobSpec(source="https://www.youtube.com/watch?v=abcdefghijk", target="es")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory of its own, and no setting from outside."""
    for name in server_settings.VARIABLES.values():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("AUTODUB_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("AUTODUB_SPARE", "0")
    return tmp_path / "data"


@pytest.fixture
def platform(data: Path) -> Iterator[Platform]:
    """The platform of that directory, as a server has it open meanwhile."""
    known = settings.load(environ={}, data_dir=data)
    platform = Platform(known, server_settings.load(known, environ={}))
    yield platform
    platform.close()


@pytest.fixture
def rows(platform: Platform) -> Platform:
    """With three rows of audit."""
    for number in (1, 2, 3):
        with platform.sql.writing() as connection:
            actor = Actor("ann" if number < 3 else "ben", address="192.0.2.1")
            at = 1_700_000_000 + 86_400 * number
            audit.record(platform.sql, connection, actor, "job.submitted", f"job:{number}", at=at)
    return platform


def _broken(platform: Platform, statement: str) -> None:
    with platform.sql.writing() as connection:
        for (name,) in connection.execute(text("SELECT name FROM sqlite_master WHERE type='trigger'")).all():
            connection.execute(text(f"DROP TRIGGER {name}"))
        connection.execute(text(statement))


def test_the_audit_is_exported_as_lines(rows: Platform, capsys: pytest.CaptureFixture[str]) -> None:
    """One JSON object per row, chosen by who, what, on what and when."""
    assert main(["audit", "export"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["number"] for row in found] == [1, 2, 3]
    for options, numbers in (
        (["--actor", "ann"], [1, 2]),
        (["--subject", "job:3"], [3]),
        (["--action", "job."], [1, 2, 3]),
        (["--action", "user."], []),
        (["--since", "2023-11-16", "--until", "2023-11-17"], [2]),
    ):
        assert main(["audit", "export", *options]) == 0
        out = capsys.readouterr().out
        assert [json.loads(line)["number"] for line in out.splitlines()] == numbers


def test_a_whole_audit_is_verified(rows: Platform, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 0, also with a head that was kept before rows were added."""
    assert main(["audit", "head"]) == 0
    head = capsys.readouterr().out.strip()
    assert head == str(audit.head(rows.sql))
    with rows.sql.writing() as connection:
        audit.record(rows.sql, connection, Actor("ann"), "job.deleted", "job:1", at=1_800_000_000)
    assert main(["audit", "verify", "--expect", head]) == 0
    assert "4 rows" in capsys.readouterr().out


def test_a_broken_audit_is_told_by_exit_code_and_number(
    rows: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first row that is not as it was written is printed, and the exit code is 1."""
    _broken(rows, "UPDATE audit SET actor = 'eve' WHERE number = 2")
    assert main(["audit", "verify"]) == 1
    told = capsys.readouterr()
    assert told.out.strip() == "2"
    assert "it was changed" in told.err
    assert main(["audit", "verify", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["first_bad"] == 2


def test_an_end_that_was_cut_off_is_noticed(rows: Platform, capsys: pytest.CaptureFixture[str]) -> None:
    """What is whole in itself is not as long as the head that was kept says."""
    head = str(audit.head(rows.sql))
    _broken(rows, "DELETE FROM audit WHERE number = 3")
    assert main(["audit", "verify"]) == 0
    assert main(["audit", "verify", "--expect", head]) == 1
    assert "cut off" in capsys.readouterr().err


@pytest.mark.parametrize("head", ["3", "3:abc", "x:" + "0" * 64])
def test_what_is_no_head_is_refused(data: Path, head: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong option is the command's fault and no broken audit."""
    assert main(["audit", "verify", "--expect", head]) == 2
    assert "autodub audit head" in " ".join(capsys.readouterr().err.split())


def test_a_user_is_exported_and_erased(
    platform: Platform, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By name, into one file, and then the account is gone with its jobs."""
    ann = platform.accounts.create(LOCAL_ACTOR, "ann@example.org", None)
    actor = Actor(ann.id, ann.name)
    job, _ = platform.jobs.submit(actor, JOB)
    path = tmp_path / "ann.zip"
    assert main(["privacy", "export", "ann@example.org", "-o", str(path)]) == 0
    with zipfile.ZipFile(path) as archive:
        assert json.loads(archive.read("profile.json"))["name"] == "ann@example.org"
        assert job.id in archive.read("jobs.jsonl").decode()
    assert main(["privacy", "erase", "ann@example.org", "--yes", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == {"user": ann.id, "state": "erased"}
    assert [account.name for account in platform.accounts.list(LOCAL_ACTOR)] == ["local"]
    assert main(["privacy", "erase", "ann@example.org", "--yes"]) == 2


def test_what_still_runs_is_told(platform: Platform, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1: whoever has the job goes on with it; afterwards the same command ends it."""
    from autodub.model.job import Event

    ann = platform.accounts.create(LOCAL_ACTOR, "ann", None)
    platform.jobs.submit(Actor(ann.id, ann.name), JOB)
    running = platform.claims.next("worker")
    assert running is not None
    assert main(["privacy", "erase", "ann", "--yes", "--wait", "0"]) == 1
    assert "still running" in capsys.readouterr().err
    platform.claims.end(running, "cancelled", Event("job.cancelled"))
    assert main(["privacy", "erase", "ann", "--yes", "--wait", "0"]) == 0
