"""Alive, ready, and how the server is in detail."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from pydantic import SecretStr
from sqlalchemy import insert, text, update

from autodub.engines.roles import Readiness
from autodub.jobs.platform import Platform
from autodub.jobs.register import Register
from autodub.jobs.tables import jobs, workers
from autodub.model.errors import Unavailable
from autodub.pipeline.catalogue import EngineState
from autodub.web import health, serving
from autodub.web.app import create_app
from autodub.web.health import Kept

Opening = Callable[..., Platform]


@pytest.fixture(autouse=True)
def _staying() -> Iterator[None]:
    """A test that has the process leave takes that back."""
    yield
    serving.stay()


def employ(platform: Platform) -> None:
    """Have a worker seen just now."""
    import time

    row = {"id": "w1", "host": "h", "process": 1, "slots": 2, "started": time.time(), "seen": time.time()}
    with platform.sql.writing() as connection:
        connection.execute(insert(workers).values(**row))


def away(*_: object, **__: object) -> Any:
    """A database that does not answer."""
    raise Unavailable("It is away.")


def test_a_living_server_is_healthy_for_the_prototypes_clients(client: FlaskClient) -> None:
    """``status`` is ``healthy``, whatever else is wrong."""
    answer = client.get("/health")
    assert answer.status_code == 200
    assert answer.get_json()["status"] == "healthy"


def test_it_is_ready_with_a_worker(client: FlaskClient, platform: Platform) -> None:
    """Without anybody to run jobs it is not, and says so."""
    answer = client.get("/ready")
    assert answer.status_code == 503
    assert answer.content_type == "application/problem+json"
    assert "No worker" in answer.get_json()["title"]
    employ(platform)
    assert client.get("/ready").get_json() == {"status": "ready"}


def test_a_server_that_runs_no_jobs_needs_no_worker(opening: Opening) -> None:
    """With no slots of its own it takes work for others."""
    assert create_app(opening(slots=0)).test_client().get("/ready").status_code == 200


def test_it_is_not_ready_once_it_is_told_to_stop(client: FlaskClient, platform: Platform) -> None:
    """A proxy sends nothing new to a process that is about to end."""
    employ(platform)
    serving.leave()
    answer = client.get("/ready")
    assert answer.status_code == 503
    assert "stop" in answer.get_json()["title"]
    assert client.get("/health").status_code == 200


def test_it_is_not_ready_without_its_database(
    client: FlaskClient, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It lives, and is not ready; the details say so instead of failing."""
    monkeypatch.setattr(platform.sql, "reading", away)
    assert client.get("/ready").status_code == 503
    assert client.get("/health").status_code == 200
    told = client.get("/health/details").get_json()
    assert told["database"] == {
        "kind": "sqlite", "ms": None, "revision": None, "is_current": None, "is_usable": None,
    }  # fmt: skip
    assert told["queue"] is None
    assert told["trouble"] == ["The database does not answer."]


def test_it_is_not_ready_with_another_releases_database(client: FlaskClient, platform: Platform) -> None:
    """A database that a newer release has taken over is left to that one."""
    employ(platform)
    with platform.sql.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        connection.execute(text("UPDATE compatibility SET lowest = '9999'"))
    answer = client.get("/ready")
    assert answer.status_code == 503
    assert "another release" in answer.get_json()["title"]


def test_it_is_not_ready_on_a_full_disk(opening: Opening) -> None:
    """Where no job may begin none should be sent."""
    platform = opening(spare=1 << 60)
    employ(platform)
    answer = create_app(platform).test_client().get("/ready")
    assert answer.status_code == 503
    assert "disk" in answer.get_json()["title"]


