"""Tests of mixing decisions."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodub.dubbing import channels, levels, mixing
from autodub.model.media import Audio, Blob, Clip
from autodub.model.time import Span


def spans(limit: int = 60_000) -> st.SearchStrategy[list[Span]]:
    """Spans in any order, overlapping or not."""
    pair = st.tuples(st.integers(0, limit), st.integers(1, 4_000))
    return st.lists(pair.map(lambda p: Span(p[0], p[0] + p[1])), max_size=12)


@settings(deadline=None, max_examples=15)
@given(speech=spans(), keep=spans(), rate=st.sampled_from([8_000, 22_050]))
def test_gate_is_exactly_zero_outside_and_covers_speech(
    speech: list[Span], keep: list[Span], rate: int
) -> None:
    """The gate is 0 outside padded speech and in what is kept, 1 on speech away from what is kept."""
    frames = 62 * rate
    gates = mixing.gate_spans(speech, keep=keep, limit=62_000)
    w = mixing.gate(gates, rate=rate, frames=frames).weights(0, frames)
    assert w.min(initial=0.0) >= 0
    assert w.max(initial=0.0) <= 1
    time = np.arange(frames) * 1000 / rate
    outside = np.ones(frames, dtype=bool)
    for span in gates:
        outside &= (time < span.start) | (time >= span.end)
        assert not any(span.overlap(kept) for kept in keep)
    assert (w[outside] == 0).all()
    for span in speech:
        inside = (time >= span.start) & (time < min(span.end, 61_900))
        for kept in keep:
            inside &= (time < kept.start - 30) | (time >= kept.end + 30)
        assert (w[inside] == 1).all()


def test_gate_pads_joins_and_fades() -> None:
    """80 ms before, 150 ms after, gaps under 150 ms closed, 25 ms raised cosine inside the pad."""
    assert mixing.gate_spans([Span(1000, 2000), Span(2370, 3000)], keep=(), limit=9000) == (Span(920, 3150),)
    assert mixing.gate_spans([Span(1000, 2000), Span(2380, 3000)], keep=(), limit=9000) == (
        Span(920, 2150),
        Span(2300, 3150),
    )
    w = mixing.gate([Span(920, 3150)], rate=1000, frames=9000).weights(900, 60)
    assert w[20] == 0
    assert w[45] == 1
    assert w[32] == pytest.approx(0.5, abs=0.05)
    assert (np.diff(w[20:46]) > 0).all()


def test_gate_reaching_the_ends_of_the_programme_has_no_edge_there() -> None:
    """Speech from the first to the last sample is replaced from the first to the last sample."""
    w = mixing.gate([Span(0, 5000)], rate=1000, frames=5000).weights(0, 5000)
    assert (w == 1).all()


@settings(deadline=None, max_examples=50)
@given(
    corners=st.lists(st.tuples(st.integers(-50, 500), st.floats(0, 12)), max_size=10),
    start=st.integers(0, 400),
    frames=st.integers(1, 200),
)
def test_envelope_is_the_same_in_any_block(corners: list[tuple[int, float]], start: int, frames: int) -> None:
    """A part of the curve equals that part of the whole curve, and constant() never lies."""
    corners.sort()
    at = sorted({c for c, _ in corners})
    curve = mixing.Envelope(np.array(at, dtype=np.int64), np.array([v for _, v in corners][: len(at)]))
    whole, part = curve.evaluate(0, 700), curve.evaluate(start, frames)
    np.testing.assert_allclose(part, whole[start : start + frames], atol=1e-9)
    level = curve.constant(start, frames)
    if level is not None:
        assert (part == level).all()


def test_line_gains_follow_the_source_with_a_brake() -> None:
    """Half the line's own difference, half its speaker's median, at most 9 dB from the common one."""
    gains = mixing.line_gains([-20, -30, -20, -10], [-26, -26, -26, -60], ["a", "a", "a", "b"])
    assert gains[0] == pytest.approx(6.0)
    assert gains[1] == pytest.approx(6.0 - 0.5 * 9)
    assert gains[3] == pytest.approx(15.0)


def test_a_programme_much_quieter_than_the_voices_is_matched_in_full() -> None:
    """All lines 25 dB too loud: all come down by 25 dB, and their order stays."""
    gains = mixing.line_gains([-45, -50, -40], [-20, -20, -20], ["a", "a", "a"])
    assert gains == (pytest.approx(-25.0), pytest.approx(-27.5), pytest.approx(-22.5))


def test_unmeasurable_lines_take_their_speakers_median() -> None:
    """Silence on either side never becomes an infinite gain."""
    gains = mixing.line_gains([-20, -math.inf, -20], [-24, -24, -math.inf], ["a", "a", "b"])
    assert gains == (pytest.approx(4.0), pytest.approx(4.0), pytest.approx(4.0))


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(-60, 0), st.floats(-60, 0), st.sampled_from("ab")), max_size=20))
def test_line_gains_stay_in_bounds(rows: list[tuple[float, float, str]]) -> None:
    """No gain is ever more than 9 dB from what all lines have in common."""
    gains = mixing.line_gains([r[0] for r in rows], [r[1] for r in rows], [r[2] for r in rows])
    common = float(np.median([r[0] - r[1] for r in rows])) if rows else 0.0
    assert all(abs(gain - common) <= 9.0 + 1e-9 for gain in gains)


def programme(dub: float, bed: float) -> Callable[[float], float]:
    """Loudness of a programme made of a dub and a bed, as a function of the dub's gain."""
    return lambda gain: levels.lufs(levels.power(dub + gain) + levels.power(bed))


