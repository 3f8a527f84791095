"""Voice matching."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from autodub.engines.matching import Matching, MatchingOptions
from autodub.model.calls import Clone
from autodub.model.errors import Rejected
from autodub.model.speech import Voice
from autodub.model.time import Span
from autodub.testing.studio import Studio, bursts

BASE = Voice("espeak", "m3", "es", "male", pitch=120.0, pace=1.05)


@pytest.fixture(scope="module")
def studio() -> Iterator[Studio]:
    """A place to call the engine."""
    with Studio() as made:
        yield made


def test_a_voice_takes_on_the_speakers_pitch_and_tone(studio: Studio) -> None:
    """The rest of the base voice stays as it was cast."""
    low, high = (
        bursts([Span(0, 5000)], length=5000, pitch=105),
        bursts([Span(0, 5000)], length=5000, pitch=210),
    )
    speech = studio.audio(np.concatenate([low, high]), 16_000)
    engine = Matching(MatchingOptions(), studio.context)
    voice = studio.call(engine, "clone", Clone(BASE, speech, (Span(0, 4500),), "Ann"))
    assert voice.pitch == pytest.approx(105, rel=0.03)
    assert voice.tone is not None
    assert len(voice.tone.bands) == 20
    assert (voice.engine, voice.id, voice.language, voice.pace) == ("espeak", "m3", "es", 1.05)
    other = studio.call(engine, "clone", Clone(BASE, speech, (Span(5500, 10_000),), "Bob"))
    assert other.pitch == pytest.approx(210, rel=0.03)


@pytest.mark.parametrize("spans", [(), (Span(0, 2000),), (Span(20_000, 30_000),)])
def test_too_little_speech_is_rejected(studio: Studio, spans: tuple[Span, ...]) -> None:
    """Under three seconds nothing is claimed to match; the sentence says how much there was."""
    speech = studio.audio(bursts([Span(0, 5000)], length=6000), 16_000)
    engine = Matching(MatchingOptions(), studio.context)
    with pytest.raises(Rejected, match="seconds of Ann"):
        studio.call(engine, "clone", Clone(BASE, speech, spans, "Ann"))


def test_silence_is_rejected(studio: Studio) -> None:
    """Five seconds of nothing have no tone."""
    speech = studio.audio(np.zeros(5 * 16_000, np.float32), 16_000)
    with pytest.raises(Rejected):
        studio.call(
            Matching(MatchingOptions(), studio.context), "clone", Clone(BASE, speech, (Span(0, 5000),), "Ann")
        )


def test_it_is_never_called_cloning() -> None:
    """What it says of itself promises no more than it does."""
    assert "clon" not in Matching.describe().summary.lower()
