"""Logging in and out, sessions, users: over HTTP."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from people import PASSWORD, Browser, added, key_of
from sqlalchemy import select

from autodub.jobs import tables
from autodub.jobs.platform import Platform
from autodub.jobs.records import LOCAL
from autodub.model.errors import BadOption
from autodub.web import identity
from autodub.web.app import create_app

Opening = Callable[..., Platform]
JOB = {"source": "https://www.youtube.com/watch?v=abcdefghijk", "target": "es"}


@pytest.fixture
def platform(opening: Opening) -> Platform:
    """A platform with accounts: ann and ben are users, boss is an admin. Nobody is counted."""
    many = "100000 per minute"
    rates = dict.fromkeys(("rates", "create_rates", "edit_rates", "login_rates", "account_rates"), many)
    platform = opening(accounts=True, **rates)
    for name in ("ann", "ben"):
        added(platform, name)
    added(platform, "boss", role="admin")
    return platform


def id_of(platform: Platform, name: str) -> str:
    """A user's id."""
    with platform.sql.reading() as connection:
        wanted = select(tables.users.c.id).where(tables.users.c.name == name)
        return str(connection.execute(wanted).scalar_one())


def test_a_login_opens_what_was_closed(app: Flask) -> None:
    """Before it everything is 401, with what to send; after it one is who one is."""
    browser = Browser(app)
    refused = browser.ask("GET", "/api/v1/auth/me")
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"] == 'Bearer realm="autodub"'
    assert refused.json is not None
    assert "X-API-Key" in refused.json["hint"]
    assert "***" not in refused.json["hint"]
    assert refused.content_type == "application/problem+json"
    entered = browser.login("ANN")
    assert entered.status_code == 200
    me = browser.ask("GET", "/api/v1/auth/me").get_json()
    assert me == entered.get_json() | {"expires": me["expires"]}
    assert (me["name"], me["role"], me["by"], me["accounts"]) == ("ann", "user", "session", True)
    assert me["scopes"] == ["read", "jobs", "voices"]
    assert me["quota"]["running"] == 2


def test_the_cookie_is_out_of_reach_of_pages(app: Flask) -> None:
    """Scripts cannot read it, other sites do not send it, and it goes to this server alone."""
    answer = Browser(app).login("ann")
    cookie = answer.headers["Set-Cookie"]
    for part in ("HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=1209600"):
        assert part in cookie.split("; ")
    assert "Domain" not in cookie
    assert "Secure" not in cookie
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("where", ["request", "setting"])
def test_with_https_the_cookie_is_for_https_only(opening: Opening, where: str) -> None:
    """Whether the request came so, or people reach the server so."""
    given = {"public_url": "https://dub.example.org"} if where == "setting" else {}
    platform = opening(accounts=True, **given)
    added(platform, "ann")
    base = "http://dub.example.org" if where == "setting" else "https://dub.example.org"
    origin = {"Origin": "https://dub.example.org"}
    answer = Browser(create_app(platform)).login("ann", base_url=base, headers=origin)
    assert "Secure" in answer.headers["Set-Cookie"].split("; ")


def test_wrong_names_and_wrong_passwords_are_answered_alike(app: Flask, platform: Platform) -> None:
    """Nothing in the answer tells which users there are."""
    platform.accounts.update(identity.LOCAL_ACTOR, id_of(platform, "ben"), active=False)
    told = set()
    for name, password in (("ann", "x" * 12), ("nobody", PASSWORD), ("ben", PASSWORD), (LOCAL, PASSWORD)):
        answer = Browser(app).login(name, password)
        assert answer.status_code == 401
        assert "Set-Cookie" not in answer.headers
        headers = {k: v for k, v in answer.headers if k not in ("X-Request-Id", "Content-Length")}
        body = {k: v for k, v in answer.get_json().items() if k != "request_id"}
        told.add(str(({k: v for k, v in headers.items() if not k.startswith("RateLimit")}, body)))
    assert len(told) == 1


