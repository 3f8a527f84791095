"""Voice matching: moves a stock voice toward a speaker's pitch, range and tone, without weights.

It is not cloning: it does not copy who somebody is, only how high, how lively and how bright they speak.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from pydantic import Field

from autodub.engines.roles import EngineContext, EngineOptions, Info, Readiness, Work
from autodub.media.tone import MATERIAL, speaker_tone
from autodub.model.calls import Clone
from autodub.model.errors import Rejected
from autodub.model.speech import Voice


class MatchingOptions(EngineOptions):
    """Options of voice matching."""

    least_seconds: float = Field(
        default=3.0, ge=1.0, le=60.0, description="Speech of a speaker that must be heard, in seconds."
    )


class Matching:
    """Matches stock voices to speakers."""

    Options: ClassVar[type[EngineOptions]] = MatchingOptions

    def __init__(self, options: MatchingOptions, context: EngineContext) -> None:
        self.options: MatchingOptions = options
        self.context = context

    @classmethod
    def describe(cls) -> Info:
        return Info(
            name="matching",
            role="cloner",
            version="1",
            summary="voice matching: pitch, range and tone of the speaker on a stock voice, without weights",
            lanes=2,
            licence="Apache-2.0",
        )

    def readiness(self) -> Readiness:
        return Readiness("ready", "needs nothing")

    def clone(self, request: Clone, work: Work) -> Voice:
        """The base voice with the speaker's pitch and tone. Raises Rejected when too little is heard."""
        tone, seconds = speaker_tone(work.path(request.speech.blob), request.spans)
        work.check()
        work.meter("seconds", min(seconds, MATERIAL))
        if tone is None or seconds < self.options.least_seconds:
            raise Rejected(
                f"Only {seconds:.1f} seconds of {request.name} alone can be heard; "
                f"{self.options.least_seconds:g} are needed to match a voice.",
                hint="The stock voice is used as it is.",
                engine="matching",
            )
        return replace(request.base, pitch=round(tone.pitch, 1), tone=tone)
