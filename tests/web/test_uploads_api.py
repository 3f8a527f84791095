"""Uploads as forms: streamed to the disk, examined, refused with a reason, and used by jobs."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
from flask.testing import FlaskClient
from real_server import RealServer
from sounds import WAV
from werkzeug.exceptions import ClientDisconnected
from werkzeug.test import TestResponse

from autodub.jobs.platform import LOCAL_ACTOR, Platform
from autodub.web.app import create_app

Opening = Callable[..., Platform]
SRT = b"1\n00:00:01,000 --> 00:00:02,000\nHello there.\n"
BOUNDARY = "5ca1ab1e"
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def _form(data: bytes = WAV, name: str = "Talk.wav", *, after: str = "", **fields: str) -> bytes:
    """A form as browsers send it, with fields before the file, and one after it."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
        for key, value in fields.items()
    ]
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
    parts.append(head.encode() + b"Content-Type: audio/wav\r\n\r\n" + data + b"\r\n")
    if after:
        parts.append(
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="kind"\r\n\r\n{after}\r\n'.encode()
        )
    return b"".join([*parts, f"--{BOUNDARY}--\r\n".encode()])


def _send(client: FlaskClient, body: bytes, *, query: str = "", **headers: str) -> TestResponse:
    return client.post(f"/api/v1/uploads{query}", data=body, headers=FORM | headers)


def _nothing_is_left(platform: Platform) -> bool:
    folder = platform.settings.data_dir / "uploads"
    files = [*folder.glob("*"), *platform.store.blobs.files()]
    return not files and platform.uploads.mine(LOCAL_ACTOR) == ([], 0)


def test_a_form_with_a_file_is_an_upload(client: FlaskClient, platform: Platform) -> None:
    """It says what it found in the file, and a job may be made of it."""
    answer = client.post("/api/v1/uploads", data={"file": (io.BytesIO(WAV), "My Talk.wav")})
    found = answer.get_json()
    assert (answer.status_code, answer.headers["Location"]) == (201, f"/api/v1/uploads/{found['id']}")
    assert (found["name"], found["kind"], found["state"]) == ("My Talk.wav", "media", "ready")
    assert (found["size"], found["received"], found["info"]["seconds"]) == (len(WAV), len(WAV), 1.0)
    assert client.get(answer.headers["Location"]).get_json() == found
    job = client.post("/api/v1/jobs", json={"upload": found["id"], "target": "es", "spoken": "en"})
    assert (job.status_code, job.get_json()["title"]) == (201, "My Talk.wav")
    assert [path.name for path in platform.store.blobs.files()] == [sha256(WAV).hexdigest() + ".wav"]


def test_an_upload_that_a_job_uses_stays(client: FlaskClient) -> None:
    """Deleting it is refused as long as there is the job."""
    url = _send(client, _form()).headers["Location"]
    spec = {"upload": url.rpartition("/")[2], "target": "es", "spoken": "en"}
    job = client.post("/api/v1/jobs", json=spec).get_json()["id"]
    answer = client.delete(url)
    assert (answer.status_code, answer.get_json()["code"]) == (409, "conflict")
    assert client.delete(f"/api/v1/jobs/{job}").status_code == 202
    assert client.delete(url).status_code == 204
    assert client.get(url).status_code == 404


def test_uploads_are_listed_with_the_room_they_take(client: FlaskClient, platform: Platform) -> None:
    """Newest first."""
    names = ["a.wav", "b.wav", "c.srt"]
    for name in names:
        assert _send(client, _form(SRT if name == "c.srt" else WAV, name)).status_code == 201
    found = client.get("/api/v1/uploads").get_json()
    assert sorted(one["name"] for one in found["uploads"]) == names
    assert [one["created"] for one in found["uploads"]] == sorted(
        (one["created"] for one in found["uploads"]), reverse=True
    )
    assert found["used"] == 2 * len(WAV) + len(SRT)
    assert (found["allowed"], found["largest"]) == (platform.server.uploads, platform.server.upload)


def test_the_kind_is_said_by_the_name_or_by_whoever_sends(client: FlaskClient, platform: Platform) -> None:
    """In a field before the file or in the address; what does not fit is refused."""
    assert _send(client, _form(SRT, "a.srt")).get_json()["kind"] == "subtitles"
    assert _send(client, _form(SRT, "a.srt", kind="subtitles")).status_code == 201
    assert _send(client, _form(SRT, "a.srt"), query="?kind=subtitles").status_code == 201
    for body, query in (
        (_form(SRT, "a.srt", kind="media"), ""), (_form(kind="subtitles"), ""),
        (_form(kind="nonsense"), ""), (_form(), "?kind=subtitles"), (_form(after="subtitles"), ""),
        (_form(after="nonsense"), ""),
    ):  # fmt: skip
        assert _send(client, body, query=query).status_code == 400
    assert _send(client, _form(), query="?kind=nonsense").status_code == 422
    assert len(platform.uploads.mine(LOCAL_ACTOR)[0]) == 3


