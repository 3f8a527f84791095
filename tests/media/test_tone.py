"""How a voice sounds, and moving it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from autodub.media import sound
from autodub.media.pitch import pitch_of
from autodub.media.tone import (
    CENTRES,
    COMPARED,
    band_levels,
    correction,
    equalize,
    likeness,
    shift,
    speaker_tone,
    speech_frames,
    tone_of,
)
from autodub.model.speech import Tone
from autodub.model.time import Span

RATE = 16_000


def voice(
    hertz: float, *, tilt: float = 1.0, seconds: float = 2.0, rate: int = RATE
) -> npt.NDArray[np.float32]:
    """Harmonics falling with ``n**-tilt``, the fundamental swaying by two semitones, a little breath."""
    time = np.arange(round(seconds * rate)) / rate
    f0 = hertz * 2 ** (2 * np.sin(2 * np.pi * 1.3 * time) / 12)
    phase = 2 * np.pi * np.cumsum(f0) / rate
    tones = sum(np.sin(n * phase) / n**tilt for n in range(1, int(7500 / hertz)))
    breath = np.random.default_rng(3).normal(scale=1e-3, size=len(time))
    return (0.1 * tones + breath).astype(np.float32)


def test_white_noise_rises_three_decibels_an_octave() -> None:
    """Third-octave levels of white noise grow with the bandwidth, 1 dB a band."""
    noise = np.random.default_rng(0).normal(scale=0.1, size=RATE * 20).astype(np.float32)
    levels = band_levels(speech_frames(noise).mean(axis=0))
    assert np.diff(levels[:19]) == pytest.approx(np.full(18, 1.0), abs=0.7)
    assert levels[COMPARED].mean() == pytest.approx(0, abs=1e-9)


def test_a_tone_tells_pitch_spread_and_tilt() -> None:
    """A darker voice has lower bands above; level does not matter."""
    bright, dark = tone_of(voice(150, tilt=0.7), RATE), tone_of(voice(150, tilt=1.5), RATE)
    quiet = tone_of(0.1 * voice(150, tilt=0.7), RATE)
    assert bright is not None
    assert dark is not None
    assert quiet is not None
    assert bright.pitch == pytest.approx(150, rel=0.02)
    assert bright.pitch_spread == pytest.approx(2 / np.sqrt(2), rel=0.15)
    assert dark.bands[17] < bright.bands[17] - 5
    assert quiet.bands == pytest.approx(bright.bands, abs=0.3)


def test_silence_has_no_tone() -> None:
    """Nothing to hear is None, not a guess."""
    assert tone_of(np.zeros(RATE, np.float32), RATE) is None
    assert tone_of(np.zeros(10, np.float32), RATE) is None


def test_matching_brings_the_spectrum_nearer() -> None:
    """Equalised toward another voice, the spectral distance falls to a fraction; pitch is untouched."""
    source, target = voice(150, tilt=0.8), voice(170, tilt=1.3)
    own, wanted = tone_of(source, RATE), tone_of(target, RATE)
    assert own is not None
    assert wanted is not None
    moved = tone_of(equalize(source, RATE, correction(own, wanted)), RATE)
    assert moved is not None
    assert likeness(moved, wanted).spectrum < 0.5 * likeness(own, wanted).spectrum
    assert moved.pitch == pytest.approx(own.pitch, rel=0.01)


@pytest.mark.parametrize("rate", [16_000, 22_050, 48_000])
def test_equalizing_keeps_length_time_and_energy(rate: int) -> None:
    """The filter has no delay and no gain of its own."""
    click = np.zeros(rate // 2, np.float32)
    click[rate // 4] = 1.0
    gains = np.linspace(-9, 9, 20)
    out = equalize(click, rate, gains)
    assert len(out) == len(click)
    assert int(np.argmax(np.abs(out))) == rate // 4
    assert np.sum(np.square(out, dtype=float)) == pytest.approx(1.0, rel=1e-4)
    assert np.array_equal(equalize(np.zeros(100, np.float32), rate, gains), np.zeros(100, np.float32))


def test_a_correction_is_limited_and_smooth() -> None:
    """However different the voices, no band moves further than allowed, and none jumps."""
    own = Tone(120, 2, tuple(np.tile([0.0, 40.0], 10)))
    gains = correction(own, Tone(120, 2, (0.0,) * 20), limit=6)
    assert np.abs(gains).max() <= 6
    assert np.abs(np.diff(gains)).max() < 20
    same = correction(own, own)
    assert same == pytest.approx(np.zeros(20), abs=1e-9)


def test_below_the_fundamental_nothing_is_copied() -> None:
    """A high voice has no bass: its emptiness there must not be filled with hum."""
    own = Tone(230, 2, (0.0,) * 20)
    wanted = Tone(100, 2, (30.0, 30.0, 30.0, *(0.0,) * 17))
    assert np.ptp(correction(own, wanted)) < 1


@pytest.mark.parametrize("by", [-3.0, 2.0])
def test_shifting_moves_the_pitch_and_keeps_the_length(by: float) -> None:
    """The fundamental moves by the semitones asked for."""
    source = voice(150, seconds=1.0)
    moved = shift(source, RATE, by=by)
    found = pitch_of(moved, RATE)
    assert found is not None
    assert len(moved) == len(source)
    assert 12 * np.log2(found.mean / 150) == pytest.approx(by, abs=0.4)


def test_shifting_is_limited() -> None:
    """Four semitones are the most; what has no voice comes back as it was."""
    found = pitch_of(shift(voice(150, seconds=1.0), RATE, by=12), RATE)
    assert found is not None
    assert 12 * np.log2(found.mean / 150) == pytest.approx(4, abs=0.4)
    silence = np.zeros(RATE, np.float32)
    assert np.array_equal(shift(silence, RATE, by=2), silence)


def test_widening_spreads_the_pitch() -> None:
    """The range grows, the mean stays."""
    source = voice(150)
    before, after = pitch_of(source, RATE), pitch_of(shift(source, RATE, by=0, widen=1.4), RATE)
    assert before is not None
    assert after is not None
    assert after.spread == pytest.approx(1.4 * before.spread, rel=0.1)
    assert after.mean == pytest.approx(before.mean, rel=0.02)


def test_a_speakers_tone_is_read_from_a_recording(tmp_path: Path) -> None:
    """Only the spans count, best first, and no more than a minute of them."""
    path = tmp_path / "speech.wav"
    man, woman = voice(110, seconds=4.0), voice(220, seconds=4.0)
    sound.store(np.concatenate([man, woman])[:, None], RATE, path, subtype="PCM_16")
    low, heard = speaker_tone(path, [Span(0, 4000)])
    high, _ = speaker_tone(path, [Span(4000, 9000)])
    assert low is not None
    assert high is not None
    assert heard == pytest.approx(4.0)
    assert low.pitch == pytest.approx(110, rel=0.03)
    assert high.pitch == pytest.approx(220, rel=0.03)
    nothing, none = speaker_tone(path, [Span(20_000, 30_000)])
    assert nothing is None
    assert none == 0


def test_the_bands_are_third_octaves() -> None:
    """Twenty bands from 100 Hz to 8 kHz."""
    assert len(CENTRES) == 20
    assert CENTRES[0] == pytest.approx(100, rel=0.01)
    assert CENTRES[-1] == pytest.approx(8000, rel=0.01)


def test_likeness_of_a_voice_to_itself() -> None:
    """Zero semitones, ratio one, zero decibels."""
    own = tone_of(voice(150), RATE)
    assert own is not None
    same = likeness(own, own)
    assert (same.pitch_error, same.spread_ratio, same.spectrum) == (0, 1, 0)
