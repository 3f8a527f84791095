"""Uploads that can be resumed, as tus 1.0.0 has it."""

from __future__ import annotations

import base64
import socket
import time
from collections.abc import Iterator
from hashlib import sha1, sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from flask.testing import FlaskClient
from real_server import RealServer
from sounds import WAV, wav
from werkzeug.test import TestResponse

from autodub.jobs.platform import LOCAL_ACTOR, Platform
from autodub.web import tus

TUS = {"Tus-Resumable": "1.0.0"}
PIECE = {"Content-Type": "application/offset+octet-stream"}


def _metadata(**pairs: str) -> str:
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in pairs.items())


def _begin(client: FlaskClient, size: int = len(WAV), name: str = "Talk.wav", **given: Any) -> TestResponse:
    headers = TUS | {"Upload-Length": str(size), "Upload-Metadata": _metadata(filename=name)}
    headers |= given.pop("headers", {})
    return client.post("/api/v1/uploads", headers=headers, **given)


def _send(client: FlaskClient, url: str, data: bytes, offset: int, **headers: str) -> TestResponse:
    return client.patch(url, data=data, headers=TUS | PIECE | {"Upload-Offset": str(offset)} | headers)


def test_a_file_is_sent_in_pieces(client: FlaskClient, platform: Platform) -> None:
    """Begun, continued from the offset that is told, ready with the last piece."""
    begun = _begin(client)
    url = begun.headers["Location"]
    assert (begun.status_code, begun.headers["Tus-Resumable"], begun.data) == (201, "1.0.0", b"")
    for offset in (0, 1000):
        head = client.head(url, headers=TUS)
        assert (head.status_code, head.headers["Upload-Offset"]) == (200, str(offset))
        assert (head.headers["Upload-Length"], head.headers["Cache-Control"]) == (str(len(WAV)), "no-store")
        assert head.headers["Upload-Metadata"] == _metadata(filename="Talk.wav", kind="media")
        assert head.headers["Upload-Expires"].endswith("GMT")
        sent = _send(client, url, WAV[offset : offset + 1000], offset)
        assert (sent.status_code, sent.headers["Upload-Offset"]) == (204, str(offset + 1000))
    assert client.get(url).get_json()["state"] == "receiving"
    assert _send(client, url, WAV[2000:], 2000).headers["Upload-Offset"] == str(len(WAV))
    found = client.get(url).get_json()
    assert (found["state"], found["received"], found["name"]) == ("ready", len(WAV), "Talk.wav")
    assert client.head(url, headers=TUS).headers["Upload-Offset"] == str(len(WAV))
    assert [path.name for path in platform.store.blobs.files()] == [sha256(WAV).hexdigest() + ".wav"]


def test_the_first_piece_may_come_with_the_announcement(client: FlaskClient) -> None:
    """Also the whole file."""
    half = _begin(client, data=WAV[:700], headers=PIECE)
    assert (half.status_code, half.headers["Upload-Offset"]) == (201, "700")
    whole = _begin(client, data=WAV, headers=PIECE)
    assert client.get(whole.headers["Location"]).get_json()["state"] == "ready"


def test_what_does_not_follow_is_refused(client: FlaskClient) -> None:
    """A wrong offset, another media type, no offset; what is there stays."""
    url = _begin(client).headers["Location"]
    assert _send(client, url, WAV[:500], 0).status_code == 204
    wrong = _send(client, url, WAV[:10], 0)
    assert (wrong.status_code, wrong.get_json()["code"]) == (409, "conflict")
    assert _send(client, url, b"x", 501).status_code == 409
    assert _send(client, url, b"x", 500, **{"Content-Type": "video/mp4"}).status_code == 415
    for offset in ("-1", "x", "", "1" * 30, "٣"):
        headers = TUS | PIECE | {"Upload-Offset": offset.encode().decode("latin-1")}
        assert client.patch(url, data=b"x", headers=headers).status_code == 400
    assert _send(client, url, bytes(len(WAV)), 500).status_code == 413
    assert client.head(url, headers=TUS).headers["Upload-Offset"] == "500"


def test_somebody_who_sends_beside_is_told_to_wait(client: FlaskClient, platform: Platform) -> None:
    """423, until the other one is done."""
    url = _begin(client).headers["Location"]
    with platform.uploads._growing.alone(url.rpartition("/")[2]):
        for answer in (_send(client, url, b"x", 0), client.delete(url, headers=TUS)):
            assert (answer.status_code, answer.get_json()["code"]) == (423, "locked")
    assert _send(client, url, b"x", 0).status_code == 204


