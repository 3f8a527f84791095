"""Standby: which engine takes over when one is down. Decided here, once per role and dub, and announced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from autodub.engines.roles import EngineContext, Translator
from autodub.model.errors import (
    AutodubError,
    Busy,
    CircuitOpen,
    QuotaExceeded,
    RequestError,
    TooLong,
    Unreachable,
)
from autodub.model.language import Language
from autodub.model.request import DubRequest
from autodub.pipeline import spending
from autodub.pipeline.choosing import Chosen, is_last_resort, stand_in
from autodub.pipeline.listening import passes
from autodub.pipeline.plan import Plan
from autodub.pipeline.run import Run

AWAY = (CircuitOpen, Unreachable, Busy, TooLong)
"""Failures after which another engine may do: this one does not answer, or not to so much at once."""

_DONE_BY = {
    "transcriber": "{new} writes down what is said instead of {old}",
    "translator": "{new} translates instead of {old}, everything from the beginning",
    "synthesizer": "{new} speaks instead of {old}, the whole cast",
}
_DONE_AGAIN = frozenset({"voice", "translator"})
"""What is decided anew when a step is done again."""
T = TypeVar("T")


def sticky(
    run: Run, plan: Plan, request: DubRequest, context: EngineContext, step: Callable[[Plan], T]
) -> tuple[Plan, T]:
    """Do a step of the dub; when an engine nobody named is down, do it again with the next best.

    The answer holds the plan it was done by: whoever took over stays for the rest of the dub.
    """
    down: dict[str, set[str]] = {}
    while True:
        before = len(run.degradations)
        try:
            return plan, step(plan)
        except AWAY as problem:
            new = _stand_in(plan, request, context, problem, down)
            run.withdraw(_DONE_AGAIN, since=before)
            plan = _taken_over(run, plan, new, problem)


def _stand_in(
    plan: Plan,
    request: DubRequest,
    context: EngineContext,
    problem: AutodubError,
    down: dict[str, set[str]],
) -> dict[str, Chosen]:
    """Who serves which role in place of the one that failed. Raises the problem when nobody does."""
    role = str(getattr(problem, "engine", "")).partition(".")[0]
    is_named = role == "cloner" and plan.engines["cloner"].named
    if role == "cloner":
        role = "synthesizer"
    old = plan.engines.get(role)
    if role not in _DONE_BY or old is None or old.named or is_named:
        raise problem
    down.setdefault(role, set()).add(old.info.name)
    language: dict[str, Language | None] = {"transcriber": plan.spoken, "synthesizer": plan.target}
    try:
        new = stand_in(role, request, context, language=language.get(role), without=frozenset(down[role]))
        if _is_wasted(plan, role, new):
            raise problem
        if role == "translator" and plan.spoken is not None:
            translator: Translator = new.engine
            translator.route(plan.spoken.tag, plan.target.tag)
        if role == "synthesizer" and plan.clones:
            return {role: new, "cloner": _matching(request, context)}
    except RequestError:
        raise problem from None
    return {role: new}


def _is_wasted(plan: Plan, role: str, new: Chosen) -> bool:
    """Whether somebody would be paid to speak what a last resort understood or translated."""
    later = {"transcriber": ("translator", "synthesizer"), "translator": ("synthesizer",)}.get(role, ())
    return is_last_resort(new.info) and any(plan.engines[name].info.paid for name in later)


def _taken_over(run: Run, plan: Plan, new: dict[str, Chosen], problem: AutodubError) -> Plan:
    """The plan with other engines in some roles, paid for and announced."""
    role = next(iter(new))
    taken = replace(
        plan,
        engines={**plan.engines, **new},
        clones=plan.clones and role != "synthesizer",
        stood_in=plan.stood_in | {role},
    )
    try:
        spending.engage(run, taken)
    except QuotaExceeded:  # nobody stands in whom nobody pays
        raise problem from None
    names = {"new": new[role].info.name, "old": plan.engines[role].info.name}
    run.degrade(role, _DONE_BY[role].format(**names), problem.message, passing=passes(problem))
    return taken


def _matching(request: DubRequest, context: EngineContext) -> Chosen:
    """Whoever asked for clones gets matched voices from a synthesizer that cannot clone."""
    return stand_in(
        "cloner",
        replace(request, engines={k: v for k, v in request.engines.items() if k != "cloner"}),
        context,
        language=None,
        without=frozenset(),
        clones=(),
    )
