"""How many things one user may have: also where many are made at the same instant."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from autodub.jobs import glossaries, keys, webhooks
from autodub.jobs.platform import LOCAL_ACTOR, Platform
from autodub.model.errors import Conflict, QuotaExceeded

_MAKE: dict[str, Callable[[Platform, int], object]] = {
    "webhooks": lambda here, n: here.hooks.create(LOCAL_ACTOR, f"https://example.org/{n}", ["job.completed"]),
    "glossaries": lambda here, n: here.glossaries.create(LOCAL_ACTOR, f"Names {n}", "a = b"),
    "keys": lambda here, n: here.keys.create(LOCAL_ACTOR, f"Key {n}", ["read"]),
}


@pytest.mark.parametrize("what", sorted(_MAKE))
def test_nobody_gets_more_by_asking_at_once(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """Of eight requests at once three are granted where three things may be."""
    for place, name in ((webhooks, "MOST"), (glossaries, "MOST"), (keys, "_MOST")):
        monkeypatch.setattr(place, name, 3)

    def make(number: int) -> bool:
        try:
            _MAKE[what](platform, number)
        except (Conflict, QuotaExceeded):
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(make, range(8))) == 3
