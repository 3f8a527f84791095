"""What is made only when somebody asks: once, beside the request, as its owner's, and gone with it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from autodub.gateway.store import Store
from autodub.infra import settings
from autodub.jobs.deriving import Check, Derived, Deriving, Unfinished
from autodub.jobs.erasing import erased
from autodub.model.errors import MediaError, NotFound, Unavailable

OWNER = "a" * 32


class Shop:
    """A place where a file is made, as slowly as a test wants."""

    def __init__(self, folder: Path) -> None:
        self.settings = settings.load(environ={"HOME": str(folder)}, data_dir=folder / "data")
        self.store = Store(self.settings.data_dir)
        self.is_there = True
        self.deriving = Deriving(self.settings, self.store, lambda _: self.is_there, waiting=2)
        self.made = 0
        self.begun, self.go = threading.Event(), threading.Event()
        self.go.set()
        self.failure: Exception | None = None

    def ask(self, *, wait: float = 30.0, what: str = "thing", by: str = "somebody") -> Derived:
        """The thing, as a request asks for it."""
        return self.deriving.of(
            OWNER, what, lambda _: self.deriving.kept(OWNER, what, self._make), by=by, wait=wait
        )

    def _make(self, _: Store, scratch: Path, check: Check) -> tuple[Path, dict[str, int]]:
        self.made += 1
        self.begun.set()
        while not self.go.wait(0.01):
            check()
        if self.failure is not None:
            raise self.failure
        (scratch / "thing.txt").write_text("content")
        return scratch / "thing.txt", {"number": self.made}


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A shop that closes at the end."""
    found = Shop(tmp_path)
    yield found
    found.deriving.close()
    found.store.close()


def test_many_who_ask_at_once_get_what_is_made_once(shop: Shop) -> None:
    """Two wait, and have it; it is there for whoever comes later, also after a restart."""
    shop.go.clear()
    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(shop.ask) for _ in range(2)]
        assert shop.begun.wait(30)
        shop.go.set()
        first, second = (one.result(30) for one in asked)
    assert first == second == shop.ask()
    shop.deriving.forget()
    assert shop.ask().facts == {"number": 1}
    assert shop.made == 1
    assert shop.store.blobs.path(first.blob).read_text() == "content"


def test_whoever_has_waited_enough_is_told_to_come_back(shop: Shop) -> None:
    """It goes on meanwhile, and is there then."""
    shop.go.clear()
    for _ in range(2):
        with pytest.raises(Unfinished) as told:
            shop.ask(wait=0.01)
        assert told.value.retry_after > 0
    shop.go.set()
    assert shop.ask().facts == {"number": 1}


def test_no_more_than_some_wait(shop: Shop) -> None:
    """With all seats taken the next one is told at once, however patient they are."""
    shop.go.clear()
    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(shop.ask) for _ in range(2)]
        assert shop.begun.wait(30)
        while shop.deriving._seats._value:  # until both have sat down
            pass
        with pytest.raises(Unfinished):
            shop.ask(wait=3600)
        shop.go.set()
        assert [one.result(30).facts for one in asked] == [{"number": 1}] * 2


def test_a_failure_is_told_once_and_then_it_is_tried_anew(shop: Shop) -> None:
    """Also to somebody who came back."""
    shop.go.clear()
    shop.failure = MediaError("No sound.")
    with pytest.raises(Unfinished):
        shop.ask(wait=0)
    shop.go.set()
    with pytest.raises(MediaError):
        shop.ask()
    shop.failure = None
    assert shop.ask().facts == {"number": 2}


def test_what_is_made_of_something_deleted_meanwhile_does_not_stay(shop: Shop) -> None:
    """Nobody gets it, and no file is left."""
    shop.is_there = False
    with pytest.raises(NotFound):
        shop.ask()
    shop.store.collect()
    assert list(shop.store.blobs.files()) == []
    assert erased(shop.settings.data_dir).exists()  # its traces in the databases' files are to go as well


def test_what_was_pruned_is_made_anew(shop: Shop) -> None:
    """A file that went is missed at once."""
    place = shop.store.blobs.path(shop.ask().blob)
    place.unlink()
    assert shop.store.blobs.path(shop.ask().blob) == place
    assert (shop.made, place.read_text()) == (2, "content")


def test_the_end_of_the_process_stops_what_is_being_made(shop: Shop) -> None:
    """Nobody waits for it, and nothing is begun any more."""
    shop.go.clear()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(shop.ask)
        assert shop.begun.wait(30)
        shop.deriving.close()
        with pytest.raises(Unavailable):
            asked.result(30)
    with pytest.raises(Unavailable):
        shop.ask(what="another")


def test_what_fails_for_something_deleted_meanwhile_leaves_nothing(shop: Shop) -> None:
    """What it had kept by then goes, too."""

    def make(_: Check) -> Derived:
        shop.deriving.kept(OWNER, "half", shop._make)
        raise MediaError("No sound.")

    shop.is_there = False
    with pytest.raises(MediaError):
        shop.deriving.of(OWNER, "thing", make, by="somebody")
    assert shop.store.owners() == frozenset()
    assert list(shop.store.blobs.files()) == []


def test_who_asks_for_very_much_is_not_far_before_others(shop: Shop) -> None:
    """Twenty things of one user are made or wait; the others are begun when they are asked for again."""
    shop.go.clear()
    for number in range(25):
        with pytest.raises(Unfinished):
            shop.ask(what=f"thing {number}", wait=0)
    with pytest.raises(Unfinished):
        shop.ask(what="another's", by="another", wait=0)
    shop.go.set()
    shop.ask(what="another's", by="another")
    assert shop.made <= 21
    assert shop.ask(what="thing 24").facts["number"] > 20
