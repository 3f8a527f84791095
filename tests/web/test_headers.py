"""Which pages may use the server, and what every answer carries."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from people import Browser, added, key_of

from autodub.jobs.platform import Platform
from autodub.model.errors import BadOption
from autodub.web.app import create_app
from autodub.web.origins import origin

Opening = Callable[..., Platform]
JOB = {"source": "https://www.youtube.com/watch?v=abcdefghijk", "target": "es"}
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0"
EVIL = "https://evil.example"


def submit(client: FlaskClient, **headers: str) -> int:
    """The status of a job submitted with these headers."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post("/api/v1/jobs", json=JOB, headers=sent).status_code


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:5000", "127.0.0.1:5000", "127.0.0.9", "[::1]:5000", "app.localhost"]
)
def test_a_server_without_accounts_is_asked_by_names_of_this_machine(client: FlaskClient, host: str) -> None:
    """Whichever of them, at any port."""
    assert client.get("/api/v1/jobs", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:5000", "127.0.0.1.evil.example", "localhost.evil.example", "0.0.0.0",
     "192.168.1.5", "169.254.169.254", "[::ffff:10.0.0.1]", "a b", "", "127.0.0.1@evil.example",
     "evil.example."],
)  # fmt: skip
def test_a_foreign_name_made_to_lead_here_is_refused(client: FlaskClient, host: str) -> None:
    """A page that has its own name answered by 127.0.0.1 sees nothing, its health page included."""
    for path in ("/api/v1/jobs", "/health", "/docs", "/api/dub/x"):
        assert client.get(path, headers={"Host": host}).status_code == 403
    assert client.post("/api/v1/jobs", json=JOB, headers={"Host": host}).status_code == 403


def test_the_name_people_reach_the_server_by_is_its_own(opening: Opening) -> None:
    """It is in the setting public_url; others are still refused."""
    client = create_app(opening(public_url="https://dub.example.org/")).test_client()
    assert client.get("/api/v1/jobs", headers={"Host": "dub.example.org"}).status_code == 200
    assert submit(client, Host="dub.example.org", Origin="https://dub.example.org") == 201
    assert client.get("/api/v1/jobs", headers={"Host": "evil.example"}).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": EVIL}, {"Origin": "null"}, {"Origin": "file://"}, {"Origin": "http://localhost:3000"},
        {"Origin": "http://localhost.evil.example"}, {"Origin": "http://127.0.0.1"}, {"Origin": "://"},
        {"Origin": "http://localhost:80:80"}, {"Origin": ""},
        {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
        {"Origin": EVIL, "Sec-Fetch-Site": "same-origin"},
    ],
)  # fmt: skip
def test_a_page_of_another_site_changes_nothing(client: FlaskClient, headers: dict[str, str]) -> None:
    """Not by a script, not by a form, not from another port of the same machine."""
    answer = client.post("/api/v1/jobs", json=JOB, headers=headers)
    assert (answer.status_code, answer.get_json()["code"]) == (403, "forbidden")
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert client.get("/api/v1/jobs").get_json()["total"] == 0


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
def test_a_form_of_an_old_browser_changes_nothing(client: FlaskClient, kind: str) -> None:
    """It names no origin, and sends what needs no leave; a program that does so is no browser."""
    absent = f"/api/v1/jobs/{'0' * 32}/cancel"
    sent: dict[str, Any] = {"data": "{}", "content_type": kind}
    assert client.post(absent, headers={"User-Agent": BROWSER}, **sent).status_code == 403
    assert client.post(absent, headers={"User-Agent": "curl/8.14"}, **sent).status_code == 404


def test_json_must_be_called_json(client: FlaskClient) -> None:
    """A body that a page could send anywhere without being asked is not read."""
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        answer = client.post("/api/v1/jobs", data='{"source": "x", "target": "es"}', content_type=kind)
        assert answer.status_code == 400


def test_our_own_pages_and_programs_may(client: FlaskClient) -> None:
    """With our origin, with none from a program, or typed by the user."""
    assert submit(client, Origin="http://localhost", Sec_Fetch_Site="same-origin") == 201
    assert submit(client, Sec_Fetch_Site="same-origin") == 201
    assert submit(client) == 201
    assert submit(client, Origin="http://127.0.0.1:5000", Host="127.0.0.1:5000") == 201


