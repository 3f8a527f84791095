"""Windows on a grid: where they lie, which are needed, and how their answers join."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodub.dubbing.overlapping import Grid, OverlapAdd, grids, islands


@st.composite
def placed(draw: st.DrawFn) -> tuple[Grid, int, int]:
    """A grid, and a stretch of its sound."""
    length = draw(st.integers(2, 60))
    stride = draw(st.integers(1, length))
    limit = draw(st.integers(1, 400))
    grid = Grid(limit, length, stride, -draw(st.integers(0, stride - 1)))
    start = draw(st.integers(0, limit - 1))
    return grid, start, draw(st.integers(start + 1, limit))


@given(placed())
@settings(deadline=None, max_examples=200)
def test_windows_cover_exactly_what_they_say(case: tuple[Grid, int, int]) -> None:
    """``covering`` names every window with a part in the stretch and no other."""
    grid, start, end = case
    count = grid.limit // grid.stride + grid.length + 2
    touching = [
        k for k in range(count) if grid.frames(k) and grid.at(k) < end and grid.at(k) + grid.frames(k) > start
    ]
    assert list(grid.covering(start, end)) == touching


@given(placed(), st.integers(1, 2))
@settings(deadline=None, max_examples=100)
def test_a_model_that_changes_nothing_gives_the_sound_back(
    case: tuple[Grid, int, int], channels: int
) -> None:
    """Cross-fading windows of the sound itself is the sound, from any beginning, in any portions."""
    grid, start, end = case
    sound = np.random.default_rng(grid.limit).standard_normal((channels, grid.limit)).astype(np.float32)
    wide = np.pad(sound, ((0, 0), (2 * grid.length, 2 * grid.length)))
    joined = OverlapAdd(grid, channels=channels, start=start)
    out, at = [], start
    for k in grid.covering(start, end):
        begin = grid.begin(k) + 2 * grid.length
        joined.add(k, wide[:, begin : begin + grid.length])
        until = min(end, grid.at(k + 1))
        if until > at:
            out.append(joined.take(until))
            at = until
    out.append(joined.take(end))
    assert np.allclose(np.concatenate(out, axis=1), sound[:, start:end], atol=1e-5)


def test_joining_too_early_is_a_mistake() -> None:
    """Taking frames whose windows have not been answered is refused rather than answered with silence."""
    grid = Grid(100, 20, 15)
    joined = OverlapAdd(grid, channels=1, start=0)
    joined.add(0, np.ones((1, 20), dtype=np.float32))
    assert joined.take(15).shape == (1, 15)
    with pytest.raises(ValueError, match="not every window"):
        joined.take(30)


@pytest.mark.parametrize("shape", [(10, 11, 0), (10, 0, 0), (10, 5, 1), (10, 5, -5)])
def test_grids_with_holes_are_refused(shape: tuple[int, int, int]) -> None:
    """Windows further apart than they are long, or beginning after the sound, would lose sound."""
    length, stride, origin = shape
    with pytest.raises(ValueError, match="leave holes"):
        Grid(100, length, stride, origin)


def test_shifted_passes_repeat_themselves_and_begin_earlier() -> None:
    """The first pass begins with the sound, others up to half a second before; a seed decides where."""
    one = grids(1000, 100, overlap=0.25, shifts=4, reach=50, seed=1)
    assert one == grids(1000, 100, overlap=0.25, shifts=4, reach=50, seed=1)
    assert one != grids(1000, 100, overlap=0.25, shifts=4, reach=50, seed=2)
    assert one[0].origin == 0
    assert {grid.stride for grid in one} == {75}
    assert all(-50 <= grid.origin <= -1 for grid in one[1:])


@given(
    st.lists(st.integers(0, 2000), min_size=2, max_size=20, unique=True).filter(lambda x: len(x) % 2 == 0),
    st.integers(1, 3),
)
@settings(deadline=None, max_examples=100)
def test_no_window_is_asked_twice(cuts: list[int], shifts: int) -> None:
    """Stretches that share a window are one group; each stretch is in exactly one group, in order."""
    cuts.sort()
    spans = list(zip(cuts[::2], cuts[1::2], strict=True))
    layers = grids(2000, 100, overlap=0.25, shifts=shifts, reach=50, seed=0)
    found = islands([(span, span) for span in spans], layers)
    assert [span for group in found for span in group] == spans
    seen: set[tuple[int, int]] = set()
    for group in found:
        asked = {
            (number, k)
            for number, grid in enumerate(layers)
            for k in grid.covering(group[0][0], group[-1][1])
        }
        assert not seen & asked
        seen |= asked
