"""What a store does that machines share: fetching, leases, deleting for good, and storage that fails."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, cast

import boto3
import psycopg
import pytest
from s3_server import BUCKET, S3Server
from stores import Open, answer, contents, file

from autodub.gateway.releasing import Released
from autodub.gateway.store import Store
from autodub.infra import pg_index, s3_places, settings, shared_blobs
from autodub.infra.pg_index import FORMAT, LOWEST
from autodub.infra.places import StorageAway
from autodub.infra.settings import Settings
from autodub.infra.shared_blobs import SharedBlobs
from autodub.infra.shared_store import SharedStore
from autodub.infra.storage import NotThere
from autodub.model.errors import BadOption, Unavailable

Machine = Callable[..., Settings]


def ours(store: Store) -> SharedBlobs:
    """A store's files, known to be shared ones."""
    assert isinstance(store.blobs, SharedBlobs)
    return store.blobs


def look(store: Store) -> None:
    """Strike who is gone, as the renewing thread does."""
    cast("SharedStore", store._shared)._process.sessions.look()


def rows(of: Settings, table: str) -> list[tuple[Any, ...]]:
    """What a table of the index has."""
    with psycopg.connect(of.store_database.get_secret_value()) as connection:
        return list(connection.execute(f"SELECT * FROM autodub_store.{table}"))


def keys(of: Settings, server: S3Server) -> list[str]:
    """What lies in S3 for these settings."""
    return server.keys(of.blobs.removeprefix(f"s3://{BUCKET}/") + "/")


def test_what_one_machine_made_another_reads(shared: Machine, opening: Open) -> None:
    """An answer and its file are there for every machine, and gone for all when their owner lets go."""
    one, two = opening(shared("one"), "a"), opening(shared("two"))
    made = one.put("k", answer(one, b"a line"))
    assert two.get("k") == made
    assert two.blobs.path(made.blobs[0]).read_bytes() == b"a line"
    one.close()
    assert two.release("a") == Released()  # it was used here as nobody's
    two.close()
    three = opening(shared("three"), "b")
    assert three.get("k") == made
    assert contents(three) == {b"a line"}


def test_released_bytes_are_gone_everywhere(s3_shared: Machine, s3: S3Server, opening: Open) -> None:
    """After a release nothing is left in S3, in this machine's cache, or soon in another's."""
    of = s3_shared("one")
    job = opening(of, "a")
    blob = job.put("k", answer(job, b"private")).blobs[0]
    job.close()
    server, other = opening(of, patience=600.0), opening(s3_shared("two"), patience=600.0)
    paths = [store.blobs.path(blob) for store in (server, other)]
    assert [path.read_bytes() for path in paths] == [b"private", b"private"]
    assert server.release("a") == Released(answers=1, files=1, bytes=7)
    assert keys(of, s3) == []
    assert not list((of.data_dir).rglob(f"{blob.digest}*"))
    ours(other).recheck()
    assert not list(s3_shared("two").data_dir.rglob(f"{blob.digest}*"))
    assert rows(of, "places") == rows(of, "objects") == []


