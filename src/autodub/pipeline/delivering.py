"""From spoken lines to finished files: produce, measure, and write everything into the store."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from autodub.dubbing.captions import format_srt, format_vtt
from autodub.infra.memory import give_back
from autodub.media.survey import kept_cells
from autodub.model.language import Language
from autodub.model.media import Blob, Timeline
from autodub.model.request import DubRequest
from autodub.model.time import Span
from autodub.pipeline import facts
from autodub.pipeline.facts import Kept
from autodub.pipeline.finished import Finished, Making, Parts, keep_text, remember
from autodub.pipeline.listening import Heard
from autodub.pipeline.opening import Opened, shown_name, shown_place
from autodub.pipeline.performing import Performance
from autodub.pipeline.plan import Plan
from autodub.pipeline.project import Project, dump
from autodub.pipeline.run import Run
from autodub.pipeline.speaking import Programme, Spoken
from autodub.pipeline.studio import Produce, Produced, Rehearse, Subtitled, Survey, Surveyed
from autodub.quality.facts import DubFacts
from autodub.quality.measure import SourceSound, measure
from autodub.quality.receipt import Receipt
from autodub.quality.rendering import sound_fact, with_levels
from autodub.quality.report import report

_APART = 20
"""Milliseconds between the beginnings of sound and picture that nobody notices."""


def rehearse(run: Run, plan: Plan, request: DubRequest) -> None:
    """Raise OutputProblem now, and not after all the work, when the output cannot hold what it should."""
    asked = Rehearse(
        plan.source, plan.audio.index, plan.start, plan.end, plan.outputs.media.suffix.lower(),
        plan.target.iso639_2, request.keep_original_audio,
    )  # fmt: skip
    run.call(run.studio, "rehearse", asked, stage="open")


def with_picture(run: Run, plan: Plan, opened: Opened) -> Plan:
    """The plan with the whole source in place of its sound; waits until it is fetched."""
    whole = opened.whole()
    if whole is opened.sound:
        return plan
    place = [stream.index for stream in opened.sound.info.audio].index(plan.audio.index)
    audio = whole.info.audio[min(place, len(whole.info.audio) - 1)]
    late = audio.start - plan.audio.start
    if abs(late) > _APART:
        run.degrade(
            "source", f"the dub begins {abs(late)} ms {'before' if late > 0 else 'after'} its picture",
            "the site's sound and picture begin at different times",
        )  # fmt: skip
    return replace(plan, source=whole, audio=audio)


def survey(run: Run, heard: Heard, *, keep: tuple[Span, ...]) -> Surveyed:
    """What the mix is planned from; waits for the background. Kept, so asked for early it is there later."""
    asked = Survey(heard.soundtrack.mix, heard.background, heard.voiced, keep)
    surveyed: Surveyed = run.call(run.studio, "survey", asked, stage="render")
    return surveyed


def deliverables(
    run: Run,
    plan: Plan,
    request: DubRequest,
    heard: Heard,
    programme: Programme,
    show: Performance,
    kept: Sequence[Kept],
    record: Project,
    *,
    language: Language,
) -> Finished:
    """Everything of a dub, measured, in the store."""
    store, spoken = run.gateway.store, show.now
    segments = facts.subtitles(spoken, rate=programme.rate)
    srt = keep_text(store, "dub.srt", format_srt(segments))
    vtt = keep_text(store, "dub.vtt", format_vtt(segments))
    run.unchanged(plan.source)
    with run.stage("render", "mixing and encoding"):
        surveyed = survey(run, heard, keep=facts.kept_spans(kept, spoken))
        asked = _produce(
            plan, request, heard, programme, spoken, kept, surveyed, srt=srt if segments else None
        )
        produced: Produced = run.call(run.studio, "produce", asked, stage="render")
    for note in produced.notes:
        run.degrade(note.what, note.message, note.reason)
    lines = facts.line_facts(spoken, kept, rate=programme.rate, language=plan.target, source=language)
    known = facts.dub_facts(
        run, plan, spoken=language, lines=with_levels(lines, produced.rendered), speech=heard.speech,
        programme=programme, voices=spoken.voices, tones=show.tones, notes=_consent(request),
    )  # fmt: skip
    known = replace(known, sound=sound_fact(produced.rendered), picture_copied=produced.picture_copied)
    receipt = _receipt(run, plan, request, heard, produced.file, produced.bed.blob, known, surveyed)
    done = _finished(run, produced.file, srt, vtt, receipt, record)
    background = heard.background
    parts = Parts(heard.soundtrack.mix, background, heard.voiced) if background else None
    offers = {line: [one.text for one in wordings] for line, wordings in show.offers.items()}
    kept_offers = keep_text(store, "offers.json", json.dumps(offers, ensure_ascii=False))
    return replace(done, dialogue=produced.dialogue, stems=parts, offers=kept_offers)


def _consent(request: DubRequest) -> tuple[str, ...]:
    """What asking for cloned or matched voices states, on the record."""
    if not request.match_voices and not request.clone_voices:
        return ()
    how = "cloned from" if request.clone_voices else "matched to"
    kept = ("The cloned voices stay in the account, as was asked.",) if request.keep_voices else ()
    return (f"Voices were {how} the speakers; whoever asked for it states to have their permission.", *kept)


def untouched(run: Run, plan: Plan, request: DubRequest, heard: Heard, programme: Programme) -> Finished:
    """Nothing is said, so nothing is dubbed: the output is the source, and the receipt says so."""
    reason = "nobody speaks in it" if not heard.speech else "nothing of what is said was understood"
    run.degrade("dub", "the output is the source, unchanged", reason)
    store = run.gateway.store
    source = Path(plan.source.path)
    silent = Spoken((), {}, {})
    run.unchanged(plan.source)
    with run.stage("render", "copying the source"):
        if plan.is_range or plan.outputs.media.suffix.lower() != source.suffix.lower():
            quiet = replace(heard, voiced=(), separation=None)
            surveyed = survey(run, quiet, keep=())
            asked = _produce(plan, request, quiet, programme, silent, (), surveyed, srt=None)
            produced: Produced = run.call(run.studio, "produce", asked, stage="render")
            media, sound, picture = produced.file, sound_fact(produced.rendered), produced.picture_copied
            bed: Blob | None = produced.bed.blob
        else:
            with store.blobs.scratch() as folder:
                copy = folder / f"dub{source.suffix.lower()}"
                shutil.copyfile(source, copy)
                media = store.blobs.keep(copy)
            sound, picture, bed = None, True if plan.source.info.video else None, None
    known = facts.dub_facts(
        run, plan, spoken=heard.spoken, lines=(), speech=heard.speech, programme=programme, voices={},
        tones={}, notes=(f"Nothing was dubbed: {reason}.",),
    )  # fmt: skip
    known = replace(known, sound=sound, picture_copied=picture)
    receipt = _receipt(run, plan, request, heard, media, bed, known)
    record = Project(
        source=shown_place(plan.source, request.title),
        source_sha256=plan.source.digest,
        spoken=heard.spoken.tag if heard.spoken else "und",
        target=plan.target.tag,
    )
    return _finished(run, media, None, None, receipt, record)


def _produce(
    plan: Plan,
    request: DubRequest,
    heard: Heard,
    programme: Programme,
    spoken: Spoken,
    kept: Sequence[Kept],
    surveyed: Surveyed,
    *,
    srt: Blob | None,
) -> Produce:
    return Produce(
        source=plan.source,
        stream=plan.audio.index,
        start=plan.start,
        end=plan.end,
        mix=heard.soundtrack.mix,
        background=heard.background,
        surveyed=surveyed,
        is_estimate=not plan.engines["separator"].info.needs_weights,
        spans=heard.voiced,
        keep=facts.kept_spans(kept, spoken),
        timeline=Timeline(programme.rate, programme.frames, tuple(take.placement for take in spoken.takes)),
        lines=tuple(take.line for take in spoken.takes),
        loudness=request.loudness,
        suffix=plan.outputs.media.suffix.lower(),
        language=plan.target.iso639_2,
        spoken=heard.spoken.iso639_2 if heard.spoken else "und",
        keep_original_audio=request.keep_original_audio,
        subtitles=Subtitled(srt, plan.target.iso639_2) if srt else None,
    )


def _receipt(
    run: Run,
    plan: Plan,
    request: DubRequest,
    heard: Heard,
    media: Blob,
    bed: Blob | None,
    known: DubFacts,
    surveyed: Surveyed | None = None,
) -> Receipt:
    """Measure the finished file, and keep what it takes to measure it again."""
    store = run.gateway.store
    blobs, track = store.blobs, heard.soundtrack
    give_back()  # rendering is over, and measuring needs as much again
    remember(store, media, Making(known, bed, plan.start, plan.end, plan.audio.index, plan.source.digest))
    with run.stage("measure", "measuring the finished file"), blobs.scratch() as folder:
        receipt = measure(
            blobs.path(media),
            Path(plan.source.path),
            facts=known,
            bed=blobs.path(bed) if bed else None,
            sound=SourceSound(
                blobs.path(track.mix.blob),
                blobs.path(track.speech.blob),
                track.mix.layout,
                kept_cells(blobs.path(surveyed.cells))[0] if surveyed else None,
            ),
            info=plan.source.info,
            start=plan.start,
            end=plan.end,
            stream=plan.audio.index,
            scratch=folder,
            check=run.gateway.cancel.check,
            progress=lambda fraction: run.progress("measure", fraction, "measuring"),
        )
    return replace(receipt, source=shown_name(plan.source, request.title), dub=plan.outputs.media.name)


def _finished(
    run: Run, media: Blob, srt: Blob | None, vtt: Blob | None, receipt: Receipt, record: Project
) -> Finished:
    store = run.gateway.store
    return Finished(
        media=media,
        srt=srt,
        vtt=vtt,
        receipt=keep_text(store, "receipt.json", receipt.to_json()),
        report=keep_text(store, "report.html", report(receipt)),
        project=keep_text(store, "project.json", dump(record)),
        measured=receipt,
    )
