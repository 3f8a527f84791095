"""Opening the platform for a command: whatever is wrong with it is one sentence, and nothing was done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autodub.model.errors import BadOption, Unavailable

if TYPE_CHECKING:
    from autodub.infra.server_settings import ServerSettings
    from autodub.infra.settings import Settings
    from autodub.jobs.platform import Platform


def server_settings(settings: Settings, **given: Any) -> ServerSettings:
    """The server's settings; ``given`` are those of the command line, None where there is none."""
    try:
        from autodub.infra import server_settings as known
        from autodub.web import arbiter  # noqa: F401 - what is not installed is missed here
    except ModuleNotFoundError as missing:
        raise BadOption(
            f"The server's packages are not installed ({missing.name}).",
            hint="Install them: pip install 'autodub[server]'",
        ) from missing
    return known.load(settings, given=given)


def platform(settings: Settings, server: ServerSettings) -> Platform:
    """The platform, its database migrated where that is due. Raises RequestError."""
    from sqlalchemy.exc import ArgumentError, DBAPIError

    from autodub.infra import private
    from autodub.infra.blobs import beginning
    from autodub.jobs.platform import Platform

    if server.broker.get_secret_value().lower().startswith("memory"):
        raise BadOption(
            "A broker in memory is heard by its own process alone.", hint="Give one with redis:// or amqp://."
        )
    private.from_now_on()  # also where the data directory was made by somebody with other rights
    with beginning(settings.data_dir):
        private.folder(settings.data_dir)
        (settings.data_dir / "jobs").mkdir(exist_ok=True)
    try:
        return Platform(settings, server)
    except Unavailable as problem:
        raise BadOption(problem.message, hint=problem.hint) from problem
    except ArgumentError as problem:  # never the value: it may hold a password
        raise BadOption(
            "The address of the database cannot be read.",
            hint="It looks like postgresql://user:password@host/name.",
        ) from problem
    except DBAPIError as problem:
        why = str(problem.orig).strip().partition("\n")[0]
        raise BadOption(
            f"The database cannot be used ({why}).", hint="Is it one of Autodub? Try another, or a backup."
        ) from problem


def variables(settings: Settings, **given: Any) -> dict[str, str]:
    """The environment that makes another process of ours read the same settings; keys are in none of them."""
    from autodub.infra.server_settings import VARIABLES

    found = {VARIABLES[name]: str(value) for name, value in given.items() if value is not None}
    return found | {"AUTODUB_DATA_DIR": str(settings.data_dir)}