def test_versions_go_too(s3_shared: Machine, s3: S3Server, opening: Open) -> None:
    """In a bucket that keeps what is deleted, nothing is kept of ours."""
    client = boto3.client("s3")
    client.create_bucket(Bucket="old", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    client.put_bucket_versioning(Bucket="old", VersioningConfiguration={"Status": "Enabled"})
    store = opening(s3_shared(blobs="s3://old/x"), "a")
    store.put("k", answer(store, b"private"))
    assert client.list_object_versions(Bucket="old")["Versions"]
    store.close()
    opening(s3_shared(blobs="s3://old/x")).release("a")
    left = client.list_object_versions(Bucket="old")
    assert not left.get("Versions")
    assert not left.get("DeleteMarkers")


_HOLDER = """
    import sys, time
    from pathlib import Path
    from autodub.gateway.opening import open_store
    from autodub.gateway.store import Answer
    from autodub.infra import settings

    store = open_store(settings.load(data_dir=Path(sys.argv[1])), owner="a")
    assert store.flight("k").take()
    with store.blobs.scratch() as folder:
        (folder / "f.bin").write_bytes(b"half a job")
        store.blobs.keep(folder / "f.bin")
    print("ready", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("where", ["here", "elsewhere"])
def test_who_is_killed_holds_nothing(
    s3_shared: Machine,
    s3: S3Server,
    opening: Open,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
) -> None:
    """While a process lives its files and locks are its own; after kill -9 they are nobody's.

    On the same machine that is known at once; on another one when its lease has run out.
    """
    of = s3_shared("data")
    monkeypatch.setenv("AUTODUB_STORE_DATABASE", of.store_database.get_secret_value())
    monkeypatch.setenv("AUTODUB_BLOBS", of.blobs)
    code = textwrap.dedent(_HOLDER)
    process = subprocess.Popen([sys.executable, "-c", code, str(of.data_dir)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    store = opening(s3_shared("data" if where == "here" else "far"))
    assert store.collect() == Released()
    assert not store.flight("k").take()
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    sessions = cast("SharedStore", store._shared)._process.sessions
    if where == "elsewhere":
        look(store)
        assert store.collect() == Released()
        sessions.lease = 0.6  # half of it may lie between two looks, on a busy machine as well
        end = time.monotonic() + 60
        while len(rows(of, "sessions")) > 1 and time.monotonic() < end:
            sessions._renew()
            look(store)
    lock = store.flight("k")
    while not lock.take():
        pass
    lock.free()
    assert store.collect() == Released(files=1, bytes=10)
    assert keys(of, s3) == []


_KEEPER = """
    import sys
    from pathlib import Path
    from autodub.gateway.opening import open_store
    from autodub.gateway.store import Answer
    from autodub.infra import settings

    store = open_store(settings.load(data_dir=Path(sys.argv[1])), owner="a")
    for n in range(10_000):
        with store.blobs.scratch() as folder:
            (folder / "f.bin").write_bytes(f"{sys.argv[2]} {n}".encode())
            blob = store.blobs.keep(folder / "f.bin")
        store.put(f"{sys.argv[2]} {n}", Answer("role.fake", "1", "speak", '"x"', (blob,), (), 1.0))
        print(n, flush=True)
"""


def test_killed_at_any_instant(shared: Machine, opening: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """After kill -9 every answer is whole, none that was told of is missing, all of it can be released."""
    of = shared("data")
    monkeypatch.setenv("AUTODUB_STORE_DATABASE", of.store_database.get_secret_value())
    monkeypatch.setenv("AUTODUB_BLOBS", of.blobs)
    code = textwrap.dedent(_KEEPER)
    told: dict[str, int] = {}
    for name in ("one", "two"):
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(of.data_dir), name], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        for _ in range(5 if name == "one" else 8):
            told[name] = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    store = opening(shared("other"), "b")
    for name, last in told.items():
        for n in range(last + 1):
            found = store.get(f"{name} {n}")
            assert found is not None
            assert store.blobs.path(found.blobs[0]).read_bytes() == f"{name} {n}".encode()
    assert store.blobs.verify() == ()
    store.close()
    sweeper = opening(of)
    look(sweeper)
    for owner in ("a", "b"):
        sweeper.release(owner)
    sweeper.collect()
    assert [rows(of, table) for table in ("answers", "objects", "places", "uses")] == [[]] * 4
    there = ours(sweeper)._there
    assert list(there.before(time.time() + 3600)) == []


def test_a_database_that_was_away_makes_nobody_dead(shared: Machine, opening: Open) -> None:
    """Somebody late is struck only by who watched him stay silent; who was away himself starts again."""
    here, far = opening(shared("here")), opening(shared("far"))
    sessions = cast("SharedStore", here._shared)._process.sessions
    with psycopg.connect(shared().store_database.get_secret_value()) as connection:
        connection.execute("UPDATE autodub_store.sessions SET seen = seen - 3600")
    look(here)
    assert len(rows(shared(), "sessions")) == 2
    sessions._asked -= 100  # the last look was long ago: we could not see whether he was silent
    sessions._silent = {name: (seen, since - 100) for name, (seen, since) in sessions._silent.items()}
    look(here)
    assert len(rows(shared(), "sessions")) == 2
    sessions._silent = {name: (seen, since - 100) for name, (seen, since) in sessions._silent.items()}
    look(here)
    assert len(rows(shared(), "sessions")) == 1
    far.blobs.holding.add("answer k")
    assert "answer k" in here.blobs.held()


def test_a_database_that_begins_anew_loses_nothing(shared: Machine, opening: Open) -> None:
    """When every connection breaks, what is held and locked stays so, and the work goes on."""
    store, other = opening(shared("one"), "a"), opening(shared("two"))
    made = answer(store, b"a line")
    lock = store.flight("k")
    assert lock.take()
    with psycopg.connect(shared().store_database.get_secret_value(), autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert not other.flight("k").take()
    assert other.collect() == Released()
    assert store.put("k", made) == made
    lock.free()
    assert other.flight("k").take()
    assert other.get("k") == made


def test_who_was_taken_for_dead_records_nothing_wrong(shared: Machine, opening: Open) -> None:
    """What was removed meanwhile is missed: the answer that names it is refused, and made anew it is kept."""
    store, sweeper = opening(shared("one"), "a"), opening(shared("two"))
    late = answer(store, b"late")
    kept = answer(store, b"kept")
    with psycopg.connect(shared().store_database.get_secret_value()) as connection:
        connection.execute(
            "DELETE FROM autodub_store.sessions WHERE id LIKE %s", (f"{ours(store)._session.id}%",)
        )
    assert sweeper.collect() == Released(files=2, bytes=8)
    with pytest.raises(NotThere):
        store.put("k", late)
    assert store.put("k", answer(store, b"late")) == late
    assert store.get("k") == late
    assert not store.blobs.has(kept.blobs[0])
    store.close()
    assert sweeper.get("k") == late


def test_a_deletion_goes_on_when_the_storage_is_back(
    s3_shared: Machine,
    s3: S3Server,
    opening: Open,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Storage that fails while a job is released is said so, and the next release removes the bytes."""
    monkeypatch.setattr(s3_places, "_TRIES", 1)
    of = s3_shared()
    job = opening(of, "a")
    job.put("k", answer(job, b"private"))
    job.close()
    sweeper = opening(of)
    s3.failing = lambda method, path: method == "DELETE"
    with pytest.raises(StorageAway, match="cannot be used"):
        sweeper.release("a")
    assert len(keys(of, s3)) == 1
    s3.failing = lambda method, path: False
    sweeper.release("a")
    assert keys(of, s3) == []


def test_half_an_upload_goes_with_its_process(s3_shared: Machine, s3: S3Server, opening: Open) -> None:
    """Parts of a large file whose sender was killed are aborted by the next collection."""
    of = s3_shared()
    store = opening(of)
    place = f"ab/{'ab' * 32}-0.bin"
    key = f"{of.blobs.removeprefix(f's3://{BUCKET}/')}/{place}"
    client = boto3.client("s3")
    client.create_multipart_upload(Bucket=BUCKET, Key=key)
    with psycopg.connect(of.store_database.get_secret_value()) as connection:
        connection.execute("INSERT INTO autodub_store.places (place) VALUES (%s)", (place,))
    store.collect()
    assert not client.list_multipart_uploads(Bucket=BUCKET).get("Uploads")
    assert rows(of, "places") == []


def test_strays_go_once_a_day(
    s3_shared: Machine,
    s3: S3Server,
    opening: Open,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An object that no row knows of is removed when it is older than a day; what is known stays."""
    of = s3_shared()
    store = opening(of)
    store.put("k", answer(store, b"known"))
    prefix = of.blobs.removeprefix(f"s3://{BUCKET}/")
    boto3.client("s3").put_object(Bucket=BUCKET, Key=f"{prefix}/ab/stray", Body=b"x")
    ours(store).sweep()
    assert len(keys(of, s3)) == 2
    ahead = time.time() + 2 * 86_400
    monkeypatch.setattr(shared_blobs.time, "time", lambda: ahead)
    ours(store).sweep()
    assert len(keys(of, s3)) == 2  # done today
    with psycopg.connect(of.store_database.get_secret_value()) as connection:
        connection.execute("UPDATE autodub_store.chores SET done = 0")
    ours(store).sweep()
    (left,) = keys(of, s3)
    assert "stray" not in left


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


def test_an_object_that_was_lost_is_made_again(shared: Machine, s3: S3Server, opening: Open) -> None:
    """Bytes that vanished from the storage are unavailable once; then their answer is none, until remade."""
    store = opening(shared("one"))
    made = store.put("k", answer(store, b"gone"))
    there = ours(store)._there
    there.remove(cast("str", ours(store)._place(f"{made.blobs[0].digest}.bin")))
    other = opening(shared("two"))
    assert other.get("k") == made
    with pytest.raises(Unavailable, match="lost or damaged"):
        other.blobs.path(made.blobs[0])
    assert other.get("k") is None
    assert other.put("k", answer(other, b"gone")) == made
    assert other.get("k") == made
    assert contents(opening(shared("three"))) == {b"gone"}


def test_files_elsewhere_need_a_database(tmp_path: Path) -> None:
    """Blobs in S3 without a shared index are refused, with what is missing."""
    with pytest.raises(BadOption, match="store_database is not") as caught:
        settings.load(environ={"HOME": str(tmp_path), "AUTODUB_BLOBS": "s3://films/x"})
    assert "PostgreSQL" in caught.value.hint


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