@pytest.mark.parametrize(
    "body", [{}, {"name": "ann"}, {"name": "ann", "password": ""}, {"name": "ann", "password": "x" * 1025},
             {"name": "ann", "password": 5}, {"name": "ann", "password": "x", "more": 1}, [], "x", None],
)  # fmt: skip
def test_a_login_of_the_wrong_shape_is_refused(app: Flask, body: object) -> None:
    """It is a 422 that does not repeat what was sent."""
    answer = Browser(app).ask("POST", "/api/v1/auth/login", json=body)
    assert answer.status_code == 422
    assert "xxx" not in answer.text


def test_a_name_and_password_of_any_characters_are_only_wrong(app: Flask) -> None:
    """Zero bytes, marks of direction and lone surrogates are no fault of the server's."""
    assert Browser(app).login("a\x00\u202e", "\x00" * 20).status_code == 401
    assert Browser(app).login("a", "\ud800" * 20).status_code == 422


def test_every_login_has_a_session_of_its_own(app: Flask, platform: Platform) -> None:
    """A cookie from before the login is good for nothing after it."""
    browser = Browser(app, "ann")
    before = browser.cookie
    browser.login("ann")
    assert browser.cookie != before
    assert platform.sessions.find(before) is None
    planted = Browser(app)
    planted.client.set_cookie("autodub_session", "x" * 43)
    planted.login("ann")
    assert planted.cookie != "x" * 43


@pytest.mark.parametrize("token", ["", "x" * 64, "\u00e9", "ben's"])
def test_a_session_changes_nothing_without_its_token(app: Flask, token: str) -> None:
    """A page that cannot read the interface cannot know it; another session's does not help."""
    browser = Browser(app, "ann")
    sent = {"X-CSRF-Token": Browser(app, "ben").csrf if token == "ben's" else token}
    answer = browser.ask("POST", "/api/v1/keys", json={"name": "k"}, headers=sent)
    assert answer.status_code == 403
    assert "X-CSRF-Token" in answer.get_json()["title"]
    assert browser.ask("GET", "/api/v1/keys").get_json() == {"keys": []}


def test_a_key_needs_no_token(app: Flask, platform: Platform) -> None:
    """Neither in the one header nor in the other."""
    sent = key_of(platform, id_of(platform, "ann"))
    text = sent["Authorization"].removeprefix("Bearer ")
    for headers in (sent, {"X-API-Key": text}, {"Authorization": f"bearer  {text}"}):
        assert app.test_client().post("/api/v1/jobs", json=JOB, headers=headers).status_code == 201


@pytest.mark.parametrize(
    "header", [{"Authorization": "Bearer adk_" + "x" * 43}, {"Authorization": "Basic YW5uOng="},
               {"Authorization": "Bearer"}, {"Authorization": ""}, {"X-API-Key": ""},
               {"X-API-Key": "\u00e9"}],
)  # fmt: skip
def test_a_wrong_key_is_not_made_up_for_by_a_session(app: Flask, header: dict[str, str]) -> None:
    """Whoever shows a key is judged by it."""
    answer = Browser(app, "ann").ask("GET", "/api/v1/auth/me", headers=header)
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


def test_logging_out_ends_the_session_at_the_server(app: Flask) -> None:
    """The cookie goes, and who kept a copy of it is out as well."""
    browser = Browser(app, "ann")
    kept = browser.cookie
    answer = browser.ask("POST", "/api/v1/auth/logout")
    assert answer.status_code == 204
    assert browser.cookie == ""
    thief = Browser(app)
    thief.client.set_cookie("autodub_session", kept)
    assert thief.ask("GET", "/api/v1/auth/me").status_code == 401


def test_a_used_session_gets_a_new_cookie(app: Flask, platform: Platform) -> None:
    """So that the browser keeps it as long as the server does."""
    browser = Browser(app, "ann")
    assert "Set-Cookie" not in browser.ask("GET", "/api/v1/auth/me").headers
    with platform.sql.writing() as connection:
        connection.execute(tables.sessions.update().values(used=tables.sessions.c.used - 61))
    renewed = browser.ask("GET", "/api/v1/jobs")
    assert f"autodub_session={browser.cookie}; " in renewed.headers["Set-Cookie"]


