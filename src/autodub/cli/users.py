"""``autodub users``: who may use a server, and their keys, in the database of the settings."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from getpass import GetPassWarning
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from autodub.cli.calls import Calls
from autodub.cli.common import emit
from autodub.cli.text import safe
from autodub.cli.users_common import common, day, opened, show_table
from autodub.cli.users_keys import keys

if TYPE_CHECKING:
    from autodub.jobs.accounts import Account

F = TypeVar("F", bound=Callable[..., Any])


def _limits(command: F) -> F:
    """Options of what a user may consume."""
    minutes = click.option(
        "--minutes", type=click.FloatRange(0), metavar="N", help="Minutes of programme a month; 0: no limit."
    )
    dollars = click.option(
        "--dollars", type=click.FloatRange(0), metavar="N", help="US dollars a month; 0: no limit."
    )
    running = click.option("--running", type=click.IntRange(1), metavar="N", help="Jobs at once.")
    found: F = minutes(dollars(running(command)))
    return found


_password = click.option(
    "--password-stdin", is_flag=True, help="Read the password from the first line of the input."
)


@click.group("users")
def command() -> None:
    """Add, show and change the users of a server, and their keys.

    It works on the database itself, so whoever may read and write that is an admin.
    """


command.add_command(keys)


@command.command("add")
@click.argument("name")
@click.option("--admin", is_flag=True, help="Let this user see and change everything.")
@click.option("--no-password", is_flag=True, help="Let this user use keys only.")
@_password
@_limits
@common
@click.pass_obj
def add(
    calls: Calls, /, *, name: str, admin: bool, no_password: bool, password_stdin: bool, as_json: bool,
    minutes: float | None, dollars: float | None, running: int | None, **where: Any,
) -> int:  # fmt: skip
    """Add the user NAME: an e-mail address, or any word."""
    from autodub.jobs.platform import LOCAL_ACTOR

    if no_password and password_stdin:
        raise click.UsageError("Either --no-password or --password-stdin.")
    with opened(calls, **where) as platform:
        password = None if no_password else _read(password_stdin)
        account = platform.accounts.create(
            LOCAL_ACTOR, name, password, role="admin" if admin else "user",
            limits=_given(minutes, dollars, running),
        )  # fmt: skip
        _show(account, "was added", as_json=as_json)
    return 0


@command.command("list")
@common
@click.pass_obj
def listed(calls: Calls, /, *, as_json: bool, **where: Any) -> int:
    """Show everybody."""
    from autodub.jobs.platform import LOCAL_ACTOR

    with opened(calls, **where) as platform:
        found = platform.accounts.list(LOCAL_ACTOR)
    if as_json:
        emit({"users": [_told(account) for account in found]})
        return 0
    rows = [
        (account.name, account.role, _state(account), _limit(account.minutes), _limit(account.dollars),
         _limit(account.running), day(account.created))
        for account in found
    ]  # fmt: skip
    show_table(("name", "role", "state", "minutes", "dollars", "at once", "since (UTC)"), rows)
    return 0


@command.command("password")
@click.argument("name")
@_password
@common
@click.pass_obj
def password(calls: Calls, /, *, name: str, password_stdin: bool, as_json: bool, **where: Any) -> int:
    """Give a user another password. Every session of theirs ends."""
    from autodub.jobs.platform import LOCAL_ACTOR

    with opened(calls, **where) as platform:
        account = platform.accounts.named(LOCAL_ACTOR, name)
        platform.accounts.set_password(LOCAL_ACTOR, account.id, _read(password_stdin))
        account = platform.accounts.get(LOCAL_ACTOR, account.id)
        _show(account, "has a new password", as_json=as_json)
    return 0


@command.command("change")
@click.argument("name")
@click.option("--role", type=click.Choice(["user", "admin"]), help="What they may do.")
@_limits
@common
@click.pass_obj
def change(
    calls: Calls, /, *, name: str, role: Any, minutes: float | None, dollars: float | None,
    running: int | None, as_json: bool, **where: Any,
) -> int:  # fmt: skip
    """Change a user's role or limits; what is not named stays."""
    return _changed(
        calls, name, "was changed", role=role, limits=_given(minutes, dollars, running), as_json=as_json,
        **where,
    )  # fmt: skip


