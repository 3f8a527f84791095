"""``autodub audit``: what was done at a server, and whether its record is whole."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from autodub.cli.calls import Calls
from autodub.cli.common import emit
from autodub.cli.failure import FAILED
from autodub.cli.users_common import common, opened

if TYPE_CHECKING:
    from autodub.jobs.audit import Head

_HEAD = re.compile(r"(\d{1,18}):([0-9a-f]{64})")


def _moment(value: str) -> float:
    """A date, with or without a time of the day, UTC -> seconds since 1970."""
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is no date; write 2026-11-30 or 2026-11-30T08:00.") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _known(value: str) -> Head:
    """The end of the chain as ``autodub audit head`` prints it."""
    from autodub.jobs.audit import Head

    found = _HEAD.fullmatch(value.strip())
    if found is None:
        raise click.BadParameter("it is a number, a colon and a digest, as autodub audit head prints it.")
    return Head(int(found[1]), found[2])


@click.group("audit")
def command() -> None:
    """Read and check the audit: who did what to what, from where.

    Rows form a chain, each covering the one before it. What a chain cannot show is that its end was cut off:
    keep what `autodub audit head` prints on another machine, and check with `verify --expect`.
    """


@command.command("export")
@click.option("--actor", metavar="USER", help="Only what this user (an id) did.")
@click.option("--action", metavar="ACTION", help="Only this, such as job.submitted, or a group: job.")
@click.option("--subject", metavar="SUBJECT", help="Only what was done to this, such as job:ID.")
@click.option("--since", type=_moment, metavar="TIME", help="Only from this time on (UTC).")
@click.option("--until", type=_moment, metavar="TIME", help="Only before this time (UTC).")
@common
@click.pass_obj
def export(
    calls: Calls, /, *, actor: str | None, action: str | None, subject: str | None, since: float | None,
    until: float | None, as_json: bool, **where: Any,  # noqa: ARG001 - it is JSON anyhow
) -> int:  # fmt: skip
    """Print rows as lines of JSON, oldest first."""
    from autodub.jobs import audit

    wanted = audit.Filter(actor, action, subject, since, until)
    with opened(calls, **where) as platform:
        for line in audit.export(platform.sql, wanted):
            click.echo(line, nl=False)
    return 0


@command.command("head")
@common
@click.pass_obj
def head(calls: Calls, /, *, as_json: bool, **where: Any) -> int:
    """Print the end of the chain, to be kept elsewhere."""
    from autodub.jobs import audit

    with opened(calls, **where) as platform:
        found = audit.head(platform.sql)
    if as_json:
        emit({"number": found.number, "digest": found.digest})
    else:
        click.echo(str(found))
    return 0


@command.command("verify")
@click.option("--expect", type=_known, metavar="NUMBER:DIGEST", help="A head that was kept elsewhere.")
@common
@click.pass_obj
def verify(calls: Calls, /, *, expect: Any, as_json: bool, **where: Any) -> int:
    """Check every row. Exit code 1 and the number of the first bad row when the chain is broken."""
    from autodub.jobs import audit

    with opened(calls, **where) as platform:
        found = audit.verify(platform.sql, expect=expect)
    holds = found.first_bad is None
    if as_json:
        emit(
            {"holds": holds, "count": found.count, "first_bad": found.first_bad, "why": found.why,
             "head": str(found.head)}
        )  # fmt: skip
    elif holds:
        click.echo(f"The audit holds: {found.count} rows, head {found.head}")
    else:
        click.echo(f"The audit is broken at row {found.first_bad}: {found.why}.", err=True)
        click.echo(str(found.first_bad))
    return 0 if holds else FAILED
