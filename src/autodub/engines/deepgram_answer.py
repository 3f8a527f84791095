"""Deepgram's answer -> a transcript. The words are the source of truth: who says them, and when."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from autodub.model.errors import BadAnswer, UnknownLanguage
from autodub.model.language import Language
from autodub.model.speech import Segment, Transcript, Word
from autodub.model.time import Span

_SHORTEST = 10  # ms a word lasts at least
_PAUSE = 800  # ms of silence that end a segment where no utterances are given
_SURE = 0.5
_CONTROL = re.compile(r"[\s\x00-\x1f\x7f]+")
_FAMILY = re.compile(r"nova-\d+|nova|enhanced|base|whisper")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the answer is read against."""

    limit: int
    """Length of the sound, ms."""
    model: str
    language: str | None
    """BCP-47 tag as it was asked for; None = it was to be detected."""
    wants_speakers: bool


@dataclass(frozen=True, slots=True)
class Heard:
    """An answer, read."""

    transcript: Transcript
    request: str
    """Deepgram's id of the request."""
    seconds: float
    """What is billed: length times channels, as far as the answer says."""


def read(answer: object, asked: Asked) -> Heard:
    """The transcript of an answer (the SDK's objects or plain JSON). Raises BadAnswer for nonsense."""
    metadata = _get(answer, "metadata")
    duration, channels = _number(_get(metadata, "duration")), _number(_get(metadata, "channels"))
    seconds = asked.limit / 1000 if duration is None or duration < 0 else duration * max(1.0, channels or 1.0)
    results = _get(answer, "results")
    channel = _first(_get(results, "channels"), "channel")
    alternative = _first(_get(channel, "alternatives"), "alternative")
    found = _list(_get(alternative, "words"), "words")
    if not found and str(_get(alternative, "transcript") or "").strip():
        raise _nonsense("text without the times of its words")
    words = _placed([_word(word) for word in found], asked.limit)
    language, notes = _language(channel, alternative, found, asked, is_silent=not words)
    segments = tuple(_segments(words, _utterances(_get(results, "utterances"))))
    if words and asked.wants_speakers and not any(word.speaker for word in words):
        notes.append("Deepgram did not tell the speakers apart.")
    if words and (other := _other_model(_get(metadata, "model_info"), asked.model)):
        notes.append(
            f"Deepgram listened with its model {other}, since {asked.model} does not know the language."
        )
    return Heard(
        Transcript(language, segments, tuple(notes)), str(_get(metadata, "request_id") or ""), seconds
    )


def _get(node: object, name: str) -> object:
    """A field of JSON, or of one of the SDK's objects; None where there is none."""
    return node.get(name) if isinstance(node, Mapping) else getattr(node, name, None)


def _list(value: object, what: str) -> Sequence[object]:
    if value is None:
        return ()
    if not isinstance(value, (list, tuple)):
        raise _nonsense(f"no list of {what}")
    return value


def _first(value: object, what: str) -> object:
    found = _list(value, f"{what}s")
    if not found or found[0] is None:
        raise _nonsense(f"no {what}")
    return found[0]


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def _nonsense(what: str) -> BadAnswer:
    return BadAnswer(
        f"Deepgram's answer makes no sense: {what}.", hint="Choose another transcriber if this happens again."
    )


def _word(node: object) -> Word:
    text = _get(node, "punctuated_word") or _get(node, "word")
    start, end = _number(_get(node, "start")), _number(_get(node, "end"))
    if not isinstance(text, str) or start is None:
        raise _nonsense("a word without text or time")
    confidence = _number(_get(node, "confidence"))
    speaker = _get(node, "speaker")
    begin = round(min(max(start, 0.0), 1e9) * 1000)
    finish = begin if end is None else round(min(max(end, 0.0), 1e9) * 1000)
    return Word(
        _CONTROL.sub(" ", text).strip(),
        Span(begin, max(begin, finish)),
        None if confidence is None else min(1.0, max(0.0, confidence)),
        None if speaker is None or isinstance(speaker, bool) else str(speaker),
    )


