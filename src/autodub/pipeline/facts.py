"""What a dub hands over to be measured, to be read as subtitles, and to be edited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from autodub.dubbing.syllables import features, syllables
from autodub.dubbing.translation import spread
from autodub.infra.codec import canonical
from autodub.model.language import Language
from autodub.model.media import Source
from autodub.model.speech import Line, Segment, Tone, Voice
from autodub.model.time import Span, padded, subtract
from autodub.pipeline.opening import shown_place
from autodub.pipeline.plan import Plan
from autodub.pipeline.project import CastEntry, Edits, LineEntry, Project, Timing, VoiceEntry
from autodub.pipeline.project import Wording as Made
from autodub.pipeline.revising import Revision
from autodub.pipeline.run import Run
from autodub.pipeline.speaking import Programme, Spoken, Take
from autodub.quality.facts import (
    BillFact,
    CallFact,
    CostFact,
    DubFacts,
    EngineFact,
    LineFact,
    StageFact,
    ToneFact,
)

_INSIDE = 300
"""Milliseconds around a line within which detected speech counts as the line's."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A line that is not spoken: its original sound stays."""

    line: Line
    reason: str
    by_choice: bool = False
    """True when a person wanted it so."""


def unwritten(speech: Sequence[Span], lines: Sequence[Line], *, limit: int) -> tuple[Kept, ...]:
    """Detected speech that no line covers: nobody understood it, so nobody may take it away."""
    covered = padded((line.span for line in lines), before=_INSIDE, after=_INSIDE, limit=limit)
    left = subtract(speech, covered)
    return tuple(
        Kept(Line(f"N{number:04}", span, "", "?"), "speech that was not understood stays in the original")
        for number, span in enumerate(left, start=1)
    )


def kept_lines(
    revision: Revision,
    now: Spoken,
    failed: Mapping[str, str],
    *,
    made: Sequence[Line],
    speech: Sequence[Span],
    limit: int,
) -> tuple[Kept, ...]:
    """Every line that is not spoken, with the reason, and speech that became no line at all."""
    takes = {take.line.id for take in now.takes}
    silent = [
        Kept(
            line,
            revision.keep.get(line.id) or failed.get(line.id) or "it could not be spoken",
            by_choice=line.id in revision.keep,
        )
        for line in revision.lines
        if line.id not in takes
    ]
    return (*silent, *unwritten(speech, [*made, *revision.lines], limit=limit))


def kept_spans(kept: Sequence[Kept], now: Spoken) -> tuple[Span, ...]:
    """Where the original sound stays: the kept lines, save where their own speaker is dubbed.

    Two lines joined into one are one longer line and one that was removed; the removed one's sound
    must not come back under the dub of both.
    """
    out: list[Span] = []
    for item in kept:
        dubbed = [take.line.span for take in now.takes if take.line.speaker == item.line.speaker]
        out += subtract([item.line.span], dubbed)
    return tuple(out)


def line_facts(
    spoken: Spoken, kept: Sequence[Kept], *, rate: int, language: Language, source: Language
) -> tuple[LineFact, ...]:
    """One record per input line, spoken or not, in time order."""
    facts = [_spoken(take, rate, language, source) for take in spoken.takes]
    facts += [
        LineFact(
            item.line.id, item.line.speaker, item.line.span, item.line.text,
            status="kept original", reason=item.reason, rate_hz=rate, by_choice=item.by_choice,
        )
        for item in kept
    ]  # fmt: skip
    return tuple(sorted(facts, key=lambda fact: (fact.source, fact.id)))


def _spoken(take: Take, rate: int, language: Language, source: Language) -> LineFact:
    line, at = take.line, take.placement
    spans = [phrase.span for phrase in line.phrases]
    text = take.wording.text
    return LineFact(
        id=line.id,
        speaker=line.speaker,
        source=line.span,
        text=line.text,
        spoken=text,
        voice=f"{take.part.voice.engine}:{take.part.voice.id}",
        rate_hz=rate,
        planned_start=_planned(take, rate),
        lead_ms=round(take.clip.lead / at.stretch),
        placed_start=at.start,
        frames=at.frames,
        predicted_seconds=take.predicted,
        source_predicted_seconds=take.source_predicted,
        clip_seconds=take.clip.seconds,
        native=take.clip.rate,
        pace=take.part.voice.pace,
        stretch=at.stretch,
        syllables=syllables(text, language.tag),
        source_syllables=syllables(line.text, source.tag),
        phonemes=float(features(text, language.tag).letters),
        source_phonemes=float(features(line.text, source.tag).letters),
        pauses=tuple(Span(a.end, b.start) for a, b in pairwise(spans) if b.start - a.end >= 300),
        dub_pauses=_pauses(take, rate),
        flags=tuple(flag.word for flag in take.flags),
        overlap_ms=round(take.setting.fit.overlap * 1000),
    )