def test_what_is_no_form_with_a_file_is_refused(client: FlaskClient, platform: Platform) -> None:
    """With a word about how it is done, and nothing is left of it."""
    whole = _form()
    two = whole.replace(f"--{BOUNDARY}--".encode(), b"") + _form()
    no_name = whole.replace(b'; filename="Talk.wav"', b"")
    for body, content_type in (
        (b"{}", "application/json"), (WAV, "audio/wav"), (b"", FORM["Content-Type"]),
        (whole, "multipart/form-data"), (whole, "multipart/form-data; boundary=other"),
        (whole, f"multipart/form-data; boundary={'x' * 300}"), (whole, "multipart/form-data; boundary=ö"),
        (whole[:200], FORM["Content-Type"]), (whole[:-20], FORM["Content-Type"]),
        (no_name, FORM["Content-Type"]), (two, FORM["Content-Type"]),
        (whole.replace(b'name="file"', b'name="other"'), FORM["Content-Type"]),
        (f"--{BOUNDARY}--\r\n".encode(), FORM["Content-Type"]), (b"nonsense", FORM["Content-Type"]),
        (_form(b""), FORM["Content-Type"]), (_form(name=""), FORM["Content-Type"]),
        (_form(name="Talk"), FORM["Content-Type"]), (_form(name="Talk.exe"), FORM["Content-Type"]),
    ):  # fmt: skip
        answer = client.post("/api/v1/uploads", data=body, headers={"Content-Type": content_type})
        assert answer.status_code == 400, (body[:80], content_type)
        assert answer.mimetype == "application/problem+json"
    assert _nothing_is_left(platform)


def test_forms_that_hold_too_much_besides_the_file_are_refused(
    client: FlaskClient, platform: Platform
) -> None:
    """Long fields, many fields, headers without end: none of it is collected."""
    many = _form(**{f"field{index}": "x" for index in range(30)})
    header = _form().replace(b"Content-Type: audio/wav", b"X: " + b"x" * (2 << 20))
    for body, status in ((many, 413), (header, 413), (_form(kind="media" * (1 << 20)), 400)):
        assert _send(client, body).status_code == status
    assert _nothing_is_left(platform)


def test_a_file_that_is_too_large_is_refused(opening: Opening) -> None:
    """By its announced length at once; without one as soon as it has more than it may."""
    platform = opening(upload=len(WAV) + 10)
    client = create_app(platform).test_client()
    assert _send(client, _form()).status_code == 201
    before = len(platform.uploads.mine(LOCAL_ACTOR)[0])
    drawn = 0

    class Endless(io.RawIOBase):
        """A body without a length and without an end."""

        def __init__(self) -> None:
            self.begun = io.BytesIO(_form()[:300])

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            nonlocal drawn
            data = self.begun.read(len(buffer)) or bytes(len(buffer))
            buffer[: len(data)] = data
            drawn += len(data)
            return len(data)

    large = _send(client, _form(bytes(len(WAV) + 30_000)))
    endless = client.post(
        "/api/v1/uploads", headers=FORM | {"Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input": io.BufferedReader(Endless()), "wsgi.input_terminated": True},
    )  # fmt: skip
    for answer in (large, endless):
        assert (answer.status_code, answer.get_json()["code"]) == (413, "too_large")
    assert drawn < 500_000
    assert len(platform.uploads.mine(LOCAL_ACTOR)[0]) == before
    assert len([*(platform.settings.data_dir / "uploads").glob("*")]) == 0


def test_a_user_has_no_more_room_than_allowed(opening: Opening) -> None:
    """What is too much is refused with the limit."""
    client = create_app(opening(uploads=2 * len(WAV))).test_client()
    assert _send(client, _form()).status_code == 201
    answer = _send(client, _form())
    assert (answer.status_code, answer.get_json()["code"]) == (403, "quota_exceeded")


def test_a_connection_that_breaks_leaves_nothing(client: FlaskClient, platform: Platform) -> None:
    """Half a form is no upload."""

    class Broken(io.RawIOBase):
        """A body that ends early."""

        def __init__(self) -> None:
            self.begun = io.BytesIO(_form()[:5000])

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            data = self.begun.read(len(buffer))
            if not data:
                raise ClientDisconnected
            buffer[: len(data)] = data
            return len(data)

    answer = client.post(
        "/api/v1/uploads", headers=FORM,
        environ_overrides={"wsgi.input": io.BufferedReader(Broken()), "CONTENT_LENGTH": "20000"},
    )  # fmt: skip
    assert answer.status_code == 400
    assert _nothing_is_left(platform)


def test_a_large_file_is_received_in_little_memory(
    client: FlaskClient, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes from the connection to the disk piece by piece."""
    body = _form(bytes(1 << 25))
    monkeypatch.setattr("autodub.jobs.uploads.examined", lambda *_, **__: {})
    stream = io.BytesIO(body)
    tracemalloc.start()
    answer = client.post(
        "/api/v1/uploads", headers=FORM, input_stream=stream, content_length=len(body)
    )  # fmt: skip
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (answer.status_code, answer.get_json()["size"]) == (201, 1 << 25)
    assert most < 4 << 20


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RealServer]:
    """The real server over the data directory of ``platform``."""
    found = RealServer(tmp_path)
    yield found
    found.close()


def test_the_real_server_takes_forms_of_any_length(server: RealServer, platform: Platform) -> None:
    """With a length and in chunks; what is refused before its end has come is answered all the same."""
    body = _form()

    def chunks() -> Iterator[bytes]:
        for first in range(0, len(body), 3000):
            yield body[first : first + 3000]

    for content in (body, chunks()):
        answer = httpx.post(f"{server.address}/api/v1/uploads", content=content, headers=FORM)
        assert answer.status_code == 201
        assert answer.json()["state"] == "ready"
    refused = httpx.post(
        f"{server.address}/api/v1/uploads", content=_form(bytes(1 << 20), "a.exe"), headers=FORM
    )
    assert refused.status_code == 400
    assert len(platform.uploads.mine(LOCAL_ACTOR)[0]) == 2
