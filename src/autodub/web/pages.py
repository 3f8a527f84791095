"""The web app: what ``web/`` builds into the folder ``assets`` beside this module.

Addresses of the app are all answered with its one page, which then shows what the address says. Its files
have a digest in their names, so they are kept for ever; beside a file lie its compressed forms. Where the app
was not built, the first page leads to the description of the interface.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from flask import Response, redirect, request, url_for
from flask_openapi3 import APIBlueprint

from autodub.model.errors import NotFound
from autodub.web import identity
from autodub.web.identity import public

FOLDER = Path(__file__).with_name("assets")
PLACES = ("jobs", "voices", "glossaries", "usage", "settings", "admin", "sign-in")
"""First words of the app's addresses; what follows them is the app's own business."""
HOW = "The web app is not built here. With Node.js 20.19 or newer: make setup"
_NONCE, _SESSION = "AUTODUB_NONCE", "AUTODUB_SESSION"
_FOREVER = "public, max-age=31536000, immutable"
_CODINGS = {"br": ".br", "gzip": ".gz"}
"""Compressed forms that the build writes, the best first."""
_TYPES: Mapping[str, str] = {
    ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml",
    ".json": "application/json", ".woff2": "font/woff2", ".png": "image/png", ".wasm": "application/wasm",
}  # fmt: skip
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,200}")
"""What files of the app are called; nothing else is looked for on the disk."""
_DIGEST = re.compile(r"-([\w-]{8})\.\w+$")

blueprint = APIBlueprint("pages", __name__, doc_ui=False)


def policy(nonce: str) -> str:
    """What the page may do: all comes from here, and only styles that know the nonce are added to it."""
    return (
        f"default-src 'self'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; "
        "img-src 'self' data: blob:; media-src 'self' blob:; font-src 'self'; "
        "connect-src 'self'; worker-src 'self' blob:; "
        "manifest-src 'self'; object-src 'none'; frame-src 'none'; frame-ancestors 'none'; base-uri 'none'; "
        "form-action 'self'"
    )


@blueprint.get("/")
@public
def front() -> Any:
    """The app; its description of the interface where it was not built."""
    if _page() is None:
        answer = redirect(url_for("docs.page"))
        answer.set_data(f"{HOW}\n")
        answer.mimetype = "text/plain"
        return answer
    return place()


@public
def place(rest: str = "") -> Response:  # noqa: ARG001 - the page looks at its address itself
    """The app's page, whatever it then shows. Raises NotFound where it was not built."""
    page = _page()
    if page is None:
        raise NotFound("The web app is not built here.", hint="With Node.js 20.19 or newer: make setup")
    nonce = secrets.token_urlsafe(16)
    text = page.replace(_NONCE, nonce).replace(_SESSION, "none" if identity.known() is None else "open")
    answer = Response(text, mimetype="text/html")
    answer.headers["Content-Security-Policy"] = policy(nonce)
    answer.headers["Cache-Control"] = "no-store"  # the nonce is good once
    return answer


def missing() -> Response | None:
    """For a person at an address that nothing has: the app's page, which says so. None for programs."""
    if request.method not in ("GET", "HEAD") or request.path.startswith(("/api/", "/assets/")):
        return None
    wanted = request.accept_mimetypes.best_match(("application/problem+json", "text/html"))
    if wanted != "text/html" or _page() is None:
        return None
    answer = place()
    answer.status_code = 404
    return answer


for _name in PLACES:
    for _rule in (f"/{_name}", f"/{_name}/<path:rest>"):
        blueprint.add_url_rule(_rule, _rule.strip("/").replace("/<path:rest>", "_rest"), place)


@public
def file(name: str) -> Response:
    """A file of the app, in the best form that is understood. Raises NotFound."""
    path = FOLDER / "assets" / name
    kind = _TYPES.get(path.suffix)
    if kind is None or not _NAME.fullmatch(name) or not path.is_file():
        raise NotFound(
            "There is no such file of the app.", hint="Load the page again: it may be a newer one."
        )
    coding = _coding(path)
    sent = path if coding is None else path.with_name(path.name + _CODINGS[coding])
    answer = Response(sent.read_bytes(), mimetype=kind)
    answer.set_etag(_tag(path, coding))
    if coding is not None:
        answer.headers["Content-Encoding"] = coding
    answer.headers["Cache-Control"] = _FOREVER if _DIGEST.search(path.name) else "no-cache"
    answer.vary.add("Accept-Encoding")
    return cast("Response", answer.make_conditional(request))


blueprint.add_url_rule("/assets/<name>", "file", file)


def _coding(path: Path) -> str | None:
    """Which compressed form is understood and there; None: as it is."""
    accepted = request.accept_encodings
    for coding, ending in _CODINGS.items():
        if accepted[coding] > 0 and path.with_name(path.name + ending).is_file():
            return coding
    return None


def _tag(path: Path, coding: str | None) -> str:
    """Name of a form of a file: the digest in its name, or when it was written."""
    named = _DIGEST.search(path.name)
    digest = named[1] if named else f"{path.stat().st_mtime_ns:x}"
    return f"{path.stem}-{digest}-{coding or 'plain'}"


def _page() -> str | None:
    """The built page, with places for nonce and session; None where there is none."""
    path = FOLDER / "index.html"
    try:
        return _read(path, path.stat().st_mtime_ns)
    except FileNotFoundError:
        return None


@lru_cache(maxsize=2)
def _read(path: Path, written: int) -> str:  # noqa: ARG001 - the app may be built while the server runs
    return path.read_text("utf-8")