def _planned(take: Take, rate: int) -> int:
    """First sample the plan wants, silence before the voice included."""
    return max(0, round((take.setting.fit.start - take.clip.lead / 1000 / take.setting.fit.rate) * rate))


def _pauses(take: Take, rate: int) -> tuple[Span, ...]:
    """Silences of 300 ms or more inside the placed clip, on the programme: its own and those put in."""
    at = take.placement
    start = round(at.start * 1000 / rate)
    own = [(p.start / at.stretch, p.end / at.stretch) for p in take.clip.pauses]
    put = [(1000 * where / rate, 1000 * many / rate) for where, many in at.pauses]
    found: list[Span] = []
    for begin, end in own:
        shift = sum(many for where, many in put if where < begin)
        inside = sum(many for where, many in put if begin <= where <= end)
        found.append(
            Span(
                round(start + begin + shift),
                max(round(start + begin + shift), round(start + end + shift + inside)),
            )
        )
    for where, many in put:
        if many > 0 and not any(begin <= where <= end for begin, end in own):
            shift = sum(other for place, other in put if place < where)
            found.append(Span(round(start + where + shift), round(start + where + shift + many)))
    return tuple(sorted(span for span in found if span.duration >= 300))


def dub_facts(
    run: Run,
    plan: Plan,
    *,
    spoken: Language | None,
    lines: tuple[LineFact, ...],
    speech: tuple[Span, ...],
    programme: Programme,
    voices: Mapping[str, Voice],
    tones: Mapping[str, Tone],
    notes: tuple[str, ...] = (),
) -> DubFacts:
    """Everything known about the dub besides its sound."""
    calls = run.gateway.calls()
    seconds: dict[str, float] = {}
    for count in calls:
        if not count.engine.startswith("studio."):
            stage = _STAGES.get(count.verb, "")
            seconds[stage] = seconds.get(stage, 0.0) + count.seconds
    costs, bill = _money(run)
    return DubFacts(
        source_language=spoken.tag if spoken else "und",
        target_language=plan.target.tag,
        rate=programme.rate,
        frames=programme.frames,
        lines=lines,
        source_speech=speech,
        engines=tuple(
            EngineFact(role, c.info.name, c.info.version, canonical(c.engine.options).decode(), c.why)
            for role, c in plan.engines.items()
        ),
        degradations=tuple(run.degradations),
        stages=tuple(StageFact(s.stage, s.seconds, seconds.get(s.stage, 0.0)) for s in run.stages),
        calls=tuple(
            CallFact(f"{c.engine}.{c.verb}", c.made, c.kept, c.sent, c.retried, c.failed) for c in calls
        ),
        costs=costs,
        bill=bill,
        voices=tuple(voices[name] for name in sorted(voices)),
        tones=tuple(ToneFact(name, tones[name]) for name in sorted(tones)),
        notes=notes,
    )


def _money(run: Run) -> tuple[tuple[CostFact, ...], BillFact | None]:
    """What engines consumed, item by item, and what that cost; no bill where none costs money."""
    amounts: dict[tuple[str, str, str], list[float]] = {}
    for use in run.gateway.usage():
        sums = amounts.setdefault((use.engine, use.verb, use.unit), [0.0, 0.0])
        sums[1 if use.cached else 0] += use.amount
    bill = run.gateway.bill()
    dollars: dict[tuple[str, str, str], float] = {}
    for charge in bill.charges:
        if charge.dollars is not None:
            place = (charge.engine, charge.verb, charge.unit)
            dollars[place] = dollars.get(place, 0.0) + float(charge.dollars)
    costs = tuple(
        CostFact(place[0], place[2], new, kept, place[1], dollars.get(place))
        for place, (new, kept) in amounts.items()
    )
    if not bill.charges:
        return costs, None
    told = run.estimate
    return costs, BillFact(
        total=float(bill.total),
        dated=bill.dated,
        unpriced=bill.unpriced,
        expected=float(told.likely) if told else None,
        expected_low=float(told.low) if told else None,
        expected_high=float(told.high) if told else None,
    )


_STAGES = {
    "download": "open", "detect": "detect", "separate": "separate", "transcribe": "transcribe",
    "diarize": "diarize", "translate": "translate", "list_voices": "voices", "clone": "voices",
    "synthesize": "speak",
}  # fmt: skip


