"""Who may use which route: every route of the app, asked by everybody there is.

A route that is not in the table fails the test. Each line has the statuses for: nobody; another user; the
owner; an admin; a revoked key of the owner; a key of the owner that only looks.
"""

from __future__ import annotations

import io
import itertools
import json
import re
import secrets
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy
import pytest
from flask import Flask
from people import CHEAP, PASSWORD, Browser, key_of
from sqlalchemy import insert, select, update
from werkzeug.test import TestResponse

from autodub.infra import server_settings, settings
from autodub.jobs import tables
from autodub.jobs.accounts import Accounts
from autodub.jobs.platform import LOCAL_ACTOR, Platform
from autodub.jobs.records import Actor
from autodub.jobs.spec import Statement
from autodub.media import sound
from autodub.web import pages
from autodub.web.app import create_app
from finished_jobs import finished

WHO = ("nobody", "another", "owner", "admin", "revoked", "reader")
OPEN = "200 200 200 200 200 200"
LISTED = "401 200 200 200 401 200"
"""Everybody sees their own."""
SEEN = "401 404 200 200 401 200"
"""The owner sees it, and an admin."""
CHANGED, GONE, QUEUED = "401 404 200 200 401 403", "401 404 204 204 401 403", "401 404 202 202 401 403"
"""The owner changes it, and an admin."""
MADE = "401 201 201 201 401 403"
"""Everybody makes their own."""
ADMIN = "401 403 403 200 401 403"
ROUTES = {
    "DELETE /api/v1/auth/sessions": "401 204 204 204 401 403",
    "DELETE /api/v1/auth/sessions/<session>": "401 404 204 404 401 403",
    "DELETE /api/v1/batches/<batch>": GONE,
    "DELETE /api/v1/consents/<consent>": CHANGED,
    "DELETE /api/v1/glossaries/<glossary>": "401 404 204 404 401 403",
    "DELETE /api/v1/jobs/<job>": QUEUED,
    "DELETE /api/v1/jobs/<job>/lines/<line>": CHANGED,
    "DELETE /api/v1/jobs/<job>/lines/<line>/lock": GONE,
    "DELETE /api/v1/keys/<key>": CHANGED,
    "DELETE /api/v1/privacy": "401 200 200 200 401 403",
    "DELETE /api/v1/privacy/users/<user>": ADMIN,
    "DELETE /api/v1/uploads/<upload>": "401 404 204 404 401 403",
    "DELETE /api/v1/users/<user>": "401 403 403 204 401 403",
    "DELETE /api/v1/webhooks/<hook>": GONE,
    "GET /api/download/<job_id>": SEEN,
    "GET /api/dub/<job_id>": SEEN,
    "GET /api/jobs": LISTED,
    "GET /api/v1/admin/audit": ADMIN,
    "GET /api/v1/admin/audit/export": ADMIN,
    "GET /api/v1/admin/audit/verify": ADMIN,
    "GET /api/v1/auth/me": LISTED,
    "GET /api/v1/auth/sessions": LISTED,
    "GET /api/v1/batches": LISTED,
    "GET /api/v1/batches/<batch>": SEEN,
    "GET /api/v1/consents": LISTED,
    "GET /api/v1/consents/<consent>": SEEN,
    "GET /api/v1/engines": LISTED,
    "GET /api/v1/events": LISTED,
    "GET /api/v1/glossaries": LISTED,
    "GET /api/v1/glossaries/<glossary>": "401 404 200 404 401 200",
    "GET /api/v1/jobs": LISTED,
    "GET /api/v1/jobs/<job>": SEEN,
    "GET /api/v1/jobs/<job>/events": SEEN,
    "GET /api/v1/jobs/<job>/files": SEEN,
    "GET /api/v1/jobs/<job>/files.zip": SEEN,
    "GET /api/v1/jobs/<job>/files/<kind>": SEEN,
    "GET /api/v1/jobs/<job>/lines/<line>/wordings": SEEN,
    "GET /api/v1/jobs/<job>/peaks": SEEN,
    "GET /api/v1/jobs/<job>/project": SEEN,
    "GET /api/v1/jobs/<job>/revisions": SEEN,
    "GET /api/v1/jobs/<job>/revisions/<int:number>": SEEN,
    "GET /api/v1/jobs/<job>/stages": SEEN,
    "GET /api/v1/jobs/<job>/thumbnails": "401 404 400 400 401 400",
    "GET /api/v1/jobs/<job>/thumbnails.jpg": "401 404 400 400 401 400",
    "GET /api/v1/jobs/<job>/timings": SEEN,
    "GET /api/v1/jobs/<job>/transcript": SEEN,
    "GET /api/v1/jobs/<job>/ws": "401 404 426 426 401 426",
    "GET /api/v1/keys": LISTED,
    "GET /api/v1/keys/<key>": SEEN,
    "GET /api/v1/languages": LISTED,
    "GET /api/v1/openapi.json": OPEN,
    "GET /api/v1/privacy/export": LISTED,
    "GET /api/v1/privacy/users/<user>/export": ADMIN,
    "GET /api/v1/uploads": LISTED,
    "GET /api/v1/uploads/<upload>": "401 404 200 404 401 200",
    "GET /api/v1/uploads/<upload>/thumbnails": "401 404 409 404 401 409",
    "GET /api/v1/uploads/<upload>/thumbnails.jpg": "401 404 409 404 401 409",
    "GET /api/v1/usage": LISTED,
    "GET /api/v1/users": ADMIN,
    "GET /api/v1/users/<user>": ADMIN,
    "GET /api/v1/voices": LISTED,
    "GET /api/v1/webhooks": LISTED,
    "GET /api/v1/webhooks/<hook>": SEEN,
    "GET /api/v1/webhooks/<hook>/deliveries": SEEN,
    "GET /": OPEN,
    "GET /admin": OPEN,
    "GET /admin/<path:rest>": OPEN,
    "GET /assets/<name>": OPEN,
    "GET /docs": OPEN,
    "GET /docs/<name>": OPEN,
    "GET /glossaries": OPEN,
    "GET /glossaries/<path:rest>": OPEN,
    "GET /health": OPEN,
    "GET /health/details": ADMIN,
    "GET /jobs": OPEN,
    "GET /jobs/<path:rest>": OPEN,
    "GET /metrics": ADMIN,
    "GET /openapi.json": OPEN,
    "GET /settings": OPEN,
    "GET /settings/<path:rest>": OPEN,
    "GET /sign-in": OPEN,
    "GET /sign-in/<path:rest>": OPEN,
    "GET /usage": OPEN,
    "GET /usage/<path:rest>": OPEN,
    "GET /voices": OPEN,
    "GET /voices/<path:rest>": OPEN,
    "GET /ready": "503 503 503 503 503 503",
    "PATCH /api/v1/glossaries/<glossary>": "401 404 200 404 401 403",
    "PATCH /api/v1/jobs/<job>/lines/<line>": CHANGED,
    "PATCH /api/v1/jobs/<job>/project": CHANGED,
    "PATCH /api/v1/jobs/<job>/speakers/<speaker>": CHANGED,
    "PATCH /api/v1/uploads/<upload>": "401 404 204 404 401 403",
    "PATCH /api/v1/users/<user>": ADMIN,
    "PATCH /api/v1/webhooks/<hook>": CHANGED,
    "POST /api/dub": "401 202 202 202 401 403",
    "POST /api/v1/auth/login": OPEN,
    "POST /api/v1/auth/logout": "401 204 204 204 401 204",
    "POST /api/v1/auth/password": "401 200 200 200 401 403",
    "POST /api/v1/batches": MADE,
    "POST /api/v1/batches/<batch>/cancel": CHANGED,
    "POST /api/v1/batches/<batch>/retry": CHANGED,
    "POST /api/v1/consents": MADE,
    "POST /api/v1/checks": "401 204 204 204 401 403",
    "POST /api/v1/estimates": "401 202 202 202 401 403",
    "POST /api/v1/glossaries": MADE,
    "POST /api/v1/jobs": MADE,
    "POST /api/v1/jobs/<job>/cancel": CHANGED,
    "POST /api/v1/jobs/<job>/lines": CHANGED,
    "POST /api/v1/jobs/<job>/lines/<line>/fit": SEEN,
    "POST /api/v1/jobs/<job>/lines/<line>/merge": CHANGED,
    "POST /api/v1/jobs/<job>/lines/<line>/regenerate": QUEUED,
    "POST /api/v1/jobs/<job>/lines/<line>/split": CHANGED,
    "POST /api/v1/jobs/<job>/lines/<line>/undo": CHANGED,
    "POST /api/v1/jobs/<job>/regenerate": QUEUED,
    "POST /api/v1/jobs/<job>/retry": "401 404 409 409 401 403",
    "POST /api/v1/jobs/<job>/revisions/<int:number>/restore": CHANGED,
    "POST /api/v1/jobs/<job>/speakers/<speaker>/undo": CHANGED,
    "POST /api/v1/keys": MADE,
    "POST /api/v1/look": "401 400 400 400 401 403",
    "POST /api/v1/uploads": MADE,
    "POST /api/v1/uploads/<upload>": "401 404 200 404 401 403",
    "POST /api/v1/users": "401 403 403 201 401 403",
    "POST /api/v1/voices/preview": "401 404 404 404 401 403",
    "POST /api/v1/webhooks": MADE,
    "POST /api/v1/webhooks/<hook>/deliveries/<delivery>/redeliver": QUEUED,
    "POST /api/v1/webhooks/<hook>/ping": QUEUED,
    "POST /api/v1/webhooks/<hook>/secret": CHANGED,
    "POST /api/v1/jobs/<job>/lines/<line>/wordings": "401 404 409 409 401 403",
    "PUT /api/v1/jobs/<job>/lines/<line>/lock": CHANGED,
    "PUT /api/v1/jobs/<job>/transcript": CHANGED,
    "PUT /api/v1/users/<user>/password": "401 403 403 204 401 403",
}
VIDEO = "https://www.youtube.com/watch?v=abcdefghijk"
JOB = {"source": VIDEO, "target": "es"}
WORDS = "1\n00:00:00,000 --> 00:00:03,000\nHola.\n"


