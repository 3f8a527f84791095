"""Settings: where values come from, what is refused, and that keys stay secret."""

from pathlib import Path

import pytest

from autodub.infra import settings
from autodub.model.errors import BadOption


def _load(tmp_path, text=None, environ=None, **given):
    file = tmp_path / "config.toml"
    if text is not None:
        file.write_text(text)
    return settings.load(
        environ={"AUTODUB_CONFIG": str(file)} | (environ or {}) if text is not None else environ or {},
        **given,
    )


def test_defaults_without_anything(monkeypatch, tmp_path):
    """With neither file nor variables there is a data folder of the user's own, and no keys."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "c"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "d"))
    found = settings.load(environ={})
    assert found.data_dir.name == "autodub"
    assert found.models_dir == found.data_dir / "models"
    assert found.offline is False
    assert found.secret_values() == {}
    assert set(found.origins.values()) == {"default"}


def test_command_line_before_environment_before_file(tmp_path):
    """The nearest source wins, and each value says where it is from."""
    text = 'data_dir = "/file"\nmodels_dir = "/models"\noffline = true\n'
    found = _load(tmp_path, text, {"AUTODUB_DATA_DIR": "/env", "AUTODUB_OFFLINE": "0"}, data_dir=Path("/cli"))
    assert (found.data_dir, found.models_dir, found.offline) == (Path("/cli"), Path("/models"), False)
    assert found.origins["data_dir"] == "command line"
    assert found.origins["models_dir"] == f"file ({tmp_path / 'config.toml'})"
    assert found.origins["offline"] == "environment (AUTODUB_OFFLINE)"
    assert _load(tmp_path, text, {"AUTODUB_DATA_DIR": "/env"}).data_dir == Path("/env")


def test_an_empty_variable_is_not_set(tmp_path):
    """A variable that is set to nothing does not hide the file's value."""
    found = _load(tmp_path, 'data_dir = "/file"', {"AUTODUB_DATA_DIR": "", "OPENAI_API_KEY": ""})
    assert found.data_dir == Path("/file")
    assert found.secret_values() == {}


def test_keys_come_from_environment_and_file(tmp_path):
    """Known keys are taken from the environment, any from the file; the environment wins."""
    text = '[secrets]\nOPENAI_API_KEY = "from-file"\nMY_OWN_KEY = "mine-from-file"\n'
    found = _load(tmp_path, text, {"OPENAI_API_KEY": "from-env", "GITHUB_TOKEN": "not-ours"})
    assert found.secret_values() == {"OPENAI_API_KEY": "from-env", "MY_OWN_KEY": "mine-from-file"}
    assert found.origins["OPENAI_API_KEY"] == "environment"


def test_keys_are_never_shown(tmp_path):
    """Printing the settings, or a text with a key in it, shows no key (R29)."""
    found = _load(tmp_path, "", {"OPENAI_API_KEY": "sk-abcdef-123456", "ELEVENLABS_API_KEY": "xy"})
    assert "abcdef" not in repr(found) + str(found) + found.model_dump_json()
    assert found.redact("the key sk-abcdef-123456 is wrong, ask xy") == "the key *** is wrong, ask xy"


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer SECRETSECRET",
        "authorization=Basic SECRETSECRET",
        '{"xi-api-key": "SECRETSECRET"}',
        "https://host/path?api_key=SECRETSECRET&x=1",
        "access_token=SECRETSECRET",
        "sent Token SECRETSECRETSECRET",
    ],
)
def test_what_looks_like_a_credential_is_scrubbed(text):
    """Credentials nobody told us about are blanked by their surroundings."""
    assert "SECRET" not in settings.scrub(text)


@pytest.mark.parametrize(
    "text", ["invalid token in line 3", "basic settings", "a secret agent", "the bearer of"]
)
def test_ordinary_sentences_are_left_alone(text):
    """Words such as token are not mistaken for credentials."""
    assert settings.scrub(text) == text


@pytest.mark.parametrize(("mode", "exposed"), [(0o600, False), (0o400, False), (0o640, True), (0o644, True)])
def test_keys_in_a_file_others_may_read_are_noticed(tmp_path, mode, exposed):
    """A file with keys is for its owner alone; one without keys may be read by anybody."""
    file = tmp_path / "config.toml"
    file.write_text('[secrets]\nOPENAI_API_KEY = "from-file"\n')
    file.chmod(mode)
    assert settings.load(environ={"AUTODUB_CONFIG": str(file)}).exposed is exposed
    file.chmod(0o600)
    file.write_text("offline = true\n")
    file.chmod(mode)
    assert settings.load(environ={"AUTODUB_CONFIG": str(file)}).exposed is False


def test_a_misspelt_variable_is_reported(tmp_path):
    """AUTODUB_ variables that mean nothing are listed for the doctor."""
    assert _load(tmp_path, "", {"AUTODUB_DATADIR": "/x"}).unknown == ("AUTODUB_DATADIR",)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('data_dirr = "/x"', "unknown setting 'data_dirr'"),
        ("data_dir = 3", "must be a folder"),
        ('offline = "perhaps"', "must be true or false"),
        ("data_dir = ", "not valid TOML"),
        ('offline = true\nsites = ["a",\n', "end of the file, line 2"),
        ("secrets = 3", "must be a table"),
        ("[secrets]\nA = 3", "must be a table"),
    ],
)
def test_a_bad_file_is_a_sentence(tmp_path, text, why):
    """What is wrong with the file is said with its name and a hint."""
    with pytest.raises(BadOption, match=why) as caught:
        _load(tmp_path, text)
    assert caught.value.hint


