"""Whether the engines here can make a dub, as far as that can be known before its source is opened.

The choice is the pipeline's own (``pipeline.choosing``), so what passes here is what a worker's plan lets
through, unless the source holds a surprise. Engines are looked at without asking any provider.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autodub.engines import registry
from autodub.engines.context import engine_context
from autodub.infra.settings import Settings
from autodub.jobs.records import Resource
from autodub.jobs.spec import JobSpec
from autodub.jobs.wording import in_fields
from autodub.model.errors import AutodubError, BadOption, EngineCannot, RequestError, UnknownLanguage
from autodub.model.language import Language
from autodub.model.request import DubRequest
from autodub.pipeline.choosing import TEXT_ENGINE, Builder, Chosen, builder, choose, choose_speaking, named
from autodub.pipeline.plan import refuse_same

SECONDS = 10.0
"""How long what was found out of an engine is good."""
_BINDING = ("separator", "transcriber", "translator", "synthesizer")
"""Roles whose engines decide what binds a job."""
_DECIDES = {"engines", "options", "target", "subtitles", "captions", "clone_voices", "match_voices"}
"""What of a request does."""
_OTHER = "Choose another `target` or other engines."
_SEE = "GET /api/v1/engines tells what is ready here."
_DOCTOR = "`autodub doctor` shows every engine and what it needs."


@dataclass(frozen=True, slots=True)
class Given:
    """What is known of an upload; nothing of an address, or of what has still to be sent."""

    languages: tuple[str | None, ...] | None = None
    """Tags of its sound tracks; None: nobody has looked."""
    has_texts: bool = False
    """Whether it holds subtitles."""

    @classmethod
    def of(cls, info: Mapping[str, Any]) -> Given:
        """Of what an upload was found to hold."""
        sounds = info.get("audio")
        tags = None if sounds is None else tuple(one.get("language") for one in sounds)
        return cls(tags, bool(info.get("subtitles")))


class Feasible:
    """The engines of one machine, looked at again after some seconds. Safe for many threads."""

    def __init__(
        self, settings: Settings, *, looks: bool = True, moderator: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        """With ``looks`` off everything passes: workers elsewhere have other engines.

        ``moderator`` is who looks at what is said, where the operator wants that; no dub goes on without.
        """
        self._context, self._looks, self._clock = engine_context(settings), looks, clock
        self._moderator = moderator
        self._lock = threading.Lock()
        self._known: dict[object, Any] = {}
        self._until = float("-inf")

    def examine(self, spec: JobSpec, given: Given, *, is_admin: bool) -> None:
        """Raise RequestError for a dub that no worker here could make, saying what would make it possible."""
        if not self._looks:
            return
        try:
            build = self._builder(_request(spec))
            _examine(spec, given, build)
            if self._moderator:
                named("moderator", self._moderator, build, why="", by_user=True)
        except RequestError as problem:
            fix = in_fields(problem.hint)
            if isinstance(problem, EngineCannot):
                # A fix may be a command, which stands on a line of its own.
                fix = f"{fix or _OTHER}\n{_DOCTOR}" if is_admin else f"{_OTHER} {_SEE}"
            raise type(problem)(in_fields(problem.message), hint=fix) from problem

    def resource(self, spec: JobSpec) -> Resource:
        """What binds a job: the scarcest of what its main engines need, which the pipeline would choose here.

        A GPU above all; then processors, unless all of it is done elsewhere. With ``looks`` off workers have
        what this machine lacks: engines with weights that are named are taken to run on a GPU.
        """
        asked = spec.model_dump_json(include=_DECIDES)
        with self._lock:
            known: Resource | None = self._fresh().get(asked)
        if known is None:
            needed = self._needed(spec)
            known = "gpu" if "gpu" in needed else "cpu" if "cpu" in needed else "net"
            with self._lock:
                self._known[asked] = known
        return known

    def _needed(self, spec: JobSpec) -> set[str]:
        request, target = _request(spec), Language.parse(spec.target)
        build, needed = self._builder(request), set[str]()
        for role in _BINDING:
            if role == "transcriber" and (spec.subtitles or spec.captions):
                continue
            try:
                if role in spec.engines:
                    info = build(role, spec.engines[role]).describe()
                elif not self._looks:
                    needed.add("cpu")
                    continue
                elif role == "synthesizer":
                    info = choose_speaking(request, build, target)[role].info
                else:
                    info = choose(role, request, build, language=None).info
            except AutodubError:  # whoever works on it will say so
                needed.add("cpu")
                continue
            if info.elsewhere:  # a worker for calls has what it needs; the job only waits
                needed.add("net")
            elif role != "separator" or info.needs_weights:  # one without is done in no time
                needed.add("gpu" if info.needs_weights and not self._looks else info.resource)
        return needed

    def _fresh(self) -> dict[object, Any]:
        """What is known, forgotten when it is old; under the lock."""
        if self._clock() >= self._until:
            self._known.clear()
            self._until = self._clock() + SECONDS
        return self._known

    def _builder(self, request: DubRequest) -> Builder:
        build = builder(request, self._context)

        def kept(role: str, name: str) -> Any:
            # Many engines look once, at their data or for a program, and remember it.
            key = (registry.load(role, name), tuple(sorted(request.options.get(role, {}).items())))
            with self._lock:
                found = self._fresh().get(key)
            if found is None:
                found = build(role, name)
                with self._lock:
                    self._known[key] = found
            return found

        return kept


def _request(spec: JobSpec) -> DubRequest:
    subtitles = Path("given.srt") if spec.subtitles else None
    return spec.request(spec.source or "upload", title=None, subtitles=subtitles, glossary=None, budget=None)


def _examine(spec: JobSpec, given: Given, build: Builder) -> None:
    """The steps of ``pipeline.plan``, in their order."""
    request, target = _request(spec), Language.parse(spec.target)
    if given.languages == ():
        raise RequestError("The upload has no sound, so there is nothing to dub.", hint="Send one that has.")
    if spec.source is not None:
        name = spec.engines.get("downloader", "ytdlp")
        named("downloader", name, build, why="", by_user="downloader" in spec.engines)
    elif spec.captions:
        raise BadOption(
            "Captions of a site can only be had where the source is an address.",
            hint="Give an uploaded subtitle file as `subtitles` instead.",
        )
    spoken = _spoken(spec, given, target)
    heard = _heard(request, spoken, given, build)
    for role in ("detector", "diarizer", "separator"):
        choose(role, request, build, language=None)
    translator = choose("translator", request, build, language=None)
    choose_speaking(request, build, target)
    if spoken is None and heard is not None and len(heard) == 1:
        spoken = Language.parse(next(iter(heard)))
        if spoken.primary == target.primary:
            raise EngineCannot(
                f"Only {spoken.name} can be recognised here, and that is what the dub is to speak.",
                hint="Choose another --to, or a --transcriber that knows what is spoken.",
            )
    if spoken is not None:
        refuse_same(spoken, target)
        translator.engine.route(spoken.tag, target.tag)
        return
    _refuse_unreachable(translator, heard, target)


def _spoken(spec: JobSpec, given: Given, target: Language) -> Language | None:
    """The language of the source where it is said; the tag of its only sound unless that is the target's."""
    if spec.spoken is not None:
        return Language.parse(spec.spoken)
    if given.languages is None or len(given.languages) != 1 or given.languages[0] is None:
        return None
    try:
        tagged = Language.parse(given.languages[0])
    except UnknownLanguage:  # files carry all sorts of tags
        return None
    return None if tagged.primary == target.primary else tagged


