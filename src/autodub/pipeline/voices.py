"""Casting: who speaks with which voice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from autodub.dubbing.casting import cast, sample_spans, speakers_of
from autodub.model.calls import Clone, ListVoices
from autodub.model.errors import EngineCannot
from autodub.model.media import Soundtrack
from autodub.model.speech import Line, Tone, Voice, Voices
from autodub.model.time import Span
from autodub.pipeline.listening import FAILURES, passes
from autodub.pipeline.plan import Plan
from autodub.pipeline.run import Run
from autodub.pipeline.studio import Listen


@dataclass(frozen=True, slots=True)
class Cast:
    """Who speaks with which voice."""

    voices: dict[str, Voice]
    own: dict[str, Voice]
    """What casting chose by itself, where a person had no say."""
    tones: dict[str, Tone]
    """How the speakers sound, where that could be heard."""


def choose_voices(
    run: Run,
    plan: Plan,
    lines: Sequence[Line],
    soundtrack: Soundtrack,
    *,
    bound: Mapping[str, Voice],
    match: bool,
) -> Cast:
    """A voice per speaker, and how the speakers sound.

    ``bound`` are voices a person chose. With ``match`` each other voice is moved toward its speaker.
    """
    synthesizer = plan.engines["synthesizer"]
    with run.stage("voices", "choosing voices"):
        stock: Voices = run.call(
            synthesizer.engine, "list_voices", ListVoices(plan.target.tag), stage="voices"
        )
        if not stock.voices:
            raise EngineCannot(
                f"The {synthesizer.info.name} synthesizer has no voice for {plan.target.name}.",
                hint="Choose another --synthesizer; `autodub engines` lists them.",
            )
        names = sorted({line.speaker for line in lines})
        spans = {name: sample_spans(lines, name) for name in names}
        with ThreadPoolExecutor(max_workers=2, thread_name_prefix="listen") as pool:
            heard = pool.map(
                lambda name: run.call(
                    run.studio, "listen", Listen(soundtrack.speech, spans[name]), stage="voices"
                ),
                names,
            )
            tones = {name: found.tone for name, found in zip(names, heard, strict=True)}
        speakers = speakers_of(lines, tones=tones)
        voices = cast(speakers, stock.voices, bound=bound)
        if match:
            for name in names:
                if name not in bound:
                    voices[name] = _matched(run, plan, soundtrack, name, spans[name], voices[name])
    own = cast(speakers, stock.voices) if bound else voices
    return Cast(voices, own, {name: tone for name, tone in tones.items() if tone is not None})


def _matched(
    run: Run, plan: Plan, soundtrack: Soundtrack, name: str, spans: tuple[Span, ...], base: Voice
) -> Voice:
    chosen = plan.engines["cloner"]
    try:
        voice: Voice = run.call(
            chosen.engine, "clone", Clone(base, soundtrack.speech, spans, name), stage="voices"
        )
    except FAILURES as problem:
        run.degrade("voice", f"speaker {name} gets a stock voice", problem.message, passing=passes(problem))
        return base
    return voice
