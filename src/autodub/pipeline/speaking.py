"""Speaking a dub: every line planned, spoken, measured, re-planned and placed.

The decisions are pure functions of ``dubbing``; this module strings them together. Lines are spoken
in growing portions, and each portion is planned with what the voices have shown so far. The result
depends on nothing but the requests, never on which call was answered first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from autodub.dubbing import pacing
from autodub.dubbing.duration import Duration
from autodub.dubbing.fitting import (
    Flag,
    Setting,
    chunks,
    flags,
    horizon,
    learned,
    native_rate,
    place,
    retakes,
    settle,
    sides,
    slot,
    spoken,
)
from autodub.dubbing.syllables import features
from autodub.dubbing.timing import Slot, plan, refit
from autodub.model.errors import EngineError
from autodub.model.media import Clip, Placement
from autodub.model.speech import Line, Voice, Wording
from autodub.pipeline.booth import Ask, Booth
from autodub.pipeline.run import Run

PAID_QUANTILE = 0.7
"""Where synthesis is billed lines are planned a little long, which saves speaking them twice."""


@dataclass(frozen=True, slots=True)
class Part:
    """One line with everything it may be spoken as."""

    line: Line
    wordings: tuple[Wording, ...]
    voice: Voice
    is_paced: bool = False
    """True when a person set the voice's pace."""


@dataclass(frozen=True, slots=True)
class Take:
    """One line as it was spoken and placed."""

    part: Part
    wording: Wording
    clip: Clip
    predicted: float | None
    """Seconds expected before synthesis at the voice's pace; None for lines that taught us the voice."""
    source_predicted: float
    """Seconds the same model expects for the source text."""
    slot: Slot
    setting: Setting
    placement: Placement
    flags: tuple[Flag, ...]

    @property
    def line(self) -> Line:
        """The line."""
        return self.part.line


@dataclass(frozen=True, slots=True)
class Spoken:
    """A whole dub's speech."""

    takes: tuple[Take, ...]
    failed: Mapping[str, str]
    """Id of a line nobody could speak -> why."""
    voices: Mapping[str, Voice]
    """Speaker -> voice with the pace it was given."""


@dataclass(frozen=True, slots=True)
class Programme:
    """What clips are placed on."""

    rate: int
    frames: int

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.frames / self.rate


def speak(run: Run, booth: Booth, parts: Sequence[Part], programme: Programme) -> Spoken:
    """Speak every line. Raises the engine's error when not a single line can be spoken."""
    parts, models, heard = _auditioned(run, booth, list(parts))
    side = sides([part.line for part in parts])
    slots: dict[int, Slot] = {}
    clips: dict[int, Clip] = {}
    predicted: dict[int, float | None] = {}
    failed: dict[int, EngineError] = {}

    def predict(i: int) -> Slot:
        return slot(
            parts[i].line,
            parts[i].wordings,
            models[parts[i].line.speaker],
            timeline=side[i],
            quantile=PAID_QUANTILE if booth.paid else None,
        )

    for chunk in chunks(len(parts)):
        near = [i for i in horizon(len(parts), chunk) if i not in failed]
        slots |= {i: predict(i) for i in near if i not in clips}
        fits = dict(zip(near, plan([slots[i] for i in near], programme=programme.seconds), strict=True))
        asks = {
            i: Ask(
                parts[i].wordings[fits[i].choice].text,
                parts[i].voice,
                native_rate(slots[i], fits[i], slowest=booth.slowest, fastest=booth.fastest),
            )
            for i in chunk
        }
        for i, said in zip(asks, booth.speak(list(asks.values())), strict=True):
            if isinstance(said, EngineError):
                failed[i] = said
                del slots[i]
                continue
            predicted[i] = None if i in heard else slots[i].choices[fits[i].choice].seconds
            slots[i], clips[i] = spoken(slots[i], said, choice=fits[i].choice), said
            if i not in heard:
                speaker = parts[i].line.speaker
                models[speaker] = learned(models[speaker], asks[i].text, said)
        run.progress("speak", chunk.stop / len(parts), f"{chunk.stop} of {len(parts)} lines")
    if parts and not clips:
        raise next(iter(failed.values()))
    _retake(run, booth, parts, slots, clips, predicted, programme)
    takes = _settled(parts, slots, clips, predicted, models, programme)
    lost = {parts[i].line.id: problem.message for i, problem in sorted(failed.items())}
    return Spoken(takes, lost, {part.line.speaker: part.voice for part in parts})


