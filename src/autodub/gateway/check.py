"""Whether an answer can be true. What cannot is never kept, and asked for once more."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from autodub.gateway.keys import blobs
from autodub.infra.storage import BlobStore
from autodub.model.calls import (
    Detect,
    Diarize,
    Moderate,
    Moderation,
    Separate,
    Spans,
    Summarize,
    Summary,
    Synthesize,
    Transcribe,
    Translate,
)
from autodub.model.errors import Gone, MediaError
from autodub.model.media import Audio, Source, Stems
from autodub.model.speech import Speech, Transcript, Translations, Turns, Voice, Voices
from autodub.model.time import Span

_SLACK = 1000  # ms an engine may place speech past the end: decoders pad
_DENSEST = 100  # characters of transcript per second of sound: four times the fastest speakers
_LONGEST = 10  # characters of translation per character of source
_SUMMARY = 10_000  # characters
_SILENT = 1e-3  # peak, full scale 1: -60 dBFS
_PEEKS = 40  # seconds of a long sound that are looked into

_SPOKEN = re.compile(r"[^\W_]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class Nonsense(ValueError):
    """An answer that cannot be true; says why, as the end of a sentence."""


def check(verb: str, request: Any, result: Any, store: BlobStore) -> None:
    """Raise Nonsense when the result of a verb cannot be an answer to the request."""
    asked = set(blobs(request))
    for blob in blobs(result):
        _demand(store.has(blob) or blob in asked, "it names a file that it did not keep")
    examine = CHECKS.get(verb)
    if examine is not None:
        try:
            examine(request, result, store)
        except (MediaError, Gone) as error:
            raise Nonsense("its sound cannot be read") from error


def _demand(condition: bool, problem: str) -> None:
    if not condition:
        raise Nonsense(problem)


def _spans(spans: Iterable[Span], limit: int, what: str) -> None:
    last = 0
    for span in spans:
        _demand(span.start >= 0 and span.end <= limit + _SLACK, f"{what} outside the sound")
        _demand(span.start >= last, f"{what} out of order")
        last = span.start


def _transcript(request: Transcribe, result: Transcript, _store: BlobStore) -> None:
    limit = request.speech.duration
    _demand(bool(result.language.strip()), "no language is given")
    _spans((segment.span for segment in result.segments), limit, "speech is placed")
    for segment in result.segments:
        _demand(bool(segment.text.strip()), "a blank segment")
        _spans((word.span for word in segment.words), limit, "words are placed")
        for word in segment.words:
            _demand(bool(word.text.strip()), "a blank word")
            _demand(word.confidence is None or 0 <= word.confidence <= 1, "a confidence outside 0..1")
    written = sum(len(segment.text) for segment in result.segments)
    _demand(written <= _DENSEST * (limit / 1000 + 2), "more text than anybody can speak in that time")


def _turns(request: Diarize, result: Turns, _store: BlobStore) -> None:
    _spans((turn.span for turn in result.turns), request.speech.duration, "turns are placed")
    _demand(all(turn.speaker.strip() for turn in result.turns), "a turn without a speaker")


def _detected(request: Detect, result: Spans, _store: BlobStore) -> None:
    _spans(result.spans, request.speech.duration, "speech is placed")
    ends = [span.end for span in result.spans]
    starts = [span.start for span in result.spans[1:]]
    _demand(all(end <= start for end, start in zip(ends, starts, strict=False)), "spans overlap")


def _translations(request: Translate, result: Translations, _store: BlobStore) -> None:
    wanted = [line.id for line in request.lines]
    _demand([line.line for line in result.lines] == wanted, "not one translation per line, in order")
    drafts = {draft.line: draft for draft in request.drafts}
    for line, answer in zip(request.lines, result.lines, strict=True):
        draft = drafts.get(line.id)
        if draft is None:
            _demand(bool(answer.wordings), "a line without a wording")
        else:  # only further wordings are asked for, and there may be no decent one
            _demand(len(answer.wordings) <= len(draft.syllables), "more wordings than were asked for")
        for wording in answer.wordings:
            _demand(bool(wording.text.strip()), "a blank wording")
            _demand(not _CONTROL.search(wording.text), "control characters in a wording")
            _demand(
                len(wording.text) <= _LONGEST * len(line.text) + 200, "a wording far longer than its line"
            )
            _demand(0 <= wording.loss <= 1, "a loss outside 0..1")


def _summary(_request: Summarize, result: Summary, _store: BlobStore) -> None:
    _demand(bool(result.text.strip()), "nothing is said")
    _demand(not _CONTROL.search(result.text), "control characters in a summary")
    _demand(len(result.text) <= _SUMMARY, "a summary that is none")


def _moderation(request: Moderate, result: Moderation, _store: BlobStore) -> None:
    _demand(len(result.found) == len(request.texts), "not one verdict per text")
    _demand(all(name.strip() for names in result.found for name in names), "a finding without a name")


def _voices(_request: object, result: Voices, _store: BlobStore) -> None:
    ids = [voice.id for voice in result.voices]
    _demand(all(name.strip() for name in ids), "a voice without an id")
    _demand(len(set(ids)) == len(ids), "two voices with one id")


def _voice(_request: object, result: Voice, _store: BlobStore) -> None:
    _demand(bool(result.id.strip()) and bool(result.engine.strip()), "a voice without an id")
    _demand(0.1 <= result.pace <= 10, "a pace nobody speaks at")


def _speech(request: Synthesize, result: Speech, store: BlobStore) -> None:
    audio = result.audio
    seconds = audio.frames / audio.rate if audio.rate > 0 else 0.0
    _demand(seconds > 0, "no sound at all")
    _demand(audio.channels == 1, "speech is mono")
    longest = 5 + 1.5 * len(request.text) / min(1.0, request.rate * request.voice.pace)
    _demand(seconds <= longest, f"{seconds:.0f} s of speech for {len(request.text)} characters")
    peak = _peak(audio, store)
    _demand(peak > _SILENT or not _SPOKEN.search(request.text), "the speech is silent")


def _stems(request: Separate, result: Stems, store: BlobStore) -> None:
    mix, bed = request.mix, result.background
    same = (bed.rate, bed.channels, bed.frames) == (mix.rate, mix.channels, mix.frames)
    _demand(same, "the background differs from the mix in rate, channels or length")
    _peak(bed, store)


def _peak(audio: Audio, store: BlobStore) -> float:
    """The highest sample of a sound (of some seconds of a long one), after checking that all are numbers."""
    import numpy as np  # here and not above: an unchanged dub is answered without ever needing it

    from autodub.media.sound import Reader

    peak = 0.0
    with Reader(store.path(audio.blob)) as sound:
        found = (sound.rate, sound.channels, sound.frames)
        _demand(found == (audio.rate, audio.channels, audio.frames), "the sound is not what it is said to be")
        for start in _starts(sound.frames, sound.rate):
            block = sound.read(start, min(sound.rate, sound.frames - start))
            high = float(np.max(np.abs(block), initial=0.0))
            _demand(math.isfinite(high), "samples that are not numbers")
            peak = max(peak, high)
    return peak


def _starts(frames: int, rate: int) -> Sequence[int]:
    """First frames of the seconds to look into: all of a short sound, evenly spread ones of a long one."""
    if frames <= _PEEKS * rate:
        return range(0, frames, rate)
    return [round(index * (frames - rate) / (_PEEKS - 1)) for index in range(_PEEKS)]


def _source(_request: object, result: Source, _store: BlobStore) -> None:
    _demand(bool(re.fullmatch(r"[0-9a-f]{64}", result.digest)), "a digest that is none")
    _demand(Path(result.path).is_file(), "the file it names is not there")
    _demand(result.info.duration >= 0, "a length below zero")


CHECKS: dict[str, Callable[[Any, Any, BlobStore], None]] = {
    "download": _source,
    "detect": _detected,
    "separate": _stems,
    "transcribe": _transcript,
    "diarize": _turns,
    "translate": _translations,
    "list_voices": _voices,
    "synthesize": _speech,
    "clone": _voice,
    "summarize": _summary,
    "moderate": _moderation,
}
"""Verb -> its check; verbs of one's own have none."""
