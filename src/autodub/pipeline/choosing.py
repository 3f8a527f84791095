"""Choosing engines: the one named, or the best that can run here, with the reason."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, cast
from urllib.parse import urlsplit

from autodub.engines import registry
from autodub.engines.roles import EngineContext, Info, Stocked
from autodub.model.errors import AutodubError, BadOption, EngineCannot, Unavailable
from autodub.model.language import Language
from autodub.model.request import ROLES, DubRequest

TEXT_ENGINE = "subtitles"
"""The transcriber that reads a transcript instead of listening."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """An engine built for this dub, and why it was taken."""

    engine: Any
    info: Info
    why: str
    named: bool
    """True when the user named it: then it is never silently replaced."""


_LAST = 2

Builder = Callable[[str, str], Any]


def likely(request: DubRequest, context: EngineContext) -> tuple[Any, ...]:
    """Engines that will probably be chosen, before anything is known of the source."""
    build = builder(request, context)
    found = []
    for role in ("transcriber", "translator", "synthesizer"):
        with contextlib.suppress(AutodubError):  # the plan will say so, with the source in view
            found.append(choose(role, request, build, language=None).engine)
    return tuple(found)


def stand_in(
    role: str,
    request: DubRequest,
    context: EngineContext,
    *,
    language: Language | None,
    without: frozenset[str],
    clones: tuple[str, ...] | None = None,
) -> Chosen:
    """Who serves a role when those of ``without`` are down. Raises EngineCannot when nobody does.

    Options that were given for the engine that is down are not held against one that does not take them.
    """
    given = builder(request, context)

    def build(role: str, name: str) -> Any:
        try:
            return given(role, name)
        except BadOption:
            return registry.build(role, name, {}, context)

    return choose(role, request, build, language=language, without=without, clones=clones)


def choose_speaking(request: DubRequest, build: Builder, target: Language) -> dict[str, Chosen]:
    """Who speaks, and who makes the voices, chosen together: a clone belongs to one synthesizer."""
    if not request.clone_voices:
        found = {"synthesizer": choose("synthesizer", request, build, language=target)}
        if request.match_voices:
            found["cloner"] = choose("cloner", request, build, language=None, clones=())
        return found
    wanted = request.engines.get("synthesizer", "auto")
    cloners = [
        name
        for name, info in _known("cloner")[0].items()
        if info.clones and wanted in ("auto", info.clones) and _speaks(info.clones, build, target)
    ]
    if not cloners:
        raise EngineCannot(
            f"The synthesizer {wanted} cannot speak {target.name} with cloned voices."
            if wanted != "auto"
            else f"No synthesizer here speaks {target.name} with cloned voices.",
            hint="Choose another --synthesizer, or use --match-voices instead of --clone.",
        )
    cloner = choose("cloner", request, build, language=None, clones=tuple(cloners))
    speaker = replace_engine(request, "synthesizer", cloner.info.clones)
    chosen = choose("synthesizer", speaker, build, language=target)
    if wanted == "auto":  # it goes with the cloner, and is as fixed as that one is
        chosen = replace(chosen, named=cloner.named, why=f"speaks with the voices of {cloner.info.name}")
    return {"cloner": cloner, "synthesizer": chosen}


def _speaks(synthesizer: str, build: Builder, target: Language) -> bool:
    try:
        return _serves(build("synthesizer", synthesizer).describe(), target)
    except (EngineCannot, BadOption):  # cannot be loaded, or is not the one the options are for
        return False


def replace_engine(request: DubRequest, role: str, name: str) -> DubRequest:
    """The request with one engine named."""
    return replace(request, engines={**request.engines, role: name})


def builder(request: DubRequest, context: EngineContext) -> Builder:
    """What makes engines with the options of a request. Raises EngineCannot for options of no role."""
    unknown = sorted(set(request.options) - set(ROLES))
    if unknown:
        raise EngineCannot(
            f"There is no engine role called {unknown[0]!r}.", hint="Roles: " + ", ".join(ROLES) + "."
        )

    def build(role: str, name: str) -> Any:
        engine = registry.build(role, name, request.options.get(role, {}), context)
        if context.offline and engine.describe().resource == "net" and not _is_local(engine, context):
            raise EngineCannot(
                f"The {role} {name} is reached over the network, which is switched off.",
                hint="Unset AUTODUB_OFFLINE (or `offline` in the settings file), or choose another one.",
            )
        return engine

    return build


def _is_local(engine: Any, context: EngineContext) -> bool:
    """Whether an engine of the network is really a server of this machine."""
    setting = str(engine.describe().key).replace("_API_KEY", "_BASE_URL")
    host = urlsplit(context.endpoints.get(setting, "")).hostname or ""
    return host in ("localhost", "127.0.0.1", "::1")


def named(role: str, name: str, build: Builder, *, why: str, by_user: bool) -> Chosen:
    """The engine of that name. Raises EngineCannot when it cannot run here."""
    engine = build(role, name)
    ready = engine.readiness()
    if ready.state != "ready":
        raise EngineCannot(f"The {role} {name} cannot run here: {ready.detail}.", hint=ready.fix)
    return Chosen(engine, engine.describe(), why, by_user)


def _serves(info: Info, language: Language | None) -> bool:
    return language is None or info.languages is None or language.primary in info.languages


def is_last_resort(info: Info) -> bool:
    """Whether an engine makes do without account and weights, and with much less."""
    return _rank(info) == _LAST


def _rank(info: Info) -> int:
    """Order of ``auto``: a cloud account first, then a local model, then what needs nothing."""
    return 0 if info.resource == "net" else 1 if info.needs_weights else _LAST


def _known(role: str) -> tuple[dict[str, Info], list[str]]:
    """Every engine of a role, and what is wrong with those that cannot be loaded: the others still work."""
    infos: dict[str, Info] = {}
    broken: list[str] = []
    for name in registry.names(role):
        try:
            infos[name] = registry.load(role, name).describe()
        except EngineCannot as problem:
            broken.append(f"{name}: {problem.message.rstrip('.')}")
    return infos, broken


def _matchers() -> tuple[str, ...]:
    """Cloners that move any synthesizer's voices."""
    return tuple(name for name, info in _known("cloner")[0].items() if not info.clones)


