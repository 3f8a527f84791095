"""From a request and an opened source to a plan, or a clear refusal before anything is spent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from autodub.engines.roles import EngineContext, Translator
from autodub.model.errors import (
    EngineCannot,
    RequestError,
    UnknownLanguage,
    UnsupportedSource,
)
from autodub.model.job import Degradation
from autodub.model.language import Language
from autodub.model.media import AudioStream, MediaInfo, Source, SubtitleStream
from autodub.model.request import DubRequest
from autodub.model.speech import Style
from autodub.pipeline.choosing import TEXT_ENGINE, Chosen, builder, choose, choose_speaking, named
from autodub.pipeline.outputs import Outputs


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

    @property
    def length(self) -> int:
        """Milliseconds that are dubbed, as the source says."""
        return (self.source.info.duration if self.end is None else self.end) - self.start


@dataclass(frozen=True, slots=True)
class Plan(Hearing):
    """Everything decided before the first paid or slow call."""

    target: Language = field(kw_only=True)
    outputs: Outputs = field(kw_only=True)
    clones: bool = False
    """True when the cloner makes voices of the speakers' own, rather than moving stock voices."""
    stood_in: frozenset[str] = frozenset()
    """Roles in which another engine took over from the one that was chosen."""


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
    hearing = make_hearing(request, source, context, target=target)
    build = builder(request, context)
    engines = dict(hearing.engines)
    for role in ("separator", "translator"):
        engines[role] = choose(role, request, build, language=None)
    engines |= choose_speaking(request, build, target)
    notes = (*hearing.notes, *_unused(request, engines))
    if hearing.spoken is not None:
        refuse_same(hearing.spoken, target)
        translator: Translator = engines["translator"].engine
        translator.route(hearing.spoken.tag, target.tag)
    return Plan(
        source=source, spoken=hearing.spoken, start=hearing.start, end=hearing.end, audio=hearing.audio,
        subtitles=hearing.subtitles, engines=engines, notes=notes, captions=hearing.captions,
        target=target, outputs=outputs, clones=request.clone_voices,
    )  # fmt: skip


def _unused(request: DubRequest, engines: Mapping[str, Chosen]) -> tuple[Degradation, ...]:
    """Wishes that the engines chosen take no notice of."""
    info = engines["translator"].info
    if info.contextual or not (request.glossary or request.style != Style()):
        return ()
    return (
        Degradation(
            "translator",
            "glossary, tone, formality and instructions are not used",
            f"the translator {info.name} takes none",
        ),
    )


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
    build = builder(request, context)
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
        engines["transcriber"] = named("transcriber", TEXT_ENGINE, build, why=why, by_user=True)
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
            engines[role] = choose(role, request, build, language=language)
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
    is_read = heard_by.name == TEXT_ENGINE
    if not is_read and (request.subtitles is not None or request.captions):
        what = "subtitles" if request.subtitles is not None else "captions"
        why = f"the transcriber {heard_by.name} was asked for, and it listens"
        notes.append(Degradation("transcript", f"the {what} are not used", why))
    notes += [Degradation("source", warning, "as the site offers it") for warning in source.warnings]
    return Hearing(
        source, spoken, start, end, audio, embedded, engines, tuple(notes),
        captions=request.captions and request.subtitles is None and is_read,
    )  # fmt: skip


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
