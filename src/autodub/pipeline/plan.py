"""From a request and an opened source to a plan, or a clear refusal before anything is spent."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from autodub.engines import registry
from autodub.engines.roles import EngineContext, Info, Stocked, Translator
from autodub.model.errors import (
    AutodubError,
    BadOption,
    EngineCannot,
    RequestError,
    UnknownLanguage,
    UnsupportedSource,
)
from autodub.model.job import Degradation
from autodub.model.language import Language
from autodub.model.media import AudioStream, MediaInfo, Source, SubtitleStream
from autodub.model.request import ROLES, DubRequest
from autodub.pipeline.names import path_of
from autodub.pipeline.outputs import Outputs

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


@dataclass(frozen=True, slots=True)
class Hearing:
    """How a source is listened to."""

    source: Source
    spoken: Language | None
    """None while the transcriber has to find out."""
    start: int
    end: int | None
    audio: AudioStream
    subtitles: SubtitleStream | None
    """Subtitle stream of the source to read, when that is the transcript."""
    engines: Mapping[str, Chosen]
    notes: tuple[Degradation, ...]
    captions: bool = False
    """True when the transcript is what people wrote on the source's site."""

    @property
    def is_range(self) -> bool:
        """True when only a part of the source is dubbed."""
        return self.start > 0 or self.end is not None


@dataclass(frozen=True, slots=True)
class Plan(Hearing):
    """Everything decided before the first paid or slow call."""

    target: Language = field(kw_only=True)
    outputs: Outputs = field(kw_only=True)
    clones: bool = False
    """True when the cloner makes voices of the speakers' own, rather than moving stock voices."""


Builder = Callable[[str, str], Any]


def languages(request: DubRequest) -> tuple[Language, Language | None]:
    """The languages asked for. Raises UnknownLanguage, also when both are the same."""
    target = Language.parse(request.target)
    spoken = Language.parse(request.spoken) if request.spoken else None
    if spoken is not None:
        refuse_same(spoken, target)
    return target, spoken


def refuse_same(spoken: Language, target: Language) -> None:
    """Raise UnknownLanguage when a dub would speak the language it already speaks."""
    if spoken.primary == target.primary:
        raise UnknownLanguage(
            f"The source already speaks {target.name}, the language to dub into.",
            hint="Give another --to, or say with --from which language is really spoken.",
        )


def make_plan(request: DubRequest, source: Source, outputs: Outputs, context: EngineContext) -> Plan:
    """Choose streams and engines. Raises a RequestError that says what is missing and how to get it."""
    target, _ = languages(request)
    if request.subtitles is not None:
        outputs.keep_clear_of(path_of(request.subtitles))
    hearing = make_hearing(request, source, context, target=target)
    build = _builder(request, context)
    engines = dict(hearing.engines)
    for role in ("separator", "translator"):
        engines[role] = _choose(role, request, build, language=None)
    engines |= _speaking(request, build, target)
    if hearing.spoken is not None:
        refuse_same(hearing.spoken, target)
        translator: Translator = engines["translator"].engine
        translator.route(hearing.spoken.tag, target.tag)
    return Plan(
        source=source, spoken=hearing.spoken, start=hearing.start, end=hearing.end, audio=hearing.audio,
        subtitles=hearing.subtitles, engines=engines, notes=hearing.notes, captions=hearing.captions,
        target=target, outputs=outputs, clones=request.clone_voices,
    )  # fmt: skip


