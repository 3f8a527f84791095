"""The detector engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from autodub.engines.roles import EngineContext
from autodub.engines.silero import Silero, SileroOptions
from autodub.media import voice_activity
from autodub.model.calls import Detect
from autodub.testing.contracts import DetectorContract
from autodub.testing.studio import Studio


class TestSilero(DetectorContract):
    """Silero keeps the contract of a detector."""

    def engine(self, options: Mapping[str, str], context: EngineContext) -> Any:
        return Silero(SileroOptions(**options), context)

    def test_it_is_the_one_detector(self) -> None:
        """The engine gives what ``voice_activity`` gives, and nothing for silence."""
        with self.ready() as (studio, engine):
            audio = self.speech(studio)
            found = studio.call(engine, "detect", Detect(audio)).spans
            assert found == voice_activity.detect(studio.store.blobs.path(audio.blob))
            silence = studio.audio(np.zeros(16_000, np.float32), 16_000)
            assert studio.call(engine, "detect", Detect(silence)).spans == ()


def test_a_missing_model_is_said(monkeypatch: Any) -> None:
    """Without the model file the engine is not ready, and says what to install."""
    monkeypatch.setattr(voice_activity, "model_file", lambda: None)
    with Studio() as studio:
        ready = Silero(SileroOptions(), studio.context).readiness()
    assert ready.state == "not installed"
    assert "faster-whisper" in ready.fix
