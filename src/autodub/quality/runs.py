"""Lines with the speech that was detected for them, in the source and in the finished dub."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from autodub.model.time import Span, intersection, merged, total, touching
from autodub.quality.facts import LineFact

PAUSE = 300
"""Shortest silence that counts as a pause, ms; phrases lie between pauses."""


@dataclass(frozen=True, slots=True)
class MeasuredLine:
    """One line as detected. Every span is on the programme, in milliseconds."""

    fact: LineFact
    source_runs: tuple[Span, ...]
    """Source speech inside the line."""
    dub_runs: tuple[Span, ...]
    """Dub speech inside the clip placed for the line."""
    onset_error: int | None = None
    """Re-detected onset minus planned onset, ms; None when the onset cannot be seen by itself."""
    source_lufs: float | None = None
    dub_lufs: float | None = None
    """Level in the finished file, LUFS."""
    edges_db: tuple[float | None, float | None] = (None, None)
    """Level of the clip's first and last 10 ms against its speech, dB."""

    @property
    def dub(self) -> Span | None:
        """First to last detected dub speech; None when nothing was detected."""
        return Span(self.dub_runs[0].start, self.dub_runs[-1].end) if self.dub_runs else None

    @property
    def onset(self) -> int | None:
        """Dub onset minus source onset, ms; positive = late."""
        return None if self.dub is None else self.dub.start - self.fact.source.start

    @property
    def offset(self) -> int | None:
        """Dub end minus source end, ms; positive = late."""
        return None if self.dub is None else self.dub.end - self.fact.source.end

    @property
    def seconds(self) -> float | None:
        """Length of the dub, detected first to last, seconds."""
        return None if self.dub is None else self.dub.duration / 1000

    @property
    def syllable_rate(self) -> float | None:
        """Syllables per second of the dub, pauses of 300 ms or more apart."""
        length = total(segments(self.dub_runs)) / 1000
        return self.fact.syllables / length if self.fact.syllables and length > 0 else None

    @property
    def source_pauses(self) -> tuple[Span, ...]:
        """Pauses inside the source line."""
        return gaps(self.source_runs, least=PAUSE)

    @property
    def dub_pauses(self) -> tuple[Span, ...]:
        """Pauses inside the dubbed line."""
        return gaps(self.dub_runs, least=PAUSE)


def gaps(runs: Iterable[Span], *, least: int) -> tuple[Span, ...]:
    """Silences of ``least`` ms or more between runs."""
    ordered = merged(runs)
    between = (Span(a.end, b.start) for a, b in pairwise(ordered))
    return tuple(gap for gap in between if gap.duration >= least)


def segments(runs: Iterable[Span]) -> tuple[Span, ...]:
    """Runs joined over silences that are too short to be pauses."""
    return merged(runs, gap=PAUSE - 1)


def spoken(lines: Iterable[MeasuredLine]) -> tuple[MeasuredLine, ...]:
    """The lines that were to be spoken, left out or not, in programme order."""
    chosen = (line for line in lines if line.fact.status != "kept original")
    return tuple(sorted(chosen, key=lambda line: (line.fact.source, line.fact.id)))


def attribute(
    lines: Sequence[LineFact], *, source: Sequence[Span], dub: Sequence[Span], reach: int = 150
) -> tuple[MeasuredLine, ...]:
    """Give every line the detected speech inside its slot (source) and inside its clip (dub).

    The onset error compares the first detected speech within ``reach`` ms around the clip with
    the planned first sample. A run that comes out of the clip before hides the onset: undefined.
    """
    clips = sorted(clip for fact in lines if (clip := fact.clip) is not None)
    out: list[MeasuredLine] = []
    for fact in lines:
        clip = fact.clip
        runs = _inside(dub, clip) if clip else ()
        error = _onset_error(fact, clip, clips=clips, dub=dub, reach=reach) if clip else None
        out.append(MeasuredLine(fact, _inside(source, fact.source), runs, error))
    return tuple(out)


def _inside(spans: Sequence[Span], window: Span) -> tuple[Span, ...]:
    return intersection(touching(spans, window), (window,))


def _onset_error(
    fact: LineFact, clip: Span, *, clips: Sequence[Span], dub: Sequence[Span], reach: int
) -> int | None:
    at = bisect_left(clips, clip)
    before = max((other.end for other in clips[max(0, at - 4) : at]), default=0)
    left = max(before, clip.start - reach, 0)
    if left > clip.start:
        return None
    heard = touching(dub, Span(left, clip.end))
    if not heard or heard[0].start < left:
        return None
    planned = fact.planned_start * 1000 / fact.rate_hz + fact.lead_ms
    return round(heard[0].start - planned)
