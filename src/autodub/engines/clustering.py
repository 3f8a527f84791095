"""Diarizer without weights: tells clearly different voices apart by cepstra and pitch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from autodub.dubbing.diarization import Frames, diarize
from autodub.engines.roles import EngineContext, EngineOptions, Info, Readiness, Work
from autodub.model.calls import Diarize
from autodub.model.errors import EngineCannot
from autodub.model.speech import Turns


class ClusteringOptions(EngineOptions):
    """The clustering diarizer has no options; the number of speakers is part of the request."""


class Clustering:
    """Groups stretches of speech by voice."""

    Options: ClassVar[type[EngineOptions]] = ClusteringOptions

    def __init__(self, options: ClusteringOptions, context: EngineContext) -> None:
        self.options = options
        self.context = context

    @classmethod
    def describe(cls) -> Info:
        return Info(
            name="clustering",
            role="diarizer",
            version="1",
            summary="clustering of voices without weights: tells clearly different voices apart",
            licence="Apache-2.0",
        )

    def readiness(self) -> Readiness:
        return Readiness("ready", "needs nothing")

    def diarize(self, request: Diarize, work: Work) -> Turns:
        """Turns covering the request's spans; speakers are named S1, S2 ... as they appear.

        Raises EngineCannot for a count of speakers below one, MediaError unless the sound is 16 kHz mono.
        """
        from autodub.media.mfcc import analyse

        if request.speakers is not None and request.speakers < 1:
            raise EngineCannot(
                f"There cannot be {request.speakers} speakers.",
                hint="Give --speakers 1 or more, or leave it out.",
            )
        path = work.path(request.speech.blob)
        length = max(1, request.speech.duration)

        def listened() -> Iterator[Frames]:
            for frames in analyse(path, request.spans):
                work.progress(min(0.9, 0.9 * frames.span.end / length), "comparing voices")
                yield frames

        turns = diarize(listened(), words=request.words, speakers=request.speakers)
        work.check()
        return Turns(turns)
