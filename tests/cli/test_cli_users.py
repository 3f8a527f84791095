"""``autodub users``: accounts and keys from the command line."""

from __future__ import annotations

import getpass
import io
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from autodub.cli import main, root
from autodub.cli.calls import Calls
from autodub.infra import server_settings, settings
from autodub.jobs.platform import LOCAL_ACTOR, Platform
from autodub.model.errors import NotFound

PASSWORD = "a lamp by the harbour"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory of its own, and no setting from outside."""
    for name in server_settings.VARIABLES.values():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path / "data"


@pytest.fixture
def platform(data: Path) -> Iterator[Platform]:
    """The platform of that directory, as a server has it open meanwhile."""
    known = settings.load(environ={}, data_dir=data)
    platform = Platform(known, server_settings.load(known, environ={}))
    yield platform
    platform.close()


def typed(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Have the command read this."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def run(capsys: pytest.CaptureFixture[str], data: Path, *arguments: str) -> tuple[int, Any]:
    """Exit code and answer of a command, as JSON."""
    code = main(["users", *arguments, "--data-dir", str(data), "--json"])
    said = capsys.readouterr()
    return code, json.loads(said.out)


def test_an_admin_is_added_before_the_first_start(
    data: Path, platform: Platform, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The password comes from the input, and lets the admin in."""
    typed(monkeypatch, f"{PASSWORD}\r\nmore\n")
    code, told = run(capsys, data, "add", "Boss@example.org", "--admin", "--password-stdin", "--minutes", "5")
    assert code == 0
    assert (told["name"], told["role"], told["minutes"]) == ("boss@example.org", "admin", 5)
    assert platform.accounts.authenticated("boss@example.org", PASSWORD).id == told["id"]
    assert platform.accounts.has_admin()


def test_a_password_that_is_typed_is_not_shown(data: Path, platform: Platform) -> None:
    """It is asked for twice, without an echo, and must be the same."""
    arguments = ["add", "ann", "--data-dir", str(data)]
    given = f"{PASSWORD}\nother\n{PASSWORD}\n{PASSWORD}\n"
    done = CliRunner().invoke(root, ["users", *arguments], input=given, obj=Calls())
    assert done.exit_code == 0
    assert "do not match" in done.output
    assert PASSWORD not in done.output
    assert "The user ann was added." in done.stdout
    assert platform.accounts.authenticated("ann", PASSWORD).role == "user"


def test_a_password_is_not_asked_for_where_it_could_be_seen(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a terminal the way by the input is named, and nothing is read."""
    monkeypatch.setattr(getpass, "getpass", getpass.fallback_getpass)  # type: ignore[attr-defined]
    typed(monkeypatch, f"{PASSWORD}\n{PASSWORD}\n")
    assert main(["users", "add", "ann", "--data-dir", str(data)]) == 2
    assert "--password-stdin" in capsys.readouterr().err


def test_a_weak_password_adds_nobody(
    data: Path, platform: Platform, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The request is wrong, and what is wrong with it is said; the password is not."""
    typed(monkeypatch, "password1234\n")
    code, told = run(capsys, data, "add", "ann", "--password-stdin")
    assert (code, told["error"]["code"]) == (2, "bad_option")
    assert "password1234" not in str(told)
    assert [one.name for one in platform.accounts.list(LOCAL_ACTOR)] == ["local"]


def test_users_are_listed_and_changed(
    data: Path, platform: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    """For people as a table, for programs as JSON."""
    assert run(capsys, data, "add", "ann", "--no-password")[0] == 0
    code, told = run(capsys, data, "change", "ANN", "--role", "admin", "--dollars", "2.5", "--running", "3")
    assert (code, told["role"], told["dollars"], told["running"]) == (0, "admin", 2.5, 3)
    assert main(["users", "list", "--data-dir", str(data)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split()[:7] == ["ann", "admin", "keys", "only", "as", "set", "2.5"]
    code, told = run(capsys, data, "list")
    assert [one["name"] for one in told["users"]] == ["ann", "local"]


def test_a_name_cannot_take_over_the_terminal(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is refused when it is made, and an unknown one is shown with escapes."""
    code, told = run(capsys, data, "add", "a\x1b[2Jb", "--no-password")
    assert (code, told["error"]["code"]) == (2, "bad_option")
    assert main(["users", "disable", "a\u202eb", "--data-dir", str(data)]) == 2
    assert "\u202e" not in capsys.readouterr().err


def test_who_is_disabled_is_out_until_enabled(
    data: Path, platform: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    """Their keys open nothing meanwhile."""
    user = platform.accounts.create(LOCAL_ACTOR, "ann", None)
    text, _ = platform.keys.create(LOCAL_ACTOR, "k", ["read"], owner=user.id)
    assert run(capsys, data, "disable", "ann")[1]["active"] is False
    assert platform.keys.find(text) is None
    assert run(capsys, data, "enable", "ann")[1]["active"] is True
    assert platform.keys.find(text) is not None


def test_a_new_password_takes_the_place_of_the_old(
    data: Path, platform: Platform, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """For the local user, too, who can then log in to what was made without accounts."""
    platform.accounts.create(LOCAL_ACTOR, "ann", PASSWORD)
    for name in ("ann", "local"):
        typed(monkeypatch, "seven quiet bicycles\n")
        assert run(capsys, data, "password", name, "--password-stdin")[0] == 0
        assert platform.accounts.authenticated(name, "seven quiet bicycles").name == name


def test_a_user_is_erased_when_it_is_meant(
    data: Path, platform: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is asked first; then nobody of that name is left."""
    platform.accounts.create(LOCAL_ACTOR, "ann", PASSWORD)
    asked = CliRunner().invoke(
        root, ["users", "delete", "ann", "--data-dir", str(data)], input="n\n", obj=Calls()
    )
    assert asked.exit_code == 1
    assert platform.accounts.named(LOCAL_ACTOR, "ann").active
    code, told = run(capsys, data, "delete", "ann", "--yes")
    assert code == 0
    assert told["name"] == "ann"
    with pytest.raises(NotFound):
        platform.accounts.named(LOCAL_ACTOR, "ann")


def test_keys_are_made_listed_and_revoked(
    data: Path, platform: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    """The key alone is printed to the output, once; lists have its beginning."""
    platform.accounts.create(LOCAL_ACTOR, "ann", None)
    place = ["--data-dir", str(data)]
    assert main(["users", "keys", "add", "ann", "--scope", "read", "--days", "2", *place]) == 0
    said = capsys.readouterr()
    text = said.out.strip()
    found = platform.keys.find(text)
    assert found is not None
    assert found[0].scopes == ("read",)
    assert found[0].expires == pytest.approx(time.time() + 2 * 86_400, abs=60)
    assert text not in said.err
    assert main(["users", "keys", "list", "ann", *place]) == 0
    listed = capsys.readouterr().out
    assert f"{text[:10]}..." in listed
    assert text not in listed
    code, told = run(capsys, data, "keys", "revoke", found[0].id)
    assert (code, told["id"]) == (0, found[0].id)
    assert platform.keys.find(text) is None


@pytest.mark.parametrize(
    "arguments", [("disable", "nobody"), ("keys", "add", "nobody"), ("keys", "revoke", "no"),
                  ("keys", "add", "local", "--scope", "x"),
                  ("add", "x", "--no-password", "--password-stdin")],
)  # fmt: skip
def test_what_cannot_be_done_is_said(
    data: Path, arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """With the exit code of a wrong command or request."""
    code, told = run(capsys, data, *arguments)
    assert code == 2
    assert told["error"]["message"]
