"""The report's pictures: inline SVG of shapes only, so that they stretch to any width; labels are HTML."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from autodub.model.time import Span, intersection, merged
from autodub.quality.receipt import LineRow
from autodub.quality.tempo import NATURAL

_WIDTH = 1000
"""Units across a picture."""
_LANES = 24
"""Most rows of the speech timeline."""
_POINTS = 600
"""Most points of a curve."""
_MANY = 150
"""From here on dots are small."""


def clock(milliseconds: float) -> str:
    """Programme time for people: ``0:07``, ``12:30``, ``1:02:03``."""
    seconds = round(milliseconds / 1000)
    hours, minutes = seconds // 3600, seconds // 60 % 60
    return f"{hours}:{minutes:02}:{seconds % 60:02}" if hours else f"{minutes}:{seconds % 60:02}"


def row_length(duration: int) -> int:
    """How much programme one row of the timeline shows, ms: a round figure that gives at most 24 rows."""
    for seconds in (15, 30, 60, 120, 180, 300, 600, 1200, 1800, 3600):
        if duration <= _LANES * seconds * 1000 and (seconds >= 60 or duration <= 4 * seconds * 1000):
            return seconds * 1000
    return math.ceil(duration / _LANES / 3_600_000) * 3_600_000


def timeline(
    source: Sequence[Span], dub: Sequence[Span], *, duration: int, silent: Sequence[Span] = ()
) -> str:
    """Source speech over dub speech, row by row; ``silent`` marks lines that should be heard and are not."""
    length = row_length(duration)
    blur = length // _WIDTH  # gaps that no screen can show
    lanes = ((merged(source, gap=blur), "s", 3), (merged(dub, gap=blur), "d", 14), (merged(silent), "b", 14))
    rows = []
    for start in range(0, max(duration, 1), length):
        window = (Span(start, start + length),)
        shapes = [
            f'<rect class="{kind}" x="{_x(run.start - start, length)}" y="{top}" '
            f'width="{_x(run.duration, length)}" height="9" rx="1"/>'
            for runs, kind, top in lanes
            for run in intersection(runs, window)
        ]
        end = min(duration, start + length)
        if end < start + length:
            shapes.append(
                f'<rect x="{_x(end - start, length)}" y="0" width="{_x(start + length - end, length)}" '
                'height="26" fill="var(--card)"/>'
            )
        rows.append(
            f'<div class="lane"><div class="at">{clock(start)}</div>'
            f"{_svg(26, ''.join(shapes), f'Speech from {clock(start)} to {clock(end)}')}</div>"
        )
    return "".join(rows)


def paces(lines: Sequence[LineRow], *, duration: int) -> str:
    """Pace of every spoken line over time, with the band of natural paces."""
    spoken = [(line, line.pace) for line in lines if line.pace is not None]
    values = [pace for _, pace in spoken]
    low, high = min([0.8, *values]) - 0.04, max([1.25, *values]) + 0.04

    def y(value: float) -> float:
        return round(100 * (high - value) / (high - low), 2)

    size = " many" if len(spoken) > _MANY else ""
    height = y(NATURAL[0]) - y(NATURAL[1])
    band = f'<rect class="band" x="0" y="{y(NATURAL[1])}" width="{_WIDTH}" height="{height:.2f}"/>'
    shapes = [band, _rule(y(1.0))]
    for line, pace in spoken:
        off = "" if NATURAL[0] - 1e-6 <= pace <= NATURAL[1] + 1e-6 else " off"
        x = _x((line.source_ms.start + line.source_ms.end) / 2, max(duration, 1))
        note = escape(f"{line.id}, {clock(line.source_ms.start)}: {pace:.2f}")
        shapes.append(f'<path class="dot{size}{off}" d="M{x} {y(pace)}h0"><title>{note}</title></path>')
    marks = [(y(value), f"{value:.2f}") for value in (NATURAL[0], 1.0, NATURAL[1])]
    return _plot("".join(shapes), marks, duration, "Pace of each line over time")


def loudness(
    source: Sequence[float | None], output: Sequence[float | None], *, step: int, duration: int
) -> str:
    """Loudness of source and output over time."""
    curves = [(_thinned(source), "source"), (_thinned(output), "dub")]
    known = sorted(value for values, _ in curves for _, value in values if value is not None)
    if not known:
        return ""
    high = math.ceil((known[-1] + 1) / 5) * 5
    low = min(high - 20, max(high - 60, math.floor(known[len(known) // 50] / 5) * 5))

    def y(value: float) -> float:
        return round(100 * (high - max(low, value)) / (high - low), 2)

    marks = [(y(value), f"{value}") for value in range(low, high + 1, 10 if high - low > 30 else 5)]
    shapes = [_rule(at) for at, _ in marks]
    for values, kind in curves:
        points = [(_x(min(at * step + 1500, duration), max(duration, 1)), value) for at, value in values]
        path = _path([(x, None if value is None else y(value)) for x, value in points])
        shapes.append(f'<path class="curve {kind}" d="{path}"/>')
    return _plot("".join(shapes), marks, duration, "Loudness of source and output over time, LUFS")


def _thinned(values: Sequence[float | None]) -> list[tuple[float, float | None]]:
    """At most 600 (position, mean); None where nothing is known."""
    every = max(1, math.ceil(len(values) / _POINTS))
    out: list[tuple[float, float | None]] = []
    for start in range(0, len(values), every):
        group = [value for value in values[start : start + every] if value is not None]
        middle = start + (min(every, len(values) - start) - 1) / 2
        out.append((middle, sum(group) / len(group) if group else None))
    return out


def _path(points: Sequence[tuple[str, float | None]]) -> str:
    """A line through the points, interrupted where one is missing."""
    parts: list[str] = []
    pen = "M"
    for x, y in points:
        if y is not None:
            parts.append(f"{pen}{x} {y}")
        pen = "M" if y is None else "L"
    return "".join(parts)


def _plot(shapes: str, marks: Sequence[tuple[float, str]], duration: int, label: str) -> str:
    axis = "".join(f'<span style="top:{at}%">{escape(text)}</span>' for at, text in marks)
    times = "".join(f"<span>{clock(duration * part / 4)}</span>" for part in range(5))
    picture = _svg(100, shapes, label)
    return f'<div class="plot"><div class="axis">{axis}</div>{picture}<div class="times">{times}</div></div>'


def _svg(height: int, shapes: str, label: str) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(label, quote=True)}">{shapes}</svg>'
    )


def _rule(y: float) -> str:
    return f'<path class="grid" d="M0 {y}H{_WIDTH}"/>'


def _x(milliseconds: float, length: int) -> str:
    return f"{_WIDTH * milliseconds / length:.2f}".rstrip("0").rstrip(".")