def choose(
    role: str,
    request: DubRequest,
    build: Builder,
    *,
    language: Language | None,
    without: frozenset[str] = frozenset(),
    clones: tuple[str, ...] | None = None,
) -> Chosen:
    """The engine named, or the best one that is ready.

    ``without`` are engines that are down; ``clones`` the cloners that will do, none = those that move
    any synthesizer's voices.
    """
    name = request.engines.get(role, "auto")
    if name != "auto":
        if clones is not None and name not in (clones or _matchers()):
            raise EngineCannot(
                f"The cloner {name} does not go with this synthesizer or option.",
                hint="Leave --cloner out: the right one is chosen.",
            )
        chosen = named(role, name, build, why="asked for", by_user=True)
        if not _serves(chosen.info, language):
            raise EngineCannot(
                f"The {role} {name} does not know {cast(Language, language).name}.",
                hint="Run `autodub engines` to see which engine does.",
            )
        return chosen
    passed: list[str] = []
    fixes: list[str] = []
    wrong: list[BadOption] = []
    infos, broken = _known(role)
    passed += broken
    allowed = set(infos) if clones is None else {*clones} or {*_matchers()}
    candidates = [(n, infos[n]) for n in allowed & infos.keys() - without - {TEXT_ENGINE}]
    for candidate, _ in sorted(candidates, key=lambda pair: (_rank(pair[1]), pair[0])):
        try:
            engine = build(role, candidate)
        except BadOption as problem:  # another engine may know the option
            wrong.append(problem)
            passed.append(f"{candidate} does not take the options given")
            continue
        except Unavailable:  # it lives elsewhere, and nobody can be asked: no reason to make do with less
            raise
        except AutodubError as problem:
            passed.append(f"{candidate}: {problem.message.rstrip('.')}")
            continue
        info = engine.describe()  # options may have changed the facts
        if not _serves(info, language):
            passed.append(f"{candidate} does not know {cast(Language, language).name}")
            continue
        ready = engine.readiness()
        if ready.state == "ready":
            if language is not None and isinstance(engine, Stocked) and not engine.speaks(language.tag):
                passed.append(f"{candidate} has no voice for {language.name} here")
                continue
            return Chosen(engine, info, "; ".join(passed), named=False)
        passed.append(f"{candidate} {ready.state.replace('needs', 'needs a')}")
        fixes.append(ready.fix)
    if wrong and not fixes:
        raise wrong[0]
    if role == "transcriber":
        fixes.append("give what is said with --subtitles FILE.")
    if role == "cloner" and clones:
        fixes.append("use --match-voices, which needs neither key nor weights.")
    raise EngineCannot(
        f"No {role} can run here: {'; '.join(passed)}.", hint=" Or: ".join(filter(None, fixes))
    )
