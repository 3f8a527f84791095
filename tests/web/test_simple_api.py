"""The simple interface: the requests of the prototype's clients, in their own shapes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from autodub.jobs.platform import LOCAL_ACTOR, Platform
from autodub.jobs.results import Item, Result
from autodub.jobs.spec import JobSpec
from autodub.model.job import Event
from autodub.web.app import create_app

URL = "https://www.youtube.com/watch?v=dQw4w9WgXcQ"


def finished(platform: Platform, job: str, *, content: bytes = b"a dubbed video") -> None:
    """Have a queued job completed with a file, as a worker would."""
    claimed = platform.claims.next("worker")
    assert claimed is not None
    assert claimed.id == job
    file = platform.settings.data_dir / "made.mp4"
    file.write_bytes(content)
    blob = platform.store.blobs.keep(file)
    item = Item(name="Talk – größer.es.mp4", digest=blob.digest, size=blob.size, suffix=blob.suffix)
    result = Result(files={"media": item}, summary="in time")
    platform.claims.end(
        claimed, "completed", Event("job.completed"), result=result.model_dump_json(), progress=1.0,
        message="in time",
    )  # fmt: skip


def submitted(client: FlaskClient, **more: Any) -> str:
    """A job that was taken."""
    answer = client.post("/api/dub", json={"youtube_url": URL, "target_language": "es"} | more)
    assert answer.status_code == 202, answer.get_json()
    return str(answer.get_json()["job_id"])


def test_the_smallest_request_of_the_prototype_is_taken(client: FlaskClient) -> None:
    """An address and a language are enough; the answer has the three fields its clients read."""
    answer = client.post("/api/dub", json={"youtube_url": URL, "target_language": "es"})
    assert answer.status_code == 202
    said = answer.get_json()
    assert set(said) == {"job_id", "status", "message"}
    assert said["status"] == "queued"
    assert said["message"]


def test_every_field_of_the_prototype_arrives_in_the_job(client: FlaskClient, platform: Platform) -> None:
    """Names of languages, integer times and the wish for clones become what a worker carries out."""
    job = submitted(
        client, source_language="English", target_language="Spanish", start_time=20, end_time=40,
        use_voice_cloning=True,
        consent={"who": "Jane Doe", "statement": "Jane Doe agreed in writing."},
    )  # fmt: skip
    spec = JobSpec.model_validate(platform.jobs.get(LOCAL_ACTOR, job).spec)
    assert (spec.source, spec.target, spec.spoken) == (URL, "es", "English")
    assert (spec.start, spec.end, spec.clone_voices) == (20.0, 40.0, True)


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        (90, 90.0), (1.5, 1.5), ("90", 90.0), ("1:30", 90.0), ("00:01:30", 90.0), ("1:02:03.5", 3723.5),
        ("90:00", 5400.0), ("", None), (None, None),
    ],
)  # fmt: skip
def test_times_are_read_as_people_write_them(
    client: FlaskClient, platform: Platform, given: object, seconds: float | None
) -> None:
    """Seconds and clock times mean the same; nothing means the beginning."""
    job = submitted(client, start_time=given)
    assert platform.jobs.get(LOCAL_ACTOR, job).spec.get("start") == seconds


@pytest.mark.parametrize("given", ["auto", "AUTO", "", None])
def test_the_language_of_the_source_may_be_left_open(
    client: FlaskClient, platform: Platform, given: str | None
) -> None:
    """``auto`` and nothing both mean that it is found out."""
    job = submitted(client, source_language=given)
    assert platform.jobs.get(LOCAL_ACTOR, job).spec.get("spoken") is None


def test_an_address_is_taken_without_its_scheme(client: FlaskClient, platform: Platform) -> None:
    """``youtu.be/...`` is what people paste."""
    job = submitted(client, youtube_url=" youtu.be/dQw4w9WgXcQ ")
    assert platform.jobs.get(LOCAL_ACTOR, job).spec["source"] == "https://youtu.be/dQw4w9WgXcQ"


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"youtube_url": None}, "youtube_url"),
        ({"youtube_url": ""}, "youtube_url is missing"),
        ({"youtube_url": 7}, "youtube_url"),
        ({"youtube_url": "no address"}, "youtube_url is not a web address"),
        ({"youtube_url": "file:///etc/passwd"}, "youtube_url is not a web address"),
        ({"youtube_url": "https://example.org/video"}, "example.org is not among the sites"),
        ({"youtube_url": "http://127.0.0.1/video"}, "127.0.0.1 is not among the sites"),
        ({"youtube_url": "https://youtube.com\x00/"}, "invisible"),
        ({"target_language": ""}, "target_language is missing"),
        ({"target_language": None}, "target_language"),
        ({"target_language": "Klingonese"}, "Klingonese"),
        ({"target_language": "\ud800"}, "target_language"),
        ({"source_language": "es"}, "Source and target"),
        ({"source_language": "Klingonese"}, "Klingonese"),
        ({"start_time": -1}, "start_time"),
        ({"start_time": "soon"}, "start_time is not a time"),
        ({"start_time": "1:75"}, "minutes and seconds stop at 59"),
        ({"start_time": True}, "start_time must be a time"),
        ({"start_time": float("nan")}, "start_time"),
        ({"start_time": float("inf")}, "start_time"),
        ({"start_time": [1]}, "start_time"),
        ({"start_time": 40, "end_time": 20}, "end_time must be after start_time"),
        ({"end_time": 0}, "end_time must be after start_time"),
        ({"use_voice_cloning": "perhaps"}, "use_voice_cloning"),
        ({"consent": {"who": "Jane"}}, "consent.statement is missing"),
    ],
)
def test_bad_input_is_refused_with_an_error_in_words(
    client: FlaskClient, platform: Platform, change: dict[str, object], word: str
) -> None:
    """Whatever is wrong is a 400 with a sentence that names it, and no job is made."""
    asked = {"youtube_url": URL, "target_language": "es"} | change
    answer = client.post("/api/dub", json=asked)
    said = answer.get_json()
    assert (answer.status_code, answer.mimetype) == (400, "application/json"), said
    assert word in said["error"]
    assert said["code"]
    assert platform.jobs.list(LOCAL_ACTOR).total == 0


@pytest.mark.parametrize("missing", ["youtube_url", "target_language"])
def test_what_is_missing_is_named(client: FlaskClient, missing: str) -> None:
    """The two fields that must be there are asked for by name."""
    asked = {"youtube_url": URL, "target_language": "es"}
    del asked[missing]
    answer = client.post("/api/dub", json=asked)
    assert (answer.status_code, answer.get_json()["error"]) == (400, f"{missing} is missing.")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"youtube_url=x", "application/x-www-form-urlencoded"),
        (b"{", "application/json"),
        (b"[]", "application/json"),
        (b"null", "application/json"),
        (b"", "application/json"),
        (b"\xff\xfe", "application/json"),
        (b'{"youtube_url": "x"}', "text/plain"),
    ],
)
def test_what_is_no_json_object_is_refused(client: FlaskClient, body: bytes, kind: str) -> None:
    """Forms, broken JSON, other values and other types of content are a 400, never a fault."""
    answer = client.post("/api/dub", data=body, content_type=kind)
    assert answer.status_code == 400
    assert "JSON" in answer.get_json()["error"]


def test_cloning_without_consent_is_refused_with_the_way_to_give_it(client: FlaskClient) -> None:
    """Where the server asks for consent, the refusal says what to send."""
    answer = client.post(
        "/api/dub", json={"youtube_url": URL, "target_language": "es", "use_voice_cloning": True}
    )
    said = answer.get_json()
    assert (answer.status_code, said["code"]) == (403, "consent_missing")
    assert "consent" in said["hint"]


def test_a_job_is_followed_to_its_video(client: FlaskClient, platform: Platform) -> None:
    """From queued to completed: words, whole percents, and at the end the video with a safe name."""
    job = submitted(client)
    said = client.get(f"/api/dub/{job}").get_json()
    assert said == {
        "job_id": job, "status": "queued", "progress": 0, "message": "The dub waits for its turn.",
    }  # fmt: skip
    assert client.get(f"/api/download/{job}").status_code == 400

    finished(platform, job)
    said = client.get(f"/api/dub/{job}").get_json()
    assert (said["status"], said["progress"]) == ("completed", 100)
    assert said["video_url"] == f"/api/download/{job}"
    with client.get(said["video_url"]) as video:
        assert (video.status_code, video.data) == (200, b"a dubbed video")
        assert video.mimetype == "video/mp4"
        assert video.headers["Content-Disposition"].startswith("attachment")


def test_a_player_may_ask_for_a_range(client: FlaskClient, platform: Platform) -> None:
    """Seeking works: a range is answered with its bytes, one beyond the end with 416."""
    job = submitted(client)
    finished(platform, job)
    with client.get(f"/api/download/{job}", headers={"Range": "bytes=2-7"}) as part:
        assert (part.status_code, part.data) == (206, b"dubbed")
    with client.get(f"/api/download/{job}", headers={"Range": "bytes=999-"}) as beyond:
        assert beyond.status_code == 416
        assert beyond.get_json()["error"]


def test_progress_is_a_whole_percent_and_100_only_at_the_end(client: FlaskClient, platform: Platform) -> None:
    """A running job shows 0 to 99."""
    job = submitted(client)
    claimed = platform.claims.next("worker")
    assert claimed is not None
    platform.claims.tell(claimed, [], times=[], progress=0.999, message="Mixing")
    said = client.get(f"/api/dub/{job}").get_json()
    assert (said["status"], said["progress"], said["message"]) == ("processing", 99, "Mixing")
    assert "video_url" not in said


def test_a_failed_job_says_why(client: FlaskClient, platform: Platform) -> None:
    """The reason stands in the message that clients show, and in ``error``."""
    job = submitted(client)
    claimed = platform.claims.next("worker")
    assert claimed is not None
    why = '{"code": "unsupported_source", "message": "The video has no sound.", "hint": ""}'
    platform.claims.end(claimed, "failed", Event("job.failed"), error=why, message="The video has no sound.")
    said = client.get(f"/api/dub/{job}").get_json()
    assert (said["status"], said["error"]) == ("failed", "The video has no sound.")
    assert said["message"] == said["error"]
    assert client.get(f"/api/download/{job}").status_code == 400


def test_a_video_whose_file_is_gone_is_a_404(client: FlaskClient, platform: Platform, tmp_path: Path) -> None:
    """A row without its file is told as missing, not as a fault."""
    job = submitted(client)
    finished(platform, job)
    for file in (platform.settings.data_dir / "blobs").rglob("*.mp4"):
        file.unlink()
    answer = client.get(f"/api/download/{job}")
    assert (answer.status_code, answer.get_json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    "job", ["0" * 32, "nothing", "7f0c3de2-a54b-49d0-9c1b-5e0a8f6d2c31", "%00", "é" * 32]
)
@pytest.mark.parametrize("path", ["/api/dub/", "/api/download/"])
def test_an_unknown_job_is_a_404_with_an_error(client: FlaskClient, path: str, job: str) -> None:
    """Any id that names no job is answered alike."""
    answer = client.get(path + job)
    assert answer.status_code == 404
    assert answer.get_json()["error"].startswith("There is no")


def test_an_estimate_is_no_dub(client: FlaskClient, platform: Platform) -> None:
    """Jobs of another kind are not shown here."""
    estimate, _ = platform.jobs.submit(
        LOCAL_ACTOR, JobSpec.model_validate({"source": URL, "target": "es"}), kind="estimate"
    )
    assert client.get(f"/api/dub/{estimate.id}").status_code == 404
    assert client.get("/api/jobs").get_json() == {"jobs": []}


def test_the_list_has_what_the_prototypes_page_shows(client: FlaskClient) -> None:
    """Each job has its address, languages, times and state; the newest comes first."""
    first = submitted(client, start_time="1:00")
    second = submitted(client, target_language="French", source_language="en")
    jobs = client.get("/api/jobs").get_json()["jobs"]
    assert [job["job_id"] for job in jobs] == [second, first]
    assert jobs[0]["target_language"] == "fr"
    assert jobs[0]["source_language"] == "en"
    assert (jobs[1]["start_time"], jobs[1]["end_time"]) == (60.0, None)
    assert all(job["youtube_url"] == URL and job["status"] == "queued" for job in jobs)


def test_without_a_login_the_refusal_has_the_same_shape(opening: Any) -> None:
    """Where accounts are on, a 401 is an ``error`` here as well."""
    from autodub.web.app import create_app

    client = create_app(opening(accounts=True)).test_client()
    for answer in (client.get("/api/jobs"), client.post("/api/dub", json={})):
        assert answer.status_code == 401
        assert answer.get_json()["error"]
        assert answer.get_json()["code"] == "unauthenticated"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/dub", 405), ("DELETE", "/api/dub/0", 405), ("POST", "/api/jobs", 405),
        ("PUT", "/api/download/0", 405), ("GET", "/api/download", 404), ("GET", "/api/dub/0/more", 404),
        ("GET", "/api/jobs/", 404),
    ],
)  # fmt: skip
def test_what_is_not_there_is_told_in_the_same_shape(
    client: FlaskClient, method: str, path: str, status: int
) -> None:
    """An address or a method that is none has an ``error``, as what is wrong in a request has."""
    answer = client.open(path, method=method)
    assert (answer.status_code, answer.content_type) == (status, "application/json")
    assert answer.get_json()["error"]
    assert "title" not in answer.get_json()
    assert ("Allow" in answer.headers) == (status == 405)


@pytest.mark.parametrize("path", ["/api/v1/jobs/x", "/api/dubs", "/api"])
def test_what_is_beside_the_simple_interface_is_told_as_a_problem(client: FlaskClient, path: str) -> None:
    """Only its own addresses speak its shape."""
    assert client.get(path).content_type == "application/problem+json"


def test_a_refusal_is_in_the_fields_of_this_interface(client: FlaskClient) -> None:
    """Whoever uses it knows no others."""
    asked = {"youtube_url": URL, "target_language": "es", "source_language": "Spanish"}
    hint = client.post("/api/dub", json=asked).get_json()["hint"]
    assert "`target_language`" in hint
    assert "`source_language`" in hint
    assert "`spoken`" not in hint


def test_what_no_engine_can_do_is_a_400_in_words(opening: Callable[..., Platform]) -> None:
    """Not a job that fails later."""
    client = create_app(opening(check_engines=True)).test_client()
    answer = client.post("/api/dub", json={"youtube_url": URL, "target_language": "Akan"})
    assert (answer.status_code, answer.get_json()["code"]) == (400, "engine_cannot")
    assert "Akan" in answer.get_json()["error"]
    assert client.get("/api/jobs").get_json() == {"jobs": []}