def make_hearing(
    request: DubRequest, source: Source, context: EngineContext, *, target: Language | None = None
) -> Hearing:
    """Choose what to listen to and who listens. A sound track's tag that names the target is not believed."""
    spoken = Language.parse(request.spoken) if request.spoken else None
    start, end = _range(request, source.info)
    audio = _sound(source, spoken)
    if spoken is None and audio.language is not None:
        spoken = _tagged(audio.language)
        if spoken is not None and target is not None and spoken.primary == target.primary:
            spoken = None
    build = _builder(request, context)
    embedded = _subtitles(source.info, spoken, request)
    notes: list[Degradation] = []
    engines: dict[str, Chosen] = {}
    wanted = request.engines.get("transcriber", "auto")
    if wanted == TEXT_ENGINE or (wanted == "auto" and (request.subtitles or embedded or request.captions)):
        if request.subtitles is None and embedded is None and not request.captions:
            raise EngineCannot(
                "There are no subtitles to read: none were given and the source holds no text subtitles.",
                hint="Give a file with --subtitles, or leave --transcriber out.",
            )
        why = "the source holds subtitles of its own"
        if request.subtitles or request.captions:
            why = "subtitles were given" if request.subtitles else "captions were asked for"
        engines["transcriber"] = _named("transcriber", TEXT_ENGINE, build, why=why, named=True)
        if spoken is None and embedded is not None and embedded.language:
            spoken = _tagged(embedded.language)
        if spoken is None and request.captions and source.language:
            spoken = _tagged(source.language)
        if spoken is None:
            raise UnknownLanguage(
                "Subtitles do not say which language they are in.",
                hint="Give it with --from, such as --from en.",
            )
    for role in ("detector", "transcriber", "diarizer"):
        if role not in engines:
            language = spoken if role == "transcriber" else None
            engines[role] = _choose(role, request, build, language=language)
    heard_by = engines["transcriber"].info
    if spoken is None and heard_by.languages is not None and len(heard_by.languages) == 1:
        spoken = Language.parse(next(iter(heard_by.languages)))
        notes.append(
            Degradation(
                "language",
                f"the source is taken to speak {spoken.name}",
                f"nothing says which language it is, and {heard_by.name} understands {spoken.name} only",
            )
        )
    notes += [Degradation("source", warning, "as the site offers it") for warning in source.warnings]
    return Hearing(
        source, spoken, start, end, audio, embedded, engines, tuple(notes),
        captions=request.captions and request.subtitles is None,
    )  # fmt: skip


def likely(request: DubRequest, context: EngineContext) -> tuple[Any, ...]:
    """Engines that will probably be chosen, before anything is known of the source."""
    build = _builder(request, context)
    found = []
    for role in ("transcriber", "translator", "synthesizer"):
        with contextlib.suppress(AutodubError):  # the plan will say so, with the source in view
            found.append(_choose(role, request, build, language=None).engine)
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
    """Who serves a role when those of ``without`` are down. Raises EngineCannot when nobody does."""
    build = _builder(request, context)
    return _choose(role, request, build, language=language, without=without, clones=clones)


def _speaking(request: DubRequest, build: Builder, target: Language) -> dict[str, Chosen]:
    """Who speaks, and who makes the voices, chosen together: a clone belongs to one synthesizer."""
    if not request.clone_voices:
        found = {"synthesizer": _choose("synthesizer", request, build, language=target)}
        if request.match_voices:
            found["cloner"] = _choose("cloner", request, build, language=None, clones=())
        return found
    wanted = request.engines.get("synthesizer", "auto")
    speakers = _known("synthesizer")[0]
    cloners = [
        name
        for name, info in _known("cloner")[0].items()
        if info.clones in speakers
        and wanted in ("auto", info.clones)
        and _serves(speakers[info.clones], target)
    ]
    if not cloners:
        raise EngineCannot(
            f"The synthesizer {wanted} cannot speak {target.name} with cloned voices."
            if wanted != "auto"
            else f"No synthesizer here speaks {target.name} with cloned voices.",
            hint="Choose another --synthesizer, or use --match-voices instead of --clone.",
        )
    cloner = _choose("cloner", request, build, language=None, clones=tuple(cloners))
    speaker = replace_engine(request, "synthesizer", cloner.info.clones)
    return {"cloner": cloner, "synthesizer": _choose("synthesizer", speaker, build, language=target)}


