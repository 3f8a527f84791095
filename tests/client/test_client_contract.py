"""The client against the server's own document, and against the server itself."""

from __future__ import annotations

import contextlib
import inspect
import re
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import pytest
from flask import Flask
from pydantic import BaseModel

from autodub.client import ApiError, Client, NotFound, people, telling
from autodub.client import client as whole
from autodub.infra import server_settings, settings
from autodub.jobs.platform import LOCAL_ACTOR, Platform
from autodub.jobs.spec import JobSpec
from autodub.web.app import create_app

URL = "https://www.youtube.com/watch?v=dQw4w9WgXcQ"
ID = "0" * 32


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    """The server's platform."""
    known = settings.load(environ={"HOME": str(tmp_path)}, data_dir=tmp_path / "data")
    platform = Platform(
        known, server_settings.load(known, environ={}, given={"spare": 0, "check_engines": False})
    )
    yield platform
    platform.close()


@pytest.fixture
def app(platform: Platform) -> Flask:
    """The server's app."""
    return create_app(platform)


class Recorded(httpx.WSGITransport):
    """The server; what it was asked and how it answered is kept."""

    def __init__(self, app: Flask) -> None:
        super().__init__(app=app)
        self.seen: list[tuple[str, str, int]] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = super().handle_request(request)
        path = request.url.raw_path.decode().partition("?")[0]
        self.seen.append((request.method.lower(), path, answer.status_code))
        return answer


@pytest.fixture
def transport(app: Flask) -> Recorded:
    """The way to the server."""
    return Recorded(app)


@pytest.fixture
def server(transport: Recorded) -> Iterator[Client]:
    """The client."""
    with Client("http://127.0.0.1", transport=transport, sleep=lambda _: None, tries=1) as client:
        yield client


