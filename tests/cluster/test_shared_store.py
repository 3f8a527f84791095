"""What machines that share a store see of each other, and that what is deleted is gone for good."""

from __future__ import annotations

import time
from pathlib import Path
from typing import cast

import boto3
import psycopg
import pytest
from s3_server import BUCKET, S3Server
from stores import Machine, Open, answer, contents, keys, ours, rows

from autodub.gateway.releasing import Released
from autodub.infra import s3_places, settings, shared_blobs
from autodub.infra.places import StorageAway
from autodub.model.errors import BadOption, Unavailable


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
