"""Calls on other machines whose worker, driver or database goes, or is another one than it was."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from queue import SimpleQueue

import pytest
from remote_calling import Calling, Scripted, queued, says
from remote_scene import Scene, until

from autodub.cli import worker_calls
from autodub.cli.failure import FAILED
from autodub.gateway import remote
from autodub.gateway.gateway import nobody
from autodub.gateway.work import CallWork
from autodub.infra import pg_bell, pg_offers
from autodub.infra.pg_calls import TRIES, Order, tidy
from autodub.infra.pg_offers import WorkersAway
from autodub.jobs import calls
from autodub.model.errors import (
    Rejected,
    Unavailable,
    Unreachable,
)
from autodub.testing.script import Hang, Script


def test_a_worker_that_is_given_up_is_replaced(scene: Scene, script: Script) -> None:
    """Its call goes to another one; what it says later changes nothing."""
    script._steps[:] = [Hang()]
    lost = scene.worker()
    one = Calling(scene.driver("a"), "uno")
    until(lambda: script.requests)
    lost._resting["synthesizer.fake"] = time.monotonic() + 3600.0  # the other one takes it up
    scene.change(f"DELETE FROM sessions WHERE id = '{lost._board.worker}'")
    scene.worker(machine="another")
    assert one.ended().problem is None
    assert len(script.requests) == 2
    script.release()
    until(lambda: not lost.running)
    assert queued(scene) == 0


def test_a_call_that_ends_its_workers_is_refused(scene: Scene, script: Script) -> None:
    """After a few who took it up and were never heard of again nobody tries it any more."""
    worker = scene.worker()
    worker.stop(patience=30.0)
    one = Calling(scene.driver("a"), "uno")
    until(lambda: queued(scene) == 1)
    for _ in range(TRIES):
        store = scene.driver().store
        assert store.calls is not None
        assert store.calls.claim(["synthesizer.fake"]) is not None
        store.close()  # its session goes, and says nothing
    scene.worker()
    problem = one.ended().problem
    assert isinstance(problem, Rejected)
    assert not script.requests
    assert queued(scene) == 0


def test_a_worker_that_leaves_hands_its_calls_back(scene: Scene, script: Script) -> None:
    """Another one takes them up, as if for the first time."""
    script._delay = 3600.0
    worker = scene.worker()
    one = Calling(scene.driver("a"), "uno")
    until(lambda: script.requests)
    assert worker.stop(patience=60.0)
    assert scene.rows("SELECT holder, attempt FROM calls") == [(None, 0)]
    script._delay = 0.0
    scene.worker(machine="another")
    assert one.ended().problem is None


def test_a_driver_that_was_taken_for_dead_is_heard_again(
    scene: Scene, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """It says again that it waits, before its call is stopped as nobody's."""
    monkeypatch.setattr(calls, "_UNWANTED", 3600.0)
    script._steps[:] = [Hang()]
    scene.worker()
    one = Calling(scene.driver("a"), "uno")
    until(lambda: script.requests)
    scene.change("DELETE FROM call_waiters")
    until(lambda: scene.rows("SELECT key FROM call_waiters") == [(one.key,)])
    script.release()
    assert one.ended().problem is None
    assert len(script.requests) == 1


def test_a_worker_that_takes_a_call_up_twice_has_all_its_places_afterwards(
    scene: Scene, script: Script
) -> None:  # fmt: skip
    """It was taken for dead, and its other place is the first to find the call."""
    script._steps[:] = [Hang()]
    worker = scene.worker(slots=2)
    one = Calling(scene.driver("a"), "uno")
    until(lambda: script.requests)
    scene.change(f"DELETE FROM sessions WHERE id = '{worker._board.worker}'")
    until(lambda: len(script.requests) == 2)
    script.release()
    assert one.ended().problem is None
    until(lambda: not any(worker._busy.values()))
    assert not worker.running


def test_who_waits_at_a_page_does_not_wait_for_long(scene: Scene, script: Script) -> None:
    """A worker that is busy with a film holds up no thread of a server; the call is withdrawn."""
    scene.worker().stop(patience=30.0)
    driver = scene.driver()
    asked = remote.caller(driver.store, patience=0.0)
    work = CallWork(driver.store.blobs, cancel=driver.cancel, listener=nobody, stage="voices")
    with pytest.raises(WorkersAway, match="are busy"):
        asked(driver.engine("synthesizer"), "synthesize", says("Hola."), work)
    work.close()
    assert queued(scene) == 0