def test_a_page_behind_a_proxy_with_https_is_ours(client: FlaskClient) -> None:
    """The proxy speaks plain HTTP to the server, the page does not."""
    assert submit(client, Host="localhost:8443", Origin="https://localhost:8443") == 201


@pytest.mark.parametrize(
    ("mode", "dest", "status"),
    [("navigate", "document", 200), ("navigate", "iframe", 403), ("no-cors", "image", 403),
     ("no-cors", "video", 403), ("cors", "empty", 403), ("websocket", "websocket", 403)],
)  # fmt: skip
def test_a_link_may_lead_here_and_nothing_be_taken(
    client: FlaskClient, mode: str, dest: str, status: int
) -> None:
    """Pages of others can neither embed nor load what is here."""
    sent = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": dest}
    assert client.get("/api/v1/jobs", headers=sent).status_code == status


def test_a_socket_needs_our_origin(client: FlaskClient) -> None:
    """A browser lets any page open one, with the user's cookies."""
    sent = {"Upgrade": "websocket", "Connection": "Upgrade", "Origin": EVIL}
    path = f"/api/v1/jobs/{'0' * 32}/ws"
    assert client.get(path, headers=sent).status_code == 403
    assert client.get(path, headers=sent | {"Origin": "http://localhost"}).status_code == 404


def test_origins_of_the_settings_may_use_the_server(opening: Opening) -> None:
    """They are asked first and told yes, with credentials; everybody else is told nothing."""
    client = create_app(opening(origins=("http://localhost:3000", "https://APP.example.org/"))).test_client()
    asked = {"Origin": "https://app.example.org", "Access-Control-Request-Method": "POST",
             "Access-Control-Request-Headers": "content-type"}  # fmt: skip
    told = client.options("/api/v1/jobs", headers=asked)
    assert (told.status_code, told.data) == (204, b"")
    assert told.headers["Access-Control-Allow-Origin"] == "https://app.example.org"
    assert told.headers["Access-Control-Allow-Credentials"] == "true"
    assert "POST" in told.headers["Access-Control-Allow-Methods"]
    assert "Idempotency-Key" in told.headers["Access-Control-Allow-Headers"]
    assert "Origin" in told.headers["Vary"]
    assert submit(client, Origin="http://localhost:3000", Sec_Fetch_Site="same-site") == 201
    got = client.get(
        "/api/v1/jobs", headers={"Origin": "http://localhost:3000", "Sec-Fetch-Site": "same-site"}
    )
    assert got.headers["Access-Control-Allow-Origin"] == "http://localhost:3000"
    assert "X-Request-Id" in got.headers["Access-Control-Expose-Headers"]
    refused = client.options("/api/v1/jobs", headers=asked | {"Origin": EVIL})
    assert refused.status_code == 403
    for answer in (refused, client.get("/api/v1/jobs", headers={"Origin": EVIL})):
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert "Origin" in answer.headers["Vary"]


def test_an_error_can_be_read_by_an_allowed_page_too(opening: Opening) -> None:
    """Otherwise its developer would only see that something failed."""
    client = create_app(opening(origins=("http://localhost:3000",))).test_client()
    answer = client.get("/api/v1/jobs/nonsense", headers={"Origin": "http://localhost:3000"})
    assert answer.status_code == 404
    assert answer.headers["Access-Control-Allow-Origin"] == "http://localhost:3000"


def test_any_origin_may_only_with_a_key(opening: Opening) -> None:
    """`*` never comes with credentials: a session is of no use to pages of others."""
    platform = opening(accounts=True, origins=("*",), login_rates="100 per minute")
    user = added(platform, "ann")
    app = create_app(platform)
    keyed = key_of(platform, user) | {"Origin": EVIL, "Sec-Fetch-Site": "cross-site"}
    answer = app.test_client().post("/api/v1/jobs", json=JOB, headers=keyed)
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (201, "*")
    assert "Access-Control-Allow-Credentials" not in answer.headers
    ann = Browser(app, "ann")
    assert ann.ask("POST", "/api/v1/jobs", json=JOB, headers={"Origin": EVIL}).status_code == 403
    assert ann.ask("POST", "/api/v1/jobs", json=JOB).status_code == 201
    assert Browser(app).login("ann", headers={"Origin": EVIL}).status_code == 403


