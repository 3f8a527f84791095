"""Values as people type them on a command line: times, ages, sizes, ``role.option=value``."""

from __future__ import annotations

import re
from typing import Any

import click

from autodub.model.request import ROLES

_CLOCK = re.compile(r"(?:(?:(\d+):)?(\d{1,2}):)?(\d+)(?:[.,](\d{1,9}))?")
_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)\s*([a-zA-Z]*)")
_AGES = {"s": 1 / 86400, "m": 1 / 1440, "h": 1 / 24, "d": 1.0, "w": 7.0}
"""Days per unit."""
_SIZES = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_SIZES |= {"kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}


class Time(click.ParamType[int]):
    """A time on the programme: ``90``, ``1:30``, ``00:01:30.5``; the value is in ms."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        match = _CLOCK.fullmatch(value.strip())
        if match is None:
            self.fail(f"{value!r} is not a time. Write 90, 1:30 or 00:01:30.5.", param, ctx)
        hours, minutes, seconds, fraction = match.groups()
        if minutes is not None and (int(seconds) > 59 or (hours is not None and int(minutes) > 59)):
            self.fail(f"{value!r} is not a time: minutes and seconds stop at 59.", param, ctx)
        whole = (int(hours or 0) * 60 + int(minutes or 0)) * 60 + int(seconds)
        return whole * 1000 + round(float(f"0.{fraction or 0}") * 1000)


class Age(click.ParamType[float]):
    """An age: ``30d``, ``12h``, ``2w``; the value is in days."""

    name = "AGE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        match = _AMOUNT.fullmatch(value.strip())
        unit = (match.group(2).lower() or "d") if match else ""
        if match is None or unit not in _AGES:
            self.fail(f"{value!r} is not an age. Write 30d, 12h or 2w.", param, ctx)
        return float(match.group(1)) * _AGES[unit]


class Size(click.ParamType[int]):
    """A size: ``10GB``, ``500 MB``, ``2GiB``; the value is in bytes."""

    name = "SIZE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        match = _AMOUNT.fullmatch(value.strip())
        unit = (match.group(2).lower() or "b") if match else ""
        if match is None or unit not in _SIZES:
            self.fail(f"{value!r} is not a size. Write 10GB, 500MB or 2GiB.", param, ctx)
        return int(float(match.group(1)) * _SIZES[unit])


class Setting(click.ParamType[tuple[str, str, str]]):
    """An engine option: ``role.option=value``, such as ``synthesizer.gap=2``."""

    name = "ROLE.OPTION=VALUE"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str, str]:
        if isinstance(value, tuple):
            return value
        left, equals, right = value.partition("=")
        role, dot, option = left.strip().partition(".")
        if not equals or not dot or not option:
            self.fail(f"{value!r} is not of the form role.option=value.", param, ctx)
        if role not in ROLES:
            self.fail(f"there is no role {role!r}. Roles: {', '.join(ROLES)}.", param, ctx)
        return role, option, right


TIME, AGE, SIZE, SETTING = Time(), Age(), Size(), Setting()


def by_role(settings: tuple[tuple[str, str, str], ...]) -> dict[str, dict[str, str]]:
    """Settings as ``role -> option -> value``; of two for the same option the later one counts."""
    grouped: dict[str, dict[str, str]] = {}
    for role, option, value in settings:
        grouped.setdefault(role, {})[option] = value
    return grouped
