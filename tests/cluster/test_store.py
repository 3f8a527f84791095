"""What a store does, whatever it is made of: SQLite and files, PostgreSQL and a folder, PostgreSQL and S3."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "gateway"))

from stores import Open, answer, contents, file
from test_gateway_ownership import (  # noqa: F401 - the owners' suite, run here over every kind of store
    test_a_file_kept_but_not_on_record_yet_is_not_lost,
    test_a_file_that_two_answers_name_stays_for_the_second,
    test_a_job_without_an_owner_keeps_it_for_good,
    test_a_pinned_file_stays_until_its_owner_lets_go,
    test_a_release_that_was_killed_is_finished_later,
    test_a_running_job_keeps_what_it_was_just_answered,
    test_a_server_that_runs_on_holds_no_upload_back,
    test_answered_in_the_middle_of_a_release,
    test_made_twice_at_once_both_own_it,
    test_many_jobs_and_releases_at_once_lose_nothing,
    test_what_an_owner_made_goes_with_it,
    test_what_another_owner_uses_stays,
    test_what_the_command_line_used_is_nobodys,
)

from autodub.gateway.store import Pruned
from autodub.infra.settings import Settings
from autodub.model.media import Blob

Machine = Callable[..., Settings]


@pytest.fixture
def open_store(machine: Machine, opening: Open) -> Open:
    """Stores of one data directory, as the owners' suite opens them."""
    return lambda owner=None: opening(machine(), owner)


def test_an_answer_comes_back_whole(open_store: Open) -> None:
    """What was put is what is got, by its key only; its file can be read."""
    store = open_store()
    made = answer(store, b"content")
    assert store.put("k1", made) == made
    assert store.get("k1") == made
    assert store.get("k2") is None
    assert store.blobs.path(made.blobs[0]).read_bytes() == b"content"


def test_the_first_writer_wins(open_store: Open) -> None:
    """A second answer under the same key is dropped and the first returned."""
    store, other = open_store(), open_store()
    first = store.put("k", answer(store, b"one"))
    assert other.put("k", answer(other, b"two", '"y"')) == first
    assert store.get("k") == first


def test_files_are_found_by_their_content(open_store: Open) -> None:
    """A file is named by its bytes; equal bytes are one file; a name no blob can have is refused."""
    store = open_store()
    blob = file(store, b"hello", ".wav")
    assert file(store, b"hello", ".wav") == blob
    assert store.blobs.has(blob)
    assert not store.blobs.has(Blob(blob.digest, 6, ".wav"))
    assert store.blobs.find(blob.digest) == blob
    assert store.blobs.find("0" * 64) is None
    assert store.blobs.named(store.blobs.path(blob)) == blob.digest
    assert list(store.blobs.sizes().values()) == [5]
    assert store.blobs.verify() == ()
    with pytest.raises(ValueError, match="not the name"):
        store.blobs.path(Blob("../../etc/passwd", 1, ""))


def test_a_file_outside_is_hashed_once(
    open_store: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The digest of a file outside the store is remembered by its place and time."""
    import os

    source = tmp_path / "film.mp4"
    source.write_bytes(b"a" * 1000)
    os.utime(source, (1_000_000, 1_000_000))
    store = open_store()
    digest = store.digest(source)
    monkeypatch.setattr("autodub.gateway.store.sha256", None)
    assert store.digest(source) == digest


def test_prune_removes_what_nobody_names(open_store: Open) -> None:
    """Old answers go with their files, and files that no answer ever named."""
    store = open_store()
    store.put("k", answer(store, b"one"))
    file(store, b"orphan")
    store.close()
    store = open_store()
    assert store.prune() == Pruned(answers=0, files=1, bytes=6)
    assert contents(store) == {b"one"}
    assert store.prune(max_bytes=0) == Pruned(answers=1, files=1, bytes=3)
    assert contents(store) == set()


def test_one_lock_has_one_holder(open_store: Open) -> None:
    """A flight is one handle's; a rental is shared by those who use it, and nobody's alone meanwhile."""
    store, other = open_store(), open_store()
    one, two = store.flight("k"), other.flight("k")
    assert one.take()
    assert not two.take()
    assert not store.flight("k").take()
    one.free(remove=True)
    assert two.take()
    two.free(remove=True)
    using, again, alone = store.rentals.use("t"), other.rentals.use("t"), other.rentals.use("t")
    assert using.take(shared=True)
    assert again.take(shared=True)
    assert not alone.take()
    using.free()
    again.free()
    assert alone.take()
    assert not using.take(shared=True)
    alone.free(remove=True)


def test_stats_count(open_store: Open) -> None:
    """Answers, files and bytes are summed up."""
    store = open_store()
    store.put("a", answer(store, b"12345"))
    store.put("b", answer(store, b"123", '"zz"'))
    stats = store.stats()
    assert (stats.answers, stats.files, stats.bytes) == (2, 2, 8)
