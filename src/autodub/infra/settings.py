"""Settings: the only reader of the environment and of the configuration file.

A value is taken from the first of: the command line, ``AUTODUB_*`` in the environment, the
configuration file (TOML), the default. Everything below this module takes parameters.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, TypeAdapter, ValidationError

from autodub.model.errors import BadOption

SECRETS = ("DEEPGRAM_API_KEY", "ELEVENLABS_API_KEY", "HF_TOKEN", "OPENAI_API_KEY")
"""Keys taken from the environment by their usual names; the file's ``[secrets]`` may name others."""

ENDPOINTS = ("DEEPGRAM_BASE_URL", "ELEVENLABS_BASE_URL", "OPENAI_BASE_URL")
"""Addresses of cloud engines, from the environment by their usual names or the file's ``[endpoints]``."""

_VARIABLES = {
    "data_dir": "AUTODUB_DATA_DIR",
    "models_dir": "AUTODUB_MODELS_DIR",
    "offline": "AUTODUB_OFFLINE",
    "sites": "AUTODUB_SITES",
    "addresses": "AUTODUB_ADDRESSES",
    "longest": "AUTODUB_LONGEST",
    "largest": "AUTODUB_LARGEST",
    "height": "AUTODUB_HEIGHT",
    "prices": "AUTODUB_PRICES",
    "store_database": "AUTODUB_STORE_DATABASE",
    "blobs": "AUTODUB_BLOBS",
    "cache": "AUTODUB_CACHE",
    "provider_limits": "AUTODUB_PROVIDER_LIMITS",
    "remote_engines": "AUTODUB_REMOTE_ENGINES",
    "server_url": "AUTODUB_SERVER",
    "server_key": "AUTODUB_KEY",
}
_DOWNLOADS = ("sites", "addresses", "longest", "largest", "height")
"""Settings that stand in the file's ``[download]``."""
_NUMBERS = {
    "longest": "It is in seconds: 7200 is two hours.",
    "largest": "It is in bytes: 2000000000 is 2 GB.",
    "height": "It is in lines of picture: 1080 is full HD.",
    "cache": "It is in bytes: 20000000000 is 20 GB.",
}
"""Unit of a setting, and an example."""
_HIDDEN = ("secrets", "server_key", "store_database", "provider_limits")
"""Settings that others should not read in the file."""
_CONFIG = "AUTODUB_CONFIG"
KNOWN = (*_VARIABLES.values(), _CONFIG, "AUTODUB_DEBUG")
"""Variables that mean something to every command; a server knows more."""
_CREDENTIAL = re.compile(
    r"""(?ix)
    ( \b (?: (?:xi-)? api[-_]?key | authorization | access[-_]?token | token | password | secret )
        ["']? \s* [:=] \s* ["']? (?: (?:bearer|token|basic) \s+ )?      # name: value, name=value
    | \b bearer \s+ (?= \S{8} )                                          # the schemes by themselves
    | \b (?: token | basic ) \s+ (?= [\w.+/=-]{16} )
    ) [^\s"'&,;]+ """
)
_SHORT = 6  # characters: a shorter "secret" would blank out ordinary words


