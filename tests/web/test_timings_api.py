"""What a regenerate moved, over HTTP; and where lines sound after somebody edited while a dub was made."""

from __future__ import annotations

from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import insert, update

from autodub.jobs.platform import Platform
from autodub.jobs.results import Item, Result
from autodub.jobs.tables import jobs, projects
from autodub.pipeline.finished import keep_text
from autodub.pipeline.project import Project, dump
from finished_jobs import finished, project


def later(found: Project, by: int, *names: str) -> Project:
    """A project whose lines of these names sound later, milliseconds."""
    lines = []
    for one in found.lines:
        timing = one.timing
        if one.id in names and timing is not None:
            moved = {"start_ms": timing.start_ms + by, "end_ms": timing.end_ms + by}
            one = one.model_copy(update={"timing": timing.model_copy(update=moved)})
        lines.append(one)
    return found.model_copy(update={"lines": lines})


def made(platform: Platform, job: str, found: Project, *, revision: int | None, made: int) -> None:
    """A new result of a job, which became a revision unless somebody had edited meanwhile."""
    blob = keep_text(platform.store, "p.json", dump(found))
    item = Item(name="p.json", digest=blob.digest, size=blob.size, suffix=blob.suffix)
    values: dict[str, Any] = {"result": Result(files={"project": item}).model_dump_json(), "made": made}
    with platform.sql.writing() as connection:
        if revision is not None:
            row = {"job": job, "revision": revision, "text": dump(found), "created": 2.0, "what": "made"}
            connection.execute(insert(projects).values(**row))
            values["revision"] = revision
        connection.execute(update(jobs).where(jobs.c.id == job).values(**values))


def test_the_first_result_has_nothing_before_it(client: FlaskClient, platform: Platform) -> None:
    """Every line is told with where it sounds now."""
    found = client.get(f"/api/v1/jobs/{finished(platform)}/timings").get_json()
    assert (found["made"], found["earlier"]) == (1, None)
    assert [one["line"] for one in found["lines"]] == ["L0001", "L0002", "L0003", "L0004"]
    assert found["lines"][1]["now"] == {"start": 4.1, "end": 7.1, "rate": 1.0, "stretch": 1.0, "flags": []}
    assert found["lines"][1]["before"] is None


def test_a_regenerate_shows_what_it_moved(client: FlaskClient, platform: Platform) -> None:
    """Lines that stay are told apart from those that moved, were reworded, came or went."""
    job = finished(platform)
    after = later(project(), 250, "L0003")
    lines = [one.model_copy(update={"text": "Otra."}) if one.id == "L0002" else one for one in after.lines]
    made(platform, job, after.model_copy(update={"lines": lines[:3]}), revision=3, made=3)
    found = client.get(f"/api/v1/jobs/{job}/timings").get_json()
    assert (found["made"], found["earlier"]) == (3, 1)
    assert [(one["moved"], one["reworded"]) for one in found["lines"]] == [
        (False, False), (False, True), (True, False), (True, False),
    ]  # fmt: skip
    assert (found["lines"][2]["before"]["start"], found["lines"][2]["now"]["start"]) == (8.1, 8.35)
    assert found["lines"][3]["now"] is None


def test_lines_sound_where_the_result_has_them(client: FlaskClient, platform: Platform) -> None:
    """Also after somebody edited while it was made: their line is stale, and no time is an old one."""
    job = finished(platform)
    url = f"/api/v1/jobs/{job}"
    change = {"text": "Otra cosa."}
    assert client.patch(f"{url}/lines/L0002", json=change, headers={"If-Match": "*"}).status_code == 200
    made(platform, job, later(project(), 500, "L0003", "L0004"), revision=None, made=1)
    found = client.get(f"{url}/transcript").get_json()
    assert (found["revision"], found["made"], found["stale"]) == (2, 1, True)
    assert [one["timing"]["start"] for one in found["lines"]] == [0.1, 4.1, 8.6, 12.6]
    assert [one["stale"] for one in found["lines"]] == [False, True, False, False]
    times = client.get(f"{url}/timings").get_json()
    assert [one["now"]["start"] for one in times["lines"]] == [0.1, 4.1, 8.6, 12.6]
    assert (times["earlier"], times["lines"][2]["before"]["start"]) == (1, 8.1)
