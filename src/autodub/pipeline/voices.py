"""Voices: how the speakers sound, who speaks with which voice, and clones of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from autodub.dubbing.casting import cast, gender_of, sample_spans, speakers_of
from autodub.model.calls import Clone, ListVoices
from autodub.model.errors import AutodubError, EngineCannot, NoCredit, Refused
from autodub.model.media import Soundtrack
from autodub.model.speech import Hint, Line, Tone, Voice, Voices
from autodub.model.time import Span
from autodub.pipeline.listening import FAILURES, passes
from autodub.pipeline.plan import Chosen
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
    spans = {name: sample_spans(lines, name) for name in sorted({line.speaker for line in lines})}
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


def choose_voices(
    run: Run,
    speakers: Speakers,
    soundtrack: Soundtrack,
    *,
    synthesizer: Chosen,
    cloner: Chosen | None,
    language: str,
    speech: Sequence[Span],
    bound: Mapping[str, Voice],
) -> Cast:
    """A voice per speaker.

    ``bound`` are voices a person chose. With a cloner each other speaker gets a voice of their own, or
    the nearest stock voice where that is refused. ``speech`` is where anybody speaks.
    """
    stock = stock_voices(run, synthesizer, language)
    known = speakers_of(speakers.lines, tones=speakers.tones)
    voices = cast(known, stock, bound=bound)
    if cloner is not None:
        todo = [name for name in speakers.names if name not in bound]
        with ThreadPoolExecutor(max_workers=max(1, cloner.info.lanes), thread_name_prefix="clone") as pool:
            made = pool.map(
                lambda name: _cloned(
                    run, cloner, soundtrack, name, speakers.spans[name], speech, voices[name]
                ),
                todo,
            )
            voices |= dict(zip(todo, made, strict=True))
    own = cast(known, stock) if bound else voices
    return Cast(voices, own)


def _cloned(
    run: Run,
    cloner: Chosen,
    soundtrack: Soundtrack,
    name: str,
    spans: tuple[Span, ...],
    speech: Sequence[Span],
    base: Voice,
) -> Voice:
    try:
        sample: Sampled | None = None
        if cloner.info.clones:  # a cloner of any synthesizer's voices only listens
            sample = run.call(
                run.studio, "sample", Sample(soundtrack.mix, spans, tuple(speech)), stage="voices"
            )
        request = Clone(
            base,
            soundtrack.speech,
            spans,
            name,
            sample.audio if sample else None,
            is_clean=sample is None or sample.is_clean,
        )
        voice: Voice = run.call(cloner.engine, "clone", request, stage="voices")
    except FAILURES as problem:
        if _concerns_everything(problem):
            raise
        run.degrade("voice", f"speaker {name} gets a stock voice", problem.message, passing=passes(problem))
        return base
    return voice


def _concerns_everything(problem: AutodubError) -> bool:
    """Whether a failure says that nothing at all will go on, so that a lesser voice would not help."""
    return isinstance(problem, NoCredit) or (isinstance(problem, Refused) and problem.whole_account)
