"""What a running job says is written down: in order, once, also when the database was away meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from desk import Desk, happenings

from autodub.jobs.progress import Progress
from autodub.jobs.recorder import Recorder
from autodub.jobs.records import Job
from autodub.model.errors import Unavailable
from autodub.model.job import STAGES, Event


class Shaky:
    """Claims over a line that breaks."""

    def __init__(self, desk: Desk) -> None:
        self.claims = desk.claims
        self.away = threading.Event()
        """Nothing arrives."""
        self.mute = 0
        """So many batches arrive without being confirmed."""
        self.tried = threading.Semaphore(0)
        """One for every try."""

    def tell(self, *given: Any, **named: Any) -> bool:
        self.tried.release()
        if self.away.is_set():
            raise Unavailable("The database is away.")
        done = self.claims.tell(*given, **named)
        if self.mute:
            self.mute -= 1
            raise Unavailable("The database is away.")
        return done


@pytest.fixture
def job(desk: Desk) -> Job:
    """A job that a worker has."""
    desk.submit()
    taken = desk.claims.next("worker")
    assert taken is not None
    return taken


@pytest.fixture
def shaky(desk: Desk) -> Iterator[Shaky]:
    """A line that may break; whole in the end."""
    line = Shaky(desk)
    yield line
    line.away.clear()


def _messages(desk: Desk, job: Job) -> list[str]:
    return [one.message for one in happenings(desk.sql, job)[2:]]


def test_what_was_said_is_in_the_row_and_among_the_events(desk: Desk, job: Job) -> None:
    """Progress, stage and money in the row; everything in the order it was said, at its own time."""
    recorder = Recorder(desk.claims, job, every=0.01, clock=desk.clock)
    recorder(Event("stage.started", "speak", "speaking"))
    first = desk.clock.now
    desk.clock.pass_(3)
    recorder(Event("call.finished", "speak", data={"kept": False, "dollars": 0.25}))
    recorder(Event("stage.finished", "speak", "speaking", 1.0, {"seconds": 2.5}))
    recorder.close()
    found = happenings(desk.sql, job)[2:]
    assert [one.kind for one in found] == ["stage.started", "call.finished", "stage.finished"]
    assert [one.at - first for one in found] == [0, 3, 3]
    row = desk.row(job)
    assert (row.stage, row.message, row.spent) == ("speak", "speaking", Decimal("0.25"))
    assert 0 < row.progress < 1
    assert recorder.seconds == {"speak": 2.5}
    assert recorder.is_ours


def test_a_database_that_is_away_for_a_while_loses_nothing(desk: Desk, job: Job, shaky: Shaky) -> None:
    """What was said meanwhile is written when it is back, in order and once."""
    recorder = Recorder(shaky, job, every=0.001)  # type: ignore[arg-type]
    recorder(Event("degraded", message="before"))
    shaky.away.set()
    for index in range(30):
        recorder(Event("degraded", message=str(index)))
        shaky.tried.acquire(timeout=5)
    shaky.away.clear()
    recorder(Event("degraded", message="after"))
    recorder.close()
    assert _messages(desk, job) == ["before", *map(str, range(30)), "after"]


def test_what_arrived_without_being_confirmed_is_not_written_twice(
    desk: Desk, job: Job, shaky: Shaky
) -> None:
    """Neither events nor money."""
    shaky.mute = 3
    recorder = Recorder(shaky, job, every=0.001)  # type: ignore[arg-type]
    for index in range(5):
        recorder(Event("degraded", message=str(index)))
    recorder(Event("call.finished", data={"dollars": 0.5}))
    recorder.close()
    assert _messages(desk, job) == ["0", "1", "2", "3", "4", ""]
    assert desk.row(job).spent == Decimal("0.5")


def test_a_database_that_does_not_come_back_is_given_up(
    desk: Desk, job: Job, shaky: Shaky, caplog: pytest.LogCaptureFixture
) -> None:
    """The end of the job does not wait for it for ever, and the log says what was not written."""
    shaky.away.set()
    recorder = Recorder(shaky, job, every=0.001)  # type: ignore[arg-type]
    recorder(Event("degraded", message="lost"))
    recorder.close(patience=0.05)
    assert not recorder.is_ours
    assert "could not be written" in caplog.text
    assert _messages(desk, job) == []


def test_who_lost_his_job_is_told_at_once(desk: Desk, job: Job) -> None:
    """And writes nothing from then on."""
    lost = threading.Event()
    recorder = Recorder(desk.claims, job, every=0.001, lost=lost.set)
    desk.put(job, holder="another")
    recorder(Event("degraded", message="late"))
    assert lost.wait(5)
    recorder(Event("degraded", message="later"))
    recorder.close()
    assert not recorder.is_ours
    assert _messages(desk, job) == []


def test_money_of_earlier_attempts_stays(desk: Desk, job: Job) -> None:
    """The row has the sum of all."""
    desk.put(job, spent=Decimal("1.5"))
    recorder = Recorder(desk.claims, desk.job(job), every=0.001)
    for _ in range(3):
        recorder(Event("call.finished", data={"dollars": 0.1}))
    recorder(Event("call.charged", data={"dollars": 0.2}))  # for an answer that was none
    recorder.close()
    assert recorder.spent == desk.row(job).spent == Decimal("2.0")


def test_that_a_job_gets_on_is_written_down_at_once(
    desk: Desk, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is killed right after the first answer has got something done; the next one finds it kept."""
    desk.put(job, crashes=3)
    written, real = threading.Event(), desk.claims.tell

    def tell(*given: Any, **named: Any) -> bool:
        is_ours = real(*given, **named)
        written.set()
        return is_ours

    monkeypatch.setattr(desk.claims, "tell", tell)
    recorder = Recorder(desk.claims, job, every=3600)
    recorder(Event("call.finished", data={"kept": True}))
    recorder(Event("call.finished", data={"kept": False}))
    assert written.wait(20)
    assert desk.row(job).crashes == 0
    recorder.close()


