"""Planning a timeline: cases one can work out by hand, and what holds for every table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from timing_tables import programme, slot

from autodub.dubbing.timing import Choice, Fit, Slot, base_rates, cost, latest_ends, plan, refit

TINY = 1e-6


def ends(slots: Sequence[Slot], fits: Sequence[Fit]) -> list[float]:
    """When each clip ends."""
    return [
        f.start + max(0.01, s.choices[f.choice].seconds) / f.rate for s, f in zip(slots, fits, strict=True)
    ]


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[Slot], float]:
    """Tables with nothing plausible about them: no gaps, overlaps, empty lines, locks, a short programme."""
    slots, at = [], 0.0
    for _ in range(draw(st.integers(0, 12))):
        length = draw(st.sampled_from([0.0, 0.05, 0.7, 2.0, 8.0]))
        ratios = draw(st.lists(st.floats(0.5, 2.5), min_size=1, max_size=3))
        choices = tuple(Choice(max(length, 0.2) * r, 0.1 * k) for k, r in enumerate(ratios))
        slots.append(
            Slot(
                at,
                at + length,
                draw(st.sampled_from("AB")),
                choices,
                on_screen=draw(st.sampled_from([None, True, False])),
                timeline=draw(st.sampled_from([0, 0, 0, 1])),
                native=draw(st.sampled_from([1.0, 1.0, 1.1])),
                locked_start=draw(st.sampled_from([None, None, None, at + 0.3])),
                locked_choice=draw(st.sampled_from([None, None, len(choices) - 1])),
            )
        )
        at = max(at, at + length + draw(st.sampled_from([0.0, 0.0, 0.05, 0.5, 3.0, -0.6])))
    return slots, max(0.1, at + draw(st.sampled_from([-2.0, 0.0, 1.0, 5.0])))


def test_a_line_that_fits_stays_where_it_is() -> None:
    """Clips exactly as long as their lines keep their place and their rate."""
    slots = [slot(t, t + 2, 2.0) for t in (5.0, 10.0, 15.0, 20.0)]
    for fit, at in zip(plan(slots, programme=30), (5.0, 10.0, 15.0, 20.0), strict=True):
        assert fit == Fit(0, pytest.approx(at, abs=TINY), pytest.approx(1.0, abs=TINY))


@pytest.mark.parametrize("count", [1, 10, 1000])
def test_no_error_accumulates(count: int) -> None:
    """The last of many fitting lines starts as exactly as the first, leading silence included."""
    slots = [slot(5.0 * (i + 1), 5.0 * (i + 1) + 2, 2.0) for i in range(count)]
    fits = refit(slots, programme=5.0 * count + 10)
    assert max(abs(f.start - s.start) for f, s in zip(fits, slots, strict=True)) < TINY


@settings(deadline=None, max_examples=40)
@given(st.floats(1.0, 2.0))
def test_speech_that_is_too_long_never_gets_longer(ratio: float) -> None:
    """A clip too long for a 3-s slot is sped up, never slowed down."""
    lines = [slot(1, 4, 3 * ratio), slot(4.1, 7.1, 3.0)]
    fit = plan(lines, programme=9)[0]
    assert fit.rate >= 1 - TINY
    assert ends(lines, plan(lines, programme=9))[0] <= 1 + 3 * ratio + TINY


def test_a_long_line_borrows_the_silence_behind_it() -> None:
    """Where nobody speaks afterwards, a long clip ends later instead of sounding rushed."""
    lines = [slot(1, 3, 4.0), slot(20, 22, 2.0, speaker="B")]
    first, second = plan(lines, programme=30)
    assert first.start == pytest.approx(1.0, abs=TINY)
    assert first.rate <= 1 / 0.88 + TINY
    assert ends(lines, [first, second])[0] > 4.4
    assert second == Fit(0, pytest.approx(20.0, abs=TINY), pytest.approx(1.0, abs=TINY))


def test_a_line_without_room_pushes_the_next_one() -> None:
    """A long clip with a neighbour is sped up, and the neighbour waits rather than be talked over."""
    lines = [slot(1, 3, 3.0), slot(3.05, 6.0, 2.5), slot(9, 11, 2.0)]
    fits = plan(lines, programme=30)
    finish = ends(lines, fits)
    assert 1.1 < fits[0].rate <= 1.25 + TINY
    assert 3.05 < fits[1].start <= 3.65 + TINY
    assert finish[0] <= fits[1].start - 0.05 + TINY
    assert fits[0].overlap == 0


def test_a_line_three_times_too_long_is_planned_and_flagged() -> None:
    """A hopeless line raises nothing: it is as fast as the emergency allows and says how far it overlaps."""
    lines = [slot(1, 3, 6.0), slot(3, 5, 2.0), slot(5, 7, 2.0), slot(7, 9, 2.0)]
    fits = plan(lines, programme=9.5)
    finish = ends(lines, fits)
    assert max(f.rate for f in fits) <= 1.30 + TINY
    assert max(finish) <= 9.5 + TINY
    assert sum(f.overlap for f in fits) > 0.02
    for i in range(3):
        assert fits[i].overlap == pytest.approx(max(0.0, finish[i] - fits[i + 1].start), abs=1e-5)


def test_a_short_line_is_not_slowed_below_the_limit() -> None:
    """A clip half as long as its line stays at a listenable pace and starts with the line."""
    (fit,) = plan([slot(2, 6, 2.0)], programme=10)
    assert fit.rate >= 0.88 - TINY
    assert fit.start == pytest.approx(2.0, abs=TINY)


def test_the_shorter_wording_is_taken_where_it_is_needed() -> None:
    """A line without room takes its shorter wording; the same line with room keeps the natural one."""
    tight = [slot(1, 3, 2.6, 2.0), slot(3.02, 5, 2.4), slot(5.02, 7, 2.4)]
    roomy = [slot(1, 3, 2.6, 2.0), slot(8, 10, 1.9)]
    assert plan(tight, programme=12)[0].choice == 1
    assert plan(roomy, programme=12)[0].choice == 0


def test_a_clip_ends_within_the_programme() -> None:
    """At the end of the programme a long clip starts earlier rather than lose its last word."""
    lines = [slot(1, 2, 1.0), slot(8, 9.9, 3.5)]
    fits = plan(lines, programme=10)
    assert ends(lines, fits)[1] <= 10 + TINY
    assert fits[1].start < 7.8
    assert fits[1].rate <= 1.25 + TINY


def test_a_clip_longer_than_the_programme_is_squeezed_into_it() -> None:
    """Only a clip that the whole programme cannot hold goes beyond the emergency rate."""
    (fit,) = plan([slot(1, 2, 8.0)], programme=4)
    assert fit.rate == pytest.approx(2.0)
    assert fit.start == pytest.approx(0.0, abs=TINY)


def test_crosstalk_may_overlap_as_far_as_the_source() -> None:
    """Two sides that talk over each other for a second still do; one side by itself does not."""
    both = [slot(1, 4, 3.0), slot(3, 5, 2.0, speaker="B", timeline=1)]
    fits = plan(both, programme=10)
    assert [f.start for f in fits] == pytest.approx([1.0, 3.0], abs=TINY)
    assert [f.overlap for f in fits] == [0, 0]
    same = [both[0], replace(both[1], timeline=0)]
    fits = plan(same, programme=10)
    assert ends(same, fits)[0] <= fits[1].start + fits[0].overlap + TINY
    assert fits[1].start > 3.5


def test_locks_are_kept() -> None:
    """A locked start, wording and rate come back as they were given."""
    lines = [slot(1, 3, 2.5), slot(4, 6, 2.0, 1.0), slot(8, 10, 2.0)]
    lines[0] = replace(lines[0], locked_start=1.33)
    lines[1] = replace(lines[1], locked_choice=1)
    lines[2] = replace(lines[2], locked_rate=1.07)
    fits = plan(lines, programme=12)
    assert fits[0].start == pytest.approx(1.33)
    assert fits[1].choice == 1
    assert fits[2].rate == pytest.approx(1.07)
    assert refit(lines, programme=12, fixed_rates={0: 1.2})[0].rate == pytest.approx(1.2)


def test_the_native_rate_counts_towards_the_bounds() -> None:
    """A clip already spoken at 1.2 may be sped up by 1.25 / 1.2 before it is an emergency."""
    lines = [replace(slot(1, 3, 2.6), native=1.2), slot(3.05, 6, 2.9), slot(6.1, 9, 2.9), slot(9.1, 12, 2.9)]
    fits = refit(lines, programme=12.1)
    assert 1.0 < fits[0].rate <= 1.30 / 1.2 + TINY


def test_a_latest_end_is_respected_where_possible() -> None:
    """A clip told to end by 3.5 s does, though there is silence to borrow."""
    free = slot(1, 3, 3.0)
    bound = replace(free, latest_end=3.5)
    assert ends([free], plan([free], programme=10))[0] > 3.55
    assert ends([bound], plan([bound], programme=10))[0] <= 3.5 + TINY


def test_lines_off_screen_may_start_later() -> None:
    """The same squeeze moves a line further where nobody sees the mouth."""
    lines = [slot(1, 3, 3.4), slot(3.05, 6, 2.9), slot(9, 11, 2.0)]
    on, off = (
        plan([replace(x, on_screen=flag) for x in lines], programme=20)[1].start for flag in (True, False)
    )
    assert off > on + 0.05


def test_an_empty_programme_has_an_empty_plan() -> None:
    """No lines, no fits."""
    assert plan([], programme=10) == ()
    assert refit([], programme=0) == ()


def test_slots_may_come_in_any_order() -> None:
    """Fits are given back in the order of their slots."""
    slots, length = programme(12, seed=4)
    turned = plan(slots[::-1], programme=length)
    assert turned[::-1] == plan(slots, programme=length)


def test_renaming_speakers_changes_nothing() -> None:
    """Names of speakers are only compared, never ordered."""
    slots, length = programme(80, seed=5)
    names = {"S0": "Zoe", "S1": "Ann", "S2": "Kim"}
    renamed = [replace(x, speaker=names[x.speaker]) for x in slots]
    assert plan(renamed, programme=length) == plan(slots, programme=length)


def test_solving_again_changes_nothing() -> None:
    """Re-fitting a plan's own wordings gives the plan, and so does fixing its rates."""
    slots, length = programme(120, seed=6)
    fits = plan(slots, programme=length)
    locked = [replace(s, locked_choice=f.choice) for s, f in zip(slots, fits, strict=True)]
    assert refit(locked, programme=length) == fits
    fixed = refit(locked, programme=length, fixed_rates={i: f.rate for i, f in enumerate(fits)})
    assert cost(locked, fixed, programme=length) == pytest.approx(
        cost(locked, fits, programme=length), rel=1e-4
    )