def _auditioned(
    run: Run, booth: Booth, parts: list[Part]
) -> tuple[list[Part], dict[str, Duration], frozenset[int]]:
    """The parts with paced voices, a model per speaker, and which lines were spoken to get there.

    A paid voice is not auditioned: it speaks at its own pace and is learned on the job.
    """
    models: dict[str, Duration] = {}
    heard: set[int] = set()
    for speaker in dict.fromkeys(part.line.speaker for part in parts):
        own = [i for i, part in enumerate(parts) if part.line.speaker == speaker]
        voice = parts[own[0]].voice
        fresh = models[speaker] = Duration.of(voice.language)
        if booth.paid:
            continue
        chosen = [own[i] for i in pacing.auditions([parts[i].wordings[0].text for i in own])]
        said = booth.speak([Ask(parts[i].wordings[0].text, replace(voice, pace=1.0), 1.0) for i in chosen])
        clips = [(i, clip) for i, clip in zip(chosen, said, strict=True) if isinstance(clip, Clip)]
        at_one = fresh
        for i, clip in clips:
            at_one = learned(at_one, parts[i].wordings[0].text, clip)
        if not parts[own[0]].is_paced:
            rooms = [
                (
                    parts[i].line.span.duration / 1000,
                    at_one.predict(features(parts[i].wordings[0].text, at_one.language))[0],
                )
                for i in own
            ]
            voice = replace(voice, pace=pacing.pace(rooms, at_one))
        for i in own:
            parts[i] = replace(parts[i], voice=voice)
        for i, clip in clips:  # the model speaks of the voice at its pace
            models[speaker] = learned(
                models[speaker], parts[i].wordings[0].text, replace(clip, rate=1 / voice.pace)
            )
        heard |= {i for i, _ in clips}
    run.gateway.cancel.check()
    return parts, models, frozenset(heard)


def _retake(
    run: Run,
    booth: Booth,
    parts: Sequence[Part],
    slots: dict[int, Slot],
    clips: dict[int, Clip],
    predicted: dict[int, float | None],
    programme: Programme,
) -> None:
    """Speak once more what came out too far from its room; what fails again stays as it was."""
    order = sorted(clips)
    fits = refit([slots[i] for i in order], programme=programme.seconds)
    wanted = retakes([slots[i] for i in order], fits, slowest=booth.slowest, fastest=booth.fastest)
    asks = {
        order[at]: Ask(parts[order[at]].wordings[take.choice].text, parts[order[at]].voice, take.native)
        for at, take in wanted.items()
    }
    if not asks:
        return
    run.progress("speak", 1.0, f"{len(asks)} lines once more, to fit better")
    for (at, take), said in zip(wanted.items(), booth.speak(list(asks.values())), strict=True):
        i = order[at]
        if isinstance(said, EngineError):
            continue  # the first take is there and is kept: nothing is lost
        if take.choice != slots[i].locked_choice and predicted[i] is not None:
            predicted[i] = slots[i].choices[take.choice].seconds * slots[i].native
        slots[i], clips[i] = spoken(slots[i], said, choice=take.choice), said


def _settled(
    parts: Sequence[Part],
    slots: Mapping[int, Slot],
    clips: Mapping[int, Clip],
    predicted: Mapping[int, float | None],
    models: Mapping[str, Duration],
    programme: Programme,
) -> tuple[Take, ...]:
    order = sorted(clips)
    settings = settle(
        [slots[i] for i in order],
        [clips[i] for i in order],
        [parts[i].line for i in order],
        programme=programme.seconds,
    )
    takes = []
    for i, setting in zip(order, settings, strict=True):
        part, model = parts[i], models[parts[i].line.speaker]
        takes.append(
            Take(
                part=part,
                wording=part.wordings[setting.fit.choice],
                clip=clips[i],
                predicted=predicted[i],
                source_predicted=model.predict(features(part.line.text, model.language))[0],
                slot=slots[i],
                setting=setting,
                placement=place(
                    part.line.id, clips[i], setting, rate=programme.rate, frames=programme.frames
                ),
                flags=flags(slots[i], setting),
            )
        )
    return tuple(takes)