def _heard(
    request: DubRequest, spoken: Language | None, given: Given, build: Builder
) -> frozenset[str] | None:
    """Languages that can be recognised in the source; None = any, or nobody knows."""
    wanted = request.engines.get("transcriber", "auto")
    has_text = bool(request.subtitles or request.captions)
    if wanted == TEXT_ENGINE and not has_text and given.languages is not None and not given.has_texts:
        raise EngineCannot(
            "There are no subtitles to read: none were given and the source holds no text subtitles.",
            hint="Give a file with --subtitles, or leave --transcriber out.",
        )
    if wanted == TEXT_ENGINE or (wanted == "auto" and (has_text or (given.has_texts and spoken))):
        untagged = given.languages is not None and not any(given.languages) and not given.has_texts
        if spoken is None and request.subtitles and untagged:
            raise UnknownLanguage(
                "Subtitles do not say which language they are in.",
                hint="Give it with --from, such as --from en.",
            )
        return None
    first = choose("transcriber", request, build, language=spoken)
    if first.named or spoken is not None:
        return first.info.languages
    found: frozenset[str] = frozenset()
    passed: set[str] = set()
    chosen: Chosen | None = first
    while chosen is not None:  # the source may name its language, and whoever knows that one is taken
        if chosen.info.languages is None:
            return None
        found |= chosen.info.languages
        passed.add(chosen.info.name)
        try:
            chosen = choose("transcriber", request, build, language=None, without=frozenset(passed))
        except AutodubError:  # nobody is left
            chosen = None
    return found


def _refuse_unreachable(translator: Chosen, heard: frozenset[str] | None, target: Language) -> None:
    """Raise EngineCannot where no language that may be spoken leads to the target."""
    if not hasattr(translator.engine, "pairs"):
        return
    pairs: Mapping[str, tuple[str, ...]] | None = translator.engine.pairs()
    if pairs is None or any(
        target.primary in targets for source, targets in pairs.items() if heard is None or source in heard
    ):
        return
    reached = sorted({one for source, to in pairs.items() if heard is None or source in heard for one in to})
    raise EngineCannot(
        f"The translator {translator.info.name} cannot translate into {target.name} here.",
        hint=f"It translates into: {', '.join(reached)}. Or choose another --translator.",
    )
