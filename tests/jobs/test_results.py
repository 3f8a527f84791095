"""What a finished job says of itself."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import pytest

from autodub.dubbing.cost import Estimate
from autodub.jobs import results
from autodub.pipeline.estimating import Foretold
from autodub.quality.receipt import LineCount


@pytest.mark.parametrize(
    ("spoken", "total", "flagged", "said"),
    [
        (4, 4, 0, "4 of 4 lines are spoken. All is well."),
        (3, 4, 2, "3 of 4 lines are spoken, 2 of them worth a listen. All is well."),
        (0, 0, 0, "All is well."),
    ],
)
def test_a_dub_says_how_many_lines_it_speaks(spoken: int, total: int, flagged: int, said: str) -> None:
    """A person reads that first, and the receipt's verdict after it."""
    receipt: Any = SimpleNamespace(
        line_count=LineCount(total, spoken, total - spoken, 0, spoken), flagged=(None,) * flagged,
        summary="All is well.",
    )  # fmt: skip
    assert results._lines(receipt) == said


@pytest.mark.parametrize(
    ("cost", "said"),
    [
        (None, "It would cost nothing: none of its engines is paid."),
        (
            Estimate(Decimal("0.5"), Decimal("1.25"), Decimal(2), (), "2026-11-01"),
            "It would cost about $1.25 ($0.50 to $2.00).",
        ),
    ],
)
def test_an_estimate_says_its_price(cost: Estimate | None, said: str) -> None:
    """In one sentence, also where nothing is to be paid."""
    told = Foretold("talk.mp4", 60_000, 30_000, (("transcriber", "sphinx"),), cost)
    result = results.of_estimate(told)
    assert result.summary == said
    assert result.seconds == 60.0
    assert cast("dict[str, Any]", result.estimate)["engines"] == {"transcriber": "sphinx"}
