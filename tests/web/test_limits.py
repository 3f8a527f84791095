"""How often somebody may ask."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from flask import Flask
from flask.testing import FlaskClient
from limits.storage import MovingWindowSupport, Storage
from people import PASSWORD, Browser, added, key_of

from autodub.jobs.platform import LOCAL_ACTOR, Platform
from autodub.model.errors import BadOption
from autodub.web.app import create_app
from autodub.web.limits import kind_of

Opening = Callable[..., Platform]
Serving = Callable[..., Flask]
JOB = {"source": "https://www.youtube.com/watch?v=abcdefghijk", "target": "es"}
ANN, BEN = "192.0.2.1", "192.0.2.2"


@pytest.fixture
def serving(opening: Opening) -> Serving:
    """Apps with accounts of ann and ben; keywords are settings."""

    def serve(**given: Any) -> Flask:
        platform = opening(**({"accounts": True} | given))
        for name in ("ann", "ben"):
            added(platform, name)
        return create_app(platform)

    return serve


def client_of(app: Flask, name: str, address: str = ANN) -> FlaskClient:
    """Somebody with a key, at an address."""
    platform: Platform = app.extensions["autodub"]
    client = app.test_client()
    client.environ_base |= {"REMOTE_ADDR": address}
    sent = key_of(platform, platform.accounts.named(LOCAL_ACTOR, name).id)
    client.environ_base["HTTP_AUTHORIZATION"] = sent["Authorization"]
    return client


def statuses(ask: Callable[[], Any], count: int) -> list[int]:
    """The statuses of so many requests, one after another."""
    return [ask().status_code for _ in range(count)]


def test_five_jobs_a_minute_may_be_made(serving: Serving) -> None:
    """The sixth is refused with how long to wait; another user at the same address goes on."""
    app = serving()
    ann, ben = client_of(app, "ann"), client_of(app, "ben")
    assert statuses(lambda: ann.post("/api/v1/jobs", json=JOB), 5) == [201] * 5
    refused = ann.post("/api/v1/jobs", json=JOB)
    assert refused.status_code == 429
    assert refused.content_type == "application/problem+json"
    said = refused.get_json()
    assert (said["code"], said["title"]) == ("too_many", "That was too often: 5 in one minute are allowed.")
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert refused.headers["RateLimit-Limit"] == "5"
    assert refused.headers["RateLimit-Remaining"] == "0"
    assert 1 <= int(refused.headers["RateLimit-Reset"]) <= 60
    assert ben.post("/api/v1/jobs", json=JOB).status_code == 201


def test_all_ways_to_make_jobs_are_one_limit(serving: Serving) -> None:
    """The simple interface is no way around it, and says it in its own shape."""
    app = serving(create_rates="2 per minute")
    ann = client_of(app, "ann")
    simple = {"youtube_url": JOB["source"], "target_language": "es"}
    assert ann.post("/api/v1/jobs", json=JOB).status_code == 201
    assert ann.post("/api/dub", json=simple).status_code == 202
    refused = ann.post("/api/dub", json=simple)
    assert refused.status_code == 429
    assert refused.get_json()["error"].startswith("That was too often")
    assert "Retry-After" in refused.headers


def test_changes_are_counted_together(serving: Serving) -> None:
    """Ten a minute, whatever they change; what is left is told."""
    app = serving()
    ann = client_of(app, "ann")
    absent = f"/api/v1/jobs/{'0' * 32}"
    first = ann.delete(absent)
    assert (first.status_code, first.headers["RateLimit-Remaining"]) == (404, "9")
    assert statuses(lambda: ann.post(f"{absent}/cancel"), 5) == [404] * 5
    assert statuses(lambda: ann.post("/api/v1/keys", json={}), 5) == [422] * 4 + [429]


def test_looking_is_free(serving: Serving) -> None:
    """A page that polls a job, a list and itself is never told to wait."""
    app = serving(rates="1 per hour")
    ann = client_of(app, "ann")
    job = ann.post("/api/v1/jobs", json=JOB).get_json()["id"]
    for path in ("/health", "/api/v1/jobs", f"/api/v1/jobs/{job}", f"/api/dub/{job}", "/api/v1/auth/me"):
        answer = ann.get(path)
        assert statuses(lambda path=path: ann.get(path), 20) == [200] * 20  # type: ignore[misc]
        assert "RateLimit-Limit" not in answer.headers


def test_who_may_not_is_counted_by_address(serving: Serving) -> None:
    """Somebody who tries keys has ten tries a minute; the users behind the same address are not kept out."""
    app = serving()
    stranger = app.test_client()
    stranger.environ_base |= {"REMOTE_ADDR": ANN}
    wrong = {"Authorization": "Bearer adk_" + "x" * 43}
    assert statuses(lambda: stranger.get("/api/v1/jobs", headers=wrong), 11) == [401] * 10 + [429]
    assert client_of(app, "ann", ANN).get("/api/v1/jobs").status_code == 200
    assert stranger.get("/health").status_code == 200
    stranger.environ_base |= {"REMOTE_ADDR": BEN}
    assert stranger.get("/api/v1/jobs").status_code == 401


def test_an_address_of_ipv6_is_counted_by_its_network(serving: Serving) -> None:
    """Whoever has one address of it has all of them."""
    app = serving(rates="2 per minute")
    client = app.test_client()
    asked = []
    for last in ("1", "2", "3"):
        client.environ_base |= {"REMOTE_ADDR": f"2001:db8:1:1::{last}"}
        asked.append(client.get("/api/v1/jobs").status_code)
    client.environ_base |= {"REMOTE_ADDR": "2001:db8:1:2::1"}
    assert [*asked, client.get("/api/v1/jobs").status_code] == [401, 401, 429, 401]


def test_tries_to_log_in_are_counted_by_address(serving: Serving) -> None:
    """Whatever name is tried, and whether it is right."""
    app = serving(login_rates="3 per minute")
    browser = Browser(app)
    browser.client.environ_base |= {"REMOTE_ADDR": ANN}
    assert browser.login("ann").status_code == 200
    assert [browser.login(name, "x").status_code for name in ("ann", "ben", "eve")] == [401, 401, 429]
    browser.client.environ_base |= {"REMOTE_ADDR": BEN}
    assert browser.login("ann").status_code == 200


def test_tries_at_one_account_are_counted_wherever_they_come_from(serving: Serving) -> None:
    """Many addresses do not help, and a name that does not exist is counted alike."""
    app = serving(account_rates="3 per minute", login_rates="1000 per minute")
    browser = Browser(app)
    for name in ("ann", "nobody"):
        for number, status in enumerate([401, 401, 401, 429]):
            browser.client.environ_base |= {"REMOTE_ADDR": f"198.51.100.{number}"}
            answer = browser.login(name.upper() if number % 2 else f" {name}", "x")
            assert answer.status_code == status
    assert answer.headers["Retry-After"]
    assert browser.login("ann", PASSWORD).status_code == 429
    assert browser.login("ben").status_code == 200


def test_a_right_password_forgives_the_tries_before(serving: Serving) -> None:
    """Who mistypes now and then is never shut out."""
    app = serving(account_rates="3 per minute", login_rates="1000 per minute")
    browser = Browser(app)
    for _ in range(4):
        assert browser.login("ann", "x").status_code == 401
        assert browser.login("ann").status_code == 200


def test_without_accounts_nobody_is_counted(serving: Serving) -> None:
    """The one user there is does as they please."""
    client = serving(accounts=False).test_client()
    assert statuses(lambda: client.post("/api/v1/jobs", json=JOB), 8) == [201] * 8
    assert statuses(lambda: client.post(f"/api/v1/jobs/{'0' * 32}/cancel"), 12) == [404] * 12


def test_without_accounts_a_limit_that_is_set_holds(serving: Serving) -> None:
    """Those that are not named stay off."""
    client = serving(accounts=False, create_rates="2 per minute").test_client()
    assert statuses(lambda: client.post("/api/v1/jobs", json=JOB), 3) == [201, 201, 429]
    assert statuses(lambda: client.post(f"/api/v1/jobs/{'0' * 32}/cancel"), 12) == [404] * 12


@pytest.mark.parametrize("name", ["rates", "create_rates", "edit_rates", "login_rates", "account_rates"])
@pytest.mark.parametrize("rates", ["often", "10", "10 per fortnight", "10 per minute;", "0 per minute"])
def test_a_limit_without_a_meaning_is_refused_at_the_start(opening: Opening, name: str, rates: str) -> None:
    """The sentence names the setting and shows what one looks like."""
    with pytest.raises(BadOption, match=f"AUTODUB_{name.upper()}.*10 per minute"):
        create_app(opening(**{name: rates}))


@pytest.mark.parametrize("place", ["nowhere", "foo://me:secret@host", "memcached://x"])
def test_a_place_that_cannot_count_is_refused_at_the_start(opening: Opening, place: str) -> None:
    """The sentence says what would do, and does not repeat what may hold a password."""
    with pytest.raises(BadOption, match=r"AUTODUB_LIMITS.*memory://") as refused:
        create_app(opening(limits=place))
    assert "secret" not in str(refused.value)


class Away(Storage, MovingWindowSupport):
    """A place to count that cannot be reached."""

    STORAGE_SCHEME: ClassVar[list[str] | None] = ["away"]

    def _fail(self, *given: object, **named: object) -> Any:
        raise ConnectionError("nobody there")

    incr = get = get_expiry = reset = clear = acquire_entry = get_moving_window = _fail

    @property
    def base_exceptions(self) -> type[Exception]:
        """What goes wrong with it."""
        return ConnectionError

    def check(self) -> bool:
        """It stays away."""
        return False


def test_while_the_shared_place_is_away_each_server_counts_for_itself(serving: Serving) -> None:
    """Nobody is shut out by that, and nobody is let off."""
    app = serving(limits="away://", create_rates="2 per minute", account_rates="2 per minute")
    ann = client_of(app, "ann")
    assert statuses(lambda: ann.post("/api/v1/jobs", json=JOB), 3) == [201, 201, 429]
    browser = Browser(app)
    assert [browser.login("ben", "x").status_code for _ in range(3)] == [401, 401, 429]


class Leaving(Away):
    """One that counts, and then cannot be reached any more."""

    STORAGE_SCHEME: ClassVar[list[str] | None] = ["leaving"]

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """The accounts' own count fails, the others do not."""
        if "/account/" in key:
            self._fail()
        return True

    incr = get = get_expiry = reset = clear = get_moving_window = Away._fail