def _word() -> str:
    return secrets.token_hex(6)


BODIES: dict[str, Any] = {
    "PATCH /api/v1/jobs/<job>/lines/<line>": lambda _: {"json": {"text": "Otra frase."}},
    "PATCH /api/v1/jobs/<job>/project": lambda _: {
        "json": {"operations": [{"op": "remove", "line": "L0001"}]}
    },
    "POST /api/dub": lambda _: {"json": {"youtube_url": VIDEO, "target_language": "es"}},
    "POST /api/v1/auth/login": lambda scene: {"json": {"name": scene.names["owner"], "password": PASSWORD}},
    "POST /api/v1/auth/password": lambda _: {"json": {"current": PASSWORD, "new": "seven quiet bicycles"}},
    "POST /api/v1/batches": lambda _: {
        "json": {"name": "x", "sources": [{"source": VIDEO}], "targets": ["es"]}
    },
    "POST /api/v1/checks": lambda _: {"json": {"sources": [{"source": VIDEO}], "targets": ["es"]}},
    "POST /api/v1/consents": lambda _: {"json": {"who": "Ann", "statement": "She agreed to it."}},
    "POST /api/v1/estimates": lambda _: {"json": JOB},
    "POST /api/v1/glossaries": lambda _: {"json": {"name": _word(), "text": "term,es\ncat,gato\n"}},
    "POST /api/v1/jobs": lambda _: {"json": JOB},
    "POST /api/v1/jobs/<job>/lines": lambda _: {
        "json": {"speaker": "S1", "start": 30, "end": 32, "text": "Más."}
    },
    "POST /api/v1/jobs/<job>/lines/<line>/fit": lambda _: {"json": {"text": "Otra frase."}},
    "POST /api/v1/jobs/<job>/lines/<line>/merge": lambda _: {"json": {"other": "L0002"}},
    "POST /api/v1/jobs/<job>/lines/<line>/split": lambda _: {"json": {"at": 1.5}},
    "POST /api/v1/look": lambda _: {"json": {"source": "https://example.org/"}},
    "POST /api/v1/keys": lambda _: {"json": {"name": "k"}},
    "PATCH /api/v1/uploads/<upload>": lambda _: {
        "data": b"1",
        "content_type": "application/offset+octet-stream",
        "headers": {"Tus-Resumable": "1.0.0", "Upload-Offset": "0"},
    },
    "POST /api/v1/uploads": lambda _: {"data": {"file": (io.BytesIO(WORDS.encode()), "a.srt")}},
    "POST /api/v1/uploads/<upload>": lambda _: {"headers": {"X-HTTP-Method-Override": "GET"}},
    "POST /api/v1/users": lambda _: {"json": {"name": _word()}},
    "POST /api/v1/voices/preview": lambda _: {"json": {"target": "es", "voice": "nobody"}},
    "POST /api/v1/webhooks": lambda _: {"json": {"url": "https://1.1.1.1/", "kinds": ["job.completed"]}},
    "PUT /api/v1/jobs/<job>/transcript": lambda _: {"data": WORDS, "content_type": "application/x-subrip"},
    "PUT /api/v1/users/<user>/password": lambda _: {"json": {"password": "seven quiet bicycles"}},
}
"""What is sent, where a route wants more than ``{}``."""
QUERIES = {"GET /api/v1/voices": {"target": "es"}, "GET /api/v1/jobs/<job>/peaks": {"track": "dialogue"}}


