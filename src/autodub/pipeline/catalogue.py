"""What there is to choose from here: engines with their state, languages, and stock voices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from autodub.engines import registry
from autodub.engines.context import engine_context
from autodub.engines.roles import EngineContext, Readiness, Work
from autodub.infra.settings import Settings
from autodub.model.calls import ListVoices
from autodub.model.errors import AutodubError, EngineCannot, Unavailable
from autodub.model.language import Language
from autodub.model.request import ROLES
from autodub.model.speech import Voice, Voices


@dataclass(frozen=True, slots=True)
class EngineState:
    """One engine and whether it can run here."""

    role: str
    name: str
    version: str
    summary: str
    languages: tuple[str, ...] | None
    """Primary language subtags; None = any."""
    readiness: Readiness
    options: tuple[registry.Option, ...] = ()

    @property
    def is_ready(self) -> bool:
        """Whether it can run right now."""
        return self.readiness.state == "ready"


@dataclass(frozen=True, slots=True)
class LanguageState:
    """The languages one engine that can run here serves."""

    role: str
    name: str
    languages: tuple[str, ...] | None
    """Primary language subtags; None = any."""
    pairs: Mapping[str, tuple[str, ...]] | None = None
    """Translator: source -> targets, where not every language leads to every other."""


def engines(settings: Settings) -> tuple[EngineState, ...]:
    """Every registered engine, by role; an engine that cannot be loaded is listed as not installed."""
    given = engine_context(settings)
    return tuple(_state(role, name, given) for role in ROLES for name in registry.names(role))


def moderator(settings: Settings, name: str) -> EngineState:
    """Whether the engine that an operator has look at what is said can run here."""
    return _state("moderator", name, engine_context(settings))


def languages(settings: Settings) -> tuple[LanguageState, ...]:
    """What every engine that is ready here does with which languages."""
    return languages_of(settings, engines(settings))


def languages_of(settings: Settings, states: tuple[EngineState, ...]) -> tuple[LanguageState, ...]:
    """The same, of engines whose states are known."""
    given = engine_context(settings)
    found = []
    for state in states:
        if state.role in ("transcriber", "translator", "synthesizer") and state.is_ready:
            engine = registry.build(state.role, state.name, {}, given)
            pairs = engine.pairs() if hasattr(engine, "pairs") else None
            found.append(LanguageState(state.role, state.name, state.languages, pairs))
    return tuple(found)


def speaker(settings: Settings, target: Language, *, name: str | None = None) -> str:
    """The synthesizer named, else the first that is ready and serves the language. Raises EngineCannot."""
    if name is not None:
        ready = registry.build("synthesizer", name, {}, engine_context(settings)).readiness()
        if ready.state != "ready":
            raise EngineCannot(f"The synthesizer {name} cannot run here: {ready.detail}.", hint=ready.fix)
        return name
    for state in engines(settings):
        served = state.languages is None or target.primary in state.languages
        if state.role == "synthesizer" and state.is_ready and served:
            return state.name
    raise EngineCannot(f"No synthesizer that is ready speaks {target.name}.", hint="See: autodub languages")


def voices(
    settings: Settings, target: Language, synthesizer: str, work: Work, *, options: Mapping[str, str] = {}
) -> tuple[Voice, ...]:
    """The stock voices a synthesizer has for a language; asks the provider where they are there.

    Raises EngineCannot where there is none, BadOption, and any EngineError.
    """
    engine = registry.build("synthesizer", synthesizer, options, engine_context(settings))
    found: Voices = engine.list_voices(ListVoices(target.tag), work)
    return found.voices


def _state(role: str, name: str, context: EngineContext) -> EngineState:
    try:
        engine_class = registry.load(role, name)
        info = engine_class.describe()
        options = registry.describe_options(engine_class)
    except AutodubError as problem:
        lost = Readiness("not installed", problem.message, problem.hint)
        return EngineState(role, name, "", "", (), lost)
    try:
        engine = registry.build(role, name, {}, context)
        info, readiness = engine.describe(), engine.readiness()
    except Unavailable as problem:  # it is elsewhere, and nobody can be asked there
        readiness = Readiness("needs worker", problem.message, problem.hint)
    except AutodubError as problem:
        readiness = Readiness("not installed", problem.message, problem.hint)
    languages = None if info.languages is None else tuple(sorted(info.languages))
    return EngineState(role, name, info.version, info.summary, languages, readiness, options)
