"""Consents, privacy and the audit over HTTP."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from people import PASSWORD, Browser, added, key_of
from sqlalchemy import text

from autodub.jobs import audit
from autodub.jobs.platform import LOCAL_ACTOR, Platform
from autodub.jobs.records import Actor
from autodub.web.app import create_app

Opening = Callable[..., Platform]
JOB = {"source": "https://www.youtube.com/watch?v=abcdefghijk", "target": "es"}
WHO = {"who": "Jane Doe", "statement": "Jane Doe agreed in writing."}
MANY = dict.fromkeys(
    ("rates", "create_rates", "edit_rates", "login_rates", "account_rates"), "100000 per minute"
)


@pytest.fixture
def platform(opening: Opening) -> Platform:
    """A platform without accounts that counts nobody."""
    return opening(**MANY, prohibited=("harbour",))


@pytest.fixture
def peopled(opening: Opening) -> Platform:
    """A platform with accounts: ann, ben and the admin boss."""
    platform = opening(accounts=True, **MANY)
    for name in ("ann", "ben"):
        added(platform, name)
    added(platform, "boss", role="admin")
    return platform


def test_a_consent_is_given_listed_used_and_withdrawn(client: FlaskClient) -> None:
    """From the statement to the refusal of what would clone on it afterwards."""
    given = client.post("/api/v1/consents", json=WHO)
    assert given.status_code == 201
    consent = given.get_json()
    assert given.headers["Location"] == f"/api/v1/consents/{consent['id']}"
    assert (consent["who"], consent["withdrawn"], consent["voices"]) == ("Jane Doe", None, [])
    assert consent["address"] == "127.0.0.1"
    wishes = JOB | {"clone_voices": True, "consent_id": consent["id"]}
    job = client.post("/api/v1/jobs", json=wishes)
    assert job.status_code == 201
    assert client.post(f"/api/v1/jobs/{job.get_json()['id']}/cancel").status_code == 200
    gone = client.delete(f"/api/v1/consents/{consent['id']}")
    assert gone.status_code == 200
    assert gone.get_json()["withdrawn"] is not None
    listed = client.get("/api/v1/consents").get_json()["consents"]
    assert [one["id"] for one in listed] == [consent["id"]]
    for refused in (
        client.post("/api/v1/jobs", json=wishes),
        client.post(f"/api/v1/jobs/{job.get_json()['id']}/retry"),
    ):
        assert (refused.status_code, refused.get_json()["code"]) == (403, "consent_missing")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/v1/jobs", JOB | {"clone_voices": True}),
        (
            "/api/v1/batches",
            {
                "name": "films",
                "targets": ["es"],
                "wishes": {"clone_voices": True},
                "sources": [{"source": JOB["source"]}],
            },
        ),
        (
            "/api/dub",
            {"youtube_url": JOB["source"], "target_language": "es", "use_voice_cloning": True},
        ),
    ],
)
def test_no_route_clones_without_a_consent(
    client: FlaskClient, platform: Platform, path: str, body: dict[str, Any]
) -> None:
    """Every way to submit is refused, and nothing is queued."""
    refused = client.post(path, json=body)
    assert refused.status_code in (400, 403), refused.get_json()
    assert refused.get_json()["code"] == "consent_missing"
    assert platform.jobs.list(LOCAL_ACTOR).total == 0


def test_a_request_against_the_content_policy_is_refused(client: FlaskClient) -> None:
    """422 with a code; the word itself is not repeated."""
    refused = client.post("/api/v1/jobs", json=JOB | {"title": "At the harbour"})
    assert (refused.status_code, refused.get_json()["code"]) == (422, "content_refused")
    assert "harbour" not in refused.get_data(as_text=True)


def test_consents_of_others_are_not_there(peopled: Platform) -> None:
    """Neither to look at, to use nor to withdraw; an admin sees them."""
    app = create_app(peopled)
    ann, ben, boss = (Browser(app, name) for name in ("ann", "ben", "boss"))
    consent = ann.ask("POST", "/api/v1/consents", json=WHO).get_json()["id"]
    for method in ("GET", "DELETE"):
        assert ben.ask(method, f"/api/v1/consents/{consent}").status_code == 404
    assert ben.ask("GET", "/api/v1/consents?owner=*").get_json()["consents"] == []
    used = ben.ask("POST", "/api/v1/jobs", json=JOB | {"clone_voices": True, "consent_id": consent})
    assert used.status_code == 404
    assert boss.ask("GET", "/api/v1/consents?owner=*").get_json()["consents"][0]["id"] == consent


def test_the_audit_is_read_in_pages_exported_and_checked(client: FlaskClient) -> None:
    """Filters, pages that join, lines of JSON, and whether the chain holds."""
    for _ in range(3):
        client.post("/api/v1/consents", json=WHO)
    client.post("/api/v1/jobs", json=JOB)
    first = client.get("/api/v1/admin/audit?limit=2").get_json()
    rest = client.get(f"/api/v1/admin/audit?after={first['after']}").get_json()
    numbers = [entry["number"] for entry in first["entries"] + rest["entries"]]
    assert numbers == list(range(1, len(numbers) + 1))
    assert rest["after"] is None
    assert rest["head"]["number"] == numbers[-1]
    assert rest["head"]["digest"] == rest["entries"][-1]["digest"]
    found = client.get("/api/v1/admin/audit?action=consent.").get_json()["entries"]
    assert {entry["action"] for entry in found} == {"consent.given"}
    assert {entry["address"] for entry in found} == {"127.0.0.1"}
    sent = client.get("/api/v1/admin/audit/export?action=job.submitted")
    assert sent.mimetype == "application/x-ndjson"
    assert [json.loads(line)["action"] for line in sent.text.splitlines()] == ["job.submitted"]
    checked = client.get("/api/v1/admin/audit/verify").get_json()
    assert (checked["holds"], checked["count"]) == (True, len(numbers))


def test_a_broken_audit_is_told(client: FlaskClient, platform: Platform) -> None:
    """With the first row that is not as it was."""
    for _ in range(3):
        client.post("/api/v1/consents", json=WHO)
    with platform.sql.writing() as connection:
        connection.execute(text("DROP TRIGGER audit_no_update"))
        connection.execute(text("UPDATE audit SET actor = 'eve' WHERE number = 2"))
    checked = client.get("/api/v1/admin/audit/verify").get_json()
    assert (checked["holds"], checked["first_bad"]) == (False, 2)


def test_the_audit_is_for_admins(peopled: Platform) -> None:
    """Users are refused on each of its routes, also with a key; an admin is not."""
    app = create_app(peopled)
    ann, boss = Browser(app, "ann"), Browser(app, "boss")
    for route in ("", "/export", "/verify"):
        assert ann.ask("GET", f"/api/v1/admin/audit{route}").status_code == 403
        assert boss.ask("GET", f"/api/v1/admin/audit{route}").status_code == 200


def _id(platform: Platform, name: str) -> str:
    return platform.accounts.named(LOCAL_ACTOR, name).id


def test_ones_data_come_as_one_file(peopled: Platform) -> None:
    """A ZIP of one's own; of another's only for an admin."""
    app = create_app(peopled)
    ann, ben, boss = (Browser(app, name) for name in ("ann", "ben", "boss"))
    job = ann.ask("POST", "/api/v1/jobs", json=JOB).get_json()["id"]
    sent = ann.ask("GET", "/api/v1/privacy/export")
    assert (sent.status_code, sent.mimetype) == (200, "application/zip")
    assert sent.headers["Content-Disposition"].startswith("attachment;")
    with zipfile.ZipFile(io.BytesIO(sent.data)) as archive:
        assert job in archive.read("jobs.jsonl").decode()
        assert PASSWORD.encode() not in b"".join(archive.read(name) for name in archive.namelist())
    other = f"/api/v1/privacy/users/{_id(peopled, 'ann')}/export"
    assert ben.ask("GET", other).status_code == 403
    assert boss.ask("GET", other).status_code == 200
    assert boss.ask("GET", f"/api/v1/privacy/users/{'0' * 32}/export").status_code == 404


def test_an_account_is_erased_after_a_fresh_login(peopled: Platform) -> None:
    """The session ends, the name is free again, and nobody logs in with the old password."""
    app = create_app(peopled)
    ann = Browser(app, "ann")
    ann.ask("POST", "/api/v1/jobs", json=JOB)
    gone = ann.ask("DELETE", "/api/v1/privacy", json={})
    assert (gone.status_code, gone.get_json()) == (200, {"state": "erased"})
    assert ann.cookie == ""
    assert ann.ask("GET", "/api/v1/auth/me").status_code == 401
    assert Browser(app).login("ann").status_code == 401
    assert [account.name for account in peopled.accounts.list(LOCAL_ACTOR)] == ["ben", "boss", "local"]


def test_an_old_session_needs_the_password(peopled: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """A browser left open is not enough, nor is a wrong password."""
    app = create_app(peopled)
    ann = Browser(app, "ann")
    now = time.time()
    monkeypatch.setattr("autodub.web.privacy.time.time", lambda: now + 3600)
    refused = ann.ask("DELETE", "/api/v1/privacy", json={})
    assert (refused.status_code, refused.get_json()["code"]) == (403, "forbidden")
    assert ann.ask("DELETE", "/api/v1/privacy", json={"password": "not this one"}).status_code == 401
    assert _id(peopled, "ann")
    assert ann.ask("DELETE", "/api/v1/privacy", json={"password": PASSWORD}).status_code == 200


def test_a_key_alone_erases_no_account(peopled: Platform) -> None:
    """A program that holds a key needs the password, too."""
    client = create_app(peopled).test_client()
    key = key_of(peopled, _id(peopled, "ann"), "read", "jobs")
    assert client.delete("/api/v1/privacy", json={}, headers=key).status_code == 403
    assert client.delete("/api/v1/privacy", json={"password": PASSWORD}, headers=key).status_code == 200


def test_an_admin_erases_a_user_but_not_the_last_admin(peopled: Platform) -> None:
    """What still runs is told as leaving; the only admin stays."""
    app = create_app(peopled)
    ann, boss = Browser(app, "ann"), Browser(app, "boss")
    user = _id(peopled, "ann")
    ann.ask("POST", "/api/v1/jobs", json=JOB)
    assert peopled.claims.next("worker") is not None
    leaving = boss.ask("DELETE", f"/api/v1/privacy/users/{user}")
    assert (leaving.status_code, leaving.get_json()) == (202, {"state": "leaving"})
    assert ann.ask("GET", "/api/v1/auth/me").status_code == 401
    assert boss.ask("DELETE", "/api/v1/privacy", json={}).status_code == 409


def test_without_accounts_everything_of_the_local_user_is_erased(
    client: FlaskClient, platform: Platform
) -> None:
    """Nothing is asked for, and the server goes on."""
    client.post("/api/v1/jobs", json=JOB)
    assert client.delete("/api/v1/privacy", json={}).status_code == 200
    assert client.get("/api/v1/jobs").get_json()["total"] == 0
    assert client.post("/api/v1/jobs", json=JOB).status_code == 201


def test_what_people_do_is_in_the_audit(peopled: Platform) -> None:
    """Logins, failed ones too, keys, jobs, statements, exports: who, what, from where; no name, no words."""
    app = create_app(peopled)
    Browser(app).login("ann", "not this one")
    ann = Browser(app, "ann")
    job = ann.ask("POST", "/api/v1/jobs", json=JOB | {"title": "Quokkafilm"}).get_json()["id"]
    ann.ask("POST", f"/api/v1/jobs/{job}/cancel")
    ann.ask("POST", f"/api/v1/jobs/{job}/retry")
    ann.ask("DELETE", f"/api/v1/jobs/{job}")
    key = ann.ask("POST", "/api/v1/keys", json={"name": "Quokkakey"}).get_json()["id"]
    ann.ask("DELETE", f"/api/v1/keys/{key}")
    ann.ask("POST", "/api/v1/consents", json=WHO)
    ann.ask("GET", "/api/v1/privacy/export")
    ann.ask("POST", "/api/v1/auth/logout")
    user = _id(peopled, "ann")
    entries = [one for one in audit.entries(peopled.sql) if one.actor == user]
    done = [one.action for one in entries]
    for action in (
        "login.failed", "session.opened", "job.submitted", "job.cancelled", "job.retried", "job.deleted",
        "key.created", "key.revoked", "consent.given", "user.exported", "session.closed",
    ):  # fmt: skip
        assert action in done, (action, done)
    assert {one.address for one in entries} == {"127.0.0.1"}
    whole = repr([one.as_json() for one in audit.entries(peopled.sql)])
    assert not any(word in whole for word in ("Quokka", "Jane", "'ann'", PASSWORD))
    assert Actor(user).id in whole
