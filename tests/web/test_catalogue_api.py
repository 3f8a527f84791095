"""Languages, engines, voices, glossaries, estimates, batches and usage through the interface."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from people import added, key_of
from werkzeug.test import TestResponse

from autodub.engines import registry
from autodub.engines.roles import Readiness
from autodub.infra import server_settings, settings
from autodub.jobs.platform import LOCAL_ACTOR, Platform
from autodub.jobs.records import Job
from autodub.model.errors import Refused
from autodub.model.job import Event
from autodub.testing.fakes import FAKES, FakeSynthesizer
from autodub.web.app import create_app

SPEC = {"source": "https://youtube.com/watch?v=1", "target": "es"}
SECRET = "sk-do-not-show-this-key"


class Talkative(FakeSynthesizer):
    """An engine that says too much of its machine."""

    def readiness(self) -> Readiness:
        assert self.context is not None
        return Readiness(
            "needs download", f"no voice in {self.context.models / 'my voices'} with {SECRET}",
            "cp /srv/private/voice.bin ~/models/voice.bin; see https://example.org/a/b",
        )  # fmt: skip


class Refusing(FakeSynthesizer):
    """An engine whose provider refuses the key."""

    def list_voices(self, *_: Any) -> Any:
        raise Refused(f"The key {SECRET} in /etc/autodub/keys is refused.", engine="refusing")


@pytest.fixture
def engines() -> Iterator[None]:
    """Fakes of every role."""
    with registry.registered("synthesizer", "fake", FAKES["synthesizer"]):
        yield


def code(answer: TestResponse) -> tuple[int, str]:
    """Status and code of a problem."""
    assert answer.content_type == "application/problem+json"
    return answer.status_code, answer.get_json()["code"]


def test_languages_are_listed_by_what_is_done_with_them(client: FlaskClient, engines: None) -> None:
    """Names beside tags; null where any language will do."""
    found = client.get("/api/v1/languages").get_json()
    assert {"engine": "fake", "languages": None} in found["spoken"]
    espeak = next(one for one in found["spoken"] if one["engine"] == "espeak")
    assert {"tag": "es", "name": "Spanish"} in espeak["languages"]
    assert {one["engine"] for one in found["recognised"]} >= {"subtitles"}
    assert all("pairs" in one for one in found["translated"])


def test_engines_are_listed_with_what_they_can_be_told(client: FlaskClient) -> None:
    """Role, state, options in words, and their JSON Schema for forms."""
    found = client.get("/api/v1/engines?role=detector").get_json()["engines"]
    assert {one["role"] for one in found} == {"detector"}
    silero = next(one for one in found if one["name"] == "silero")
    assert set(silero["schema"]["properties"]) == {option["name"] for option in silero["options"]}
    assert code(client.get("/api/v1/engines?role=cook")) == (422, "bad_request")


@pytest.fixture
def keyed(tmp_path: Path) -> Iterator[Platform]:
    """A platform with accounts and a key of a provider."""
    known = settings.load(
        environ={"HOME": str(tmp_path), "ELEVENLABS_API_KEY": SECRET}, data_dir=tmp_path / "data"
    )
    given = {"spare": 0, "accounts": True}
    found = Platform(known, server_settings.load(known, environ={}, given=given))
    yield found
    found.close()


def test_nothing_of_the_catalogue_shows_a_path_or_a_key(keyed: Platform, tmp_path: Path) -> None:
    """Neither to an admin, who is told what makes an engine ready, nor to anybody else, who is not."""
    platform = keyed
    ana, root = added(platform, "ana"), added(platform, "root", role="admin")
    client = create_app(platform).test_client()
    with registry.registered("synthesizer", "talkative", Talkative):
        answers = {
            who: client.get("/api/v1/engines", headers=key_of(platform, user, "read", "jobs", *scopes))
            for who, user, scopes in (("ana", ana, ()), ("root", root, ("voices", "admin")))
        }
    for answer in answers.values():
        assert str(tmp_path) not in answer.get_data(as_text=True)
        assert "/srv/private" not in answer.get_data(as_text=True)
        assert SECRET not in answer.get_data(as_text=True)
    told = {
        who: next(one for one in answer.get_json()["engines"] if one["name"] == "talkative")
        for who, answer in answers.items()
    }
    assert (told["ana"]["detail"], told["ana"]["fix"]) == ("", "")
    assert told["root"]["fix"] == "cp (path) (path); see https://example.org/a/b"
    assert told["root"]["detail"].startswith("no voice in (path)")


def test_voices_of_a_language_are_listed(client: FlaskClient, engines: None) -> None:
    """Of the synthesizer that was named, else of the first one that speaks it."""
    found = client.get("/api/v1/voices?target=Spanish&engine=fake").get_json()
    assert (found["engine"], found["language"]["tag"]) == ("fake", "es")
    assert found["voices"][0] == {"id": "fake-1", "gender": "female", "pitch_hz": 210.0}
    assert client.get("/api/v1/voices?target=es").get_json()["voices"]
    assert code(client.get("/api/v1/voices?target=Klingonese")) == (400, "unknown_language")
    assert code(client.get("/api/v1/voices?target=es&engine=nobody")) == (400, "unknown_engine")
    assert code(client.get("/api/v1/voices")) == (422, "bad_request")


def test_a_provider_that_refuses_is_told_without_paths_and_keys(keyed: Platform) -> None:
    """502, and neither the key nor the place of the keys is said."""
    client, ana = create_app(keyed).test_client(), key_of(keyed, added(keyed, "ana"))
    with registry.registered("synthesizer", "refusing", Refusing):
        answer = client.get("/api/v1/voices?target=es&engine=refusing", headers=ana)
    assert code(answer) == (502, "refused")
    assert "/etc" not in answer.get_data(as_text=True)
    assert SECRET not in answer.get_data(as_text=True)


def test_a_glossary_lives_through_the_interface(client: FlaskClient) -> None:
    """Made of terms or of text, read with the terms of a language, changed, listed, deleted."""
    terms = [{"source": "stream", "target": "flujo"}, {"source": "IT", "case_sensitive": True}]
    made = client.post("/api/v1/glossaries", json={"name": "Names", "terms": terms})
    place = made.headers["Location"]
    assert made.status_code == 201
    assert made.get_json()["terms"] == [
        {"source": "stream", "target": "flujo", "case_sensitive": False},
        {"source": "IT", "target": "IT", "case_sensitive": True},
    ]
    changed = client.patch(place, json={"text": "term,es,fr\nstream,flujo,flux\n"}).get_json()
    assert (changed["targets"], changed["terms"], changed["name"]) == (["es", "fr"], None, "Names")
    assert client.get(f"{place}?target=fr").get_json()["terms"][0]["target"] == "flux"
    assert code(client.get(f"{place}?target=de")) == (400, "bad_option")
    assert [one["name"] for one in client.get("/api/v1/glossaries").get_json()["glossaries"]] == ["Names"]
    assert client.delete(place).status_code == 204
    assert code(client.get(place)) == (404, "not_found")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "x"}, 422), ({"name": "x", "text": "a = b", "terms": []}, 422),
        ({"name": " ", "text": ""}, 422),
        ({"name": "x", "text": "a = b\na = c"}, 400), ({"name": "x", "terms": [{"source": "!"}]}, 400),
    ],
)  # fmt: skip
def test_what_is_no_glossary_is_refused(client: FlaskClient, body: dict[str, Any], status: int) -> None:
    """With the line that is wrong, where there is one."""
    answer = client.post("/api/v1/glossaries", json=body)
    assert answer.status_code == status
    if status == 400:
        assert "Line" in answer.get_json()["title"]


def _end(platform: Platform, state: str, **values: object) -> Job:
    """Take the next job and end it, as a worker does."""
    taken = platform.claims.next("worker")
    assert taken is not None
    platform.claims.end(taken, state, Event(f"job.{state}"), **values)  # type: ignore[arg-type]
    return taken


RESULT = (
    '{"summary":"t","seconds":90.0,"estimate":{"speech_seconds":60.0,"engines":{"translator":"openai"},'
    '"dollars":{"low":0.1,"likely":0.2,"high":0.3},"items":[],"prices_of":"2026-10-01","unpriced":[]}}'
)


def test_an_estimate_is_a_job_that_can_be_waited_for(client: FlaskClient, platform: Platform) -> None:
    """202 with its place while nobody has found it out; the figures once somebody has."""
    first = client.post("/api/v1/estimates", json=SPEC, headers={"Idempotency-Key": "e1"})
    job = first.get_json()
    assert (first.status_code, job["kind"], job["state"]) == (202, "estimate", "queued")
    assert first.headers["Location"] == f"/api/v1/jobs/{job['id']}"
    _end(platform, "completed", result=RESULT, duration=90.0)
    found = client.post("/api/v1/estimates", json=SPEC, headers={"Idempotency-Key": "e1"})
    assert found.status_code == 200
    assert found.get_json()["dollars"] == {"low": 0.1, "likely": 0.2, "high": 0.3}
    assert (found.get_json()["seconds"], found.get_json()["job"]) == (90.0, job["id"])


def test_an_estimate_is_answered_as_soon_as_it_is_there(app: Flask, platform: Platform) -> None:
    """Who waits gets the figures in the same request."""
    answers: list[TestResponse] = []
    asking = threading.Thread(
        target=lambda: answers.append(app.test_client().post("/api/v1/estimates?wait=20", json=SPEC))
    )
    asking.start()
    while platform.jobs.list(LOCAL_ACTOR, kind="estimate").total == 0:
        assert asking.is_alive()
    _end(platform, "completed", result=RESULT, duration=90.0)
    asking.join(20)
    assert answers[0].status_code == 200
    assert answers[0].get_json()["speech_seconds"] == 60.0


def test_an_estimate_that_cannot_be_made_says_why(client: FlaskClient, platform: Platform) -> None:
    """The failure of its job, as a problem."""
    client.post("/api/v1/estimates", json=SPEC, headers={"Idempotency-Key": "e2"})
    error = '{"code":"unsupported_source","message":"It has no sound.","hint":"Give another."}'
    _end(platform, "failed", error=error)
    answer = client.post("/api/v1/estimates", json=SPEC, headers={"Idempotency-Key": "e2"})
    assert code(answer) == (422, "unsupported_source")
    assert answer.get_json()["hint"] == "Give another."
    assert code(client.post("/api/v1/estimates?wait=31", json=SPEC)) == (422, "bad_request")


def test_a_batch_is_submitted_watched_and_deleted(client: FlaskClient) -> None:
    """Sources x targets jobs; the same key gives the same batch."""
    sources = [SPEC | {"title": "One"}, {"source": "https://youtu.be/2"}]
    del sources[0]["target"]
    asked = {"name": "Talks", "sources": sources, "targets": ["es", "fr"], "wishes": {"tone": "playful"}}
    made = client.post("/api/v1/batches", json=asked, headers={"Idempotency-Key": "b"})
    assert made.status_code == 201, made.get_json()
    place, batch = made.headers["Location"], made.get_json()
    assert (batch["total"], batch["counts"]["queued"], len(batch["jobs"])) == (4, 4, 4)
    assert [job["title"] for job in batch["jobs"]].count("One") == 2
    again = client.post("/api/v1/batches", json=asked, headers={"Idempotency-Key": "b"})
    assert (again.status_code, again.get_json()["id"]) == (200, batch["id"])
    assert client.post(f"{place}/cancel").get_json()["counts"]["cancelled"] == 4
    assert client.post(f"{place}/retry").get_json()["counts"]["queued"] == 4
    assert [one["id"] for one in client.get("/api/v1/batches").get_json()["batches"]] == [batch["id"]]
    assert client.get(place).get_json()["progress"] == 0.0
    assert client.delete(place).status_code == 204
    assert code(client.get(place)) == (404, "not_found")


def test_a_batch_with_a_job_that_cannot_be_names_it(client: FlaskClient, platform: Platform) -> None:
    """Each by its source and target; nothing is queued."""
    asked = {"name": "x", "sources": [{"source": SPEC["source"]}, {"upload": "none"}], "targets": ["es"]}
    answer = client.post("/api/v1/batches", json=asked)
    assert code(answer) == (422, "bad_request")
    assert [one["where"] for one in answer.get_json()["errors"]] == ["sources.1, targets.0"]
    assert platform.jobs.list(LOCAL_ACTOR).total == 0
    many = asked | {"targets": ["es"] * 101}
    assert "202 jobs" in client.post("/api/v1/batches", json=many).get_json()["title"]
    typo = asked | {"wishes": {"tonne": "playful"}}
    assert code(client.post("/api/v1/batches", json=typo)) == (422, "bad_request")


def test_usage_is_told_to_its_user_and_all_of_it_to_an_admin(opening: Any) -> None:
    """Quotas with what is left; everybody's only for an admin."""
    platform = opening(accounts=True, minutes=30.0)
    ana, root = added(platform, "ana"), added(platform, "root", role="admin")
    client = create_app(platform).test_client()
    hers, roots = key_of(platform, ana), key_of(platform, root, "read", "admin")
    found = client.get("/api/v1/usage", headers=hers).get_json()
    assert found["quota"]["seconds_allowed"] == found["quota"]["seconds_left"] == 1800.0
    assert (found["days"], found["jobs"], found["total"]["attempts"]) == ([], [], 0)
    assert client.get("/api/v1/usage?owner=*", headers=roots).get_json()["users"] == []
    assert client.get(f"/api/v1/usage?owner={ana}", headers=roots).status_code == 200
    assert code(client.get("/api/v1/usage?owner=*", headers=hers)) == (403, "forbidden")
    assert code(client.get(f"/api/v1/usage?owner={root}", headers=hers)) == (404, "not_found")
    assert code(client.get("/api/v1/usage?month=2026-13", headers=hers)) == (422, "bad_request")
