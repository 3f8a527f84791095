"""Streaming a mix through a model: parts agree with the whole, rates and layouts are kept."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodub.media import separation, sound
from autodub.media.separation import Asked, Sight
from autodub.model.time import Span

MODEL = 8_000
"""The model's rate."""


def average(windows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """A model whose answer depends on what a window sees around a frame: a moving average."""
    kernel = np.ones(31) / 31
    out = [[np.convolve(channel, kernel, "same") for channel in window] for window in windows]
    return np.array(out, dtype=np.float32)


def noise(rate: int, seconds: float, channels: int) -> npt.NDArray[np.float32]:
    """A mix in which every sample counts."""
    rng = np.random.default_rng(11)
    return (rng.standard_normal((round(rate * seconds), channels)) * 0.1).astype(np.float32)


def background(
    folder: Path,
    mix: npt.NDArray[np.float32],
    rate: int,
    spans: tuple[Span, ...],
    *,
    sight: Sight | None = None,
    asked: Asked | None = None,
    model: separation.Estimate = average,
) -> tuple[npt.NDArray[np.float32], int]:
    """The background and the number of windows asked for."""
    sound.store(mix, rate, folder / "mix.wav")
    count = separation.separate(
        folder / "mix.wav",
        folder / "out.wav",
        spans=spans,
        layout={1: "mono", 2: "stereo", 6: "5.1"}[mix.shape[1]],
        sight=sight or Sight(MODEL, 2, MODEL),
        asked=asked or Asked(),
        estimate=model,
    )
    return sound.load(folder / "out.wav")[0], count


def level(apart: npt.NDArray[np.float32], whole: npt.NDArray[np.float32]) -> float:
    """RMS of one over RMS of the other, dB."""
    return float(20 * np.log10((np.sqrt(np.mean(apart**2)) + 1e-12) / np.sqrt(np.mean(whole**2))))


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 44_100, 48_000, 47_999])
def test_parts_agree_with_the_whole(tmp_path: Path, rate: int) -> None:
    """Speech taken out of a stretch alone is what it is within the whole, below -100 dB, at any rate."""
    mix = noise(rate, 9.0, 2)
    whole, all_ = background(tmp_path, mix, rate, (Span(0, 9000),))
    some, few = background(tmp_path, mix, rate, (Span(2500, 3000), Span(6000, 7000)))
    assert few < all_
    for first, last in ((2500, 3000), (6000, 7000)):
        inside = slice(first * rate // 1000, last * rate // 1000)
        assert level((some - whole)[inside], (mix - whole)[inside]) < -100
    assert np.array_equal(some[: 2 * rate], mix[: 2 * rate])
    assert np.array_equal(some[4 * rate : 5 * rate], mix[4 * rate : 5 * rate])


@given(
    edges=st.lists(st.integers(0, 8000), min_size=2, max_size=8, unique=True),
    batch=st.integers(1, 6),
    shifts=st.integers(1, 3),
)
@settings(deadline=None, max_examples=12)
def test_any_spans_in_any_portions_agree_with_the_whole(
    tmp_path_factory: pytest.TempPathFactory, edges: list[int], batch: int, shifts: int
) -> None:
    """Whatever is asked for and however many windows go at once, speech inside the spans is the same."""
    folder = tmp_path_factory.mktemp("mix")
    edges.sort()
    spans = tuple(Span(first, last) for first, last in zip(edges[::2], edges[1::2], strict=False))
    mix = noise(MODEL, 8.0, 1)
    whole, _ = background(folder, mix, MODEL, (Span(0, 8000),), asked=Asked(shifts=shifts))
    some, _ = background(folder, mix, MODEL, spans, asked=Asked(shifts=shifts, batch=batch))
    for span in spans:
        inside = slice(span.start * MODEL // 1000, span.end * MODEL // 1000)
        assert np.abs(some - whole)[inside].max(initial=0.0) < 1e-6


@pytest.mark.parametrize(("channels", "model"), [(1, 1), (1, 2), (2, 1), (2, 2), (6, 1), (6, 2)])
def test_only_dialogue_goes_through_the_model(tmp_path: Path, channels: int, model: int) -> None:
    """Mono, stereo and a centre meet models of one and two channels; the other channels pass untouched."""
    mix = noise(MODEL, 3.0, channels)
    out, _ = background(tmp_path, mix, MODEL, (Span(1000, 2000),), sight=Sight(MODEL, model, MODEL))
    spoken = {1: [0], 2: [0, 1], 6: [2]}[channels]
    inside = slice(MODEL, 2 * MODEL)
    for channel in range(channels):
        if channel not in spoken:
            assert np.array_equal(out[:, channel], mix[:, channel])
            continue
        expected = mix[:, channel] - np.convolve(mix[:, channel], np.ones(31) / 31, "same")
        assert level((out[:, channel] - expected)[inside], mix[inside, channel]) < -35  # window edges


def test_a_programme_is_brought_to_the_level_a_model_knows(tmp_path: Path) -> None:
    """The model sees mean 0 and deviation 1 over the whole programme, and silence beyond its ends."""
    seen: list[npt.NDArray[np.float32]] = []

    def look(windows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        seen.append(windows)
        return windows

    mix = noise(MODEL, 2.5, 2) * np.float32(0.2) + np.float32(0.05)
    long = Sight(MODEL, 2, 3 * MODEL)
    out, _ = background(tmp_path, mix, MODEL, (Span(0, 2500),), model=look, sight=long)
    (window,) = seen[0]
    heard = window[:, MODEL // 4 : -MODEL // 4]  # half of the rest lies before the programme, half after
    assert not window[:, : MODEL // 4].any()
    assert not window[:, -MODEL // 4 :].any()
    assert abs(float(heard.mean())) < 1e-3
    assert abs(float(heard.mean(axis=0).std()) - 1) < 1e-3
    # Everything is speech to this model: what is left is the mean, which does not sound.
    assert np.abs(out - mix.mean()).max() < 1e-4
    raw = Sight(MODEL, 2, 3 * MODEL, normal=False)
    background(tmp_path, mix, MODEL, (Span(0, 2500),), model=look, sight=raw)
    assert np.array_equal(seen[-2][0][:, MODEL // 4 : -MODEL // 4], mix.T)


def test_short_empty_and_silent_programmes(tmp_path: Path) -> None:
    """Less than a window, nothing at all and digital silence come back in their own length."""
    short = noise(MODEL, 0.03, 2)
    out, count = background(tmp_path, short, MODEL, (Span(0, 30),))
    assert (out.shape, count) == (short.shape, 1)
    empty, count = background(tmp_path, short[:0], MODEL, (Span(0, 30),))
    assert (len(empty), count) == (0, 0)
    silent, count = background(tmp_path, np.zeros((MODEL, 2), np.float32), MODEL, (Span(0, 1000),))
    assert count == 0
    assert not silent.any()


def test_memory_does_not_grow_with_the_programme(tmp_path: Path) -> None:
    """Eight times the length needs no more memory than once."""

    def peak(seconds: int) -> int:
        mix = noise(48_000, seconds, 2)
        sound.store(mix, 48_000, tmp_path / "mix.wav")
        del mix
        tracemalloc.start()
        separation.separate(
            tmp_path / "mix.wav", tmp_path / "out.wav", spans=(Span(0, seconds * 1000),), layout="stereo",
            sight=Sight(44_100, 2, 44_100), asked=Asked(), estimate=lambda windows: windows * np.float32(0.5),
        )  # fmt: skip
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(5)
    assert peak(80) < 1.1 * peak(10)
