"""The first half of a dub: from a source to lines of text with times and speakers."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from autodub.dubbing.segmentation import segment
from autodub.model.calls import Detect, Diarize, Separate, Spans, Transcribe
from autodub.model.errors import AutodubError, CircuitOpen, EngineError, MediaError
from autodub.model.language import Language
from autodub.model.media import Audio, Blob, Soundtrack, Stems
from autodub.model.request import DubRequest
from autodub.model.speech import Line, Transcript, Turns
from autodub.model.time import Span, intersection, merged, total, touching
from autodub.pipeline.choosing import TEXT_ENGINE
from autodub.pipeline.names import path_of
from autodub.pipeline.plan import Hearing
from autodub.pipeline.run import Run
from autodub.pipeline.studio import Decode, DecodedSound, KeepSubtitles, ReadSubtitles

PART = 120_000
"""Milliseconds of speech a transcriber is asked for at once, where it can be asked in parts."""
_PAUSE = 500
"""Milliseconds of silence at which parts may be cut."""
FAILURES = (EngineError, MediaError, CircuitOpen)
"""What may be answered by doing less, where doing less makes sense."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What a source says, and its sound taken apart."""

    soundtrack: Soundtrack
    speech: tuple[Span, ...]
    """Where people speak, by the detector."""
    voiced: tuple[Span, ...]
    """The same, and where only the transcript knows of speech: the original voice is taken out there."""
    spoken: Language | None
    """None when nobody speaks and nothing says the language."""
    lines: tuple[Line, ...]
    separation: Future[Audio | None] | None = None
    """The background under way; None when nothing is to be dubbed."""

    @property
    def background(self) -> Audio | None:
        """Everything but the voice; waits for it. None when it could not be taken out."""
        return self.separation.result() if self.separation is not None else None


def _decode(plan: Hearing) -> Decode:
    return Decode(plan.source, plan.audio.index, plan.start, plan.end)


def is_decoded(run: Run, plan: Hearing) -> bool:
    """Whether the sound was decoded in an earlier run."""
    return run.is_kept(run.studio, "decode", _decode(plan))


def open_sound(run: Run, plan: Hearing) -> Soundtrack:
    """Decode the sound once."""
    with run.stage("decode", "decoding the sound"):
        decoded: DecodedSound = run.call(run.studio, "decode", _decode(plan), stage="decode")
    for warning in decoded.warnings:
        run.degrade("source", "the sound is used as far as it can be decoded", warning)
    return decoded.soundtrack


@dataclass(frozen=True, slots=True)
class Found:
    """The sound of a source, and where in it people speak."""

    soundtrack: Soundtrack
    spans: tuple[Span, ...]


def find_speech(run: Run, plan: Hearing) -> Found:
    """Decode the sound and find speech in it."""
    soundtrack = open_sound(run, plan)
    detector = plan.engines["detector"].engine
    with run.stage("detect", "finding where people speak"):
        found: Spans = run.call(detector, "detect", Detect(soundtrack.speech), stage="detect")
    return Found(soundtrack, found.spans)


def hear(
    run: Run,
    plan: Hearing,
    found: Found,
    *,
    request: DubRequest,
    separation: Separation | None = None,
    captions: Blob | None = None,
) -> Heard:
    """Transcribe and tell speakers apart, beside separating the voice from the rest.

    The separation goes on when this returns: only the mix needs it.
    """
    if not found.spans and request.subtitles is None and captions is None:
        return Heard(found.soundtrack, (), (), plan.spoken, ())
    reads = plan.engines["transcriber"].info.name == TEXT_ENGINE
    # A text that is merely read is there at once, and may know of speech the detector missed.
    transcript = _transcribe(run, plan, request, found, captions) if reads else None
    voiced = _voiced(found.spans, transcript)
    stems = separation.of(found.soundtrack, voiced) if separation is not None else None
    if transcript is None:
        transcript = _transcribe(run, plan, request, found, None)
    turns = _diarize(run, plan, request, found.soundtrack, found.spans, transcript)
    spoken = Language.parse(transcript.language)
    lines = segment(transcript, turns=turns.turns, speech=found.spans)
    return Heard(found.soundtrack, found.spans, voiced, spoken, lines, stems)


class Separation:
    """Taking the voice out of the mix, beside everything else; begun once, whatever is done twice."""

    def __init__(self, run: Run, plan: Hearing) -> None:
        self._run, self._plan = run, plan
        self._begun: Future[Audio | None] | None = None

    def of(self, soundtrack: Soundtrack, voiced: tuple[Span, ...]) -> Future[Audio | None]:
        """The background of a soundtrack, under way."""
        if self._begun is None:
            self._begun = self._run.beside(
                _separate, self._run, self._plan, soundtrack, voiced, name="separate"
            )
            self._begun.add_done_callback(self._stop_all)
        return self._begun

    def _stop_all(self, done: Future[Audio | None]) -> None:
        """When it fails for good, everything else need not go on."""
        problem = done.exception()
        if problem is not None:
            self._run.fail(problem)