def test_a_place_that_goes_away_in_the_middle_fails_no_request(serving: Serving) -> None:
    """What is left is then not told; a login waits until it can be counted."""
    app = serving(limits="leaving://")
    answer = client_of(app, "ann").post("/api/v1/jobs", json=JOB)
    assert answer.status_code == 201
    assert "RateLimit-Remaining" not in answer.headers
    assert Browser(app).login("ann").status_code == 503


@pytest.mark.parametrize(
    ("method", "rule", "kind"),
    [
        ("POST", "/api/v1/jobs", "create"), ("POST", "/api/v1/batches", "create"),
        ("POST", "/api/v1/estimates", "create"), ("POST", "/api/dub", "create"),
        ("POST", "/api/v1/auth/login", "login"), ("POST", "/api/v1/auth/password", "login"),
        ("PATCH", "/api/v1/jobs/<job>/transcript", "edit"),
        ("POST", "/api/v1/jobs/<job>/retry", ""), ("DELETE", "/api/v1/jobs/<job>", ""),
        ("POST", "/api/v1/uploads", ""), ("PATCH", "/api/v1/uploads/<upload>", "free"),
        ("POST", "/api/v1/auth/logout", "free"), ("GET", "/api/v1/jobs/<job>/events", "free"),
        ("GET", "/api/v1/audit/export", ""), ("HEAD", "/api/v1/audit/verify", ""),
        ("HEAD", "/api/v1/uploads/<upload>", "free"),
    ],
)  # fmt: skip
def test_what_counts_as_what(method: str, rule: str, kind: str) -> None:
    """Parts of an upload and looks are free; submissions, edits and logins have limits of their own."""
    assert kind_of(method, rule) == kind
