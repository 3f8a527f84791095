"""API keys over HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from flask import Flask
from people import Browser, added, key_of

from autodub.jobs.platform import LOCAL_ACTOR, Platform

Opening = Callable[..., Platform]
JOB = {"source": "https://www.youtube.com/watch?v=abcdefghijk", "target": "es"}


@pytest.fixture
def platform(opening: Opening) -> Platform:
    """A platform with accounts, where nobody is counted."""
    many = "100000 per minute"
    rates = dict.fromkeys(("rates", "create_rates", "edit_rates", "login_rates", "account_rates"), many)
    return opening(accounts=True, **rates)


@pytest.fixture
def ann(app: Flask, platform: Platform) -> Browser:
    """A user who is logged in."""
    added(platform, "ann")
    return Browser(app, "ann")


def bearer(text: str) -> dict[str, str]:
    """The header of a key."""
    return {"Authorization": f"Bearer {text}"}


def test_a_key_is_shown_once(ann: Browser) -> None:
    """The answer that made it has its text; no later one has more than its first characters."""
    answer = ann.ask("POST", "/api/v1/keys", json={"name": "CI"})
    assert answer.status_code == 201
    assert answer.headers["Cache-Control"] == "no-store"
    made = answer.get_json()
    text = made.pop("key")
    assert made["scopes"] == ["read", "jobs"]
    assert made["hint"] == text[:10]
    assert ann.ask("GET", answer.headers["Location"]).get_json() == made
    listed = ann.ask("GET", "/api/v1/keys")
    assert listed.get_json() == {"keys": [made]}
    assert text[10:] not in listed.text


def test_a_key_does_what_its_scopes_say(ann: Browser, app: Flask) -> None:
    """One that only looks submits nothing, and one of a user is never an admin's."""
    made = ann.ask("POST", "/api/v1/keys", json={"name": "look", "scopes": ["read"]}).get_json()
    client, sent = app.test_client(), bearer(made["key"])
    assert client.get("/api/v1/jobs", headers=sent).status_code == 200
    refused = client.post("/api/v1/jobs", json=JOB, headers=sent)
    assert (refused.status_code, refused.get_json()["code"]) == (403, "forbidden")
    me = client.get("/api/v1/auth/me", headers=sent).get_json()
    assert (me["by"], me["scopes"], me["csrf"], me["expires"]) == ("key", ["read"], None, None)
    assert ann.ask("POST", "/api/v1/keys", json={"name": "x", "scopes": ["admin"]}).status_code == 403
    assert client.get("/api/v1/users", headers=sent).status_code == 403


def test_who_may_not_is_told_so_before_anything_is_read(ann: Browser, app: Flask, platform: Platform) -> None:
    """Neither the shape of a body nor the form of an id decides what an outsider hears."""
    looks = key_of(platform, platform.accounts.named(LOCAL_ACTOR, "ann").id, "read")
    for sent, status in (({}, 401), (looks, 403)):
        answer = app.test_client().post("/api/v1/jobs", data="{", headers=sent)
        assert answer.status_code == status
        assert app.test_client().delete("/api/v1/jobs/nonsense", headers=sent).status_code == status


def test_a_revoked_key_is_refused_at_once(ann: Browser, app: Flask) -> None:
    """Its very next request is a 401, and it stays in the list as revoked."""
    made = ann.ask("POST", "/api/v1/keys", json={"name": "leaked"}).get_json()
    client, sent = app.test_client(), bearer(made["key"])
    assert client.get("/api/v1/jobs", headers=sent).status_code == 200
    assert ann.ask("DELETE", f"/api/v1/keys/{made['id']}").get_json()["revoked"] is not None
    refused = client.get("/api/v1/jobs", headers=sent)
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"] == 'Bearer realm="autodub", error="invalid_token"'
    assert ann.ask("GET", "/api/v1/keys").get_json()["keys"][0]["revoked"] is not None


def test_a_key_gives_up_itself_and_makes_no_other(ann: Browser, app: Flask) -> None:
    """So one that leaked can be ended by whoever found it, and cannot outlive that."""
    first = ann.ask("POST", "/api/v1/keys", json={"name": "first"}).get_json()
    other = ann.ask("POST", "/api/v1/keys", json={"name": "other"}).get_json()
    client, sent = app.test_client(), bearer(first["key"])
    assert client.post("/api/v1/keys", json={"name": "more"}, headers=sent).status_code == 403
    assert client.delete(f"/api/v1/keys/{other['id']}", headers=sent).status_code == 403
    assert client.delete(f"/api/v1/keys/{first['id']}", headers=sent).status_code == 200
    assert client.get("/api/v1/keys", headers=sent).status_code == 401


def test_a_key_can_end_by_itself(ann: Browser) -> None:
    """A time that is over already is refused."""
    later = time.time() + 1000
    made = ann.ask("POST", "/api/v1/keys", json={"name": "k", "expires": later})
    assert made.get_json()["expires"] == later
    assert ann.ask("POST", "/api/v1/keys", json={"name": "k", "expires": 1000}).status_code == 400


@pytest.mark.parametrize(
    "body", [{}, {"name": ""}, {"name": "x" * 101}, {"name": "k", "scopes": []},
             {"name": "k", "scopes": ["a"]}, {"name": "k", "expires": -1}, {"name": "k", "owner": "../x"},
             {"name": "k", "more": 1}],
)  # fmt: skip
def test_a_key_of_the_wrong_shape_is_refused(ann: Browser, body: dict[str, object]) -> None:
    """It is told where it is wrong."""
    answer = ann.ask("POST", "/api/v1/keys", json=body)
    assert answer.status_code == 422
    assert answer.get_json()["errors"]


def test_an_admin_makes_and_ends_keys_of_others(ann: Browser, app: Flask, platform: Platform) -> None:
    """A user cannot, and is told that nobody is there."""
    user = ann.ask("GET", "/api/v1/auth/me").get_json()["id"]
    boss_id = added(platform, "boss", role="admin")
    boss = Browser(app, "boss")
    made = boss.ask("POST", "/api/v1/keys", json={"name": "for ann", "owner": user})
    assert made.get_json()["owner"] == user
    assert [one["name"] for one in ann.ask("GET", "/api/v1/keys").get_json()["keys"]] == ["for ann"]
    assert len(boss.ask("GET", f"/api/v1/keys?owner={user}").get_json()["keys"]) == 1
    assert ann.ask("POST", "/api/v1/keys", json={"name": "k", "owner": boss_id}).status_code == 404
    assert boss.ask("DELETE", f"/api/v1/keys/{made.get_json()['id']}").status_code == 200
