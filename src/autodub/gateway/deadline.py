"""Waiting for an engine, but not for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from autodub.engines.roles import Info
from autodub.gateway.keys import values
from autodub.gateway.work import CallWork
from autodub.model.calls import Synthesize, Translate
from autodub.model.errors import Cancelled, Unreachable
from autodub.model.media import Audio, MediaInfo

_GLANCE = 0.1  # seconds between looks at the clock and at a request to stop

_FIXED = {  # verb -> (seconds to begin with, seconds per second of programme)
    "download": (3600.0, 0.0),
    "detect": (60.0, 2.0),
    "separate": (300.0, 15.0),
    "transcribe": (900.0, 20.0),
    "diarize": (300.0, 10.0),
    "clone": (300.0, 5.0),
    "list_voices": (60.0, 0.0),
}
_OTHER = (1800.0, 20.0)
_QUEUE = 24 * 3600.0  # seconds that a call may wait for a worker elsewhere
_REMOTE = {  # the same where the work is done elsewhere: an upload and a wait
    "transcribe": (900.0, 0.5),
    "diarize": (900.0, 0.5),
    "separate": (1800.0, 5.0),
    "clone": (300.0, 0.1),
    "list_voices": (60.0, 0.0),
    "summarize": (180.0, 0.0),
    "moderate": (60.0, 0.0),
    "forget": (60.0, 0.0),
    "rented": (60.0, 0.0),
    "examine": (30.0, 0.0),
}


def deadline(verb: str, request: object) -> float:
    """Seconds a call may take before its engine counts as hung: generous, grows with the work."""
    if isinstance(request, Translate):
        return 120.0 + 20.0 * len(request.lines)
    if isinstance(request, Synthesize):
        return 300.0 + 1.0 * len(request.text)  # a local model may have to load first
    return _by_length(_FIXED.get(verb, _OTHER), request)


def remote(verb: str, request: object) -> float:
    """As ``deadline``, for engines that work elsewhere: a call without an answer for so long has none."""
    if isinstance(request, Synthesize):
        return 90.0 + 0.2 * len(request.text)
    return _by_length(_REMOTE[verb], request) if verb in _REMOTE else deadline(verb, request)


def waiting(verb: str, request: object) -> float:
    """As ``deadline``, for calls that wait for a worker elsewhere, which has the other deadline itself."""
    return _QUEUE + 2 * deadline(verb, request)


def of(info: Info) -> Callable[[str, object], float]:
    """The deadline that an engine's calls have."""
    if info.elsewhere:
        return waiting
    return remote if info.resource == "net" else deadline


def _by_length(rule: tuple[float, float], request: object) -> float:
    begin, per_second = rule
    lengths = [audio.duration for audio in values(request, Audio)]
    lengths += [info.duration for info in values(request, MediaInfo)]
    return begin + per_second * max(lengths, default=0) / 1000


@dataclass(slots=True)
class Run:
    """How a call on its own thread ended."""

    result: Any = None
    error: BaseException | None = None
    cpu: float = 0.0
    """CPU seconds of that one thread."""


def within(
    verb: Callable[[Any, Any], Any],
    request: object,
    work: CallWork,
    *,
    seconds: float,
    check: Callable[[], None],
    clock: Callable[[], float] = time.monotonic,
    grace: float = 5.0,
    engine: str = "",
) -> Run:
    """Run the verb on a thread of its own and wait for it at most ``seconds``.

    A hung engine cannot be stopped from outside its thread, so it is left behind: its work is
    abandoned (nothing it still makes is kept) and Unreachable is raised. When ``check`` raises, the
    engine has ``grace`` seconds to notice and clean up before it is left behind, too.
    """
    run, done = Run(), threading.Event()

    def body() -> None:
        begun = time.thread_time()
        try:
            run.result = verb(request, work)
        except BaseException as error:  # noqa: BLE001 - handed over to the waiting thread, raised there
            run.error = error
        run.cpu = time.thread_time() - begun
        done.set()

    def check_both() -> None:
        check()
        if clock() - started > seconds:
            raise Unreachable(
                f"{engine} gave no answer within {seconds:.0f} s.",
                hint="Run the same command again to go on from here, or choose another engine.",
                engine=engine,
            )

    started = clock()
    threading.Thread(target=body, name=f"engine {engine}", daemon=True).start()
    try:
        while not done.wait(min(_GLANCE, seconds)):
            check_both()
    except Cancelled:
        finished = done.wait(grace)
        work.abandon()
        if not finished or run.error is not None:
            raise  # an answer that came all the same is kept; the next call will stop
    except BaseException as error:  # also Ctrl-C: the engine must be told before anybody leaves
        work.abandon()  # the engine hears of it at its next check
        if not isinstance(error, Unreachable):  # Ctrl-C lands here; a hung engine had its time
            done.wait(grace)
        raise
    return run
