"""Subtitles a person wrote, put onto the lines of a project by their times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from autodub.jobs.editing_operations import LONGEST, SetLine
from autodub.model.errors import BadSubtitles
from autodub.model.speech import Segment
from autodub.model.time import Span
from autodub.pipeline.project import LineEntry

_SHARE = 0.5
"""What a cue and its line must have in common of the shorter one."""


def texts_of(
    segments: Sequence[Segment], lines: Sequence[LineEntry], *, of: Literal["text", "source"]
) -> tuple[SetLine, ...]:
    """The changes that give lines the texts of the cues that lie on them; cues of one line are joined.

    Raises BadSubtitles, naming the cue, for one that lies on no line or on several. Lines without a cue
    stay as they are.
    """
    if of == "text":
        places = [_sounds(line) for line in lines]
    else:
        places = [Span(line.start_ms, line.end_ms) for line in lines]
    order = sorted(range(len(lines)), key=lambda index: places[index])
    found: dict[int, list[Segment]] = {}
    for number, cue in enumerate(segments, start=1):
        near = [index for index in order if _share(cue.span, places[index]) >= _SHARE]
        if not near:
            raise _misfit(number, cue, "lies on no line")
        best = max(near, key=lambda index: (cue.span.overlap(places[index]), -places[index].start))
        others = [lines[i].id for i in near if i != best and _covers(cue.span, places[i])]
        if others:
            raise _misfit(number, cue, f"lies on {lines[best].id} and {others[0]}")
        found.setdefault(best, []).append(cue)
    changes = []
    for index, cues in sorted(found.items()):
        text = " ".join(" ".join(cue.text.split()) for cue in cues)
        if len(text) > LONGEST or not any(c.isalnum() for c in text):
            raise _misfit(segments.index(cues[0]) + 1, cues[0], "cannot be the text of a line")
        changes.append(SetLine.model_validate({"op": "set", "line": lines[index].id, of: text}))
    return tuple(changes)


def _sounds(line: LineEntry) -> Span:
    """Where a line sounds in the dub, which is what its subtitles say; else where it was said."""
    if line.timing is not None:
        return Span(line.timing.start_ms, max(line.timing.start_ms, line.timing.end_ms))
    return Span(line.start_ms, line.end_ms)


def _share(cue: Span, line: Span) -> float:
    return cue.overlap(line) / max(1, min(cue.duration, line.duration))


def _covers(cue: Span, line: Span) -> bool:
    return cue.overlap(line) >= _SHARE * max(1, line.duration)


def _misfit(number: int, cue: Segment, why: str) -> BadSubtitles:
    return BadSubtitles(
        f"Cue {number} ({cue.span.start / 1000:.3f} to {cue.span.end / 1000:.3f} s) {why}.",
        hint="Change lines first (split, merge, add), or give a cue for each line at its time.",
    )
