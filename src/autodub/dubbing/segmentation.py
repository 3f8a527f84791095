"""A transcript -> lines: the units that are translated, spoken and placed.

A line is a sentence by one speaker, or as much of one as can be dubbed in one breath; its phrases
are what stands between pauses of 300 ms or more. Every word ends up in exactly one line, and the
lines of one speaker never overlap.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from autodub.dubbing.tokens import PAUSE, SAYING, Token, join, tokens
from autodub.model.speech import Line, Phrase, Transcript, Turn
from autodub.model.time import Span, intersection, merged, total, touching

LONGEST = 12_000
"""Milliseconds a line lasts at most, where there is a place to split it."""
MOST_CHARACTERS = 220
BREATH = 1_000
"""Milliseconds of silence that end a line even inside a sentence."""
HESITATION = 500
"""Milliseconds of silence that end a line where the transcript has no punctuation to go by."""
REACH = 250
"""Milliseconds a line's ends may move outward to speech that was detected there."""
_SHORT = 1_200
"""A sentence this brief shares a line with the next one, if hardly a pause stands between."""
_TOGETHER = 6_000
_SENTENCE_END = re.compile(r"[.!?…。！？]+[\"'”’»)\]」』]*$")
_CLAUSE_END = re.compile(r"[,;:—–，、；：]+[\"'”’»)\]」』]*$")
_ABBREVIATION = re.compile(
    r"(?:[A-ZÀ-Þ]|Mr|Mrs|Ms|Dr|Prof|St|Sr|Sra|Jr|No|vs|Mt|Gen|Col|Capt|Lt|e\.g|i\.e)\.$"
)


def segment(
    transcript: Transcript, *, turns: Sequence[Turn] = (), speech: Sequence[Span] = ()
) -> tuple[Line, ...]:
    """Lines of a transcript in time order, ids ``L0001`` upwards.

    ``turns`` name speakers where the transcript does not; ``speech`` (where people are heard)
    moves the ends of cues onto real speech and finds the pauses inside them.
    """
    streams: dict[str, list[Token]] = {}
    for token in tokens(transcript, turns=turns, speech=speech):
        streams.setdefault(token.speaker, []).append(token)
    runs: list[list[Token]] = []
    for stream in streams.values():
        punctuated = _is_punctuated(stream)
        for piece in _sentences(stream, punctuated=punctuated):
            runs.extend(_fitting(piece))
    runs.sort(key=lambda run: (run[0].span.start, run[-1].span.end, run[0].speaker))
    return snapped([_line(number, run) for number, run in enumerate(runs, start=1)], speech)


def snapped(lines: Sequence[Line], speech: Sequence[Span]) -> tuple[Line, ...]:
    """Lines from their first to their last detected speech, looked for up to REACH beyond either end.

    Recognisers place first words early and hear words in breaths and noise. No line is moved into
    its neighbours; one in which the detector hears too little for its text stays as it is.
    """
    heard = merged(speech)
    out: list[Line] = []
    for at, line in enumerate(lines):
        before = max((other.span.end for other in out[max(0, at - 4) : at]), default=0)
        after = lines[at + 1].span.start if at + 1 < len(lines) else line.span.end + REACH
        low = min(line.span.start, max(before, line.span.start - REACH))
        high = max(line.span.end, min(after, line.span.end + REACH))
        room = Span(low, high)
        pieces = intersection((room,), touching(heard, room))
        # What reaches in from outside a line's own time must touch it: a neighbour's speech does not count.
        pieces = tuple(piece for piece in pieces if piece.overlap(line.span))
        is_heard = total(pieces) >= SAYING * len(line.text)
        out.append(_moved(line, Span(pieces[0].start, pieces[-1].end)) if pieces and is_heard else line)
    return tuple(out)


