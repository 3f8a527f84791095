"""Time stretching: direction, length, pitch, repeatability."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodub.media.stretch import stretch


def tone(seconds: float, rate: int, pitch: float = 200.0) -> np.ndarray:
    """A sine of a pitch in Hz."""
    return (0.5 * np.sin(2 * np.pi * pitch * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


@settings(deadline=None, max_examples=60)
@given(
    frames=st.integers(1, 20_000),
    rate=st.floats(0.5, 2.0),
    sample_rate=st.sampled_from([16000, 22050, 48000]),
)
def test_length(frames: int, rate: float, sample_rate: int) -> None:
    """The result has round(n / rate) samples, give or take one, and is finite."""
    out = stretch(tone(1.5, sample_rate)[:frames], rate=rate, sample_rate=sample_rate)
    assert abs(len(out) - round(min(frames, round(1.5 * sample_rate)) / rate)) <= 1
    assert np.isfinite(out).all()


@settings(deadline=None, max_examples=20)
@given(slot=st.floats(0.5, 4.0))
def test_too_long_speech_gets_shorter(slot: float) -> None:
    """Speech 1.5 times too long for its slot is never longer after fitting it (R1)."""
    spoken = tone(1.5 * slot, 16000)
    fitted = stretch(spoken, rate=len(spoken) / (slot * 16000), sample_rate=16000)
    assert len(fitted) < len(spoken)
    assert abs(len(fitted) - slot * 16000) <= 2


@pytest.mark.parametrize("rate", [0.88, 0.93, 1.1, 1.3])
def test_pitch_is_kept(rate: float) -> None:
    """A tone keeps its pitch within 1 Hz while its length changes."""
    out = stretch(tone(2.0, 24000, pitch=220.0), rate=rate, sample_rate=24000)
    middle = out[4800:-4800] * np.hanning(len(out) - 9600)
    peak = np.argmax(np.abs(np.fft.rfft(middle, 1 << 18))) * 24000 / (1 << 18)
    assert peak == pytest.approx(220.0, abs=1.0)


@pytest.mark.parametrize("sample_rate", [16000, 24000, 48000])
@pytest.mark.parametrize("rate", [0.9, 1.15])
def test_events_move_in_proportion(sample_rate: int, rate: float) -> None:
    """Bursts land at their time divided by the tempo, within 5 ms: there is no hidden delay."""
    samples = np.zeros(2 * sample_rate, np.float32)
    noise = np.random.default_rng(3).standard_normal(sample_rate // 20).astype(np.float32) * 0.3
    centres = [0.2, 1.0, 1.8]
    for centre in centres:
        start = round((centre - 0.025) * sample_rate)
        samples[start : start + len(noise)] += noise
    energy = stretch(samples, rate=rate, sample_rate=sample_rate).astype(np.float64) ** 2
    clock = np.arange(len(energy)) / sample_rate
    for centre in centres:
        near = np.abs(clock - centre / rate) < 0.1
        assert np.average(clock[near], weights=energy[near]) == pytest.approx(centre / rate, abs=0.005)


def test_repeatable() -> None:
    """The same clip at the same tempo is the same to the last bit."""
    first, second = (stretch(tone(1.0, 16000), rate=1.1, sample_rate=16000) for _ in range(2))
    assert np.array_equal(first, second)


def test_untouched_at_rate_one() -> None:
    """No stretching is no processing; silence of no length stays so."""
    samples = tone(0.1, 16000)
    assert stretch(samples, rate=1.0, sample_rate=16000) is samples
    assert len(stretch(samples[:0], rate=1.2, sample_rate=16000)) == 0


def test_nonsense_is_refused() -> None:
    """A tempo of zero and stereo samples are programming errors and say so."""
    with pytest.raises(ValueError, match="above zero"):
        stretch(tone(0.1, 16000), rate=0.0, sample_rate=16000)
    with pytest.raises(ValueError, match="mono"):
        stretch(np.zeros((100, 2), np.float32), rate=1.1, sample_rate=16000)
