"""Fundamental frequency of speech."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from autodub.media.pitch import measure, pitch_of, semitones, track

RATE = 16_000


def buzz(hertz: npt.ArrayLike, seconds: float, rate: int = RATE) -> npt.NDArray[np.float32]:
    """A voice-like sound: twelve falling harmonics of a (perhaps moving) fundamental."""
    count = round(seconds * rate)
    phase = 2 * np.pi * np.cumsum(np.broadcast_to(np.asarray(hertz, dtype=float), count)) / rate
    return (0.2 * sum(np.sin(n * phase) / n for n in range(1, 13))).astype(np.float32)


@pytest.mark.parametrize("hertz", [80, 120, 200, 300])
@pytest.mark.parametrize("rate", [16_000, 22_050, 48_000])
def test_a_steady_tone_has_its_pitch(hertz: int, rate: int) -> None:
    """The mean is right within a percent at any sample rate, and hardly spread."""
    found = pitch_of(buzz(hertz, 1.0, rate), rate)
    assert found is not None
    assert found.mean == pytest.approx(hertz, rel=0.01)
    assert found.spread < 0.3
    assert found.voiced > 0.9


def test_the_mean_is_geometric_and_the_spread_in_semitones() -> None:
    """A glide of an octave has its middle at the geometric mean and an even spread around it."""
    found = pitch_of(buzz(np.geomspace(110, 190, RATE * 2), 2.0), RATE)
    assert found is not None
    assert found.mean == pytest.approx(np.sqrt(110 * 190), rel=0.02)
    assert found.spread == pytest.approx(semitones(190, 110) / np.sqrt(12), rel=0.1)


def test_noise_and_silence_have_no_pitch() -> None:
    """Nothing voiced, nothing measured."""
    noise = np.random.default_rng(1).normal(scale=0.1, size=RATE).astype(np.float32)
    found = pitch_of(noise, RATE)
    assert found is None or found.voiced < 0.2
    assert pitch_of(np.zeros(RATE, np.float32), RATE) is None
    assert pitch_of(np.zeros(100, np.float32), RATE) is None


def test_quiet_stretches_do_not_count() -> None:
    """A hum 40 dB below the voice does not pull the mean."""
    mixed = np.concatenate([buzz(200, 1.0), 0.01 * buzz(70, 1.0)])
    found = pitch_of(mixed, RATE)
    assert found is not None
    assert found.mean == pytest.approx(200, rel=0.01)


def test_tracks_add_up() -> None:
    """Stretches measured apart can be joined."""
    joined = np.concatenate([track(buzz(100, 1.0), RATE), track(buzz(200, 1.0), RATE)])
    found = measure(joined)
    assert found is not None
    assert found.mean == pytest.approx(np.sqrt(100 * 200), rel=0.02)


def test_equal_sound_gives_equal_figures() -> None:
    """The dither inside is the same every time."""
    sound = buzz(150, 0.5)
    assert np.array_equal(track(sound, RATE), track(sound, RATE))