def test_a_checksum_is_checked(client: FlaskClient) -> None:
    """A piece that is not what was sent is thrown away, with tus's own status."""
    url = _begin(client).headers["Location"]
    right = base64.b64encode(sha1(WAV[:100]).digest()).decode()
    wrong = _send(client, url, WAV[1:101], 0, **{"Upload-Checksum": f"sha1 {right}"})
    assert (wrong.status_code, wrong.get_json()["code"]) == (460, "checksum_mismatch")
    assert client.head(url, headers=TUS).headers["Upload-Offset"] == "0"
    for said in ("crc32 AAAA", "sha1", "sha1 !!!", "sha1 ", "nonsense"):
        assert _send(client, url, WAV[:100], 0, **{"Upload-Checksum": said}).status_code == 400
    assert _send(client, url, WAV[:100], 0, **{"Upload-Checksum": f"sha1 {right}"}).status_code == 204


def test_another_version_is_refused(client: FlaskClient) -> None:
    """With the version that would do; only looking and deleting need none."""
    url = _begin(client).headers["Location"]
    for answer in (
        client.patch(url, headers=PIECE | {"Upload-Offset": "0", "Tus-Resumable": "0.2.2"}),
        client.patch(url, headers=PIECE | {"Upload-Offset": "0"}),
        client.post("/api/v1/uploads", headers={"Tus-Resumable": "2.0.0", "Upload-Length": "5"}),
        client.get(url, headers={"Tus-Resumable": "2.0.0"}),
        client.delete(url, headers={"Tus-Resumable": "2.0.0"}),
    ):
        assert (answer.status_code, answer.headers["Tus-Version"]) == (412, "1.0.0")
    assert client.get(url).status_code == 200
    assert client.delete(url).status_code == 204


def test_a_server_says_what_it_can(client: FlaskClient, platform: Platform) -> None:
    """To anybody who asks with OPTIONS, without a version."""
    for url in ("/api/v1/uploads", f"/api/v1/uploads/{'0' * 32}"):
        answer = client.options(url)
        assert (answer.status_code, answer.headers["Tus-Version"]) == (204, "1.0.0")
        assert set(answer.headers["Tus-Extension"].split(",")) == {
            "creation", "creation-with-upload", "termination", "expiration", "checksum",
        }  # fmt: skip
        assert answer.headers["Tus-Max-Size"] == str(platform.server.upload)
        assert "sha1" in answer.headers["Tus-Checksum-Algorithm"].split(",")


def test_an_upload_is_given_up(client: FlaskClient, platform: Platform) -> None:
    """After that it is not there, and nothing of it."""
    url = _begin(client).headers["Location"]
    _send(client, url, WAV[:500], 0)
    answer = client.delete(url, headers=TUS)
    assert (answer.status_code, answer.headers["Tus-Resumable"]) == (204, "1.0.0")
    for answer in (client.head(url, headers=TUS), _send(client, url, b"x", 500), client.delete(url)):
        assert answer.status_code == 404
    assert list((platform.settings.data_dir / "uploads").iterdir()) == []


def test_announcements_that_cannot_be(client: FlaskClient, platform: Platform) -> None:
    """No length, an odd one, too large a one, no name, an odd name, metadata that are none."""
    limit = platform.server.upload
    for headers, status in (
        ({"Upload-Length": ""}, 400), ({"Upload-Length": "0"}, 400), ({"Upload-Length": "-5"}, 400),
        ({"Upload-Length": "1e3"}, 400), ({"Upload-Length": str(limit + 1)}, 413),
        ({"Upload-Length": "9" * 18}, 413), ({"Upload-Defer-Length": "1"}, 400),
        ({"Upload-Metadata": ""}, 400), ({"Upload-Metadata": "filename"}, 400),
        ({"Upload-Metadata": "filename !!"}, 400), ({"Upload-Metadata": "filename /////w=="}, 400),
        ({"Upload-Metadata": _metadata(filename="talk.exe")}, 400),
        ({"Upload-Metadata": _metadata(filename="talk.wav", kind="subtitles")}, 400),
        ({"Upload-Metadata": _metadata(filename="talk.wav", kind="nonsense")}, 400),
    ):  # fmt: skip
        answer = _begin(client, headers=headers)
        assert (answer.status_code, answer.mimetype) == (status, "application/problem+json"), headers
    assert platform.uploads.mine(LOCAL_ACTOR) == ([], 0)
    assert _begin(client, size=limit).status_code == 201


