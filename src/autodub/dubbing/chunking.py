"""Cutting a programme into pieces a recogniser can take, at the silences between speech."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from autodub.model.time import Span, intersection, touching


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece to recognise: what to listen to, and the part of it that counts."""

    heard: Span
    """What the recogniser is given; may overlap the neighbours'."""
    core: Span
    """Words whose middle lies in here are this piece's. Cores are disjoint and cover all speech."""


def chunks(
    spans: Sequence[Span],
    *,
    limit: int,
    shortest: int = 5_000,
    longest: int = 25_000,
    silence: int = 1_500,
    pad: int = 250,
) -> tuple[Chunk, ...]:
    """Pieces of about ``shortest`` to ``longest`` ms covering all speech of a sound of ``limit`` ms.

    Cuts lie in the widest gaps between spans; a gap of ``silence`` ms or more always ends a piece that is
    long enough. Every piece keeps up to ``pad`` ms of the real sound around its speech. Speech is cut only
    where one span alone is longer than ``longest``; such pieces overlap, so that no word is lost.
    """
    speech = intersection(spans, [Span(0, limit)])
    out: list[Chunk] = []
    groups = _groups(speech, shortest, longest, silence)
    for at, (first, last) in enumerate(groups):
        start, end = speech[first].start, speech[last].end
        left = speech[groups[at - 1][1]].end if at else 0
        right = speech[groups[at + 1][0]].start if at + 1 < len(groups) else limit
        # Sharing the gap in halves keeps cores disjoint where the silence is short.
        before = (left + start) // 2 if at else 0
        after = (end + right) // 2 if at + 1 < len(groups) else limit
        core = Span(max(start - pad, before), min(end + pad, after))
        if end - start <= longest:
            heard = Span(max(left, start - pad), min(right, end + pad))
            out.append(Chunk(heard, core))
        else:
            out += _cut(core, longest, limit)
    return tuple(out)


def _groups(speech: Sequence[Span], shortest: int, longest: int, silence: int) -> list[tuple[int, int]]:
    """Index ranges [first, last] of spans that are recognised together."""
    out: list[tuple[int, int]] = []
    first = 0
    while first < len(speech):
        last = first
        begin = speech[first].start
        while last + 1 < len(speech):
            if speech[last + 1].end - begin > longest:
                last = _widest(speech, first, last + 1, begin + shortest)
                break
            gap = speech[last + 1].start - speech[last].end
            if gap >= 4 * silence or (gap >= silence and speech[last].end - begin >= shortest):
                break
            last += 1
        out.append((first, last))
        first = last + 1
    return out


def _widest(speech: Sequence[Span], first: int, beyond: int, wanted: int) -> int:
    """Last span of a group that must end before ``beyond``: where the gap is widest, after ``wanted`` ms."""
    ends = [at for at in range(first, beyond) if speech[at].end >= wanted] or [beyond - 1]
    return max(ends, key=lambda at: (speech[at + 1].start - speech[at].end, at))


def _cut(core: Span, longest: int, limit: int) -> list[Chunk]:
    """Speech without a gap, in equal pieces that overlap by a second on either side of each cut."""
    count = -(-core.duration // longest)
    at = [core.start + core.duration * n // count for n in range(count + 1)]
    pieces = [Span(a, b) for a, b in pairwise(at)]
    return [
        Chunk(Span(max(0, p.start - 1000 * (n > 0)), min(limit, p.end + 1000 * (n + 1 < count))), p)
        for n, p in enumerate(pieces)
    ]


def trimmed(span: Span, speech: Sequence[Span]) -> Span:
    """``span`` without the silence at its ends; unchanged where it touches no speech.

    ``speech`` is sorted and disjoint. Recognisers often let a word begin in the pause before it.
    """
    inside = touching(speech, span)
    if not inside:
        return span
    return Span(max(span.start, inside[0].start), min(span.end, inside[-1].end))
