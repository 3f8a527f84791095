"""Giving back the cloned voices that nobody's answers name any more, at their providers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from autodub.engines.roles import Forgetful
from autodub.gateway.accounts import Accounts
from autodub.gateway.gateway import Gateway, nobody
from autodub.gateway.rentals import Rental
from autodub.gateway.store import Store
from autodub.gateway.tenant import Returned
from autodub.infra.settings import scrub
from autodub.model.errors import AutodubError, Cancelled
from autodub.model.job import Listener


def is_due(rental: Rental) -> bool:
    """Whether a voice should be deleted: released by its owners, or left over from an earlier try."""
    return rental.released or rental.state in ("leaving", "stray")


def give_back_released(
    store: Store,
    engines: Iterable[Any],
    *,
    redact: Callable[[str], str] = scrub,
    listener: Listener = nobody,
    accounts: Accounts | None = None,
) -> Returned:
    """Delete voices that ``Store.release`` has set free, kept ones included, and those an earlier try left.

    ``engines`` are the cloners that can be asked, as built from the registry; those that rent nothing are
    passed over. Never raises for an account that does not answer: what could not be deleted is in
    ``failed`` with the reason, stays on record, and is tried again by the next call. A voice that a running
    job speaks with is left to that job.
    """
    done: dict[str, list[Any]] = {name: [] for name in ("deleted", "in_use", "failed", "unsure")}
    gateway = Gateway(store, redact=redact, listener=listener, accounts=accounts)
    try:
        for engine in engines:
            if not isinstance(engine, Forgetful):
                continue
            try:
                returned = gateway.sweep(engine, kept=True, only=is_due)
            except Cancelled:
                raise
            except AutodubError as problem:
                done["failed"].append((_name(engine), redact(str(problem))))
                continue
            for name, found in done.items():
                found += getattr(returned, name)
    finally:
        gateway.close()
    told = {*done["deleted"], *done["in_use"], *done["unsure"], *(name for name, _ in done["failed"])}
    for rental in store.rentals.all():
        if is_due(rental) and rental.name not in told:
            done["failed"].append((rental.name, f"No engine at hand opens its account ({rental.engine})."))
    return Returned(**{name: tuple(found) for name, found in done.items()})


def _name(engine: Any) -> str:
    info = engine.describe()
    return f"{info.role}.{info.name}"
