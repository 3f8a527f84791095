"""Samples to clone from, cut out of programmes made on the spot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from scipy.signal import butter, sosfilt

from autodub.media import sound
from autodub.media.sampling import GAP, HIGHEST, cut_sample
from autodub.model.errors import Cancelled, Rejected
from autodub.model.time import Span

Samples = npt.NDArray[np.float32]

RATE = 24_000
SPANS = tuple(Span(1000 + 6000 * number, 5500 + 6000 * number) for number in range(6))
"""Six stretches of four and a half seconds, a second and a half apart."""
LENGTH = 38_000


def talk(seconds: float, *, seed: int, rate: int = RATE) -> Samples:
    """Syllables of a swaying voice with a consonant's hiss between them."""
    chance = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    hertz = 140 * 2 ** (np.sin(2 * np.pi * 0.7 * time + seed) / 6)
    phase = 2 * np.pi * np.cumsum(hertz) / rate
    voice = sum(np.sin(n * phase) / n for n in range(1, 30))
    hiss = np.diff(chance.normal(size=len(time)), prepend=0.0)
    syllable = np.sin(2 * np.pi * 2.2 * time)
    return np.asarray(
        0.08 * voice * np.clip(syllable, 0.02, 1) + 0.02 * hiss * np.clip(-syllable, 0, 1), dtype=np.float32
    )


