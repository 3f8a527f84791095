"""Subtitle files out: what the dub speaks, as SRT and WebVTT that can be read in time.

Cues hold at most two lines of about 42 characters, stay at least a second where there is room,
and never overlap.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from autodub.model.speech import Segment
from autodub.model.time import Span

WIDTH = 42
LINES = 2
SHORTEST = 1_000
"""Milliseconds a cue stays when the next one leaves room."""
_GAP = 40
"""Milliseconds between two cues, so that a change is seen."""
_CUE = WIDTH * LINES


def format_srt(segments: Sequence[Segment]) -> str:
    """SubRip text of spoken segments: numbered, comma milliseconds, CRLF-free, UTF-8 when encoded."""
    blocks = []
    for number, cue in enumerate(layout(segments), start=1):
        times = f"{_clock(cue.span.start, ',')} --> {_clock(cue.span.end, ',')}"
        blocks.append(f"{number}\n{times}\n{cue.text}\n")
    return "\n".join(blocks)


def format_vtt(segments: Sequence[Segment]) -> str:
    """WebVTT text of spoken segments."""
    blocks = ["WEBVTT\n"]
    for cue in layout(segments):
        text = cue.text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        blocks.append(f"{_clock(cue.span.start, '.')} --> {_clock(cue.span.end, '.')}\n{text}\n")
    return "\n".join(blocks)


def layout(segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """Segments as cues: long ones split with their time in proportion, wrapped, in order, disjoint."""
    cues: list[Segment] = []
    for segment in sorted(segments, key=lambda s: (s.span.start, s.span.end)):
        text = " ".join(segment.text.split())
        if text:
            cues.extend(_split(replace(segment, text=text)))
    cues.sort(key=lambda cue: cue.span.start)
    out: list[Segment] = []
    for at, cue in enumerate(cues):
        start = max(cue.span.start, out[-1].span.end if out else 0)
        end = max(cue.span.end, start + SHORTEST)
        if at + 1 < len(cues):
            limit = cues[at + 1].span.start
            end = min(end, limit - _GAP if limit - _GAP > start + SHORTEST else limit)
        out.append(replace(cue, span=Span(start, max(end, start + 1)), text="\n".join(wrap(cue.text))))
    return tuple(out)


def wrap(text: str) -> list[str]:
    """One line, or two of nearly equal length, broken after punctuation where that costs little."""
    if len(text) <= WIDTH:
        return [text]
    spots = [m.start() for m in re.finditer(" ", text)]
    if not spots:
        # No spaces: scripts without them may break anywhere.
        return [text[: (len(text) + 1) // 2], text[(len(text) + 1) // 2 :]] if _unspaced(text) else [text]

    def cost(spot: int) -> float:
        longer = max(spot, len(text) - spot - 1)
        return longer + (40 if longer > WIDTH else 0) - (8 if text[spot - 1] in ",;:.!?…" else 0)

    best = min(spots, key=cost)
    return [text[:best], text[best + 1 :]]


def _split(segment: Segment) -> list[Segment]:
    """The segment in cue-sized pieces, each with its share of the time by length of text."""
    pieces = _pieces(segment.text)
    size = sum(len(piece) for piece in pieces)
    out = []
    done = 0
    for piece in pieces:
        begin = segment.span.start + segment.span.duration * done // size
        done += len(piece)
        end = segment.span.start + segment.span.duration * done // size
        out.append(replace(segment, text=piece, span=Span(begin, end), words=()))
    return out


def _pieces(text: str) -> list[str]:
    """Text in pieces that fit a cue: cut near the middle, at a sentence end, comma or space."""
    if len(text) <= _CUE and (len(text) <= WIDTH or max(map(len, wrap(text))) <= WIDTH + 6):
        return [text]
    count = -(-len(text) // _CUE)
    target = len(text) // max(2, count)
    spots = [m.start() for m in re.finditer(" ", text)]
    if not spots:
        if not _unspaced(text):
            return [text]
        return [*_pieces(text[:target]), *_pieces(text[target:])]

    def cost(spot: int) -> float:
        before = text[spot - 1]
        return abs(spot - target) - (25 if before in ".!?…" else 12 if before in ",;:" else 0)

    best = min(spots, key=cost)
    return [*_pieces(text[:best]), *_pieces(text[best + 1 :])]


def _unspaced(text: str) -> bool:
    """Whether a text is in a script written without spaces (Chinese, Japanese, Thai ...)."""
    return (
        sum("\u0e00" <= c <= "\u0eff" or "\u3040" <= c <= "\u9fff" or c >= "\uf900" for c in text)
        > len(text) // 2
    )


def _clock(milliseconds: int, mark: str) -> str:
    hours, rest = divmod(milliseconds, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02}{mark}{rest % 1000:03}"
