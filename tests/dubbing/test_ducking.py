"""Tests of the duck curve."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodub.dubbing import ducking, levels
from autodub.model.time import Span

RATE = 1000


def clips() -> st.SearchStrategy[list[tuple[int, int]]]:
    """Clips of 0.2 to 6 s, overlapping or not."""
    pair = st.tuples(st.integers(0, 50_000), st.integers(200, 6_000))
    return st.lists(pair.map(lambda p: (p[0], p[0] + p[1])), min_size=1, max_size=8)


def scene(
    places: list[tuple[int, int]], *, voice: float, bed: float, count: int = 6000
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cells of a dub at ``voice`` LUFS in ``places`` over a steady bed."""
    active = levels.covered([Span(a, b) for a, b in places], count)
    return np.where(active, levels.power(voice), 0.0), np.full(count, levels.power(bed)), active


@settings(deadline=None, max_examples=60)
@given(places=clips(), voice=st.floats(-40, -10), bed=st.floats(-60, -10), target=st.floats(4, 15))
def test_curve_is_early_bounded_and_only_where_needed(
    places: list[tuple[int, int]], voice: float, bed: float, target: float
) -> None:
    """Down before the first word, within 0..12 dB, zero away from speech and where nothing is needed."""
    dub, ground, active = scene(places, voice=voice, bed=bed)
    depth = ducking.needs(ducking.difference(dub, ground, active), np.full(600, target))
    curve = ducking.curve(places, depth, rate=RATE)
    down = curve.evaluate(0, 60_000)
    assert down.min() >= 0
    assert down.max() <= 12
    need = np.clip(target - (voice - bed), 0, 12)
    if need < 0.09:
        assert (down == 0).all()
    near = np.zeros(60_000, dtype=bool)
    for first, end in places:
        near[max(0, first - 300) : end + 950] = True
        if need > 0.2:
            assert (down[first : min(end, 60_000)] >= need - 0.01).all()
    bridged = levels.covered(_bridged(places), 6000).repeat(10)
    assert (down[~near & ~bridged] == 0).all()


def _bridged(places: list[tuple[int, int]]) -> list[Span]:
    """The gaps of less than 1.5 s, with a margin for the grid."""
    ordered, out, end = sorted(places), [], None
    for first, stop in ordered:
        if end is not None and 0 < first - end < 1500:
            out.append(Span(max(0, end - 20), first + 20))
        end = stop if end is None else max(end, stop)
    return out


def test_shape_around_one_clip() -> None:
    """Starts 0.3 s before the clip, is deep at its first sample, holds 0.25 s and rises over 0.7 s."""
    places = [(10_000, 14_000)]
    dub, ground, active = scene(places, voice=-30, bed=-30)
    depth = ducking.needs(ducking.difference(dub, ground, active), np.full(600, 10.0))
    down = ducking.curve(places, depth, rate=RATE).evaluate(0, 60_000)
    assert down[9_699] == 0
    assert 0 < down[9_800] < down[9_900] < 10
    assert down[10_000] == pytest.approx(10, abs=0.01)
    assert down[14_249] == pytest.approx(10, abs=0.01)
    assert 4 < down[14_600] < 6
    assert down[14_951] == 0


@pytest.mark.parametrize(("gap", "lifted"), [(400, False), (1400, False), (1600, True)])
def test_short_gaps_are_bridged(gap: int, lifted: bool) -> None:
    """The background does not pump up in gaps shorter than 1.5 s."""
    places = [(10_000, 12_000), (12_000 + gap, 14_000 + gap)]
    dub, ground, active = scene(places, voice=-30, bed=-25)
    depth = ducking.needs(ducking.difference(dub, ground, active), np.full(600, 4.0))
    down = ducking.curve(places, depth, rate=RATE).evaluate(12_000, gap)
    assert (down.min() < 8.9) == lifted


def test_ducks_only_the_passage_that_needs_it() -> None:
    """Loud music under the second half of a long clip is lowered there, the quiet first half stays."""
    places = [(5_000, 35_000)]
    dub, ground, active = scene(places, voice=-25, bed=-45)
    ground[2000:] = levels.power(-27)
    depth = ducking.needs(ducking.difference(dub, ground, active), np.full(600, 10.0))
    down = ducking.curve(places, depth, rate=RATE).evaluate(0, 60_000)
    assert (down[:17_000] == 0).all()
    assert (down[21_500:35_000] > 7.9).all()


def test_targets() -> None:
    """The source's own difference within 4..10; 10 for clear speech; 15 over an estimated background."""
    source = np.array([np.nan, 2.0, 7.0, 25.0, np.inf])
    assert ducking.targets(source, points=5, estimated=False).tolist() == [4, 4, 7, 10, 10]
    assert (ducking.targets(source, points=5, estimated=False, clear=True) == 10).all()
    assert (ducking.targets(source, points=5, estimated=True) == 15).all()
    assert (ducking.targets(np.full(3, np.nan), points=3, estimated=False) == 10).all()
    assert (ducking.targets(None, points=3, estimated=False) == 10).all()


def test_silence_needs_no_duck() -> None:
    """Over silence the difference is infinite, without speech unknown; neither asks for a duck."""
    places = [(1_000, 3_000)]
    dub, ground, active = scene(places, voice=-30, bed=-30)
    over_silence = ducking.difference(dub, np.zeros_like(ground), active)
    assert np.isposinf(over_silence[20])
    assert np.isnan(over_silence[500])
    assert (ducking.needs(over_silence, np.full(600, 10.0)) == 0).all()
    nothing = ducking.curve([], np.zeros(0), rate=RATE)
    assert (nothing.gains(0, 100) == 1).all()
    assert ducking.spans(nothing, rate=RATE, frames=100) == ()
    assert (ducking.on_cells(nothing, 5, rate=RATE) == 0).all()


def test_spans_of_the_duck() -> None:
    """Where the curve is not 0 is reported in milliseconds, clipped to the programme."""
    curve = ducking.curve([(100, 2_000)], np.full(100, 6.0), rate=RATE)
    assert ducking.spans(curve, rate=RATE, frames=2_500) == (Span(0, 2_500),)
    assert ducking.spans(curve, rate=RATE, frames=9_000) == (Span(0, 2_950),)