def test_levelling_leaves_a_programme_that_fits_alone() -> None:
    """Within 0.2 LU of the source nothing is changed."""
    chosen = mixing.levelling(programme(-20.1, -60), target=-20, source_peak=-3, explicit=False)
    assert (chosen.dub, chosen.programme) == (0.0, 0.0)


def test_levelling_moves_the_dub_before_the_programme() -> None:
    """3 LU short of the source: the lines come up by as much as is needed, the programme stays."""
    chosen = mixing.levelling(programme(-23, -40), target=-20, source_peak=-3, explicit=False)
    assert 2.5 < chosen.dub < 3.2
    assert chosen.programme == 0.0
    assert chosen.loudness == pytest.approx(-20, abs=0.15)


def test_levelling_uses_the_programme_gain_last_and_below_the_peak() -> None:
    """What 6 dB of dub cannot reach the programme gain does, if -1 dBTP allows."""
    free = mixing.levelling(programme(-30, -60), target=-20, source_peak=-20, explicit=False)
    assert free.dub == pytest.approx(6.0)
    assert free.programme == pytest.approx(4.0, abs=0.1)
    tight = mixing.levelling(programme(-30, -60), target=-20, source_peak=-2, explicit=False)
    assert tight.programme == 0.0
    hot = mixing.levelling(programme(-30, -60), target=-20, source_peak=0.5, explicit=False)
    assert hot.programme == 0.0


def test_an_explicit_target_is_reached_by_the_programme_gain_alone() -> None:
    """A target of -23 lowers everything by the same amount and leaves the balance alone."""
    chosen = mixing.levelling(programme(-18, -30), target=-23, source_peak=-1, explicit=True)
    assert chosen.dub == 0.0
    assert chosen.loudness == pytest.approx(-23)


def test_silence_is_not_levelled() -> None:
    """A silent programme has no loudness to match."""
    chosen = mixing.levelling(lambda _: -math.inf, target=-23, source_peak=-math.inf, explicit=True)
    assert (chosen.dub, chosen.programme) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("layout", "count", "expected", "gain"),
    [
        ("mono", 1, [1], 0.0),
        ("stereo", 2, [1, 1], 3.01),
        ("5.1", 6, [0, 0, 1, 0, 0, 0], 0.0),
        ("5.1(side)", 6, [0, 0, 1, 0, 0, 0], 0.0),
        ("quad", 4, [1, 1, 0, 0], 3.01),
        ("2.1", 3, [1, 1, 0], 3.01),
        ("", 6, [0, 0, 1, 0, 0, 0], 0.0),
        ("nonsense", 10, [1, 1] + [0] * 8, 3.01),
    ],
)
def test_the_dub_goes_where_dialogue_lives(layout: str, count: int, expected: list[int], gain: float) -> None:
    """Centre where there is one, both fronts otherwise; the loudness it gains there is known."""
    assert channels.bus(layout, count).tolist() == expected
    assert channels.bus_gain(layout, count) == pytest.approx(gain, abs=0.01)


def test_fitted_frames_counts_stretch_and_pauses() -> None:
    """Samples at the programme's rate: the stretched clip plus what is put in, minus what is taken out."""
    clip = Clip(Audio(Blob("x", 1, ".wav"), 22_050, 1, 22_050), 1.0)
    assert mixing.fitted_frames(clip, stretch=1.0, pauses=(), rate=48_000) == 48_000
    assert mixing.fitted_frames(clip, stretch=1.25, pauses=((10, 500), (20, -100)), rate=48_000) == 38_800


def test_step_of_the_bed_is_found() -> None:
    """A bed 6 dB lower inside the gate than around it has a step of 6 LU; without gates there is none."""
    cells = np.full(1000, 1e-3)
    cells[400:600] *= 10**-0.6
    assert levels.step(cells, [Span(4000, 6000)]) == pytest.approx(6.0, abs=0.1)
    assert levels.step(cells, []) is None


def test_limiting_is_foreseen() -> None:
    """Peaks below the room keep their power; above it they lose what a limiter takes."""
    peaks = np.array([0.1] * 5 + [1.0] * 5 + [8.0] * 5)
    factor = mixing.limited(peaks, gain=0.0, room=np.full(15, 0.8))
    assert (factor[:4] == 1).all()
    assert factor[7] == pytest.approx(0.64)
    assert factor[12] == pytest.approx(0.01)
    assert mixing.limited(peaks, gain=-20.0, room=np.full(15, 0.8))[7] == pytest.approx(0.01)


@pytest.mark.parametrize(("peak", "expected"), [(-20.0, -1.0), (-0.5, -0.5), (2.0, 0.0), (-math.inf, -1.0)])
def test_ceiling_is_the_sources_own_peak_within_bounds(peak: float, expected: float) -> None:
    """The mix may peak as high as the source, not below -1 and not above 0 dBTP."""
    assert mixing.ceiling(peak) == pytest.approx(10 ** (expected / 20))


def test_downmix_is_the_centre_or_the_mean() -> None:
    """The one channel in which speech is looked for."""
    assert channels.downmix("stereo", 2).tolist() == [0.5, 0.5]
    assert channels.downmix("5.1", 6).tolist() == [0, 0, 1, 0, 0, 0]
    assert channels.downmix("quad", 4).tolist() == [0.25] * 4
    assert channels.downmix("mono", 1).tolist() == [1.0]
