"""Small pictures as SVG: readable on light and dark, no scripts, no fonts of their own."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape

WIDTH, HEIGHT = 720, 400
COLOURS = ("#2f81f7", "#d97706", "#16a34a", "#db2777", "#8b5cf6", "#0d9488", "#b45309")
"""Of middling lightness, so that they stand out on white and on black."""
_STYLE = """<style>
text{font:13px system-ui,sans-serif;fill:#6e7781}.axis{stroke:#8c959f;stroke-width:1}
.grid{stroke:#8c959f;stroke-opacity:.25}.small{font-size:11px}
@media (prefers-color-scheme:dark){text{fill:#9da7b3}}
</style>"""
Scale = Callable[[float], float]


def document(title: str, about: str, parts: Sequence[str], *, height: int = HEIGHT) -> str:
    """A whole picture."""
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
            f"<title>{escape(title)}</title><desc>{escape(about)}</desc>", _STYLE, *parts, "</svg>\n",
        ]
    )  # fmt: skip


def logarithmic(low: float, high: float, start: float, end: float) -> Scale:
    """Where a value lies on an axis of powers."""
    span = math.log10(high / low)
    return lambda value: start + (end - start) * math.log10(value / low) / span


def linear(low: float, high: float, start: float, end: float) -> Scale:
    """Where a value lies on a plain axis."""
    return lambda value: start + (end - start) * (value - low) / (high - low)


def text(x: float, y: float, words: str, *, anchor: str = "start", kind: str = "", fill: str = "") -> str:
    """Words; ``fill`` overrules the picture's own colour."""
    style = f' style="fill:{fill}"' if fill else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}"{style}>{escape(words)}</text>'
    )


def line(points: Sequence[tuple[float, float]], colour: str, *, dashed: bool = False) -> str:
    """A line through points, with a dot at each unless it is dashed."""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dash = ' stroke-dasharray="4 4" stroke-opacity=".7"' if dashed else ""
    out = f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>'
    dots = "" if dashed else "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>' for x, y in points)
    return out + (f'<g fill="{colour}">{dots}</g>' if dots else "")


def axes(
    across: Mapping[float, str], up: Mapping[float, str], x: Scale, y: Scale, *, below: str, beside: str,
    box: tuple[float, float, float, float],
) -> list[str]:  # fmt: skip
    """A frame with its marks; ``box`` is left, top, right, bottom."""
    left, top, right, bottom = box
    out = []
    for value, words in across.items():
        out += [
            f'<line class="grid" x1="{x(value):.1f}" x2="{x(value):.1f}" y1="{top}" y2="{bottom}"/>',
            text(x(value), bottom + 18, words, anchor="middle"),
        ]
    for value, words in up.items():
        out += [
            f'<line class="grid" x1="{left}" x2="{right}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>',
            text(left - 8, y(value) + 4, words, anchor="end"),
        ]
    out += [
        f'<path class="axis" fill="none" d="M{left} {top}V{bottom}H{right}"/>',
        text((left + right) / 2, bottom + 40, below, anchor="middle"),
        text(left, top - 12, beside),
    ]
    return out


def bar(x: float, y: float, width: float, height: float, colour: str) -> str:
    """A filled rectangle."""
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(0.0, width):.1f}" height="{height}" fill="{colour}"/>'
