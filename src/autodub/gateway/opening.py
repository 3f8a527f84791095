"""The store of the settings: in the data directory, or shared by many machines."""

from __future__ import annotations

import time
from collections.abc import Callable

from autodub.gateway.accounts import accounts_of
from autodub.gateway.store import Store
from autodub.infra.settings import Settings

LASTING = 600.0
"""Seconds for which files stay on this machine that a server which runs on has asked for."""


def open_store(
    settings: Settings,
    *,
    owner: str | None = None,
    clock: Callable[[], float] = time.time,
    patience: float | None = None,
) -> Store:
    """Open it, for an owner such as a job's id or for nobody; to be closed.

    ``patience``: seconds for which the path of a file from elsewhere is good; None: until it is closed.
    Raises OutputProblem; Unavailable and BadOption where it is shared.
    """
    accounts = accounts_of(settings)
    store = _open(settings, owner=owner, clock=clock, patience=patience)
    store.accounts = accounts
    return store


def _open(
    settings: Settings, *, owner: str | None, clock: Callable[[], float], patience: float | None
) -> Store:
    if not settings.store_database.get_secret_value():
        return Store(settings.data_dir, owner=owner, clock=clock)
    from autodub.infra.shared_store import SharedStore

    shared = SharedStore(settings, patience=patience)
    try:
        return Store(settings.data_dir, owner=owner, clock=clock, shared=shared)
    except BaseException:  # it is nobody's yet
        shared.close()
        raise
