"""Asking a server beside the page: what a test needs to be there, and whether it came about."""

from __future__ import annotations

import json
import secrets
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect
from real_site import PASSWORD, Site

from autodub.testing import clips


@dataclass(frozen=True)
class Dubs:
    """A server with two dubs into Spanish, of four seconds each."""

    site: Site
    first: str
    """Called ``=First``."""
    second: str


def ask(site: Site, method: str, path: str, body: object = None) -> Any:
    """What a server without accounts answers."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        f"{site.address}/api/v1{path}", data, {"Content-Type": "application/json"}, method=method
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read() or b"null")


def dub(site: Site, folder: Path, title: str) -> str:
    """The id of a dub of four seconds into Spanish, once it is done."""
    said = clips.SpokenLine("The market is near the old church.", 500)
    film = clips.build([said], out=folder / f"{title}.mp4", duration=4000, size=(160, 90), music_level=None)
    edge = secrets.token_hex(8)
    head = f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="{title}.mp4"\r\n\r\n'
    body = head.encode() + film.path.read_bytes() + f"\r\n--{edge}--\r\n".encode()
    kind = {"Content-Type": f"multipart/form-data; boundary={edge}"}
    sent = urllib.request.Request(f"{site.address}/api/v1/uploads", body, kind, method="POST")
    with urllib.request.urlopen(sent, timeout=60) as answer:
        upload = json.loads(answer.read())["id"]
    wishes = {"upload": upload, "target": "es", "spoken": "en", "title": title}
    job = str(ask(site, "POST", "/jobs", wishes)["id"])
    after = 0
    while True:
        page = ask(site, "GET", f"/jobs/{job}/events?after={after}&wait=20")
        after = page["after"]
        if page["over"] and not page["events"]:
            assert ask(site, "GET", f"/jobs/{job}")["state"] == "completed"
            return job


def sign_in(page: Page, name: str, path: str, password: str = PASSWORD) -> None:
    """Sign in, on the way to a page."""
    page.goto(f"/sign-in?next={path}")
    page.get_by_label("Name or e-mail address").fill(name)
    page.get_by_label("Password", exact=True).fill(password)
    page.keyboard.press("Enter")
    expect(page.get_by_role("navigation", name="Main")).to_be_visible()
    page.locator("main h1").wait_for()


def fits(page: Page) -> bool:
    """Whether nothing hangs over the edge of the window."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))
