"""Trimming of spoken clips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from recordings import spoken

from autodub.media.trim import trim

RATE = 24000


def burst(ms: int, level: float = 0.3, seed: int = 0) -> np.ndarray:
    """Noise of a length and RMS level."""
    return (level * np.random.default_rng(seed).standard_normal(RATE * ms // 1000)).astype(np.float32)


def silence(ms: int) -> np.ndarray:
    """Digital silence."""
    return np.zeros(RATE * ms // 1000, np.float32)


@pytest.mark.parametrize("gain", [1.0, 0.01])
def test_silence_is_cut_to_thirty_milliseconds(gain: float) -> None:
    """30 ms stay at either end, loud or quiet clip alike, and what was removed is reported exactly."""
    clip = gain * np.concatenate([silence(400), burst(500), silence(250)])
    out = trim(clip, RATE)
    assert abs(out.lead - 370 * RATE // 1000) <= RATE // 200
    assert abs(out.tail - 220 * RATE // 1000) <= RATE // 200
    assert np.array_equal(out.samples, clip[out.lead : len(clip) - out.tail])


def test_inner_pauses_stay_and_are_listed() -> None:
    """Pauses inside survive (R9); those of 120 ms or more are listed on the trimmed clip's clock."""
    clip = np.concatenate([silence(100), burst(300), silence(150), burst(200), silence(80), burst(200)])
    out = trim(clip, RATE)
    assert len(out.samples) == pytest.approx(
        (30 + 300 + 150 + 200 + 80 + 200 + 30) * RATE / 1000, abs=RATE // 200
    )
    assert len(out.pauses) == 1
    assert out.pauses[0].start == pytest.approx(330, abs=6)
    assert out.pauses[0].end == pytest.approx(480, abs=6)


def test_quiet_onsets_survive() -> None:
    """A fricative 38 dB below the vowels belongs to the word."""
    onset = burst(90, 0.3 * 10 ** (-38 / 20))
    out = trim(np.concatenate([silence(300), onset, burst(400), onset, silence(300)]), RATE)
    assert out.lead <= 271 * RATE // 1000
    assert out.tail <= 271 * RATE // 1000


def test_noise_at_the_ends_is_trimmed() -> None:
    """A noisy clip is trimmed too: its floor is learned, up to 30 dB below the speech."""
    clip = np.concatenate([silence(300), burst(600), silence(300)]) + burst(
        1200, 0.3 * 10 ** (-40 / 20), seed=5
    )
    out = trim(clip, RATE)
    assert out.lead == pytest.approx(270 * RATE // 1000, abs=RATE // 100)
    assert out.tail == pytest.approx(270 * RATE // 1000, abs=RATE // 100)


@pytest.mark.parametrize("voice", ["slt", "rms", "awb"])
def test_voices_with_rumble(tmp_path: Path, voice: str) -> None:
    """Recorded voices with low-frequency noise are trimmed close to their first and last sound."""
    samples, rate = spoken("He thinks.", tmp_path, voice=voice)
    level = np.abs(np.diff(samples))
    loud = np.flatnonzero(level > 0.1 * level.max())
    out = trim(samples, rate)
    assert 0 <= loud[0] - out.lead < 0.25 * rate
    assert 0 <= len(samples) - out.tail - loud[-1] < 0.25 * rate


def test_offset_is_not_sound() -> None:
    """A constant offset does not count as speech."""
    clip = np.concatenate([silence(300), burst(300), silence(300)]) + np.float32(0.05)
    assert trim(clip, RATE).lead > 250 * RATE // 1000


@pytest.mark.parametrize("clip", [silence(0), silence(500), burst(500, 1e-5)])
def test_nothing_said(clip: np.ndarray) -> None:
    """A silent or empty clip leaves nothing, and all of it is reported as lead."""
    out = trim(clip, RATE)
    assert (len(out.samples), out.lead, out.tail, out.pauses) == (0, len(clip), 0, ())


def test_speech_from_edge_to_edge_gets_silence_around_it() -> None:
    """A clip with no silence of its own gets 30 ms at either end, and not a sample of it changes."""
    clip = burst(300)
    out, edge = trim(clip, RATE).samples, 30 * RATE // 1000
    assert np.array_equal(out[edge:-edge], clip)
    assert not out[:edge].any()
    assert not out[-edge:].any()


def test_a_real_voice(tmp_path: Path) -> None:
    """A synthetic voice loses only what is far below its speech; little is left for a second trimming."""
    samples, rate = spoken("For five fish, hope. Half of them sat there.", tmp_path)
    padded = np.concatenate([np.zeros(rate // 2, np.float32), samples, np.zeros(rate // 3, np.float32)])
    out = trim(padded, rate)
    removed = np.concatenate([padded[: out.lead], padded[len(padded) - out.tail :]])
    assert np.sqrt(np.mean(np.diff(removed) ** 2)) < np.sqrt(np.mean(np.diff(out.samples) ** 2)) * 10 ** (
        -43 / 20
    )
    again = trim(out.samples, rate)
    assert len(out.samples) - len(again.samples) <= rate // 20
