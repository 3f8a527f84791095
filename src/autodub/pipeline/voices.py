"""Voices: how the speakers sound, who speaks with which voice, and clones of their own."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from autodub.dubbing.casting import cast, gender_of, sample_spans, speakers_of
from autodub.dubbing.sampling import candidates
from autodub.model.calls import Clone, ListVoices
from autodub.model.errors import AutodubError, EngineCannot, NoCredit, Refused
from autodub.model.media import Soundtrack
from autodub.model.speech import Hint, Line, Tone, Voice, Voices
from autodub.model.time import Span
from autodub.pipeline.choosing import Chosen
from autodub.pipeline.listening import FAILURES, passes
from autodub.pipeline.run import Run
from autodub.pipeline.studio import Listen, Sample, Sampled


@dataclass(frozen=True, slots=True)
class Cast:
    """Who speaks with which voice."""

    voices: dict[str, Voice]
    own: dict[str, Voice]
    """What casting chose by itself, where a person had no say."""


@dataclass(frozen=True, slots=True)
class Speakers:
    """How everybody sounds who says a line."""

    lines: tuple[Line, ...]
    spans: Mapping[str, tuple[Span, ...]]
    """Where only that speaker is heard, best first."""
    tones: Mapping[str, Tone]
    """Of those who could be heard well enough."""

    @property
    def names(self) -> tuple[str, ...]:
        """The speakers in order."""
        return tuple(sorted(self.spans))

    @property
    def hints(self) -> tuple[Hint, ...]:
        """What a translator should know of them."""
        return tuple(Hint(name, gender_of(self.tones.get(name))) for name in self.names)


def listen(run: Run, lines: Sequence[Line], soundtrack: Soundtrack) -> Speakers:
    """Measure how each speaker sounds."""
    spans = _spans(lines)
    with ThreadPoolExecutor(max_workers=2, thread_name_prefix="listen") as pool:
        heard = pool.map(
            lambda name: run.call(
                run.studio, "listen", Listen(soundtrack.speech, spans[name]), stage="voices"
            ),
            spans,
        )
        tones = {name: found.tone for name, found in zip(spans, heard, strict=True)}
    return Speakers(tuple(lines), spans, {name: tone for name, tone in tones.items() if tone is not None})


def stock_voices(run: Run, synthesizer: Chosen, language: str) -> tuple[Voice, ...]:
    """The synthesizer's own voices of a language. Raises EngineCannot when there is none."""
    stock: Voices = run.call(synthesizer.engine, "list_voices", ListVoices(language), stage="voices")
    if not stock.voices:
        raise EngineCannot(
            f"The {synthesizer.info.name} synthesizer has no voice for {language}.",
            hint="Choose another --synthesizer; `autodub engines` lists them.",
        )
    return stock.voices


def clone_speakers(
    run: Run,
    cloner: Chosen,
    lines: Sequence[Line],
    soundtrack: Soundtrack,
    *,
    language: str,
    speech: Sequence[Span],
    without: Collection[str],
) -> dict[str, Voice]:
    """A voice of their own for each speaker, save those ``without``; who cannot be cloned is left out.

    ``speech`` is where anybody speaks.
    """
    spans = _spans(lines)
    base = Voice(cloner.info.clones, "", language)

    def clone(name: str) -> Voice | None:
        sample: Sampled = run.call(
            run.studio,
            "sample",
            Sample(soundtrack.mix, candidates(lines, name), tuple(speech)),
            stage="voices",
        )
        return _made(
            run,
            cloner,
            Clone(base, soundtrack.speech, spans[name], name, sample.audio, is_clean=sample.is_clean),
        )

    with ThreadPoolExecutor(max_workers=max(1, cloner.info.lanes), thread_name_prefix="clone") as pool:
        todo = [name for name in spans if name not in without]
        made = dict(zip(todo, pool.map(clone, todo), strict=True))
    return {name: voice for name, voice in made.items() if voice is not None}


def choose_voices(
    run: Run,
    speakers: Speakers,
    soundtrack: Soundtrack,
    *,
    synthesizer: Chosen,
    matcher: Chosen | None,
    language: str,
    cloned: Mapping[str, Voice],
    bound: Mapping[str, Voice],
) -> Cast:
    """A voice per speaker.

    ``bound`` are voices a person chose, ``cloned`` those made of the speakers' own. Everybody else gets
    the nearest stock voice, moved toward the speaker by a ``matcher``.
    """
    known = speakers_of(speakers.lines, tones=speakers.tones)
    named = {name: _gendered(voice, speakers.tones.get(name)) for name, voice in cloned.items()}
    own = {**named} if set(named) >= set(speakers.names) else {}
    if own and not bound:  # nobody needs a stock voice, so nobody asks for the list of them
        return Cast(own, own)
    stock = stock_voices(run, synthesizer, language)
    voices = cast(known, stock, bound=bound) | {k: v for k, v in named.items() if k not in bound}
    if matcher is not None:
        for name in speakers.names:
            if name not in bound and name not in named:
                asked = Clone(voices[name], soundtrack.speech, speakers.spans[name], name)
                voices[name] = _made(run, matcher, asked) or voices[name]
    own = cast(known, stock) | named if bound else voices
    return Cast(voices, own)


def _gendered(voice: Voice, tone: Tone | None) -> Voice:
    return replace(voice, gender=gender_of(tone)) if voice.gender == "unknown" else voice


def _spans(lines: Sequence[Line]) -> dict[str, tuple[Span, ...]]:
    return {name: sample_spans(lines, name) for name in sorted({line.speaker for line in lines})}


def _made(run: Run, cloner: Chosen, asked: Clone) -> Voice | None:
    """The voice, or None, announced, where it is refused."""
    try:
        voice: Voice = run.call(cloner.engine, "clone", asked, stage="voices")
    except FAILURES as problem:
        if _concerns_everything(problem):
            raise
        run.degrade(
            "voice", f"speaker {asked.name} gets a stock voice", problem.message, passing=passes(problem)
        )
        return None
    return voice


def _concerns_everything(problem: AutodubError) -> bool:
    """Whether a failure says that nothing at all will go on, so that a lesser voice would not help."""
    return isinstance(problem, NoCredit) or (isinstance(problem, Refused) and problem.whole_account)
