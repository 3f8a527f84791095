"""Settings of a server: where they come from, and what is refused before anything begins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from autodub.infra import server_settings, settings
from autodub.infra.server_settings import ServerSettings
from autodub.model.errors import BadOption


def load(
    folder: Path,
    *,
    environ: dict[str, str] | None = None,
    file: str = "",
    given: dict[str, Any] | None = None,
) -> ServerSettings:
    """The settings of a machine with this environment and file."""
    place = folder / "config.toml"
    place.write_text(f"[server]\n{file}\n")
    env = {"AUTODUB_CONFIG": str(place), **(environ or {})}
    return server_settings.load(settings.load(environ=env), environ=env, given=given)


def refused(folder: Path, **how: Any) -> BadOption:
    """How they are refused."""
    with pytest.raises(BadOption) as caught:
        load(folder, **how)
    return caught.value


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    """Each where the one before says nothing."""
    found = load(
        tmp_path, file="port = 1\nslots = 1\nthreads = 10",
        environ={"AUTODUB_PORT": "2", "AUTODUB_SLOTS": "2"}, given={"port": 3, "host": None},
    )  # fmt: skip
    assert (found.port, found.slots, found.threads, found.host) == (3, 2, 10, "127.0.0.1")


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("port", "many", "must be a whole number from 0 to 65535"),
        ("port", "70000", "must be a whole number from 0 to 65535"),
        ("lease", "1", "must be a number from 2"),
        ("upload_hours", "0", "must be a number above 0"),
        ("accounts", "perhaps", "must be true or false"),
        ("log", "xml", "must be text or json"),
        ("public_url", "dub.example.org", "must be an address that begins with http:// or https://"),
        ("public_url", "ftp://dub.example.org", "must be an address that begins with http:// or https://"),
        ("public_url", "https://", "must be an address that begins with http:// or https://"),
        ("public_url", "https://me:word@dub.example.org", "must be an address that begins with"),
        ("traces", "collector", "must be an address that begins with http:// or https://"),
    ],
)
def test_a_value_without_meaning_is_refused_in_plain_words(
    tmp_path: Path, name: str, value: str, why: str
) -> None:
    """With the setting and where it stands, never with the value."""
    variable = f"AUTODUB_{name.upper()}"
    problem = refused(tmp_path, environ={variable: value})
    assert problem.message.startswith(f"The setting {name} (environment ({variable})) {why}")
    assert problem.hint
    assert "me:word" not in str(problem)


def test_a_slash_at_the_end_of_an_address_is_no_part_of_it(tmp_path: Path) -> None:
    """Links are made of it."""
    assert (
        load(tmp_path, file='public_url = "https://dub.example.org/"').public_url == "https://dub.example.org"
    )


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("AUTODUB_PUBLICURL", "AUTODUB_PUBLIC_URL"),
        ("AUTODUB_SLOT", "AUTODUB_SLOTS"),
        ("AUTODUB_DATADIR", "AUTODUB_DATA_DIR"),
        ("AUTODUB_account", "AUTODUB_ACCOUNTS"),
    ],
)
def test_a_variable_with_a_slip_in_its_name_is_refused(tmp_path: Path, variable: str, meant: str) -> None:
    """Whoever set it believes that it counts."""
    problem = refused(tmp_path, environ={variable: "1"})
    assert problem.message == f"The variable {variable} is set but means nothing."
    assert f"Did you mean {meant}?" in problem.hint


def test_variables_of_others_are_let_alone(tmp_path: Path) -> None:
    """Keys of engines, those that every command knows, and what looks like no setting."""
    environ = {
        "AUTODUB_DEBUG": "1", "AUTODUB_OFFLINE": "1", "OPENAI_API_KEY": "x", "ELEVENLABS_API_KY": "x",
        "AUTODUB_BACKUP_BUCKET": "x", "AUTODUB_SLOT": "",
    }  # fmt: skip
    assert load(tmp_path, environ=environ).slots == 2


def test_a_name_nobody_knows_is_refused_in_the_file_and_from_the_caller(tmp_path: Path) -> None:
    """With the one that is meant, where one is near."""
    assert "Did you mean 'slots'?" in refused(tmp_path, file="slot = 1").hint
    problem = refused(tmp_path, given={"prot": 1})
    assert (problem.message, problem.hint) == ("A server has no setting 'prot'.", "Did you mean 'port'?")
    assert "There is: host, port" in refused(tmp_path, given={"zzz": 1}).hint