def test_a_password_is_changed_with_the_one_before(app: Flask, platform: Platform) -> None:
    """Every other session ends; the browser that asked goes on with a new one."""
    here, away = Browser(app, "ann"), Browser(app, "ann")
    before, new = here.cookie, "seven quiet bicycles"
    wrong = here.ask("POST", "/api/v1/auth/password", json={"current": "x", "new": new})
    assert wrong.status_code == 403
    weak = here.ask("POST", "/api/v1/auth/password", json={"current": PASSWORD, "new": "password1234"})
    assert weak.status_code == 400
    keyed = key_of(platform, id_of(platform, "ann"))
    body = {"current": PASSWORD, "new": new}
    assert app.test_client().post("/api/v1/auth/password", json=body, headers=keyed).status_code == 403
    done = here.ask("POST", "/api/v1/auth/password", json=body)
    assert done.status_code == 200
    here.csrf = done.get_json()["csrf"]
    assert here.cookie != before
    assert here.ask("POST", "/api/v1/jobs", json=JOB).status_code == 201
    assert away.ask("GET", "/api/v1/auth/me").status_code == 401
    assert Browser(app).login("ann", PASSWORD).status_code == 401
    assert Browser(app).login("ann", new).status_code == 200


def test_one_sees_where_one_is_logged_in_and_ends_it(app: Flask) -> None:
    """The present session is marked; others can be ended one by one or all."""
    here, away = Browser(app, "ann"), Browser(app, "ann")
    listed = here.ask("GET", "/api/v1/auth/sessions").get_json()["sessions"]
    assert [one["current"] for one in listed].count(True) == 1
    assert here.cookie not in str(listed)
    other = next(one["id"] for one in listed if not one["current"])
    ben = Browser(app, "ben")
    assert ben.ask("DELETE", f"/api/v1/auth/sessions/{other}").status_code == 404
    assert here.ask("DELETE", f"/api/v1/auth/sessions/{other}").status_code == 204
    assert away.ask("GET", "/api/v1/auth/me").status_code == 401
    third = Browser(app, "ann")
    assert here.ask("DELETE", "/api/v1/auth/sessions").status_code == 204
    assert third.ask("GET", "/api/v1/auth/me").status_code == 401
    assert here.ask("GET", "/api/v1/auth/me").status_code == 200
    assert ben.ask("GET", "/api/v1/auth/me").status_code == 200


def test_without_accounts_everybody_is_local(opening: Opening) -> None:
    """Nobody can log in, nobody has to, and keys are not asked about."""
    client = create_app(opening()).test_client()
    me = client.get("/api/v1/auth/me", headers={"Authorization": "Bearer nothing"}).get_json()
    assert (me["id"], me["role"], me["by"], me["accounts"], me["csrf"]) == (
        LOCAL,
        "admin",
        "local",
        False,
        None,
    )
    body = {"name": "local", "password": "x"}
    assert client.post("/api/v1/auth/login", json=body).status_code == 409
    assert client.post("/api/v1/auth/password", json={"current": "x", "new": "y"}).status_code == 409
    assert client.post("/api/v1/auth/logout").status_code == 204


@pytest.mark.parametrize(
    ("host", "needed"),
    [("127.0.0.1", False), ("127.8.0.9", False), ("::1", False), ("localhost", False), ("0.0.0.0", True),
     ("::", True), ("192.168.1.5", True), ("dub.example.org", True), ("", True),
     ("127.0.0.1.evil.example", True)],
)  # fmt: skip
def test_other_machines_reach_only_what_has_accounts(opening: Opening, host: str, needed: bool) -> None:
    """At any address but a loopback one people must log in, whatever the settings say."""
    platform = opening(host=host)
    assert identity.accounts_needed(platform.server) is needed
    answer = create_app(platform).test_client().get("/api/v1/jobs", headers={"Host": "127.0.0.1"})
    assert answer.status_code == (401 if needed else 200)


def test_a_server_with_accounts_does_not_start_without_an_admin(opening: Opening) -> None:
    """The sentence says how to make one; without accounts none is needed."""
    identity.require_admin(opening())
    platform = opening(accounts=True)
    with pytest.raises(BadOption, match="autodub users add NAME --admin"):
        identity.require_admin(platform)
    added(platform, "boss", role="admin")
    identity.require_admin(platform)


