"""What a server needs: settings that make sense together, its database, accounts, an address, room."""

from __future__ import annotations

import importlib.util
import os
import resource
import shutil
from collections.abc import Iterator
from functools import partial
from typing import Literal
from urllib.parse import urlsplit

from autodub.cli.survey import Check
from autodub.infra import server_settings
from autodub.infra.server_settings import VARIABLES, ServerSettings
from autodub.infra.settings import Settings, server_table
from autodub.model.errors import AutodubError, BadOption
from autodub.pipeline import catalogue

_PACKAGES = ("alembic", "argon2", "flask", "flask_limiter", "flask_openapi3", "gunicorn", "prometheus_client")
_STANDING = {
    "current": "", "behind": ", of an older release; the next start of this one brings it up to date",
    "newer": ", of a newer release that lets this one go on", "excluded": ", of a newer release",
}  # fmt: skip
_FILES = 400
"""Open files besides those of requests: databases, the store, programs and their pipes."""


def is_wanted(settings: Settings) -> bool:
    """Whether there are signs of a server here: its database, or a setting of it."""
    has_database = (settings.data_dir / "platform.sqlite").exists()
    return has_database or bool(server_table(settings)) or any(os.environ.get(v) for v in VARIABLES.values())


def checks(settings: Settings) -> tuple[Check, ...]:
    """What is right and wrong with a server here; nothing where there is none. Nothing is written."""
    if not is_wanted(settings):
        return ()
    lacking = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if lacking:
        said = f"without {', '.join(lacking)}"
        return (Check("server", "warning", said, "Install them: pip install 'autodub[server]'"),)
    try:
        server = server_settings.load(settings)
    except BadOption as problem:
        return (Check("server settings", "warning", problem.message, problem.hint),)
    return (
        *_values(settings, server), *_database(settings, server), *_broker(server), *_address(server),
        *_machine(settings, server), *_extras(server), *_moderator(settings, server),
    )  # fmt: skip


def _values(settings: Settings, server: ServerSettings) -> Iterator[Check]:
    """Settings whose meaning is only known to what uses them: a server would refuse to begin."""
    from autodub.jobs.content import Content
    from autodub.jobs.webhooks import networks_of
    from autodub.web.limits import Limits
    from autodub.web.listening import require_accounts
    from autodub.web.origins import Origins

    for look in (
        partial(Limits, server), partial(Origins, server), partial(networks_of, server),
        partial(Content, settings, server), partial(require_accounts, server),
    ):  # fmt: skip
        try:
            look()
        except BadOption as problem:
            yield Check("server settings", "warning", problem.message, problem.hint)


def _moderator(settings: Settings, server: ServerSettings) -> Iterator[Check]:
    if server.moderation:
        found = catalogue.moderator(settings, server.moderation)
        state: Literal["ok", "warning"] = "ok" if found.is_ready else "warning"
        told = (
            found.readiness.detail if found.is_ready else f"{found.readiness.detail}; no dub goes on without"
        )
        yield Check(f"moderator.{server.moderation}", state, told, found.readiness.fix)


def _database(settings: Settings, server: ServerSettings) -> Iterator[Check]:
    from sqlalchemy.exc import SQLAlchemyError

    from autodub.infra.sql import Sql
    from autodub.jobs import schema

    address = server.database.get_secret_value()
    if not address and not (settings.data_dir / "platform.sqlite").exists():
        yield Check("database", "ok", "SQLite; made by the first start")
        return
    try:
        sql = Sql(address) if address else Sql.in_folder(settings.data_dir)
    except SQLAlchemyError:  # never the value: it may hold a password
        fix = "It looks like postgresql://user:password@host/name."
        yield Check("database", "warning", "its address cannot be read", fix)
        return
    try:
        found = schema.revision(sql)
        standing = schema.standing(sql)
        kind = "PostgreSQL" if sql.is_postgres else "SQLite"
        state = ", empty" if found is None else _STANDING[standing]
        if standing == "behind" and found is not None:
            gentle = "older ones may go on" if schema.is_gentle(sql) else "stop older ones first"
            state += f"; {gentle}"
        told = f"{kind}, revision {found or 'none'}{state}"
        if standing == "excluded":
            yield Check("database", "warning", told, "Update Autodub here as well.")
        else:
            yield Check("database", "ok", told)
        if standing in ("current", "newer"):
            yield from _accounts(sql, server)
            yield from _queues(sql, server)
    except AutodubError as problem:
        yield Check("database", "warning", problem.message, problem.hint)
    except SQLAlchemyError as problem:
        said = f"it cannot be used ({type(problem).__name__})"
        yield Check("database", "warning", said, "Is it one of Autodub? Try a backup.")
    finally:
        sql.close()


