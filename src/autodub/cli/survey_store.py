"""What a store that many machines share needs: its database, and the storage of its files."""

from __future__ import annotations

from autodub.cli.survey import Check
from autodub.infra.settings import Settings
from autodub.model.errors import AutodubError


def checks(settings: Settings) -> tuple[Check, ...]:
    """What is right and wrong with it; nothing where answers and files lie in the data directory."""
    if not settings.store_database.get_secret_value():
        return ()
    from sqlalchemy.exc import SQLAlchemyError

    from autodub.infra.shared_store import check

    try:
        return (Check("store", "ok", check(settings)),)
    except AutodubError as problem:
        return (Check("store", "missing", problem.message, problem.hint),)
    except SQLAlchemyError:  # never the value: it may hold a password
        fix = "store_database looks like postgresql://user:password@host/name."
        return (Check("store", "missing", "the address of its database cannot be read", fix),)