def test_any_origin_is_refused_without_accounts(opening: Opening) -> None:
    """Every page its user looks at could use the server; it does not start."""
    with pytest.raises(BadOption, match="turn accounts on"):
        create_app(opening(origins=("*",)))


@pytest.mark.parametrize(
    "text", ["example.org", "https://", "https://a.example/x", "ftp://a.example", "null", "https://a:b@c.example",
             "https://a.example:99999", "https://*.example.org", "https://a.example?x"],
)  # fmt: skip
def test_what_is_no_origin_is_refused_at_the_start(opening: Opening, text: str) -> None:
    """It would silently allow nobody, or somebody else."""
    with pytest.raises(BadOption, match="is no origin"):
        create_app(opening(origins=(text,)))


def test_origins_are_compared_as_browsers_write_them() -> None:
    """Without the scheme's own port, in lower case."""
    assert origin("HTTPS://App.Example.org:443/") == "https://app.example.org"
    assert origin("http://[::1]:8080") == "http://[::1]:8080"


@pytest.mark.parametrize(
    "path", ["/health", "/docs", "/api/v1/jobs", "/api/v1/jobs/x", "/nowhere", "/openapi.json"]
)
def test_every_answer_carries_the_headers(client: FlaskClient, path: str) -> None:
    """Pages, data and errors alike."""
    answer = client.get(path)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "camera=()" in answer.headers["Permissions-Policy"]
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    for part in ("frame-ancestors 'none'", "base-uri 'none'"):
        assert part in policy
    assert "unsafe" not in policy
    assert "Server" not in answer.headers
    assert "Strict-Transport-Security" not in answer.headers


def test_data_can_run_nothing(client: FlaskClient) -> None:
    """What is no page allows no script at all, and is kept by nobody on the way."""
    answer = client.get("/api/v1/jobs")
    assert "script-src" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"


def test_https_is_to_stay(client: FlaskClient) -> None:
    """A browser that came by it does not come without it again."""
    answer = client.get("/health", base_url="https://localhost")
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"


@pytest.mark.parametrize("path", ["/api/v1/jobs", "/api/dub"])
@pytest.mark.parametrize("is_told", [True, False])
def test_a_body_has_two_megabytes_at_most(client: FlaskClient, path: str, is_told: bool) -> None:
    """More is neither read nor cut off, whether its length is told or it comes in chunks."""
    body = b'{"target": "es", "source": "https://youtube.com/watch?v=1"}'.ljust(2_000_001)
    environ: dict[str, Any] = {"wsgi.input": BytesIO(body), "wsgi.input_terminated": True}
    environ["CONTENT_LENGTH"] = str(len(body)) if is_told else None
    answer = client.post(path, content_type="application/json", environ_overrides=environ)
    assert (answer.status_code, answer.get_json()["code"]) == (413, "too_large")


@pytest.mark.parametrize("path", ["/api/v1/jobs", "/api/dub"])
def test_a_body_nested_without_end_is_refused(client: FlaskClient, path: str) -> None:
    """It is the sender's mistake and no fault of the server's."""
    answer = client.post(path, data="[" * 200_000, content_type="application/json")
    assert answer.status_code in (400, 422)


@pytest.mark.parametrize("name", ["X-Request-Id", "Origin", "Idempotency-Key", "X-API-Key"])
def test_nothing_sent_becomes_a_header(app: Flask, name: str) -> None:
    """What is told back is told only where it cannot be more than it is."""
    client = app.test_client()
    environ = {f"HTTP_{name.upper().replace('-', '_')}": "x\r\nSet-Cookie: a=b"}
    answer = client.get("/api/v1/jobs", environ_overrides=environ)
    assert "Set-Cookie" not in answer.headers
    assert "a=b" not in str(answer.headers)


def test_headers_of_a_proxy_are_believed_only_when_there_is_one(opening: Opening) -> None:
    """Otherwise anybody could say where they come from."""
    for proxies, host in ((0, "localhost"), (1, "evil.example")):
        client = create_app(opening(proxies=proxies)).test_client()
        answer = client.get("/api/v1/jobs", headers={"X-Forwarded-Host": "evil.example"})
        assert answer.status_code == (200 if host == "localhost" else 403)