@dataclass
class World:
    """A server with accounts, for all tests of this module; each makes its own people."""

    platform: Platform
    app: Flask
    count: Iterator[int]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """It counts nobody, and has an admin who stays."""
    folder = tmp_path_factory.mktemp("matrix")
    known = settings.load(environ={"HOME": str(folder)}, data_dir=folder / "data")
    many = "100000 per minute"
    rates = dict.fromkeys(("rates", "create_rates", "edit_rates", "login_rates", "account_rates"), many)
    given = {"spare": 0, "accounts": True} | rates
    platform = Platform(known, server_settings.load(known, environ={}, given=given))
    platform.accounts = Accounts(platform.sql, CHEAP)
    platform.accounts.create(LOCAL_ACTOR, "stays", PASSWORD, role="admin")
    built = folder / "built"
    (built / "assets").mkdir(parents=True)
    (built / "index.html").write_text("the app")
    (built / "assets" / "docs.css").write_text("a{}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pages, "FOLDER", built)
        yield World(platform, create_app(platform), itertools.count())
    platform.close()


class Scene:
    """Fresh people of a world, and things of one of them."""

    def __init__(self, world: World) -> None:
        self.world, self.platform = world, world.platform
        number = next(world.count)
        self.names = {who: f"{who}{number}" for who in ("another", "owner", "admin")}
        self.ids = {
            who: self.platform.accounts.create(
                LOCAL_ACTOR, name, PASSWORD, role="admin" if who == "admin" else "user"
            ).id
            for who, name in self.names.items()
        }
        owner = self.ids["owner"]
        self.revoked = key_of(self.platform, owner)
        for key in self.platform.keys.list(LOCAL_ACTOR, owner=owner):
            self.platform.keys.revoke(LOCAL_ACTOR, key.id)
        self.reader = key_of(self.platform, owner, "read")

    def things(self) -> dict[str, str]:
        """One of everything, of the owner: name in routes -> what stands there."""
        platform, owner = self.platform, self.ids["owner"]
        asking = Actor(owner, self.names["owner"], scopes=frozenset({"read", "jobs", "voices"}))
        batch = secrets.token_hex(16)
        with platform.sql.writing() as connection:
            row = {"id": batch, "owner": owner, "name": "of mine", "created": 1.0}
            connection.execute(insert(tables.batches).values(**row))
        job, upload = finished(platform, owner=owner, batch=batch), secrets.token_hex(16)
        row = {
            "id": upload, "owner": owner, "name": "mine.mp4", "kind": "media", "size": 5, "received": 0,
            "info": "{}", "state": "receiving", "why": "", "created": 1.0, "expires": 1e10,
        }  # fmt: skip
        hook, delivery = secrets.token_hex(16), secrets.token_hex(16)
        told_by = {"id": hook, "owner": owner, "url": "https://1.1.1.1/", "kinds": "job.completed"}
        told_by |= {"secret": "whsec_mine", "active": True, "why": "", "created": 1.0}
        sent = {"id": delivery, "hook": hook, "job": job, "kind": "job.completed", "body": "{}"}
        sent |= {"state": "sent", "tries": 1, "due": 1.0, "status": 200, "trouble": "", "created": 1.0}
        with platform.sql.writing() as connection:
            connection.execute(insert(tables.uploads).values(**row))
            connection.execute(insert(tables.hooks).values(**told_by))
            connection.execute(insert(tables.deliveries).values(**sent))
            same = tables.jobs.c.id == job
            files = json.loads(connection.execute(select(tables.jobs.c.result).where(same)).scalar_one())
            files["files"]["media"] = files["files"]["receipt"]
            files["files"]["dialogue"] = sound_of(platform)
            connection.execute(update(tables.jobs).where(same).values(result=json.dumps(files)))
        statement = Statement(who="Ann", statement="She said so.")
        _, session = platform.sessions.open(platform.accounts.get(asking, owner))
        return {
            "job": job, "job_id": job, "upload": upload, "hook": hook, "delivery": delivery,
            "batch": batch, "session": session.id, "user": owner,
            "consent": platform.consents.give(asking, statement).id,
            "glossary": platform.glossaries.create(asking, secrets.token_hex(4), "term,es\ncat,gato\n").id,
            "key": platform.keys.create(asking, "of mine", ["read"])[1].id,
            "line": "L0001", "speaker": "S1", "number": "1", "kind": "receipt", "name": "docs.css",
            "rest": "more",
        }  # fmt: skip

    def words(self, things: dict[str, str]) -> list[str]:
        """What nobody else should read: the owner's name, what their keys begin with, ids of their things."""
        found = [self.names["owner"], *(value for value in things.values() if len(value) == 32)]
        return [*found, self.reader["Authorization"].removeprefix("Bearer ")[:10]]

    def ask(self, who: str, route: str, things: dict[str, str]) -> TestResponse:
        """The answer to a request of somebody for one thing."""
        method, rule = route.split(" ")
        path = re.sub(r"<(?:\w+:)?(\w+)>", lambda found: things[found[1]], rule)
        sent: dict[str, Any] = {"query_string": QUERIES.get(route), "headers": {}, "buffered": True}
        if method != "GET":
            sent |= BODIES[route](self) if route in BODIES else {"json": {}}
            sent["headers"] = {"If-Match": "*"} | sent["headers"]
        if who in ("revoked", "reader"):
            sent["headers"] |= getattr(self, who)
            return self.world.app.test_client().open(path, method=method, **sent)
        browser = Browser(self.world.app, self.names.get(who, ""))
        return browser.ask(method, path, **sent)


def routes(app: Flask) -> list[str]:
    """Every route of an app: method and rule."""
    return sorted(
        f"{method} {rule.rule}"
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    )


def test_every_route_is_in_the_table(world: World) -> None:
    """Whoever adds a route says here who may use it; what is gone is taken out."""
    assert sorted(set(routes(world.app))) == sorted(ROUTES)


@pytest.mark.parametrize("route", ROUTES)
def test_everybody_gets_what_is_theirs_and_nothing_else(world: World, route: str) -> None:
    """The statuses are those of the table, and whoever may not learns nothing.

    What is somebody else's is answered exactly as what does not exist, and nothing of the owner's stands in
    an answer to anybody else: no id, no name, no key.
    """
    scene, got = Scene(world), {}
    theirs = scene.things()
    # These two may take it away.
    changed = {} if route.startswith("GET") else {who: scene.things() for who in ("owner", "admin")}
    absent = without(theirs)
    for who in ("nobody", "another", "revoked", "reader", "owner", "admin"):
        things = changed.get(who, theirs)
        answer = scene.ask(who, route, things)
        got[who] = answer.status_code
        if who not in ("owner", "admin", "reader") and "login" not in route:
            if answer.status_code < 400:
                assert not [word for word in scene.words(theirs) if word in text_of(answer)]
            else:
                assert told(answer, things) == told(scene.ask(who, route, absent), absent)
    assert " ".join(str(got[who]) for who in WHO) == ROUTES[route]


@pytest.mark.parametrize("who", ["another", "reader"])
def test_no_list_shows_what_is_not_theirs(world: World, who: str) -> None:
    """Not by naming its owner, nor by asking for everybody's."""
    scene = Scene(world)
    things = scene.things()
    foreign = scene.ids["owner" if who == "another" else "admin"]
    if who == "reader":
        things = {"user": foreign} | {
            "key": scene.platform.keys.create(LOCAL_ACTOR, "k", ["read"], owner=foreign)[1].id
        }
    for path in ("jobs", "batches", "keys", "consents", "glossaries", "usage", "events", "auth/sessions"):
        for owner in (foreign, "*"):
            answer = scene.ask(who, f"GET /api/v1/{path}?owner={owner}", things)
            assert answer.status_code in (200, 422, 404 if owner == foreign else 403)
            if answer.status_code == 200:
                assert not [value for value in things.values() if len(value) == 32 and value in answer.text]


@pytest.mark.parametrize("name", ["upload", "subtitles", "glossary", "consent_id"])
def test_nothing_of_others_is_used_in_a_job(world: World, name: str) -> None:
    """A job that names it is refused in the words of what does not exist, in a batch, too."""
    scene = Scene(world)
    things = scene.things()
    place = {"subtitles": "upload", "consent_id": "consent"}.get(name, name)
    got = []
    for found in (things[place], secrets.token_hex(16)):
        one = {name: found} | ({} if name == "upload" else {"source": VIDEO})
        one |= {"clone_voices": True} if name == "consent_id" else {}
        batch = {"name": "x", "sources": [one], "targets": ["es"]}
        browser = Browser(world.app, scene.names["another"])
        for path, body in (("jobs", one | {"target": "es"}), ("batches", batch)):
            answer = browser.ask("POST", f"/api/v1/{path}", json=body)
            assert answer.status_code == 404
            got.append(told(answer, {"id": found}))
    assert got[:2] == got[2:]


def sound_of(platform: Platform) -> dict[str, Any]:
    """A second of silence, as a result names it."""
    with platform.store.blobs.scratch() as folder:
        sound.store(numpy.zeros(8000, dtype=numpy.float32), 8000, folder / "d.wav")
        blob = platform.store.blobs.keep(folder / "d.wav")
    return {"name": "d.wav", "digest": blob.digest, "size": blob.size, "suffix": blob.suffix}


def without(things: dict[str, str]) -> dict[str, str]:
    """The same, but with ids of what there is not."""
    other = {value: secrets.token_hex(16) for value in things.values() if len(value) == 32}
    return {name: other.get(value, value) for name, value in things.items()}


def text_of(answer: TestResponse) -> str:
    """Everything an answer says, an archive unpacked."""
    if answer.mimetype != "application/zip":
        return answer.text
    with zipfile.ZipFile(io.BytesIO(answer.data)) as packed:
        return "\n".join(packed.read(name).decode("utf-8", "replace") for name in packed.namelist())


def told(answer: TestResponse, things: dict[str, str]) -> tuple[int, str]:
    """What an answer says, without the ids it was asked for and its own."""
    text = answer.text
    for name, value in things.items():
        text = text.replace(value, f"<{name}>") if len(value) == 32 else text
    text = text.replace(answer.headers["X-Request-Id"], "<request>")
    return answer.status_code, text