def _queues(sql: object, server: ServerSettings) -> Iterator[Check]:
    """Whether jobs wait that nobody takes."""
    from autodub.jobs.metrics import Numbers

    lanes = Numbers(sql, lease=server.lease).lanes()  # type: ignore[arg-type]
    for name, lane in lanes.items():
        if lane.unserved:
            said = f"jobs that wait although no worker takes them: {lane.unserved}"
            fix = f"autodub worker --queues {name}"
            if lane.slots:
                said += " (a newer release submitted them)"
                fix = "Start a worker of that release."
            yield Check(f"queue {name}", "warning", said, fix)


def _broker(server: ServerSettings) -> Iterator[Check]:
    if not server.broker.get_secret_value():
        return
    from autodub.jobs.celery_queue import Broker

    try:
        broker = Broker(server.broker)
        count = sum(broker.waiting().values())
        broker.close()
    except AutodubError as problem:
        yield Check("broker", "warning", problem.message, problem.hint)
    else:
        yield Check("broker", "ok", f"{broker.kind}, messages that wait: {count}")


def _accounts(sql: object, server: ServerSettings) -> Iterator[Check]:
    from autodub.jobs.accounts import Accounts
    from autodub.web.identity import accounts_needed

    if not accounts_needed(server):
        yield Check("accounts", "ok", "off: whoever is at this machine may do everything")
    elif Accounts(sql).has_admin():  # type: ignore[arg-type]
        yield Check("accounts", "ok", "on")
    else:
        yield Check("accounts", "warning", "on, and there is no admin", "autodub users add NAME --admin")


def _address(server: ServerSettings) -> Iterator[Check]:
    from autodub.web.identity import accounts_needed
    from autodub.web.listening import is_loopback

    found = urlsplit(server.public_url)
    is_public = bool(found.hostname) and not is_loopback(found.hostname or "")
    if (is_public or server.proxies) and not accounts_needed(server):
        said = "a proxy lets others in, and there are no accounts"
        yield Check("accounts", "warning", said, "Set accounts = true (AUTODUB_ACCOUNTS=1).")
    if is_public and found.scheme == "http":
        said = "passwords and keys can be read on the way"
        yield Check("public_url", "warning", said, "Use https://, with a proxy such as docs/SERVER.md shows.")
    if server.proxies and not server.public_url:
        said = "behind a proxy, links need the address people use"
        yield Check("public_url", "warning", said, "Set public_url (AUTODUB_PUBLIC_URL).")
    if is_public and not server.proxies:
        said = "everybody seems to come from the proxy, and shares its limits"
        yield Check("proxies", "warning", said, "Set proxies = 1 (AUTODUB_PROXIES) behind one proxy.")


def _machine(settings: Settings, server: ServerSettings) -> Iterator[Check]:
    place = settings.data_dir
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if free < server.spare:
        said = f"{free / 1e9:.1f} GB free, and {server.spare / 1e9:.1f} GB must be left for a job to begin"
        yield Check("room", "warning", said, "Make room (autodub cache prune), or set spare.")
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = server.threads + _FILES
    if limit != resource.RLIM_INFINITY and limit < needed:
        yield Check("open files", "warning", f"{limit} are allowed", f"Allow more: ulimit -n {needed * 2}")


def _extras(server: ServerSettings) -> Iterator[Check]:
    if server.traces and importlib.util.find_spec("opentelemetry.sdk") is None:
        fix = "Install it: pip install 'autodub[tracing]'"
        yield Check("traces", "warning", "the package for them is not installed", fix)
    for name in ("c2pa_certificate", "c2pa_key"):
        path = getattr(server, name)
        if path is not None and not os.access(path, os.R_OK):
            yield Check(name, "warning", f"{path} cannot be read", "Check the path and its permissions.")
