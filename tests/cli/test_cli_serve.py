"""``serve``, ``worker``, ``profile`` and what the doctor says of a server, from arguments to exit codes."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import update

from autodub.cli import main, survey_server
from autodub.cli.calls import Calls
from autodub.infra import server_settings, settings
from autodub.infra.sql import Sql
from autodub.jobs import schema
from autodub.jobs.platform import LOCAL_ACTOR, Platform
from autodub.jobs.records import RESOURCES
from autodub.jobs.register import Register
from autodub.jobs.spec import JobSpec
from autodub.jobs.tables import jobs
from autodub.model.job import Event
from autodub.web import listening

SERVER = tuple(server_settings.VARIABLES.values())


@pytest.fixture(autouse=True)
def _of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of whoever runs the tests counts."""
    for name in (*SERVER, "AUTODUB_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("AUTODUB_DATA_DIR", str(tmp_path / "data"))


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What a command says that is refused: one sentence and a hint."""
    assert main(["serve", *arguments]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("Error: ")
    assert "Traceback" not in shown.err
    return " ".join(shown.err.split())


# --- serve ----------------------------------------------------------------------------------------


def test_a_port_that_is_taken_is_said_with_another(capsys: pytest.CaptureFixture[str]) -> None:
    """The next port is offered."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        said = refused(capsys, "--port", str(port))
    assert f"Port {port} of 127.0.0.1 is taken" in said
    assert f"--port {port + 1}" in said


@pytest.mark.parametrize("host", ["no such host", "192.0.2.1"])
def test_an_address_that_is_not_ours_is_refused(capsys: pytest.CaptureFixture[str], host: str) -> None:
    """A name nobody knows, and an address of another machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("autodub.web.identity.require_admin", lambda _: None)
        said = refused(capsys, "--host", host, "--port", "0")
    assert host in said


def test_a_data_directory_that_cannot_be_made_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A file in its way is no folder."""
    (tmp_path / "file").write_text("")
    assert "data directory" in refused(capsys, "--data-dir", str(tmp_path / "file" / "data"))


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("postgresql://me:pass-word@127.0.0.1:1/name", "cannot be used"),
        ("not an address", "cannot be read"),
        ("mysql://me:pass-word@host/name", "neither SQLite nor PostgreSQL"),
    ],
)
def test_a_database_that_cannot_be_used_is_said_without_its_password(
    capsys: pytest.CaptureFixture[str], address: str, said: str
) -> None:
    """It is away, misspelt, or of another make."""
    told = refused(capsys, "--database", address)
    assert said in told
    assert "pass-word" not in told


def test_a_file_that_is_no_database_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Something else under the database's name is left alone."""
    (tmp_path / "data").mkdir()
    place = tmp_path / "data" / "platform.sqlite"
    place.write_bytes(b"something else entirely, and long enough to be looked at" * 40)
    assert "cannot be used" in refused(capsys)
    assert place.read_bytes().startswith(b"something else")


def test_a_newer_releases_database_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A server that was set back says which revision it found, and changes nothing."""
    sql = Sql.in_folder(tmp_path / "data")
    schema.upgrade(sql)
    with sql.writing() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        connection.exec_driver_sql("UPDATE compatibility SET lowest = '9999'")
    sql.close()
    assert "newer Autodub (revision 9999)" in refused(capsys)


def test_a_setting_that_makes_no_sense_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it was set, before anything is opened."""
    monkeypatch.setenv("AUTODUB_LEASE", "soon")
    assert "lease (environment (AUTODUB_LEASE))" in refused(capsys)


def test_others_are_let_in_only_with_accounts(capsys: pytest.CaptureFixture[str]) -> None:
    """Any other address turns accounts on, which need an admin; to want none is refused."""
    assert "no admin yet" in refused(capsys, "--host", "0.0.0.0")
    assert "Without accounts" in refused(capsys, "--host", "0.0.0.0", "--no-accounts")


