"""T18: what must never happen in a dub, line by line with the reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from autodub.quality.facts import LineFact
from autodub.quality.figures import Figure, undefined
from autodub.quality.runs import MeasuredLine

MOST_OVERLAP = 20
"""Clips of one timeline may share this much, ms."""
CUT_DB = -35.0
"""A clip that starts or ends louder than this against its speech was cut."""
MOST_RATE = 1.25
"""Fastest a line may be, by its voice's pace and by the engine's own speed."""
KINDS = ("overlap", "cut", "rate", "silent")


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing wrong with one line."""

    kind: str
    """``overlap``, ``cut``, ``rate`` or ``silent``."""
    line: str
    reason: str
    """A sentence for people."""
    size: float = 0.0
    """How far beyond the bound, in the unit of the reason."""


def violations(lines: Sequence[MeasuredLine]) -> tuple[Violation, ...]:
    """Everything T18 counts. ``lines`` are all input lines; those that keep the original are exempt."""
    out = [*_overlaps(lines)]
    for line in lines:
        fact = line.fact
        if fact.status == "kept original":
            continue
        if not line.dub_runs:
            why = fact.reason or "no speech is heard in the finished file where its clip was placed"
            out.append(_violation("silent", fact, f"is not heard: {why}"))
        out += _rush(fact)
        for edge, level in zip(("starts", "ends"), line.edges_db, strict=True):
            if level is not None and level > CUT_DB:
                out.append(
                    _violation(
                        "cut", fact, f"{edge} abruptly ({level:.0f} dB against its speech)", level - CUT_DB
                    )
                )
    return tuple(sorted(out, key=lambda v: (v.line, KINDS.index(v.kind))))


def _rush(fact: LineFact) -> list[Violation]:
    """A line too fast for its voice's pace, or for the voice at all: one violation, not two."""
    if not fact.clip:
        return []
    if fact.rate > MOST_RATE + 1e-6:
        what = f"is spoken at {fact.rate:.2f} times the voice's pace"
        return [_violation("rate", fact, what, fact.rate - MOST_RATE)]
    if fact.asked > MOST_RATE + 1e-6:
        what = f"is spoken at {fact.asked:.2f} times the engine's own speed, its voice's pace included"
        return [_violation("rate", fact, what, fact.asked - MOST_RATE)]
    return []


def _violation(kind: str, fact: LineFact, what: str, size: float = 0.0) -> Violation:
    return Violation(kind, fact.id, f"Line {fact.id} {what.rstrip('.')}.", size)


def _overlaps(lines: Sequence[MeasuredLine]) -> list[Violation]:
    """Clips that run into a later one by more than 20 ms beyond what the source's speakers share."""
    placed = sorted(
        ((clip, line.fact) for line in lines if (clip := line.fact.clip) is not None),
        key=lambda pair: (pair[0], pair[1].id),
    )
    out = []
    for at, (clip, fact) in enumerate(placed):
        for later, other in placed[at + 1 :]:
            shared = clip.overlap(later)
            if later.start >= clip.end:
                break
            allowed = fact.source.overlap(other.source) if fact.speaker != other.speaker else 0
            if shared - allowed > MOST_OVERLAP:
                out.append(
                    _violation(
                        "overlap", other, f"overlaps line {fact.id} by {shared} ms", float(shared - allowed)
                    )
                )
    return out


def violation_figures(lines: Sequence[MeasuredLine], found: Sequence[Violation]) -> tuple[Figure, ...]:
    """T18 in all and per kind, with the checks that could not be made."""
    counts = Counter(v.kind for v in found)
    clips = [line for line in lines if line.fact.clip]
    unseen = sum(level is None for line in clips for level in line.edges_db)
    why = "a clip's edge lies inside another clip, or no sound was measured" if unseen else ""
    said = sum(line.fact.status != "kept original" for line in lines)

    def count(name: str, value: int, unit: str, looked_at: int, left_out: int = 0) -> Figure:
        if looked_at <= 0:  # nothing wrong with nothing is no praise
            return undefined(name, unit, "no line was to be spoken" if not said else "no clip is known")
        return Figure(name, float(value), unit, looked_at, left_out, why if left_out else "")

    return (
        count("T18", len(found), "violations", said, unseen),
        count("T18.overlaps", counts["overlap"], "lines", len(clips)),
        count("T18.cut", counts["cut"], "edges", 2 * len(clips) - unseen, unseen),
        count("T18.rate", counts["rate"], "lines", len(clips)),
        count("T18.silent", counts["silent"], "lines", said),
    )