def test_a_slow_voice_gets_a_base_rate() -> None:
    """A voice whose lines are all too long is measured against its own median, within limits."""
    slots = [slot(t, t + 2, 2.0) for t in range(0, 24, 4)]
    fits = [Fit(0, s.start, 1.06) for s in slots]
    assert base_rates(slots, fits) == {"A": pytest.approx(1.06)}
    assert base_rates(slots, [replace(f, rate=1.2) for f in fits])["A"] <= 1.10
    assert base_rates(slots, [replace(f, rate=1.01) for f in fits]) == {}
    assert base_rates(slots[:2], fits[:2]) == {}


def test_the_base_rate_steadies_a_slow_voice() -> None:
    """With a base rate the same lines vary less in tempo."""
    slots, length = programme(150, seed=8, ratio=1.08)
    slots = [replace(s, speaker="A", choices=s.choices[:1]) for s in slots]
    spread = [
        np.std([f.rate for f in refit(slots, programme=length, base=base)]) for base in ({}, {"A": 1.08})
    ]
    assert spread[1] < spread[0]


def test_latest_ends_leave_the_others_alone() -> None:
    """A clip may last until the next one on its side, or the end of the programme."""
    lines = [slot(1, 3, 2.0), slot(4, 6, 2.0), slot(5, 7, 2.0, speaker="B", timeline=1)]
    found = latest_ends(lines, plan(lines, programme=10), programme=10)
    assert found[0] == pytest.approx(3.92)  # the gap stays 80 ms
    assert found[1] == pytest.approx(6.0)  # the source overlaps by a second, so may the dub
    assert found[2] == pytest.approx(10.0)