def test_a_broken_line_is_not_quoted(tmp_path):
    """A syntax error near a key does not show the key."""
    with pytest.raises(BadOption) as caught:
        _load(tmp_path, "[secrets]\nOPENAI_API_KEY = sk-unquoted-secret\n")
    assert "unquoted" not in str(caught.value)
    assert "line 2" in str(caught.value)


def test_a_file_that_was_named_must_exist(tmp_path):
    """Naming a missing file is an error; the default one may be missing."""
    with pytest.raises(BadOption, match="no settings file"):
        settings.load(environ={"AUTODUB_CONFIG": str(tmp_path / "none.toml")})


def test_a_home_directory_is_expanded(tmp_path):
    """A tilde means the home directory, and folders are absolute."""
    assert "~" not in str(_load(tmp_path, 'data_dir = "~/x"').data_dir)
    assert _load(tmp_path, 'data_dir = "x"').data_dir.is_absolute()


def test_addresses_of_providers_come_from_environment_and_file(tmp_path):
    """An endpoint is taken from the environment before the file, without a slash at its end."""
    text = (
        '[endpoints]\nOPENAI_BASE_URL = "http://file.example/v1"\nDEEPGRAM_BASE_URL = "https://eu.example/"\n'
    )
    found = _load(tmp_path, text, {"OPENAI_BASE_URL": "http://127.0.0.1:8080/v1/"})
    assert found.endpoints == {
        "DEEPGRAM_BASE_URL": "https://eu.example",
        "OPENAI_BASE_URL": "http://127.0.0.1:8080/v1",
    }


@pytest.mark.parametrize(
    "address",
    [
        "ftp://host",
        "localhost:80",
        "https://user:pass@host",
        "https://host/?key=1",
        "https:// host",
        "http://[::1",
    ],
)
def test_what_is_no_address_is_refused(tmp_path, address):
    """An endpoint with credentials, a query or another scheme is an error that names the setting."""
    with pytest.raises(BadOption, match="OPENAI_BASE_URL"):
        _load(tmp_path, "", {"OPENAI_BASE_URL": address})


def test_what_may_be_downloaded_is_an_operators_choice(tmp_path):
    """Sites and limits stand under [download], or in the environment with commas."""
    text = '[download]\nsites = ["youtube.com", "example.org"]\nlongest = 3600\n'
    found = _load(tmp_path, text, {"AUTODUB_ADDRESSES": "127.0.0.1/32, 10.0.0.0/8"})
    assert found.sites == ("youtube.com", "example.org")
    assert found.addresses == ("127.0.0.1/32", "10.0.0.0/8")
    assert found.longest == 3600
    assert found.largest is None
    assert _load(tmp_path, "", {}).sites is None


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[download]\nsite = []\n", "site"),
        ("[download]\nsites = 3\n", "sites"),
        ('[download]\nlongest = "soon"\n', "longest"),
        ("[download]\nlargest = 0\n", "largest"),
        ("download = 3\n", "download"),
        ("[endpoints]\nOPENAI_BASE_URL = 3\n", "endpoints"),
    ],
)
def test_a_wrong_download_setting_is_named(tmp_path, text, named):
    """Whatever makes no sense in the file is an error that says where."""
    with pytest.raises(BadOption, match=named):
        _load(tmp_path, text)


def test_a_number_that_makes_no_sense_is_told_with_its_unit(tmp_path):
    """Somebody who wrote 2h learns that seconds are meant."""
    with pytest.raises(BadOption, match="longest must be a whole number") as caught:
        _load(tmp_path, "", {"AUTODUB_LONGEST": "2h"})
    assert "seconds: 7200" in caught.value.hint


def test_a_key_with_a_newline_is_the_key(tmp_path):
    """A key read from a file with its line end is taken without it."""
    assert _load(tmp_path, "", {"OPENAI_API_KEY": "sk-one\n"}).secret_values() == {"OPENAI_API_KEY": "sk-one"}


def test_the_server_that_is_talked_to_has_an_address_and_a_key(tmp_path):
    """Both come from the file or the environment; the key is shown nowhere."""
    found = _load(tmp_path, 'server_url = "https://dub.example/x/"\nserver_key = "adk_from_file"\n')
    assert found.server_url == "https://dub.example/x"
    assert found.server_key.get_secret_value() == "adk_from_file"
    found = _load(tmp_path, environ={"AUTODUB_SERVER": "http://10.0.0.1:5000", "AUTODUB_KEY": "adk_secret"})
    assert (found.server_url, found.origins["server_key"]) == (
        "http://10.0.0.1:5000",
        "environment (AUTODUB_KEY)",
    )
    assert "adk_secret" not in repr(found)
    assert found.redact("it is adk_secret.") == "it is ***."
    with pytest.raises(BadOption, match="server_url is not an address"):
        _load(tmp_path, environ={"AUTODUB_SERVER": "dub.example"})


def test_a_file_with_a_servers_key_that_others_may_read_is_told(tmp_path):
    """The key of a server is a secret like those of clouds."""
    file = tmp_path / "config.toml"
    file.write_text('server_key = "adk_from_file"\n')
    file.chmod(0o644)
    assert settings.load(environ={"AUTODUB_CONFIG": str(file)}).exposed
