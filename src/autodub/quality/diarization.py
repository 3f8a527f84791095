"""How well speakers are told apart: diarization error rate and what it means for a dub.

``DER = (false alarm + miss + confusion) / reference speech``, every figure in speaker time, after the
mapping of found to true speakers that shares the most time (Hungarian method), as in NIST's md-eval.
Overlapped speech counts once per speaker. A collar of c ms leaves out c ms on both sides of every
reference boundary.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from autodub.model.errors import RequestError
from autodub.model.speech import Turn
from autodub.model.time import Span, intersection, merged, subtract, total


@dataclass(frozen=True, slots=True)
class DiarizationScore:
    """Errors of a diarization against a reference, in ms of speaker time."""

    reference: int
    """Speech in the reference."""
    false_alarm: int
    miss: int
    confusion: int
    speakers: int
    """True number of speakers."""
    found: int
    """Number of speakers found."""
    mapping: tuple[tuple[str, str], ...]
    """(found speaker, true speaker) pairs."""
    programme: int
    """Length of the programme, ms."""

    @property
    def error_rate(self) -> float | None:
        """DER; None without reference speech."""
        errors = self.false_alarm + self.miss + self.confusion
        return errors / self.reference if self.reference else None

    @property
    def wrong_voice(self) -> float | None:
        """D1: seconds spoken in a wrong voice per minute of programme; None for an empty programme."""
        return 60 * self.confusion / self.programme if self.programme else None

    @property
    def count_error(self) -> int:
        """D2: speakers found minus true speakers."""
        return self.found - self.speakers


def read_rttm(text: str) -> tuple[Turn, ...]:
    """Turns of an RTTM file (NIST RT-09), in time order; lines other than SPEAKER are left out.

    Raises RequestError when a SPEAKER line cannot be read.
    """
    turns = []
    for number, line in enumerate(text.splitlines(), 1):
        fields = line.split()
        if not fields or fields[0] != "SPEAKER":
            continue
        try:
            start, length = float(fields[3]), float(fields[4])
            turns.append(Turn(Span(round(start * 1000), round((start + length) * 1000)), fields[7]))
        except (IndexError, ValueError) as error:
            raise RequestError(
                f"Line {number} of the speaker file is not RTTM: {line.strip()[:80]!r}.",
                hint="A line reads: SPEAKER file 1 start length <NA> <NA> name <NA> <NA> (seconds).",
            ) from error
    return tuple(sorted(turns, key=lambda turn: (turn.span, turn.speaker)))


def score(
    reference: Iterable[Turn], found: Iterable[Turn], *, programme: int, collar: int = 0
) -> DiarizationScore:
    """Errors of ``found`` against ``reference`` in a programme of that many ms."""
    truth, guess = _by_speaker(reference), _by_speaker(found)
    no_score = [
        Span(max(0, edge - collar), edge + collar)
        for spans in truth.values()
        for span in spans
        for edge in (span.start, span.end)
        if collar
    ]
    everything = Span(
        0, max([programme, *(s.end for group in (truth, guess) for ss in group.values() for s in ss)])
    )
    scored = subtract([everything], no_score)
    true = {name: intersection(spans, scored) for name, spans in truth.items()}
    said = {name: intersection(spans, scored) for name, spans in guess.items()}
    shared = np.array([[total(intersection(a, b)) for b in true.values()] for a in said.values()], np.int64)
    pairs = _matched(shared.reshape(len(said), len(true)))
    correct = int(sum(shared[i, j] for i, j in pairs))
    # At each moment with r true and h found speakers: min(r, h) of them can be right at all.
    possible = _common(true.values(), said.values())
    spoken = sum(map(total, true.values()))
    heard = sum(map(total, said.values()))
    found_names, true_names = list(said), list(true)
    return DiarizationScore(
        reference=spoken,
        false_alarm=heard - possible,
        miss=spoken - possible,
        confusion=possible - correct,
        speakers=len(truth),
        found=len(guess),
        mapping=tuple((found_names[i], true_names[j]) for i, j in pairs if shared[i, j]),
        programme=programme,
    )


def _by_speaker(turns: Iterable[Turn]) -> dict[str, tuple[Span, ...]]:
    groups: dict[str, list[Span]] = defaultdict(list)
    for turn in turns:
        groups[turn.speaker].append(turn.span)
    return {name: merged(spans) for name, spans in sorted(groups.items())}


def _matched(shared: npt.NDArray[np.int64]) -> list[tuple[int, int]]:
    """One-to-one pairs (found, true) sharing the most time."""
    if not shared.size:
        return []
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(-shared)
    return list(zip(rows.tolist(), columns.tolist(), strict=True))


def _common(true: Iterable[Sequence[Span]], said: Iterable[Sequence[Span]]) -> int:
    """Integral over time of min(true speakers, found speakers), ms."""
    steps: list[tuple[int, int, int]] = []
    for side, group in enumerate((true, said)):
        for spans in group:
            for span in spans:
                steps += [(span.start, side, 1), (span.end, side, -1)]
    counts, area, last = [0, 0], 0, 0
    for moment, side, change in sorted(steps):
        area += min(counts) * (moment - last)
        counts[side] += change
        last = moment
    return area