class Settings(BaseModel):
    """What the operator decided, and where each value came from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data_dir: Path = Field(description="Folder for kept answers and files.")
    models_dir: Path = Field(description="Folder for weights that engines download or are given.")
    offline: bool = Field(description="True forbids engines any network access.")
    secrets: Mapping[str, SecretStr] = Field(description="Keys of cloud engines by name.")
    endpoints: Mapping[str, str] = Field(default={}, description="Addresses of cloud engines by name.")
    sites: tuple[str, ...] | None = Field(
        default=None, description="Host names that may be downloaded from, subdomains included; * = any."
    )
    addresses: tuple[str, ...] = Field(
        default=(), description="Networks that may be downloaded from although they are not public."
    )
    longest: int | None = Field(default=None, ge=1, description="Seconds a downloaded programme may last.")
    largest: int | None = Field(default=None, ge=1, description="Bytes a download may have.")
    height: int | None = Field(default=None, ge=144, description="Lines of picture wanted at most.")
    prices: Path | None = Field(default=None, description="A price table of one's own (TOML).")
    store_database: SecretStr = Field(
        default=SecretStr(""),
        description="postgresql://user:password@host/name for kept answers; empty: SQLite in the data "
        "directory.",
    )
    blobs: str = Field(
        default="",
        description="Folder or s3://bucket/prefix for kept files, with `store_database`; "
        "empty: in the data directory.",
    )
    cache: int = Field(
        default=20 * 10**9, ge=0, description="Bytes of files from S3 that are kept on this machine."
    )
    remote_engines: tuple[str, ...] = Field(
        default=(),
        description="Engines whose calls workers on other machines make (`autodub worker --calls`): demucs, "
        "or separator.demucs. Needs `store_database`.",
    )
    provider_limits: SecretStr = Field(
        default=SecretStr(""),
        description="redis://:password@host/0, where all machines share what providers' accounts allow; "
        "empty: the broker where that is Redis; memory://: each process for itself.",
    )
    server_url: str = Field(
        default="http://127.0.0.1:5000", description="The server that autodub jobs talks to."
    )
    server_key: SecretStr | None = Field(default=None, description="Your key at that server.")
    config_file: Path = Field(description="The configuration file that was read, or would be.")
    origins: Mapping[str, str] = Field(description="Setting or secret name -> where its value came from.")
    exposed: bool = Field(default=False, description="Whether others may read the keys in the file.")
    unknown: tuple[str, ...] = Field(default=(), description="AUTODUB_* variables that mean nothing.")

    def secret_values(self) -> dict[str, str]:
        """The keys in clear, for ``EngineContext``; never print this."""
        return {name: value.get_secret_value() for name, value in self.secrets.items()}

    def redact(self, text: str) -> str:
        """The text without any known key, and without whatever follows a word such as ``Bearer``."""
        known = [*self.secret_values().values()]
        known += [self.server_key.get_secret_value()] if self.server_key else []
        for value in sorted(known, key=len, reverse=True):
            if len(value) >= _SHORT:
                text = text.replace(value, "***")
        return scrub(text)


def scrub(text: str) -> str:
    """Text without what looks like credentials, whoever they belong to."""
    return _CREDENTIAL.sub(r"\1***", text)


def load(
    *,
    environ: Mapping[str, str] | None = None,
    config_file: Path | None = None,
    data_dir: Path | None = None,
    models_dir: Path | None = None,
    offline: bool | None = None,
) -> Settings:
    """Read the settings; keyword values are those of the command line.

    Raises BadOption when the file cannot be read, names something unknown, or a value has no meaning.
    """
    env = {name: value for name, value in (os.environ if environ is None else environ).items() if value}
    chosen = config_file or (Path(env[_CONFIG]).expanduser() if _CONFIG in env else _default("config"))
    must_exist = config_file is not None or _CONFIG in env
    table = _read(chosen, must_exist=must_exist)
    table |= _table(table.pop("download", {}), "download", _DOWNLOADS, chosen)
    table.pop("server", None)  # read by server_settings
    given = dict.fromkeys(_VARIABLES) | {"data_dir": data_dir, "models_dir": models_dir, "offline": offline}
    origins: dict[str, str] = {}
    values: dict[str, Any] = {}
    for name, variable in _VARIABLES.items():
        if given[name] is not None:
            values[name], origins[name] = given[name], "command line"
        elif variable in env:
            values[name], origins[name] = env[variable], f"environment ({variable})"
        elif name in table:
            values[name], origins[name] = table[name], f"file ({chosen})"
        else:
            origins[name] = "default"
    data = _folder("data_dir", values.get("data_dir", _default("data")), origins)
    secrets = {name: value for name, value in table.get("secrets", {}).items() if value}
    origins |= dict.fromkeys(secrets, f"file ({chosen})")
    for name in {*SECRETS, *secrets} & env.keys():
        secrets[name], origins[name] = env[name], "environment"
    endpoints = _texts(table.get("endpoints", {}), "endpoints", chosen)
    origins |= dict.fromkeys(endpoints, f"file ({chosen})")
    for name in {*ENDPOINTS, *endpoints} & env.keys():
        endpoints[name], origins[name] = env[name], "environment"
    unknown = sorted(name for name in env if name.startswith("AUTODUB_") and name not in KNOWN)
    if unknown:  # a server's settings are only looked at where there are any
        from autodub.infra.server_settings import VARIABLES

        unknown = [name for name in unknown if name not in VARIABLES.values()]
    return Settings(
        data_dir=data,
        models_dir=_folder("models_dir", values.get("models_dir", data / "models"), origins),
        offline=_truth("offline", values.get("offline", False), origins),
        secrets={name: SecretStr(value.strip()) for name, value in sorted(secrets.items())},
        endpoints=dict(sorted((name, _address(name, value, origins)) for name, value in endpoints.items())),
        sites=_list("sites", values.get("sites"), origins),
        addresses=_list("addresses", values.get("addresses"), origins) or (),
        longest=_number("longest", values.get("longest"), origins, least=1),
        largest=_number("largest", values.get("largest"), origins, least=1),
        height=_number("height", values.get("height"), origins, least=144),
        prices=_folder("prices", values["prices"], origins) if "prices" in values else None,
        **_store(values, origins),
        **_server(values, origins),
        config_file=chosen,
        exposed=any(table.get(name) for name in _HIDDEN) and _is_open(chosen),
        origins=origins,
        unknown=tuple(unknown),
    )


def _store(values: Mapping[str, Any], origins: Mapping[str, str]) -> dict[str, Any]:
    """Where kept answers, files and limits lie, as far as it was said."""
    found: dict[str, Any] = {}
    if "store_database" in values:
        found["store_database"] = SecretStr(str(values["store_database"]).strip())
    if "blobs" in values:
        place = str(values["blobs"]).strip()
        found["blobs"] = place if not place or "://" in place else str(_folder("blobs", place, origins))
    if "provider_limits" in values:
        place = str(values["provider_limits"]).strip()
        if place and not re.match(r"(?i)(rediss?://|memory://$)", place):
            raise BadOption(
                f"provider_limits is no place for limits ({origins['provider_limits']}).",
                hint="It looks like redis://:password@host/0, or is memory://.",
            )
        found["provider_limits"] = SecretStr(place)
    if found.get("blobs") and not found.get("store_database"):
        raise BadOption(
            f"blobs is set ({origins['blobs']}) and store_database is not.",
            hint="Machines that share files ask a PostgreSQL who needs them: set store_database, too.",
        )
    cache = _number("cache", values.get("cache"), origins, least=0)
    if cache is not None:
        found["cache"] = cache
    remote = _list("remote_engines", values.get("remote_engines"), origins)
    if remote and not found.get("store_database"):
        raise BadOption(
            f"remote_engines is set ({origins['remote_engines']}) and store_database is not.",
            hint="Calls to other machines go through a store that all share: set store_database, too.",
        )
    return found | {"remote_engines": remote or ()}


def _server(values: Mapping[str, Any], origins: Mapping[str, str]) -> dict[str, Any]:
    """The server that is talked to, as far as it was named."""
    found: dict[str, Any] = {}
    if "server_url" in values:
        found["server_url"] = _address("server_url", str(values["server_url"]), origins)
    if "server_key" in values:
        found["server_key"] = SecretStr(str(values["server_key"]).strip())
    return found


def _is_open(path: Path) -> bool:
    """Whether other users of this machine may read a file."""
    return os.name == "posix" and bool(path.stat().st_mode & 0o077)


def server_table(settings: Settings) -> dict[str, Any]:
    """The ``[server]`` of the settings file as it stands there; empty where there is none."""
    return dict(_read(settings.config_file, must_exist=False).get("server", {}))


def _default(kind: str) -> Path:
    import platformdirs

    if kind == "config":
        return platformdirs.user_config_path("autodub") / "config.toml"
    return platformdirs.user_data_path("autodub")


def _read(path: Path, *, must_exist: bool) -> dict[str, Any]:
    text = ""
    try:
        text = path.read_text("utf-8").rstrip("\n")
        import tomllib  # here and not above: most runs have no file, and this is slow to load

        table = tomllib.loads(text)
    except FileNotFoundError:
        if not must_exist:
            return {}
        raise BadOption(f"There is no settings file {path}.", hint="Create it, or name another.") from None
    except OSError as error:
        raise BadOption(
            f"The settings file {path} cannot be read ({error.strerror}).", hint="Check its permissions."
        ) from error
    except ValueError as error:  # not TOML, or not UTF-8
        # never the text: it may be a key
        place = re.search(r"at line \d+, column \d+|at end of document", str(error))
        where = place.group() if place else "it is not text in UTF-8"
        where = where.replace("end of document", f"the end of the file, line {text.count(chr(10)) + 1}")
        raise BadOption(
            f"The settings file {path} is not valid TOML ({where}).",
            hint='A line looks like: data_dir = "/path/to/folder"',
        ) from None
    plain = [name for name in _VARIABLES if name not in _DOWNLOADS]
    known = _table(table, "", (*plain, "secrets", "endpoints", "download", "server"), path)
    _texts(known.get("secrets", {}), "secrets", path)
    return known


def _table(table: object, title: str, known: Sequence[str], path: Path) -> dict[str, Any]:
    """A table of the settings file. Raises BadOption for anything unknown in it."""
    where = f"The [{title}] of the settings file {path}" if title else f"The settings file {path}"
    if not isinstance(table, dict):
        raise BadOption(f"{where} must be a table.", hint=f"Write [{title}] on a line of its own.")
    for name in table:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            raise BadOption(
                f"{where} has an unknown setting {name!r}.",
                hint=f"Did you mean {near[0]!r}?" if near else f"It may have: {', '.join(known)}.",
            )
    return dict(table)


def _texts(table: object, title: str, path: Path) -> dict[str, str]:
    if not isinstance(table, dict) or not all(isinstance(value, str) for value in table.values()):
        example = {"secrets": 'DEEPGRAM_API_KEY = "..."', "endpoints": 'OPENAI_BASE_URL = "..."'}[title]
        raise BadOption(
            f"The [{title}] of the settings file {path} must be a table of texts.",
            hint=f"Write it as: [{title}], then on the next line {example}",
        )
    return dict(table)


def _address(name: str, value: str, origins: Mapping[str, str]) -> str:
    if not re.fullmatch(r"https?://(\[[0-9A-Fa-f:.]+\]|[^\s/@?#\[\]:]+)(:\d{1,5})?(/[^\s?#]*)?", value):
        raise BadOption(
            f"{name} is not an address ({origins[name]}).", hint="It looks like https://host/path."
        )
    return value.rstrip("/")


def _list(name: str, value: object, origins: Mapping[str, str]) -> tuple[str, ...] | None:
    """Texts, given as an array in the file or with commas in the environment."""
    if value is None:
        return None
    items = re.split(r"[\s,]+", value.strip()) if isinstance(value, str) else value
    if not isinstance(items, list) or not all(isinstance(item, str) and item for item in items):
        raise BadOption(f"{name} must be a list of texts ({origins[name]}).", hint='Such as: ["youtube.com"]')
    return tuple(items)


def _number(name: str, value: object, origins: Mapping[str, str], *, least: int) -> int | None:
    if value is None:
        return None
    try:
        number = TypeAdapter(int).validate_python(value)
    except ValidationError:
        number = least - 1
    if number < least:
        raise BadOption(
            f"{name} must be a whole number of at least {least} ({origins[name]}).", hint=_NUMBERS[name]
        )
    return number


def _folder(name: str, value: object, origins: Mapping[str, str]) -> Path:
    if not isinstance(value, (str, Path)):
        raise BadOption(f"{name} must be a folder ({origins[name]}).", hint="Give a path in quotes.")
    return Path(value).expanduser().absolute()


def _truth(name: str, value: object, origins: Mapping[str, str]) -> bool:
    try:
        return TypeAdapter(bool).validate_python(value)
    except ValidationError:
        raise BadOption(
            f"{name} must be true or false ({origins[name]}).", hint=f"Set it to 1 or 0, not {value!r}."
        ) from None