@settings(deadline=None, max_examples=60)
@given(tables())
def test_every_table_has_a_plan_within_the_bounds(table: tuple[list[Slot], float]) -> None:
    """Whatever the table: every line is there, inside the programme, within the rates, overlaps counted."""
    slots, length = table
    fits = plan(slots, programme=length)
    assert len(fits) == len(slots)
    finish = ends(slots, fits)
    last: dict[int, int] = {}
    for i, (s, f) in enumerate(zip(slots, fits, strict=True)):
        total = f.rate * s.native
        assert 0 <= f.choice < len(s.choices)
        assert f.start >= 0
        assert finish[i] <= length + TINY
        assert total >= 0.88 - TINY
        if total > 1.30 + TINY:  # only a clip that fills the whole programme, or all that a lock leaves of it
            assert finish[i] == pytest.approx(length)
            assert s.locked_start is not None or f.start < TINY
        if s.locked_choice is not None:
            assert f.choice == s.locked_choice
        if s.timeline in last:
            before = last[s.timeline]
            assert finish[before] <= f.start + fits[before].overlap + 1e-5
        last[s.timeline] = i


def test_five_thousand_lines() -> None:
    """A day of speech is planned with every line in order, in its window and in time."""
    slots, length = programme(5000, seed=9)
    fits = plan(slots, programme=length)
    finish = np.array(ends(slots, fits))
    start = np.array([f.start for f in fits])
    source = np.array([s.start for s in slots])
    assert len(fits) == 5000
    assert (np.maximum(0, finish[:-1] - start[1:]) > 0.02).sum() == sum(f.overlap > 0.02 for f in fits) <= 2
    assert (start >= source - 0.2 - TINY).all()
    assert np.percentile(start - source, 99) < 0.6
    assert all(0.88 - TINY <= f.rate <= 1.30 + TINY for f in fits)
