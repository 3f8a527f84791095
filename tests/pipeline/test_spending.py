"""What a dub may cost is settled once it is known what it will cost, and before anything is paid."""

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from autodub.dubbing.cost import Estimate
from autodub.dubbing.prices import load
from autodub.model.errors import BudgetExceeded
from autodub.model.language import Language
from autodub.model.request import DubRequest
from autodub.model.time import Span
from autodub.pipeline import spending
from autodub.pipeline.policy import Anything

TABLE = load(
    """
    dated = "2026-01-01"
    [[price]]
    engine = "transcriber.paid"
    unit = "seconds"
    dollars = "0.01"
    """
)


class Rich(Anything):
    """A policy that allows so much."""

    def __init__(self, allowed: Decimal | None) -> None:
        self.allowed = allowed
        self.asked: list[Estimate] = []

    def costs(self, cost: Estimate) -> Decimal | None:
        """What it was told to."""
        self.asked.append(cost)
        return self.allowed


def _told(policy: Rich, *, budget: Decimal | None = None, is_begun: bool = False) -> list[Decimal]:
    """Tell the estimate of a minute that costs 60 cents; the caps that the door was given."""
    caps: list[Decimal] = []
    info = SimpleNamespace(name="paid", paid=True, diarizes=False)
    plan: Any = SimpleNamespace(
        engines={"transcriber": SimpleNamespace(info=info, engine=None)}, spoken=None, clones=False,
        target=Language.parse("es"),
    )  # fmt: skip
    run: Any = SimpleNamespace(
        gateway=SimpleNamespace(prices=TABLE, afford=caps.append), policy=policy, tell=lambda _: None
    )
    mix = SimpleNamespace(duration=60_000)
    found: Any = SimpleNamespace(soundtrack=SimpleNamespace(mix=mix), spans=(Span(0, 60_000),))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spending, "is_transcribed", lambda *_: is_begun)
        spending.tell_estimate(run, plan, DubRequest(source="talk.mp4", target="es", budget=budget), found)
    assert [one.likely for one in policy.asked] == [Decimal("0.60")]
    return caps


def test_what_the_policy_allows_is_the_cap_from_then_on() -> None:
    """A policy that says nothing leaves the request's own."""
    assert _told(Rich(Decimal(2))) == [Decimal(2)]
    assert _told(Rich(None), budget=Decimal(1)) == []


@pytest.mark.parametrize(("allowed", "budget"), [("0.5", None), ("0.5", "5"), ("5", "0.5"), (None, "0.5")])
def test_a_dub_that_cannot_be_paid_is_refused_by_the_lower_of_both_limits(
    allowed: str | None, budget: str | None
) -> None:
    """Once it was begun what is left to pay is less, and the budget itself watches."""
    limits: dict[str, Any] = {"budget": None if budget is None else Decimal(budget)}
    with pytest.raises(BudgetExceeded, match=r"about \$0.60, and \$0.50 is allowed"):
        _told(Rich(None if allowed is None else Decimal(allowed)), **limits)
    _told(Rich(None if allowed is None else Decimal(allowed)), is_begun=True, **limits)
