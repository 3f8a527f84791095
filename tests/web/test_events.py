"""Events of jobs over HTTP: a stream, pages of JSON, a WebSocket, and one stream for lists."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from flask import Flask
from flask.testing import FlaskClient
from real_server import RealServer
from web_socket import WebSocket
from werkzeug.serving import make_server

from autodub.jobs import events as told
from autodub.jobs.platform import LOCAL_ACTOR, Platform
from autodub.jobs.spec import JobSpec
from autodub.model.errors import Unauthenticated, Unavailable
from autodub.model.job import Event
from autodub.web import following, identity, pushing, serving
from autodub.web import sockets as web_sockets

STREAM = {"Accept": "text/event-stream"}


def _job(platform: Platform) -> str:
    spec = JobSpec(source="https://www.youtube.com/watch?v=abcdefghijk", target="es")
    return platform.jobs.submit(LOCAL_ACTOR, spec)[0].id


def _tell(platform: Platform, job: str, *kinds: str, **values: Any) -> None:
    with platform.sql.writing() as connection:
        told.change(connection, job, *map(Event, kinds), at=time.time(), **values)


def _messages(chunks: Iterator[bytes] | Iterator[str]) -> Iterator[dict[str, Any]]:
    """What a browser makes of a stream: messages with ``event``, ``id`` and ``data``."""
    left = ""
    for chunk in chunks:
        left += chunk.decode() if isinstance(chunk, bytes) else chunk
        *whole, left = left.split("\n\n")
        for block in whole:
            fields = dict(line.split(": ", 1) for line in block.split("\n"))
            if "data" in fields:
                yield {"event": fields.get("event", ""), "id": fields.get("id")} | {
                    "data": json.loads(fields["data"])
                }
            else:
                yield fields


@contextlib.contextmanager
def _streamed(client: FlaskClient, url: str, **headers: str) -> Iterator[Iterator[dict[str, Any]]]:
    answer = client.get(url, headers=STREAM | headers, buffered=False)
    try:
        assert (answer.status_code, answer.mimetype) == (200, "text/event-stream")
        yield _messages(answer.iter_encoded())
    finally:
        answer.close()


def test_a_stream_tells_everything_and_ends_with_the_job(client: FlaskClient, platform: Platform) -> None:
    """Each event has its number as id; the last message says that the job is over."""
    job = _job(platform)
    with _streamed(client, f"/api/v1/jobs/{job}/events") as messages:
        assert next(messages) == {"retry": "2000"}
        first = next(messages)
        assert (first["event"], first["id"], first["data"]["kind"]) == ("", "1", "job.queued")
        _tell(platform, job, "job.started", state="processing")
        _tell(platform, job, "degraded", "job.completed", state="completed")
        rest = list(messages)
    assert [message["id"] for message in rest] == ["2", "3", "4", None]
    assert rest[-1] == {"event": "end", "id": None, "data": {"id": job, "state": "completed"}}
    assert platform.watching.open == 0


def test_a_stream_is_resumed_by_the_last_id_or_by_after(client: FlaskClient, platform: Platform) -> None:
    """The header wins, since a browser that comes back sends it with the old address."""
    job = _job(platform)
    _tell(platform, job, "degraded", "job.failed", state="failed")
    url = f"/api/v1/jobs/{job}/events"
    for headers, query, expected in (
        ({"Last-Event-ID": "2"}, "?after=1", ["3"]),
        ({}, "?after=1", ["2", "3"]),
    ):
        with _streamed(client, url + query, **headers) as messages:
            assert [m["id"] for m in messages if m.get("id")] == expected


def test_a_browser_that_has_seen_it_all_is_sent_home(client: FlaskClient, platform: Platform) -> None:
    """Without that answer it would come back every two seconds; with follow it may wait for more."""
    job = _job(platform)
    _tell(platform, job, "job.failed", state="failed")
    url, seen = f"/api/v1/jobs/{job}/events", STREAM | {"Last-Event-ID": "2"}
    assert client.get(url, headers=seen).status_code == 204
    assert client.get(url, headers=STREAM | {"Last-Event-ID": "two"}).status_code == 400
    with _streamed(client, f"{url}?follow=1", **seen) as messages:
        assert next(messages) == {"retry": "2000"}
        _tell(platform, job, "job.queued", state="queued")
        assert next(messages)["data"]["kind"] == "job.queued"


def test_a_silent_stream_shows_that_it_lives(
    client: FlaskClient, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A comment now and then keeps proxies from closing it, and notices who has gone."""
    monkeypatch.setattr(following, "BEAT", 0.0)
    monkeypatch.setattr(pushing, "SLICE", 0.01)
    job = _job(platform)
    for url in (f"/api/v1/jobs/{job}/events", "/api/v1/events"):
        answer = client.get(url, headers=STREAM, buffered=False)
        chunks = answer.iter_encoded()
        assert [next(chunks) for _ in range(4)][-2:] == [b": still here\n\n"] * 2
        answer.close()
    assert platform.watching.open == 0


