"""Settings of a server and its workers: the file's ``[server]``, or ``AUTODUB_*`` in the environment.

Each field is one setting; its description is what the documentation says of it. ``AUTODUB_`` and the
name in capitals is its variable.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from autodub.infra.faults import faults
from autodub.infra.settings import KNOWN, Settings, server_table
from autodub.model.errors import BadOption

GIB = 1 << 30


class ServerSettings(BaseModel):
    """What the operator of a server decided."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # --- where it runs
    host: str = Field(
        "127.0.0.1", description="Address to listen at. Any but a loopback address needs accounts."
    )
    port: int = Field(5000, ge=0, le=65535, description="Port to listen at.")
    public_url: str = Field(
        "",
        description="Address people reach the server by, such as https://dub.example.org.",
    )
    database: SecretStr = Field(
        SecretStr(""),
        description="postgresql://user:password@host/name; empty: SQLite in the data directory.",
    )
    broker: SecretStr = Field(
        SecretStr(""),
        description="redis://:password@host/0 or amqp://user:password@host/vhost: what tells workers of many "
        "machines that jobs wait (docs/SCALING.md); empty: those of this machine are told, others look.",
    )
    threads: int = Field(
        160,
        ge=4,
        le=2000,
        description="Requests and WebSockets served at once. Streams of events take no "
        "place of these; nine tenths as many may be open, half of them by one user.",
    )
    proxies: int = Field(
        0, ge=0, le=10, description="Reverse proxies in front whose X-Forwarded-* headers are believed."
    )

    # --- jobs
    slots: int = Field(
        2, ge=0, le=64, description="Jobs that run at once on this machine; 0: this server runs none."
    )
    check_engines: bool = Field(
        True,
        description="Whether a job that no engine of this machine can do is refused at once; false where "
        "workers on other machines have engines that this one lacks.",
    )
    running: int = Field(64, ge=1, description="Jobs that run at once on all machines together.")
    user_running: int = Field(2, ge=1, description="Jobs of one user that run at once.")
    queued: int = Field(1000, ge=1, description="Jobs of one user that may wait.")
    crashes: int = Field(
        20, ge=1, description="Times in a row a job whose worker died is taken up, having got nothing done."
    )
    job_hours: float = Field(
        24.0, ge=0.0, description="Hours after which a running job is stopped and fails; 0: never."
    )
    lease: float = Field(
        30.0,
        ge=2.0,
        description="Seconds that a silent worker keeps a job; half as long after that another takes it up.",
    )
    retention: float = Field(
        7.0, ge=0.0, description="Days after which a finished job is removed with all its files; 0: never."
    )
    spare: int = Field(GIB, ge=0, description="Bytes that must be free on the disk for a job to begin.")

    # --- uploads
    upload: int = Field(500 * 10**6, ge=1, description="Bytes an upload may have.")
    uploads: int = Field(
        20 * 10**9, ge=1, description="Bytes that all uploads of one user may have together."
    )
    upload_hours: float = Field(24.0, gt=0, description="Hours after which an upload nobody used is removed.")

    downloads: int = Field(
        0,
        ge=0,
        le=7 * 86_400,
        description="Seconds for which a download is a link to S3 itself; 0: files come through this server.",
    )

    # --- accounts
    accounts: bool = Field(
        False, description="Whether people must log in. Always so when listening at more than loopback."
    )
    session_days: float = Field(14.0, gt=0, description="Days a login lasts without use.")
    minutes: float = Field(
        0.0, ge=0, description="Minutes of programme a user may dub in a month; 0: no limit."
    )
    dollars: Decimal = Field(
        Decimal(0), ge=0, description="US dollars a user's dubs may cost in a month; 0: no limit."
    )
    job_dollars: Decimal = Field(Decimal(0), ge=0, description="US dollars one dub may cost; 0: no limit.")

    # --- the interface
    rates: str = Field("100 per hour; 10 per minute", description="Requests of one user or address.")
    create_rates: str = Field("5 per minute", description="Jobs one user or address may create.")
    edit_rates: str = Field("120 per minute", description="Edits of texts one user may make.")
    login_rates: str = Field("10 per minute; 50 per hour", description="Tries to log in from one address.")
    account_rates: str = Field(
        "30 per hour; 100 per day", description="Failed tries to log in to one account, from anywhere."
    )
    limits: str = Field(
        "memory://", description="Where requests are counted: memory://, or redis://host for several servers."
    )
    origins: tuple[str, ...] = Field(
        (), description="Origins whose pages may use the interface (CORS); * = any."
    )

    # --- policy
    consent: bool = Field(
        True, description="Whether cloning a voice needs a recorded statement that it may be."
    )
    prohibited: tuple[str, ...] = Field(
        (),
        description="Words that must not be said in what is dubbed; a * at an end lets longer ones be meant.",
    )
    prohibited_file: Path | None = Field(None, description="A file of such words, one on a line.")
    moderation: Literal["", "openai"] = Field(
        "", description="Who else looks at what is said before it is translated, and is sent it."
    )
    hook_addresses: tuple[str, ...] = Field(
        (), description="Networks that webhooks may be sent to although they are not public."
    )
    c2pa_certificate: Path | None = Field(
        None, description="Certificate chain (PEM) that outputs are signed with."
    )
    c2pa_key: Path | None = Field(None, description="Its private key (PEM).")

    # --- operations
    log: Literal["text", "json"] = Field("text", description="How the log is written.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="What is logged at least."
    )
    metrics: Literal["open", "admin", "off"] = Field(
        "admin",
        description="Who may read /metrics: anybody, an admin's key, nobody. Without accounts: anybody.",
    )
    traces: str = Field(
        "", description="Address of an OpenTelemetry collector (OTLP over HTTP); empty: no traces."
    )

    @field_validator("broker")
    @classmethod
    def _broker(cls, value: SecretStr) -> SecretStr:
        found = value.get_secret_value()
        if found and not _BROKER.match(found):
            raise ValueError("must begin with redis://, rediss://, amqp:// or amqps://")
        return value

    @field_validator("public_url", "traces")
    @classmethod
    def _address(cls, value: str) -> str:
        return address(value)


