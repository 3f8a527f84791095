"""Looking at sources over HTTP: links, of which no media is fetched, and uploads."""

from __future__ import annotations

import io
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from autodub.engines import registry
from autodub.infra import server_settings, settings
from autodub.jobs import looking
from autodub.jobs.platform import LOCAL_ACTOR, Platform
from autodub.jobs.records import Actor
from autodub.model.errors import Unavailable
from autodub.testing.site import Site
from autodub.web.app import create_app
from autodub.web.limits import kind_of


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of four seconds."""
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    subprocess.run(
        ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=4", "-f", "lavfi", "-i",
         "sine=d=4", "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", path], check=True,
    )  # fmt: skip
    return path


@pytest.fixture
def site(clip: Path, tmp_path: Path) -> Iterator[Site]:
    """A site with it."""
    with Site(clip, tmp_path / "site", title="Eine Rede", language="de") as site:
        yield site


@pytest.fixture
def allowed(tmp_path: Path) -> Iterator[Platform]:
    """A platform that may fetch from this machine."""
    environ = {"HOME": str(tmp_path), "AUTODUB_SITES": "127.0.0.1", "AUTODUB_ADDRESSES": "127.0.0.1/32"}
    known = settings.load(environ=environ, data_dir=tmp_path / "allowed")
    platform = Platform(known, server_settings.load(known, environ={}, given={"spare": 0}))
    yield platform
    platform.close()


def test_a_link_is_looked_at_without_its_media(allowed: Platform, site: Site) -> None:
    """Title, picture and languages are told, no media was sent; asked again, the site is not asked again."""
    client = create_app(allowed).test_client()
    answer = client.post("/api/v1/look", json={"source": site.url("talk")})
    assert answer.status_code == 200
    found = answer.get_json()
    assert (found["title"], found["live"], found["video"], found["refused"]) == (
        "Eine Rede",
        "no",
        True,
        None,
    )
    assert found["seconds"] is None  # this page does not say
    assert (found["width"], found["height"]) == (320, 180)
    assert {"kind": "captions", "language": "de", "codec": "", "channels": None} in found["tracks"]
    assert [one["language"] for one in found["tracks"] if one["kind"] == "sound"] == ["de"]
    assert site.media == 0
    asked = len(site.asked)
    assert client.post("/api/v1/look", json={"source": site.url("talk")}).get_json() == found
    assert len(site.asked) == asked
    assert list(allowed.store.blobs.files()) == []


def test_what_would_not_be_dubbed_says_why(allowed: Platform, site: Site) -> None:
    """A broadcast, and a video that lasts a day, are told with their reason; a list is not one video."""
    client = create_app(allowed).test_client()
    live = client.post("/api/v1/look", json={"source": site.url("live.m3u8")}).get_json()
    assert live["live"] == "live"
    assert "live" in live["refused"]["message"]
    long = client.post("/api/v1/look", json={"source": site.url("long.m3u8")}).get_json()
    assert long["seconds"] > 80_000
    assert long["refused"]["code"] == "unsupported_source"
    assert long["refused"]["hint"]
    listed = client.post("/api/v1/look", json={"source": site.url("list")})
    assert (listed.status_code, listed.get_json()["code"]) == (400, "unsupported_source")
    assert site.media == 0


def test_a_video_that_is_not_there_is_no_fault_of_the_server(allowed: Platform, site: Site) -> None:
    """A link that leads nowhere is told as what the site answered."""
    answer = create_app(allowed).test_client().post("/api/v1/look", json={"source": site.url("nothing-here")})
    assert (answer.status_code, answer.get_json()["code"]) == (502, "rejected")
    assert answer.get_json()["hint"]


def test_links_pass_the_rules_for_downloads(client: FlaskClient, platform: Platform) -> None:
    """Other sites, this machine and other schemes are refused, before anybody is asked; it is a change."""
    for source in ("https://example.org/a", "http://127.0.0.1/", "http://user:word@youtube.com/watch?v=x"):
        answer = client.post("/api/v1/look", json={"source": source})
        assert answer.status_code == 400
        assert answer.get_json()["hint"]
    for body in ({}, {"source": "file:///etc/passwd"}, {"source": "https://youtu.be/x", "upload": "0" * 32}):
        assert client.post("/api/v1/look", json=body).status_code == 422
    assert kind_of("POST", "/api/v1/look") == ""


def test_few_links_are_looked_at_at_once(
    allowed: Platform, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one is told to come back, and no thread waits; one user takes no more than half the seats."""
    go, client = threading.Event(), create_app(allowed).test_client()
    begun, real = threading.Semaphore(0), registry.build

    def slow(*given: Any) -> Any:
        begun.release()
        assert go.wait(60)
        return real(*given)

    def ask(number: int, name: str) -> str:
        return allowed.looking.link(Actor(name), site.url(f"talk?{number}")).title

    monkeypatch.setattr(looking.registry, "build", slow)
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(ask, number, "ann") for number in range(2)]
        for _ in asked:
            assert begun.acquire(timeout=60)
        with pytest.raises(Unavailable):
            ask(2, "ann")
        asked += [pool.submit(ask, number, "bob") for number in (3, 4)]
        for _ in range(2):
            assert begun.acquire(timeout=60)
        with pytest.raises(Unavailable):
            ask(5, "cid")
        assert client.post("/api/v1/look", json={"source": site.url("talk")}).status_code == 503
        go.set()
        assert {one.result(60) for one in asked} == {"Eine Rede"}
    assert ask(6, "ann") == "Eine Rede"


def test_an_upload_is_told_in_the_same_shape(
    client: FlaskClient, platform: Platform, clip: Path, tmp_path: Path
) -> None:
    """What is known of it since it came; subtitles are nothing to dub; half an upload cannot be seen."""

    def look(path: Path) -> dict[str, object]:
        sent = client.post("/api/v1/uploads", data={"file": (io.BytesIO(path.read_bytes()), path.name)})
        answer = client.post("/api/v1/look", json={"upload": sent.get_json()["id"]})
        assert answer.status_code == 200
        return dict(answer.get_json())

    found = look(clip)
    assert (found["title"], found["video"], found["width"], found["refused"]) == ("clip.mp4", True, 320, None)
    assert found["seconds"] == pytest.approx(4, abs=0.2)
    assert found["tracks"] == [{"kind": "sound", "language": None, "codec": "aac", "channels": 1}]
    words = tmp_path / "a.srt"
    words.write_text("1\n00:00:00,000 --> 00:00:03,000\nHola.\n")
    assert look(words)["refused"]
    half = platform.uploads.begin(LOCAL_ACTOR, "talk.mp4", size=1000)
    assert client.post("/api/v1/look", json={"upload": half.id}).status_code == 409
    assert client.post("/api/v1/look", json={"upload": "0" * 32}).status_code == 404
