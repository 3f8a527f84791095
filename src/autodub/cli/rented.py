"""Cloned voices that Autodub left in accounts: which there are, and deleting those nobody uses."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from autodub.cli.text import printed, safe

if TYPE_CHECKING:
    from autodub.gateway.rentals import Rental
    from autodub.gateway.store import Store
    from autodub.infra.settings import Settings

_STATES = {
    "ready": "in the account",
    "pending": "being made, or left by a crash",
    "leaving": "to be deleted",
    "stray": "perhaps in the account",
}
"""What is known of a voice, for people."""


@dataclass(frozen=True, slots=True)
class Left:
    """A voice that is, or may be, in an account."""

    rental: Rental
    is_used: bool
    """A running job speaks with it."""
    is_reachable: bool
    """The key of its account is set."""


@dataclass(frozen=True, slots=True)
class Deleted:
    """What became of the voices that were to be deleted; names as the provider knows them."""

    deleted: tuple[str, ...] = ()
    in_use: tuple[str, ...] = ()
    failed: tuple[tuple[str, str], ...] = ()
    """(name or engine, why)."""
    unsure: tuple[str, ...] = ()
    """Asked for, never heard of, and not in the account now."""

    @property
    def is_done(self) -> bool:
        """Whether nothing is left that should not be."""
        return not (self.failed or self.unsure)


def left(store: Store, settings: Settings) -> tuple[Left, ...]:
    """Every voice on record, least recently used first. Nobody is asked."""
    from autodub.gateway.accounts import account_of

    reachable = {provider_of(account_of(engine)) for engine in cloners(settings)}
    return tuple(
        Left(rental, store.rentals.is_used(rental), provider_of(rental.account) in reachable)
        for rental in store.rentals.all()
    )


def delete(store: Store, settings: Settings) -> Deleted:
    """Delete what no running job uses, kept voices included, in every account whose key is set."""
    from autodub.gateway.accounts import account_of
    from autodub.gateway.gateway import Gateway
    from autodub.model.errors import AutodubError

    done, refused = Deleted(), set[str]()
    gateway = Gateway(store, redact=settings.redact)
    for engine in cloners(settings):
        try:
            returned = gateway.sweep(engine, kept=True)
        except AutodubError as problem:
            info = engine.describe()
            refused.add(provider_of(account_of(engine)))
            why = f"{problem.message} {problem.hint}".strip()
            done = replace(done, failed=(*done.failed, (f"{info.role}.{info.name}", why)))
            continue
        done = Deleted(
            (*done.deleted, *returned.deleted),
            (*done.in_use, *returned.in_use),
            (*done.failed, *returned.failed),
            (*done.unsure, *returned.unsure),
        )
    told = {*done.deleted, *done.in_use, *done.unsure, *(name for name, _ in done.failed)}
    asked = {provider_of(account_of(engine)): engine.describe().key for engine in cloners(settings)}
    out_of_reach = [
        (rental.name, _out_of_reach(asked.get(provider_of(rental.account))))
        for rental in store.rentals.all()
        if rental.name not in told and provider_of(rental.account) not in refused
    ]
    return replace(done, failed=(*done.failed, *out_of_reach))


def _out_of_reach(key: str | None) -> str:
    if key is None:
        return "It is in an account whose key is not set."
    return f"It is in an account that {key} does not open."


def cloners(settings: Settings) -> tuple[Any, ...]:
    """Every engine that rents voices at an account and can be asked now."""
    from autodub.engines import registry
    from autodub.engines.context import engine_context
    from autodub.engines.roles import Forgetful
    from autodub.model.errors import AutodubError

    context = engine_context(settings)
    found: list[Any] = []
    for name in registry.names("cloner"):
        try:
            engine: Any = registry.build("cloner", name, {}, context)
        except AutodubError:  # it cannot be loaded here; `autodub engines` says why
            continue
        if engine.readiness().state == "ready" and isinstance(engine, Forgetful):
            found.append(engine)
    return tuple(found)


def provider_of(account: str) -> str:
    """Whose account it is: another key of the same provider may see the same voices."""
    return account.partition(":")[0]


def listed(voices: tuple[Left, ...]) -> dict[str, Any]:
    """For programs."""
    return {
        "rented": [
            {
                "name": one.rental.name,
                "handle": one.rental.handle,
                "engine": one.rental.engine,
                "account": one.rental.account,
                "state": one.rental.state,
                "kept": one.rental.kept,
                "in_use": one.is_used,
                "reachable": one.is_reachable,
                "created": _when(one.rental.created),
                "used": _when(one.rental.used),
                "trouble": one.rental.trouble,
            }
            for one in voices
        ]
    }


def forgotten(done: Deleted) -> dict[str, Any]:
    """For programs."""
    return {
        "deleted": list(done.deleted),
        "in_use": list(done.in_use),
        "failed": [{"name": name, "why": why} for name, why in done.failed],
        "unsure": list(done.unsure),
    }


def show_left(voices: tuple[Left, ...]) -> None:
    """For people."""
    from rich.console import Console
    from rich.table import Table

    if not voices:
        click.echo(
            "No cloned voice of Autodub's is left in any account, as far as this data directory knows."
        )
        return
    table = Table(box=None, pad_edge=False)
    for head in ("voice", "account", "last used (UTC)", "state"):
        table.add_column(head)
    for one in voices:
        notes = [_STATES[one.rental.state]]
        notes += ["kept on request"] if one.rental.kept else []
        notes += ["in use now"] if one.is_used else []
        notes += [] if one.is_reachable else ["its key is not set"]
        notes += [one.rental.trouble] if one.rental.trouble else []
        table.add_row(
            safe(one.rental.name),
            safe(one.rental.account),
            _when(one.rental.used)[:16].replace("T", " "),
            safe("; ".join(notes)),
        )
    click.echo(
        f"{_counted(len(voices))} on record. To delete those no running dub uses: autodub voices --forget"
    )
    printed(Console(highlight=False, markup=False), table)


def show_deleted(done: Deleted) -> None:
    """For people."""
    click.echo(f"{_counted(len(done.deleted))} deleted." if done.deleted else "Nothing was deleted.")
    if done.in_use:
        click.echo(
            f"{_counted(len(done.in_use))} in use by a running dub, which will give back what it uses."
        )
    for name in done.unsure:
        click.echo(f"{safe(name)}: was asked for and has not turned up; it is looked for again next time.")
    for name, why in done.failed:
        click.echo(f"Not deleted: {safe(name)}. {safe(why)}")


def _counted(count: int) -> str:
    return "1 cloned voice" if count == 1 else f"{count} cloned voices"


def _when(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).isoformat(timespec="seconds")
