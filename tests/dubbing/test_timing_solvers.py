"""The parts under the plan: the table of a problem, its cost, the search over wordings, the blocks."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from timing_tables import programme, slot

from autodub.dubbing import timing_dp, timing_lp
from autodub.dubbing.timing import BOUNDS, WEIGHTS, Choice, Fit, Slot, cost, plan, refit
from autodub.dubbing.timing_table import Table, tabulate


def table(slots: list[Slot], length: float) -> Table:
    """The arrays of a problem with default settings."""
    return tabulate(slots, programme=length, weights=WEIGHTS, bounds=BOUNDS, base={})


def test_the_cost_is_the_sum_of_its_terms() -> None:
    """Each term of the objective, worked out by hand."""
    lines = [slot(1, 3, 2.0, 1.5), slot(3.5, 5, 1.5)]
    exact = [Fit(0, 1.0, 1.0), Fit(0, 3.5, 1.0)]
    assert cost(lines, exact, programme=10) == pytest.approx(0.0)

    def price(first: Fit, second: Fit = exact[1]) -> float:
        return cost(lines, [first, second], programme=10)

    assert price(Fit(0, 1.1, 1.0)) == pytest.approx(0.1 * 3 + 0.1 * 2)  # late at both ends
    assert price(Fit(0, 0.9, 1.0)) == pytest.approx(0.1 * 6 + 0.1 * 1)  # early at both ends
    assert price(Fit(1, 1.0, 1.0)) == pytest.approx(0.5 * 1 + 0.2 * 6)  # ends early, other wording
    assert price(Fit(0, 1.0, 1 / 1.1)) == pytest.approx(0.2 * 2 + 0.05 * 2 + 0.1 * 3)  # slow, and uneven
    assert price(Fit(0, 1.0, 1 / 0.8)) == pytest.approx(0.4 * 1 + 0.15 * 2 + 0.08 * 12 + 0.2 * 3)
    assert price(Fit(0, 1.6, 1.0)) == pytest.approx(
        0.6 * 3 + 0.6 * 2 + 0.18 * 200
    )  # 80 ms apart would be right
    assert price(exact[0], Fit(0, 4.2, 1.0)) == pytest.approx(0.7 * 3 + 0.7 * 2 + 0.1 * 24)


def test_off_screen_lines_weigh_a_third() -> None:
    """Onset and offset of a line nobody sees cost a third."""
    lines = [replace(slot(1, 3, 2.0), on_screen=False)]
    assert cost(lines, [Fit(0, 1.3, 1.0)], programme=10) == pytest.approx((0.3 * 3 + 0.3 * 2) / 3)


@pytest.mark.parametrize(
    "values",
    [
        {"choices": ()},
        {"end": 0.5},
        {"native": 0.0},
        {"locked_rate": -1.0},
        {"locked_choice": 2},
        {"start": float("nan")},
    ],
)
def test_impossible_slots_are_refused(values: dict[str, object]) -> None:
    """A slot without wordings, with negative length or unusable locks is a mistake of the caller."""
    with pytest.raises(ValueError):
        replace(slot(1, 2, 1.0), **values)  # type: ignore[arg-type]


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), -0.1])
def test_impossible_lengths_are_refused(seconds: float) -> None:
    """A length that is no length is a mistake of the caller."""
    with pytest.raises(ValueError):
        Choice(seconds)


def test_the_earliest_start_depends_on_the_gap_before() -> None:
    """A line may start up to 200 ms early, but not into the source line before it."""
    found = table([slot(0.1, 1, 0.9), slot(1.05, 2, 0.9), slot(4, 5, 1.0)], 10)
    assert found.first == pytest.approx([0.0, 1.0, 3.8])


def test_crosstalk_constrains_every_side() -> None:
    """A line must wait for the last line of its own side though another side spoke in between."""
    lines = [slot(0, 6, 6.0), slot(2, 3, 1.0, speaker="B", timeline=1), slot(6.5, 8, 1.5)]
    found = table(lines, 10)
    pairs = {(int(i), int(j)): gap for (i, j), gap in zip(found.edges, found.gaps, strict=True)}
    assert pairs == {(0, 1): pytest.approx(-4.0), (0, 2): pytest.approx(0.08), (1, 2): pytest.approx(0.08)}


def brute(slots: list[Slot], length: float) -> list[int]:
    """The best wordings by trying all of them."""
    best = min(
        itertools.product(*(range(len(s.choices)) for s in slots)),
        key=lambda ks: cost(
            slots,
            refit(
                [replace(s, locked_choice=k) for s, k in zip(slots, ks, strict=True)],
                programme=length,
                base={},
            ),
            programme=length,
        ),
    )
    return list(best)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_search_finds_the_wordings_that_trying_all_finds(seed: int) -> None:
    """For five lines of two wordings the dynamic programme agrees with exhaustive search."""
    slots, length = programme(5, seed=seed, ratio=1.3)
    slots = [replace(s, choices=s.choices[::2]) for s in slots]
    assert timing_dp.choose(table(slots, length)).tolist() == brute(slots, length)


def test_the_search_keeps_decided_wordings() -> None:
    """Locked wordings stay and the others are chosen around them."""
    slots, length = programme(40, seed=3)
    slots = [replace(s, locked_choice=2) if i % 3 == 0 else s for i, s in enumerate(slots)]
    assert (timing_dp.choose(table(slots, length))[::3] == 2).all()


def test_the_search_is_the_same_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """How many lines are worked out at once makes no difference."""
    slots, length = programme(30, seed=4)
    whole = timing_dp.choose(table(slots, length))
    monkeypatch.setattr(timing_dp, "BATCH", 7)
    assert (timing_dp.choose(table(slots, length)) == whole).all()


def test_blocks_cost_nearly_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Solving a long programme in blocks is as good as solving it whole, and keeps the order at the seams."""
    slots, length = programme(400, seed=5)
    slots = [replace(s, choices=s.choices[:1]) for s in slots]
    whole = refit(slots, programme=length, base={})
    monkeypatch.setattr(timing_lp, "BLOCK", 60)
    blocks = refit(slots, programme=length, base={})
    assert len(timing_lp._cuts(table(slots, length))) > 4
    assert cost(slots, blocks, programme=length) <= 1.002 * cost(slots, whole, programme=length)
    assert sum(f.overlap > 0.02 for f in blocks) == sum(f.overlap > 0.02 for f in whole)


