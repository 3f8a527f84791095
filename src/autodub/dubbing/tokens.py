"""Words with times, whatever a transcriber gave: real word times, or cues shared out over detected speech."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace

from autodub.model.speech import Segment, Transcript, Turn, Word
from autodub.model.time import Span, intersection, merged, touching

PAUSE = 300
"""Milliseconds of silence that separate two phrases."""
SAYING = 25
"""Milliseconds a character takes at the very least, spoken as fast as anybody can."""
_REACH = 500
"""Milliseconds a cue may be wrong by at either end: speech that close still belongs to it."""
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
_CLAUSE = re.compile(
    r"[^。．，、！？；：,.!?;:]{1,12}[。．，、！？；：,.!?;:」』”]*|[。．，、！？；：,.!?;:」』”]+"
)
DEFAULT_SPEAKER = "S1"


@dataclass(frozen=True, slots=True)
class Token:
    """One word, when and by whom it is said."""

    text: str
    span: Span
    speaker: str
    timed: bool
    """Whether a recogniser heard this word, or its time is a share of a cue's."""
    ends_segment: bool
    """Whether the transcriber's segment ends with it."""
    glued: bool = False
    """Whether it follows the word before without a space (Chinese, Japanese, Thai ...)."""


def tokens(transcript: Transcript, *, turns: Sequence[Turn] = (), speech: Sequence[Span] = ()) -> list[Token]:
    """Every word of a transcript once, in order, with times that never run backwards per speaker."""
    islands = merged(speech, gap=PAUSE - 1)
    segments = sorted((s for s in transcript.segments if s.text.strip() or s.words), key=lambda s: s.span)
    out: list[Token] = []
    for at, segment in enumerate(segments):
        if segment.words:
            out.extend(_timed(segment, islands))
        else:
            out.extend(_shared(segment, _room(segments, at, islands), islands))
    named = _named(out, turns)
    return _forward(named)


def join(run: Sequence[Token]) -> str:
    """The text of consecutive tokens."""
    return "".join(t.text if t.glued or not i else f" {t.text}" for i, t in enumerate(run))


def _timed(segment: Segment, islands: Sequence[Span]) -> list[Token]:
    words = [word for word in segment.words if word.text.strip()]
    return [
        Token(
            " ".join(word.text.split()),
            _onto_speech(word, islands),
            word.speaker or segment.speaker or "",
            timed=True,
            ends_segment=at == len(words) - 1,
            glued=bool(at) and bool(_UNSPACED.match(word.text)) and not word.text[0].isspace(),
        )
        for at, word in enumerate(words)
    ]


def _onto_speech(word: Word, islands: Sequence[Span]) -> Span:
    """A word's span without the silence a recogniser often puts before or after it."""
    parts = intersection([word.span], touching(islands, word.span)) if word.span.duration else ()
    if not parts:
        return word.span
    longest = max(parts, key=lambda part: part.duration)
    return longest if longest.duration >= 60 else word.span


def _room(segments: Sequence[Segment], at: int, islands: Sequence[Span]) -> Span:
    """The time a cue really has: its span, cut where the next cue begins, moved to the speech it labels."""
    segment = segments[at]
    start, end = segment.span.start, segment.span.end
    before = max((s.span.end for s in segments[max(0, at - 3) : at]), default=0)
    later = [s for s in segments[at + 1 : at + 4] if _same(s, segment)]
    if later and later[0].span.start < end:
        after = later[0]
        share = len(segment.text) / max(1, len(segment.text) + len(after.text))
        fair = start + int((max(end, after.span.end) - start) * share)
        end = after.span.start if after.span.start - start > (fair - start) // 2 else fair
    elif at and segments[at - 1].span.end > start and _same(segments[at - 1], segment):
        earlier = segments[at - 1]
        if start - earlier.span.start <= (earlier.span.duration) // 4:
            share = len(earlier.text) / max(1, len(segment.text) + len(earlier.text))
            first = earlier.span.start
            start = min(end - 1, first + int((max(end, earlier.span.end) - first) * share))
    named = Span(start, max(end, start + 1))
    if intersection([named], touching(islands, named)):
        limit = segments[at + 1].span.start if at + 1 < len(segments) else end + _REACH
        lead = next(iter(touching(islands, Span(start, start))), None)
        if lead and start - lead.start <= _REACH and lead.start >= before:
            start = lead.start
        tail = next(iter(touching(islands, Span(end, end))), None)
        if tail and tail.end - end <= _REACH and tail.end <= limit:
            end = tail.end
    return Span(start, max(end, start + 1))


def _same(a: Segment, b: Segment) -> bool:
    return (a.speaker or "") == (b.speaker or "")


