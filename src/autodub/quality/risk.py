"""Which lines a person should look at first, and why."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from autodub.quality.overlap import overlap
from autodub.quality.runs import MeasuredLine
from autodub.quality.tempo import NATURAL
from autodub.quality.violations import Violation

LATE = 300
"""Onset errors beyond this are doubtful, ms."""
LONG = 500
"""So are ends later than this, ms."""
_KINDS = {"silent": 1.0, "cut": 0.7, "overlap": 0.7, "rate": 0.6}


@dataclass(frozen=True, slots=True)
class FlaggedLine:
    """A line worth a look. ``risk`` orders lines; it is no probability."""

    line: str
    risk: float
    reasons: tuple[str, ...]
    """Sentences for people, worst first."""


def flagged(lines: Sequence[MeasuredLine], found: Sequence[Violation]) -> tuple[FlaggedLine, ...]:
    """Lines with anything doubtful, riskiest first. Doubts combine as ``1 - prod(1 - weight)``."""
    wrong: dict[str, list[Violation]] = defaultdict(list)
    for violation in found:
        wrong[violation.line].append(violation)
    out = []
    for line in lines:
        doubts = sorted(
            (*((_KINDS[v.kind], v.reason) for v in wrong[line.fact.id]), *_doubts(line)), reverse=True
        )
        if doubts:
            calm = 1.0
            for weight, _ in doubts:
                calm *= 1 - weight
            out.append(FlaggedLine(line.fact.id, round(1 - calm, 4), tuple(reason for _, reason in doubts)))
    return tuple(sorted(out, key=lambda flag: (-flag.risk, flag.line)))


def _doubts(line: MeasuredLine) -> list[tuple[float, str]]:
    fact = line.fact
    out = [(0.3, sentence) for flag in fact.flags if (sentence := _planned(flag, line))]
    if fact.status == "kept original" and not fact.by_choice:
        out.append((0.2, f"The original is kept: {fact.reason}" if fact.reason else "The original is kept."))
    if fact.status != "spoken":
        return out
    low, high = NATURAL
    if fact.clip and not low - 1e-6 <= fact.rate <= high + 1e-6:
        away = max(low - fact.rate, fact.rate - high)
        out.append((min(0.6, 0.2 + 2 * away), f"Spoken at {fact.rate:.2f} times the voice's pace."))
    if line.onset is not None and abs(line.onset) > LATE:
        side = "late" if line.onset > 0 else "early"
        out.append((min(0.6, abs(line.onset) / 2000), f"Starts {abs(line.onset) / 1000:.2f} s {side}."))
    if line.offset is not None and line.offset > LONG:
        late = f"Ends {line.offset / 1000:.2f} s after the original; a shorter wording would fit."
        out.append((min(0.5, line.offset / 3000), late))
    shared = overlap(line.source_runs, line.dub_runs)
    if line.dub_runs and shared is not None and shared < 0.5:
        out.append((0.5 - shared / 2, f"Only {shared:.0%} of the speech time is shared with the source."))
    return out


def _planned(flag: str, line: MeasuredLine) -> str:
    """What the plan knew about a line, as a sentence; empty where the finished file says it already."""
    fact = line.fact
    if flag in ("fast", "emergency_rate"):
        return ""  # the rate is known, and judged with the rest
    if flag == "overlap":
        return f"Runs {fact.overlap_ms / 1000:.1f} s into a later line."
    if flag in ("late", "early"):
        if line.onset is None or abs(line.onset) > LATE:
            return ""
        side = "after" if line.onset >= 0 else "before"
        return f"Starts {abs(line.onset) / 1000:.1f} s {side} the original, behind a long line."
    if flag in ("short", "too_long"):
        if line.offset is None or line.offset > LONG:
            return ""
        side = "after" if line.offset >= 0 else "before"
        return f"Ends {abs(line.offset) / 1000:.1f} s {side} the original does."
    return f"Marked while it was made: {flag.replace('_', ' ')}."
