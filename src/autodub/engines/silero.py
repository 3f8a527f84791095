"""Detector: the voice activity network that comes with faster-whisper, edges refined to 10 ms."""

from __future__ import annotations

import importlib.util
from typing import ClassVar

from autodub.engines.roles import EngineContext, EngineOptions, Info, Readiness, Work
from autodub.media import voice_activity
from autodub.model.calls import Detect, Spans


class SileroOptions(EngineOptions):
    """The detector has no options: source and dub must be measured alike."""


class Silero:
    """Finds speech with Silero VAD v6."""

    Options: ClassVar[type[EngineOptions]] = SileroOptions

    def __init__(self, options: SileroOptions, context: EngineContext) -> None:
        self.options = options
        self.context = context

    @classmethod
    def describe(cls) -> Info:
        return Info(
            name="silero",
            role="detector",
            version="1+silero-6",
            summary="Silero voice activity detection, any language, no download",
            licence="MIT",
        )

    def readiness(self) -> Readiness:
        if importlib.util.find_spec("onnxruntime") is None or voice_activity.model_file() is None:
            return Readiness(
                "not installed", "onnxruntime or faster-whisper is missing", "pip install faster-whisper"
            )
        return Readiness("ready", "the model lies in the faster-whisper package")

    def detect(self, request: Detect, work: Work) -> Spans:
        """Speech of a 16 kHz mono sound; raises MediaError for any other."""
        path = work.path(request.speech.blob)
        return Spans(voice_activity.detect(path, progress=lambda done: work.progress(done, "listening")))
