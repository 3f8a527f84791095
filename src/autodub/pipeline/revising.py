"""Revising: a person's edits applied to a dub, touching nothing but the edited lines and their neighbours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from autodub.dubbing.duration import Duration
from autodub.dubbing.fitting import flags, learned, native_rate, place, settle, sides, slot, spoken
from autodub.dubbing.syllables import features
from autodub.dubbing.timing import Choice, Slot, plan
from autodub.model.errors import BadProject, EngineError
from autodub.model.media import Clip
from autodub.model.speech import Line, Voice, Wording
from autodub.pipeline import ahead
from autodub.pipeline.booth import Ask, Booth
from autodub.pipeline.project import Edits, LineEdit
from autodub.pipeline.speaking import Part, Programme, Spoken, Take

NEIGHBOURS = 4
"""Lines before and after an edited one whose timing may follow it; the rest stays where it is."""


@dataclass(frozen=True, slots=True)
class Revision:
    """What the edits of a project file mean for this dub."""

    lines: tuple[Line, ...]
    """All lines, edited times, speakers and source texts applied, added ones in place."""
    texts: Mapping[str, str] = field(default_factory=dict)
    """Line -> text to speak, word for word."""
    translate: frozenset[str] = frozenset()
    """Lines whose source text was changed and whose dub was not: they are translated again."""
    keep: Mapping[str, str] = field(default_factory=dict)
    """Line -> why its original sound stays."""
    touched: frozenset[str] = frozenset()
    """Lines that are spoken anew."""


def revise(lines: Sequence[Line], edits: Edits, *, path: Path, limit: int) -> Revision:
    """Match edits with lines of a programme of ``limit`` ms.

    Raises BadProject for an edit of a line that is not there (any more), and for times past the end.
    """
    known = {line.id: line for line in lines}
    changed = dict(known)
    texts: dict[str, str] = {}
    translate: set[str] = set()
    keep: dict[str, str] = {}
    for name, text in edits.removed:
        if name not in known or known[name].text != text:
            raise _outdated(name, path)
        keep[name] = "taken out of the project by a person"
    touched: set[str] = set()
    for edit in edits.lines:
        old = known.get(edit.id)
        if edit.is_new:
            if old is not None:
                raise BadProject(
                    f"The added line {edit.id} in {path} has the name of another one.", hint="Rename it."
                )
            changed[edit.id] = _added(edit, path)
        elif old is None or old.text != edit.of:
            raise _outdated(edit.id, path)
        else:
            changed[edit.id] = _edited(old, edit)
        if edit.span is not None and edit.span.end > limit:
            raise BadProject(
                f"Line {edit.id} in {path} ends after the programme, which is {limit} ms long.",
                hint="Give it times inside the programme.",
            )
        if edit.keep_original or (edit.text is not None and not edit.text.strip()):
            keep[edit.id] = "kept by a person"
            continue
        touched.add(edit.id)
        if edit.text is not None:
            texts[edit.id] = edit.text
        elif edit.source is not None:
            translate.add(edit.id)
    ordered = tuple(sorted(changed.values(), key=lambda line: (line.span, line.id)))
    return Revision(ordered, texts, frozenset(translate), keep, frozenset(touched))


def _outdated(name: str, path: Path) -> BadProject:
    return BadProject(
        f"Line {name} in {path} was edited, but the transcript has changed since.",
        hint="Move the project file away, dub again, and make the edit in the new one.",
    )


def _added(edit: LineEdit, path: Path) -> Line:
    if edit.span is None or edit.speaker is None or not (edit.text or "").strip():
        raise BadProject(
            f"The added line {edit.id} in {path} has no text.",
            hint="Give it text, speaker, start_ms and end_ms.",
        )
    return Line(edit.id, edit.span, edit.source or str(edit.text), edit.speaker)


def _edited(line: Line, edit: LineEdit) -> Line:
    moved = edit.span is not None or edit.source is not None
    return replace(
        line,
        span=edit.span or line.span,
        text=edit.source if edit.source is not None else line.text,
        speaker=edit.speaker or line.speaker,
        phrases=() if moved else line.phrases,
    )


def texts(revision: Revision) -> dict[str, tuple[Wording, ...]]:
    """The texts a person wrote, as the only wordings of their lines."""
    return {name: (Wording(text),) for name, text in revision.texts.items()}


def respeak(
    booth: Booth,
    base: Spoken,
    revision: Revision,
    wordings: Mapping[str, tuple[Wording, ...]],
    voices: Mapping[str, Voice],
    programme: Programme,
) -> Spoken:
    """The dub with the touched lines spoken anew: one synthesis each, then a fit with what is near."""
    takes = {take.line.id: take for take in base.takes}
    lines = [
        line
        for line in revision.lines
        if line.id not in revision.keep and (line.id in takes or line.id in revision.touched)
    ]
    near = _near(lines, revision)
    fresh = {
        line.id: Part(line, wordings[line.id], _voice(line.speaker, base, voices))
        for line in lines
        if line.id in revision.touched and line.id in wordings
    }
    failed = {name: why for name, why in base.failed.items() if name not in fresh}
    lines = [line for line in lines if line.id in fresh or line.id not in revision.touched]
    models = {line.speaker: _model(base, line.speaker, voices) for line in lines if line.id in fresh}
    side = dict(zip((line.id for line in lines), sides(lines), strict=True))
    slots = {
        line.id: slot(line, fresh[line.id].wordings, models[line.speaker], timeline=side[line.id])
        if line.id in fresh
        else replace(_held(takes[line.id], free=line.id in near), timeline=side[line.id])
        for line in lines
    }
    fits = dict(zip(slots, plan(list(slots.values()), programme=programme.seconds), strict=True))
    asks = {
        name: Ask(
            part.wordings[fits[name].choice].text,
            part.voice,
            native_rate(slots[name], fits[name], slowest=booth.slowest, fastest=booth.fastest),
        )
        for name, part in fresh.items()
    }
    clips: dict[str, Clip] = {name: take.clip for name, take in takes.items()}
    predicted = {name: slots[name].choices[fits[name].choice].seconds for name in fresh}
    under_way = [booth.submit(ask) for ask in asks.values()]
    booth.meanwhile(asks.values(), ahead.load_libraries)  # what is still to be done needs them
    for name, said in zip(asks, booth.collect(under_way), strict=True):
        if isinstance(said, EngineError):
            failed[name] = said.message
            del slots[name]
            continue
        slots[name], clips[name] = spoken(slots[name], said, choice=fits[name].choice), said
    order = [line for line in lines if line.id in slots]
    settings = settle(
        [slots[line.id] for line in order],
        [clips[line.id] for line in order],
        order,
        programme=programme.seconds,
    )
    out: list[Take] = []
    for line, setting in zip(order, settings, strict=True):
        name = line.id
        if name not in fresh and name not in near:
            out.append(takes[name])
            continue
        part = fresh.get(name) or takes[name].part
        model = models.get(part.line.speaker) or Duration.of(part.voice.language)
        out.append(
            Take(
                part=part,
                wording=part.wordings[setting.fit.choice],
                clip=clips[name],
                predicted=predicted[name] if name in fresh else takes[name].predicted,
                source_predicted=model.predict(features(line.text, model.language))[0]
                if name in fresh
                else takes[name].source_predicted,
                slot=slots[name],
                setting=setting,
                placement=place(name, clips[name], setting, rate=programme.rate, frames=programme.frames),
                flags=flags(slots[name], setting),
            )
        )
    spoken_by = {take.line.speaker: take.part.voice for take in out}
    return Spoken(tuple(out), failed, dict(base.voices) | spoken_by)


def _near(lines: Sequence[Line], revision: Revision) -> frozenset[str]:
    """Lines close enough to an edit for their timing to follow it."""
    out: set[str] = set()
    for at, line in enumerate(lines):
        if line.id in revision.touched:
            out |= {other.id for other in lines[max(0, at - NEIGHBOURS) : at + NEIGHBOURS + 1]}
    return frozenset(out)


def _voice(speaker: str, base: Spoken, voices: Mapping[str, Voice]) -> Voice:
    """The voice a speaker already has, pace included: one line spoken again sounds like all others."""
    return base.voices.get(speaker) or voices[speaker]


def _model(base: Spoken, speaker: str, voices: Mapping[str, Voice]) -> Duration:
    model = Duration.of(_voice(speaker, base, voices).language)
    for take in base.takes:
        if take.line.speaker == speaker:
            model = learned(model, take.wording.text, take.clip)
    return model


def _held(take: Take, *, free: bool) -> Slot:
    """The slot of a line that was spoken before: as it was, or nailed down where it is."""
    if free:
        return take.slot
    fit = take.setting.fit
    seconds = (take.setting.end - fit.start) * fit.rate
    choices: list[Choice] = list(take.slot.choices)
    choices[fit.choice] = replace(choices[fit.choice], seconds=seconds)
    return replace(
        take.slot,
        choices=tuple(choices),
        locked_start=fit.start,
        locked_rate=fit.rate,
        locked_choice=fit.choice,
    )
