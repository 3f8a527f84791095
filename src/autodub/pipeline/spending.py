"""What a dub may cost and will cost: the door to its engines with a budget, and the estimate."""

from __future__ import annotations

from decimal import Decimal

from autodub.dubbing.cost import Engaged, Estimate, Expected, estimate
from autodub.engines.roles import Quoting
from autodub.gateway.cancel import Cancel
from autodub.gateway.gateway import Gateway
from autodub.gateway.store import Store
from autodub.infra import price_list
from autodub.infra.settings import Settings
from autodub.model.errors import BudgetExceeded
from autodub.model.job import Event, Listener
from autodub.model.request import DubRequest
from autodub.model.time import total
from autodub.pipeline.listening import Found, is_transcribed
from autodub.pipeline.names import discreet
from autodub.pipeline.plan import Plan
from autodub.pipeline.run import Run

_SPEAKERS = 2
"""Speakers of a programme that nobody has counted."""


def gateway(
    store: Store,
    request: DubRequest,
    settings: Settings,
    *,
    listener: Listener,
    cancel: Cancel,
    is_elsewhere: bool = False,
    user: str = "",
) -> Gateway:
    """The door to the engines of one user's dub, with its budget. Raises BadOption for a bad price table."""
    return Gateway(
        store,
        listener=listener,
        cancel=cancel,
        redact=discreet(request, settings, is_elsewhere=is_elsewhere),
        prices=price_list.table(settings.prices),
        cap=request.budget,
        user=user,
    )


def tell_estimate(run: Run, plan: Plan, request: DubRequest, found: Found) -> None:
    """Say what the dub will cost. Raises BudgetExceeded, before anything is spent, when that is too much.

    The policy may allow less than the request does; no more than that is spent from here on.
    """
    run.expected = Expected(
        seconds=found.soundtrack.mix.duration / 1000,
        speech=total(found.spans) / 1000,
        speakers=request.speakers or _SPEAKERS,
        source=plan.spoken.tag if plan.spoken else "en",
        target=plan.target.tag,
        cloned=plan.clones,
        diarized=plan.engines["transcriber"].info.diarizes,
    )
    allowed = _set_aside(run, plan)
    if run.estimate is None:
        return
    known, limits = run.estimate, [limit for limit in (request.budget, allowed) if limit is not None]
    budget = min(limits) if limits else None
    is_short = budget is not None and known.low > budget
    # A dub that was begun before pays only for the rest, which nobody knows: the budget itself watches.
    if is_short and not is_transcribed(run, plan, request, found):
        raise BudgetExceeded(
            f"This dub would cost about ${known.likely:.2f}, and ${budget:.2f} is allowed.",
            hint="Raise --budget, dub a part with --start and --end, or choose engines that cost nothing.",
        )


def engage(run: Run, plan: Plan) -> None:
    """Set money aside for a plan with an engine that took over, where the one before needed none.

    Else there is some already, with room for a dearer engine. Raises what the policy does.
    """
    if run.estimate is None and run.expected is not None:
        _set_aside(run, plan)


def _set_aside(run: Run, plan: Plan) -> Decimal | None:
    """Say what a plan will cost, and have it paid: what may be spent; None where nothing limits that."""
    paid = [
        Engaged(
            f"{role}.{chosen.info.name}", chosen.engine.model if isinstance(chosen.engine, Quoting) else ""
        )
        for role, chosen in sorted(plan.engines.items())
        if chosen.info.paid
    ]
    if not paid or run.expected is None:
        return None
    known = run.estimate = estimate(run.expected, paid, run.gateway.prices)
    run.tell(
        Event(
            "estimate",
            message=_said(known),
            data={"low": float(known.low), "likely": float(known.likely), "high": float(known.high)},
        )
    )
    allowed = run.policy.costs(known)
    if allowed is not None:
        run.gateway.afford(allowed)
    return allowed


def _said(known: Estimate) -> str:
    without = f"; the price of {', '.join(known.unpriced)} is not known" if known.unpriced else ""
    return (
        f"it will cost about ${known.likely:.2f} (${known.low:.2f} to ${known.high:.2f}, "
        f"prices of {known.dated}{without})"
    )