def test_the_stream_of_a_deleted_job_says_so_and_ends(client: FlaskClient, platform: Platform) -> None:
    """Whoever follows it learns that it is gone; nobody can open it again."""
    job = _job(platform)
    url = f"/api/v1/jobs/{job}/events"
    with _streamed(client, url) as messages:
        assert [next(messages), next(messages)][1]["id"] == "1"
        assert client.delete(f"/api/v1/jobs/{job}").status_code == 202
        assert [message["event"] for message in messages][-1] == "gone"
    for headers in (STREAM, {}):
        assert client.get(url, headers=headers).status_code == 404


def test_streams_end_with_the_right_to_see_them(
    client: FlaskClient, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A revoked key or an ended session is noticed within a minute, without another request."""
    monkeypatch.setattr(following, "AGAIN", 0.0)
    monkeypatch.setattr(pushing, "SLICE", 0.01)
    job = _job(platform)
    allowed = threading.Event()
    real = identity._found

    def found() -> Any:
        if allowed.is_set():
            return real()
        raise Unauthenticated("Nobody is logged in.")

    monkeypatch.setattr(identity, "_found", found)
    for url in (f"/api/v1/jobs/{job}/events", "/api/v1/events"):
        allowed.set()
        with _streamed(client, url) as messages:
            assert [next(messages) for _ in range(2)][1]["data"]
            allowed.clear()
            assert [message["event"] for message in messages if "data" in message] in ([], [""])
        assert client.get(url).status_code == 401
    assert following.AGAIN + following.BEAT < 60


def test_streams_end_when_the_process_is_told_to(client: FlaskClient, platform: Platform) -> None:
    """A server that stops leaves nobody hanging; the stream is resumed at the next one."""
    job = _job(platform)
    for url in (f"/api/v1/jobs/{job}/events", "/api/v1/events"):
        with _streamed(client, url) as messages:
            next(messages)
            serving.leave()
            try:
                assert [message["event"] for message in messages if "data" in message] in ([""], ["jobs"])
            finally:
                serving.stay()


def test_a_stream_ends_quietly_when_the_database_is_away(
    client: FlaskClient, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was sent stays good, and the browser comes back with the number of the last event."""
    job = _job(platform)

    def after(*given: Any, **named: Any) -> Any:
        raise Unavailable("away")

    with _streamed(client, f"/api/v1/jobs/{job}/events") as messages:
        assert [next(messages), next(messages)][1]["id"] == "1"
        monkeypatch.setattr(told, "after", after)
        _tell(platform, job, "degraded")
        assert list(messages) == []
    assert platform.watching.open == 0


def test_pages_of_json_have_the_same_events(client: FlaskClient, platform: Platform) -> None:
    """In order, in pages, with the number the next page begins after."""
    job = _job(platform)
    _tell(platform, job, *["degraded"] * 4)
    _tell(platform, job, "job.completed", state="completed")
    url = f"/api/v1/jobs/{job}/events"
    whole = client.get(url).get_json()
    assert [event["number"] for event in whole["events"]] == [1, 2, 3, 4, 5, 6]
    assert (whole["after"], whole["state"], whole["over"]) == (6, "completed", True)
    page = client.get(f"{url}?after=2&limit=3").get_json()
    assert (page["events"], page["over"]) == (whole["events"][2:5], False)
    end = client.get(f"{url}?after=6&wait=60").get_json()
    assert (end["events"], end["after"], end["over"]) == ([], 6, True)
    with _streamed(client, url) as messages:
        assert [message["data"] for message in messages if message.get("id")] == whole["events"]
    for wrong in ("after=-1", "limit=0", "limit=501", "wait=61", "after=x"):
        assert client.get(f"{url}?{wrong}").status_code == 422


def test_a_long_poll_waits_for_an_event(app: Flask, platform: Platform) -> None:
    """It is answered the moment there is one; without one, at the end of its time."""
    job = _job(platform)
    got: list[Any] = []
    url = f"/api/v1/jobs/{job}/events?after=1"
    thread = threading.Thread(target=lambda: got.append(app.test_client().get(f"{url}&wait=60").get_json()))
    thread.start()
    while not platform.watching.open:
        time.sleep(0.001)
    _tell(platform, job, "degraded")
    thread.join()
    assert [event["number"] for event in got[0]["events"]] == [2]
    none = app.test_client().get(f"/api/v1/jobs/{job}/events?after=2&wait=0.01").get_json()
    assert (none["events"], none["after"], none["over"]) == ([], 2, False)


def test_a_list_is_kept_up_to_date_without_a_hole(client: FlaskClient, platform: Platform) -> None:
    """The numbers come first; whatever is committed after them comes as a change."""
    job = _job(platform)
    assert client.get("/api/v1/events").get_json() == {"numbers": {job: 1}}
    with _streamed(client, "/api/v1/events") as messages:
        assert [next(messages), next(messages)][1]["data"] == {"numbers": {job: 1}}
        _tell(platform, job, "job.started", state="processing", progress=0.25)
        change = next(messages)
        assert (change["event"], change["data"]["state"], change["data"]["progress"]) == (
            "job", "processing", 0.25,
        )  # fmt: skip
        assert change["data"] == client.get("/api/v1/jobs").get_json()["jobs"][0]
        _tell(platform, job, "job.completed", state="completed")
        assert next(messages)["data"]["state"] == "completed"
        client.delete(f"/api/v1/jobs/{job}")
        assert next(messages) == {"event": "gone", "id": None, "data": {"id": job}}


def test_answers_are_kept_by_nobody_between(client: FlaskClient, platform: Platform) -> None:
    """Neither a browser's cache nor a proxy may hold events back or give them to others."""
    job = _job(platform)
    answer = client.get(f"/api/v1/jobs/{job}/events", headers=STREAM, buffered=False)
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Accel-Buffering"] == "no"
    assert "Accept" in answer.headers["Vary"]
    answer.close()


@pytest.fixture
def werkzeug(app: Flask) -> Iterator[str]:
    """Address of the app served by Werkzeug, with threads."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


def _said(url: str) -> tuple[list[int], int | None]:
    """Numbers of all events until a socket is closed, and the code it is closed with."""
    socket = WebSocket(url)
    numbers = [json.loads(message)["number"] for message in socket.messages()]
    socket.close()
    return numbers, socket.code


def test_a_socket_tells_the_same_as_a_stream(werkzeug: str, platform: Platform) -> None:
    """One event in each message, from the number asked for, closed when the job is over or gone."""
    job, deleted = _job(platform), _job(platform)
    socket = WebSocket(f"ws://{werkzeug}/api/v1/jobs/{job}/ws")
    messages = socket.messages()
    first = json.loads(next(messages))
    assert first == _as_json(werkzeug, job)[0]
    socket.say("what is said to it is not heeded")
    _tell(platform, job, "degraded", "degraded")
    _tell(platform, job, "job.completed", state="completed")
    assert [json.loads(message)["number"] for message in messages] == [2, 3, 4]
    assert socket.code == 1000
    socket.close()
    assert _said(f"ws://{werkzeug}/api/v1/jobs/{job}/ws?after=3") == ([4], 1000)
    socket = WebSocket(f"ws://{werkzeug}/api/v1/jobs/{deleted}/ws?follow=1")
    messages = socket.messages()
    assert json.loads(next(messages))["number"] == 1
    platform.jobs.delete(LOCAL_ACTOR, deleted)
    list(messages)
    assert socket.code == 4404
    socket.close()


def test_a_socket_ends_for_now_when_the_database_is_away(
    werkzeug: str, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither as over nor as somebody who must log in: its other end comes back in a moment."""

    def away(*_: Any, **__: Any) -> Any:
        raise Unavailable("away")

    job = _job(platform)
    socket = WebSocket(f"ws://{werkzeug}/api/v1/jobs/{job}/ws")
    messages = socket.messages()
    assert json.loads(next(messages))["number"] == 1
    with monkeypatch.context() as patched:
        patched.setattr(told, "after", away)
        _tell(platform, job, "degraded")
        assert list(messages) == []
    assert socket.code == 1013
    socket.close()
    monkeypatch.setattr(following, "AGAIN", 0.0)
    monkeypatch.setattr(identity, "_found", _once(identity._found, away))
    assert _said(f"ws://{werkzeug}/api/v1/jobs/{job}/ws?follow=1") == ([1, 2], 1013)


def _once(first: Any, then: Any) -> Any:
    """A function that is another one from its second call on."""
    asked = iter([first])
    return lambda: next(asked, then)()


def _as_json(place: str, job: str) -> list[dict[str, Any]]:
    """The same events as JSON."""
    found: list[dict[str, Any]] = httpx.get(f"http://{place}/api/v1/jobs/{job}/events").json()["events"]
    return found


@pytest.mark.parametrize("is_polite", [True, False])
def test_who_hangs_up_or_vanishes_is_not_told_any_more(
    werkzeug: str, platform: Platform, monkeypatch: pytest.MonkeyPatch, *, is_polite: bool
) -> None:
    """A socket closed by the other side, or with nobody there who answers, is let go of."""
    if not is_polite:
        monkeypatch.setattr(web_sockets, "_PING", 0.05)
    job = _job(platform)
    socket = WebSocket(f"ws://{werkzeug}/api/v1/jobs/{job}/ws")
    assert next(socket.messages())
    if is_polite:
        socket.close()
    end = time.monotonic() + 30
    while platform.watching.open and time.monotonic() < end:
        time.sleep(0.01)
    assert platform.watching.open == 0
    socket.close()


def test_a_socket_is_refused_to_pages_of_other_sites(werkzeug: str, platform: Platform) -> None:
    """A browser sends cookies along whoever's page opens a socket, so its origin must be the server's own."""
    url = f"ws://{werkzeug}/api/v1/jobs/{_job(platform)}/ws"
    own = f"http://{werkzeug}"
    for origin, status in (
        ("https://evil.example", 403), (f"{own}.evil.example", 403), ("null", 403), ("file://", 403),
        (own, 101),
    ):  # fmt: skip
        socket = WebSocket(url, headers={"Origin": origin})
        assert socket.status == status
        socket.close()


def test_what_is_no_socket_is_told_where_to_go(
    werkzeug: str, client: FlaskClient, platform: Platform
) -> None:
    """A plain request is a 426, a broken handshake a 400, and another's job a 404 before anything else."""
    job = _job(platform)
    answer = client.get(f"/api/v1/jobs/{job}/ws")
    assert (answer.status_code, answer.headers["Upgrade"]) == (426, "websocket")
    assert answer.get_json()["code"] == "upgrade_required"
    assert client.get(f"/api/v1/jobs/{'0' * 32}/ws").status_code == 404
    for place in (f"http://{werkzeug}", ""):
        broken = {"Upgrade": "websocket", "Connection": "Upgrade"}
        url = f"/api/v1/jobs/{job}/ws"
        got = httpx.get(place + url, headers=broken) if place else client.get(url, headers=broken)
        assert got.status_code == 400


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RealServer]:
    """The real server over the data directory of ``platform``."""
    found = RealServer(tmp_path)
    yield found
    found.close()