def calls(server: Client, folder: Path) -> dict[str, Callable[[], Any]]:
    """Every call the client has, with arguments that the server understands."""
    srt = folder / "x.srt"
    srt.with_name("x.mp4").write_bytes(b"a film")
    srt.write_text("1\n00:00:01,000 --> 00:00:02,000\nHello\n")
    jobs, text, batches, words, keys, uploads = (
        server.jobs, server.transcripts, server.batches, server.glossaries, server.keys, server.uploads,
    )  # fmt: skip
    return {
        "jobs.submit": lambda: jobs.submit(URL, "es", spoken="en", start=1.5, budget="2.50"),
        "jobs.check": lambda: jobs.check(srt.with_name("x.mp4"), "es", subtitles=srt),
        "jobs.get": lambda: jobs.get(ID),
        "jobs.list": lambda: list(jobs.list(states=["queued"], target="es", text="x", batch=ID, most=3)),
        "jobs.events": lambda: list(jobs.events(ID, after=3, follow=True)),
        "jobs.wait": lambda: jobs.wait(ID),
        "jobs.cancel": lambda: jobs.cancel(ID),
        "jobs.retry": lambda: jobs.retry(ID),
        "jobs.delete": lambda: jobs.delete(ID),
        "jobs.download": lambda: jobs.download(ID, folder),
        "jobs.download all": lambda: jobs.download(ID, folder, kind="all"),
        "jobs.files": lambda: jobs.files(ID),
        "transcripts.read": lambda: text.read(ID),
        "transcripts.edit": lambda: text.edit(ID, "L1", text="Hola", start=1.0, end=2.0, keep_original=False),
        "transcripts.add": lambda: text.add(ID, speaker="A", start=1.0, end=2.0, text="Hola"),
        "transcripts.remove": lambda: text.remove(ID, "L1", revision=3),
        "transcripts.split": lambda: text.split(ID, "L1", 1.5, texts=["a", "b"]),
        "transcripts.merge": lambda: text.merge(ID, "L1", "L2", text="both"),
        "transcripts.undo": lambda: text.undo(ID, "L1"),
        "transcripts.apply": lambda: text.apply(ID, [{"op": "remove", "line": "L1"}], revision=2),
        "transcripts.voice": lambda: text.voice(ID, "Speaker 1/2", voice="es", pace=1.1),
        "transcripts.lock": lambda: text.lock(ID, "L1"),
        "transcripts.unlock": lambda: text.unlock(ID, "L1"),
        "transcripts.bring": lambda: text.bring(ID, srt, of="source"),
        "transcripts.revisions": lambda: text.revisions(ID),
        "transcripts.restore": lambda: text.restore(ID, 2, revision=3),
        "transcripts.regenerate": lambda: text.regenerate(ID),
        "transcripts.regenerate line": lambda: text.regenerate(ID, "L1", text="Hola"),
        "batches.submit": lambda: batches.submit("Course", [URL], ["es", "fr"], tone="calm"),
        "batches.check": lambda: batches.check([URL, srt.with_name("x.mp4")], ["es"]),
        "batches.get": lambda: batches.get(ID),
        "batches.list": lambda: list(batches.list()),
        "batches.cancel": lambda: batches.cancel(ID),
        "batches.retry": lambda: batches.retry(ID),
        "batches.delete": lambda: batches.delete(ID),
        "estimates.ask": lambda: server.estimates.ask("https://example.org/x", "es"),
        "catalogue.languages": server.catalogue.languages,
        "catalogue.engines": lambda: server.catalogue.engines("synthesizer"),
        "catalogue.voices": lambda: server.catalogue.voices("es", "espeak"),
        "glossaries.list": words.list,
        "glossaries.get": lambda: words.get(ID),
        "glossaries.create": lambda: words.create("Names", "Ada = Ada\n"),
        "glossaries.change": lambda: words.change(ID, name="Other"),
        "glossaries.delete": lambda: words.delete(ID),
        "keys.list": keys.list,
        "keys.create": lambda: keys.create("laptop", ["read"]),
        "keys.revoke": lambda: keys.revoke(ID),
        "uploads.send": lambda: uploads.send(srt, kind="subtitles"),
        "uploads.source": lambda: uploads.source(srt),
        "uploads.submitted": lambda: uploads.submitted({"subtitles": srt}),
        "uploads.check": lambda: uploads.check([URL], ["es"], {"tone": "calm"}),
        "uploads.get": lambda: uploads.get(ID),
        "uploads.list": lambda: list(uploads.list()),
        "uploads.delete": lambda: uploads.delete(ID),
        "users.list": server.users.list,
        "users.get": lambda: server.users.get(ID),
        "users.create": lambda: server.users.create("ann", role="admin", minutes=60, running=1),
        "users.change": lambda: server.users.change(ID, active=False, dollars=None),
        "users.password": lambda: server.users.password(ID, None),
        "users.delete": lambda: server.users.delete(ID),
        "consents.give": lambda: server.consents.give("Jane Doe", "Jane Doe agreed in writing."),
        "consents.list": lambda: list(server.consents.list(owner="*")),
        "consents.get": lambda: server.consents.get(ID),
        "consents.withdraw": lambda: server.consents.withdraw(ID),
        "webhooks.list": server.webhooks.list,
        "webhooks.get": lambda: server.webhooks.get(ID),
        "webhooks.create": lambda: server.webhooks.create("https://1.1.1.1/", ["job.completed"]),
        "webhooks.change": lambda: server.webhooks.change(ID, active=False),
        "webhooks.delete": lambda: server.webhooks.delete(ID),
        "webhooks.renew": lambda: server.webhooks.renew(ID),
        "webhooks.ping": lambda: server.webhooks.ping(ID),
        "webhooks.deliveries": lambda: list(server.webhooks.deliveries(ID)),
        "webhooks.redeliver": lambda: server.webhooks.redeliver(ID, ID),
        "audit.entries": lambda: list(server.audit.entries(actor="local", action="job.", since=1.0)),
        "audit.verify": server.audit.verify,
        "me": server.me,
        "usage": lambda: server.usage(month="2026-03"),
    }  # fmt: skip