def test_an_answer_that_is_still_sent_lends_its_user_to_nobody(app: Flask, platform: Platform) -> None:
    """A stream keeps its context open in its thread; the next request there is judged by itself."""
    user = id_of(platform, "ann")
    client, sent = app.test_client(), key_of(platform, user)
    asked = {"headers": sent | {"Accept": "text/event-stream"}, "buffered": False}
    with client.get("/api/v1/events", **asked) as stream:
        assert next(stream.response)
        assert app.test_client().get("/api/v1/auth/me").status_code == 401
        ben = key_of(platform, id_of(platform, "ben"))
        assert app.test_client().get("/api/v1/auth/me", headers=ben).get_json()["name"] == "ben"


def test_admins_manage_users(app: Flask, platform: Platform) -> None:
    """Add, list, look, change, set a password; nothing shows a digest."""
    boss = Browser(app, "boss")
    made = boss.ask("POST", "/api/v1/users", json={"name": "Eve", "password": PASSWORD, "minutes": 5})
    assert made.status_code == 201
    user = made.get_json()
    assert (user["name"], user["role"], user["minutes"], user["has_password"]) == ("eve", "user", 5, True)
    path = made.headers["Location"]
    assert boss.ask("GET", path).get_json() == user
    everybody = boss.ask("GET", "/api/v1/users")
    assert [one["name"] for one in everybody.get_json()["users"]] == ["ann", "ben", "boss", "eve", "local"]
    assert "argon2" not in everybody.text
    assert boss.ask("POST", "/api/v1/users", json={"name": "EVE"}).status_code == 409
    assert boss.ask("POST", "/api/v1/users", json={"name": "max", "password": "short"}).status_code == 400
    changed = boss.ask("PATCH", path, json={"dollars": "2.50", "running": 1}).get_json()
    assert (changed["minutes"], changed["dollars"], changed["running"]) == (5, 2.5, 1)
    assert boss.ask("PATCH", path, json={"minutes": None}).get_json()["minutes"] is None
    quota = Browser(app, "eve").ask("GET", "/api/v1/auth/me").get_json()["quota"]
    assert (quota["minutes_allowed"], quota["dollars_allowed"], quota["running"]) == (None, 2.5, 1)
    new = {"password": "seven quiet bicycles"}
    assert boss.ask("PUT", f"{path}/password", json=new).status_code == 204
    eve = Browser(app)
    assert eve.login("eve", new["password"]).status_code == 200
    assert boss.ask("PATCH", path, json={"active": False}).get_json()["active"] is False
    assert eve.ask("GET", "/api/v1/auth/me").status_code == 401
    for wrong in ({"running": 0}, {"dollars": -1}, {"role": "god"}, {"name": "x"}, {"minutes": "NaN"}):
        assert boss.ask("PATCH", path, json=wrong).status_code == 422


def test_an_admin_deletes_a_user_with_everything(app: Flask, platform: Platform) -> None:
    """Session, key and name are gone with the account; the name can be given to somebody else."""
    boss, ann, user = Browser(app, "boss"), Browser(app, "ann"), id_of(platform, "ann")
    sent = key_of(platform, user)
    assert boss.ask("DELETE", f"/api/v1/users/{user}").status_code in (202, 204)
    assert ann.ask("GET", "/api/v1/auth/me").status_code == 401
    assert app.test_client().get("/api/v1/jobs", headers=sent).status_code == 401
    assert boss.ask("GET", f"/api/v1/users/{user}").status_code == 404
    assert boss.ask("DELETE", f"/api/v1/users/{user}").status_code == 404
    assert boss.ask("POST", "/api/v1/users", json={"name": "ann"}).status_code == 201
    assert boss.ask("DELETE", f"/api/v1/users/{id_of(platform, 'boss')}").status_code == 409


def test_one_admin_always_stays(app: Flask, platform: Platform) -> None:
    """The last one cannot be demoted or turned off, not by themselves either."""
    boss, path = Browser(app, "boss"), f"/api/v1/users/{id_of(platform, 'boss')}"
    for change in ({"role": "user"}, {"active": False}):
        assert boss.ask("PATCH", path, json=change).status_code == 409
    assert boss.ask("GET", path).status_code == 200