def _moved(line: Line, span: Span) -> Line:
    """The line with other outer edges; a phrase left outside them is told with its neighbour."""
    phrases = list(line.phrases)
    while len(phrases) > 1 and phrases[0].span.end <= span.start:
        first = phrases.pop(0)
        phrases[0] = replace(phrases[0], text=f"{first.text} {phrases[0].text}")
    while len(phrases) > 1 and phrases[-1].span.start >= span.end:
        last = phrases.pop()
        phrases[-1] = replace(phrases[-1], text=f"{phrases[-1].text} {last.text}")
    if phrases:
        phrases[0] = replace(phrases[0], span=Span(span.start, max(span.start, phrases[0].span.end)))
        phrases[-1] = replace(phrases[-1], span=Span(phrases[-1].span.start, span.end))
    return replace(line, span=span, phrases=tuple(phrases))


def _is_punctuated(stream: Sequence[Token]) -> bool:
    """Whether sentence ends are marked at all: a recogniser may write none."""
    ends = sum(bool(_SENTENCE_END.search(token.text)) for token in stream)
    return ends * 40 >= len(stream)


def _ends_sentence(token: Token) -> bool:
    return bool(_SENTENCE_END.search(token.text)) and not _ABBREVIATION.fullmatch(token.text)


def _sentences(stream: Sequence[Token], *, punctuated: bool) -> list[list[Token]]:
    """One speaker's words in sentences; fragments of a sentence stay together across cues."""
    runs: list[list[Token]] = []
    for token in stream:
        if not runs or _breaks(runs[-1], token, punctuated=punctuated):
            runs.append([token])
        else:
            runs[-1].append(token)
    return runs


def _breaks(run: Sequence[Token], following: Token, *, punctuated: bool) -> bool:
    """Whether a new line begins with the following word."""
    last = run[-1]
    gap = following.span.start - last.span.end
    if gap >= BREATH or (not punctuated and gap >= HESITATION):
        return True
    if _full(run, following):
        # Fragments are merged up to a comfortable length, then at the next end of a cue.
        return last.ends_segment or _ends_sentence(last)
    if not _ends_sentence(last):
        return False
    if not (last.timed or last.ends_segment or gap >= PAUSE):
        return False
    brief = last.span.end - run[0].span.start <= _SHORT
    return not (brief and gap < PAUSE and following.span.end - run[0].span.start <= _TOGETHER)


def _full(run: Sequence[Token], following: Token) -> bool:
    length = sum(len(token.text) + 1 for token in run) + len(following.text)
    return following.span.end - run[0].span.start > LONGEST or length > MOST_CHARACTERS


def _fitting(run: list[Token]) -> list[list[Token]]:
    """A run split, where it is too long, at pauses, punctuation, ends of cues, else the middle."""
    duration = run[-1].span.end - run[0].span.start
    size = sum(len(token.text) + 1 for token in run)
    if len(run) < 2 or (duration <= LONGEST and size <= MOST_CHARACTERS + 1):
        return [run]
    done = 0
    best, choice = -float("inf"), 1
    for at in range(1, len(run)):
        last, following = run[at - 1], run[at]
        done += len(last.text) + 1
        gap = following.span.start - last.span.end
        score = min(gap, BREATH) / 100
        score += 8 if _ends_sentence(last) else 5 if _CLAUSE_END.search(last.text) else 0
        score += 2 if last.ends_segment else 0
        middle = (last.span.end - run[0].span.start) / max(duration, 1) if duration > LONGEST else done / size
        score -= 12 * abs(middle - 0.5)
        if score > best:
            best, choice = score, at
    return [*_fitting(run[:choice]), *_fitting(run[choice:])]


def _line(number: int, run: Sequence[Token]) -> Line:
    """The line of a run, with its phrases."""
    groups: list[list[Token]] = []
    for token in run:
        if groups and token.span.start - groups[-1][-1].span.end < PAUSE:
            groups[-1].append(token)
        else:
            groups.append([token])
    phrases = tuple(Phrase(Span(g[0].span.start, g[-1].span.end), join(g)) for g in groups)
    return Line(
        id=f"L{number:04}",
        span=Span(run[0].span.start, run[-1].span.end),
        text=" ".join(phrase.text for phrase in phrases),
        speaker=run[0].speaker,
        phrases=phrases,
    )