def test_every_call_of_the_client_is_an_operation_of_the_document(
    server: Client, transport: Recorded, app: Flask, tmp_path: Path
) -> None:
    """Path, method and what is sent are as documented: no answer says otherwise."""
    document = app.test_client().get("/openapi.json").get_json()
    patterns = [
        (re.compile(re.sub(r"{[^}]+}", "[^/]+", path)), path, set(item))
        for path, item in document["paths"].items()
    ]
    for name, call in calls(server, tmp_path).items():
        transport.seen.clear()
        with contextlib.suppress(ApiError):  # most of these things are not there
            call()
        assert transport.seen, name
        for method, path, status in transport.seen:
            known = [
                found for pattern, found, methods in patterns if pattern.fullmatch(path) and method in methods
            ]
            is_head = method == "head"  # which GET implies
            assert known or is_head, f"{name}: {method} {path} is in no document"
            if known and not is_head:
                assert status in (200, 201, 202, 204, 400, 404, 409, 412), f"{name}: {status}"
                answers = set().union(*(document["paths"][one][method]["responses"] for one in known))
                assert str(status) in answers, f"{name}: {method} {path} answered {status}"


def test_no_call_of_the_client_is_left_out(server: Client, tmp_path: Path) -> None:
    """A method that is added to the client must be tried above."""
    tried = {name.partition(" ")[0] for name in calls(server, tmp_path)}
    for name, part in vars(server).items():
        if not name.startswith("_"):
            methods = [m for m, _ in inspect.getmembers(part, inspect.ismethod) if not m.startswith("_")]
            assert {f"{name}.{method}" for method in methods} <= tried
    own = {m for m, f in inspect.getmembers(whole.Client, inspect.isfunction) if not m.startswith("_")}
    assert own - {"close"} <= tried


def test_what_the_server_tells_of_a_job_is_all_there(server: Client, platform: Platform) -> None:
    """Every field the server sends of a job is one of the client's."""
    job, _ = platform.jobs.submit(LOCAL_ACTOR, JobSpec.model_validate({"source": URL, "target": "es"}))
    from autodub.client.models import Job
    from autodub.web.shapes import JobShape

    assert set(JobShape.model_fields) == set(Job.model_fields)
    assert server.jobs.get(job.id).created == job.created


def test_a_key_opens_a_server_with_accounts(platform: Platform, tmp_path: Path) -> None:
    """Without a key nothing is told; with one of the right scope everything that it may."""
    from autodub.client import Forbidden, Unauthenticated

    known = settings.load(environ={"HOME": str(tmp_path)}, data_dir=tmp_path / "other")
    guarded = Platform(known, server_settings.load(known, environ={}, given={"spare": 0, "accounts": True}))
    try:
        key, _ = guarded.keys.create(LOCAL_ACTOR, "laptop", ["read"])
        transport = httpx.WSGITransport(app=create_app(guarded))
        with Client("http://127.0.0.1", transport=transport) as nobody, pytest.raises(Unauthenticated):
            list(nobody.jobs.list())
        with Client("http://127.0.0.1", key, transport=transport) as reader:
            assert list(reader.jobs.list()) == []
            with pytest.raises(Forbidden):
                reader.jobs.submit(URL, "es")
    finally:
        guarded.close()


def test_events_of_a_real_stream_end_with_the_job(server: Client, platform: Platform) -> None:
    """The stream of the server is understood: each event once, and the end."""
    job, _ = platform.jobs.submit(LOCAL_ACTOR, JobSpec.model_validate({"source": URL, "target": "es"}))
    platform.jobs.cancel(LOCAL_ACTOR, job.id)
    assert [event.kind for event in server.jobs.events(job.id)] == ["job.queued", "job.cancelled"]
    assert list(server.jobs.events(job.id, after=2)) == []
    assert server.jobs.wait(job.id).state == "cancelled"


