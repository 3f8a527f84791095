"""Bodies of requests: nothing, no JSON, JSON that is broken."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient


@pytest.mark.parametrize(
    ("sent", "kind", "said"),
    [
        (b"target=es", "application/x-www-form-urlencoded", "not sent as JSON"),
        (b'{"target": "es"}', "text/plain", "not sent as JSON"),
        (b'{"target": "es",', "application/json", "not JSON"),
        (b"\xff\xfe", "application/json", "not JSON"),
    ],
)
def test_a_body_that_is_no_json_is_told_as_that(
    client: FlaskClient, sent: bytes, kind: str, said: str
) -> None:
    """It is a 400 that says what to send, not a complaint about a missing dictionary."""
    answer = client.post("/api/v1/jobs", data=sent, content_type=kind)
    assert answer.status_code == 400
    assert said in answer.json["title"]
    assert answer.json["hint"]


def test_no_body_is_an_empty_one(client: FlaskClient) -> None:
    """What is missing is named, as for an object without fields."""
    answer = client.post("/api/v1/jobs")
    assert answer.status_code == 422
    assert answer.json["errors"] == [{"where": "target", "why": "is missing"}]


def test_the_simple_interface_says_it_in_its_own_shape(client: FlaskClient) -> None:
    """Clients of the prototype read ``error``."""
    answer = client.post("/api/dub", data=b"{broken", content_type="application/json")
    assert answer.status_code == 400
    assert "JSON" in answer.json["error"]
