"""Whether dubs would be taken, asked before their files are sent."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from autodub.jobs.platform import LOCAL_ACTOR, Platform
from autodub.jobs.spec import JobSpec
from autodub.jobs.tables import audit, jobs, uploads

URL = "https://www.youtube.com/watch?v=dQw4w9WgXcQ"
FILE = {"file": {"name": "talk.mp4", "size": 1000}}


def asked(client: FlaskClient, *sources: Any, targets: Any = ("es",), **wishes: Any) -> tuple[int, Any]:
    """Status and body of an answer."""
    body = {"sources": list(sources), "targets": list(targets), "wishes": wishes}
    answer = client.post("/api/v1/checks", json=body)
    return answer.status_code, answer.get_json(silent=True)


def test_what_would_be_taken_is_an_empty_answer_and_nothing_is_kept(
    client: FlaskClient, platform: Platform
) -> None:
    """For files that are still to be sent, subtitles among them."""
    assert asked(client, FILE, {"source": URL}, subtitles="unsent", spoken="en") == (204, None)
    with platform.sql.reading() as connection:
        for table in (jobs, uploads, audit):
            assert connection.execute(select(table)).all() == []


@pytest.mark.parametrize(
    ("source", "wishes", "status", "code"),
    [
        (FILE, {"spoken": "es"}, 400, "unknown_language"),
        (FILE, {"engines": {"translator": "nobody"}}, 400, "unknown_engine"),
        (FILE, {"clone_voices": True}, 403, "consent_missing"),
        (FILE, {"start": 5, "end": 4}, 422, "bad_request"),
        ({"file": {"name": "talk.exe", "size": 1000}}, {}, 400, "unsupported_source"),
        ({"file": {"name": "talk.srt", "size": 1000}}, {}, 400, "unsupported_source"),
        ({"file": {"name": "talk.mp4", "size": 10**12}}, {}, 413, "too_large"),
        ({"file": {"name": "talk.mp4", "size": 0}}, {}, 400, "bad_option"),
        ({"upload": "u" * 32}, {}, 404, "not_found"),
        (FILE | {"source": URL}, {}, 422, "bad_request"),
    ],
)
def test_a_refusal_is_that_of_submitting(
    client: FlaskClient, source: Any, wishes: dict[str, Any], status: int, code: str
) -> None:
    """With its code, and before a byte is sent."""
    found, said = asked(client, source, **wishes)
    assert (found, said["code"]) == (status, code), said


def test_of_several_it_says_which(client: FlaskClient) -> None:
    """By their places in the request."""
    found, said = asked(client, FILE, {"file": {"name": "talk.exe", "size": 1}}, targets=["es", "fr"])
    assert found == 422
    assert [one["where"] for one in said["errors"]] == ["sources.1, targets.0", "sources.1, targets.1"]


def test_a_full_queue_is_told(client: FlaskClient, platform: Platform) -> None:
    """More than may wait would be refused."""
    object.__setattr__(platform.server, "queued", 2)
    platform.jobs.submit(LOCAL_ACTOR, JobSpec(source=URL, target="es"))
    assert asked(client, FILE)[0] == 204
    assert asked(client, FILE, FILE)[1]["code"] == "quota_exceeded"


def test_more_than_a_batch_may_have_are_too_many(client: FlaskClient) -> None:
    """As submitting them would be."""
    assert asked(client, *[FILE] * 20, targets=["es"] * 11)[0] == 422
