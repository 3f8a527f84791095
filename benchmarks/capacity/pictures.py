"""The pictures of docs/SCALING.md, drawn from the results."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.capacity import drawing
from benchmarks.capacity.drawing import COLOURS, axes, bar, document, line, linear, logarithmic, text

_BOX = (90.0, 40.0, 690.0, 340.0)


def all_of(results: dict[str, Any]) -> dict[str, str]:
    """File name -> SVG."""
    return {
        "capacity-limits.svg": limits(results),
        "capacity-waits.svg": waits(results),
        "capacity-costs.svg": costs(results),
    }


def limits(results: dict[str, Any]) -> str:
    """Videos a day over workers, a line per set of other things."""
    rows = results["limits"]
    left, top, right, bottom = _BOX
    workers = sorted({row["workers"] for row in rows})
    x = logarithmic(workers[0], workers[-1], left, right)
    y = logarithmic(1e4, 1e7, bottom, top)
    up = {1e4: "10,000", 1e5: "100,000", 1e6: "1 million", 1e7: "10 million"}
    parts = axes(
        {w: f"{w:,}" for w in workers}, up, x, y, below="workers (two cores, four places each)",
        beside="videos of a minute a day, at most", box=_BOX,
    )  # fmt: skip
    names = list(dict.fromkeys(row["set"] for row in rows))
    for name, colour in zip(names, COLOURS, strict=False):
        own = [row for row in rows if row["set"] == name]
        parts.append(line([(x(row["workers"]), y(row["paper"])) for row in own], colour, dashed=True))
        parts.append(line([(x(row["workers"]), y(row["videos_a_day"])) for row in own], colour))
        last = own[-1]
        words = f"{name}: {last['binds']}"
        parts.append(text(right, y(last["videos_a_day"]) - 9, words, anchor="end", kind="small", fill=colour))
    return document(
        "How many videos a day, by workers",
        "Each line is what is bought besides workers; where it becomes flat, the resource at its end binds. "
        "Dots are simulated, dashes by arithmetic.",
        parts,
    )


def waits(results: dict[str, Any]) -> str:
    """How long jobs wait and take as a fleet fills up."""
    rows = results["loads"]
    left, top, right, bottom = _BOX
    most = max(row["took"][1] for row in rows)
    high = 20 * (int(most / 20) + 1)
    x, y = linear(0.2, 1.0, left, right), linear(0, high, bottom, top)
    step = high // 4
    parts = axes(
        {share / 10: f"{share * 10} %" for share in range(2, 11)},
        {value: f"{value} s" for value in range(0, high + 1, step)}, x, y,
        below="share of the most that the fleet can do", beside="seconds", box=_BOX,
    )  # fmt: skip
    series: tuple[tuple[str, Callable[[dict[str, Any]], float]], ...] = (
        ("from submission to the end, 95 of 100", lambda r: r["took"][1]),
        ("from submission to the end, half of them", lambda r: r["took"][0]),
        ("waiting for a place, 95 of 100", lambda r: r["waited"][1]),
    )
    for number, (name, value) in enumerate(series):
        colour = COLOURS[number]
        parts.append(line([(x(row["load"]), y(value(row))) for row in rows], colour))
        parts.append(text(left + 14, top + 16 + 18 * number, name, kind="small", fill=colour))
    return document(
        "What waiting costs", "A fleet of four workers as it fills up: videos come by chance.", parts
    )


PARTS = ("ElevenLabs", "Deepgram", "OpenAI", "workers", "GPUs", "database and answers", "store")


def costs(results: dict[str, Any]) -> str:
    """What one video costs, by whom it is paid to, for each scale."""
    rows = results["scale"]
    left, right, top, step = 130.0, 690.0, 60.0, 48.0
    most = max(row["video"] for row in rows)
    x = linear(0, most * 1.05, left, right)
    parts = []
    for number, name in enumerate(PARTS):
        key, level = left + 150 * (number % 4), 18 + 20 * (number // 4)
        parts += [bar(key, level - 9, 10, 10, COLOURS[number]), text(key + 15, level, name, kind="small")]
    for number, row in enumerate(rows):
        y, at = top + step * number, 0.0
        parts.append(text(left - 10, y + 20, f"{row['videos']:,} a day", anchor="end"))
        for place, name in enumerate(PARTS):
            each = row["dollars_day"][name] / row["videos"]
            parts.append(bar(x(at), y, x(at + each) - x(at), 30, COLOURS[place]))
            at += each
        inside = x(at) > right - 80
        parts.append(
            text(x(at) + (-6 if inside else 6), y + 20, f"${row['video']:.3f}",
                 anchor="end" if inside else "start", fill="#fff" if inside else "")
        )  # fmt: skip
    return document(
        "What a video of a minute costs", "Providers by list price, machines that are always on, the store.",
        parts, height=int(top + step * len(rows) + 10),
    )  # fmt: skip


__all__ = ["PARTS", "all_of", "costs", "drawing", "limits", "waits"]
