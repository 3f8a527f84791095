"""Files between a machine's cache and the storage that machines share: fetched, bounded, and tried again."""

from __future__ import annotations

import threading

import pytest
from s3_server import S3Server
from stores import Machine, Open, answer, contents, file

from autodub.infra import s3_places
from autodub.infra.places import StorageAway


def test_the_cache_keeps_to_its_bound(s3_shared: Machine, opening: Open) -> None:
    """The least recently used files go first, those in use never, and what went is fetched again."""
    of = s3_shared("data", cache=2500)
    store = opening(of)
    blobs = [file(store, bytes([number]) * 1000) for number in range(4)]
    cached = of.data_dir / "cache"

    def here() -> list[int]:
        lengths = [blob for blob in blobs if (cached / blob.digest[:2] / f"{blob.digest}.bin").exists()]
        return [blobs.index(blob) for blob in lengths]

    assert here() == [0, 1, 2, 3]  # all of them in use
    for blob in blobs:
        store.put(blob.digest, answer(store, blob.digest.encode()))
    store.close()
    reader = opening(of)
    reader.blobs.path(blobs[1])
    reader.close()
    reader = opening(of)
    held = reader.blobs.path(blobs[0])
    file(reader, b"new" * 300)
    assert held.exists()
    assert 1 in here() or 0 in here()
    total = sum(
        path.stat().st_size for path in cached.rglob("*") if path.is_file() and path.stat().st_size > 0
    )
    assert total <= 2500
    assert reader.blobs.path(blobs[2]).read_bytes() == bytes([2]) * 1000


def test_a_damaged_copy_is_fetched_again(s3_shared: Machine, opening: Open) -> None:
    """A cached file that was changed or cut short is not handed out; what was only touched is."""
    store = opening(s3_shared())
    blob = file(store, b"right")
    path = store.blobs.path(blob)
    for wrong in (b"wrong", b"ri", b""):
        path.chmod(0o600)
        path.write_bytes(wrong)
        assert store.blobs.path(blob).read_bytes() == b"right"


def test_a_file_is_fetched_once(s3_shared: Machine, s3: S3Server, opening: Open) -> None:
    """Many threads of several stores that ask for one file at a time fetch it once."""
    blob = file(opening(s3_shared("one")), b"x" * 100_000)
    stores = [opening(s3_shared("two")) for _ in range(2)]
    s3.asked.clear()
    found: list[bytes] = []
    threads = [
        threading.Thread(target=lambda store=store: found.append(store.blobs.path(blob).read_bytes()))
        for store in stores * 4
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [b"x" * 100_000] * 8
    assert [method for method, _ in s3.asked].count("GET") == 1


def test_large_files_go_and_come_in_parts(s3_shared: Machine, s3: S3Server, opening: Open) -> None:
    """A file of 20 MB is sent in parts and fetched in ranges, and is the same then."""
    content = b"0123456789" * 2_000_000
    s3.asked.clear()
    blob = file(opening(s3_shared("one")), content)
    assert [method for method, path in s3.asked if blob.digest in path] == [
        "POST",
        "PUT",
        "PUT",
        "PUT",
        "POST",
    ]
    s3.asked.clear()
    assert opening(s3_shared("two")).blobs.path(blob).read_bytes() == content
    assert [method for method, _ in s3.asked].count("GET") == 3


def test_storage_that_fails_is_tried_again_and_named(
    s3_shared: Machine,
    s3: S3Server,
    opening: Open,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One failure is not noticed; storage that is away is a sentence without keys, nothing is recorded."""
    monkeypatch.setattr(s3_places, "_TRIES", 2)
    of = s3_shared()
    store = opening(of)
    failures = [True]
    s3.failing = lambda method, path: method == "PUT" and bool(failures) and failures.pop()
    blob = file(store, b"one")
    assert failures == []
    assert store.blobs.has(blob)
    s3.failing = lambda method, path: True
    with pytest.raises(StorageAway, match=r"The storage s3://films/\d+/ cannot be used") as caught:
        file(store, b"two")
    assert "secret" not in str(caught.value) + caught.value.hint
    assert len(store.blobs.sizes()) == 1
    s3.failing = lambda method, path: False
    store.put("k", answer(store, b"two"))
    assert contents(store) == {b"one", b"two"}
