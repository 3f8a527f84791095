"""``autodub privacy``: one user's data handed out or erased, on the server's own machine."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from autodub.cli.calls import Calls
from autodub.cli.common import emit, require_place
from autodub.cli.failure import FAILED
from autodub.cli.text import safe
from autodub.cli.users_common import common, opened

if TYPE_CHECKING:
    from autodub.jobs.platform import Platform

_PAUSE = 0.5
"""Seconds between two looks whether a running job has ended."""


@click.group("privacy")
def command() -> None:
    """Hand out or erase everything that is kept about a user."""


@command.command("export")
@click.argument("user")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="Where to write it. [default: USER.zip]",
)  # fmt: skip
@click.option("--media", is_flag=True, help="Put uploads and results in as well.")
@common
@click.pass_obj
def export(
    calls: Calls, /, *, user: str, output: Path | None, media: bool, as_json: bool, **where: Any
) -> int:  # fmt: skip
    """Write everything kept about USER (a name) into one ZIP file."""
    from autodub.jobs.platform import LOCAL_ACTOR
    from autodub.media.output_file import atomically

    path = output or Path(f"{safe(user).replace('/', '_')}.zip")
    require_place(path)
    with opened(calls, **where) as platform:
        account = platform.accounts.named(LOCAL_ACTOR, user)
        pieces = platform.privacy.export(LOCAL_ACTOR, account.id, media=media)
        with atomically(path) as temporary, temporary.open("wb") as file:
            file.writelines(pieces)
    size = path.stat().st_size
    if as_json:
        emit({"user": account.id, "file": str(path), "bytes": size})
    else:
        click.echo(f"Wrote {safe(path)} ({size} bytes).")
    return 0


@command.command("erase")
@click.argument("user")
@click.option("--yes", is_flag=True, help="Do not ask whether it is meant.")
@click.option(
    "--wait", type=click.FloatRange(0), default=60.0, show_default=True, metavar="SECONDS",
    help="How long to wait for what is running to stop.",
)  # fmt: skip
@common
@click.pass_obj
def erase(calls: Calls, /, *, user: str, yes: bool, wait: float, as_json: bool, **where: Any) -> int:
    """Erase USER (a name) with dubs, uploads, voices, keys and the account. It cannot be undone.

    What is running is stopped first. Exit code 1 when something was still running after the wait: a server
    or worker goes on with it by itself, and so does the same command.
    """
    from autodub.jobs.platform import LOCAL_ACTOR

    with opened(calls, **where) as platform:
        account = platform.accounts.named(LOCAL_ACTOR, user)
        if not yes:
            click.confirm(f"Erase {safe(user)} and everything of theirs?", abort=True, err=True)
        is_gone = platform.privacy.leave(LOCAL_ACTOR, account.id) or _wait(platform, account.id, wait)
    if as_json:
        emit({"user": account.id, "state": "erased" if is_gone else "leaving"})
    elif is_gone:
        click.echo(f"{safe(user)} is erased. The audit keeps the id {account.id}.")
    else:
        click.echo(f"{safe(user)} is being erased: something of theirs is still running.", err=True)
    return 0 if is_gone else FAILED


def _wait(platform: Platform, user: str, seconds: float) -> bool:
    """Go on until all is gone, also where the workers that had the user's jobs are gone."""
    from autodub.jobs.sweeper import Sweeper

    sweeper, end = Sweeper(platform), time.monotonic() + seconds
    while True:
        sweeper.sweep()
        if user not in platform.privacy.due() and not platform.privacy.is_unsettled:
            return True
        if time.monotonic() > end:
            return False
        time.sleep(_PAUSE)
