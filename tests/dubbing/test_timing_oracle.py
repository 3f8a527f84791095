"""The plan against an exact mixed-integer solution of the same model, written down independently."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import Bounds as Box
from scipy.optimize import LinearConstraint, milp
from timing_tables import programme

from autodub.dubbing.timing import Slot, cost, plan, refit


class Model:
    """Collects variables and rows of a small mixed-integer programme."""

    def __init__(self) -> None:
        self.price: list[float] = []
        self.low: list[float] = []
        self.high: list[float] = []
        self.whole: list[int] = []
        self.rows: list[tuple[dict[int, float], float]] = []

    def add(self, price: float = 0.0, low: float = 0.0, high: float = np.inf, *, whole: bool = False) -> int:
        """A new variable."""
        self.price.append(price)
        self.low.append(low)
        self.high.append(high)
        self.whole.append(int(whole))
        return len(self.price) - 1

    def at_least(self, terms: dict[int, float], value: float) -> None:
        """A row: the terms add up to at least ``value``."""
        self.rows.append((terms, value))

    def solve(self) -> float:
        """The optimum."""
        matrix = np.zeros((len(self.rows), len(self.price)))
        for row, (terms, _) in enumerate(self.rows):
            for column, factor in terms.items():
                matrix[row, column] += factor
        least = np.array([value for _, value in self.rows])
        found = milp(
            np.array(self.price),
            constraints=LinearConstraint(matrix, least, np.full(len(least), np.inf)),
            bounds=Box(np.array(self.low), np.array(self.high)),
            integrality=np.array(self.whole),
            options={"mip_rel_gap": 1e-6, "time_limit": 20},
        )
        assert found.status == 0, found.message
        return float(found.fun)


def optimum(slots: list[Slot], length: float) -> float:
    """Cost of the best plan there is."""
    m = Model()
    lines: list[tuple[int, dict[int, float], dict[int, float]]] = []  # start, terms of the end, terms of u
    before: dict[str, dict[int, float]] = {}
    reach = 0.0
    for i, s in enumerate(slots):
        window = s.start + (0.30 if s.on_screen else 0.60)
        following = slots[i + 1].start if i + 1 < len(slots) else length
        latest = max(window, min(window + 3.0, following))
        a = m.add(low=s.start - min(0.2, max(0.0, s.start - reach)), high=min(latest, length))
        xs = [m.add(6.0 * c.loss, high=1.0, whole=True) for c in s.choices]
        us = [m.add() for _ in s.choices]
        for x, u in zip(xs, us, strict=True):
            m.at_least({x: 1 / 0.88, u: -1.0}, 0.0)
            m.at_least({u: 1.0, x: -1 / 1.30}, 0.0)
        m.at_least(dict.fromkeys(xs, 1.0), 1.0)
        m.at_least(dict.fromkeys(xs, -1.0), -1.0)
        u_of = dict.fromkeys(us, 1.0)
        end = {a: 1.0} | {u: c.seconds for u, c in zip(us, s.choices, strict=True)}
        scale = 1 / 3 if s.on_screen is False else 1.0
        for price, terms, target in (
            (6 * scale, {a: -1.0}, -s.start),
            (3 * scale, {a: 1.0}, s.start),
            (24.0, {a: 1.0}, window),
            (2 * scale, end, s.end),
            (1 * scale, {k: -v for k, v in end.items()}, -s.end),
            (2.0, u_of, 1.05),
            (12.0, u_of, 1.12),
            (2.0, dict.fromkeys(us, -1.0), -0.95),
            (12.0, dict.fromkeys(us, -1.0), -0.88),
            (120.0, dict.fromkeys(us, -1.0), -1 / 1.25),
        ):
            m.at_least({m.add(price): 1.0} | {k: -v for k, v in terms.items()}, -target)
        m.at_least({k: -v for k, v in end.items()}, -length)
        if s.speaker in before:
            change = m.add(3.0)
            other = before[s.speaker]
            m.at_least({change: 1.0} | dict.fromkeys(u_of, -1.0) | other, 0.0)
            m.at_least({change: 1.0} | u_of | {k: -v for k, v in other.items()}, 0.0)
        before[s.speaker] = u_of
        if lines:
            gap = min(0.08, max(0.0, s.start - slots[i - 1].end))
            m.at_least({m.add(200.0): 1.0, a: 1.0} | {k: -v for k, v in lines[-1][1].items()}, gap)
        lines.append((a, end, u_of))
        reach = max(reach, s.end)
    return m.solve()


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_the_plan_costs_at_most_one_percent_more_than_the_best(seed: int) -> None:
    """Dynamic programming and a linear programme come within 1 % of the exact optimum."""
    slots, length = programme(20, seed=seed)
    best = optimum(slots, length)
    found = cost(slots, plan(slots, programme=length, base={}), programme=length)
    assert best - 1e-3 <= found <= best * 1.01


@pytest.mark.parametrize("seed", [5, 6])
def test_expanding_translations_are_planned_as_well(seed: int) -> None:
    """Two per cent where the dub is a third longer than the source and emergencies occur."""
    slots, length = programme(12, seed=seed, ratio=1.37)
    best = optimum(slots, length)
    found = cost(slots, plan(slots, programme=length, base={}), programme=length)
    assert best - 1e-3 <= found <= best * 1.02


@pytest.mark.parametrize("ratio", [0.8, 1.14, 1.5])
def test_starts_and_rates_are_optimal_for_given_wordings(ratio: float) -> None:
    """With one wording the linear programme reaches the optimum itself."""
    slots, length = programme(20, seed=7, ratio=ratio)
    slots = [Slot(s.start, s.end, s.speaker, s.choices[:1], on_screen=s.on_screen) for s in slots]
    found = cost(slots, refit(slots, programme=length, base={}), programme=length)
    assert found == pytest.approx(optimum(slots, length), rel=1e-3)