def test_the_real_server_loses_and_doubles_nothing_when_it_is_killed(
    server: RealServer, platform: Platform
) -> None:
    """A stream that comes back with the last number it saw has every event once; so has a socket."""
    job = _job(platform)
    seen: list[int] = []
    over = threading.Event()

    def write() -> None:
        while not over.is_set():
            _tell(platform, job, "degraded", "degraded")

    writer = threading.Thread(target=write)
    writer.start()
    for round_ in range(3):
        until = len(seen) + 40
        headers = STREAM | ({"Last-Event-ID": str(seen[-1])} if seen else {})
        with httpx.stream("GET", f"{server.address}/api/v1/jobs/{job}/events", headers=headers) as answer:
            for message in _messages(answer.iter_text()):
                if message.get("id"):
                    seen.append(int(message["id"]))
                if len(seen) == until:
                    break
        if round_ < 2:
            server.kill()
            server.start()
    over.set()
    writer.join()
    _tell(platform, job, "job.completed", state="completed")
    place = f"{server.address.replace('http', 'ws')}/api/v1/jobs/{job}/ws?after={seen[-1]}"
    rest, code = _said(place)
    assert code == 1000
    assert seen + rest == list(range(1, platform.jobs.get(LOCAL_ACTOR, job).events + 1))
    server.close()
    assert "Traceback" not in (server.folder / "log").read_text()
