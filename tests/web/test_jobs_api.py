"""Jobs over HTTP: briefly in lists, batches and webhooks, whole by themselves."""

from __future__ import annotations

import io
from typing import Any

import pytest
from flask.testing import FlaskClient
from sounds import WAV

from autodub.jobs.owing import outline
from autodub.jobs.platform import LOCAL_ACTOR, Platform
from autodub.jobs.records import RESOURCES
from autodub.jobs.register import Register
from autodub.jobs.results import Result
from autodub.model.job import Event
from autodub.web.shapes import JobBrief, JobShape

URL = "https://www.youtube.com/watch?v=dQw4w9WgXcQ"
_WHOLE = {"figures", "estimate", "waits"}
"""What only a job by itself has."""


def submitted(client: FlaskClient, **wishes: Any) -> str:
    """A job that was taken."""
    answer = client.post("/api/v1/jobs", json={"source": URL, "target": "Spanish"} | wishes)
    assert answer.status_code == 201, answer.get_json()
    return str(answer.get_json()["id"])


def completed(platform: Platform, **result: Any) -> None:
    """Have the queued job completed, as a worker would."""
    claimed = platform.claims.next("worker")
    assert claimed is not None
    made = Result(figures={"sync.p95": 0.5, "loud.words": "größer"}, **result).model_dump_json()
    platform.claims.end(claimed, "completed", Event("job.completed"), result=made, progress=1.0)


def test_lists_leave_the_figures_to_the_job_itself(client: FlaskClient, platform: Platform) -> None:
    """All else is the same in the list, in a batch and in the job."""
    batch = client.post(
        "/api/v1/batches", json={"name": "Talks", "sources": [{"source": URL}], "targets": ["es"]}
    ).get_json()["id"]
    completed(platform)
    (listed,) = client.get("/api/v1/jobs").get_json()["jobs"]
    (of_batch,) = client.get(f"/api/v1/batches/{batch}").get_json()["jobs"]
    whole = client.get(f"/api/v1/jobs/{listed['id']}").get_json()
    assert listed == of_batch == {name: value for name, value in whole.items() if name not in _WHOLE}
    assert whole["figures"] == {"sync.p95": 0.5, "loud.words": "größer"}


def test_a_job_says_what_it_waits_for_in_vain(client: FlaskClient, platform: Platform) -> None:
    """A worker for what binds it; nothing once one is there, whoever else has come."""
    job = submitted(client)
    register = Register(platform.sql, platform.alive)

    def waits() -> Any:
        return client.get(f"/api/v1/jobs/{job}").get_json()["waits"]

    bound = platform.jobs.get(LOCAL_ACTOR, job).resource
    others = [one for one in RESOURCES if one != bound]
    nobody = {"reason": "no_worker", "resource": bound}
    assert waits() == {**nobody, "message": f"It waits for a worker that serves {bound}."}
    register.seen("other", slots=1, resources=others)
    assert waits()["reason"] == "no_worker"
    register.seen("right", slots=1, resources=[bound])
    assert waits() is None
    assert platform.claims.next("right") is not None
    assert waits() is None


def test_webhooks_are_told_of_a_job_as_lists_are(client: FlaskClient, platform: Platform) -> None:
    """The shape of a webhook's job is that of a list, field by field."""
    job = platform.jobs.get(LOCAL_ACTOR, submitted(client))
    assert list(outline(job)) == list(JobBrief.model_fields)
    assert set(JobShape.model_fields) - set(JobBrief.model_fields) == _WHOLE


def test_a_job_names_its_source_and_language(client: FlaskClient, platform: Platform) -> None:
    """The language as it was asked for, by its tag, and once it was heard as that."""
    path = f"/api/v1/jobs/{submitted(client, spoken='English')}"
    said = client.get(path).get_json()
    assert (said["source"], said["upload"], said["spoken"], said["target"]) == (URL, None, "en", "es")
    completed(platform, spoken="en-GB")
    assert client.get(path).get_json()["spoken"] == "en-GB"


def test_a_language_that_nobody_named_is_not_known_before_it_is_heard(client: FlaskClient) -> None:
    """It is null, and no guess."""
    assert client.get(f"/api/v1/jobs/{submitted(client)}").get_json()["spoken"] is None


def test_a_job_is_called_by_its_source_where_nobody_named_it(client: FlaskClient) -> None:
    """By the upload's name or the address; an upload is named by its id."""
    upload = client.post("/api/v1/uploads", data={"file": (io.BytesIO(WAV), "My Talk.wav")}).get_json()["id"]
    answer = client.post("/api/v1/jobs", json={"upload": upload, "target": "es"})
    said = client.get(answer.headers["Location"]).get_json()
    assert (said["upload"], said["source"], said["title"]) == (upload, None, "My Talk.wav")
    assert client.get(f"/api/v1/jobs/{submitted(client)}").get_json()["title"] == URL


def test_a_job_says_which_part_of_its_source_is_dubbed(client: FlaskClient) -> None:
    """In seconds of the source, so that a player finds the original's place; null where all of it is."""
    whole = client.get(f"/api/v1/jobs/{submitted(client)}").get_json()
    part = client.get(f"/api/v1/jobs/{submitted(client, start=61.5, end=90)}").get_json()
    assert (whole["start"], whole["end"]) == (None, None)
    assert (part["start"], part["end"]) == (61.5, 90)


@pytest.mark.parametrize(
    ("sent", "field", "why"),
    [
        ({"start": 40, "end": 20}, "end", "must be after start"),
        ({"end": 5, "start": 5}, "end", "must be after start"),
        (
            {"consent": {"who": "Jane", "statement": "Jane agreed to it."}, "consent_id": "1"}, "consent_id",
            "must be left out where there is a consent (a statement)",
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["jobs", "estimates"])
def test_of_two_fields_that_do_not_go_together_one_is_named(
    client: FlaskClient, path: str, sent: dict[str, Any], field: str, why: str
) -> None:
    """A form shows the refusal at the field; nobody has to read it out of a sentence."""
    answer = client.post(f"/api/v1/{path}", json={"source": URL, "target": "es", **sent})
    said = answer.get_json()
    assert (answer.status_code, said["errors"]) == (422, [{"where": field, "why": why}])
    assert said["title"] == f"The request is not right: {field} {why}."
