"""The receipt of a dub: every claim with its figure, every shortfall with its reason, as one JSON object."""

from __future__ import annotations

import dataclasses
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from autodub.model.job import Degradation
from autodub.model.time import Span
from autodub.quality.definition import Standing
from autodub.quality.definitions import DEFINITIONS, define
from autodub.quality.facts import BillFact, CallFact, CostFact, EngineFact, StageFact
from autodub.quality.figures import Figure
from autodub.quality.risk import FlaggedLine
from autodub.quality.runs import MeasuredLine
from autodub.quality.violations import Violation

FORMAT = "autodub.receipt/1"


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure with its meaning and where it stands."""

    id: str
    name: str
    value: float | None
    unit: str
    definition: str
    sense: str
    floor: float | None
    lead: float | None
    standing: Standing
    count: int
    undefined: int
    reason: str
    parts: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Durations:
    """Length of the output against the source's."""

    source_ms: int
    output_ms: int
    difference_ms: int
    difference_picture_frames: float | None
    """Difference in frames of the picture; None without a picture."""
    source_samples: int | None
    output_samples: int
    """Decoded samples per channel, at ``sample_rate_hz``."""
    sample_rate_hz: int
    sound_equal: bool | None
    """Whether the sound is as long as the source's, to the millisecond containers state lengths in.

    None where their sample rates or channels differ."""
    picture_copied: bool | None
    """Whether the picture's packets are the source's, byte for byte; None = not checked or no picture."""


@dataclass(frozen=True, slots=True)
class LineRow:
    """One input line and what became of it. Times are on the programme."""

    id: str
    speaker: str
    status: str
    reason: str
    voice: str
    text: str
    spoken: str
    source_ms: Span
    dub_ms: Span | None
    """First to last detected dub speech."""
    clip_ms: Span | None
    """Where the clip was placed."""
    pace: float | None
    onset_error_ms: int | None
    end_error_ms: int | None
    rendered_against_planned_ms: int | None
    source_lufs: float | None
    dub_lufs: float | None


@dataclass(frozen=True, slots=True)
class LineCount:
    """Every input line accounted for."""

    total: int
    spoken: int
    """Lines in which the dub speaks: by its record, or, without one, as heard."""
    kept_original: int
    left_out: int
    heard: int
    """Lines in which dub speech is detected in the finished file."""


@dataclass(frozen=True, slots=True)
class Method:
    """How the figures were taken."""

    stem: str
    """What dub speech was detected on: the finished file less its background, or the whole mix."""
    detector: str
    delay_samples: int | None
    """Shift found between background and finished file at 16 kHz; it was compensated."""
    residue_db: float | None
    """Level of what is left after subtracting the background where no clip lies, against the background."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Curves:
    """What the report draws."""

    source_speech_ms: tuple[Span, ...]
    dub_speech_ms: tuple[Span, ...]
    step_ms: int
    """Time between two values of the loudness curves."""
    source_lufs: tuple[float | None, ...]
    """Loudness of 3-s windows (EBU Tech 3341) starting every ``step_ms``; None = silence."""
    output_lufs: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Receipt:
    """A measured dub."""

    source: str
    """File name."""
    dub: str
    source_language: str
    target_language: str
    verdict: str
    """``lead``: every target met; ``floor``: good enough to ship; ``below``: something is not.

    ``nothing``: nothing was dubbed, so there is nothing to judge; ``undefined``: nothing was measured."""
    summary: str
    """One sentence."""
    durations: Durations
    line_count: LineCount
    metrics: tuple[Metric, ...]
    undefined: Mapping[str, str]
    """Figures that could not be measured, with the reason."""
    violations: tuple[Violation, ...]
    flagged: tuple[FlaggedLine, ...]
    degradations: tuple[Degradation, ...]
    engines: tuple[EngineFact, ...]
    stages: tuple[StageFact, ...]
    calls: tuple[CallFact, ...]
    costs: tuple[CostFact, ...]
    notes: tuple[str, ...]
    method: Method
    lines: tuple[LineRow, ...]
    curves: Curves
    format: str = FORMAT
    bill: BillFact | None = None
    """What it cost; None where no engine that costs money was asked, and in receipts of older releases."""

    def metric(self, name: str) -> Metric | None:
        """A metric by its id; None when it does not apply to this dub."""
        return next((metric for metric in self.metrics if metric.id == name), None)

    def value(self, name: str) -> float | None:
        """A metric's value by its id; None when undefined or absent."""
        metric = self.metric(name)
        return None if metric is None else metric.value

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON: spans as ``[start, end]``, floats rounded, nothing infinite."""
        plain: dict[str, Any] = _plain(self)
        return {"format": plain.pop("format"), **plain}

    def to_json(self, *, indent: int | None = 2) -> str:
        """The receipt as JSON text."""
        return json.dumps(self.as_dict(), ensure_ascii=False, indent=indent, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, Span):
        return [value.start, value.end]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(part) for part in value]
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return value


def judge(figures: Sequence[Figure]) -> tuple[Metric, ...]:
    """Figures with definitions and standings, in the order of their definitions."""
    out = []
    order = {name: number for number, name in enumerate(DEFINITIONS)}
    for figure in sorted(figures, key=lambda one: order[one.id]):
        known = define(figure)
        out.append(
            Metric(
                id=figure.id, name=known.name, value=figure.value, unit=figure.unit, definition=known.text,
                sense=known.sense, floor=known.floor, lead=known.lead, standing=known.standing(figure.value),
                count=figure.count, undefined=figure.undefined, reason=figure.reason, parts=figure.parts,
            )
        )  # fmt: skip
    return tuple(out)


def verdict(metrics: Sequence[Metric], *, undubbed: str = "") -> tuple[str, str]:
    """(verdict, sentence) over every metric that has a floor.

    ``undubbed`` is the sentence that says why nothing was dubbed: then bounds that are met mean nothing.
    """
    if undubbed:
        return "nothing", undubbed
    gates = [metric for metric in metrics if metric.floor is not None]
    counts = Counter(metric.standing for metric in gates)
    below = [metric.name for metric in gates if metric.standing == "below"]
    measured = len(gates) - counts["undefined"]
    if below:
        names = ", ".join(below[:4]) + (f" and {len(below) - 4} more" if len(below) > 4 else "")
        return "below", f"{len(below)} of {measured} bounds are not met: {names}."
    if counts["floor"]:
        best = counts["lead"]
        return "floor", f"All {measured} bounds of timing and sound are met, {best} with the better target."
    if not measured:
        return "undefined", "Nothing could be measured."
    return "lead", f"All {measured} bounds of timing and sound are met with the better target."


def count_lines(lines: Sequence[MeasuredLine]) -> LineCount:
    """Every input line by what became of it."""
    status = Counter(line.fact.status for line in lines)
    return LineCount(
        total=len(lines),
        spoken=status["spoken"],
        kept_original=status["kept original"],
        left_out=status["left out"],
        heard=sum(bool(line.dub_runs) for line in lines),
    )


def row(line: MeasuredLine) -> LineRow:
    """A line for the receipt."""
    fact = line.fact
    return LineRow(
        id=fact.id, speaker=fact.speaker, status=fact.status, reason=fact.reason, voice=fact.voice,
        text=fact.text, spoken=fact.spoken, source_ms=fact.source, dub_ms=line.dub, clip_ms=fact.clip,
        pace=fact.rate if fact.clip else None, onset_error_ms=line.onset, end_error_ms=line.offset,
        rendered_against_planned_ms=line.onset_error, source_lufs=line.source_lufs, dub_lufs=line.dub_lufs,
    )  # fmt: skip
