"""The index that machines share, used by several releases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg
import pytest
from stores import Machine, Open, answer

from autodub.infra import pg_index
from autodub.infra.pg_index import FORMAT, LOWEST
from autodub.model.errors import Unavailable


def test_an_index_of_a_newer_release_is_used_where_it_says_so(
    shared: Machine, opening: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it only adds lets this one go on; any other change shuts it out, also where it has begun."""
    running = opening(shared("running"))
    with _release(monkeypatch, FORMAT=FORMAT + 1), closing(opening(shared("newer"))) as newer:
        made = newer.put("k", answer(newer, b"film"))
    assert running.is_ours()
    with closing(opening(shared("later"))) as later:
        assert later.get("k") == made
    with _release(monkeypatch, FORMAT=FORMAT + 2, LOWEST=FORMAT + 2), closing(opening(shared("newest"))):
        pass
    try:
        assert not running.is_ours()
        with pytest.raises(Unavailable, match="newer Autodub"), closing(opening(shared("last"))):
            pass
    finally:
        _set_back(shared)


def test_an_index_of_an_older_release_is_brought_up_to_date(shared: Machine, opening: Open) -> None:
    """What it has stays; the release that made it is told apart from then on."""
    with closing(opening(shared("old"))) as old:
        made = old.put("k", answer(old, b"film"))
    with psycopg.connect(shared().store_database.get_secret_value()) as connection:
        connection.execute("UPDATE autodub_store.about SET format = 1")
        connection.execute("DROP TABLE autodub_store.compatibility")
    with closing(opening(shared("new"))) as new:
        assert new.get("k") == made
        assert new.is_ours()
    with psycopg.connect(shared().store_database.get_secret_value()) as connection:
        asked = "SELECT format, lowest FROM autodub_store.about, autodub_store.compatibility"
        assert connection.execute(asked).fetchall() == [(FORMAT, LOWEST)]


@contextmanager
def _release(patch: pytest.MonkeyPatch, **numbers: int) -> Iterator[None]:
    """Whoever opens a store now is of another release."""
    with patch.context() as this:
        for name, number in numbers.items():
            this.setattr(pg_index, name, number)
        this.setattr(pg_index, "_STEPS", dict.fromkeys(range(FORMAT, FORMAT + 2), "SELECT 1"))
        yield


def _set_back(shared: Machine) -> None:
    with psycopg.connect(shared().store_database.get_secret_value()) as connection:
        connection.execute("UPDATE autodub_store.about SET format = %s", [FORMAT])
        connection.execute("UPDATE autodub_store.compatibility SET lowest = %s", [LOWEST])
