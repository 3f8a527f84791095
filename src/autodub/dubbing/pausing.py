"""Silence inside a clip: taken out where the clip is too long, put in where it is too short.

Shortening pauses is compression nobody hears, so it comes before any stretching; and a short clip
sounds better with the source's own pauses than slowed down.
"""

from __future__ import annotations

from collections.abc import Sequence

KEPT = 0.12
"""Length every pause keeps, s."""
SHORTEST = 0.06
"""Least silence worth putting in, s."""
LONGER = 0.10
"""How much longer than the source's a pause may become, s."""
APART = 0.60
"""Farthest a pause may lie from the source's and still be taken for it, s."""

Edit = tuple[float, float]
"""(second of the clip before stretching, seconds of it to put in; negative takes out)."""
Pause = tuple[float, float]
"""(start, end) of a silence, s."""


def excess(pauses: Sequence[Pause]) -> float:
    """Seconds that could be taken out of a clip's pauses."""
    return sum(max(0.0, end - start - KEPT) for start, end in pauses)


def cuts(pauses: Sequence[Pause], seconds: float) -> tuple[Edit, ...]:
    """Shorten the pauses by ``seconds`` in all, each in proportion to what it has to spare."""
    available = excess(pauses)
    if available <= 0 or seconds <= 0:
        return ()
    share = min(1.0, seconds / available)
    edits = []
    for start, end in pauses:
        cut = max(0.0, end - start - KEPT) * share
        if cut > 0:
            edits.append(((start + end - cut) / 2, -cut))
    return tuple(edits)


def insertions(
    pauses: Sequence[Pause], source: Sequence[Pause], *, start: float, rate: float, spare: float
) -> tuple[Edit, ...]:
    """Lengthen a clip's pauses so that its phrases begin where the source's do.

    ``pauses`` are the clip's (on its clock before stretching), ``source`` those of the source line
    (programme time), both in order. The clip starts at ``start`` and is played at ``rate``; at most
    ``spare`` seconds are put in. Pauses are matched in order, each to the nearest one left; pauses
    that the source does not have stay as they are.
    """
    edits: list[Edit] = []
    moved, first = 0.0, 0
    for begin, end in source:
        places = [(start + p / rate + moved, start + q / rate + moved) for p, q in pauses]
        best = min(
            range(first, len(pauses)), key=lambda n: abs(places[n][0] - begin), default=None
        )  # fmt: skip
        if best is None or abs(places[best][0] - begin) > APART:
            continue
        first = best + 1
        p, q = places[best]
        longest = end - begin + LONGER - (q - p)
        more = min(end - q, longest, spare - moved)
        if more >= SHORTEST:
            at = (pauses[best][0] + pauses[best][1]) / 2
            edits.append((at, more * rate))
            moved += more
    return tuple(edits)