def _voiced(found: tuple[Span, ...], transcript: Transcript | None) -> tuple[Span, ...]:
    """Where a voice must be taken out: detected speech, and cues in which the detector hears hardly any."""
    cues = [part.span for part in transcript.segments] if transcript else []
    known = merged(found)
    unheard = [cue for cue in cues if 2 * total(intersection((cue,), touching(known, cue))) < cue.duration]
    return merged((*found, *unheard))


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
        run.degrade(
            "separator",
            "the original is lowered under the dub instead of removed",
            problem.message,
            passing=passes(problem),
        )
        return None
    why = (
        "had to make do with this machine" if chosen.info.needs_weights else "learns from moments of silence"
    )
    for note in stems.notes:
        run.degrade("separator", note, f"the {chosen.info.name} separator {why}")
    return stems.background


def is_transcribed(run: Run, plan: Hearing, request: DubRequest, found: Found) -> bool:
    """Whether the transcriber answered in an earlier run: then this dub was begun before."""
    chosen = plan.engines["transcriber"]
    if chosen.info.name == TEXT_ENGINE:
        return False
    return run.is_kept(chosen.engine, "transcribe", _questions(plan, request, found, None)[0])


def _questions(
    plan: Hearing, request: DubRequest, found: Found, subtitles: Blob | None
) -> tuple[Transcribe, ...]:
    """What a transcriber is asked, in order."""
    language = plan.spoken.tag if plan.spoken else None
    in_parts = plan.engines["transcriber"].info.piecewise and language is not None
    return tuple(
        Transcribe(found.soundtrack.speech, language, some, subtitles, offset=plan.start, terms=request.terms)
        for some in (_parts(found.spans) if in_parts else (found.spans,))
    )


def _transcribe(
    run: Run, plan: Hearing, request: DubRequest, found: Found, captions: Blob | None
) -> Transcript:
    chosen = plan.engines["transcriber"]
    with run.stage("transcribe", f"writing down what is said ({chosen.info.name})"):
        subtitles = None
        if chosen.info.name == TEXT_ENGINE:
            subtitles = captions or _subtitles(run, plan, request)
        parts = []
        todo = _questions(plan, request, found, subtitles)
        for done, asked in enumerate(todo):
            stage = "transcribe" if len(todo) == 1 else ""  # each part's own progress would start over
            parts.append(run.call(chosen.engine, "transcribe", asked, stage=stage))
            run.progress("transcribe", (done + 1) / len(todo), f"part {done + 1} of {len(todo)}")
    transcript = Transcript(
        parts[0].language,
        tuple(piece for part in parts for piece in part.segments),
        tuple(dict.fromkeys(note for part in parts for note in part.notes)),
    )
    for note in transcript.notes:
        run.degrade("transcript", note, "the transcript was repaired")
    return transcript


def _parts(spans: tuple[Span, ...]) -> tuple[tuple[Span, ...], ...]:
    """Speech in portions of about PART, cut at pauses: a dub that is stopped loses at most one of them."""
    out: list[list[Span]] = []
    for span in spans:
        is_full = bool(out) and sum(one.duration for one in out[-1]) >= PART
        if not out or (is_full and span.start - out[-1][-1].end >= _PAUSE):
            out.append([])
        out[-1].append(span)
    return tuple(tuple(part) for part in out) or ((),)


def _subtitles(run: Run, plan: Hearing, request: DubRequest) -> Blob:
    """The subtitle file to read, taken into the store."""
    if request.subtitles is None:
        assert plan.subtitles is not None, "the plan chose to read subtitles"
        inside: Blob = run.call(
            run.studio, "read_subtitles", ReadSubtitles(plan.source, plan.subtitles.index), stage="transcribe"
        )
        return inside
    path = path_of(request.subtitles)
    digest = run.gateway.store.digest(path)
    kept: Blob = run.call(run.studio, "keep_subtitles", KeepSubtitles(str(path), digest), stage="transcribe")
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
    if request.speakers == 1 or named:
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
        run.degrade("diarizer", "everything is spoken by one voice", problem.message, passing=passes(problem))
        return Turns(())
    return turns


def passes(problem: AutodubError) -> bool:
    """Whether a failure may be gone when the dub is asked for again."""
    return isinstance(problem, CircuitOpen) or (isinstance(problem, EngineError) and problem.transient)


def _named_speakers(transcript: Transcript) -> bool:
    """Whether the transcript itself names its speakers (labelled subtitles)."""
    segments: Sequence[object] = [part for part in transcript.segments if part.speaker]
    return bool(segments) and len(segments) * 2 >= len(transcript.segments)
