"""A platform whose files lie in S3: downloads by link, notes that every machine reads, health and doctor."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import psycopg
import pytest
from flask.testing import FlaskClient
from s3_server import S3Server
from sqlalchemy import update

from autodub.cli import survey_store
from autodub.infra import s3_places, server_settings
from autodub.infra.settings import Settings
from autodub.jobs.notes import GLOSSARY, SOURCE
from autodub.jobs.platform import LOCAL_ACTOR, Platform
from autodub.jobs.results import Item, Result
from autodub.jobs.spec import JobSpec
from autodub.jobs.tables import jobs
from autodub.web.app import create_app

Machine = Callable[..., Settings]
Opening = Callable[..., Platform]


@pytest.fixture
def opening(s3_shared: Machine, postgres: str) -> Iterator[Opening]:
    """Platforms of machines, by name, over one database and one store."""
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS platform WITH (FORCE)")
        connection.execute("CREATE DATABASE platform")
    address = postgres.replace("/postgres?", "/platform?")
    with ExitStack() as stack:

        def open_(machine: str, **given: Any) -> Platform:
            known = s3_shared(machine)
            values = {"database": address, "spare": 0, "check_engines": False, "slots": 0} | given
            platform = Platform(known, server_settings.load(known, environ={}, given=values))
            stack.callback(platform.close)
            return platform

        yield open_


def finished(platform: Platform, content: bytes) -> str:
    """A finished job with one file."""
    spec = JobSpec(source="https://www.youtube.com/watch?v=abcdefghijk", target="es")
    job = platform.jobs.submit(LOCAL_ACTOR, spec)[0].id
    with platform.store.blobs.scratch() as scratch:
        (scratch / "f.mp4").write_bytes(content)
        blob = platform.store.blobs.keep(scratch / "f.mp4")
    platform.store.pin(job, blob)
    item = Item(name="Ein Füller.es.mp4", digest=blob.digest, size=blob.size, suffix=blob.suffix)
    values = {
        "state": "completed",
        "finished": 1.0,
        "result": Result(files={"media": item}).model_dump_json(),
    }
    with platform.sql.writing() as connection:
        connection.execute(update(jobs).where(jobs.c.id == job).values(**values))
    return job


def visitor(platform: Platform) -> FlaskClient:
    """Somebody who sends requests to a platform's app."""
    app = create_app(platform)
    app.testing = True
    return app.test_client()


def test_a_download_is_a_link_for_a_while(opening: Opening, s3: S3Server) -> None:
    """A link gives the file under its name without the server having fetched it, until its time is over."""
    job = finished(opening("worker"), b"0123456789")
    front = opening("front", downloads=60)
    client, url = visitor(front), f"/api/v1/jobs/{job}/files/media"
    for asked in ({"query_string": {"link": "true"}}, {"headers": {"Sec-Fetch-Mode": "navigate"}}):
        answer = client.get(url, **asked)
        assert answer.status_code == 302
    link = answer.headers["Location"]
    assert link.startswith(s3.address)
    assert not list((front.settings.data_dir / "cache").rglob("*.mp4"))
    got = httpx.get(link, headers={"Range": "bytes=2-4"})
    assert (got.status_code, got.content, got.headers["Content-Type"]) == (206, b"234", "video/mp4")
    assert got.headers["Content-Disposition"] == "attachment; filename*=UTF-8''Ein%20F%C3%BCller.es.mp4"
    s3.later = 61.0
    assert httpx.get(link).status_code == 403
    played = client.get(url, headers={"Range": "bytes=0-1"})
    assert (played.status_code, played.data) == (206, b"01")


def test_no_links_unless_the_operator_says_so(opening: Opening) -> None:
    """By default files come through the server, whoever asks for a link."""
    job = finished(opening("worker"), b"0123456789")
    answer = visitor(opening("front")).get(f"/api/v1/jobs/{job}/files/media?link=true")
    assert (answer.status_code, answer.data) == (200, b"0123456789")


def test_notes_of_a_worker_are_read_elsewhere(opening: Opening) -> None:
    """What a worker put into a job's folder another machine reads; what is gone there is gone here."""
    worker, front = opening("worker"), opening("front")
    job = finished(worker, b"x")
    folder = worker.folder(job)
    folder.mkdir(parents=True)
    (folder / GLOSSARY).write_text("a,b\n")
    (folder / SOURCE).write_text("no json")
    worker.notes.publish(job)
    assert front.notes.read(job, GLOSSARY) == "a,b\n"
    assert front.exports.origin(job) is None
    assert front.exports.parts(job) is None
    (folder / GLOSSARY).unlink()
    worker.notes.publish(job)
    assert front.notes.read(job, GLOSSARY) is None


def test_a_deleted_job_is_gone_from_the_storage(opening: Opening, s3: S3Server) -> None:
    """What the sweeper of any machine erases is gone in S3, and nothing of it is told."""
    worker, front = opening("worker"), opening("front")
    job = finished(front, b"private")
    prefix = front.settings.blobs.partition("films/")[2] + "/"
    assert len(s3.keys(prefix)) == 1
    front.jobs.delete(LOCAL_ACTOR, job)
    worker.erasing.erase(job)
    assert s3.keys(prefix) == []
    assert visitor(front).get(f"/api/v1/jobs/{job}/files/media").status_code == 404


def test_doctor_and_health_say_what_is_wrong(
    opening: Opening, s3_shared: Machine, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All well, a bucket that does not answer, a database that does not: a sentence without a password."""
    monkeypatch.setattr(s3_places, "_TRIES", 1)
    platform = opening("front")
    client = visitor(platform)
    assert client.get("/health/details").get_json()["store"] == {"files": "s3", "trouble": None}
    client.application.extensions["autodub_store"].wait()
    assert client.get("/health/details").get_json()["store"] == {"files": "s3", "trouble": ""}
    assert [one.state for one in survey_store.checks(s3_shared())] == ["ok"]
    s3.failing = lambda method, path: True
    (found,) = survey_store.checks(s3_shared())
    assert (found.state, "s3://films" in found.detail) == ("missing", True)
    secret = type(platform.settings.store_database)("postgresql://me:hidden@127.0.0.1:1/store")
    (found,) = survey_store.checks(s3_shared(store_database=secret))
    assert found.state == "missing"
    assert "hidden" not in found.detail + found.fix
    assert survey_store.checks(s3_shared(store_database=type(secret)(""))) == ()