def programme(*, rate: int = RATE, floor: float = 1e-4) -> Samples:
    """Mono speech in SPANS over a floor of noise of that amplitude."""
    out = np.random.default_rng(9).normal(scale=floor, size=LENGTH * rate // 1000)
    for number, span in enumerate(SPANS):
        start = span.start * rate // 1000
        said = talk(span.duration / 1000, seed=number, rate=rate)
        out[start : start + len(said)] += said
    return out.astype(np.float32)


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    """Writes samples to a file."""

    def write(samples: Samples, rate: int = RATE) -> Path:
        path = tmp_path / "mix.wav"
        sound.store(samples, rate, path)
        return path

    return write


def level(samples: Samples) -> float:
    """RMS in dBFS."""
    return float(10 * np.log10(np.mean(np.square(samples, dtype=np.float64)) + 1e-20))


def test_a_sample_is_level_mono_and_as_long_as_its_speech(
    written: Callable[..., Path], tmp_path: Path
) -> None:
    """All the speech and a short silence between stretches, -23 to -18 dB RMS, peak at most -3 dB."""
    out = tmp_path / "sample.wav"
    done = cut_sample(written(programme()), "mono", SPANS, out, speech=SPANS)
    samples, rate = sound.load(out)
    assert samples.shape[1] == 1
    assert rate == RATE
    assert done.seconds == pytest.approx(27.0)
    assert done.spans == SPANS
    assert done.is_clean
    assert len(samples) == pytest.approx((27_000 + 5 * GAP) * RATE / 1000, abs=12)
    assert -23 <= level(samples) <= -18
    assert float(np.abs(samples).max()) <= 10 ** (-3 / 20) + 1e-3


@pytest.mark.parametrize("scale", [0.1, 0.5, 3.0])
def test_the_level_of_the_programme_does_not_matter(
    written: Callable[..., Path], tmp_path: Path, scale: float
) -> None:
    """A quiet programme and a loud one give samples of one level."""
    out = tmp_path / "sample.wav"
    cut_sample(written(scale * programme(floor=1e-5)), "mono", SPANS, out, speech=SPANS)
    assert -23 <= level(sound.load(out)[0]) <= -18


def test_noise_is_noticed(written: Callable[..., Path], tmp_path: Path) -> None:
    """Noise 10 dB below the voice makes a sample unclean; 40 dB below it does not."""
    for floor, is_clean in ((0.008, False), (0.0003, True)):
        mix = written(programme(floor=floor))
        assert cut_sample(mix, "mono", SPANS, tmp_path / "s.wav", speech=SPANS).is_clean is is_clean


def test_music_is_told_from_noise(written: Callable[..., Path], tmp_path: Path) -> None:
    """Steady tones under the speech are called music, at a level at which noise would pass."""
    time = np.arange(LENGTH * RATE // 1000) / RATE
    chord = sum(np.sin(2 * np.pi * hertz * time) for hertz in (220.0, 277.2, 329.6, 440.0, 659.3))
    mix = written((programme() + 0.001 * chord).astype(np.float32))
    done = cut_sample(mix, "mono", SPANS, tmp_path / "s.wav", speech=SPANS)
    assert not done.is_clean
    assert "music" in done.notes[0]


def test_music_under_a_part_is_left_out(written: Callable[..., Path], tmp_path: Path) -> None:
    """Where there is enough without it, nothing with music behind it is taken."""
    spans = tuple(span.shifted(LENGTH * part) for part in range(4) for span in SPANS)
    mix = np.concatenate([programme()] * 4)
    time = np.arange(LENGTH * RATE // 1000) / RATE
    mix[: len(time)] += (0.02 * np.sin(2 * np.pi * 330 * time)).astype(np.float32)
    done = cut_sample(written(mix), "mono", spans, tmp_path / "s.wav", speech=spans)
    assert done.is_clean
    assert all(span.start >= LENGTH for span in done.spans)


def test_distortion_is_noticed(written: Callable[..., Path], tmp_path: Path) -> None:
    """A recording driven into its limits is distorted, whatever its noise."""
    mix = np.clip(12 * programme(), -1, 1).astype(np.float32)
    done = cut_sample(written(mix), "mono", SPANS, tmp_path / "s.wav", speech=SPANS)
    assert not done.is_clean
    assert "distorted" in done.notes[0]


def test_one_recording_condition_is_cut(written: Callable[..., Path], tmp_path: Path) -> None:
    """Two stretches over a telephone are left out of a sample of four in the studio."""
    mix = programme()
    first = SPANS[4].start * RATE // 1000 - RATE // 2
    band = butter(4, [300, 3000], "bandpass", fs=RATE, output="sos")
    mix[first:] = sosfilt(band, mix[first:]).astype(np.float32)
    done = cut_sample(written(mix), "mono", SPANS, tmp_path / "s.wav", speech=SPANS)
    assert done.spans == SPANS[:4]
    assert any("differently recorded" in note for note in done.notes)


def test_the_centre_of_a_surround_mix_is_cut(written: Callable[..., Path], tmp_path: Path) -> None:
    """Speech is taken from the centre, and what other channels play does not get into it."""
    six = np.zeros((LENGTH * RATE // 1000, 6), dtype=np.float32)
    six[:, 2] = programme()
    six[:, 0] = np.random.default_rng(1).normal(scale=0.2, size=len(six))
    done = cut_sample(written(six), "5.1", SPANS, tmp_path / "s.wav", speech=SPANS)
    assert done.is_clean


def test_high_rates_come_down(written: Callable[..., Path], tmp_path: Path) -> None:
    """A 96 kHz programme gives a 48 kHz sample of the same length."""
    out = tmp_path / "s.wav"
    done = cut_sample(written(programme(rate=96_000), 96_000), "mono", SPANS[:2], out, speech=SPANS)
    with sound.Reader(out) as reader:
        assert reader.rate == HIGHEST
        assert reader.frames / reader.rate == pytest.approx(done.seconds + GAP / 1000, abs=0.001)


def test_long_stretches_are_parted_at_quiet_moments(written: Callable[..., Path], tmp_path: Path) -> None:
    """A monologue without a pause comes out whole, in parts that join, cut where it is quiet."""
    mix = np.random.default_rng(2).normal(scale=1e-4, size=42 * RATE).astype(np.float32)
    mix[RATE : 41 * RATE] += talk(40.0, seed=1)
    done = cut_sample(written(mix), "mono", (Span(1000, 41_000),), tmp_path / "s.wav", speech=())
    assert done.seconds == pytest.approx(40.0)
    assert len(done.spans) >= 3
    assert all(span.duration <= 15_000 for span in done.spans)
    loud = np.abs(mix).max()
    for span in done.spans[:-1]:
        at = span.end * RATE // 1000
        assert np.abs(mix[at - 120 : at + 120]).max() < 0.35 * loud


def test_speech_of_others_is_not_background(written: Callable[..., Path], tmp_path: Path) -> None:
    """Somebody else who talks between the stretches does not make the sample noisy."""
    mix = programme()
    between = tuple(Span(span.end + 100, span.end + 1400) for span in SPANS)
    for number, span in enumerate(between):
        start = span.start * RATE // 1000
        said = talk(span.duration / 1000, seed=50 + number)
        mix[start : start + len(said)] += said
    speech = tuple(sorted((*SPANS, *between)))
    assert cut_sample(written(mix), "mono", SPANS, tmp_path / "s.wav", speech=speech).is_clean


def test_five_minutes_are_looked_into(written: Callable[..., Path], tmp_path: Path) -> None:
    """Of a speaker who talks for most of a film only the first spans given are read."""
    rate = 8000
    mix = np.random.default_rng(2).normal(scale=1e-4, size=420 * rate).astype(np.float32)
    spans = tuple(Span(10_000 * number + 500, 10_000 * number + 9500) for number in range(42))
    for span in spans:
        said = talk(9.0, seed=span.start, rate=rate)
        mix[span.start * rate // 1000 :][: len(said)] += said
    last_first = spans[::-1]
    done = cut_sample(written(mix, rate), "mono", last_first, tmp_path / "s.wav", speech=spans)
    assert 60 <= done.seconds <= 100
    assert all(span.start >= 420_000 - 34 * 10_000 for span in done.spans)


def test_spans_past_the_end_are_harmless(written: Callable[..., Path], tmp_path: Path) -> None:
    """What a transcript places after the end of the sound is cut off there."""
    spans = (*SPANS, Span(LENGTH - 200, LENGTH + 4000), Span(LENGTH + 5000, LENGTH + 9000))
    done = cut_sample(written(programme()), "mono", spans, tmp_path / "s.wav", speech=spans)
    assert done.spans == SPANS


def test_silence_is_refused_and_says_how_long_it_was(written: Callable[..., Path], tmp_path: Path) -> None:
    """Nothing to hear is an error with the seconds that were looked into, and no file is left."""
    silence = np.zeros(LENGTH * RATE // 1000, dtype=np.float32)
    with pytest.raises(Rejected, match=r"27\.0 seconds") as caught:
        cut_sample(written(silence), "mono", SPANS, tmp_path / "s.wav", speech=SPANS)
    assert caught.value.hint
    assert not (tmp_path / "s.wav").exists()
    with pytest.raises(Rejected):
        cut_sample(written(silence), "mono", (), tmp_path / "s.wav", speech=())


def test_a_request_to_stop_is_heard(written: Callable[..., Path], tmp_path: Path) -> None:
    """Cancelling leaves no half-written sample behind."""
    calls = 0

    def check() -> None:
        nonlocal calls
        calls += 1
        if calls > len(SPANS) + 2:
            raise Cancelled("Stopped on request.")

    with pytest.raises(Cancelled):
        cut_sample(written(programme()), "mono", SPANS, tmp_path / "s.wav", speech=SPANS, check=check)
    assert not (tmp_path / "s.wav").exists()


def test_equal_input_gives_equal_bytes(written: Callable[..., Path], tmp_path: Path) -> None:
    """A sample is the identity of a clone: cut again, it is the same file."""
    mix = written(programme())
    for name in ("one.wav", "two.wav"):
        cut_sample(mix, "mono", SPANS, tmp_path / name, speech=SPANS)
    assert (tmp_path / "one.wav").read_bytes() == (tmp_path / "two.wav").read_bytes()
