"""Tests of the loudness and true-peak meter."""

from __future__ import annotations

import itertools
import math
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodub.dubbing import levels as arithmetic
from autodub.media import loudness, sound
from autodub.media.loudness import Meter, Weighting, weighting
from autodub.model.time import Span


def measured(samples: np.ndarray, rate: int, layout: str, *, size: int = 40_000) -> Meter:
    """A meter that has heard the samples ``(n, channels)`` in blocks."""
    meter = Meter(rate, samples.shape[1], layout)
    for start in range(0, len(samples), size):
        meter.add(samples[start : start + size])
    return meter


def sine(frequency: float, rate: int, seconds: float, *, phase: float = 0.0) -> np.ndarray:
    """A tone of amplitude 1."""
    return np.sin(2 * np.pi * frequency * np.arange(round(rate * seconds)) / rate + phase).astype(np.float32)


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000, 192_000])
def test_full_scale_sine_reads_as_the_standard_says(rate: int) -> None:
    """A 997 Hz sine at full scale on one channel reads -3.01 LUFS at any sample rate."""
    tone = sine(997, rate, 3.0)[:, np.newaxis]
    assert measured(tone, rate, "mono").integrated() == pytest.approx(-3.01, abs=0.05)


def test_mono_on_a_stereo_bus_is_three_louder() -> None:
    """The same samples on both channels read 3.01 LU more than on one."""
    tone = 0.1 * sine(997, 48_000, 2.0)[:, np.newaxis]
    one = measured(tone, 48_000, "mono").integrated()
    two = measured(np.repeat(tone, 2, axis=1), 48_000, "stereo").integrated()
    assert two - one == pytest.approx(10 * math.log10(2), abs=1e-3)


def test_agrees_with_pyloudnorm_on_a_gated_programme() -> None:
    """On noise with quiet parts that the gates remove, an independent meter reads the same."""
    import pyloudnorm

    rng = np.random.default_rng(1)
    envelope = np.repeat([0.3, 0.0005, 0.1, 0.2, 0.003], 48_000 * 2)
    noise = (rng.standard_normal((len(envelope), 2)) * envelope[:, np.newaxis]).astype(np.float32)
    theirs = pyloudnorm.Meter(48_000).integrated_loudness(noise.astype(np.float64))
    assert measured(noise, 48_000, "stereo").integrated() == pytest.approx(theirs, abs=0.1)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
@pytest.mark.parametrize(("layout", "channels"), [("stereo", 2), ("5.1", 6)])
def test_agrees_with_ffmpeg(tmp_path: Path, layout: str, channels: int) -> None:
    """The ebur128 filter of ffmpeg reads the same loudness and true peak, channel weights included."""
    rng = np.random.default_rng(2)
    noise = (rng.standard_normal((48_000 * 4, channels)) * 0.1).astype(np.float32)
    sound.store(noise, 48_000, tmp_path / "n.wav")
    report = subprocess.run(
        ["ffmpeg", "-nostdin", "-i", tmp_path / "n.wav", "-af", "ebur128=peak=true", "-f", "null", "-"],
        capture_output=True, text=True, check=True,
    ).stderr  # fmt: skip
    integrated = float(re.findall(r"I: +(-?[\d.]+) LUFS", report)[-1])
    peak = float(re.findall(r"Peak: +(-?[\d.]+) dBFS", report)[-1])
    ours = measured(noise, 48_000, layout)
    assert ours.integrated() == pytest.approx(integrated, abs=0.1)
    assert ours.true_peak() == pytest.approx(peak, abs=0.2)


def test_low_frequency_channel_does_not_count_and_surrounds_count_more() -> None:
    """Noise in the LFE is not heard by the meter; in a surround it reads 1.5 LU more than in the front."""
    rng = np.random.default_rng(3)
    noise = (rng.standard_normal(48_000) * 0.1).astype(np.float32)
    readings = []
    for channel in (0, 3, 4):
        block = np.zeros((48_000, 6), dtype=np.float32)
        block[:, channel] = noise
        readings.append(measured(block, 48_000, "5.1(side)").integrated())
    front, low, surround = readings
    assert low == -math.inf
    assert surround - front == pytest.approx(10 * math.log10(1.41), abs=1e-6)


def test_silence_is_minus_infinity() -> None:
    """Silence, and nothing at all, are -inf and never an error or a warning."""
    for frames in (0, 100, 48_000):
        meter = measured(np.zeros((frames, 2), dtype=np.float32), 48_000, "stereo")
        assert meter.integrated() == -math.inf
        assert meter.true_peak() == -math.inf
        assert (meter.momentary() == -math.inf).all()
        assert (meter.short_term() == -math.inf).all()


@settings(deadline=None, max_examples=25)
@given(
    sizes=st.lists(st.integers(1, 9_000), min_size=1, max_size=12),
    rate=st.sampled_from([8_000, 11_025, 22_050, 48_000]),
)
def test_block_sizes_do_not_matter(sizes: list[int], rate: int) -> None:
    """Cells, peak and clipped samples are the same however the programme is cut into blocks."""
    rng = np.random.default_rng(sum(sizes))
    samples = rng.standard_normal((sum(sizes), 2)).astype(np.float32) * np.float32(0.4)
    whole, cut = Meter(rate, 2, "stereo"), Meter(rate, 2, "stereo")
    whole.add(samples)
    start = 0
    for size in sizes:
        cut.add(samples[start : start + size])
        start += size
    np.testing.assert_allclose(cut.cells(), whole.cells(), rtol=1e-5, atol=1e-8)  # single precision
    assert cut.true_peak() == pytest.approx(whole.true_peak(), abs=1e-4)
    assert cut.clipped == whole.clipped == np.count_nonzero(np.abs(samples) > 1)