def test_words_do_not_stay_where_there_are_no_workers_any_more(scene: Scene, script: Script) -> None:
    """A call whose driver was killed goes with any process that has the store open."""
    board = scene.driver().store.calls
    assert board is not None
    board.ask(Order("k", "synthesizer.fake", "i", {}, "synthesize", "words", None))
    tidy(board._index)
    assert queued(scene) == 1
    scene.change("DELETE FROM call_waiters")
    tidy(board._index)
    assert queued(scene) == 0


def test_a_question_is_not_answered_by_a_database_that_was_away(scene: Scene, script: Script) -> None:
    """It is asked again: what passes is nothing that anybody should remember."""
    board = scene.driver().store.calls
    assert board is not None
    told: list[str] = []
    question = pg_offers.Question.of("synthesizer.fake", {}, "speaks", ("es",))
    asking = threading.Thread(target=lambda: told.append(board.offers.ask(question, patience=60.0)))
    board.offers.places()  # makes the tables
    asking.start()
    until(lambda: scene.rows("SELECT id FROM call_asks"))

    def away(_: object) -> str:
        raise Unavailable("gone")

    board.offers.answer(("synthesizer.fake",), away)
    assert scene.rows("SELECT answered, error FROM call_asks") == [(None, None)]
    board.offers.answer(("synthesizer.fake",), lambda _: "true")
    asking.join(60)
    assert told == ["true"]


def test_another_version_is_not_taken_for_the_one_asked_for(
    scene: Scene, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """A worker of a newer release leaves the call alone; when no old one is left its job is told."""
    worker = scene.worker()
    driver = scene.driver("a")
    engine = driver.engine("synthesizer")
    worker.stop(patience=30.0)
    monkeypatch.setattr(Scripted, "release", "2")
    scene.worker(machine="newer")
    one = Calling(driver, "uno", engine)
    until(lambda: scene.rows("SELECT attempt FROM calls") == [(0,)])
    monkeypatch.setattr(pg_offers, "PATIENCE", 0.0)
    problem = one.ended().problem
    assert isinstance(problem, WorkersAway)
    assert "fake" in problem.message
    assert not script.requests
    monkeypatch.undo()


def test_nothing_is_lost_where_nobody_rings(
    scene: Scene, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """Messages only wake: without any, everybody looks now and then."""
    monkeypatch.setattr(pg_bell.Bell, "_ring", lambda self, topic: None)
    scene.worker()
    driver = scene.driver()
    assert driver.call(driver.engine("synthesizer"), "synthesize", says("Hola.")).audio.frames > 0


def test_an_engine_that_does_not_answer_is_left_alone(
    scene: Scene, script: Script, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:  # fmt: skip
    """A worker whose engine crashes again and again takes up no more for a while: others may do better."""
    monkeypatch.setattr(calls, "_BROKEN", 2)
    script._steps[:] = [RuntimeError("torn"), RuntimeError("torn")]
    worker = scene.worker()
    driver = scene.driver()
    engine = driver.engine("synthesizer")
    for text in ("uno", "dos"):
        with pytest.raises(Unreachable):
            driver.call(engine, "synthesize", says(text))
    until(lambda: worker._resting)
    one = Calling(driver, "tres", engine)
    until(lambda: queued(scene) == 1)
    scene.worker(machine="another")
    assert one.ended().problem is None
    assert "left alone" in caplog.text
    caplog.clear()


def test_a_worker_ends_where_a_newer_release_has_changed_the_store(
    scene: Scene, script: Script, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:  # fmt: skip
    """It looks now and then, for nobody tells it; a database that is away says nothing about that."""
    worker, asked = scene.worker(), [Unavailable("gone"), False]

    def is_ours() -> bool:
        found = asked.pop(0)
        if isinstance(found, Unavailable):
            raise found
        return found

    assert worker.is_ours()
    monkeypatch.setattr(worker_calls, "_RELEASE", 0.01)
    monkeypatch.setattr(worker, "is_ours", is_ours)
    assert worker_calls._until(SimpleQueue(), worker) == FAILED
    assert "changed the store" in caplog.text
    caplog.clear()


def test_details_of_crashes_do_not_stay(tmp_path: Path) -> None:
    """A worker for calls hears of no job's end, so what may have words of one goes when it is old."""
    for name in ("job/old.txt", "job2/old.txt", "job2/new.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("words")
        if "old" in name:
            os.utime(tmp_path / name, (1.0, 1.0))
    calls.forget(tmp_path, older=3600.0)
    assert [path.name for path in sorted(tmp_path.rglob("*"))] == ["job2", "new.txt"]
