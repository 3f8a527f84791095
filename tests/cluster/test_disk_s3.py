"""The S3 server of a cluster: it checks signatures, and what it has taken outlives it."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import httpx
import pytest
from brokers import free_port
from deploy.cluster import parts
from deploy.cluster.cluster import until
from deploy.cluster.supervisor import Supervisor

from autodub.infra.places import Missing, StorageAway
from autodub.infra.s3_places import PART, S3

KEY, SECRET = "somebody", "a-secret-of-tests"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervisor]:
    """The server, in charge of somebody who starts it again; S3's variables lead to it."""
    if any("S3" in word for word in parts.missing()):
        pytest.skip("rclone is not installed here (make setup installs it)")
    port = free_port()
    given = {
        "ACCESS_KEY_ID": KEY, "SECRET_ACCESS_KEY": SECRET, "REGION": "us-east-1",
        "EC2_METADATA_DISABLED": "true", "ENDPOINT_URL_S3": f"http://127.0.0.1:{port}",
    }  # fmt: skip
    for name, value in given.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    supervisor = Supervisor(tmp_path / "logs", say=print)
    try:
        supervisor.begin(parts.s3(tmp_path, port, KEY, SECRET))
        yield supervisor
    finally:
        supervisor.stop()


def test_files_outlive_the_server(server: Supervisor, tmp_path: Path) -> None:
    """Small and large files are there after kill -9; what was removed, or half sent, is not."""
    place = S3(f"s3://{parts.BUCKET}/store")
    contents = {"small.txt": b"small", "large.mp4": bytes(range(256)) * (PART // 200), "gone.txt": b"gone"}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        place.put(name, tmp_path / name)
    place.remove("gone.txt", half=True)  # of which there is no half
    client = boto3.client("s3")
    half = client.create_multipart_upload(Bucket=parts.BUCKET, Key="store/half.mp4")
    client.upload_part(
        Bucket=parts.BUCKET,
        Key="store/half.mp4",
        UploadId=half["UploadId"],
        PartNumber=1,
        Body=b"x" * 6_000_000,
    )
    place.remove("half.mp4", half=True)
    link = place.link("large.mp4", name="A film.mp4", media="video/mp4", inline=False, seconds=600)
    server.signal("s3", signal.SIGKILL)
    assert until(lambda: server.starts("s3") == 2 and server.is_ready("s3"))
    assert sorted(place.before(time.time() + 60)) == ["large.mp4", "small.txt"]
    for name in ("small.txt", "large.mp4"):
        place.get(name, tmp_path / "back")
        assert (tmp_path / "back").read_bytes() == contents[name]
    with pytest.raises(Missing):
        place.get("gone.txt", tmp_path / "back")
    assert link is not None
    found = httpx.get(link, headers={"Range": "bytes=1-3"})
    assert found.content == contents["large.mp4"][1:4]
    assert found.headers["Content-Disposition"] == "attachment; filename*=UTF-8''A%20film.mp4"


def test_nobody_else_is_served(server: Supervisor, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong secret is refused."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    with pytest.raises(StorageAway, match="SignatureDoesNotMatch"):
        S3(f"s3://{parts.BUCKET}/store").check()
