"""Deadlines grow with the work; crashes are told from full disks; logs do not pile up."""

import errno
import threading

import pytest

from autodub.gateway import crash
from autodub.gateway.cancel import Cancel
from autodub.gateway.deadline import deadline, within
from autodub.gateway.keys import ANSWERS
from autodub.gateway.work import CallWork
from autodub.model.calls import Detect, ListVoices, Synthesize, Transcribe, Translate
from autodub.model.errors import Cancelled, OutputProblem, Unreachable
from autodub.model.media import Audio, Blob
from autodub.model.speech import Line, Voice
from autodub.model.time import Span


def _audio(seconds):
    return Audio(Blob("a" * 64, 1, ".wav"), 16_000, 1, 16_000 * seconds)


def _work(store, cancel=None):
    return CallWork(store.blobs, cancel=cancel or Cancel(), listener=lambda event: None, stage="")


def test_deadlines_grow_with_the_sound():
    """Two hours get more time than a minute, for every verb that listens."""
    short, long = Transcribe(_audio(60), "en", ()), Transcribe(_audio(7200), "en", ())
    assert deadline("transcribe", long) > deadline("transcribe", short) > 900
    assert deadline("detect", Detect(_audio(7200))) > deadline("detect", Detect(_audio(1)))
    assert deadline("render", (_audio(7200),)) > 7200


def test_deadlines_grow_with_the_text():
    """More lines and longer texts get more time."""
    voice = Voice("fake", "v", "es")
    lines = tuple(Line(f"L{n}", Span(n, n), "a", "S1") for n in range(10))
    assert deadline("synthesize", Synthesize("a" * 500, voice)) > deadline(
        "synthesize", Synthesize("a", voice)
    )
    assert deadline("translate", Translate(lines, "en", "es")) > deadline(
        "translate", Translate(lines[:1], "en", "es")
    )


def test_every_verb_has_a_deadline():
    """No verb may take for ever."""
    for verb in (*ANSWERS, "decode", "something else"):
        assert 0 < deadline(verb, ListVoices("es")) < 86_400


def test_the_callers_clock_decides(store, clock):
    """A hang is noticed by the injected clock, without waiting the real time."""
    release = threading.Event()

    def hang(_request, _work):
        clock.now += 500
        release.wait()

    with pytest.raises(Unreachable, match="within 400 s"):
        within(hang, None, _work(store), seconds=400, check=lambda: None, clock=clock, engine="role.e")
    release.set()


def test_an_answer_that_comes_in_the_grace_is_used(store):
    """A request to stop does not throw away work that is finished a moment later."""
    cancel = Cancel()
    stopping = threading.Event()

    def nearly_done(_request, _work):
        cancel.request()
        stopping.wait(5)
        return "answer"

    def check():
        stopping.set()
        cancel.check()

    run = within(nearly_done, None, _work(store, cancel), seconds=60, check=check)
    assert run.result == "answer"


def test_an_engine_that_heard_the_request_ends_in_cancelled(store):
    """When the engine stops on request, the call is Cancelled."""
    cancel = Cancel()

    def listening(_request, work):
        cancel.request()
        while True:
            work.check()

    try:
        error = within(listening, None, _work(store, cancel), seconds=60, check=cancel.check).error
    except Cancelled as stopped:  # the waiting thread may see the request before the engine ends
        error = stopped
    assert isinstance(error, Cancelled)


def _crash(store, error):
    return crash.crashed(
        error, engine="role.e", verb="v", data_dir=store.data_dir, logs=store.logs, redact=str
    )


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_not_a_crash(store, code):
    """An engine that ran out of room is reported as a full data directory."""
    assert isinstance(_crash(store, OSError(code, "no")), OutputProblem)


def test_a_library_that_hides_the_full_disk(store, monkeypatch):
    """When there is no room left, any failure is for want of room, whatever the library calls it."""
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 1000}))
    assert isinstance(_crash(store, RuntimeError("System error.")), OutputProblem)


def test_logs_do_not_pile_up(store):
    """Only the newest fifty crash logs are kept."""
    for _ in range(53):
        assert isinstance(_crash(store, RuntimeError("x")), Unreachable)
    assert len(list((store.data_dir / "logs").iterdir())) == 50


def test_a_log_that_cannot_be_written_does_not_hide_the_crash(store):
    """Without a folder for logs the crash is still reported, and says so."""
    (store.data_dir / "logs").touch()
    error = _crash(store, RuntimeError("x"))
    assert "cannot hold a log" in error.hint
