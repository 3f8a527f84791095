"""Stopping a dub: what was under way is kept where it comes in time, and nothing goes on afterwards."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from autodub.engines.roles import Info
from autodub.gateway.cancel import Cancel
from autodub.gateway.gateway import Gateway, nobody
from autodub.gateway.store import Store
from autodub.model.calls import Detect, Spans
from autodub.model.errors import Cancelled
from autodub.model.media import Audio, Blob
from autodub.pipeline.run import Run
from autodub.testing.fakes import FakeDetector, FakeTranscriber
from autodub.testing.script import Give, Proceed, Script


def test_calls_side_by_side_are_over_before_a_run_is(tmp_path):
    """Closing a run waits for what its threads have begun, and drops what they have not."""
    store = Store(tmp_path)
    run = Run(Gateway(store), nobody)
    begun, done = threading.Event(), []
    pool = run.pool(1, name="some")

    def slow(name: str) -> None:
        begun.set()
        threading.Event().wait(0.3)
        done.append(name)

    pool.submit(slow, "first")
    pool.submit(slow, "second")
    assert begun.wait(5)
    pool.shutdown(wait=False)
    run.close()
    assert done == ["first"]
    store.close()


def test_what_is_paid_for_beside_a_failure_is_waited_for(tmp_path):
    """A failure lets the paid call under way finish, begins no other, and then stops everything."""
    store = Store(tmp_path)
    run = Run(Gateway(store), nobody)
    begun, may = threading.Event(), threading.Event()

    class Paid(FakeDetector):
        @classmethod
        def describe(cls) -> Info:
            return Info("paid", "detector", "1", "", paid=True, lanes=4)

        def detect(self, request: Any, work: Any) -> Spans:
            begun.set()
            assert may.wait(20)
            return Spans(())

    def ask(frames: int) -> Any:
        return run.call(
            Paid(), "detect", Detect(Audio(Blob("0" * 64, 1, ".wav"), 16_000, 1, frames, "mono")), stage=""
        )

    first = run.beside(ask, 1, name="first")
    assert begun.wait(20)
    run.fail(RuntimeError("no picture"))
    second = run.beside(ask, 2, name="second")
    assert not run.gateway.cancel.requested
    may.set()
    assert first.result(20) == Spans(())
    with pytest.raises(Cancelled):
        second.result(20)
    assert run.gateway.cancel.requested
    assert str(run.failure) == "no picture"
    run.close()
    store.close()


def test_an_engine_that_loads_for_long_does_not_hold_up_a_stop(stage, monkeypatch):
    """A stop leaves an engine behind that is still loading."""
    loading, loaded, cancel = threading.Event(), threading.Event(), Cancel()

    def prepare(_self: Any) -> None:
        loading.set()
        loaded.wait(30)

    monkeypatch.setattr(FakeTranscriber, "prepare", prepare, raising=False)
    monkeypatch.setattr("autodub.pipeline.run._LEAVING", 30.0)

    class Stops(Script):
        def play(self, request: Any, work: Any) -> Give | Proceed:
            assert loading.wait(20)
            cancel.request()
            return super().play(request, work)

    stage.scripts["detector"] = Stops()
    try:
        with pytest.raises(Cancelled):
            stage.dub(cancel=cancel)
        assert [thread for thread in threading.enumerate() if thread.name == "load"]
    finally:
        loaded.set()
