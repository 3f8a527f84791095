"""Standby: which engine takes over when one is down. Decided here, once per role and dub, and announced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from autodub.engines.roles import EngineContext, Translator
from autodub.model.errors import AutodubError, Busy, CircuitOpen, EngineCannot, TooLong, Unreachable
from autodub.model.language import Language
from autodub.model.request import DubRequest
from autodub.pipeline.choosing import Chosen, stand_in
from autodub.pipeline.plan import Plan
from autodub.pipeline.run import Run

AWAY = (CircuitOpen, Unreachable, Busy, TooLong)
"""Failures after which another engine may do: this one does not answer, or not to so much at once."""

_DONE_BY = {
    "transcriber": "{new} writes down what is said instead of {old}",
    "translator": "{new} translates instead of {old}, everything from the beginning",
    "synthesizer": "{new} speaks instead of {old}, the whole cast",
}
T = TypeVar("T")


def sticky(
    run: Run, plan: Plan, request: DubRequest, context: EngineContext, step: Callable[[Plan], T]
) -> tuple[Plan, T]:
    """Do a step of the dub; when an engine nobody named is down, do it again with the next best.

    The answer holds the plan it was done by: whoever took over stays for the rest of the dub.
    """
    down: dict[str, set[str]] = {}
    while True:
        try:
            return plan, step(plan)
        except AWAY as problem:
            plan = _taken_over(run, plan, request, context, problem, down)


def _taken_over(
    run: Run,
    plan: Plan,
    request: DubRequest,
    context: EngineContext,
    problem: AutodubError,
    down: dict[str, set[str]],
) -> Plan:
    """The plan with another engine in place of the one that failed. Raises the problem when none is left."""
    role = str(getattr(problem, "engine", "")).partition(".")[0]
    old = plan.engines.get(role)
    if role == "cloner":
        role, old = "synthesizer", plan.engines["synthesizer"]
    if role not in _DONE_BY or old is None or old.named:
        raise problem
    down.setdefault(role, set()).add(old.info.name)
    language: dict[str, Language | None] = {"transcriber": plan.spoken, "synthesizer": plan.target}
    try:
        new = stand_in(role, request, context, language=language.get(role), without=frozenset(down[role]))
        if role == "translator" and plan.spoken is not None:
            translator: Translator = new.engine
            translator.route(plan.spoken.tag, plan.target.tag)
    except EngineCannot:
        raise problem from None
    engines = {**plan.engines, role: new}
    clones = plan.clones
    if role == "synthesizer" and plan.clones:
        engines["cloner"], clones = _matching(request, context), False
    run.degrade(
        role, _DONE_BY[role].format(new=new.info.name, old=old.info.name), problem.message, passing=True
    )
    return replace(plan, engines=engines, clones=clones, stood_in=plan.stood_in | {role})


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
