"""Looking at cloud accounts: whether keys, models and plans will do, asked of the providers side by side."""

from __future__ import annotations

import threading

from autodub.cli.survey import Check
from autodub.engines import registry
from autodub.engines.context import engine_context
from autodub.engines.roles import Examined, Readiness
from autodub.infra.settings import Settings
from autodub.model.errors import AutodubError
from autodub.pipeline.catalogue import EngineState

_SECONDS = 15.0
"""A provider that cannot be reached is not waited for any longer than this."""


def accounts(settings: Settings, states: tuple[EngineState, ...]) -> tuple[Check, ...]:
    """One finding per engine that is ready and has an account; nothing when offline."""
    if settings.offline:
        return ()
    context = engine_context(settings)
    engines = {}
    for state in states:
        if state.is_ready:
            engine = registry.build(state.role, state.name, {}, context)
            if isinstance(engine, Examined):
                engines[f"{state.role}.{state.name}"] = engine
    found: dict[str, Check] = {}

    def look(name: str, engine: Examined) -> None:
        try:
            found[name] = _finding(name, engine.examine(), settings)
        except AutodubError as problem:
            found[name] = Check(name, "warning", settings.redact(problem.message), problem.hint)

    threads = [
        threading.Thread(target=look, args=item, name=f"account {item[0]}", daemon=True)
        for item in engines.items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(_SECONDS)
    late = f"the provider gave no answer within {_SECONDS:.0f} s"
    return tuple(
        found.get(name) or Check(name, "warning", late, "Try again, or choose another engine.")
        for name in engines
    )


def _finding(name: str, answer: Readiness, settings: Settings) -> Check:
    is_good = answer.state == "ready" and not answer.fix
    return Check(name, "ok" if is_good else "warning", settings.redact(answer.detail), answer.fix)
