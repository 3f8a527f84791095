"""The booth: lines go in with a voice and a rate, trimmed clips come out, several at a time."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from autodub.dubbing.text import clean
from autodub.engines.roles import Synthesizer
from autodub.model.calls import Synthesize
from autodub.model.errors import (
    AutodubError,
    BadAnswer,
    CircuitOpen,
    EngineError,
    Rejected,
    TooLong,
    Unreachable,
)
from autodub.model.media import Clip
from autodub.model.speech import Speech, Voice
from autodub.pipeline.plan import Chosen
from autodub.pipeline.run import Run
from autodub.pipeline.studio import Trim

OF_ONE_LINE = (BadAnswer, Rejected, TooLong, Unreachable)
"""Failures that say something about one line; any other one stops the dub, which can be resumed."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One line to be spoken."""

    text: str
    voice: Voice
    rate: float
    """Relative to the voice's pace."""


class Booth:
    """Speaks lines with the synthesizer of a dub."""

    def __init__(self, run: Run, chosen: Chosen) -> None:
        self._run = run
        self._synthesizer: Synthesizer = chosen.engine
        self._lanes = max(1, chosen.info.lanes)
        self.slowest, self.fastest = chosen.info.rates
        self.paid = chosen.info.paid
        self.was_away = False
        """True once a line failed in a way that may pass: spoken again, the dub may come out otherwise."""

    def speak(self, asks: Sequence[Ask]) -> list[Clip | EngineError]:
        """A clip per line, in the order asked for, or what went wrong with that line alone.

        Raises whatever concerns more than one line (no credit, no key, stopped).
        """
        with ThreadPoolExecutor(max_workers=self._lanes, thread_name_prefix="speak") as pool:
            said = list(pool.map(self._attempt, asks))
        fatal = [one for one in said if isinstance(one, AutodubError) and not isinstance(one, OF_ONE_LINE)]
        if fatal:  # the lines after the first failure only hear that the engine is not asked any more
            raise next((one for one in fatal if not isinstance(one, CircuitOpen)), fatal[0])
        self.was_away |= any(isinstance(one, EngineError) and one.transient for one in said)
        return [one for one in said if isinstance(one, (Clip, *OF_ONE_LINE))]

    def _attempt(self, ask: Ask) -> Clip | AutodubError:
        try:
            return self._say(ask)
        except AutodubError as problem:  # sorted out in `speak`, which sees all of them
            return problem

    def _say(self, ask: Ask) -> Clip:
        # Pace and rate are one thing to a synthesizer: as one number, equal speech has one identity.
        total = round(ask.rate * ask.voice.pace, 4)
        request = Synthesize(clean(ask.text), replace(ask.voice, pace=1.0), total)
        speech: Speech = self._run.call(self._synthesizer, "synthesize", request, stage="speak")
        clip: Clip = self._run.call(self._run.studio, "trim", Trim(speech.audio, total), stage="speak")
        return replace(clip, rate=ask.rate)