def test_a_worker_is_refused_as_a_server_is(capsys: pytest.CaptureFixture[str]) -> None:
    """What is wrong with a database is one sentence and exit code 2 there, too."""
    assert main(["worker", "--database", "nonsense"]) == 2
    assert "cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("host", "is_ours"),
    [("127.0.0.1", True), ("127.8.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False),
     ("::", False), ("10.0.0.1", False), ("dub.example.org", False)],
)  # fmt: skip
def test_loopback_addresses_are_known(host: str, is_ours: bool) -> None:
    """Only what this machine alone reaches counts."""
    assert listening.is_loopback(host) is is_ours


def test_where_it_listens_can_be_opened() -> None:
    """All addresses are shown as this machine's own; IPv6 stands in brackets."""
    with listening.listen("0.0.0.0", 0) as listener:
        assert listening.address_of(listener) == f"http://127.0.0.1:{listener.getsockname()[1]}"
    if socket.has_ipv6:
        try:
            found = listening.listen("::1", 0)
        except Exception:  # noqa: BLE001 - a machine without IPv6
            pytest.skip("there is no IPv6 here")
        with found as listener:
            assert listening.address_of(listener).startswith("http://[::1]:")


def test_what_the_command_line_says_reaches_the_worker(tmp_path: Path) -> None:
    """By the environment, so that no password stands in a list of processes."""
    from autodub.cli import opening

    known = settings.load(environ={"HOME": str(tmp_path)}, data_dir=tmp_path / "data")
    found = opening.variables(known, database="postgresql://me:pw@host/name", slots=3, host=None)
    assert found == {
        "AUTODUB_DATABASE": "postgresql://me:pw@host/name", "AUTODUB_SLOTS": "3",
        "AUTODUB_DATA_DIR": str(tmp_path / "data"),
    }  # fmt: skip


# --- worker ---------------------------------------------------------------------------------------


def test_a_worker_by_itself_begins_and_ends() -> None:
    """On SIGTERM it hands back what it has and exits with 0."""
    argv = [sys.executable, "-m", "autodub", "worker", "--slots", "1", "--log", "json"]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) as worker:
        assert worker.stderr is not None
        lines = [worker.stderr.readline()]
        worker.send_signal(signal.SIGTERM)
        lines += worker.stderr.readlines()
    assert worker.returncode == 0
    assert [json.loads(line)["message"] for line in lines] == [
        "worker begins", "the worker is told to stop; its jobs are handed back", "worker ends",
    ]  # fmt: skip