def test_a_job_that_gets_on_is_no_job_that_kills_its_worker(desk: Desk, job: Job) -> None:
    """Deaths count in a row: what made something since the last one is given all its chances again."""
    desk.put(job, crashes=3)
    recorder = Recorder(desk.claims, job, every=0.001)
    recorder(Event("call.finished", data={"kept": True}))
    recorder.close()
    assert desk.row(job).crashes == 3
    recorder = Recorder(desk.claims, job, every=0.001)
    recorder(Event("call.finished", data={"kept": False}))
    recorder.close()
    assert desk.row(job).crashes == 0


def test_thousands_of_calls_are_a_few_hundred_rows(desk: Desk, job: Job) -> None:
    """A job of two thousand lines, and its progress."""
    recorder = Recorder(desk.claims, job)
    for index in range(2_000):
        recorder(Event("call.started", "speak"))
        recorder(Event("call.finished", "speak", data={"dollars": 0.001, "seconds": 1.0}))
        recorder(Event("stage.progress", "speak", f"line {index}", index / 2_000))
    recorder.close()
    found = happenings(desk.sql, job)
    assert len(found) < 400
    assert sum(int(one.data.get("count") or 1) for one in found if one.kind == "call.finished") == 2_000
    assert desk.row(job).spent == Decimal("2")
    assert desk.row(job).message == "line 1999"


def _stage(name: str) -> list[Event]:
    return [
        Event("stage.started", name, name),
        *(Event("stage.progress", name, name, part / 4) for part in range(5)),
        Event("stage.finished", name, name, 1.0, {"seconds": 1.0}),
    ]


@pytest.mark.parametrize(
    "stages",
    [
        STAGES,
        tuple(one for one in STAGES if one not in ("picture", "separate", "clone", "diarize", "voices")),
    ],
    ids=["whole", "short"],
)
def test_progress_grows_to_almost_one(stages: tuple[str, ...]) -> None:
    """Also where stages are left out; the last hundredth is the end's."""
    progress = Progress("dub")
    seen = []
    for name in stages:
        for event in _stage(name):
            progress.see(event)
            seen.append(progress.whole)
    assert seen == sorted(seen)
    assert len(set(seen)) > 30
    assert seen[-1] == 0.99


def test_progress_never_goes_back() -> None:
    """Not when a stage begins anew with another engine."""
    progress = Progress("dub")
    for event in _stage("transcribe"):
        progress.see(event)
    before = progress.whole
    for event in _stage("transcribe"):
        progress.see(event)
        assert progress.whole >= before
    assert progress.seconds == {"transcribe": 2.0}


def test_progress_of_an_estimate_is_that_of_its_own_stages() -> None:
    """Three of them."""
    progress = Progress("estimate")
    for name in ("open", "decode", "detect"):
        for event in _stage(name):
            progress.see(event)
    assert progress.whole == 0.99


def test_what_is_shown_belongs_together_and_is_still_going_on() -> None:
    """Of stages side by side the one that spoke last is shown, with its own words; never one that is over."""
    progress = Progress("dub")

    def seen(kind: str, stage: str, message: str = "") -> tuple[str, str]:
        progress.see(Event(f"stage.{kind}", stage=stage, message=message))
        return progress.stage, progress.message

    assert seen("started", "transcribe", "writing down") == ("transcribe", "writing down")
    assert seen("started", "separate", "taking the voice out") == ("separate", "taking the voice out")
    assert seen("progress", "separate") == ("separate", "taking the voice out")
    assert seen("finished", "separate") == ("transcribe", "writing down")
    assert seen("progress", "transcribe", "1 of 3 pieces") == ("transcribe", "1 of 3 pieces")
    assert seen("progress", "transcribe") == ("transcribe", "1 of 3 pieces")
    assert seen("started", "diarize") == ("diarize", "")
    assert seen("finished", "transcribe") == ("diarize", "")
    assert seen("finished", "diarize") == ("diarize", "")
