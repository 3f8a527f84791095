"""The first half of a dub: from a source to lines of text with times and speakers."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from autodub.dubbing.segmentation import segment
from autodub.model.calls import Detect, Diarize, Separate, Spans, Transcribe
from autodub.model.errors import CircuitOpen, EngineError, MediaError
from autodub.model.language import Language
from autodub.model.media import Audio, Blob, Soundtrack, Stems
from autodub.model.request import DubRequest
from autodub.model.speech import Line, Transcript, Turns
from autodub.model.time import Span
from autodub.pipeline.names import path_of
from autodub.pipeline.plan import TEXT_ENGINE, Hearing
from autodub.pipeline.run import Run
from autodub.pipeline.studio import Decode, DecodedSound, KeepSubtitles, ReadSubtitles, Studio

FAILURES = (EngineError, MediaError, CircuitOpen)
"""What may be answered by doing less, where doing less makes sense."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What a source says, and its sound taken apart."""

    soundtrack: Soundtrack
    speech: tuple[Span, ...]
    """Where people speak, by the detector."""
    spoken: Language | None
    """None when nobody speaks and nothing says the language."""
    lines: tuple[Line, ...]
    background: Audio | None
    """None when the voice could not be taken out, or nothing is to be dubbed."""


def open_sound(run: Run, plan: Hearing) -> Soundtrack:
    """Decode the sound once."""
    with run.stage("decode", "decoding the sound"):
        decoded: DecodedSound = run.call(
            Studio(), "decode", Decode(plan.source, plan.audio.index, plan.start, plan.end), stage="decode"
        )
    for warning in decoded.warnings:
        run.degrade("source", "the sound is used as far as it can be decoded", warning)
    return decoded.soundtrack


def hear(run: Run, plan: Hearing, request: DubRequest, *, separate: bool = True) -> Heard:
    """Decode, find speech, then transcribe beside separating the voice from the rest."""
    soundtrack = open_sound(run, plan)
    detector = plan.engines["detector"].engine
    with run.stage("detect", "finding where people speak"):
        found: Spans = run.call(detector, "detect", Detect(soundtrack.speech), stage="detect")
    if not found.spans and request.subtitles is None:
        return Heard(soundtrack, (), plan.spoken, (), None)
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="separate") as beside:
        stems = beside.submit(_separate, run, plan, soundtrack, found.spans) if separate else None
        try:
            transcript = _transcribe(run, plan, request, soundtrack, found.spans)
            turns = _diarize(run, plan, request, soundtrack, found.spans, transcript)
        except BaseException:
            run.gateway.cancel.request()  # nobody will want the stems any more
            raise
        background = stems.result() if stems is not None else None
    spoken = Language.parse(transcript.language)
    lines = segment(transcript, turns=turns.turns, speech=found.spans)
    return Heard(soundtrack, found.spans, spoken, lines, background)


def _separate(run: Run, plan: Hearing, soundtrack: Soundtrack, spans: tuple[Span, ...]) -> Audio | None:
    chosen = plan.engines["separator"]
    try:
        with run.stage("separate", "taking the voice out of the mix"):
            stems: Stems = run.call(
                chosen.engine, "separate", Separate(soundtrack.mix, spans), stage="separate"
            )
    except FAILURES as problem:
        if chosen.named:
            raise
        run.degrade("separator", "the original is lowered under the dub instead of removed", problem.message)
        return None
    for note in stems.notes:
        run.degrade(
            "separator", note, f"the {chosen.info.name} separator needs moments without speech to learn from"
        )
    return stems.background


def _transcribe(
    run: Run, plan: Hearing, request: DubRequest, soundtrack: Soundtrack, spans: tuple[Span, ...]
) -> Transcript:
    chosen = plan.engines["transcriber"]
    with run.stage("transcribe", f"writing down what is said ({chosen.info.name})"):
        subtitles = _subtitles(run, plan, request) if chosen.info.name == TEXT_ENGINE else None
        transcript: Transcript = run.call(
            chosen.engine,
            "transcribe",
            Transcribe(
                soundtrack.speech,
                plan.spoken.tag if plan.spoken else None,
                spans,
                subtitles,
                offset=plan.start,
            ),
            stage="transcribe",
        )
    for note in transcript.notes:
        run.degrade("transcript", note, "the transcript was repaired")
    return transcript


def _subtitles(run: Run, plan: Hearing, request: DubRequest) -> Blob:
    """The subtitle file to read, taken into the store."""
    if request.subtitles is None:
        assert plan.subtitles is not None, "the plan chose to read subtitles"
        inside: Blob = run.call(
            Studio(), "read_subtitles", ReadSubtitles(plan.source, plan.subtitles.index), stage="transcribe"
        )
        return inside
    path = path_of(request.subtitles)
    digest = run.gateway.store.digest(path)
    kept: Blob = run.call(Studio(), "keep_subtitles", KeepSubtitles(str(path), digest), stage="transcribe")
    return kept


def _diarize(
    run: Run,
    plan: Hearing,
    request: DubRequest,
    soundtrack: Soundtrack,
    spans: tuple[Span, ...],
    transcript: Transcript,
) -> Turns:
    """Who speaks when; nobody is asked where the transcript or the user already says so."""
    named = _named_speakers(transcript)
    if request.speakers == 1 or plan.engines["transcriber"].info.diarizes or named:
        return Turns(())
    chosen = plan.engines["diarizer"]
    words = tuple(word for part in transcript.segments for word in part.words)
    try:
        with run.stage("diarize", "telling the speakers apart"):
            turns: Turns = run.call(
                chosen.engine,
                "diarize",
                Diarize(soundtrack.speech, spans, words, request.speakers),
                stage="diarize",
            )
    except FAILURES as problem:
        if chosen.named:
            raise
        run.degrade("diarizer", "everything is spoken by one voice", problem.message)
        return Turns(())
    return turns


def _named_speakers(transcript: Transcript) -> bool:
    """Whether the transcript itself names its speakers (labelled subtitles)."""
    segments: Sequence[object] = [part for part in transcript.segments if part.speaker]
    return bool(segments) and len(segments) * 2 >= len(transcript.segments)