def test_blocks_end_at_long_silences() -> None:
    """Each block but the last ends at a silence of 1.2 s where there is one near."""
    slots, length = programme(2600, seed=6)
    found = table(slots, length)
    cuts = timing_lp._cuts(found)
    assert cuts[-1] == 2600
    assert len(cuts) == 3
    assert all(found.s[cut] - found.e[cut - 1] >= 1.2 for cut in cuts[:-1])


def test_overlaps_are_resolved_by_a_shorter_wording() -> None:
    """A line that crosses a nested one is shortened though the search saw only neighbours."""
    lines = [
        slot(0, 6, 9.5, 6.0),
        slot(2, 3, 1.0, speaker="B", timeline=1),
        slot(6.1, 9, 2.9),
        slot(9.05, 12, 2.9),
        slot(12.05, 15, 2.9),
    ]
    fits = plan(lines, programme=16)
    assert fits[0].choice == 1
    assert max(f.overlap for f in fits) == 0


def test_equal_input_gives_equal_output() -> None:
    """Two runs of the same problem are identical to the last bit."""
    slots, length = programme(60, seed=7)
    assert plan(slots, programme=length) == plan(slots, programme=length)


def test_starts_are_numbers() -> None:
    """No solution contains a value that is not finite, in any block."""
    slots, length = programme(200, seed=8, ratio=2.0)
    fits = refit(slots, programme=length)
    assert np.isfinite([[f.start, f.rate, f.overlap] for f in fits]).all()


@pytest.mark.parametrize("pace", [0.95, 1.04, 1.08])
def test_the_solution_is_the_best_for_its_base_rate(pace: float) -> None:
    """Measured against a base rate, neither another base's solution nor a nudged one is cheaper."""
    slots, length = programme(40, seed=9)
    slots = [replace(s, choices=s.choices[:1]) for s in slots]
    base = dict.fromkeys(("S0", "S1", "S2"), pace)
    fits = refit(slots, programme=length, base=base)
    best = cost(slots, fits, programme=length, base=base)
    others = [refit(slots, programme=length, base={})]
    random = np.random.default_rng(1)
    for i in random.integers(0, len(fits), 30):
        nudged = list(fits)
        nudged[i] = replace(
            fits[i], start=fits[i].start + 0.01, rate=fits[i].rate * float(random.uniform(0.98, 1.02))
        )
        others.append(tuple(nudged))
    assert all(best <= cost(slots, other, programme=length, base=base) + 0.01 for other in others)
