"""The booth: lines go in with a voice and a rate, trimmed clips come out, several at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, replace
from typing import Self

from autodub.dubbing.text import clean
from autodub.engines.roles import Ahead, Synthesizer
from autodub.model.calls import Synthesize
from autodub.model.errors import (
    AutodubError,
    BadAnswer,
    Cancelled,
    CircuitOpen,
    EngineError,
    Rejected,
    TooLong,
    Unreachable,
)
from autodub.model.media import Clip
from autodub.model.speech import Speech, Voice
from autodub.pipeline.choosing import Chosen
from autodub.pipeline.run import Run
from autodub.pipeline.studio import Trim

OF_ONE_LINE = (BadAnswer, Rejected, TooLong, Unreachable)
"""Failures that say something about one line; any other one stops the dub, which can be resumed."""
_GLANCE = 0.05
"""Seconds between two looks whether the dub was stopped."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One line to be spoken."""

    text: str
    voice: Voice
    rate: float
    """Relative to the voice's pace."""
    before: str = ""
    """What the same speaker says right before and after, for synthesizers that join lines."""
    after: str = ""


Said = Future[Clip | AutodubError]
"""A line under way."""


class Booth:
    """Speaks lines with the synthesizer of a dub. Use it as a context manager."""

    def __init__(self, run: Run, chosen: Chosen) -> None:
        self._run = run
        self._synthesizer: Synthesizer = chosen.engine
        self.slowest, self.fastest = chosen.info.rates
        self.paid = chosen.info.paid
        self.joins = chosen.info.joins
        self.lanes = max(1, chosen.info.lanes)
        self.was_away = False
        """True once a line failed in a way that may pass: spoken again, the dub may come out otherwise."""
        self._pool = run.pool(self.lanes, name="speak")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, problem: BaseException | None, _trace: object) -> None:
        # What is under way is paid for: unless somebody wants to stop at once, it is waited for and kept.
        is_stopped = problem is not None and not isinstance(problem, AutodubError)
        is_stopped = is_stopped or isinstance(problem, Cancelled)
        self._pool.shutdown(wait=not is_stopped, cancel_futures=True)

    def submit(self, ask: Ask) -> Said:
        """Put a line in the queue; lines are spoken in the order they were put there."""
        return self._pool.submit(self._attempt, ask)

    def collect(self, said: Sequence[Said]) -> list[Clip | EngineError]:
        """A clip per line, in order, or what went wrong with that line alone; waits for all of them.

        Raises whatever concerns more than one line (no credit, no key, stopped); lines still in the
        queue are then not spoken.
        """
        done: list[Clip | AutodubError] = []
        for one in said:
            done.append(one.result())
            if isinstance(done[-1], AutodubError) and not isinstance(done[-1], OF_ONE_LINE):
                self._pool.shutdown(wait=False, cancel_futures=True)
                # The lines after the first failure only hear that the engine is not asked any more.
                done += [late.result() for late in said[len(done) :] if not late.cancelled()]
                fatal = [x for x in done if isinstance(x, AutodubError) and not isinstance(x, OF_ONE_LINE)]
                raise next((x for x in fatal if not isinstance(x, CircuitOpen)), fatal[0])
        self.was_away |= any(isinstance(one, EngineError) and one.transient for one in done)
        return [one for one in done if isinstance(one, (Clip, *OF_ONE_LINE))]

    def speak(self, asks: Sequence[Ask]) -> list[Clip | EngineError]:
        """Speak lines now; as ``collect``."""
        return self.collect([self.submit(ask) for ask in asks])

    def meanwhile(self, asks: Iterable[Ask], work: Callable[[], object]) -> None:
        """Do something while these lines are spoken that takes the processor, once whoever speaks is loaded.

        Where the answers to all of them are kept nobody is asked, and nothing is loaded. Raises Cancelled.
        """
        if isinstance(self._synthesizer, Ahead) and not all(map(self._is_kept, asks)):
            load = self._run.beside(self._synthesizer.prepare, name="load", is_left=True)
            while not load.done():  # what fails in it fails in the lines, too
                wait([load], _GLANCE)
                self._run.gateway.cancel.check()
        work()

    def _is_kept(self, ask: Ask) -> bool:
        return self._run.is_kept(self._synthesizer, "synthesize", self._request(ask)[0])

    def _attempt(self, ask: Ask) -> Clip | AutodubError:
        try:
            return self._say(ask)
        except AutodubError as problem:  # sorted out in `collect`, which sees all of them
            return problem

    def _request(self, ask: Ask) -> tuple[Synthesize, float]:
        """What is asked for a line, and its rate in all."""
        # Pace and rate are one thing to a synthesizer: as one number, equal speech has one identity.
        total = round(ask.rate * ask.voice.pace, 4)
        if self.paid:  # a provider holds to its bounds, whatever pace a person gave the voice
            total = min(max(total, self.slowest), self.fastest)
        request = Synthesize(
            clean(ask.text),
            replace(ask.voice, pace=1.0),
            total,
            clean(ask.before) if self.joins else "",
            clean(ask.after) if self.joins else "",
        )
        return request, total

    def _say(self, ask: Ask) -> Clip:
        request, total = self._request(ask)
        speech: Speech = self._run.call(self._synthesizer, "synthesize", request, stage="speak")
        clip: Clip = self._run.call(self._run.studio, "trim", Trim(speech.audio, total), stage="speak")
        return replace(clip, rate=round(total / ask.voice.pace, 4))
