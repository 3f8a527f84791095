"""The web app as it is served: its page, its files, and what both allow."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from people import Browser, added

from autodub.jobs.platform import Platform
from autodub.web import pages
from autodub.web.app import create_app

SCRIPT = b"export const one = 1;\n" * 100
ADDRESSES = (
    "/", "/jobs", f"/jobs/{'a' * 32}/studio", "/voices", "/glossaries", "/usage", "/settings/keys", "/admin",
    "/sign-in",
)  # fmt: skip
NAME = "index-Ab3_d-9Z.js"


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as the build leaves it."""
    folder = tmp_path / "built"
    files = folder / "assets"
    files.mkdir(parents=True)
    (folder / "index.html").write_text(
        '<meta name="autodub-session" content="AUTODUB_SESSION"><script nonce="AUTODUB_NONCE"></script>'
    )
    (files / NAME).write_bytes(SCRIPT)
    (files / f"{NAME}.gz").write_bytes(gzip.compress(SCRIPT))
    (files / f"{NAME}.br").write_bytes(b"as brotli")
    (files / "plain.css").write_text("a{}")
    monkeypatch.setattr(pages, "FOLDER", folder)
    return folder


@pytest.fixture
def unbuilt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was built."""
    monkeypatch.setattr(pages, "FOLDER", tmp_path / "nothing")


@pytest.mark.parametrize("address", ADDRESSES)
def test_every_address_of_the_app_shows_its_page(built: Path, client: FlaskClient, address: str) -> None:
    """A link into the app works as well as its front door, and nobody keeps a page whose nonce is spent."""
    answer = client.get(address)
    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    assert answer.headers["Cache-Control"] == "no-store"
    assert client.head(address).status_code == 200


def test_the_page_may_only_use_what_is_its_own(built: Path, client: FlaskClient) -> None:
    """No inline script, no other host; a nonce for styles that is another one each time."""
    seen = set()
    for _ in range(2):
        answer = client.get("/jobs")
        rules = dict(
            part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";")
        )
        assert rules["default-src"] == rules["script-src"] == rules["connect-src"] == "'self'"
        assert rules["frame-ancestors"] == rules["base-uri"] == rules["object-src"] == "'none'"
        nonce = re.fullmatch(r"'self' 'nonce-([\w-]{20,})'", rules["style-src"])
        assert nonce is not None
        assert f'nonce="{nonce[1]}"' in answer.text
        assert "AUTODUB_" not in answer.text
        seen.add(nonce[1])
    assert len(seen) == 2


def test_the_page_says_whether_somebody_is_signed_in(built: Path, platform: Platform, app: Flask) -> None:
    """So the app asks for nothing that would be refused, and learns nothing else."""
    assert 'content="open"' in app.test_client().get("/").text
    platform.server = platform.server.model_copy(update={"accounts": True})
    guarded = create_app(platform)
    added(platform, "ann")
    assert 'content="none"' in guarded.test_client().get("/jobs").text
    assert 'content="open"' in Browser(guarded, "ann").ask("GET", "/jobs").text


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [("gzip, deflate, br", "br"), ("gzip", "gzip"), ("br;q=0, gzip", "gzip"), ("", None), ("identity", None)],
)
def test_files_come_compressed_where_that_is_understood(
    built: Path, client: FlaskClient, accepted: str, coding: str | None
) -> None:
    """The best form that the browser takes, under a tag of its own, kept for ever."""
    answer = client.get(f"/assets/{NAME}", headers={"Accept-Encoding": accepted})
    assert answer.headers.get("Content-Encoding") == coding
    body = {"br": b"as brotli", "gzip": gzip.compress(SCRIPT), None: SCRIPT}[coding]
    assert len(answer.data) == len(body)
    assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert "immutable" in answer.headers["Cache-Control"]
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert (coding or "plain") in answer.headers["ETag"]
    again = client.get(
        f"/assets/{NAME}", headers={"Accept-Encoding": accepted, "If-None-Match": answer.headers["ETag"]}
    )
    assert (again.status_code, again.data) == (304, b"")


def test_a_file_without_a_digest_in_its_name_is_asked_for_again(built: Path, client: FlaskClient) -> None:
    """It may change under its name."""
    assert client.get("/assets/plain.css").headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    "name",
    [
        "nothing.js", "%2e%2e/index.html", f"{NAME}.gz", "..%2findex.html", "assets", "..", "a%00.js",
        f"{'a' * 300}.js", f"{'%F0%9F%92%A9' * 70}.js",
    ],
)  # fmt: skip
def test_nothing_else_is_served(built: Path, client: FlaskClient, name: str) -> None:
    """Only files of the kinds that the app has, out of their folder."""
    assert client.get(f"/assets/{name}").status_code == 404


def test_a_person_at_a_wrong_address_is_shown_the_app(built: Path, client: FlaskClient) -> None:
    """A browser gets the page, which says that nothing is there; a program gets the problem."""
    browser = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
    answer = client.get("/nowhere", headers=browser)
    assert (answer.status_code, answer.mimetype) == (404, "text/html")
    for address, headers in (("/nowhere", {}), ("/api/v1/nowhere", browser), ("/assets/no.js", browser)):
        answer = client.get(address, headers=headers)
        assert (answer.status_code, answer.mimetype) == (404, "application/problem+json"), address
    assert client.post("/nowhere", headers=browser).mimetype == "application/problem+json"


def test_without_the_app_the_front_door_leads_to_the_interface(unbuilt: None, client: FlaskClient) -> None:
    """Whoever opens the address that the server names finds its description, and how to build the app."""
    answer = client.get("/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/docs")
    assert "make setup" in answer.text
    missing = client.get("/jobs")
    assert missing.status_code == 404
    assert missing.json is not None
    assert "make setup" in missing.json["hint"]