def _placed(found: Sequence[Word], limit: int) -> list[Word]:
    """Words in order, inside the sound, long enough to be heard; one speaker's do not overlap.

    Speakers are named S1, S2 ... as they come.
    """
    names: dict[str, str] = {}
    out: list[Word] = []
    for word in sorted((w for w in found if w.text), key=lambda w: w.span.start):
        start = max(0, min(word.span.start, limit - _SHORTEST), out[-1].span.start if out else 0)
        speaker = None if word.speaker is None else names.setdefault(word.speaker, f"S{len(names) + 1}")
        if out and out[-1].speaker == speaker and out[-1].span.end > start:
            before = out[-1]
            if start - before.span.start < _SHORTEST and before.span.end + _SHORTEST <= limit:
                start = before.span.end  # both are said to begin at once: one after the other, then
            out[-1] = replace(before, span=Span(before.span.start, start))
        end = min(max(word.span.end, start + _SHORTEST), max(limit, start + _SHORTEST))
        out.append(Word(word.text, Span(start, end), word.confidence, speaker))
    return out


def _utterances(value: object) -> list[int]:
    """Where utterances begin, ms."""
    starts = [_number(_get(node, "start")) for node in _list(value, "utterances")]
    return sorted(round(start * 1000) for start in starts if start is not None and 0 <= start < 1e9)


def _segments(words: Sequence[Word], starts: Sequence[int]) -> Iterator[Segment]:
    """Runs of words of one utterance by one speaker."""
    run: list[Word] = []
    for word in words:
        if run:
            last = run[-1]
            # The middle of a word tells its utterance: the beginnings may be rounded differently.
            is_next = bisect_right(starts, _middle(word)) != bisect_right(starts, _middle(last))
            is_apart = not starts and word.span.start - last.span.end >= _PAUSE
            if is_next or is_apart or word.speaker != last.speaker:
                yield _segment(run)
                run = []
        run.append(word)
    if run:
        yield _segment(run)


def _middle(word: Word) -> int:
    return (word.span.start + word.span.end) // 2


def _segment(run: Sequence[Word]) -> Segment:
    span = Span(run[0].span.start, max(word.span.end for word in run))
    return Segment(span, " ".join(word.text for word in run), tuple(run), run[0].speaker)


def _language(
    channel: object, alternative: object, words: Sequence[object], asked: Asked, *, is_silent: bool
) -> tuple[str, list[str]]:
    """(BCP-47 tag of what is spoken, what is doubtful about it)."""
    if asked.language is not None:
        return asked.language, []
    told = _get(channel, "detected_language")
    if not told:
        # Several languages in turn: the most spoken one counts.
        counted = Counter(str(tag) for word in words if (tag := _get(word, "language")))
        several = [str(tag) for tag in _list(_get(alternative, "languages"), "languages")]
        told = counted.most_common(1)[0][0] if counted else several[0] if several else None
    if not told and is_silent:
        return "en", []
    try:
        tag = Language.parse(str(told or "")).tag
    except UnknownLanguage:
        raise _nonsense("it does not say which language is spoken") from None
    sure = _number(_get(channel, "language_confidence"))
    if sure is None or sure >= _SURE or is_silent:
        return tag, []
    return tag, [f"Deepgram is not sure that the language is '{tag}' ({max(0.0, sure):.0%}); --from says it."]


def _other_model(info: object, wanted: str) -> str:
    """The model that listened, where it is of another family than the one asked for."""
    family = _FAMILY.match(wanted)
    told = [
        str(_get(model, "arch") or _get(model, "name") or "")
        for model in (info.values() if isinstance(info, Mapping) else ())
    ]
    families = {match.group() for name in told if (match := _FAMILY.search(name))}
    if family is None or not families or family.group() in families:
        return ""
    return ", ".join(sorted(families))
