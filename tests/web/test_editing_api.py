"""Editing through the interface: transcripts, revisions and their preconditions, locks, making again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from people import added, key_of
from werkzeug.test import TestResponse

from autodub.engines import registry
from autodub.jobs.platform import Platform
from autodub.testing.fakes import FAKES
from autodub.web.app import create_app
from autodub.web.editing_shapes import EditedShape, TranscriptShape
from finished_jobs import finished

ANY = {"If-Match": "*"}


@pytest.fixture
def job(platform: Platform) -> Iterator[str]:
    """A finished dub of four lines, whose synthesizer is there."""
    with registry.registered("synthesizer", "fake", FAKES["synthesizer"]):
        yield f"/api/v1/jobs/{finished(platform)}"


def code(answer: TestResponse) -> tuple[int, str]:
    """Status and code of a problem."""
    assert answer.content_type == "application/problem+json"
    return answer.status_code, answer.get_json()["code"]


def test_a_transcript_is_read_with_its_revision(client: FlaskClient, job: str) -> None:
    """What is sent is what the document says: lines, speakers, times in seconds."""
    answer = client.get(f"{job}/transcript")
    assert answer.headers["ETag"] == '"1"'
    found = TranscriptShape.model_validate(answer.get_json(), strict=True)
    assert (found.revision, found.made, found.stale, len(found.lines)) == (1, 1, False, 4)
    first = found.lines[0]
    assert (first.id, first.start, first.end, first.text) == ("L0001", 0.0, 3.0, "Frase número 1.")
    assert first.timing is not None
    assert first.timing.start == 0.1
    assert [(one.name, one.lines) for one in found.speakers] == [("S1", 3), ("S2", 1)]


def test_a_change_says_what_became_of_its_lines(client: FlaskClient, job: str) -> None:
    """The new revision, the changed line, and nothing of the others."""
    answer = client.patch(f"{job}/lines/L0002", json={"text": "Otra.", "end": 6.5, "revision": 1})
    assert answer.status_code == 200, answer.get_json()
    assert answer.headers["ETag"] == '"2"'
    done = EditedShape.model_validate(answer.get_json(), strict=True)
    assert (done.revision, done.stale, [one.id for one in done.lines]) == (2, True, ["L0002"])
    assert (done.lines[0].text, done.lines[0].end, done.lines[0].edited) == ("Otra.", 6.5, True)
    assert done.lines[0].made is not None
    assert done.lines[0].made.text == "Frase número 2."


def test_a_change_must_say_which_revision_it_is_meant_for(client: FlaskClient, job: str) -> None:
    """428 without one; 412 for an old one in If-Match, 409 in the body, telling the present one."""
    change = {"text": "Otra."}
    assert code(client.patch(f"{job}/lines/L0001", json=change)) == (428, "precondition_required")
    assert client.patch(f"{job}/lines/L0001", json=change, headers={"If-Match": '"1"'}).status_code == 200
    late = client.patch(f"{job}/lines/L0001", json={"text": "Tarde."}, headers={"If-Match": '"1"'})
    assert code(late) == (412, "old_revision")
    assert late.headers["ETag"] == '"2"'
    assert late.get_json()["errors"] == [{"where": "revision", "why": "it is 2 now"}]
    assert code(client.patch(f"{job}/lines/L0001", json={"text": "T.", "revision": 1})) == (
        409,
        "old_revision",
    )
    bad = client.patch(f"{job}/lines/L0001", json=change, headers={"If-Match": "newest"})
    assert code(bad) == (422, "bad_request")


def test_every_change_has_its_route(client: FlaskClient, job: str) -> None:
    """Add, split, join, take out, undo, a voice and its undo: each is one revision."""
    steps: list[tuple[str, str, dict[str, Any] | None, list[str], list[str]]] = [
        ("POST", "lines", {"speaker": "S1", "start": 20, "end": 21.5, "text": "Más."}, ["mine-1"], []),
        ("POST", "lines/L0001/split", {"at": 1.5}, ["L0001", "mine-2"], []),
        ("POST", "lines/L0001/merge", {"other": "mine-2"}, ["L0001"], ["mine-2"]),
        ("POST", "lines/L0001/undo", None, [], []),
        ("DELETE", "lines/L0003", None, [], ["L0003"]),
        ("POST", "lines/L0003/undo", None, ["L0003"], []),
        ("PATCH", "speakers/S1", {"voice": "fake-3", "pace": 1.25}, [], []),
        ("POST", "speakers/S1/undo", None, [], []),
        ("DELETE", "lines/mine-1", None, [], ["mine-1"]),
    ]
    revision = 1
    for method, path, body, lines, removed in steps:
        answer = client.open(f"{job}/{path}", method=method, json=body, headers={"If-Match": f'"{revision}"'})
        assert answer.status_code == 200, (path, answer.get_json())
        done = answer.get_json()
        assert ([one["id"] for one in done["lines"]], done["removed"]) == (lines, removed), path
        revision = done["revision"]
    found = client.get(f"{job}/transcript").get_json()
    assert not found["stale"]
    assert revision == 9  # joining what was split made the line as it was, so undo changed nothing


def test_several_operations_are_one_revision(client: FlaskClient, job: str) -> None:
    """One request, one revision; an impossible one among them changes nothing."""
    good = [
        {"op": "set", "line": "L0001", "text": "Una."},
        {"op": "voice", "speaker": "S2", "pitch_hz": 150.0},
        {"op": "remove", "line": "L0003"},
    ]
    done = client.patch(f"{job}/project", json={"revision": 1, "operations": good}).get_json()
    assert (done["revision"], done["removed"]) == (2, ["L0003"])
    bad = [{"op": "set", "line": "L0001", "text": "Dos."}, {"op": "remove", "line": "L0009"}]
    assert code(client.patch(f"{job}/project", json={"revision": 2, "operations": bad})) == (404, "not_found")
    assert client.get(f"{job}/transcript").get_json()["lines"][0]["text"] == "Una."


def test_revisions_are_listed_read_and_gone_back_to(client: FlaskClient, job: str) -> None:
    """The project of any revision, as a project file has it."""
    client.patch(f"{job}/lines/L0001", json={"text": "Otra."}, headers=ANY)
    found = client.get(f"{job}/revisions").get_json()
    assert [(one["number"], one["what"]) for one in found["revisions"]] == [(2, "L0001: text"), (1, "made")]
    first = client.get(f"{job}/revisions/1")
    assert json.loads(first.data)["lines"][0]["text"] == "Frase número 1."
    assert client.get(f"{job}/project").headers["ETag"] == '"2"'
    assert client.get(f"{job}/project").get_json()["lines"][0]["text"] == "Otra."
    back = client.post(f"{job}/revisions/1/restore", headers={"If-Match": '"2"'})
    assert (back.get_json()["revision"], back.get_json()["stale"]) == (3, False)
    assert code(client.get(f"{job}/revisions/7")) == (404, "not_found")


def test_a_locked_line_is_refused_until_it_is_unlocked(client: FlaskClient, job: str) -> None:
    """409 says who locked it."""
    assert client.put(f"{job}/lines/L0001/lock").get_json()["name"] == "local"
    refused = client.patch(f"{job}/lines/L0001", json={"text": "No."}, headers=ANY)
    assert code(refused) == (409, "conflict")
    assert "locked by local" in refused.get_json()["title"]
    assert client.get(f"{job}/transcript").get_json()["lines"][0]["locked"]["by"] == "local"
    assert client.delete(f"{job}/lines/L0001/lock").status_code == 204
    assert client.patch(f"{job}/lines/L0001", json={"text": "Sí."}, headers=ANY).status_code == 200


def test_own_subtitles_are_brought_along(client: FlaskClient, job: str) -> None:
    """WebVTT onto lines by their times; a cue that fits none is named."""
    vtt = "WEBVTT\n\n00:00:04.000 --> 00:00:07.000\nLa mía.\n"
    done = client.put(f"{job}/transcript?revision=1", data=vtt, content_type="text/vtt").get_json()
    assert [(one["id"], one["text"]) for one in done["lines"]] == [("L0002", "La mía.")]
    bad = client.put(f"{job}/transcript", data=vtt.replace("00:00:0", "00:00:4"), headers=ANY)
    assert code(bad) == (400, "bad_subtitles")
    assert "Cue 1" in bad.get_json()["title"]
    assert code(client.put(f"{job}/transcript", data=b"\xff\xfe\x00", headers=ANY))[0] == 400


def test_a_dub_is_made_again_with_its_edits(client: FlaskClient, job: str, platform: Platform) -> None:
    """One line with its new text, or all edits; while it waits it is not queued a second time."""
    answer = client.post(f"{job}/lines/L0001/regenerate", json={"text": "Nueva.", "revision": 1})
    assert (answer.status_code, answer.headers["Location"]) == (202, job)
    assert (answer.get_json()["state"], answer.get_json()["stale"]) == ("queued", True)
    assert code(client.post(f"{job}/regenerate")) == (409, "conflict")
    with platform.sql.writing() as connection:
        connection.exec_driver_sql("UPDATE jobs SET state = 'completed'")
    assert code(client.post(f"{job}/regenerate", headers={"If-Match": '"1"'})) == (412, "old_revision")
    assert client.post(f"{job}/lines/L0001/regenerate", json={}).status_code == 202


def test_what_is_wrong_in_a_change_is_told(client: FlaskClient, job: str) -> None:
    """Each with its status; none changes anything."""
    wrong: list[tuple[str, dict[str, Any], int]] = [
        ("lines/L0001", {"text": "x" * 3000}, 422), ("lines/L0001", {"made": 1}, 422),
        ("lines/L0001", {"speaker": "S9"}, 404), ("lines/L0001", {"end": 99.0}, 400),
        ("lines/L0099", {"text": "Hola."}, 404), ("lines/a b", {"text": "Hola."}, 422),
        ("speakers/S1", {"pace": 7}, 422), ("speakers/S1", {"voice": "nobody"}, 400),
        (f"speakers/{'S' * 80}", {"pace": 1.0}, 422),
        ("project", {"operations": []}, 422), ("project", {"operations": [{"op": "dance"}]}, 422),
    ]  # fmt: skip
    for path, body, status in wrong:
        answer = client.patch(f"{job}/{path}", json=body, headers=ANY)
        assert (answer.status_code, answer.content_type) == (status, "application/problem+json"), path
    assert client.get(f"{job}/transcript").headers["ETag"] == '"1"'


def test_another_users_transcript_is_not_there(opening: Any) -> None:
    """With a good key of somebody else every route answers 404, and without a key 401."""
    platform = opening(accounts=True)
    ana, bob = added(platform, "ana"), added(platform, "bob")
    app: Flask = create_app(platform)
    client, theirs = app.test_client(), key_of(platform, bob)
    job = finished(platform, owner=ana)
    tried = 0
    for rule in app.url_map.iter_rules():
        if rule.endpoint.split(".")[0] not in ("editing", "transcripts"):
            continue
        path = rule.rule.replace("<job>", job).replace("<line>", "L0001").replace("<speaker>", "S1")
        path = path.replace("<int:number>", "1")
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            body = _BODIES.get((method, rule.rule.rpartition("/")[2]), {})
            answer = client.open(path, method=method, json=body, headers=theirs | ANY)
            assert answer.status_code == 404, (method, path, answer.get_json())
            assert client.open(path, method=method, json=body, headers=ANY).status_code == 401
            tried += 1
    assert tried == 19
    read_only = key_of(platform, ana, "read")
    assert client.get(f"/api/v1/jobs/{job}/transcript", headers=read_only).status_code == 200
    refused = client.delete(f"/api/v1/jobs/{job}/lines/L0001", headers=read_only | ANY)
    assert code(refused) == (403, "forbidden")


_BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("PATCH", "project"): {"operations": [{"op": "remove", "line": "L0001"}]},
    ("POST", "lines"): {"speaker": "S1", "start": 1, "end": 2, "text": "Hola."},
    ("POST", "split"): {"at": 1}, ("POST", "merge"): {"other": "L0002"},
}  # fmt: skip


@pytest.mark.parametrize("name", ["\x1e", "\u2028 "])
def test_a_speaker_has_a_name_that_can_be_seen(client: FlaskClient, job: str, name: str) -> None:
    """A name of separators alone is refused, as an operation and as a change of a line."""
    change = {"op": "set", "line": "L0001", "speaker": name, "new_speaker": True}
    for answer in (
        client.patch(f"{job}/project", json={"operations": [change]}, headers=ANY),
        client.patch(f"{job}/lines/L0001", json={"speaker": name, "new_speaker": True}, headers=ANY),
        client.post(f"{job}/lines/L0001/regenerate", json={"speaker": name}, headers=ANY),
    ):
        assert code(answer) == (422, "bad_request")


def test_a_speaker_of_the_path_that_can_be_none_is_refused(client: FlaskClient, job: str) -> None:
    """A name longer than any speaker's is told as wrong."""
    answer = client.patch(f"{job}/speakers/{'S' * 80}", json={"pace": 1.2}, headers=ANY)
    assert code(answer) == (422, "bad_request")