def test_details_say_what_there_is_and_show_no_key(
    opening: Opening, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """Which keys are set, never what they are; engines are looked at beside, and known at the next look."""
    platform = opening()
    monkeypatch.setattr(
        platform, "settings",
        platform.settings.model_copy(update={"secrets": {"OPENAI_API_KEY": SecretStr("sk-an-example")}}),
    )  # fmt: skip
    gate = threading.Event()

    def found(_: object) -> tuple[EngineState, ...]:
        gate.wait(20)
        ready, lost = Readiness("ready", "fine"), Readiness("needs key", "no key", "Set it.")
        return (
            EngineState("translator", "one", "1", "", None, ready),
            EngineState("translator", "two", "1", "", None, lost),
        )

    monkeypatch.setattr(health.catalogue, "engines", found)
    app = create_app(platform)
    client = app.test_client()
    told = client.get("/health/details").get_json()
    assert (told["engines"], told["engines_seen"]) == (None, None)
    gate.set()
    app.extensions["autodub_engines"].wait()
    answer = client.get("/health/details")
    told = answer.get_json()
    assert told["engines"] == [
        {"engine": "translator.one", "state": "ready", "detail": ""},
        {"engine": "translator.two", "state": "needs key", "detail": "no key"},
    ]
    assert told["keys"]["OPENAI_API_KEY"] is True
    assert told["keys"]["DEEPGRAM_API_KEY"] is False
    assert told["database"]["revision"] is not None
    assert told["disk"]["free"] > 0
    assert "sk-an-example" not in answer.text
    assert str(tmp_path) not in answer.text


def test_jobs_that_nobody_takes_are_told_of(client: FlaskClient, platform: Platform) -> None:
    """By what binds them: what waits, and how many places there are for it."""
    Register(platform.sql, platform.alive).seen("w", slots=3, resources=("net", "cpu"))
    asked = {"source": "https://youtube.com/watch?v=1", "target": "es"}
    job = client.post("/api/v1/jobs", json=asked).get_json()["id"]
    with platform.sql.writing() as connection:
        connection.execute(update(jobs).where(jobs.c.id == job).values(resource="gpu"))
    told = client.get("/health/details").get_json()["queue"]["resources"]
    assert (told["gpu"]["queued"], told["gpu"]["slots"], told["gpu"]["unserved"]) == (1, 0, 1)
    assert told["cpu"] == {"queued": 0, "processing": 0, "oldest": 0.0, "slots": 3, "unserved": 0}


def test_the_moderator_is_among_the_engines_where_there_is_to_be_one(opening: Opening) -> None:
    """Without it no dub goes on, and nothing else of the server shows that."""
    for wanted, found in (("", []), ("openai", ["needs key"])):
        app = create_app(opening(moderation=wanted))
        app.test_client().get("/health/details")
        app.extensions["autodub_engines"].wait()
        engines = app.test_client().get("/health/details").get_json()["engines"]
        assert [one["state"] for one in engines if one["engine"] == "moderator.openai"] == found


def test_what_is_slow_is_found_out_beside_and_once_a_minute() -> None:
    """Nobody waits for it; a fresh answer is not asked for again, an old one given until there is a new."""
    now, asked = [0.0], []
    kept: Kept[int] = Kept(lambda: asked.append(1) or len(asked), clock=lambda: now[0])
    assert kept.look() == (None, None)
    kept.wait()
    assert kept.look() == (1, 0.0)
    now[0] = 59.0
    assert kept.look() == (1, 0.0)
    now[0] = 61.0
    assert kept.look() == (1, 0.0)
    kept.wait()
    assert kept.look() == (2, 61.0)


def test_what_cannot_be_found_out_is_unknown_and_told(caplog: pytest.LogCaptureFixture) -> None:
    """A look that fails is in the log, and tried again a minute later."""
    kept: Kept[int] = Kept(away, clock=lambda: 5.0)
    kept.look()
    kept.wait()
    assert kept.look() == (None, 5.0)
    assert "It is away." in caplog.text


def test_health_is_open_and_details_are_for_admins(opening: Opening) -> None:
    """With accounts a stranger learns that the server lives and is ready, and no more."""
    client = create_app(opening(accounts=True, slots=0)).test_client()
    assert client.get("/health").status_code == 200
    assert client.get("/ready").status_code == 200
    assert client.get("/health/details").status_code == 401
    assert json.loads(client.get("/health/details").text)["code"] == "unauthenticated"