VARIABLES = {name: f"AUTODUB_{name.upper()}" for name in ServerSettings.model_fields}
"""Setting -> environment variable."""
_NEAR = 0.75
"""How alike a name and a setting are for one to be taken for the other; what both begin with aside."""
_ADDRESS = re.compile(r"https?://(\[[0-9a-f:.]+\]|[^\s/@?#\[\]:]+)(:\d{1,5})?(/[^\s?#]*)?", re.IGNORECASE)
_BROKER = re.compile(r"(rediss?|sentinel|amqps?|memory)://", re.IGNORECASE)
_SHARES = re.compile(r"rediss?://", re.IGNORECASE)
"""Brokers that limits can be shared at."""
_LISTS = ("origins", "prohibited", "hook_addresses")


def load(
    settings: Settings, *, environ: Mapping[str, str] | None = None, given: Mapping[str, Any] | None = None
) -> ServerSettings:
    """Read the server's settings; ``given`` are those of the command line.

    Raises BadOption for what is unknown in the file, among ``given`` or, by a slip, in the environment, and
    for a value that has no meaning, naming its place.
    """
    env = os.environ if environ is None else environ
    _refuse_slips(env)
    table = server_table(settings)
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for name, value in table.items():
        if name not in VARIABLES:
            raise BadOption(
                f"The [server] of the settings file {settings.config_file} has an unknown setting {name!r}.",
                hint=_meant(name, VARIABLES),
            )
        values[name], origins[name] = value, f"file ({settings.config_file})"
    for name, variable in VARIABLES.items():
        if text := env.get(variable, "").strip():
            values[name] = text.replace(",", " ").split() if name in _LISTS else text
            origins[name] = f"environment ({variable})"
    for name, value in (given or {}).items():
        if name not in VARIABLES:
            raise BadOption(f"A server has no setting {name!r}.", hint=_meant(name, VARIABLES))
        if value is not None:
            values[name], origins[name] = value, "command line"
    try:
        return ServerSettings.model_validate(values)
    except ValidationError as problem:
        first = faults(problem, ServerSettings)[0]  # never the value: it may hold a password
        name = first.where.partition(".")[0]
        raise BadOption(
            f"The setting {first.where} ({origins.get(name, 'default')}) {first.why}.",
            hint=ServerSettings.model_fields[name].description or "",
        ) from None


def limited(settings: Settings, server: ServerSettings) -> Settings:
    """The settings as a server's processes use them: limits are shared at the broker, if nowhere else."""
    if settings.provider_limits.get_secret_value() or not _SHARES.match(server.broker.get_secret_value()):
        return settings
    return settings.model_copy(update={"provider_limits": server.broker})


def address(value: str) -> str:
    """An address of HTTP, without a slash at its end; empty where none is given. Raises ValueError."""
    if value and not _ADDRESS.fullmatch(value):
        raise ValueError("must be an address that begins with http:// or https://")
    return value.rstrip("/")


def _meant(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, list(known), n=1)
    return f"Did you mean {near[0]!r}?" if near else f"There is: {', '.join(known)}."


def _refuse_slips(env: Mapping[str, str]) -> None:
    """Raise BadOption for a variable that means nothing and looks like one that does."""
    prefix = "AUTODUB_"
    known = {name.removeprefix(prefix) for name in (*KNOWN, *VARIABLES.values())}
    for variable in sorted(env):
        name = variable.removeprefix(prefix)
        if name == variable or name in known or not env[variable]:
            continue
        if near := get_close_matches(name.upper(), known, n=1, cutoff=_NEAR):
            raise BadOption(
                f"The variable {variable} is set but means nothing.",
                hint=f"Did you mean {prefix}{near[0]}? If not, unset {variable}.",
            )