def test_a_worker_whose_server_has_gone_ends() -> None:
    """It sees that its parent is another one."""
    done = subprocess.run(
        [sys.executable, "-m", "autodub", "worker", "--parent", "1", "--log", "json"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0
    assert "the server has gone" in done.stderr


# --- profile --------------------------------------------------------------------------------------


def dubbing(request: Any, *, listener: Any, **_: Any) -> Any:
    """A dub that tells of one stage and two calls."""
    call = {"role": "synthesizer", "engine": "espeak", "verb": "synthesize"}
    listener(Event("stage.started", "speak", "speaking"))
    listener(Event("call.finished", "speak", data=call | {"kept": False, "seconds": 2.0}))
    listener(Event("call.finished", "speak", data=call | {"kept": True, "seconds": 2.0}))
    listener(Event("stage.finished", "speak", "speaking", 1.0, {"seconds": 0.1}))
    return SimpleNamespace(
        output=Path("a.es.mp4"), subtitles=(), receipt_path=Path("a.json"), report=None,
        project=Path("p.json"), receipt=SimpleNamespace(as_dict=lambda: {"verdict": "lead"}),
        reused=False, request=request,
    )  # fmt: skip


def test_a_profile_has_stages_and_engines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With ``--json`` it is the only thing on standard output; every option of ``dub`` may be given."""
    monkeypatch.setattr("autodub.cli.show_dub.as_json", lambda _: {})
    monkeypatch.setattr("autodub.cli.show_dub.show", lambda _: print("the receipt"))
    assert main(["profile", "clip.mp4", "--to", "es", "--json"], calls=Calls(dub=dubbing)) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["stage"] for one in found["stages"]] == ["speak"]
    assert found["calls"] == [
        {"engine": "synthesizer.espeak", "verb": "synthesize", "made": 1, "kept": 1, "failed": 0,
         "seconds": 2.0},
    ]  # fmt: skip
    assert found["wall_seconds"] > 0.0
    assert found["peak_bytes"] > 1_000_000
    assert main(["profile", "clip.mp4", "--to", "es", "--tone", "calm"], calls=Calls(dub=dubbing)) == 0
    out = capsys.readouterr().out
    assert "the receipt" in out
    assert "synthesizer.espeak" in out
    assert "CPU meanwhile" in out


def test_a_profile_is_of_something(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a source, or with an option that ``dub`` does not have, it is refused."""
    assert main(["profile"]) == 2
    assert main(["profile", "clip.mp4", "--to", "es", "--nonsense"], calls=Calls(dub=dubbing)) == 2
    assert "--nonsense" in capsys.readouterr().err


def test_a_profile_of_a_job_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    """It is not found."""
    for job in ("a" * 32, "abcd", "last"):
        assert main(["profile", job]) == 2
        assert "There is no job" in capsys.readouterr().err


def test_a_job_is_profiled_by_its_first_characters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Or as the last one; where several begin so, more of the id is asked for."""
    monkeypatch.setenv("AUTODUB_DATA_DIR", str(tmp_path / "data"))
    known = settings.load(environ={}, data_dir=tmp_path / "data")
    with closing(Platform(known, server_settings.load(known, environ={}))) as platform:
        ids = iter(("abcd0" + "0" * 27, "abcd1" + "1" * 27))
        monkeypatch.setattr("autodub.jobs.service.secrets", SimpleNamespace(token_hex=lambda _: next(ids)))
        spec = JobSpec(source="https://www.youtube.com/watch?v=dQw4w9WgXcQ", target="es")
        made = [platform.jobs.submit(LOCAL_ACTOR, spec)[0].id for _ in range(2)]
    for asked, found in (("abcd0", made[0]), ("abcd11", made[1]), ("last", made[1])):
        assert main(["profile", asked, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["job"] == found
    assert main(["profile", "abcd"]) == 2
    assert "2 jobs begin with abcd" in capsys.readouterr().err


# --- doctor ---------------------------------------------------------------------------------------


def checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **given: str) -> dict[str, str]:
    """What the doctor says of a server with these settings, where it is not all right: name -> detail."""
    for name, value in given.items():
        monkeypatch.setenv(f"AUTODUB_{name.upper()}", value)
    known = settings.load(environ={"HOME": str(tmp_path)}, data_dir=tmp_path / "data")
    return {one.name: one.detail for one in survey_server.checks(known) if one.state != "ok"}


def test_the_doctor_says_nothing_of_a_server_where_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever only dubs is told nothing, and no database is made by looking."""
    assert checked(tmp_path, monkeypatch) == {}
    known = settings.load(environ={"HOME": str(tmp_path)}, data_dir=tmp_path / "data")
    assert survey_server.checks(known) == ()
    assert not (tmp_path / "data").exists()


def test_the_doctor_finds_a_server_all_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database of this release, no accounts, nobody else who could reach it."""
    known = settings.load(environ={"HOME": str(tmp_path)}, data_dir=tmp_path / "data")
    Platform(known, server_settings.load(known, environ={})).close()
    assert checked(tmp_path, monkeypatch, spare="0") == {}
    names = {one.name: one.detail for one in survey_server.checks(known)}
    assert names["database"].startswith("SQLite, revision 0")
    assert names["accounts"].startswith("off")


@pytest.mark.parametrize(
    ("given", "name", "said"),
    [
        ({"lease": "soon"}, "server settings", "lease"),
        ({"database": "postgresql://me:pass-word@127.0.0.1:1/x"}, "database", "cannot be used"),
        ({"database": "no address"}, "database", "cannot be read"),
        ({"public_url": "dub.example.org"}, "server settings", "must be an address that begins with http://"),
        ({"slot": "2", "port": "5000"}, "server settings", "AUTODUB_SLOT is set but means nothing"),
        ({"rates": "often"}, "server settings", "rates (AUTODUB_RATES) is no limit"),
        ({"origins": "nonsense"}, "server settings", "origin"),
        ({"hook_addresses": "nowhere"}, "server settings", "hook_addresses"),
        ({"prohibited_file": "/nowhere/words"}, "server settings", "prohibited words cannot be read"),
        ({"moderation": "openai"}, "moderator.openai", "no dub goes on without"),
        ({"public_url": "http://dub.example.org", "accounts": "1"}, "public_url", "read on the way"),
        ({"public_url": "https://dub.example.org", "proxies": "1"}, "accounts", "there are no accounts"),
        ({"public_url": "https://dub.example.org", "accounts": "1"}, "proxies", "shares its limits"),
        ({"proxies": "1", "accounts": "1"}, "public_url", "the address people use"),
        ({"spare": str(1 << 60)}, "room", "must be left"),
        ({"c2pa_key": "/nowhere/key.pem"}, "c2pa_key", "cannot be read"),
    ],
)
def test_the_doctor_says_what_does_not_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, str], name: str, said: str
) -> None:
    """Each with the setting it is about, and never with a password."""
    found = checked(tmp_path, monkeypatch, **given)
    assert said in found[name]
    assert "pass-word" not in repr(found)


def test_the_doctor_says_what_an_upgrade_does(tmp_path: Path) -> None:
    """Of a database before this release, and of one after it; nothing is asked of what is not known."""
    known = settings.load(environ={"HOME": str(tmp_path)}, data_dir=tmp_path / "data")
    sql = Sql.in_folder(tmp_path / "data")
    schema.upgrade(sql)

    def told(revision: str, lowest: str = "0002") -> tuple[str, str]:
        with sql.writing() as connection:
            connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{revision}'")
            connection.exec_driver_sql(f"UPDATE compatibility SET lowest = '{lowest}'")
        (found,) = [one for one in survey_server.checks(known) if one.name == "database"]
        return found.state, found.detail

    state, said = told("0001")
    assert state == "ok"
    assert said.endswith("the next start of this one brings it up to date; stop older ones first")
    state, said = told("9999")
    assert (state, said.endswith("of a newer release that lets this one go on")) == ("ok", True)
    state, said = told("9999", "9999")
    assert (state, said.endswith("of a newer release")) == ("warning", True)
    sql.close()


def test_the_doctor_says_which_queue_nobody_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what starts a worker for it; of a job of a newer release, that one of that release is wanted."""
    known = settings.load(environ={"HOME": str(tmp_path)}, data_dir=tmp_path / "data")
    platform = Platform(known, server_settings.load(known, environ={}, given={"check_engines": False}))
    register = Register(platform.sql, platform.alive)
    job, _ = platform.jobs.submit(LOCAL_ACTOR, JobSpec(source="https://youtu.be/x", target="es"))
    register.seen("w", slots=1, resources=[one for one in RESOURCES if one != job.resource])

    def told() -> tuple[str, str] | None:
        said = [one for one in survey_server.checks(known) if one.name == f"queue {job.resource}"]
        return (said[0].detail, said[0].fix) if said else None

    fix = f"autodub worker --queues {job.resource}"
    assert told() == ("jobs that wait although no worker takes them: 1", fix)
    with platform.sql.writing() as connection:
        connection.execute(update(jobs).where(jobs.c.id == job.id).values(format=2))
    register.seen("all", slots=1)
    found = told()
    assert found is not None
    assert "newer release" in found[0]
    with platform.sql.writing() as connection:
        connection.execute(update(jobs).where(jobs.c.id == job.id).values(format=1))
    assert told() is None
    platform.close()


def test_the_doctor_misses_an_admin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Accounts without anybody who could let others in are no use."""
    known = settings.load(environ={"HOME": str(tmp_path)}, data_dir=tmp_path / "data")
    Platform(known, server_settings.load(known, environ={})).close()
    assert "no admin" in checked(tmp_path, monkeypatch, accounts="1")["accounts"]