def test_a_refused_file_is_gone_for_good(client: FlaskClient) -> None:
    """The last piece is answered with the reason; whoever wants to resume it learns that it cannot be."""
    url = _begin(client, size=9, name="Talk.mp4").headers["Location"]
    last = _send(client, url, b"no video!", 0)
    assert (last.status_code, last.get_json()["code"]) == (400, "unsupported_source")
    assert "Talk.mp4" in last.get_json()["title"]
    head = client.head(url, headers=TUS)
    assert head.status_code == 410
    assert _send(client, url, b"x", 0).status_code == 409
    found = client.get(url).get_json()
    assert (found["state"], found["why"][:8]) == ("refused", "Talk.mp4")


def test_methods_may_come_in_a_header(client: FlaskClient) -> None:
    """For networks that let only GET and POST through."""
    url = _begin(client).headers["Location"]
    override = TUS | PIECE | {"Upload-Offset": "0", "X-HTTP-Method-Override": "PATCH"}
    assert client.post(url, data=WAV[:9], headers=override).headers["Upload-Offset"] == "9"
    head = client.post(url, headers=TUS | {"X-HTTP-Method-Override": "HEAD"})
    assert head.headers["Upload-Offset"] == "9"
    assert client.post(url, headers=TUS).status_code == 400
    assert client.post(url, headers=TUS | {"X-HTTP-Method-Override": "DELETE"}).status_code == 204


def test_another_ones_upload_is_not_there(client: FlaskClient) -> None:
    """As one that never was."""
    url = f"/api/v1/uploads/{'0' * 32}"
    for answer in (
        client.head(url, headers=TUS),
        client.delete(url, headers=TUS),
        _send(client, url, b"", 0),
    ):
        assert answer.status_code == 404
    assert client.get("/api/v1/uploads/..%2f..%2fetc").status_code in (404, 422)
    assert client.get(f"/api/v1/uploads/{'A' * 32}").status_code == 404


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RealServer]:
    """The real server over the data directory of ``platform``."""
    found = RealServer(tmp_path)
    yield found
    found.close()


def test_an_upload_survives_its_server(server: RealServer, platform: Platform) -> None:
    """Killed in the middle of a piece: what had come is there, and the next server goes on from it."""
    large = wav(seconds=20)
    name = {"Upload-Length": str(len(large)), "Upload-Metadata": _metadata(filename="Talk.wav")}
    begun = httpx.post(f"{server.address}/api/v1/uploads", headers=TUS | name)
    path = urlsplit(begun.headers["Location"]).path
    place = urlsplit(server.address)
    with socket.create_connection((place.hostname, place.port)) as half:
        half.sendall(
            f"PATCH {path} HTTP/1.1\r\nHost: {place.netloc}\r\nTus-Resumable: 1.0.0\r\n"
            f"Content-Type: {PIECE['Content-Type']}\r\nUpload-Offset: 0\r\n"
            f"Content-Length: {len(large)}\r\n\r\n".encode()
            + large[:200_000]
        )
        upload = path.rpartition("/")[2]
        end = time.monotonic() + 30
        while not platform.uploads.get(LOCAL_ACTOR, upload).received and time.monotonic() < end:
            time.sleep(0.001)
        server.kill()
    server.start()
    known = int(httpx.head(server.address + path, headers=TUS).headers["Upload-Offset"])
    assert 65_536 <= known <= 200_000

    def rest() -> Iterator[bytes]:  # without a length: in chunks
        yield large[known:250_000]
        yield large[250_000:]

    headers = TUS | PIECE | {"Upload-Offset": str(known)}
    sent = httpx.patch(server.address + path, content=rest(), headers=headers)
    assert (sent.status_code, sent.headers["Upload-Offset"]) == (204, str(len(large)))
    assert httpx.get(server.address + path).json()["state"] == "ready"
    assert [file.name for file in platform.store.blobs.files()] == [sha256(large).hexdigest() + ".wav"]
    assert sent.headers["Tus-Resumable"] == tus.VERSION