def replace_engine(request: DubRequest, role: str, name: str) -> DubRequest:
    """The request with one engine named."""
    return replace(request, engines={**request.engines, role: name})


def _range(request: DubRequest, info: MediaInfo) -> tuple[int, int | None]:
    start, end = request.start or 0, request.end
    if start < 0 or (end is not None and end <= start):
        raise RequestError(
            "The range to dub ends before it starts.",
            hint="Give --start before --end, both within the source.",
        )
    if start >= info.duration:
        raise RequestError(
            f"The range starts at {start / 1000:g} s, but the source ends at {info.duration / 1000:g} s.",
            hint="Give a smaller --start.",
        )
    return start, None if end is None or end >= info.duration else end


def _sound(source: Source, spoken: Language | None) -> AudioStream:
    streams = source.info.audio
    if not streams:
        raise UnsupportedSource(
            f"{source.title} has no sound, so there is nothing to dub.",
            hint="Give a file with a sound track.",
        )
    if spoken is not None:
        for stream in streams:
            tagged = _tagged(stream.language) if stream.language else None
            if tagged is not None and tagged.primary == spoken.primary:
                return stream
    return next((stream for stream in streams if stream.is_default), streams[0])


def _tagged(tag: str) -> Language | None:
    try:
        return Language.parse(tag)
    except UnknownLanguage:  # containers carry all sorts of tags; an odd one is no reason to refuse
        return None


def _subtitles(info: MediaInfo, spoken: Language | None, request: DubRequest) -> SubtitleStream | None:
    if request.subtitles is not None or request.engines.get("transcriber", TEXT_ENGINE) != TEXT_ENGINE:
        return None
    texts = [stream for stream in info.subtitles if stream.is_text]
    for stream in texts:
        tagged = _tagged(stream.language) if stream.language else None
        if spoken is not None and tagged is not None and tagged.primary == spoken.primary:
            return stream
    if "transcriber" in request.engines and texts:  # the user asked to read: an untagged stream will do
        return next((stream for stream in texts if stream.language is None), texts[0])
    return None


def _builder(request: DubRequest, context: EngineContext) -> Builder:
    unknown = sorted(set(request.options) - set(ROLES))
    if unknown:
        raise EngineCannot(
            f"There is no engine role called {unknown[0]!r}.", hint="Roles: " + ", ".join(ROLES) + "."
        )

    def build(role: str, name: str) -> Any:
        return registry.build(role, name, request.options.get(role, {}), context)

    return build


def _named(role: str, name: str, build: Builder, *, why: str, named: bool) -> Chosen:
    engine = build(role, name)
    ready = engine.readiness()
    if ready.state != "ready":
        raise EngineCannot(f"The {role} {name} cannot run here: {ready.detail}.", hint=ready.fix)
    return Chosen(engine, engine.describe(), why, named)


def _serves(info: Info, language: Language | None) -> bool:
    return language is None or info.languages is None or language.primary in info.languages


def _rank(info: Info) -> int:
    """Order of ``auto``: a cloud account first, then a local model, then what needs nothing."""
    return 0 if info.resource == "net" else 1 if info.needs_weights else 2


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


def _choose(
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
        chosen = _named(role, name, build, why="asked for", named=True)
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
    for candidate, info in sorted(candidates, key=lambda pair: (_rank(pair[1]), pair[0])):
        if not _serves(info, language):
            passed.append(f"{candidate} does not know {cast(Language, language).name}")
            continue
        try:
            engine = build(role, candidate)
        except BadOption as problem:  # another engine may know the option
            wrong.append(problem)
            passed.append(f"{candidate} does not take the options given")
            continue
        except AutodubError as problem:
            passed.append(f"{candidate}: {problem.message.rstrip('.')}")
            continue
        ready = engine.readiness()
        if language is not None and isinstance(engine, Stocked) and not engine.speaks(language.tag):
            passed.append(f"{candidate} has no voice for {language.name} here")
            continue
        if ready.state == "ready":
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
