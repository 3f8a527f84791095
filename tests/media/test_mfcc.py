"""Cepstra: shapes, invariances, and reading by spans."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from autodub.media import mfcc, sound
from autodub.model.errors import MediaError
from autodub.model.time import Span

RNG = np.random.default_rng(0)
NOISE = (0.1 * RNG.standard_normal(32_000)).astype(np.float32)


@pytest.mark.parametrize(("samples", "frames"), [(0, 0), (159, 0), (160, 1), (16_000, 100), (800_000, 5000)])
def test_one_frame_per_ten_milliseconds(samples: int, frames: int) -> None:
    """N samples have n // 160 frames of 19 finite coefficients, also over several batches and for silence."""
    out = mfcc.mfcc(np.zeros(samples, np.float32))
    assert out.shape == (frames, 19)
    assert np.isfinite(out).all()


def test_loudness_does_not_count() -> None:
    """Twice as loud is the same voice: only the dropped zeroth coefficient knows the level."""
    assert np.allclose(mfcc.mfcc(NOISE), mfcc.mfcc(2 * NOISE), atol=1e-2)


def test_frames_are_in_their_place() -> None:
    """A change of sound at 1 s shows in the frames from 100 on, not before 98."""
    tone = 0.1 * np.sin(2 * np.pi * 300 * np.arange(32_000) / 16_000).astype(np.float32)
    both = np.concatenate([NOISE[:16_000], tone[16_000:]])
    difference = np.abs(mfcc.mfcc(both) - mfcc.mfcc(NOISE)).sum(axis=1)
    assert difference[:98].max() < 1e-3
    assert difference[102:].min() > 1


def test_a_bright_sound_differs_from_a_dark_one() -> None:
    """The first coefficient falls from a dark to a bright spectrum."""
    dark = np.convolve(NOISE, np.ones(16) / 16, "same").astype(np.float32)
    bright = np.diff(NOISE, prepend=0).astype(np.float32)
    assert mfcc.mfcc(dark)[:, 0].mean() > mfcc.mfcc(NOISE)[:, 0].mean() > mfcc.mfcc(bright)[:, 0].mean()


def test_analyse_reads_spans(tmp_path: Path) -> None:
    """Each span has its own frames: as many as it has full 10 ms, with the pitch of a buzz."""
    time = np.arange(48_000) / 16_000
    buzz = sum(np.sin(2 * np.pi * 150 * h * time) / h for h in range(1, 20))
    path = tmp_path / "buzz.wav"
    sound.store((0.1 * buzz).astype(np.float32), 16_000, path)
    first, second = mfcc.analyse(path, [Span(0, 505), Span(1000, 3000)])
    assert (len(first.cepstra), len(first.level), len(first.pitch)) == (50, 50, 50)
    assert second.span == Span(1000, 3000)
    voiced = second.pitch[second.pitch > 0]
    assert len(voiced) > 150
    assert np.median(voiced) == pytest.approx(150, rel=0.02)


def test_a_span_past_the_end_has_no_frames(tmp_path: Path) -> None:
    """Spans beyond the sound give no frames instead of an error."""
    path = tmp_path / "short.wav"
    sound.store(NOISE[:1600], 16_000, path)
    (late,) = mfcc.analyse(path, [Span(500, 900)])
    assert late.cepstra.shape == (0, 19)


def test_other_rates_are_refused(tmp_path: Path) -> None:
    """Only 16 kHz mono can be compared."""
    path = tmp_path / "x.wav"
    sound.store(NOISE, 8_000, path)
    with pytest.raises(MediaError, match="8000 Hz"):
        list(mfcc.analyse(path, [Span(0, 100)]))