@pytest.mark.parametrize("rate", [8_000, 11_025, 44_100, 48_000, 96_000, 192_000])
def test_weighting_is_the_recursion_of_its_sections(rate: int) -> None:
    """Convolution in stretches gives what the recursive filter gives, 120 dB below the sound."""
    from scipy.signal import sosfilt

    rng = np.random.default_rng(rate)
    samples = (0.3 * rng.standard_normal((2, rate + 17)) + 0.2).astype(np.float32)
    samples[:, rate // 2 : rate * 3 // 4] = 0
    weighted = Weighting(rate, 2)
    cuts = [0, 1, rate // 3, rate // 3, rate, rate + 17]
    parts = [p for a, b in itertools.pairwise(cuts) for p in weighted.add(samples[:, a:b])]
    expected = sosfilt(weighting(rate), samples.astype(np.float64), axis=-1)
    np.testing.assert_allclose(np.concatenate(parts, axis=1), expected, atol=1e-6)


def test_weighting_of_silence_is_silence() -> None:
    """A stem is silence for the most part: nothing rings on in it for ever."""
    weighted = Weighting(48_000, 1)
    list(weighted.add(np.ones((1, 480), dtype=np.float32)))
    first = np.concatenate(list(weighted.add(np.zeros((1, 48_000), dtype=np.float32))), axis=1)
    assert np.abs(first[:, 30_000:]).max() < 1e-6
    assert not np.concatenate(list(weighted.add(np.zeros((1, 480), dtype=np.float32))), axis=1).any()


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000, 96_000])
def test_true_peak_between_samples(rate: int) -> None:
    """A sine at a quarter of the rate, sampled at 45 degrees, peaks 3 dB above its samples."""
    tone = sine(rate / 4, rate, 0.5, phase=math.pi / 4)[:, np.newaxis]
    assert 20 * math.log10(float(np.abs(tone).max())) == pytest.approx(-3.01, abs=0.01)
    assert measured(tone, rate, "mono").true_peak() == pytest.approx(0.0, abs=0.2)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 1000), place=st.integers(0, 19_999))
def test_the_shortcut_of_the_true_peak_is_exact(seed: int, place: int) -> None:
    """Leaving quiet stretches out finds the same peak as interpolating every sample."""
    rng = np.random.default_rng(seed)
    samples = (rng.standard_normal(20_000) * 0.05).astype(np.float32)
    samples[place : place + 2] = 0.4
    meter = Meter(48_000, 1, "mono")
    for start in range(0, 20_000, 3_333):
        meter.add(samples[start : start + 3_333, np.newaxis])
    exhaustive = float(loudness.peak_envelope(samples, 48_000).max())
    assert meter.true_peak() == pytest.approx(20 * math.log10(exhaustive), abs=1e-3)


def test_momentary_and_short_term_follow_the_programme() -> None:
    """Blocks come every 100 ms; a step of 20 dB shows in full once the window has passed it."""
    tone = sine(997, 48_000, 8.0)[:, np.newaxis] * np.float32(0.1)
    tone[: 4 * 48_000] *= np.float32(0.1)
    meter = measured(tone, 48_000, "mono")
    momentary, short = meter.momentary(), meter.short_term()
    assert len(momentary) == 77
    assert len(short) == 51
    assert momentary[-1] - momentary[10] == pytest.approx(20, abs=0.05)
    assert short[-1] - short[5] == pytest.approx(20, abs=0.05)


def test_a_programme_shorter_than_a_block_is_measured() -> None:
    """200 ms of tone have a loudness, although a gating block is 400 ms long."""
    tone = sine(997, 48_000, 0.2)[:, np.newaxis]
    assert measured(tone, 48_000, "mono").integrated() == pytest.approx(-3.01, abs=0.3)


def test_dialogue_gated_loudness_ignores_the_rest() -> None:
    """Only blocks at least half covered by speech count when asked for."""
    tone = sine(997, 48_000, 6.0)[:, np.newaxis]
    tone[: 3 * 48_000] *= np.float32(0.1)
    cells = measured(tone, 48_000, "mono").cells()
    speech = arithmetic.covered([Span(0, 2800)], len(cells))
    assert arithmetic.integrated(cells, among=speech) == pytest.approx(-23.01, abs=0.1)


def test_short_lines_share_a_measurement_with_their_speaker() -> None:
    """A line of 100 ms is measured together with its speaker's nearest line, not with a stranger's."""
    seconds = [0.8, 0.1, 0.8, 0.8]
    levels = [-23.0, -43.0, -3.0, -30.0]
    energies = [time * arithmetic.power(level) for time, level in zip(seconds, levels, strict=True)]
    found = arithmetic.line_levels(energies, seconds, ["a", "a", "b", "a"])
    together = arithmetic.lufs((energies[0] + energies[1]) / 0.9)
    assert found == pytest.approx((-23.0, together, -3.0, -30.0))
    assert arithmetic.line_levels([0.0], [0.0], ["a"]) == (-math.inf,)