def _shared(segment: Segment, room: Span, islands: Sequence[Span]) -> list[Token]:
    """Words of a cue without word times, shared out over the speech in it by length.

    A silence of 300 ms or more inside is put between two words, after punctuation where that is near.
    """
    words, glued = _words(segment.text)
    heard = [part for part in intersection([room], touching(islands, room)) if part.duration >= 120]
    if sum(part.duration for part in heard) < SAYING * len(segment.text):
        heard = [room]  # the detector missed some of it: the cue is believed
    weights = [len(word) + 1 for word in words]
    total = sum(weights)
    time = sum(part.duration for part in heard)
    ends = [0]
    for weight in weights:
        ends.append(ends[-1] + weight)
    cuts = [0]
    done = 0
    for part in heard[:-1]:
        done += part.duration
        ideal = total * done / time
        # A boundary after punctuation may lie a few syllables away from where the share says.
        costs = [
            abs(ends[i] - ideal)
            - (8 if words[i - 1][-1] in ".!?…。！？" else 5 if words[i - 1][-1] in ",;:—，、；：" else 0)
            for i in range(cuts[-1] + 1, len(words))
        ]
        if not costs or min(costs) > total / len(heard) / 2:
            cuts.append(cuts[-1])
            continue
        cuts.append(cuts[-1] + 1 + costs.index(min(costs)))
    cuts.append(len(words))
    out: list[Token] = []
    for part, first, last in _placed(heard, cuts):
        size = ends[last] - ends[first]
        for i in range(first, last):
            begin = part.start + part.duration * (ends[i] - ends[first]) // size
            end = part.start + part.duration * (ends[i + 1] - ends[first]) // size
            out.append(
                Token(
                    words[i],
                    Span(begin, end),
                    segment.speaker or "",
                    timed=False,
                    ends_segment=i == len(words) - 1,
                    glued=glued[i],
                )
            )
    return out


def _placed(heard: Sequence[Span], cuts: Sequence[int]) -> list[tuple[Span, int, int]]:
    """Stretches of speech with the words said in them; a stretch without words goes to its neighbour."""
    out: list[tuple[Span, int, int]] = []
    for part, first, last in zip(heard, cuts, cuts[1:], strict=False):
        if last > first:
            out.append((part, first, last))
        elif out:
            out[-1] = (Span(out[-1][0].start, part.end), *out[-1][1:])
    if out and out[0][0] != heard[0]:
        out[0] = (Span(heard[0].start, out[0][0].end), *out[0][1:])
    return out


def _words(text: str) -> tuple[list[str], list[bool]]:
    """Words of a text, and whether each is glued to the one before."""
    words: list[str] = []
    glued: list[bool] = []
    for word in text.split():
        pieces = _CLAUSE.findall(word) if len(word) > 12 and _UNSPACED.search(word) else [word]
        for i, piece in enumerate(pieces):
            words.append(piece)
            glued.append(i > 0)
    return words, glued


def _named(run: list[Token], turns: Sequence[Turn]) -> list[Token]:
    """Tokens with a speaker each: their own, else of the turn they fall in, else the only one there is."""
    ordered = sorted(turns, key=lambda turn: turn.span)
    starts = [turn.span.start for turn in ordered]
    out = []
    for token in run:
        if token.speaker or not ordered:
            out.append(token if token.speaker else replace(token, speaker=DEFAULT_SPEAKER))
            continue
        at = bisect_left(starts, token.span.end)
        near = ordered[max(0, at - 8) : at + 1]
        middle = (token.span.start + token.span.end) // 2

        def closeness(turn: Turn, span: Span = token.span, middle: int = middle) -> tuple[int, int]:
            distance = max(turn.span.start - middle, middle - turn.span.end, 0)
            return (turn.span.overlap(span), -distance)

        out.append(replace(token, speaker=max(near, key=closeness).speaker))
    return _without_flicker(out)


def _without_flicker(run: list[Token]) -> list[Token]:
    """Speakers without changes for a word or two in the middle of somebody's sentence."""
    out = list(run)
    at = 1
    while at < len(out) - 1:
        end = at
        while end < len(out) and out[end].speaker == out[at].speaker:
            end += 1
        around = out[at - 1].speaker
        if (
            end < len(out)
            and around != out[at].speaker
            and out[end].speaker == around
            and end - at <= 2
            and out[end - 1].span.end - out[at].span.start <= 500
            and out[at].span.start - out[at - 1].span.end < 150
            and out[end].span.start - out[end - 1].span.end < 150
        ):
            for i in range(at, end):
                out[i] = replace(out[i], speaker=around)
        at = end
    return out


def _forward(run: list[Token]) -> list[Token]:
    """Tokens whose times never run backwards within a speaker, each at least a millisecond long."""
    last: dict[str, int] = {}
    out: list[Token] = []
    for token in run:
        start, end = token.span.start, token.span.end
        before = last.get(token.speaker)
        if before is not None and out[before].span.end > start:
            previous = out[before]
            if start > previous.span.start:
                out[before] = replace(previous, span=Span(previous.span.start, start))
            else:
                start = previous.span.end
        out.append(replace(token, span=Span(start, max(end, start + 1))))
        last[token.speaker] = len(out) - 1
    return out
