"""Webhooks over HTTP: made, looked at, changed, tested and deleted; the secret is shown once."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from autodub.jobs.platform import LOCAL_ACTOR, Platform
from autodub.jobs.spec import JobSpec

URL = "https://hooks.example.org/in"


def _made(client: FlaskClient, **wishes: Any) -> dict[str, Any]:
    answer = client.post("/api/v1/webhooks", json={"url": URL, "kinds": ["job.queued"]} | wishes)
    assert answer.status_code == 201, answer.get_json()
    found: dict[str, Any] = answer.get_json()
    assert answer.headers["Location"] == f"/api/v1/webhooks/{found['id']}"
    return found


def test_a_secret_is_shown_when_it_is_made_and_never_again(client: FlaskClient) -> None:
    """Renewed, there is another one."""
    made = _made(client)
    assert made["secret"].startswith("whsec_")
    shown = {name: value for name, value in made.items() if name != "secret"}
    assert client.get(f"/api/v1/webhooks/{made['id']}").get_json() == shown
    assert client.get("/api/v1/webhooks").get_json() == {"hooks": [shown]}
    again = client.post(f"/api/v1/webhooks/{made['id']}/secret").get_json()
    assert again["secret"] not in ("", made["secret"])


def test_a_webhook_is_changed_and_deleted(client: FlaskClient) -> None:
    """What is left out stays as it is."""
    made = _made(client)
    where = f"/api/v1/webhooks/{made['id']}"
    changed = client.patch(where, json={"kinds": ["job.failed", "job.completed"]}).get_json()
    assert (changed["url"], changed["kinds"]) == (URL, ["job.completed", "job.failed"])
    assert client.patch(where, json={"active": False}).get_json()["active"] is False
    assert client.delete(where).status_code == 204
    assert client.get(where).status_code == 404


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"url": URL, "kinds": ["job.exploded"]}, 422),
        ({"url": URL, "kinds": []}, 422),
        ({"url": URL, "kinds": ["job.queued"], "more": 1}, 422),
        ({"url": "http://127.0.0.1/", "kinds": ["job.queued"]}, 400),
        ({"url": "gopher://example.org/", "kinds": ["job.queued"]}, 400),
    ],
)
def test_what_cannot_be_is_refused(client: FlaskClient, body: dict[str, Any], status: int) -> None:
    """As a problem, and nothing is kept."""
    answer = client.post("/api/v1/webhooks", json=body)
    assert answer.status_code == status
    assert answer.content_type == "application/problem+json"
    assert client.get("/api/v1/webhooks").get_json() == {"hooks": []}


def test_deliveries_are_listed_and_sent_again(client: FlaskClient, platform: Platform) -> None:
    """A test and what became of a job, newest first, in pages."""
    made = _made(client)
    where = f"/api/v1/webhooks/{made['id']}"
    ping = client.post(f"{where}/ping")
    assert (ping.status_code, ping.get_json()["kind"]) == (202, "ping")
    spec = JobSpec(source="https://www.youtube.com/watch?v=abcdefghijk", target="es")
    job, _ = platform.jobs.submit(LOCAL_ACTOR, spec)
    first = client.get(f"{where}/deliveries?limit=1").get_json()
    (told,) = first["deliveries"]
    assert (told["kind"], told["state"], told["body"]["job"]["id"]) == ("job.queued", "waiting", job.id)
    second = client.get(f"{where}/deliveries?limit=1&after={first['after']}").get_json()
    assert ([one["kind"] for one in second["deliveries"]], second["after"]) == (["ping"], None)
    again = client.post(f"{where}/deliveries/{told['id']}/redeliver")
    assert (again.status_code, again.get_json()["id"]) == (202, told["id"])
    assert client.post(f"{where}/deliveries/{'0' * 32}/redeliver").status_code == 404