def subtitles(spoken: Spoken, *, rate: int) -> tuple[Segment, ...]:
    """What is spoken, when; a line with long pauses as one piece per phrase."""
    out = []
    for take in spoken.takes:
        begin = round(take.placement.start * 1000 / rate)
        end = round((take.placement.start + take.placement.frames) * 1000 / rate)
        edges = [(pause.start, pause.end) for pause in _pauses(take, rate)]
        bounds = [begin, *(edge for pair in edges for edge in pair), end]
        pieces = list(zip(bounds[::2], bounds[1::2], strict=True))
        phrases = take.line.phrases if len(pieces) == len(take.line.phrases) else ()
        texts = spread(take.wording.text, phrases) if len(phrases) > 1 else (take.wording.text,)
        if len(texts) != len(pieces) or not all(texts):
            pieces, texts = [(begin, end)], (take.wording.text,)
        out += [Segment(Span(a, max(a, b)), text) for (a, b), text in zip(pieces, texts, strict=True)]
    return tuple(out)


def project(
    source: Source,
    plan: Plan,
    *,
    spoken: Language,
    made: Sequence[Line],
    wordings: Mapping[str, str],
    now: Spoken,
    kept: Sequence[Kept],
    edits: Edits,
    voices: Mapping[str, Voice],
    rate: int,
    title: str | None = None,
) -> Project:
    """The project file: what was made by itself beside what a person made of it.

    ``made`` and ``wordings`` are the lines and texts before edits, ``now`` and ``kept`` what came of
    them, ``voices`` what casting chose by itself.
    """
    takes = {take.line.id: take for take in now.takes}
    reasons = {item.line.id: item for item in kept}
    by_id = {line.id: line for line in made}
    changes = {edit.id: edit for edit in edits.lines}
    gone = {name for name, _ in edits.removed}
    present = [line.id for line in made if line.id not in gone]
    present += [edit.id for edit in edits.lines if edit.is_new]
    entries = []
    for name in present:
        line, edit, take = by_id.get(name), changes.get(name), takes.get(name)
        original = (
            Made(
                text=wordings.get(name, ""), source=line.text, speaker=line.speaker,
                start_ms=line.span.start, end_ms=line.span.end, keep_original=name not in wordings,
                text_again=take.wording.text if take and edit and edit.source and edit.text is None else None,
            )
            if line
            else None
        )  # fmt: skip
        current = take.line if take else reasons[name].line if name in reasons else line
        assert current is not None, "every entry is a made line or an added one"
        text = (
            take.wording.text
            if take
            else (edit.text if edit and edit.text is not None else wordings.get(name, ""))
        )
        is_kept = (
            edit.keep_original
            if edit and edit.keep_original is not None
            else bool(original and original.keep_original)
        )
        entries.append(
            LineEntry(
                id=name, speaker=current.speaker, start_ms=current.span.start, end_ms=current.span.end,
                source=current.text, text=text, keep_original=is_kept and take is None,
                note=reasons[name].reason if name in reasons else "",
                timing=_timing(take, rate) if take else None, made=original,
            )
        )  # fmt: skip
    cast = {}
    for speaker in sorted({line.speaker for line in made} | set(now.voices)):
        voice = now.voices.get(speaker) or voices.get(speaker)
        chosen = voices.get(speaker) or voice
        if voice is not None and chosen is not None:
            own = edits.own.get(speaker) or _entry(chosen if speaker in edits.voices else voice)
            wanted = edits.voices.get(speaker)
            # What a person wants stays written down, also where another voice had to do this time.
            is_lost = wanted is not None and wanted.id != voice.id
            current_voice = _entry(wanted if wanted is not None and is_lost else voice)
            cast[speaker] = CastEntry(**current_voice.model_dump(), made=own)
    return Project(
        source=shown_place(source, title), source_sha256=source.digest,
        spoken=spoken.tag, target=plan.target.tag,
        voices=cast, lines=sorted(entries, key=lambda entry: (entry.start_ms, entry.id)),
        made_lines={line.id: line.text for line in made},
    )  # fmt: skip


def _entry(voice: Voice) -> VoiceEntry:
    return VoiceEntry(id=voice.id, pitch_hz=voice.pitch, pace=voice.pace)


def _timing(take: Take, rate: int) -> Timing:
    begin, frames = take.placement.start, take.placement.frames
    return Timing(
        start_ms=round(begin * 1000 / rate),
        end_ms=round((begin + frames) * 1000 / rate),
        native_rate=round(take.clip.rate, 3),
        stretch=round(take.placement.stretch, 4),
        flags=[flag.word for flag in take.flags],
    )