@command.command("disable")
@click.argument("name")
@common
@click.pass_obj
def disable(calls: Calls, /, *, name: str, as_json: bool, **where: Any) -> int:
    """Let a user neither log in nor use keys. Their jobs stay."""
    return _changed(calls, name, "is off: no login, no key", active=False, as_json=as_json, **where)


@command.command("enable")
@click.argument("name")
@common
@click.pass_obj
def enable(calls: Calls, /, *, name: str, as_json: bool, **where: Any) -> int:
    """Let a user who was disabled in again."""
    return _changed(calls, name, "is on again", active=True, as_json=as_json, **where)


@command.command("delete")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@common
@click.pass_obj
def delete(calls: Calls, /, *, name: str, yes: bool, as_json: bool, **where: Any) -> int:
    """Erase a user with everything of theirs; it cannot be undone."""
    from autodub.jobs.platform import LOCAL_ACTOR

    with opened(calls, **where) as platform:
        account = platform.accounts.named(LOCAL_ACTOR, name)
        if not yes:
            click.confirm(f"Erase {safe(account.name)} and all their data?", abort=True, err=True)
        is_gone = platform.privacy.leave(LOCAL_ACTOR, account.id)
    if as_json:
        emit({"id": account.id, "name": account.name, "state": "erased" if is_gone else "leaving"})
    elif is_gone:
        click.echo(f"The user {safe(account.name)} and all their data are gone.")
    else:
        click.echo(
            f"The user {safe(account.name)} is out; the server erases the rest when jobs have stopped."
        )
    return 0


def _changed(
    calls: Calls, name: str, what: str, *, as_json: bool, data_dir: Path | None, database: str | None,
    **values: Any,
) -> int:  # fmt: skip
    from autodub.jobs.platform import LOCAL_ACTOR

    with opened(calls, data_dir=data_dir, database=database) as platform:
        account = platform.accounts.named(LOCAL_ACTOR, name)
        _show(platform.accounts.update(LOCAL_ACTOR, account.id, **values), what, as_json=as_json)
    return 0


def _read(from_input: bool) -> str:
    """A password: asked for twice without showing it, or the first line of the input."""
    if from_input:
        return sys.stdin.readline().rstrip("\r\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error", GetPassWarning)  # there is no terminal that could hide it
        try:
            text: str = click.prompt("Password", hide_input=True, confirmation_prompt="Once more", err=True)
        except GetPassWarning:
            raise click.UsageError(
                "There is no terminal to type a password at. Send it as a line of input: --password-stdin."
            ) from None
    return text


def _given(minutes: float | None, dollars: float | None, running: int | None) -> dict[str, Any]:
    from decimal import Decimal

    money = None if dollars is None else Decimal(str(dollars))
    found = {"minutes": minutes, "dollars": money, "running": running}
    return {name: value for name, value in found.items() if value is not None}


def _show(account: Account, what: str, *, as_json: bool) -> None:
    if as_json:
        emit(_told(account))
    else:
        role = " (admin)" if account.role == "admin" else ""
        click.echo(f"The user {safe(account.name)}{role} {what}.")


def _told(account: Account) -> dict[str, Any]:
    """For programs."""
    return {
        "id": account.id, "name": account.name, "role": account.role, "active": account.active,
        "created": account.created, "minutes": account.minutes,
        "dollars": None if account.dollars is None else float(account.dollars), "running": account.running,
        "has_password": account.has_password, "leaving": account.leaving,
    }  # fmt: skip


def _state(account: Account) -> str:
    if account.leaving is not None:
        return "being erased"
    if not account.active:
        return "off"
    return "on" if account.has_password else "keys only"


def _limit(value: Any) -> str:
    return "as set" if value is None else f"{float(value):g}"
