"""Taking the delivered dub out of a finished file, however the codec moved or coloured it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from autodub.media import sound
from autodub.model.time import Span
from autodub.quality.stem import RATE, align, edge_levels, subtract_bed

Samples = npt.NDArray[np.float32]
CLIP = Span(3000, 4000)


@pytest.fixture
def bed() -> Samples:
    """Eight seconds of background: filtered noise."""
    rng = np.random.default_rng(5)
    return np.convolve(rng.normal(0, 0.05, 8 * RATE), np.ones(4) / 2, "same").astype(np.float32)


def voice(bed: Samples, *, level: float = 0.1) -> Samples:
    """A buzz inside the clip, with 20 ms of silence at both its ends."""
    out = np.zeros_like(bed)
    at = np.arange((CLIP.duration - 40) * 16)
    out[(CLIP.start + 20) * 16 : (CLIP.end - 20) * 16] = level * np.sign(np.sin(2 * np.pi * 140 * at / RATE))
    return out


def stored(samples: Samples, path: Path) -> Path:
    """A 16 kHz mono file."""
    sound.store(samples, RATE, path)
    return path


def stem_of(mixed: Samples, bed: Samples, tmp_path: Path) -> Samples:
    """The delivered dub of a file."""
    files = stored(mixed, tmp_path / "a.wav"), stored(bed, tmp_path / "b.wav")
    subtract_bed(*files, tmp_path / "stem.wav", clips=[CLIP])
    return sound.load(tmp_path / "stem.wav")[0][:, 0]


def test_dub_comes_back_exactly(bed: Samples, tmp_path: Path) -> None:
    """Without a codec the stem is the dub, and silence elsewhere."""
    dub = voice(bed)
    assert np.abs(stem_of(bed + dub, bed, tmp_path) - dub).max() < 1e-6


@pytest.mark.parametrize("delay", [-300, 37, 1024])
def test_delay_is_found_and_undone(bed: Samples, tmp_path: Path, delay: int) -> None:
    """A file that lags or leads its background is subtracted in step; the dub stays where it is heard."""
    dub = voice(bed)
    mixed = np.roll(bed, delay) + dub
    found = align(stored(mixed, tmp_path / "a.wav"), stored(bed, tmp_path / "b.wav"), clips=[CLIP])
    assert found.delay == delay
    assert found.steady
    inside = slice(CLIP.start * 16, CLIP.end * 16)
    assert np.abs((stem_of(mixed, bed, tmp_path) - dub)[inside]).max() < 1e-6


def test_codec_noise_is_silenced_but_not_the_dub(bed: Samples, tmp_path: Path) -> None:
    """Noise 30 dB under the background is measured and muted outside the clip, and the dub is kept."""
    rng = np.random.default_rng(6)
    noise = rng.normal(0, float(bed.std()) * 10 ** (-30 / 20), len(bed)).astype(np.float32)
    dub = voice(bed)
    got = stem_of(bed + dub + noise, bed, tmp_path)
    found = align(tmp_path / "a.wav", tmp_path / "b.wav", clips=[CLIP])
    assert found.residue_db == pytest.approx(-30, abs=0.5)
    assert not got[: (CLIP.start - 60) * 16].any()
    assert np.abs(got - dub)[(CLIP.start + 40) * 16 : (CLIP.end - 40) * 16].max() < 0.02


def test_silent_background_needs_no_alignment(tmp_path: Path) -> None:
    """With nothing to align on, the file is taken as it is and no place counts as missed."""
    bed = np.zeros(4 * RATE, dtype=np.float32)
    found = align(stored(bed + 0.01, tmp_path / "a.wav"), stored(bed, tmp_path / "b.wav"), clips=[])
    assert (found.delay, found.windows, found.missed, found.residue_db) == (0, 0, 0, None)


def test_foreign_background_is_missed(bed: Samples, tmp_path: Path) -> None:
    """A background that is not in the file is found nowhere."""
    other = np.random.default_rng(9).normal(0, 0.1, len(bed)).astype(np.float32)
    found = align(stored(other, tmp_path / "a.wav"), stored(bed, tmp_path / "b.wav"), clips=[CLIP])
    assert found.missed > found.windows


def test_background_shorter_than_the_file(bed: Samples, tmp_path: Path) -> None:
    """What lies behind the background's end is kept, and the stem is as long as the file."""
    longer = np.concatenate([bed, np.full(RATE, 0.05, dtype=np.float32)])
    got = stem_of(longer, bed, tmp_path)
    assert len(got) == len(longer)
    assert np.allclose(got[-8000:], 0.05)


def test_cut_words_show_at_the_edges(bed: Samples, tmp_path: Path) -> None:
    """A clip that begins in mid-word is loud in its first 10 ms; one with silence around it is not."""
    dub = voice(bed)
    quiet = np.zeros(800)
    path = stored(dub, tmp_path / "stem.wav")
    inner = Span(CLIP.start + 100, CLIP.end)
    whole, cut, short, none = edge_levels(path, [CLIP, inner, Span(0, 20), None], bed=quiet, residue_db=-60)
    assert whole[0] == -120
    assert short == none == (None, None)
    assert cut == (None, None)  # its edges lie inside the other clip
    (cut,) = edge_levels(path, [inner], bed=quiet, residue_db=-60)
    assert cut[0] == pytest.approx(0, abs=1)
    assert cut[1] == -120


def test_edges_under_a_loud_background_are_not_judged(bed: Samples, tmp_path: Path) -> None:
    """Where the codec's residue could pass for a cut word, nothing is claimed."""
    path = stored(voice(bed), tmp_path / "stem.wav")
    assert edge_levels(path, [CLIP], bed=np.full(800, 0.01), residue_db=-20) == [(None, None)]
