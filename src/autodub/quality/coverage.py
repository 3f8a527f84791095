"""How much of the source is dubbed at all: a dub that leaves lines out must not look better for it."""

from __future__ import annotations

from collections.abc import Sequence

from autodub.model.time import Span, intersection, merged, padded, subtract, total
from autodub.quality.figures import Figure, undefined
from autodub.quality.runs import MeasuredLine

_AROUND = 300
"""Speech this close to a line is the line's, ms."""


def coverage_figures(
    lines: Sequence[MeasuredLine], *, speech: Sequence[Span], limit: int, is_own: bool = False
) -> tuple[Figure, Figure]:
    """L1, the share of lines that are spoken, and L2, the share of the source's speech time.

    What a person wanted left alone counts neither for nor against. Speech nobody understood is no line
    (no text was ever made of it), but its time counts. ``speech`` is the source's, ``limit`` the length
    of the programme in ms; ``is_own``: the sound is the source's, so that nothing in it is dubbed.
    """
    chosen = [line for line in lines if _is_chosen(line)]
    counted = [line for line in lines if line.fact.text.strip() and not _is_chosen(line)]
    reasons = []
    if chosen:
        reasons.append(f"{len(chosen)} not spoken because a person wanted it so")
    if len(lines) > len(chosen) + len(counted):
        reasons.append(f"{len(lines) - len(chosen) - len(counted)} without a text")
    left_out, why = len(lines) - len(counted), "; ".join(reasons)
    spoken = sum(line.fact.status == "spoken" and not is_own for line in counted)
    share = (
        Figure("L1", spoken / len(counted), "share", len(counted), left_out, why)
        if counted
        else undefined("L1", "share", why or "there are no lines")
    )
    said = padded(
        (line.fact.source for line in lines if line.fact.status == "spoken" and not is_own),
        before=_AROUND, after=_AROUND, limit=limit,
    )  # fmt: skip
    alone = subtract(merged(line.fact.source for line in chosen), said)
    asked = subtract(speech, alone)
    if not asked or not lines:
        return share, undefined("L2", "share", "no speech of the source was to be dubbed")
    return share, Figure("L2", total(intersection(asked, said)) / total(asked), "share", len(asked))


def _is_chosen(line: MeasuredLine) -> bool:
    return line.fact.by_choice and line.fact.status != "spoken"


def undubbed(lines: Sequence[MeasuredLine], *, speech: Sequence[Span]) -> str:
    """Why a dub with a record holds nothing that was dubbed, as a sentence; empty where something was."""
    if any(line.fact.status == "spoken" for line in lines):
        return ""
    written = [line for line in lines if line.fact.text.strip()]
    if not speech and not written:
        return "Nothing was dubbed: no speech was found in the source."
    if not written:
        return "Nothing was dubbed: none of the speech in the source was understood."
    by_choice = " because a person wanted it so" if all(line.fact.by_choice for line in written) else ""
    return f"Nothing was dubbed: all {len(written)} lines keep the original{by_choice}."


def undubbed_file(*, source: Sequence[Span], dub: Sequence[Span], is_own: bool) -> str:
    """The same for a file nobody kept a record of; ``is_own``: its sound is the source's."""
    if is_own:
        return "The sound is the source's own: nothing was dubbed."
    if dub:
        return ""
    if source:
        return "Nothing was dubbed: no speech is heard in the file, and the source speaks."
    return "Nothing was dubbed: no speech is heard in the source, nor in the file."
