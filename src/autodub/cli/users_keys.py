"""``autodub users keys``: the keys of a server's users."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from autodub.cli.calls import Calls
from autodub.cli.common import emit
from autodub.cli.text import safe
from autodub.cli.users_common import common, day, opened, show_table

if TYPE_CHECKING:
    from autodub.jobs.keys import Key

_DAY = 86_400.0


@click.group("keys")
def keys() -> None:
    """Make, show and revoke a user's keys for programs."""


@keys.command("add")
@click.argument("user")
@click.option("--name", default="command line", show_default=True, help="What the key is for.")
@click.option(
    "--scope", "scopes", multiple=True, type=click.Choice(["read", "jobs", "voices", "admin"]),
    help="What it is good for; may be repeated. [default: read, jobs]",
)  # fmt: skip
@click.option("--days", type=click.FloatRange(0, min_open=True), metavar="N", help="Days until it ends.")
@common
@click.pass_obj
def make(
    calls: Calls, /, *, user: str, name: str, scopes: tuple[str, ...], days: float | None, as_json: bool,
    **where: Any,
) -> int:  # fmt: skip
    """Make a key for USER and print it, this once."""
    from autodub.jobs.platform import LOCAL_ACTOR

    with opened(calls, **where) as platform:
        owner = platform.accounts.named(LOCAL_ACTOR, user)
        expires = None if days is None else time.time() + days * _DAY
        text, key = platform.keys.create(
            LOCAL_ACTOR, name, scopes or ("read", "jobs"), expires=expires, owner=owner.id
        )
    if as_json:
        emit(_key(key) | {"key": text})
        return 0
    click.echo("Keep it well, it is shown this once:", err=True)
    click.echo(text)
    return 0


@keys.command("list")
@click.argument("user")
@common
@click.pass_obj
def show_keys(calls: Calls, /, *, user: str, as_json: bool, **where: Any) -> int:
    """Show the keys of USER, also those that are over."""
    from autodub.jobs.platform import LOCAL_ACTOR

    with opened(calls, **where) as platform:
        owner = platform.accounts.named(LOCAL_ACTOR, user)
        found = platform.keys.list(LOCAL_ACTOR, owner=owner.id)
    if as_json:
        emit({"keys": [_key(key) for key in found]})
        return 0
    now = time.time()
    rows = [
        (key.id, key.name, f"{key.hint}...", " ".join(key.scopes), day(key.used) if key.used else "never",
         _end(key, now))
        for key in found
    ]  # fmt: skip
    show_table(("id", "name", "begins with", "scopes", "last used", "ends"), rows)
    return 0


@keys.command("revoke")
@click.argument("key")
@common
@click.pass_obj
def revoke(calls: Calls, /, *, key: str, as_json: bool, **where: Any) -> int:
    """Make the key with the id KEY good for nothing, at once."""
    from autodub.jobs.platform import LOCAL_ACTOR

    with opened(calls, **where) as platform:
        found = platform.keys.revoke(LOCAL_ACTOR, key)
    if as_json:
        emit(_key(found))
    else:
        click.echo(f"The key {safe(found.hint)}... opens nothing any more.")
    return 0


def _key(key: Key) -> dict[str, Any]:
    """For programs."""
    return {
        "id": key.id, "owner": key.owner, "name": key.name, "hint": key.hint, "scopes": list(key.scopes),
        "created": key.created, "used": key.used, "expires": key.expires, "revoked": key.revoked,
    }  # fmt: skip


def _end(key: Key, now: float) -> str:
    if key.revoked is not None:
        return f"revoked {day(key.revoked)}"
    if key.expires is None:
        return "never"
    return f"{'ended ' if key.expires <= now else ''}{day(key.expires)}"