def test_a_key_is_told_once_and_hidden_in_what_is_printed(server: Client) -> None:
    """Its text is a secret value."""
    made = server.keys.create("laptop", ["read"])
    assert made.key.get_secret_value().startswith("adk_")
    assert made.key.get_secret_value() not in repr(made)
    assert server.keys.revoke(made.id).revoked is not None


def test_glossaries_are_kept_changed_and_removed(server: Client) -> None:
    """The whole life of one."""
    made = server.glossaries.create("Names", "Ada = Ada\n")
    assert [one.name for one in server.glossaries.list()] == ["Names"]
    assert server.glossaries.change(made.id, text="Eva = Eva\n").text == "Eva = Eva\n"
    server.glossaries.delete(made.id)
    with pytest.raises(NotFound):
        server.glossaries.get(made.id)


@pytest.mark.parametrize(
    ("module", "shape", "told"),
    [
        ("auth", "Me", people.Me), ("users", "UserShape", people.User),
        ("consents", "ConsentShape", people.Consent), ("consents", "ClonedShape", people.Cloned),
        ("webhooks", "HookShape", telling.Hook), ("webhooks", "HookSecret", telling.NewHook),
        ("webhooks", "DeliveryShape", telling.Delivery), ("audit", "EntryShape", telling.Entry),
        ("audit", "VerifiedShape", telling.Verified),
    ],
)  # fmt: skip
def test_what_the_server_tells_of_people_and_hooks_is_all_there(
    module: str, shape: str, told: type[BaseModel]
) -> None:
    """Every field the server sends is one of the client's, but for what only a browser needs."""
    sent = getattr(import_module(f"autodub.web.{module}"), shape).model_fields
    assert set(sent) - {"csrf", "expires"} == set(told.model_fields)


def test_users_come_change_and_go(server: Client, platform: Platform) -> None:
    """The whole life of one, by an admin; the local user is one."""
    assert (server.me().role, server.me().by) == ("admin", "local")
    made = server.users.create("ann", role="user", minutes=60)
    assert (made.minutes, made.has_password) == (60, False)
    server.users.password(made.id, "seven quiet bicycles")
    changed = server.users.change(made.id, active=False, minutes=None)
    assert (changed.active, changed.minutes, changed.has_password) == (False, None, True)
    assert made.id in [one.id for one in server.users.list()]
    server.users.delete(made.id)
    with pytest.raises(NotFound):
        server.users.get(made.id)


def test_a_statement_is_given_used_and_withdrawn(server: Client) -> None:
    """A job refers to it by its id."""
    given = server.consents.give("Jane Doe", "Jane Doe agreed in writing.")
    assert server.jobs.submit(URL, "es", clone_voices=True, consent_id=given.id).state == "queued"
    assert [one.id for one in server.consents.list()] == [given.id]
    assert server.consents.withdraw(given.id).withdrawn is not None
    with pytest.raises(ApiError, match="withdrawn"):
        server.jobs.submit(URL, "es", clone_voices=True, consent_id=given.id)


def test_a_webhook_is_made_tried_and_removed(server: Client) -> None:
    """Its secret is hidden in what is printed."""
    made = server.webhooks.create("https://1.1.1.1/hook")
    assert set(made.kinds) == set(telling.ENDS)
    assert made.secret.get_secret_value() not in repr(made)
    assert server.webhooks.renew(made.id).secret != made.secret
    sent = server.webhooks.ping(made.id)
    assert [one.id for one in server.webhooks.deliveries(made.id)] == [sent.id]
    assert not server.webhooks.change(made.id, active=False).active
    assert server.webhooks.get(made.id).url == "https://1.1.1.1/hook"
    server.webhooks.delete(made.id)
    assert server.webhooks.list() == ()


def test_the_audit_is_read_in_pages_and_checked(server: Client) -> None:
    """What was done is there, in order."""
    made = server.glossaries.create("Names", "Ada = Ada\n")
    job = server.jobs.submit(URL, "es", glossary=made.id)
    assert [one.subject for one in server.audit.entries(action="job.")] == [f"job:{job.id}"]
    assert server.audit.verify().holds
