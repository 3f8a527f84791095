"""Voices: how the speakers sound, who speaks with which voice, and clones of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from autodub.dubbing.casting import Speaker, cast, gender_of, sample_spans, speakers_of
from autodub.dubbing.sampling import candidates
from autodub.model.calls import Clone, ListVoices
from autodub.model.errors import AutodubError, EngineCannot, NoCredit, Refused
from autodub.model.media import Soundtrack
from autodub.model.speech import Hint, Line, Tone, Voice, Voices
from autodub.model.time import Span
from autodub.pipeline.choosing import Chosen
from autodub.pipeline.listening import FAILURES, passes
from autodub.pipeline.project import Edits, VoiceEntry
from autodub.pipeline.run import Run
from autodub.pipeline.studio import Listen, Sample, Sampled


@dataclass(frozen=True, slots=True)
class Cast:
    """Who speaks with which voice."""

    voices: dict[str, Voice]
    own: dict[str, Voice]
    """What casting chose by itself, where a person had no say."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Who says what: the lines that were heard, and what a person gave to speakers nobody heard."""

    lines: tuple[Line, ...]
    added: tuple[Line, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The speakers in order."""
        return tuple(sorted({line.speaker for line in (*self.lines, *self.added)}))

    @property
    def everything(self) -> tuple[Line, ...]:
        """Every line once, those a person gave away with their new speaker."""
        given = {line.id for line in self.added}
        return (*(line for line in self.lines if line.id not in given), *self.added)

    def around(self, name: str) -> tuple[Line, ...]:
        """The lines to look for a speaker's sound in; an edit never changes where those heard are found."""
        return self.lines if any(line.speaker == name for line in self.lines) else self.everything

    def spans(self, name: str) -> tuple[Span, ...]:
        """Where only that speaker is heard, best first."""
        return sample_spans(self.around(name), name)


@dataclass(frozen=True, slots=True)
class Speakers:
    """How everybody sounds who says a line."""

    parts: Parts
    spans: Mapping[str, tuple[Span, ...]]
    """Where only that speaker is heard, best first."""
    tones: Mapping[str, Tone]
    """Of those who could be heard well enough."""

    @property
    def names(self) -> tuple[str, ...]:
        """The speakers in order."""
        return self.parts.names

    @property
    def hints(self) -> tuple[Hint, ...]:
        """What a translator should know of them."""
        return tuple(Hint(name, gender_of(self.tones.get(name))) for name in self.names)

    def to_cast(self) -> tuple[Speaker, ...]:
        """The speakers to find voices for; those a person added come last and take nobody's voice away."""
        heard = {line.speaker for line in self.parts.lines}
        found = speakers_of((*self.parts.lines, *self.parts.added), tones=self.tones)
        return tuple(one if one.name in heard else replace(one, speech=0) for one in found)


def listen(run: Run, parts: Parts, soundtrack: Soundtrack) -> Speakers:
    """Measure how each speaker sounds."""
    spans = {name: parts.spans(name) for name in parts.names}
    with ThreadPoolExecutor(max_workers=2, thread_name_prefix="listen") as pool:
        heard = pool.map(
            lambda name: run.call(
                run.studio, "listen", Listen(soundtrack.speech, spans[name]), stage="voices"
            ),
            spans,
        )
        tones = {name: found.tone for name, found in zip(spans, heard, strict=True)}
    return Speakers(parts, spans, {name: tone for name, tone in tones.items() if tone is not None})


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
    parts: Parts,
    soundtrack: Soundtrack,
    *,
    language: str,
    speech: Sequence[Span],
    edits: Edits,
) -> dict[str, Voice]:
    """A voice of their own for each speaker; who cannot be cloned is left out.

    Nobody is cloned whose voice a person replaced by another one. ``speech`` is where anybody speaks.
    """
    base = Voice(cloner.info.clones, "", language)

    def clone(name: str) -> Voice:
        sample: Sampled = run.call(
            run.studio,
            "sample",
            Sample(soundtrack.mix, candidates(parts.around(name), name), tuple(speech)),
            stage="voices",
        )
        asked = Clone(
            base, soundtrack.speech, parts.spans(name), name, sample.audio, is_clean=sample.is_clean
        )
        run.policy.cloning(name, sample.audio, f"cloner.{cloner.info.name}")
        voice: Voice = run.call(cloner.engine, "clone", asked, stage="voices")
        run.policy.cloned(name, voice)
        return voice

    with ThreadPoolExecutor(max_workers=max(1, cloner.info.lanes), thread_name_prefix="clone") as pool:
        todo = [name for name in parts.names if name not in edits.replaced]
        made = dict(zip(todo, pool.map(lambda name: _or_none(run, name, clone), todo), strict=True))
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
    edits: Edits,
    stood_in: bool,
) -> Cast:
    """A voice per speaker.

    ``cloned`` are voices made of the speakers' own, ``edits`` what a person wants of voices. Everybody else
    gets the nearest stock voice, moved toward the speaker by a ``matcher``. ``stood_in`` says that the
    synthesizer took over from another one, whose voices it need not have.
    """
    named = {name: _gendered(voice, speakers.tones.get(name)) for name, voice in cloned.items()}
    bound = {name: voice for name, voice in edits.voices.items() if name in speakers.names}
    by_id = {voice.id: voice for voice in named.values()}
    clones = dict(named)
    for name, voice in bound.items():
        base = named.get(name) if name in edits.retouched else by_id.get(voice.id)
        if base is not None:
            clones[name] = _retouched(base, voice, edits.own[name])
        else:
            clones.pop(name, None)
    if set(clones) >= set(speakers.names):  # nobody needs a stock voice, so nobody asks for the list of them
        return Cast(clones, named)
    stock = stock_voices(run, synthesizer, language)
    offered = {voice.id for voice in stock}
    fixed = {name: voice for name, voice in bound.items() if name not in clones}
    for name in [name for name, voice in fixed.items() if voice.id not in offered]:
        if name in edits.retouched:  # what casting chose before is not there any more: it chooses again
            del fixed[name]
        elif stood_in:
            why = f"{synthesizer.info.name} has no voice {fixed.pop(name).id}"
            run.degrade("voice", f"speaker {name} does not get the voice chosen in the project", why)
    known = speakers.to_cast()
    voices = cast(known, stock, bound=fixed) | clones
    if matcher is not None:

        def match(name: str) -> Voice:
            base = replace(voices[name], pace=1.0)
            asked = Clone(base, soundtrack.speech, speakers.spans[name], name)
            matched: Voice = run.call(matcher.engine, "clone", asked, stage="voices")
            return matched

        for name in speakers.names:
            if name not in clones and (name not in fixed or name in edits.retouched):
                voices[name] = _or_none(run, name, match) or voices[name]
    for name in bound.keys() & edits.retouched - clones.keys():
        voices[name] = _retouched(voices[name], bound[name], edits.own[name])
    return Cast(voices, cast(known, stock) | named if bound else voices)


def _retouched(base: Voice, wanted: Voice, was: VoiceEntry) -> Voice:
    """A voice with the pace, and where a person changed it the pitch, of another."""
    return replace(base, pace=wanted.pace, pitch=base.pitch if wanted.pitch == was.pitch_hz else wanted.pitch)


def _gendered(voice: Voice, tone: Tone | None) -> Voice:
    return replace(voice, gender=gender_of(tone)) if voice.gender == "unknown" else voice


def _or_none(run: Run, name: str, make: Callable[[str], Voice]) -> Voice | None:
    """A speaker's voice, or None, announced, where it cannot be made."""
    try:
        return make(name)
    except FAILURES as problem:
        if _concerns_everything(problem):
            raise
        run.degrade("voice", f"speaker {name} gets a stock voice", problem.message, passing=passes(problem))
        return None


def _concerns_everything(problem: AutodubError) -> bool:
    """Whether a failure says that nothing at all will go on, so that a lesser voice would not help."""
    return isinstance(problem, NoCredit) or (isinstance(problem, Refused) and problem.whole_account)
