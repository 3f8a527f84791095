"""Thumbnails over HTTP: of an upload before its dub, and of a dub."""

from __future__ import annotations

import io
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update

from autodub.jobs import thumbnails
from autodub.jobs.platform import LOCAL_ACTOR, Platform
from autodub.jobs.results import Item, Result
from autodub.jobs.tables import jobs
from finished_jobs import finished


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds of picture and sound."""
    path = tmp_path_factory.mktemp("films") / "film.mp4"
    subprocess.run(
        ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=size=320x180:rate=10", "-f", "lavfi", "-i",
         "sine", "-t", "3", "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", path], check=True,
    )  # fmt: skip
    return path


def send(client: FlaskClient, path: Path) -> str:
    """Upload a file; its id."""
    answer = client.post("/api/v1/uploads", data={"file": (io.BytesIO(path.read_bytes()), path.name)})
    assert answer.status_code == 201
    return str(answer.get_json()["id"])


def test_an_upload_is_seen_before_it_is_dubbed(
    client: FlaskClient, platform: Platform, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made once, kept with the upload, sent once to whoever keeps it, and gone with the upload."""
    url = f"/api/v1/uploads/{send(client, film)}"
    found = client.get(f"{url}/thumbnails").get_json()
    assert (found["count"], found["columns"], found["width"], found["height"]) == (3, 3, 160, 90)
    assert found["times"] == pytest.approx([0.5, 1.5, 2.5], abs=0.05)
    assert found["image"] == f"{url}/thumbnails.jpg"
    monkeypatch.setattr(thumbnails, "sheet", None)  # would fail
    platform.deriving.forget()  # as after a restart
    image = client.get(found["image"])
    assert (image.status_code, image.mimetype, image.data[:2]) == (200, "image/jpeg", b"\xff\xd8")
    again = client.get(found["image"], headers={"If-None-Match": image.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert client.delete(url).status_code == 204
    platform.store.collect()
    assert list(platform.store.blobs.files()) == []
    assert client.get(f"{url}/thumbnails").status_code == 404


def test_sound_says_that_it_has_no_picture(client: FlaskClient, tmp_path: Path) -> None:
    """In the list of pictures there is none; the image itself is not found. Subtitles have none either."""
    path, words = tmp_path / "a.wav", tmp_path / "a.srt"
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "sine", "-t", "1", path], check=True)
    words.write_text("1\n00:00:00,000 --> 00:00:03,000\nHola.\n")
    for one in (path, words):
        url = f"/api/v1/uploads/{send(client, one)}"
        found = client.get(f"{url}/thumbnails").get_json()
        assert (found["count"], found["image"]) == (0, None)
        assert client.get(f"{url}/thumbnails.jpg").status_code == 404


def test_half_an_upload_has_no_pictures_yet(client: FlaskClient, platform: Platform) -> None:
    """It says that it is still coming."""
    upload = platform.uploads.begin(LOCAL_ACTOR, "talk.mp4", size=1000)
    assert client.get(f"/api/v1/uploads/{upload.id}/thumbnails").status_code == 409


@pytest.mark.parametrize("is_film", [True, False])
def test_a_dub_is_seen_as_well(
    client: FlaskClient, platform: Platform, film: Path, tmp_path: Path, is_film: bool
) -> None:
    """Its film's pictures; none of a dub that is only sound; nothing before there is a result."""
    job = finished(platform)
    url = f"/api/v1/jobs/{job}/thumbnails"
    assert client.get(url).status_code == 404
    path = tmp_path / ("dub.mp4" if is_film else "dub.m4a")
    more = [] if is_film else ["-vn"]
    subprocess.run(["ffmpeg", "-v", "error", "-i", film, *more, "-c", "copy", path], check=True)
    blob = platform.store.blobs.keep(path)
    platform.store.pin(job, blob)
    item = Item(name=path.name, digest=blob.digest, size=blob.size, suffix=blob.suffix)
    values: dict[str, Any] = {"result": Result(files={"media": item}).model_dump_json()}
    with platform.sql.writing() as connection:
        connection.execute(update(jobs).where(jobs.c.id == job).values(**values))
    answer = client.get(f"{url}?wait=0")
    assert (answer.status_code, json.loads(answer.data)["what"]) == (202, "thumbnails")
    found = client.get(url).get_json()
    assert found["count"] == (3 if is_film else 0)
    assert client.get(f"{url}.jpg").status_code == (200 if is_film else 404)
