"""One measured value that says how much it rests on, and what could not be measured."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Figure:
    """A metric's value with its evidence. ``id`` is stable, such as ``T6.onset.p95``."""

    id: str
    value: float | None
    unit: str
    count: int = 1
    """Values it rests on."""
    undefined: int = 0
    """Values left out because they do not exist (empty set, zero divisor, nothing detected)."""
    reason: str = ""
    """Why values, or the whole figure, are undefined."""
    parts: Mapping[str, float | None] = field(default_factory=dict)
    """The same figure per part, such as per voice."""


def percentile(values: Sequence[float], q: float) -> float:
    """Percentile with linear interpolation (Hyndman and Fan's type 7). ``values`` must not be empty."""
    return float(np.percentile(np.asarray(values, dtype=np.float64), q))


def median(values: Sequence[float]) -> float:
    """Middle value."""
    return percentile(values, 50)


def mean(values: Sequence[float]) -> float:
    """Arithmetic mean."""
    return math.fsum(values) / len(values)


def share(flags: Sequence[bool]) -> float:
    """Part of the flags that are set, 0..1."""
    return sum(flags) / len(flags)


def figure(
    name: str,
    values: Iterable[T | None],
    reduce: Callable[[Sequence[T]], float],
    *,
    unit: str,
    reason: str,
    least: int = 1,
) -> Figure:
    """Reduce the defined values to one figure and count the undefined ones.

    Fewer than ``least`` defined values make the whole figure undefined.
    """
    everything = list(values)
    defined = [value for value in everything if value is not None]
    left_out = len(everything) - len(defined)
    if len(defined) < least:
        if defined or (least > 1 and everything):
            why = f"it takes {least} values, and there are {len(defined)}"
        else:
            why = reason if left_out else "there is nothing to measure"
        return Figure(name, None, unit, count=len(defined), undefined=max(left_out, 1), reason=why)
    value = float(reduce(defined))
    if not math.isfinite(value):
        return Figure(name, None, unit, count=0, undefined=len(everything), reason=reason)
    return Figure(
        name, value, unit, count=len(defined), undefined=left_out, reason=reason if left_out else ""
    )


def undefined(name: str, unit: str, reason: str) -> Figure:
    """A figure that could not be measured, and why."""
    return Figure(name, None, unit, count=0, undefined=1, reason=reason)


def pearson(pairs: Sequence[tuple[float, float]]) -> float | None:
    """Correlation coefficient; None for fewer than 3 pairs or a constant side."""
    if len(pairs) < 3:
        return None
    table = np.asarray(pairs, dtype=np.float64)
    centred = table - table.mean(axis=0)
    spread = np.sqrt((centred**2).sum(axis=0))
    if spread.min() <= 1e-12 * max(1.0, float(np.abs(table).max())):
        return None
    return float((centred[:, 0] * centred[:, 1]).sum() / (spread[0] * spread[1]))
