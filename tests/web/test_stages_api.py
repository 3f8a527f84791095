"""Stages as they really ran, from a job's events: side by side, broken off, again, with calls and costs."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from autodub.jobs import events
from autodub.jobs.platform import Platform
from autodub.model.job import Event
from finished_jobs import finished


class Told:
    """A job that tells what a test says."""

    def __init__(self, platform: Platform, client: FlaskClient) -> None:
        self.platform, self.client, self.job = platform, client, finished(platform, attempt=1)

    def __call__(self, at: float, kind: str, stage: str = "", **given: Any) -> None:
        event = Event(kind, stage, given.pop("message", ""), given.pop("fraction", None), given)
        with self.platform.sql.writing() as connection:
            events.change(connection, self.job, event, at=at)

    def attempt(self, number: int) -> None:
        """From now on it is another attempt."""
        with self.platform.sql.writing() as connection:
            events.change(connection, self.job, at=0.0, attempt=number)

    def found(self, query: str = "") -> dict[str, Any]:
        """What the interface says."""
        answer = self.client.get(f"/api/v1/jobs/{self.job}/stages{query}")
        assert answer.status_code == 200
        return dict(answer.get_json())


@pytest.fixture
def told(platform: Platform, client: FlaskClient) -> Told:
    """A job that tells what a test says."""
    return Told(platform, client)


def test_stages_run_side_by_side(told: Told) -> None:
    """Each has its own beginning and end; what has not ended is running, with what is known of it."""
    told(10, "job.started")
    told(11, "engine.chosen", role="separator", engine="demucs")
    told(11, "stage.started", "transcribe", message="listening")
    told(12, "stage.started", "separate")
    told(14, "stage.progress", "separate", fraction=0.25)
    told(15, "stage.finished", "transcribe", fraction=1.0)
    found = told.found()
    assert (found["attempt"], found["start"], found["end"]) == (1, 10, None)
    assert found["engines"] == {"separator": "demucs"}
    first, second = found["stages"]
    assert (first["stage"], first["message"], first["took"]) == ("transcribe", "listening", 4)
    assert first["runs"] == [{"start": 11, "end": 15, "whole": True}]
    assert (second["runs"][0]["end"], second["took"], second["fraction"]) == (None, None, 0.25)


def test_calls_are_counted_with_what_they_cost(told: Told) -> None:
    """Sums count for all they stand for; what was kept costs nothing; tries and failures are counted, too."""
    call = {"role": "translator", "engine": "openai", "verb": "translate"}
    told(10, "job.started")
    told(11, "stage.started", "translate")
    told(12, "call.finished", "translate", **call, kept=False, seconds=1.5, dollars=0.01)
    told(13, "call.finished", "translate", **call, kept=False, seconds=4.0, dollars=0.02, count=3)
    told(13, "call.finished", "translate", **call, kept=True, seconds=9.0, dollars=9.0, count=7)
    told(13, "call.retried", "translate", **call, pause=1.0)
    told(13, "call.failed", "translate", **call, count=2)
    told(13, "call.charged", "translate", **call, dollars=0.5)
    (stage,) = told.found()["stages"]
    assert (stage["made"], stage["kept"], stage["retried"], stage["failed"]) == (4, 7, 1, 2)
    assert (stage["seconds"], stage["dollars"]) == (5.5, 0.53)
    assert stage["engines"] == ["translator.openai"]


@pytest.mark.parametrize("end", ["job.failed", "job.cancelled", "job.handed_back", "job.lost"])
def test_what_had_not_ended_was_broken_off(told: Told, end: str) -> None:
    """An attempt that ends in the middle ends its stages."""
    told(10, "job.started")
    told(11, "stage.started", "speak")
    told(19, end)
    found = told.found()
    assert found["end"] == 19
    assert found["stages"][0]["runs"] == [{"start": 11, "end": 19, "whole": False}]
    assert found["stages"][0]["took"] == 8


def test_a_stage_may_run_again(told: Told) -> None:
    """With another engine: both times are told, and how far it is is of the second."""
    told(10, "job.started")
    told(11, "stage.started", "speak")
    told(12, "stage.finished", "speak", fraction=1.0)
    told(13, "stage.started", "speak")
    (stage,) = told.found()["stages"]
    assert [one["end"] for one in stage["runs"]] == [12, None]
    assert stage["fraction"] is None


def test_attempts_are_told_apart(told: Told) -> None:
    """The newest one is shown, any other on demand; one that never was has nothing."""
    assert told.found() == {
        "job": told.job, "attempt": 0, "start": None, "end": None, "engines": {}, "stages": [],
    }  # fmt: skip
    told(10, "job.started")
    told(11, "stage.started", "open")
    told(12, "job.completed")
    told.attempt(2)
    told(20, "job.started")
    assert (told.found()["attempt"], told.found()["stages"]) == (2, [])
    assert [one["stage"] for one in told.found("?attempt=1")["stages"]] == ["open"]
    assert told.found("?attempt=7")["stages"] == []
